"""After the changes have landed: what hangs on other records, and what no change ever shows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq

from sources.zoho_crm.children import PARENTS_PER_QUERY, Link, Parents, follow
from sources.zoho_crm.client import ZohoClient
from sources.zoho_crm.columns import COMPUTED
from sources.zoho_crm.deleted import Deletion
from sources.zoho_crm.differences import Differences, compare, held_columns
from sources.zoho_crm.errors import ZohoCrmError
from sources.zoho_crm.plan import Plan, Wish
from sources.zoho_crm.reading import Reading, must_be_read, read_module
from sources.zoho_crm.survey import Survey, with_api
from sources.zoho_crm.sweep import confirm_gone, fetch, narrow, read_narrow, whole
from sources.zoho_crm.tables import Table
from sources.zoho_crm.windows import CHANGED, with_window

from .failures import innermost
from .fetching import as_they_come
from .loading import Landing
from .outcome import Run
from .patching import patched
from .progress import Progress

UNTRACED = "untraced"  # the type of a deletion that Zoho's feed did not name


@dataclass
class FollowUps:
    """What a run does once its changes have landed."""

    run: Run
    found: Survey
    landing: Landing
    client: ZohoClient
    wish: Wish
    progress: Progress
    unasked: set[str] = field(default_factory=set)  # modules whose rows could not be asked by their parents

    def finish(self) -> None:
        """Changes since an older archive first, then children: what cannot be asked of them is compared whole."""
        self._catch_up()
        self._children()
        self._sweeps()

    def _reading(self, name: str) -> Reading | None:
        """The reading of a module's changes, if it has come well so far."""
        for reading in self.run.readings:
            if reading.name == name and reading.plan is not None and reading.status == "read":
                return None if reading.plan.whole and not reading.notes.read_as_of else reading
        return None

    # ---- archives of an earlier run

    def _catch_up(self) -> None:
        """Rows that come from jobs of a killed run tell of its time: bring what changed since then."""
        for reading in self.run.readings:
            if reading.status == "read" and reading.notes.read_as_of and reading.plan and reading.synced:
                plan = replace(reading.plan, synced=reading.synced)
                plan = with_window(plan, self.found.choice.policy)
                try:
                    plan = with_api(self.client.metered(reading.usage), plan, self.wish)
                except ZohoCrmError as error:
                    reading.fail(error)
                    continue
                more = read_module(self.client, plan, self.landing.folder)
                self.run.defer([more])
                self._land(reading, more, moves=True)

    # ---- rows that hang on other records

    def _children(self) -> None:
        for (child, name), links in _by_child(self.run.links).items():
            touched = [(self.run.touched.get(link.parent, Parents()), link) for link in links]
            gone = frozenset[str]().union(*(parents.gone for parents, _ in touched))
            edited = frozenset[str]().union(*(parents.changed for parents, link in touched if link.edited))
            others = frozenset[str]().union(
                *(parents.changed for parents, link in touched if not link.edited)
            )
            parents = Parents(gone, edited | self._restored(others))
            if parents.gone or parents.changed:
                self._follow(child, name, links, parents)

    def _restored(self, changed: Collection[str]) -> frozenset[str]:
        """The records that were deleted once and are here again: what hung on them comes back with them."""
        if not changed or "deleted_records" not in self.landing.held.tables():
            return frozenset()
        path = self.landing.held.read("deleted_records", ["id"], ids=changed)
        return frozenset(pq.read_table(path)["id"].to_pylist())

    def _follow(self, child: str, name: str, links: Collection[Link], parents: Parents) -> None:
        reading = self._reading(child)
        if reading is None or reading.plan is None:
            self._leave_for_later(child, links)
            return
        plan, link = reading.plan, next(iter(links))
        if not plan.has(name):
            return
        if not self.client.may_use_coql or self._is_cheaper_whole(plan, len(parents.changed)):
            self.unasked.add(child)
            parents = Parents(parents.gone)
        columns = [plan.column(n).name for n in ("id", CHANGED, name) if plan.has(n)]
        try:
            held = self.landing.held.read(
                plan.table, columns, ids=parents.gone | parents.changed, by=plan.column(name).name
            )
            followed = follow(self.client.metered(reading.usage), plan, link, parents, held)
            if not followed.asked:
                self.unasked.add(child)
            known = self.run.touched.get(child, Parents())
            self.run.touched[child] = Parents(known.gone | followed.gone, known.changed)
            self._mend(reading, plan, followed.missing | followed.stale, followed.gone)
        except Exception as error:  # noqa: BLE001 - one table's trouble never ends the others
            reading.fail(error) if isinstance(error, ZohoCrmError) else reading.end(
                "failed", innermost(error)
            )
        if reading.status == "failed":
            self._leave_for_later(child, links)

    def _is_cheaper_whole(self, plan: Plan, parents: int) -> bool:
        """Whether comparing every id costs less than asking for the rows of so many parents."""
        rows = self.landing.held.count([plan.table]).get(plan.table, 0)
        return parents / PARENTS_PER_QUERY > narrow(plan, (), rows, self.wish).cost.credits

    def _leave_for_later(self, child: str, links: Collection[Link]) -> None:
        """A child that this run has not read: its next one compares every id. One that failed: parents wait."""
        failed = any(r.name == child and r.status == "failed" for r in self.run.readings)
        known = self.found.memory.synced.get(child)
        if failed:
            for link in links:
                self.run.synced.pop(link.parent, None)
        elif known is not None and all(plan.module.api_name != child for plan in self.found.plans):
            self.run.synced[child] = replace(known, verified_at=None)

    # ---- every id

    def _sweeps(self) -> None:
        due: dict[str, Table] = {}
        for plan in self.found.plans:
            reading = self._reading(plan.module.api_name)
            if reading is None or reading.plan is None:
                continue
            why = self._why(reading)
            if plan.refresh or why:
                made = replace(reading.plan, sweep=why)
                rows = self.landing.held.count([plan.table]).get(plan.table)
                thin = narrow(made, plan.refresh, rows, self.wish)
                read: Callable[..., Reading] = partial(read_narrow, self.client, thin)
                due[reading.name] = Table(reading.name, plan.table, thin.columns, read, thin.cost.calls, thin)
        for thins in as_they_come(list(due.values()), self.landing.folder, self.progress):
            for thin_reading in thins:
                self._sweep(thin_reading)

    def _why(self, reading: Reading) -> str | None:
        if reading.name in self.unasked:
            return "its rows could not be asked by their parents"
        if reading.plan is None or reading.plan.sweep:
            return reading.plan.sweep if reading.plan else None
        return reading.gap if _is_record(reading.plan) else None  # other rows go with their records

    def _sweep(self, thin: Reading) -> None:
        reading = self._reading(thin.name)
        if reading is None or reading.plan is None:
            return
        try:
            if thin.spooled is None:
                reading.also(thin)
                reading.end("failed", f"its ids could not be compared: {thin.error}")
                return
            found = self._compared(thin, reading.plan)
            gone = confirm_gone(self.client.metered(reading.usage), reading.name, found.extra)
            reading.also(thin, rows=False)
            self._mend(reading, reading.plan, {*found.missing, *found.stale}, gone)
            self._patch(reading, reading.plan, thin, found)
        except Exception as error:  # noqa: BLE001 - one table's trouble never ends the others
            reading.fail(error) if isinstance(error, ZohoCrmError) else reading.end(
                "failed", innermost(error)
            )
        if reading.status == "read":
            self._remember(reading, thin)

    def _compared(self, thin: Reading, plan: Plan) -> Differences:
        spooled = must_be_read(thin)
        there = self.landing.held.tables().get(plan.table, frozenset())
        wanted = held_columns(spooled, plan.columns)
        held = self.landing.held.read(plan.table, [name for name in wanted if name in there])
        return compare(spooled, held, plan.columns, self.landing.folder)

    def _remember(self, reading: Reading, thin: Reading) -> None:
        """What was compared needs no comparison for a while; a parent that waits goes on waiting."""
        synced = self.run.synced.get(reading.name) or reading.synced
        if synced is None or reading.plan is None:
            return
        read = {c.api_name for c in thin.columns} | set(thin.notes.refused)
        computed = {c.api_name for c in reading.plan.columns if c.field.data_type in COMPUTED}
        until = reading.plan.until
        self.run.swept.add(reading.name)
        self.run.synced[reading.name] = replace(
            synced,
            filled=tuple(dict.fromkeys((*synced.filled, *(c.name for c in reading.plan.columns)))),
            refused=tuple(dict.fromkeys((*synced.refused, *thin.notes.refused))),
            verified_at=until,
            computed_at=until if computed <= read else synced.computed_at,
        )

    # ---- what was found

    def _mend(self, reading: Reading, plan: Plan, wanted: Collection[str], gone: Iterable[str]) -> None:
        """Bring the rows that the table lacks and take away those that are gone."""
        now = plan.until or self.client.now()
        going = dict.fromkeys(gone, now)
        if not wanted and not going:
            return
        rows = self.landing.held.count([plan.table]).get(plan.table)
        instead = whole(plan, rows, self.wish)
        brought = fetch(self.client, plan, wanted, self.landing.folder, instead)
        known = {deletion.id for deletion in reading.deletions}
        brought.gone = going
        brought.deletions = tuple(
            Deletion(id, None, UNTRACED, now, None) for id in going if id not in known and _is_record(plan)
        )
        self._land(reading, brought)

    def _patch(self, reading: Reading, plan: Plan, thin: Reading, found: Differences) -> None:
        """Put the new values of single columns into the destination's own rows."""
        if found.patches is None:
            return
        ids = pq.read_table(found.patches, columns=["id"])["id"].to_pylist()
        there = self.landing.held.tables()[plan.table]
        held = self.landing.held.read(
            plan.table, sorted(n for n in there if not n.startswith("_dlt_")), ids=ids
        )
        more = Reading(reading.name, plan.table, thin.api, thin.reason, plan.columns, plan=plan)
        schema = pa.unify_schemas([pq.read_schema(held), pq.read_schema(found.patches)])
        path = self.landing.folder / f"{plan.table}.patched.parquet"
        more.spooled = patched(held, found.patches, schema, path)
        self._land(reading, more.end("read"))

    def _land(self, reading: Reading, more: Reading, *, moves: bool = False) -> None:
        """Land a later reading of a table; only changes by their time move its watermark."""
        if not moves:
            more.synced = None
        if more.status == "read":
            self.landing.land([more])
        if more.status == "read" and self.client.door.journal is not None:
            self.client.door.journal.done(more.name)
        reading.also(more)


def _is_record(plan: Plan) -> bool:
    """Whether a row is a record of its own; the others come and go with theirs."""
    return plan.module.generated_type not in ("subform", "linking", "field_tracker")


def _by_child(links: Iterable[Link]) -> Mapping[tuple[str, str], list[Link]]:
    found: dict[tuple[str, str], list[Link]] = {}
    for link in links:
        found.setdefault((link.child, link.field), []).append(link)
    return found
