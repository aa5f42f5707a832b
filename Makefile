.DEFAULT_GOAL := help
.PHONY: help setup demo demo-suite test test-long coverage lint nightly oldest orchestrators mutants bench screenshots lock clean

PYTHON ?= python3
BIN := .venv/bin
SEED ?= $(shell date +%y%m%d)00

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

setup: .venv/.ready  ## make .venv with the locked dependencies

.venv/.ready: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed; name one with make PYTHON=...") if sys.version_info < (3, 10) else None'
	@echo "Installing the locked dependencies into .venv takes a minute or more."
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	touch $@

demo: setup  ## sync a simulated Zoho CRM into zoho_demo.duckdb
	$(BIN)/python -m pipelines.zoho_crm --demo

demo-suite: setup  ## the same with Bigin, Desk, Books and Recruit, twice: the second time reads what changed
	$(BIN)/python -m pipelines.zoho_crm --demo --quiet
	$(BIN)/python -m pipelines.zoho_crm --demo --quiet --service bigin
	$(BIN)/python -m pipelines.zoho_api run --demo desk books recruit
	$(BIN)/python -m pipelines.zoho_crm --demo --quiet
	$(BIN)/python -m pipelines.zoho_crm --demo --quiet --service bigin
	$(BIN)/python -m pipelines.zoho_api run --demo desk books recruit

test: setup  ## run the tests
	$(BIN)/python -m pytest -n auto --dist worksteal

test-long: setup orchestrators  ## run the tests with the long ones: every call with every fault, longer random companies
	ZOHO_TESTS=long ZOHO_MODEL_SHARDS=8 $(BIN)/python -m pytest -n auto --dist worksteal

coverage: setup  ## run the tests and show which lines and branches of sources and pipelines they reach; too few fail
	$(BIN)/python -m pytest -n auto --dist worksteal --cov=sources --cov=pipelines --cov-branch --cov-report=term:skip-covered \
		--cov-fail-under=80

lint: setup  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

nightly: setup  ## follow a random company through thousands of steps, each night others; SEED=n repeats one
	ZOHO_MODEL_SEED=$(SEED) ZOHO_MODEL_SHARDS=64 ZOHO_MODEL_STEPS=6 ZOHO_MODEL_SHRINK=yes \
		$(BIN)/python -m pytest -n auto tests/model

mutants: setup  ## break the source on purpose; each fault must turn a test red
	$(BIN)/python -m tests.mutants

bench: setup  ## measure every promise; BENCH=--form=short takes two minutes
	$(BIN)/python -m benchmarks $(BENCH)

screenshots: setup  ## take the pictures in docs/images anew (needs Chromium with ChromeDriver)
	SE_OFFLINE=true PYTHONPATH=. $(BIN)/python docs/images/make.py

oldest: .venv-oldest/.ready  ## load the demo company with the oldest versions that pyproject.toml allows
	.venv-oldest/bin/python -m pytest -n auto \
		tests/end_to_end/rows/test_same_row.py tests/end_to_end/rows/test_demo_company.py \
		tests/end_to_end/destinations/test_destinations.py tests/pipelines/zoho_crm/run/test_runner.py

orchestrators: .venv-dagster/.ready .venv-airflow/.ready .venv-dbt/.ready  ## make the environments in which Dagster, Airflow and dbt are tested

.venv-%/.ready: requirements-%.lock
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	touch $@

LOCK = uv pip compile --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header \
	pyproject.toml --upgrade

lock:  ## pin the dependencies anew (needs uv)
	$(LOCK) --group dev --output-file requirements.lock
	$(LOCK) --group dev --resolution lowest-direct --output-file requirements-oldest.lock
	$(LOCK) --group dagster --output-file requirements-dagster.lock
	$(LOCK) --group airflow --output-file requirements-airflow.lock
	$(LOCK:pyproject.toml=) --group dbt --no-strip-extras --output-file requirements-dbt.lock

clean:  ## remove what make made
	rm -rf .venv .venv-oldest .venv-dagster .venv-airflow .venv-dbt .mypy_cache .ruff_cache .hypothesis zoho_demo.duckdb
