"""What all tests share: an environment of their own, a small org, and a run into a temporary DuckDB."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"  # before dlt is imported: tests call loopback only

from tests.support.temporary import in_memory

if (memory := in_memory()) is not None:  # a third of a run's time is the disk's
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory)

import dlt
import duckdb
import pytest
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from hypothesis import settings

pytest.register_assert_rewrite("tests.support.syncing")

from pipelines.zoho_crm.run.pipeline import open_pipeline
from pipelines.zoho_crm.run.progress import Progress
from pipelines.zoho_crm.run.run_result import RunResult
from pipelines.zoho_crm.run.runner import sync
from simulators.zoho_crm import Org, serve
from sources.zoho_crm.auth.credentials import ZohoCredentials, _warn_once, resolve_credentials
from sources.zoho_crm.client.client import ZohoClient, connect
from sources.zoho_crm.client.throttling import RetryPolicy, _warn_of_silence
from sources.zoho_crm.config import ModuleSelection, SyncConfig
from sources.zoho_crm.discovery.account_tables import source_tables
from sources.zoho_crm.redaction import forget_secrets
from tests.support import browsing
from tests.support.quicker import (
    copy_quickly,
    forget_pandas,
    look_often,
    remember_capabilities,
    remember_hints,
    remember_type_hints,
    trace_quickly,
)

remember_hints()
remember_capabilities()
remember_type_hints()
copy_quickly()
trace_quickly()
forget_pandas()
look_often()

gc.set_threshold(50_000)  # as the command does: a tenth of the time of a small run
LONG = os.environ.get("ZOHO_TESTS") == "long"  # what `make test-long` sets
LIVE = bool(os.environ.get("ZOHO_LIVE"))  # the connection string of a real account

# The same examples on every machine, and no clock that a busy one fails by.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")


@pytest.fixture(autouse=True)
def nothing_said_yet() -> None:
    """A warning that is given once a process is given once a test; a secret is one in its own test."""
    _warn_once.cache_clear()
    _warn_of_silence.cache_clear()
    forget_secrets()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a browser its tests are deselected, without `make test-long` the long ones, without ZOHO_LIVE the live ones."""
    if left_out := browsing.leave_out(items):
        config.hook.pytest_deselected(items=left_out)
    if not LONG and (long := [item for item in items if item.get_closest_marker("long")]):
        items[:] = [item for item in items if item not in set(long)]
        config.hook.pytest_deselected(items=long)
    if not LIVE and (live := [item for item in items if item.get_closest_marker("live")]):
        items[:] = [item for item in items if item not in set(live)]
        config.hook.pytest_deselected(items=live)
    if not LONG and (more := _cases_for_later(items)):
        items[:] = [item for item in items if item not in more]
        config.hook.pytest_deselected(items=list(more))


def pytest_xdist_auto_num_workers() -> int:
    """Tests wait for processes and files a tenth of the time: three of them keep two cores busy."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


def _cases_for_later(items: list[pytest.Item]) -> set[pytest.Item]:
    """Of tests marked `cases(n)` all but n of their cases, evenly spread: the first stays, and the last of several."""
    of_test: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("cases"):
            of_test.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out: set[pytest.Item] = set()
    for cases in of_test.values():
        mark = cases[0].get_closest_marker("cases")
        assert mark is not None
        keep = min(mark.args[0], len(cases))
        kept = {round(n * (len(cases) - 1) / max(keep - 1, 1)) for n in range(keep)}
        left_out.update(case for n, case in enumerate(cases) if n not in kept)
    return left_out


def pytest_terminal_summary(terminalreporter: Any) -> None:
    tried = [dict(report.user_properties) for report in terminalreporter.getreports("passed")]
    if faults := sum(properties.get("faults_tried", 0) for properties in tried):
        terminalreporter.write_line(f"Faults x calls tried: {faults:,}")
    if not (browsing.REQUIRED or browsing.find_browser()):
        terminalreporter.write_line(f"Left out: {browsing.MISSING}")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting, cache or folder of the person who runs the tests."""
    for name in [n for n in os.environ if n.startswith(("SOURCES__", "DESTINATION__", "LOAD__", "ZOHO"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))


@pytest.fixture(autouse=True)
def no_active_pipeline() -> Iterator[None]:
    """dlt keeps the latest pipeline of a thread active; its folder goes with the test."""
    yield
    Container()[PipelineContext].deactivate()


class SimulatedTime:
    """Time that passes only by waiting; the org's clock goes along."""

    def __init__(self, org: Org) -> None:
        self._org, self._now, self._lock = org, 0.0, threading.Lock()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds
            self._org.clock.advance(seconds=seconds)

    def monotonic(self) -> float:
        with self._lock:
            return self._now

    def retry_policy(self, **changes: Any) -> RetryPolicy:
        settings = {"sleep": self.sleep, "monotonic": self.monotonic, "backoff": 0, **changes}
        return RetryPolicy(**settings)


def wait_in_simulated_time(monkeypatch: pytest.MonkeyPatch, org: Org) -> None:
    """For commands and scripts that make their client themselves: their pauses take no time."""
    time = SimulatedTime(org)
    for place in ("sources.zoho_crm.client.client", "sources.zoho_crm.client.throttling"):
        monkeypatch.setattr(f"{place}.RetryPolicy", time.retry_policy)


@dataclass
class Loader:
    """Runs the pipeline against an org and shows what landed."""

    org: Org
    connection_string: str
    folder: Path
    destination: Any = None
    name: str = "zoho_crm"
    dataset: str = "zoho"
    retry_policy: dict[str, Any] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    whole_account: bool = True  # also users, org, layouts, ...: nearly half of a small run's time
    run: RunResult | None = None
    pipeline: dlt.Pipeline | None = None
    opened: Any = None

    def credentials(self, settings: str = "") -> ZohoCredentials:
        return resolve_credentials(f"{self.connection_string};OAuthSettingsLocation=memory://;{settings}")

    def client(self, settings: str = "") -> ZohoClient:
        return connect(self.credentials(settings), SimulatedTime(self.org).retry_policy(**self.retry_policy))

    def __call__(self, settings: str = "", max_credits: int | None = None, **choice: Any) -> RunResult:
        """One run; `settings` is appended to the connection string.

        `choice` is only=, never= and refresh=; all other names are of `Policy`.
        """
        client = self.client(settings)
        client.context.max_credits = max_credits
        destination = self.destination or dlt.destinations.duckdb(str(self._keep_open()))
        self.pipeline = open_pipeline(
            self.name, destination, self.dataset, str(self.folder / "p"), Progress()
        )
        if not self.whole_account and not choice.get("only"):
            ours = {*source_tables(self.credentials(settings).zoho)} - {"deleted_records", "rejected_values"}
            choice["never"] = {*ours, *choice.get("never", ())}
        chosen = _choice(choice)
        self.run = sync(self.pipeline, client, chosen, self.credentials(settings).api, self.progress)
        return self.run

    def _keep_open(self) -> Path:
        """DuckDB's file, which takes a third of a run's time to open again and again."""
        file = self.folder / "crm.duckdb"
        if self.opened is None and file.exists():
            self.opened = duckdb.connect(str(file))
        return file

    def let_go(self) -> None:
        """Before somebody else touches the file."""
        if self.opened is not None:
            self.opened.close()
            self.opened = None

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        assert self.pipeline is not None
        with self.pipeline.sql_client() as sql:
            return [tuple(row) for row in sql.execute_sql(query) or []]

    def reading(self, name: str) -> Any:
        assert self.run is not None
        return next(r for r in self.run.readings if r.name == name)


def _choice(wanted: dict[str, Any]) -> ModuleSelection:
    names = {key: frozenset(wanted.pop(key, ())) for key in ("only", "never")}
    return ModuleSelection(**names, refresh=wanted.pop("refresh", False), policy=SyncConfig(**wanted))


def _wants_whole_account(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("whole_account") is not None


@pytest.fixture
def org() -> Org:
    return Org()


@pytest.fixture
def load(org: Org, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Loader]:
    with serve(org) as zoho:
        loader = Loader(org, zoho.connection_string.rstrip("; "), tmp_path)
        loader.whole_account = _wants_whole_account(request)
        yield loader
        loader.let_go()


@pytest.fixture
def load_from(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[Org], Loader]]:
    """For tests that bring an org of their own."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        count = 0

        def loader(org: Org) -> Loader:
            nonlocal count
            count += 1
            zoho = stack.enter_context(serve(org))
            folder = tmp_path / str(count)
            folder.mkdir()
            made = Loader(org, zoho.connection_string.rstrip("; "), folder)
            made.whole_account = _wants_whole_account(request)
            stack.callback(made.let_go)
            return made

        yield loader
