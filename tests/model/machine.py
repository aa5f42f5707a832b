"""A company that changes at random, and a pipeline that has to follow it whatever befalls a run."""

from __future__ import annotations

import shutil
import threading
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from simulators.zoho_crm import serve
from simulators.zoho_crm.faults import Faults
from sources.zoho_crm.config import SyncConfig
from tests.conftest import SimulatedTime
from tests.support.reading import after_call

from .changes import PICK, Changes
from .company import PLAIN, ZONES, company
from .compare import differences
from .killing import run_and_kill
from .steps import DATA, step, steps_of
from .target import Target, exit_code_of
from .world import World

WISHES = ("", "ReadAPI=Bulk", "ReadAPI=COQL", "ReadAPI=REST")
POLICIES = (
    SyncConfig(),
    SyncConfig(),
    SyncConfig(),
    SyncConfig(deletes="soft"),
    SyncConfig(history=frozenset({"Leads", "Quotes", "Quote_Lines", "Notes"})),
    SyncConfig(history=None),
)
LIST, COQL = "GET /crm/v8/{module}", "POST /crm/v8/coql"
CREATE, RESULT = "POST /crm/bulk/v8/read", "GET /crm/bulk/v8/read/{job_id}/result"
FAULTY = (
    "POST /oauth/v2/token",
    "GET /crm/v8/settings/modules",
    "GET /crm/v8/settings/fields",
    "GET /crm/v8/users",
    LIST,
    LIST,
    "GET /crm/v8/{module}/actions/count",
    "GET /crm/v8/{module}/deleted",
    COQL,
    CREATE,
    "GET /crm/bulk/v8/read/{job_id}",
    RESULT,
)
KINDS: tuple[dict[str, Any], ...] = (
    {"status": 500},
    {"status": 429},
    {"html": True},
    {"reset": True},
    {"empty": True},
    {"truncate_json": True},
    {"cut_after": 30},
    {"status": 401, "body": {"code": "INVALID_TOKEN", "message": "invalid oauth token", "status": "error"}},
)


class Company(Changes):
    """The steps of `Changes` and those of runs; `folder` is where its files lie."""

    folder = Path()
    again = ""
    """The settings that repeat what this machine does."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.place = Path(mkdtemp(dir=self.folder))
        self.targets: list[Target] = []

    @initialize(
        seed=st.integers(0, 1 << 16),
        zone=st.sampled_from(ZONES),
        preferred_api=st.sampled_from(WISHES),
        policy=st.sampled_from(POLICIES),
        data=st.data(),
    )
    def begin(self, seed: int, zone: str, preferred_api: str, policy: SyncConfig, data: Any) -> None:
        self.policy = policy
        org = company(seed, zone)
        self.world = World(org)
        for module in PLAIN:
            for _ in range(2):
                self.insert(module, data, 0, 1)
        zoho = self.stack.enter_context(serve(org))
        string = f"{zoho.connection_string.rstrip('; ')};OAuthSettingsLocation=memory://"
        self.connection_string = f"{string};{preferred_api}"
        note(f"again: {self.again}")
        note(f"switches: {org.quirks}")
        self._add_target("zoho_crm", "zoho", "crm.duckdb")
        if data.draw(st.sampled_from([True, True, True, False])):
            self._good_run(self.targets[0])

    @rule(changes=st.integers(3, 24), data=st.data())
    def live(self, changes: int, data: Any) -> None:
        for _ in range(changes):
            self.do_one(CHANGES, data)
        self.do_one(RUNS, data)

    def teardown(self) -> None:
        self.stack.close()
        shutil.rmtree(self.place, ignore_errors=True)

    # -- runs

    @step(14)
    def run(self) -> None:
        self._good_run(self.targets[0])

    @step(3, seconds=st.sampled_from([0, 1, 601]))
    def run_twice(self, seconds: int) -> None:
        """Excuses do not hold for what was right before, so the second run changes nothing that is right."""
        self._good_run(self.targets[0])
        self.world.org.clock.advance(seconds=seconds)
        self._good_run(self.targets[0])

    @step(3)
    def run_at_once(self) -> None:
        """Lists may show the last changes only after a while; the look-back of a later run finds them."""
        target = self.targets[0]
        code = self._run(target, hasty=True)
        assert code == 0, self.told
        target.tables()  # no id is there twice
        target.fresh = False

    @step(4, deleted=PICK, data=DATA)
    def run_after_a_week(self, deleted: int, data: Any) -> None:
        """What no reader sees at once, a week shows."""
        self.delete(deleted, False)
        self.world.org.clock.advance(minutes=11)  # no look-back brings by chance what is hidden
        self._good_run(self.targets[0])
        self.restore(deleted)
        for _ in range(3):
            self.do_one(HIDDEN, data)
        self._good_run(self.targets[0])
        self.world.org.clock.advance(days=7, seconds=60)
        self._good_run(self.targets[0])

    @step(1, days=st.sampled_from([61, 70, 125]))
    def run_after_months(self, days: int) -> None:
        """Longer than the feed of deletions remembers."""
        self.world.org.clock.advance(days=days)
        self._good_run(self.targets[0])

    @step(6, route=st.sampled_from(FAULTY), kind=st.sampled_from(KINDS), nth=st.integers(1, 4), data=DATA)
    def run_badly(self, route: str, kind: dict[str, Any], nth: int, data: Any) -> None:
        """Answers are spoilt: once, a few times, or for good."""
        times = data.draw(st.sampled_from([1, 2, 3, 999]))
        if route == RESULT and data.draw(st.booleans()):
            kind = {"corrupt_zip": data.draw(st.sampled_from(["truncated", "not_zip", "missing_row"]))}
        target = self.targets[0]
        self.world.org.faults.add(route, nth=nth, times=times, **kind)
        try:
            code = self._run(target)
        finally:
            self.world.org.faults = Faults()
        note(f"ended with {code}")
        assert code in (0, 1, 3), code
        self._look(target, whole=code == 0)

    @step(6, moment=st.integers(1, 90), again=st.booleans())
    def run_killed(self, moment: int, again: bool) -> None:
        """As by kill -9, at a call, a commit, or between two packages."""
        target = self.targets[0]
        self._before(target)
        code = run_and_kill(
            self.world.org,
            lambda retry_policy: target.run(self.connection_string, retry_policy).exit_code,
            moment,
        )
        note("killed" if code is None else f"was over before, with {code}")
        assert code in (None, 0), code
        self._look(target, whole=code == 0)
        if again:
            self._good_run(target)

    @step(
        4,
        route=st.sampled_from([LIST, COQL, RESULT, "GET /crm/v8/settings/fields"]),
        nth=st.integers(1, 9),
        data=DATA,
    )
    def run_amid_changes(self, route: str, nth: int, data: Any) -> None:
        """Records change while they are read; the run after this one has them all."""
        change = data.draw(st.sampled_from([self._edit_all, self._insert_some, self._delete_some]))
        target, org = self.targets[0], self.world.org
        after_call(org, route, nth, change)
        try:
            code = self._run(target, hasty=True)
        finally:
            del org.ledger.add  # type: ignore[method-assign]
        assert code == 0, self.told
        target.tables()  # no id is there twice
        target.fresh = False
        self._good_run(target)

    @step(3)
    def run_elsewhere(self) -> None:
        """A second pipeline: another file, or another dataset of the same one."""
        if len(self.targets) == 1:
            same = self.world.org.quirks.gzip
            self._add_target("second", "other" if same else "zoho", "crm.duckdb" if same else "second.duckdb")
        self._good_run(self.targets[1])

    @step(2)
    def run_on_a_new_machine(self) -> None:
        """What the pipeline knows comes back from the destination."""
        self.targets[0].lose_machine()
        self._good_run(self.targets[0])

    @step(1)
    def run_into_nothing(self) -> None:
        """Somebody has deleted the database; the state on this machine says that it is full."""
        for target in self.targets:
            if target.database == self.targets[0].database:
                target.lose_destination()
        self._good_run(self.targets[0])

    # -- inside

    def _add_target(self, name: str, dataset: str, file: str) -> None:
        place = self.place / file
        self.targets.append(Target(self.world.org, self.place, place, self.policy, name, dataset))

    def _before(self, target: Target, *, hasty: bool = False) -> None:
        if not hasty:
            # A window ends before the second in which its run began.
            self.world.org.clock.advance(seconds=1 + self.world.org.quirks.list_lag_seconds)
        self.began = self.world.now()
        with target.opened():
            target.before = target.tables()

    def _run(self, target: Target, *, hasty: bool = False) -> int:
        """One run; what it could not do is in `told`. A hasty one is ahead of what windows and lists show."""
        self._before(target, hasty=hasty)
        self.told: list[Any] = []
        try:
            run = target.run(self.connection_string, SimulatedTime(self.world.org).retry_policy())
        except Exception as error:  # noqa: BLE001 - exit_code_of raises what the command line would
            self.told = [str(error)]
            return exit_code_of(error)
        finally:
            self._wait_for_readers()
        self.told = [(r.name, r.error) for r in run.readings if r.error] + run.troubles
        return run.exit_code

    def _wait_for_readers(self) -> None:
        """A run that raised leaves threads behind, which a process would take with it."""
        for thread in threading.enumerate():
            if thread.name.startswith(("bulk", "other")):
                thread.join()

    def _good_run(self, target: Target) -> None:
        code = self._run(target)
        assert code == 0, self.told
        self._look(target, whole=True)

    def _look(self, target: Target, *, whole: bool) -> None:
        with target.opened():
            found = differences(self.world, target, self.began, whole=whole)
        assert not found, "\n".join(found)
        if whole:
            target.fresh, target.reshaped, target.good = False, self.world.reshaped, self.began

    # what happens in the middle of a run; without Hypothesis, which is not for other threads

    def _edit_all(self) -> None:
        with self.world.changing():
            for module, id in self.world.ids(*PLAIN):
                self.world.org.edit(module, id, Title="amid a run")

    def _insert_some(self) -> None:
        with self.world.changing():
            for module in PLAIN:
                self.world.org.insert(module, {"Title": "amid a run"})

    def _delete_some(self) -> None:
        with self.world.changing():
            for module in PLAIN:
                for record in self.world.org.records(module)[:1]:
                    self.world.org.delete(module, record.id)


CHANGES, RUNS = steps_of(Changes), steps_of(Company)
HIDDEN = [
    one
    for one in CHANGES
    if one.name in ("set_computed", "rename_picklist_value", "merge", "unlink", "delete_note", "restore")
]
