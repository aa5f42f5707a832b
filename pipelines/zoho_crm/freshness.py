"""How fresh each table is, and what of it is due next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

from sources.zoho_crm.columns import COMPUTED
from sources.zoho_crm.endpoints import ENDPOINTS, OUR_TABLES
from sources.zoho_crm.policy import Policy
from sources.zoho_crm.schedule import next_due
from sources.zoho_crm.synced import Synced

from .log import GOOD, WAITING, Entry
from .looking import Look
from .options import Options

Word = Literal["fresh", "differs", "stale", "failing", "skipped"]
ONCE_A_DAY = frozenset(endpoint.table for endpoint in ENDPOINTS if endpoint.each != "account")


@dataclass(frozen=True)
class Freshness:
    """One table; what was due at a time that has passed is done by the next run."""

    module: str
    table: str
    word: Word
    last_status: str
    last_success: datetime | None
    age: timedelta | None
    rows: int | None
    error: str | None
    until: datetime | None = None
    crm_count: int | None = None
    table_count: int | None = None  # when the CRM was counted
    counted_at: datetime | None = None
    difference: int = 0  # that nobody has explained
    differs_since: datetime | None = None  # None if the count may just be late
    verified_at: datetime | None = None
    next_verify: datetime | None = None
    next_computed: datetime | None = None
    next_settings: datetime | None = None
    deletions_refused_since: datetime | None = None  # the module is read whole instead, unless it is failing
    deletions_unknown_since: datetime | None = None

    @property
    def is_module(self) -> bool:
        return self.module not in OUR_TABLES


@dataclass
class Clerk:
    """Writes down each table from what the log, the state and the tables tell."""

    look: Look
    options: Options

    def tables(self) -> list[Freshness]:
        """Every table that was ever loaded or tried in vain; modules first, by name."""
        names = [n for n, entry in self._told.items() if n in self._good or entry.status != "skipped"]
        return [self._of(name) for name in sorted(names, key=lambda n: (n in OUR_TABLES, n.casefold()))]

    def skips(self) -> list[tuple[str, str]]:
        """What the last run that looked at it found to be not offered, and why."""
        return [(n, e.error or "") for n, e in sorted(self._told.items()) if e.status == "skipped"]

    def kept(self) -> list[tuple[str, str]]:
        """What the last run left as it is on purpose or for a later run, and why."""
        left = ("kept", WAITING)
        return [(n, e.error or e.reason or "") for n, e in sorted(self._told.items()) if e.status in left]

    @cached_property
    def _told(self) -> dict[str, Entry]:
        return self.look.log.last()

    @cached_property
    def _good(self) -> dict[str, Entry]:
        return self.look.log.last(GOOD)

    @cached_property
    def _counted(self) -> dict[str, Entry]:
        return self.look.log.last(having="crm_count")

    @cached_property
    def _rows(self) -> dict[str, int]:
        return self.look.held.count([self._table(name) for name in self._told])

    @cached_property
    def _computed(self) -> frozenset[str]:
        """The modules that have formulas or roll-ups."""
        rows = self.look.rows("fields", ["module", "data_type", "column_name"])
        return frozenset(r["module"] for r in rows if r["data_type"] in COMPUTED and r["column_name"])

    def _table(self, name: str) -> str:
        return self.look.memory.tables.get(name, name)

    def _of(self, name: str) -> Freshness:
        told, good, count = self._told[name], self._good.get(name), self._counted.get(name)
        # A table that is read once a day is as fresh as the last run that found it not due.
        seen = told if told.status == "kept" and name in ONCE_A_DAY else good
        table = Freshness(
            name,
            self._table(name),
            self._word(told, seen),
            told.status,
            good.at if good else None,
            self.look.now - good.at if good else None,
            self._rows.get(self._table(name)),
            self._error(told),
        )
        if count is not None:
            table = replace(
                table, crm_count=count.crm_count, table_count=count.table_count, counted_at=count.at
            )
        synced = self.look.memory.synced.get(name)
        return self._with_state(table, synced) if synced else self._with_settings(table)

    def _word(self, told: Entry, seen: Entry | None) -> Word:
        if told.status == "skipped":
            return "skipped"
        if told.status in ("failed", "differs"):
            return "failing"
        late = seen is None or self.look.now - seen.at > (self.options.max_age or self.options.stale_after)
        return "stale" if late else "fresh"

    def _error(self, told: Entry) -> str | None:
        if told.status == "differs" and not told.error:
            return "`verify` found rows that differ from the CRM"
        return told.error if told.status in ("failed", "differs", "skipped") else None

    def _with_state(self, table: Freshness, synced: Synced) -> Freshness:
        """What is due of a module; where single rows cannot be changed every run reads it whole."""
        since = synced.difference_at if synced.difference else None
        unknown = synced.until if synced.deletions_refused_since and table.word == "failing" else None
        known = replace(
            table,
            word="differs" if since and table.word == "fresh" else table.word,
            until=synced.until,
            difference=synced.difference,
            differs_since=since,
            verified_at=synced.verified_at,
            deletions_refused_since=synced.deletions_refused_since,
            deletions_unknown_since=unknown,
        )
        if not self.look.held.merges:
            return known
        now, options = self.look.now, self.options
        starts = self.look.memory.starts
        every = (
            min(options.verify_every, Policy().count_every)
            if synced.uncounted_since
            else options.verify_every
        )
        soon = since or synced.deletions_refused_since
        verify = now if soon else next_due(synced.verified_at, every, now, starts)
        computed = next_due(synced.computed_at, options.computed_refresh, now, starts)
        return replace(
            known, next_verify=verify, next_computed=computed if table.module in self._computed else None
        )

    def _with_settings(self, table: Freshness) -> Freshness:
        read = self.look.memory.settings_read.get(table.table)
        if table.module not in ONCE_A_DAY or read is None:
            return table
        last, look = datetime.fromisoformat(read), self.look
        settings = next_due(last, self.options.settings_refresh, look.now, look.memory.starts)
        return replace(table, next_settings=settings)


def span(time: timedelta) -> str:
    """`40 s`, `12 min`, `5 h`, `3 d`: as exact as a person wants to know."""
    seconds = max(0, int(abs(time).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"


def due(moment: datetime | None, now: datetime) -> str | None:
    """`in 3 d`, or `next run` for what is due."""
    if moment is None:
        return None
    return "next run" if moment <= now else f"in {span(moment - now)}"


def spell(moment: datetime | None) -> str | None:
    """In UTC, by the minute."""
    return f"{moment:%Y-%m-%d %H:%M}" if moment else None
