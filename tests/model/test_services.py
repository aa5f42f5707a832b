"""Desk, Books and Recruit change at random, runs fail at random; after each good run the tables equal the account."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, Phase, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from simulators.zoho_crm import Org
from simulators.zoho_suite import Suite, serve
from sources.zoho_api import service
from sources.zoho_crm.exceptions import ZohoCrmError
from tests.support.connecting import BOOKS_LISTS, Connecting, assert_equal, key_of, truth_of
from tests.support.reading import after_call

LONG = os.environ.get("ZOHO_TESTS") == "long"
STEPS = int(os.environ.get("ZOHO_MODEL_STEPS", "25" if LONG else "5"))
SHARDS = int(os.environ.get("ZOHO_MODEL_SHARDS", "1"))
FIRST_SEED = int(os.environ.get("ZOHO_MODEL_SEED", "0"))
# Of each connector a table that lists its changes, and one that is read whole.
TABLES = {"desk": ("tickets", "agents"), "books": ("invoices", "items"), "recruit": ("candidates",)}
KINDS = {"tickets": "tickets", "agents": "agents", "candidates": "Candidates", **BOOKS_LISTS}
TEXT = {
    "tickets": "subject",
    "agents": "name",
    "invoices": "reference_number",
    "items": "name",
    "candidates": "City",
}
ROUTES = {
    "desk": ("GET /api/v1/tickets/search", "GET /api/v1/agents", "GET /api/v1/organizations"),
    "books": ("GET /books/v3/invoices", "GET /books/v3/items", "GET /books/v3/organizations"),
    "recruit": (
        "GET /recruit/v2/{module}",
        "GET /recruit/v2/{module}/deleted",
        "GET /recruit/v2/settings/modules",
    ),
}
FAULTS = (
    {"status": 500},
    {"status": 429},
    {"html": True},
    {"reset": True},
    {"truncate_json": True},
    {"cut_after": 30},
)
PLACES = [(connector, table) for connector, tables in TABLES.items() for table in tables]
CONNECTORS = st.sampled_from(list(TABLES))
TEXTS = st.sampled_from(["", "a;b", "007", "Zoë\n", "2026-01-01", "x" * 300, None])


class Account(RuleBasedStateMachine):
    """Each step is a handful of changes and a run."""

    folder = Path()

    def __init__(self):
        super().__init__()
        service._authenticators.clear()
        self.stack = ExitStack()
        self.place = Path(mkdtemp(dir=self.folder))
        self.suite = Suite(Org())
        zoho = self.stack.enter_context(serve(self.suite))
        self.read = Connecting(self.suite, zoho.connection_string, self.place)
        self.unseen: dict[str, set[str]] = {table: set() for _, table in PLACES}
        """Deleted rows that a table may show until it is read whole."""
        self.loaded: set[str] = set()

    @initialize(starts_at=st.sampled_from([0, 1]), nothing=st.sampled_from([304, 204]), since=st.booleans())
    def begin(self, starts_at, nothing, since):
        self.suite.desk.quirks.list_starts_at = starts_at
        self.suite.recruit.quirks.nothing_new_status = nothing
        self.suite.recruit.quirks.since_inclusive = since
        at = self.suite.clock.now() - timedelta(days=9)
        for connector, table in PLACES:
            for number in range(230):
                when = at + timedelta(seconds=number // 3)
                getattr(self.suite, connector).insert(KINDS[table], {}, modified_time=when)

    def teardown(self):
        self.read.let_go()
        self.stack.close()
        shutil.rmtree(self.place, ignore_errors=True)

    @rule(
        connector=CONNECTORS,
        changes=st.lists(
            st.tuples(st.sampled_from("iied"), st.integers(0, 1 << 16), TEXTS, st.integers(0, 1)), max_size=12
        ),
        seconds=st.sampled_from([0, 1, 61, 601, 90_000, 700_000]),
        how=st.sampled_from(["good", "good", "full", "fault", "amid", "dropped", "twice"]),
        pick=st.integers(0, 1 << 16),
    )
    def work(self, connector, changes, seconds, how, pick):
        note(f"{connector} {how}")
        for change in changes:
            self._change(connector, *change)
        self.suite.clock.advance(seconds=seconds)
        getattr(self, f"_run_{how}")(connector, pick)

    # -- changes

    def _change(self, connector, kind, pick, text, which):
        held = getattr(self.suite, connector)
        table = TABLES[connector][which % len(TABLES[connector])]
        rows = held.rows(KINDS[table])
        if kind == "i" or not rows:
            held.insert(KINDS[table], {TEXT[table]: text})
            return
        row = rows[pick % len(rows)]
        if kind == "e":
            held.edit(KINDS[table], row.id, **{TEXT[table]: text})
        else:
            held.delete(KINDS[table], row.id)
            if connector != "recruit":  # which lists its deletions
                self.unseen[table].add(row.id)

    # -- runs

    def _run_good(self, connector, pick=0):
        self._look(connector, self.read.good(connector, *TABLES[connector]))

    def _run_full(self, connector, pick):
        run = self.read.good(connector, *TABLES[connector], full=True)
        assert all(one.reason.startswith("read whole") for one in run.readings)
        self._look(connector, run)

    def _run_twice(self, connector, pick):
        self._run_good(connector)
        self._run_good(connector)

    def _run_fault(self, connector, pick):
        routes = ROUTES[connector]
        fault = FAULTS[pick % len(FAULTS)]
        self.suite.crm.faults.add(
            routes[pick // 7 % len(routes)],
            nth=1 + pick // 31 % 3,
            times=(1, 3, 999)[pick // 97 % 3],
            **fault,
        )
        try:
            run = self.read(connector, *TABLES[connector])
            assert run.exit_code in (0, 1, 3)
        except (OSError, ValueError, ZohoCrmError) as error:  # no organisation, no modules: in one sentence
            assert "\n" not in str(error)
        finally:
            self.suite.crm.faults._faults.clear()
        self._run_good(connector)

    def _run_amid(self, connector, pick):
        """Rows change while they are read; those that were there before and still are do not get lost."""
        table = TABLES[connector][0]
        held = getattr(self.suite, connector)
        before = {row.id for row in held.rows(KINDS[table])}
        after_call(
            self.suite,
            ROUTES[connector][0],
            1 + pick % 2,
            lambda: self._change(connector, "ied"[pick % 3], pick, "amid", 0),
        )
        try:
            self.read.good(connector, table)
        finally:
            del self.suite.ledger.add
        key = key_of(connector, table)
        found = [row[key] for row in self.read.rows(connector, table)]
        assert len(found) == len(set(found))
        assert before & {row.id for row in held.rows(KINDS[table])} <= set(found)
        self._run_good(connector)

    def _run_dropped(self, connector, pick):
        table = TABLES[connector][0]
        with self.read.database() as database:
            database.sql(f"drop table if exists zoho_{connector}.{table}")
        self._run_good(connector)

    def _look(self, connector, run):
        for reading in run.readings:
            table = reading.name
            if reading.reason.startswith("read whole"):
                self.unseen[table].clear()
            key = key_of(connector, table)
            truth = truth_of(self.suite, connector, table)
            gone = {row[key] for row in self.read.rows(connector, table)} & self.unseen[table]
            with self.read.database() as database:
                for id in gone:  # it may be there, and no more
                    database.sql(f"delete from zoho_{connector}.{table} where {key} = '{id}'")
            assert_equal(self.read, connector, table, truth, key)


@pytest.mark.parametrize("number", range(FIRST_SEED, FIRST_SEED + SHARDS))
def test_the_tables_equal_the_services_after_every_good_run(number, tmp_path):
    machine = seed(number)(type("Account", (Account,), {"folder": tmp_path}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=8 if LONG else 2,
            stateful_step_count=STEPS,
            phases=(Phase.generate,),
            database=None,
            derandomize=False,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
