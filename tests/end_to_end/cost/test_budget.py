"""Work is counted, not timed: calls of Zoho's API, credits, calls of our own functions, Arrow's memory.

pytestmark = pytest.mark.whole_account

The file budget.json says how much each fixed job may take. A count above it is a regression; one far below
is an improvement that the file should know of: ZOHO_BUDGET=write writes today's counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from simulators.zoho_crm.generated import add_generated_module, edit_generated_rows

WRITES = os.environ.get("ZOHO_BUDGET") == "write"  # before the tests get an environment of their own
ROOT = Path(__file__).parents[3]
BUDGET = Path(__file__).with_name("budget.json")
OURS = tuple(str(ROOT / folder) for folder in ("sources", "pipelines"))
SLACK = 1.15  # threads come in another order each time
OLD = datetime(2025, 1, 1, tzinfo=timezone.utc)


@contextmanager
def counted() -> Iterator[list[int]]:
    """The calls of functions of ours, in all threads."""
    found = [0]

    def look(frame, event, argument) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            found[0] += 1

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def generated(load_from, folder):
    org = Org()
    org.clock.advance(days=400)
    add_generated_module(org, "Big", rows=20_000, columns=40, folder=folder / "archives")
    return org, load_from(org)


def first_load(load_from, folder) -> tuple[Org, Callable[[], object]]:
    org, load = generated(load_from, folder)
    return org, lambda: load(only=["Big"])


def increment(load_from, folder) -> tuple[Org, Callable[[], object]]:
    org, load = generated(load_from, folder)
    load(only=["Big"])
    org.clock.advance(hours=2)
    edit_generated_rows(org, "Big", 1_000)
    return org, lambda: load(only=["Big"])


def idle(load_from, folder) -> tuple[Org, Callable[[], object]]:
    org = Org(quirks=Quirks())
    for number in range(10):
        name = f"M{number}"
        org.add_module(Module(name, [Field("Name", "text")], generated_type="custom"))
        org.insert(name, {"Name": "x"}, modified_time=OLD)
    load = load_from(org)
    load()
    org.clock.advance(hours=2)
    return org, load


JOBS = {"first load of 20,000 rows": first_load, "1,000 of 20,000 rows": increment, "idle, 10 modules": idle}


def check(job: str, counts: dict[str, int]) -> None:
    known = json.loads(BUDGET.read_text()) if BUDGET.exists() else {}
    if WRITES:
        BUDGET.write_text(json.dumps({**known, job: counts}, indent=1) + "\n")
        return
    over = {
        name: (count, known[job][name]) for name, count in counts.items() if count > known[job][name] * SLACK
    }
    assert over == {}, "more than the budget: (now, then)"
    under = {
        name: (count, known[job][name]) for name, count in counts.items() if count < known[job][name] / 2
    }
    assert under == {}, "less than half the budget, which should be written anew: (now, then)"


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.cases(2)
def test_a_run_takes_no_more_than_its_budget(job, load_from, tmp_path):
    org, run = JOBS[job](load_from, tmp_path)
    org.ledger.clear()
    with counted() as calls:
        done = run()
    assert done.exit_code == 0
    api = [call for call in org.ledger.calls() if call.path.startswith("/crm/")]
    check(job, {"calls of the API": len(api), "credits": org.ledger.credits, "calls of ours": calls[0]})


WRITE = """
import sys
from pathlib import Path
import pyarrow as pa
from simulators.zoho_crm import Org
from simulators.zoho_crm.bulk_read.jobs import dialect_of
from simulators.zoho_crm.generated import add_generated_module
from sources.zoho_crm.extract.bulk_read.archive import read_archive
from sources.zoho_crm.models import Field
from sources.zoho_crm.transform.naming import name_columns
from sources.zoho_crm.transform.parquet_writer import write_parquet
folder, columns = Path(sys.argv[1]), int(sys.argv[2])
module = add_generated_module(Org(), "Big", rows=50_000, columns=columns, folder=folder)
fields = [Field(f.api_name, f.data_type) for f in module.fields]
names = [f.api_name for f in fields if f.api_name != "id"]
archive = module.generated.archive(names, (0, 50_000), "Id", dialect_of(Org()))
written = write_parquet(read_archive(archive, name_columns(fields, {}), 50_000), folder / "big.parquet")
assert written.rows == 50_000
print(pa.default_memory_pool().max_memory() >> 20, written.path.stat().st_size >> 20)
"""


@pytest.mark.parametrize("columns", [40, 200])
@pytest.mark.cases(1)
def test_an_archive_is_converted_in_bounded_memory(columns, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(tmp_path), str(columns)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    memory, size = map(int, done.stdout.split()[-2:])
    check(f"archive of 50,000 rows x {columns}", {"Arrow's memory, MB": memory, "Parquet, MB": size})
