"""One run of the source: every selected table is read, and what follows from the changes, before dlt takes a row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from ..client.client import ZohoClient
from ..client.job_journal import Journal
from ..client.progress import ProgressListener
from ..config import ModuleSelection
from ..discovery.catalog import Catalog, PreviousState
from ..exceptions import CreditBudgetExceeded, ExtractError, SettingsError, ZohoCrmError
from ..extract.deletions import Deletion
from ..extract.extractor import ExtractResult, ids_of, read_module, require_file
from ..extract.id_comparison import confirm_deleted, cost_by_id, fetch, whole
from ..extract.probe import discover, with_api
from ..extract.record_count import read_count
from ..extract.related_rows import (
    ChangedParents,
    RelatedRowChanges,
    Relationship,
    follow,
    links,
    links_not_asked,
)
from ..models import MODIFIED_TIME, PreferredApi
from ..planning.plan import Plan
from ..planning.sync_mode import with_window
from ..state import MOST_DELETED, ModuleState, RecentlyDeleted
from ..transform.parquet_writer import ParquetFile, groups_of, without_rows, write_parquet
from .deleted_records import DELETED_RECORDS
from .rejected_values import split_rejected
from .restored_records import deleted_lately, restored
from .tables import Table, account_tables, metadata_tables, module_tables, not_due, read_in_parallel
from .warehouse import Warehouse

ORG = "org"  # the table about the account itself
UNTRACED = "untraced"  # the type of a deletion that Zoho's list did not name
# More rows than these may not be seen because somebody took a permission from the token's user.
MANY, SHARE = 1_000, 5


class TooManyRowsMissing(ExtractError):
    """Zoho no longer shows so many records that losing a permission is likelier than deleting them."""


@dataclass
class Changed:
    """What a module's reading means for the rows of other modules."""

    parents: ChangedParents = field(default_factory=ChangedParents)
    unknown: bool = False  # it was read whole, and any of its records may have changed
    lost: bool = False  # nothing is known of how it was before, deletions neither


@dataclass
class Extraction:
    """Reads the tables of one run. `readings` has one reading a table, each with a file or an error.

    Args:
        client: Its requests are the run's.
        choice: Which modules and tables, and the policy of the sync.
        preferred_api: The API that the user asked for, or `auto`.
        memory: What earlier runs left in dlt's state, and which tables the destination has.
        warehouse: The destination's rows; only read.
        folder: Where files lie until dlt has taken them.
    """

    client: ZohoClient
    choice: ModuleSelection
    preferred_api: PreferredApi
    memory: PreviousState
    warehouse: Warehouse
    folder: Path
    journal: Path | None = None  # the folder whose file remembers Bulk Read jobs until their rows have landed
    watcher: ProgressListener = field(default_factory=ProgressListener)
    rewrite: bool = False  # write tables, too, that seem to hold the same rows already
    readings: dict[str, ExtractResult] = field(default_factory=dict)
    deleted: dict[str, RecentlyDeleted] = field(default_factory=dict)  # by module, before this run
    found: Catalog = field(init=False)
    _links: list[Relationship] = field(default_factory=list)
    _changed: dict[str, Changed] = field(default_factory=dict)
    _more: dict[str, list[ParquetFile]] = field(default_factory=dict)  # rows that were read later in this run
    _full_refresh_causes: dict[str, str] = field(
        default_factory=dict
    )  # why a module is to be read whole after all
    _row_counts: dict[str, int | None] = field(default_factory=dict)  # of tables that were counted

    def run(self) -> None:
        """Ask what the account offers, and read it. A table that fails keeps its error, and the others go on."""
        found = discover(self.client, self.choice, self.preferred_api, self.memory)
        found = replace(found, plans=[self._enforce_privacy_rules(plan) for plan in found.plans])
        self.read(found, [*module_tables(self.client, found), *account_tables(self.client, found)])
        self.describe()

    def _enforce_privacy_rules(self, plan: Plan) -> Plan:
        """The plan; of the whole module where a new rule of privacy forbids values that its table holds.

        Raises SettingsError where the table keeps them: the command empties their columns first.
        """
        known = plan.synced
        if known is None or not self._exists(plan) or not plan.new_private:
            return plan
        if known.keeps != "hard":
            raise SettingsError(
                f"{plan.module.api_name}: its privacy rules are new and its table keeps older rows: run the"
                " command once, which takes the values out of them"
            )
        if plan.is_full_refresh:
            return plan
        return self._whole(plan, "its privacy rules are new")

    def _whole(self, plan: Plan, why: str) -> Plan:
        """The plan of changes as one of the whole module."""
        again = whole(plan, self._row_count(plan), self.preferred_api)
        return replace(again, synced=plan.synced, reason=f"{why}: {again.reason}")

    def _row_count(self, plan: Plan) -> int | None:
        """The live rows of a module's table before this run, counted once; None if there is no table."""
        if plan.table not in self._row_counts:
            self._row_counts[plan.table] = self.warehouse.count([plan.table]).get(plan.table)
        return self._row_counts[plan.table]

    def read(self, found: Catalog, tables: Sequence[Table]) -> None:
        """Read these tables of what was found, in this order, and what follows from the changes of modules."""
        self.found = found
        self.rewrite = self.rewrite or found.choice.refresh
        listed = {m.api_name: m for m in self.found.modules}
        not_asked = links_not_asked(self.found.fields, listed, self.memory.synced)
        self._links = [*links(self.found.fields, listed), *not_asked]
        self.client.context.temp_dir = self.folder
        self.client.context.journal = self._open_journal()
        for reading in self.read_tables(tables):
            self.readings[reading.name] = reading
        with self.warehouse.open_connection():
            self._check_account()
            for reading in self.modules():
                self.readings[reading.name] = self._catch_up(reading)
            for reading in self.modules():
                self._settle(reading)
            self._add_restored_records()
            self._follow(self._changed)
            self._read_whole_again()
            for reading in self.modules():
                self._finish(reading)
        for reading in self.readings.values():
            if reading.plan is None and reading.status == "read":
                self._reject(reading)
        self._report_unknown_deletions()

    def _check_account(self) -> None:
        """Raises SettingsError if the destination holds another account's rows, as far as the table `org` says so."""
        reading = self.readings.get(ORG)
        if reading is None or reading.status != "read":
            return
        if "zgid" not in self.warehouse.tables([ORG]).get(ORG, ()):
            return
        file = require_file(reading).path
        if "zgid" not in pq.read_schema(file).names:  # a privacy rule has dropped it
            return
        before = pq.read_table(self.warehouse.read(ORG, ["zgid"]))["zgid"].to_pylist()
        now = pq.read_table(file, columns=["zgid"])["zgid"].to_pylist()
        plain = all(str(id).isdecimal() for id in (*before, *now))  # not masked or hashed by a privacy rule
        if plain and before and not set(before) & set(now):
            raise SettingsError(
                f"the destination holds the rows of another account: its table org names the organisation"
                f" {', '.join(map(str, before))}, and this account is {', '.join(map(str, now))}. Load it into another"
                " dataset. Nothing was loaded"
            )

    def describe(self) -> None:
        """Make the tables about modules and fields, which tell what the readings have met."""
        refused = {r.name: refused_fields(r) for r in self.readings.values()}
        for table in metadata_tables(self.found, refused):
            reading = self.readings[table.name] = table.read(self.folder, self.watcher.watch(table))
            if reading.status == "read":
                self._reject(reading)
        self.readings.update((r.name, r) for r in not_due(self.found))

    # ---- reading

    def _open_journal(self) -> Journal | None:
        """The Bulk Read jobs that a killed run has paid for, but those whose rows have landed."""
        if self.journal is None:
            return None
        journal = Journal(self.journal)
        journal.tidy(self.found.until)
        for module, synced in self.memory.synced.items():
            journal.done(module, synced.until)
        return journal

    def read_tables(self, tables: Sequence[Table]) -> Iterator[ExtractResult]:
        return read_in_parallel(tables, self.folder, self.watcher, sequential=self.found.sequential)

    def modules(self) -> list[ExtractResult]:
        """The readings of modules that went well so far."""
        return [r for r in self.readings.values() if r.plan is not None and r.status == "read"]

    def _window(self, name: str) -> tuple[ExtractResult, Plan] | None:
        """The reading of a module's changes, and its plan, if it went well so far."""
        reading = self.readings.get(name)
        if (
            reading is None
            or reading.status != "read"
            or reading.plan is None
            or reading.plan.is_full_refresh
        ):
            return None
        return reading, reading.plan

    def _catch_up(self, reading: ExtractResult) -> ExtractResult:
        """The reading with what changed since the earlier run whose jobs it has used: its rows tell of that time.

        Where the list of deletions does not tell what went since then, the module is read again by jobs of this run.
        """
        plan = reading.plan
        assert plan is not None
        if not reading.notes.read_as_of or reading.synced is None:
            return reading
        later = with_window(replace(plan, synced=reading.synced), self.found.choice.policy)
        with _record_errors(reading):
            later = with_api(self.client.with_usage(reading.usage), later, self.preferred_api)
            more = read_module(self.client, later, self._subfolder("later"))
            if more.status == "read" and (more.gap or more.has_no_deletion_list):
                why = more.gap or "Zoho has no list of its deletions"
                return self._read_by_new_jobs(
                    reading, more, f"jobs of an earlier run are of no use, as {why}"
                )
            reading.merge_result(more)
            if more.status == "read":
                self._add_rows(reading, require_file(more))
                reading.gone.update(more.gone)
                reading.synced = more.synced
        return reading

    def _read_by_new_jobs(self, before: ExtractResult, more: ExtractResult, why: str) -> ExtractResult:
        plan, journal = before.plan, self.client.context.journal
        assert plan is not None
        if journal is not None:
            journal.done(before.name)
        again = read_module(self.client, replace(plan, reason=f"{plan.reason}; {why}"), self.folder)
        for earlier in (before, more):
            again.usage.calls += earlier.usage.calls
            again.usage.credits += earlier.usage.credits
        return again

    # ---- what a reading means for other modules

    def _settle(self, reading: ExtractResult) -> None:
        """Find out which records changed or went; of a whole reading, by the rows that the destination has."""
        plan = reading.plan
        assert plan is not None
        if not plan.is_full_refresh:
            is_parent = any(link.parent == reading.name for link in self._links)
            changed = self._ids(reading) if is_parent else frozenset[str]()
            self._changed[reading.name] = Changed(ChangedParents(frozenset(reading.gone), changed))
        elif plan.synced is not None and self._exists(plan):
            with _record_errors(reading):
                self._settle_whole(reading, plan, plan.synced)
        elif plan.synced is not None:  # somebody has dropped its table
            gone = frozenset(deletion.id for deletion in reading.deletions)
            self._changed[reading.name] = Changed(ChangedParents(gone), unknown=True)
        else:  # a first load, or one after what was known of it is lost
            self._changed[reading.name] = Changed(unknown=True, lost=True)

    def _settle_whole(self, reading: ExtractResult, plan: Plan, before: ModuleState) -> None:
        """Compare ids and versions with the destination's: rows that are gone leave it with the replacement.

        A record that no list shows and that is there by its id is added; nothing else proves that it is gone.
        """
        names = [n for n in (MODIFIED_TIME,) if plan.has(n) and plan.column(n).name in self._columns(plan)]
        columns = ["id", *(plan.column(name).name for name in names)]
        there = self.warehouse.read(plan.table, columns)
        now = [part.path for part in (require_file(reading), *self._more.get(reading.name, ()))]
        missing = ids_missing(there, now)
        same_rules = (before.filters, before.keeps) == (plan.filter_words, plan.keeps)
        if missing and same_rules and not self.choice.refresh and plan.module.has_own_records:
            missing -= self._hidden(reading, plan, missing, pq.read_metadata(there).num_rows)
        changed = frozenset[str]()
        if names and any(link.parent == reading.name for link in self._links):
            # A run that was killed may have loaded these rows already, and not those that belong to them.
            since = before.until - self.choice.policy.lookback
            changed = frozenset(ids_changed(there, now, columns[1], since))
        reading.deleted_rows = len(missing)
        gone = frozenset(missing | {deletion.id for deletion in reading.deletions})
        self._changed[reading.name] = Changed(ChangedParents(gone, changed), unknown=not names)

    def _hidden(self, reading: ExtractResult, plan: Plan, missing: set[str], rows: int) -> set[str]:
        """Those of the missing records that no list shows and that are there by their ids; the others are deletions."""
        untraced = sorted(missing - {deletion.id for deletion in reading.deletions})
        check_row_loss(reading, untraced, rows)
        gone = confirm_deleted(self.client.with_usage(reading.usage), reading.name, untraced, plan)
        hidden = set(untraced) - gone
        self._fetch(reading, hidden)
        self._remember_deleted(reading, plan, gone)
        return hidden

    def _remember_deleted(self, reading: ExtractResult, plan: Plan, gone: Iterable[str]) -> None:
        """Deletions that no list names, as far as none of the reading's own does."""
        at = plan.until or self.client.now()
        new = sorted(set(gone) - {deletion.id for deletion in reading.deletions})
        reading.deletions += tuple(Deletion(id, None, UNTRACED, at, None) for id in new)

    def _add_restored_records(self) -> None:
        """Records that an earlier run saw deleted and that are here again: restoring one moves no time of it."""
        if not self.warehouse.can_merge:
            return
        names = [reading.name for reading in self.modules()]
        self.deleted = deleted_lately(self.warehouse, self.memory.deleted, names, self.client.now())
        for name in (name for name in names if self._window(name)):
            reading, deleted = self.readings[name], self.deleted.get(name, RecentlyDeleted())
            plan = reading.plan
            assert plan is not None
            with _record_errors(reading):
                client = self.client.with_usage(reading.usage)
                new = restored(client, self.warehouse, reading, plan, deleted) - self._ids(reading)
                self._add_records(reading, plan, new)
                known = self._changed[name].parents
                self._changed[name].parents = ChangedParents(known.gone, known.changed | new)
                if deleted.dropped is not None and name not in self._full_refresh_causes:
                    self._doubt_restored(reading, plan)

    def _doubt_restored(self, reading: ExtractResult, plan: Plan) -> None:
        """Of records that were deleted lately and are not remembered one by one, the count tells whether any is back."""
        if plan.filters:  # the count knows no filter
            return
        why = f"more than {MOST_DELETED:,} records were deleted lately, and one of them may be back"
        client = self.client.with_usage(reading.usage)
        count = read_count(client, reading.name, partly=plan.counts_partly)
        if count is None:
            self._full_refresh_causes[reading.name] = f"{why}, and Zoho gives no count"
        elif count.records - self._rows_after(reading, plan) > reading.recent:
            self._full_refresh_causes[reading.name] = why

    def _follow(self, changed: Mapping[str, Changed]) -> None:
        """Rows that belong to records which changed or went: of subforms, links, notes, files, activities."""
        for (child, name), relationships in _by_child(self._links).items():
            window = self._window(child)
            if window is None:
                continue
            reading, plan = window
            touched = [(changed.get(link.parent, Changed()), link) for link in relationships]
            if any(one.lost or (one.unknown and link.edited) for one, link in touched):
                self._full_refresh_causes[child] = "its rows could not be asked by their parents"
            gone = frozenset[str]().union(*(one.parents.gone for one, _ in touched))
            edited = frozenset[str]().union(*(one.parents.changed for one, link in touched if link.edited))
            others = frozenset[str]().union(
                *(one.parents.changed for one, link in touched if not link.edited)
            )
            parents = ChangedParents(gone, edited | self._deleted_once(others))
            if parents.gone or parents.changed:
                with _record_errors(reading):
                    followed = self._rows_of(reading, plan, name, relationships, parents)
                    known = self._changed[child].parents
                    self._changed[child].parents = ChangedParents(
                        known.gone | followed.gone, known.changed | followed.missing
                    )

    def _rows_of(
        self,
        reading: ExtractResult,
        plan: Plan,
        name: str,
        relationships: Sequence[Relationship],
        parents: ChangedParents,
    ) -> RelatedRowChanges:
        """Bring and take away the rows of these parents."""
        if not plan.has(name):
            return RelatedRowChanges()
        if not self.client.may_use_coql or self._is_cheaper_whole(plan, len(parents.changed)):
            self._full_refresh_causes[reading.name] = "its rows could not be asked by their parents"
            parents = ChangedParents(parents.gone)
        columns = [plan.column(n).name for n in ("id", MODIFIED_TIME, name) if plan.has(n)]
        there = self.warehouse.read(
            plan.table, columns, ids=parents.gone | parents.changed, by=plan.column(name).name
        )
        followed = follow(self.client.with_usage(reading.usage), plan, relationships[0], parents, there)
        if not followed.asked:
            self._full_refresh_causes[reading.name] = "its rows could not be asked by their parents"
        self._add_records(reading, plan, (followed.missing | followed.stale) - self._ids(reading))
        gone = followed.gone - reading.gone.keys()
        at = plan.until or self.client.now()
        reading.gone.update(dict.fromkeys(gone, at))
        if plan.module.has_own_records:
            self._remember_deleted(reading, plan, gone)
        return followed

    def _add_records(self, reading: ExtractResult, plan: Plan, ids: frozenset[str]) -> None:
        """Add these rows, unless reading the whole module costs less."""
        if not ids:
            return
        if cost_by_id(plan, len(ids)).credits > self._credits_whole(plan):
            self._full_refresh_causes[reading.name] = (
                f"{len(ids):,} records to read again, which costs more by id"
            )
        else:
            self._fetch(reading, ids)

    def _is_cheaper_whole(self, plan: Plan, parents: int) -> bool:
        """Whether reading the module costs less than asking for the rows of so many parents."""
        return parents / self.client.context.coql_in_values > self._credits_whole(plan)

    def _credits_whole(self, plan: Plan) -> int:
        return whole(plan, self._row_count(plan) or 0, self.preferred_api).cost.credits

    def _deleted_once(self, ids: frozenset[str]) -> frozenset[str]:
        """Those that were deleted once and are here again: what belongs to them comes back with them."""
        known = frozenset[str]().union(*(deleted.days for deleted in self.deleted.values()))
        if not ids or all(deleted.dropped is None for deleted in self.deleted.values()):
            return ids & known
        if DELETED_RECORDS.table not in self.warehouse.tables([DELETED_RECORDS.table]):
            return ids  # any of them may be one that is not remembered
        path = self.warehouse.read(DELETED_RECORDS.table, ["id"], ids=ids)
        return ids & known | frozenset(pq.read_table(path)["id"].to_pylist())

    # ---- modules whose changes do not tell enough

    def _read_whole_again(self) -> None:
        """Read those modules whole of which the changes do not tell enough, and then what belongs to them."""
        due = []
        for reading in self.modules():
            plan = reading.plan
            assert plan is not None
            if plan.is_full_refresh or not self._exists(plan):
                continue
            with _record_errors(reading):
                why = self._full_refresh_causes.get(reading.name) or self._full_refresh_cause(reading, plan)
                if why:
                    again = self._whole(plan, why)
                    read = partial(read_module, self.client, again)
                    due.append(Table(reading.name, plan.table, plan.columns, read, again.cost.calls, again))
        again_changed: dict[str, Changed] = {}
        for came in self.read_tables(due):
            before = self.readings[came.name]
            self._more.pop(came.name, None)
            reading = self._catch_up(came) if came.status == "read" else came
            self._take_over(reading, before)
            self.readings[reading.name] = reading
            if reading.status == "read":
                self._settle(reading)
                again_changed[reading.name] = self._changed.get(reading.name, Changed(unknown=True))
        if again_changed:
            self._full_refresh_causes = {}
            self._follow(again_changed)
            if self._full_refresh_causes:
                self._read_whole_again()

    def _take_over(self, reading: ExtractResult, before: ExtractResult) -> None:
        """What the reading of the changes has cost and learned belongs to the table, too."""
        reading.usage.calls += before.usage.calls
        reading.usage.credits += before.usage.credits
        reading.crm_count = before.crm_count
        known = {deletion.id for deletion in reading.deletions}
        reading.deletions += tuple(one for one in before.deletions if one.id not in known)
        reading.gap = reading.gap or before.gap
        reading.refused, reading.has_no_deletion_list = before.refused, before.has_no_deletion_list

    def _full_refresh_cause(self, reading: ExtractResult, plan: Plan) -> str | None:
        """Why the changes may not be all: a list of deletions that is cut, refused, or that Zoho has not.

        Or rows that come and go with records of modules that are not read in this run.
        """
        alone = self._has_unselected_parent(reading.name)
        if not reading.has_no_deletion_list and (reading.gap or not alone):
            return reading.gap
        if not alone and not plan.module.has_own_records:  # they come and go with theirs
            return None
        none = "what its rows hang on is not read" if alone else "Zoho has no list of its deletions"
        if plan.filters:
            return f"{none}, and a filter leaves rows out that it counts"
        client = self.client.with_usage(reading.usage)
        try:
            count = read_count(client, reading.name, partly=plan.counts_partly)
        except CreditBudgetExceeded:
            raise
        except ZohoCrmError:
            count = None
        if count is None:
            return f"{none}, and it gives no count"
        reading.crm_count = count.records
        rows = self._rows_after(reading, plan)
        if abs(rows - count.records) > reading.recent:
            return f"{none}, and Zoho counts {count.records:,} for {rows:,} rows"
        return None

    def _has_unselected_parent(self, name: str) -> bool:
        """Whether rows of a module come and go with records of one that the user has not chosen for this run."""
        return any(link.child == name and not self.found.choice.selects(link.parent) for link in self._links)

    def _rows_after(self, reading: ExtractResult, plan: Plan) -> int:
        """Live rows of the table once this reading has landed."""
        ids, there = self._ids(reading), self._row_count(plan) or 0
        touched = ids | reading.gone.keys()
        if not touched:
            return there
        known = set(pq.read_table(self.warehouse.read(plan.table, ["id"], ids=touched))["id"].to_pylist())
        return there - len(known & reading.gone.keys()) + len(ids - known)

    def _report_unknown_deletions(self) -> None:
        """A table whose deletions nothing tells has failed, and says since when that is."""
        for reading in self.readings.values():
            known = reading.plan.synced if reading.plan else None
            if known is None or reading.has_no_deletion_list:
                continue
            if reading.status == "read" and reading.refused:
                reading.notes.remarks.append(
                    f"it was read whole, as {reading.gap}. Let the token's user see deleted records"
                )
            refused = "Zoho refuses its list" if known.deletions_refused_since else None
            if reading.status == "failed" and (why := reading.gap or refused):
                reading.error = unknown_deletions(known.until, why, reading.error)

    def deferred(self, loaded: Collection[str] | None = None) -> dict[str, ModuleState]:
        """What the state is to remember of modules that did not get through; `loaded` are those that did, or may.

        Rows whose parents changed, and that could not follow: their next reading is whole. And since when Zoho
        refuses a list of deletions, of a table that failed for it.
        """
        found: dict[str, ModuleState] = {}
        read = {name for name, reading in self.readings.items() if reading.status == "read"}
        read = read if loaded is None else read & set(loaded)
        for name, reading in self.readings.items():
            before = self.memory.synced.get(name)
            if reading.refused and reading.status == "failed" and before:
                since = before.deletions_refused_since or before.until
                found[name] = replace(before, deletions_refused_since=since)
        for link in self._links:
            one, known = self._changed.get(link.parent), self.memory.synced.get(link.child)
            if one is None or known is None or link.child in read:
                continue
            if one.parents.gone or one.unknown or (link.edited and one.parents.changed):
                found[link.child] = replace(found.get(link.child, known), verified_at=None)
        return found

    # ---- files

    def _finish(self, reading: ExtractResult) -> None:
        """One file of all the rows that were read, without those that went meanwhile."""
        plan = reading.plan
        assert plan is not None
        more = self._more.pop(reading.name, [])
        with _record_errors(reading):
            if more:
                newest = plan.column(MODIFIED_TIME).name if plan.has(MODIFIED_TIME) else None
                parts = [require_file(reading), *more]
                path = self._subfolder("joined") / f"{plan.table}.parquet"
                tables = (group for part in parts for group in groups_of(part.path))
                reading.parquet_file = write_parquet(tables, path, "id", newest)
            reading.parquet_file = without_rows(require_file(reading), reading.gone)
            self._reject(reading)
            if reading.gone and not plan.is_full_refresh and self._exists(plan):
                there = self.warehouse.read(plan.table, ["id"], ids=reading.gone)
                reading.deleted_rows = int(pq.read_metadata(there).num_rows)

    def _reject(self, reading: ExtractResult) -> None:
        """Take the values out of the file that their columns do not hold."""
        reading.parquet_file, reading.rejected = split_rejected(require_file(reading), reading.columns)
        names = {column.api_name: column.name for column in reading.columns}
        reading.notes.rejected.update(names[one.field] for one in reading.rejected)

    def _fetch(self, reading: ExtractResult, ids: Iterable[str]) -> None:
        """Add whole rows, read by id."""
        ids = set(ids)
        if not ids:
            return
        assert reading.plan is not None
        brought = fetch(self.client, reading.plan, ids, self._subfolder("by-id"))
        reading.merge_result(brought)
        if brought.status == "read":
            reading.recent += brought.rows or 0
            self._add_rows(reading, require_file(brought))
            outside = dict.fromkeys(brought.notes.outside, reading.plan.until or self.client.now())
            reading.gone.update(outside)

    def _add_rows(self, reading: ExtractResult, rows: ParquetFile) -> None:
        kept = rows.path.with_suffix(f".{len(self._more.get(reading.name, ()))}.more")
        rows.path.rename(kept)
        self._more.setdefault(reading.name, []).append(replace(rows, path=kept))

    def _ids(self, reading: ExtractResult) -> frozenset[str]:
        more = (
            pq.read_table(part.path, columns=["id"])["id"].to_pylist()
            for part in self._more.get(reading.name, ())
        )
        return ids_of(reading).union(*more)

    def _subfolder(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _exists(self, plan: Plan) -> bool:
        return plan.table in (self.memory.destination_columns or {})

    def _columns(self, plan: Plan) -> frozenset[str]:
        return (self.memory.destination_columns or {}).get(plan.table, frozenset())


@contextmanager
def _record_errors(reading: ExtractResult) -> Iterator[None]:
    """What goes wrong with one table stays with it."""
    try:
        yield
    except ZohoCrmError as error:
        reading.fail(error)


def check_row_loss(reading: ExtractResult, missing: Sequence[str], rows: int) -> None:
    """Raises TooManyRowsMissing rather than believe that a fifth of a table went without a trace.

    A list of deletions that has some and is known to be cut is a trace.
    """
    if len(missing) <= MANY or len(missing) * SHARE <= rows or (reading.gap and reading.deletions):
        return
    raise TooManyRowsMissing(
        f"{len(missing):,} of its {rows:,} rows are no longer shown by Zoho and no deletion names them: the token's"
        f" user may have lost a permission. If they are really gone, --full-refresh --modules {reading.name}"
        " takes the CRM as it is"
    )


def unknown_deletions(since: datetime, why: str, error: str | None) -> str:
    return f"deletions unknown since {since:%Y-%m-%d %H:%M} UTC: {why}; {error}"


def refused_fields(reading: ExtractResult) -> dict[str, str]:
    """Fields that an API refuses, and why; those of the last whole reading, too."""
    plan = reading.plan
    before = plan.synced.empty if plan and plan.synced and not plan.is_full_refresh else ()
    why = "an API refused it when the module was read whole, and no record had a value"
    return {**dict.fromkeys(before, why), **reading.notes.refused, **reading.notes.empty}


def ids_missing(there: Path, now: Sequence[Path]) -> set[str]:
    """The ids in the one file that none of the others has."""
    query = "select id from there where id not in (select id from now)"
    return {row[0] for row in _query(query, there, now, ["id"])}


def ids_changed(there: Path, now: Sequence[Path], version: str, since: datetime) -> set[str]:
    """The ids whose value in the column `version`, a time, is another or not before `since`, or that are new."""
    query = (
        "select now.id from now left join there on now.id = there.id"
        f' where there.id is null or there."{version}" is distinct from now."{version}"'
        f""" or now."{version}" >= timestamptz '{since.isoformat()}'"""
    )
    return {row[0] for row in _query(query, there, now, ["id", version])}


def _query(query: str, there: Path, now: Sequence[Path], columns: Sequence[str]) -> list[tuple[str]]:
    names = ", ".join(f'"{name}"' for name in columns)
    with duckdb.connect() as database:
        database.execute("set time zone 'UTC'")  # some destinations give times in UTC without saying so
        for view, paths in (("there", [there]), ("now", now)):
            files = ", ".join("'{}'".format(str(path).replace("'", "''")) for path in paths)
            database.execute(f"create view {view} as select {names} from read_parquet([{files}])")
        return database.execute(query).fetchall()


def _by_child(found: Iterable[Relationship]) -> dict[tuple[str, str], list[Relationship]]:
    relationships: dict[tuple[str, str], list[Relationship]] = {}
    for link in found:
        relationships.setdefault((link.child, link.field), []).append(link)
    return relationships
