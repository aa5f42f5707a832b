"""After the changes have landed: what hangs on other records, and what no change ever shows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import pyarrow.parquet as pq

from sources.zoho_crm.children import ACTIVITIES, Followed, Link, Parents, follow
from sources.zoho_crm.client import ZohoClient
from sources.zoho_crm.columns import COMPUTED
from sources.zoho_crm.errors import ZohoCrmError
from sources.zoho_crm.plan import Plan, Wish
from sources.zoho_crm.reading import Reading, read_module
from sources.zoho_crm.restored import deleted_lately, restored
from sources.zoho_crm.survey import Survey, with_api
from sources.zoho_crm.sweep import confirm_gone, narrow, read_narrow
from sources.zoho_crm.tables import Table
from sources.zoho_crm.windows import CHANGED, LIST_REFUSED, goes_along, mark, with_window

from .database import raise_if_gone
from .failures import innermost
from .fetching import as_they_come
from .loading import Landing
from .mending import Mending, check_gone
from .outcome import Run
from .progress import Progress
from .without_list import remember_refused, tell_compared, tell_unknown, why_without_list


@dataclass
class FollowUps:
    """What a run does once its changes have landed."""

    run: Run
    found: Survey
    landing: Landing
    client: ZohoClient
    wish: Wish
    progress: Progress
    mended: dict[str, Parents] = field(default_factory=dict)  # records that only a comparison showed
    unasked: set[str] = field(default_factory=set)  # modules whose rows could not be asked by their parents
    doubtful: dict[str, str] = field(default_factory=dict)  # module -> why every id is to be compared

    @property
    def mending(self) -> Mending:
        return Mending(self.landing, self.client, self.wish)

    def finish(self) -> None:
        """Changes since an older archive first, then children: what cannot be asked of them is compared whole."""
        self._catch_up()
        self._bring_back()
        self._children(self.run.touched)
        self._sweeps()
        if self.mended:
            self._children(self.mended)
            self._sweeps()  # of those that could not be asked; the others are done
        self._leave_for_later()

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
                self.mending.land(reading, more, moves=True)
                if more.status == "read":
                    reading.synced = more.synced

    # ---- records that were restored

    def _bring_back(self) -> None:
        """Records that an earlier run saw deleted and that are here again, and then what went with them."""
        if not self.landing.held.merges:
            return
        lately = deleted_lately(self.landing.held, self.client.now())
        for name, deleted in lately.items():
            reading = self._reading(name)
            if reading is None or reading.plan is None or reading.plan.whole:
                continue
            client = self.client.metered(reading.usage)
            try:
                found = restored(client, self.landing.held, reading, reading.plan, deleted)
                self.mending.mend(reading, reading.plan, found.ids, ())
            except Exception as error:  # noqa: BLE001 - one table's trouble never ends the others
                _fail(reading, error)
                continue
            if found.more:
                self.doubtful[name] = found.more
            if found.ids:
                known = self.run.touched.get(name, Parents())
                self.run.touched[name] = Parents(known.gone, known.changed | found.ids)

    # ---- rows that hang on other records

    def _children(self, changes: dict[str, Parents]) -> None:
        for (child, name), links in _by_child(self.run.links).items():
            if self._went_with_others(child):
                self.unasked.add(child)
            touched = [(changes.get(link.parent, Parents()), link) for link in links]
            gone = frozenset[str]().union(*(parents.gone for parents, _ in touched))
            edited = frozenset[str]().union(*(parents.changed for parents, link in touched if link.edited))
            others = frozenset[str]().union(
                *(parents.changed for parents, link in touched if not link.edited)
            )
            parents = Parents(gone, edited | self._restored(others))
            if parents.gone or parents.changed:
                followed = self._follow(child, name, links, parents)
                known = changes.get(child, Parents())
                changes[child] = Parents(known.gone | followed.gone, known.changed | followed.missing)

    def _restored(self, changed: Collection[str]) -> frozenset[str]:
        """The records that were deleted once and are here again: what hung on them comes back with them."""
        if not changed or "deleted_records" not in self.landing.held.tables():
            return frozenset()
        path = self.landing.held.read("deleted_records", ["id"], ids=changed)
        return frozenset(pq.read_table(path)["id"].to_pylist())

    def _follow(self, child: str, name: str, links: Collection[Link], parents: Parents) -> Followed:
        """Bring and take away the rows of these records."""
        reading = self._reading(child)
        if reading is None or reading.plan is None or not reading.plan.has(name):
            return Followed()
        plan, link = reading.plan, next(iter(links))
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
            self.mending.mend(reading, plan, followed.missing | followed.stale, followed.gone)
            return followed
        except Exception as error:  # noqa: BLE001 - one table's trouble never ends the others
            _fail(reading, error)
        return Followed()

    def _is_cheaper_whole(self, plan: Plan, parents: int) -> bool:
        """Whether comparing every id costs less than asking for the rows of so many parents."""
        rows = self.landing.held.count([plan.table]).get(plan.table, 0)
        return parents / self.client.door.coql_in_values > narrow(plan, (), rows, self.wish).cost.credits

    def _leave_for_later(self) -> None:
        """Rows that could not follow in this run, for whatever reason: the next good one compares every id."""
        remember_refused(self.run, self.found.memory.synced)
        for link in self.run.links:
            touched = self.mended.get(link.parent) or self.run.touched.get(link.parent, Parents())
            known = self.found.memory.synced.get(link.child)
            changed = touched.changed if link.edited else self._restored(touched.changed)
            moved = touched.gone or changed or link.parent in self.run.unknown
            if (
                moved
                and known
                and not any(r.name == link.child and r.status == "read" for r in self.run.readings)
            ):
                known = self.run.overdue.get(link.child, known)
                self.run.overdue[link.child] = replace(known, verified_at=None)

    # ---- every id

    def _sweeps(self) -> None:
        due: dict[str, Table] = {}
        for plan in self.found.plans:
            reading = self._reading(plan.module.api_name)
            if reading is None or reading.plan is None:
                continue
            why = self._why(reading)
            if (plan.refresh or why) and reading.name not in self.run.swept:
                made = replace(reading.plan, sweep=why)
                rows = self.landing.held.count([plan.table]).get(plan.table)
                if rows is not None and plan.synced is not None:  # about as many as Zoho counts
                    rows = max(0, rows - plan.synced.difference)
                thin = narrow(made, plan.refresh, rows, self.wish)
                read: Callable[..., Reading] = partial(read_narrow, self.client, thin)
                due[reading.name] = Table(reading.name, plan.table, thin.columns, read, thin.cost.calls, thin)
        for thins in as_they_come(list(due.values()), self.landing.folder, self.progress):
            for thin_reading in thins:
                self._sweep(thin_reading)
                self.progress.compared(thin_reading)

    def _why(self, reading: Reading) -> str | None:
        plan = reading.plan
        if reading.name in self.unasked:
            return "its rows could not be asked by their parents"
        if reading.name in self.doubtful:
            return self.doubtful[reading.name]
        if plan is None or (plan.sweep and plan.sweep != LIST_REFUSED):
            return plan.sweep if plan else None
        if not reading.feedless:
            return reading.gap
        client = self.client.metered(reading.usage)
        return why_without_list(self.run, self.landing.held, client, reading, plan)

    def _sweep(self, thin: Reading) -> None:
        reading = self._reading(thin.name)
        if reading is None or reading.plan is None:
            return
        try:
            if thin.spooled is None:
                reading.also(thin)
                reading.end("failed", f"its ids could not be compared: {thin.error}")
                tell_unknown(reading)
                return
            found, held = self.mending.compared(thin, reading.plan)
            reading.also(thin, rows=False)
            if not self._went_with_others(reading.name):
                check_gone(reading, found.extra, pq.read_metadata(held).num_rows)
            client = self.client.metered(reading.usage)
            gone = confirm_gone(client, reading.name, found.extra, reading.plan)
            brought = self.mending.mend(reading, reading.plan, {*found.missing, *found.stale}, gone)
            if gone or found.missing or found.stale:
                changed = frozenset({*found.missing, *found.stale})
                self.mended[reading.name] = Parents(frozenset(gone), changed)
            if brought is None or not (brought.plan and brought.plan.whole):  # which has newer values
                self.mending.patch(reading, reading.plan, thin, found)
        except Exception as error:  # noqa: BLE001 - one table's trouble never ends the others
            _fail(reading, error)
            tell_unknown(reading)
        if reading.status == "read":
            self._remember(reading, thin)
            tell_compared(reading, thin)

    def _went_with_others(self, child: str) -> bool:
        """Whether rows may have gone with records that no deletion of this run names."""
        unknown = set(self.run.unknown)
        if child in ACTIVITIES:  # they go with deletions only, which a whole reading has asked for, too
            unknown &= {reading.name for reading in self.run.readings if reading.gap}
        return any(link.child == child and link.parent in unknown for link in self.run.links)

    def _remember(self, reading: Reading, thin: Reading) -> None:
        """What was compared needs no comparison for a while; a parent that waits goes on waiting."""
        synced = self.run.synced.get(reading.name) or reading.synced
        if synced is None or reading.plan is None:
            return
        read = {c.api_name for c in thin.columns}
        computed = {c.api_name for c in reading.plan.columns if c.field.data_type in COMPUTED}
        along = {c.api_name for c in reading.plan.columns if goes_along(c)}
        until = reading.plan.until
        self.run.swept.add(reading.name)
        self.run.synced[reading.name] = replace(
            synced,
            filled=tuple(dict.fromkeys((*synced.filled, *map(mark, reading.plan.columns)))),
            verified_at=until if along <= read else synced.verified_at,
            computed_at=until if computed <= read else synced.computed_at,
        )


def _fail(reading: Reading, error: Exception) -> None:
    """One table's trouble never ends the others; a destination that is gone does."""
    raise_if_gone(error)
    reading.fail(error) if isinstance(error, ZohoCrmError) else reading.end("failed", innermost(error))


def _by_child(links: Iterable[Link]) -> Mapping[tuple[str, str], list[Link]]:
    found: dict[tuple[str, str], list[Link]] = {}
    for link in links:
        found.setdefault((link.child, link.field), []).append(link)
    return found
