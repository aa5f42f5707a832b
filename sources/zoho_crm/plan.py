"""Decides, without a call: which API reads a module, which columns, which window, and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import ceil
from typing import Any, Literal

from . import limits
from .columns import Column, is_known_type, kind_of
from .filters import Filter
from .metadata import Module
from .privacy import Veil
from .synced import Keeps, Synced

Api = Literal["bulk", "coql", "records"]
Wish = Literal["auto", "bulk", "coql", "records"]

NAMES: Mapping[Api, str] = {"records": "Records", "coql": "COQL", "bulk": "Bulk Read"}
# Rows to choose by where Zoho gives no count: so many that it matters.
MANY = 20_000
BULK_JOB_CREDITS = limits.BULK_CREATE_CREDITS + 4  # polls of a job are guessed as three; one download


@dataclass(frozen=True)
class Window:
    """The records with `since <= Modified_Time < until`; an open end is None."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class FirstPage:
    """The first records that changed since a time, by the Records API with the first chunk of fields."""

    records: tuple[Mapping[str, Any], ...]
    more: bool
    token: str | None = None


@dataclass(frozen=True)
class Cost:
    """What a reading is expected to take."""

    calls: int
    credits: int

    def __add__(self, more: Cost) -> Cost:
        return Cost(self.calls + more.calls, self.credits + more.credits)


@dataclass(frozen=True)
class Usable:
    """What may be chosen for a module beside what it offers itself."""

    coql: bool = True  # whether COQL may be asked
    failing: tuple[tuple[str, str], ...] = ()  # APIs that failed to read the module lately, and why


USABLE = Usable()


@dataclass(frozen=True)
class Plan:
    module: Module
    table: str
    api: Api
    columns: tuple[Column, ...]
    reason: str
    window: Window = field(default_factory=Window)
    until: datetime | None = None  # Zoho's time before the reading: all earlier changes will be in the table
    rows: int | None = None  # Zoho's own count before the reading; of a window, the changes as far as known
    first: FirstPage | None = None  # what was read of the window while planning
    keeps: Keeps = "hard"
    synced: Synced | None = None  # what the state remembers
    loaded_before: bool = False  # its table is there: to lose the module now is a failure
    left_out: tuple[tuple[str, str], ...] = ()  # fields that are no columns here, and why
    private: tuple[str, ...] = ()  # what is done to which fields, dropped ones too, as the state has it
    chosen: bool = False  # whether a user has named the fields to read
    shown: Veil | None = None  # what is done to the name by which Zoho shows a record
    counts_partly: bool = (
        False  # `rows` leaves out converted and unapproved records: Zoho refused to count them
    )
    filters: tuple[Filter, ...] = ()  # that a row has to pass, or it is none of the table's
    asked: bool = False  # whether a user has asked for this API: then no other one takes its place
    usable: Usable = USABLE

    @property
    def whole(self) -> bool:
        """Whether every record is read, not a window of changes."""
        return self.window.since is None

    @property
    def secret(self) -> bool:
        """Whether what Zoho sends may not be written as it is; it may send more than it was asked for."""
        return bool(self.filters or self.private or self.chosen) or any(c.veil for c in self.columns)

    @property
    def raw(self) -> Plan:
        """The same plan with the values as Zoho has them."""
        return replace(self, columns=tuple(column.raw for column in self.columns)) if self.secret else self

    @property
    def filter_words(self) -> tuple[str, ...]:
        return tuple(map(str, self.filters))

    @property
    def cost(self) -> Cost:
        cost = cost_of(self.api, self.rows or 0, self.valued, self.usable.coql)
        asks = self.api != "records" and self.module.may_wait_for_approval  # which records are not approved
        return Cost(cost.calls + asks, cost.credits + asks)

    @property
    def valued(self) -> tuple[Column, ...]:
        """The columns to reckon with: a refused field that no record had a value in takes a look, no reading."""
        empty = self.synced.empty if self.synced else ()
        return tuple(c for c in self.columns if not (c.refused and c.api_name in empty))

    @property
    def alternatives(self) -> tuple[Api, ...]:
        """The APIs that may read the module where this one does not, the cheapest first."""
        if self.api == "records":
            return ()
        if self.api == "coql" or not self.usable.coql or self.module.generated_type == "field_tracker":
            return ("records",)
        return tuple(sorted(("records", "coql"), key=self.credits_of))

    def credits_of(self, api: Api) -> int:
        """What another API would take for the same rows."""
        return cost_of(api, MANY if self.rows is None else self.rows, self.valued, self.usable.coql).credits

    def has(self, api_name: str) -> bool:
        return any(c.api_name == api_name for c in self.columns)

    def column(self, api_name: str) -> Column:
        return next(c for c in self.columns if c.api_name == api_name)

    def by(self, api: Api, reason: str) -> Plan:
        """The same module read by another API."""
        return replace(self, api=api, reason=reason)

    def without(self, names: set[str]) -> Plan:
        """The same plan without fields that an API refuses."""
        return replace(self, columns=tuple(c for c in self.columns if c.api_name not in names))


@dataclass(frozen=True)
class Skip:
    """A module that is not read, and why."""

    module: Module
    reason: str


def choose_api(
    module: Module,
    wish: Wish,
    rows: int | None,
    columns: tuple[Column, ...],
    usable: Usable = USABLE,
) -> tuple[Api, str]:
    """The API for a full reading, and the reason that `plan` prints."""
    no_bulk = why_not_bulk(module)
    if no_bulk and wish in ("auto", "bulk"):
        return "records", no_bulk
    if wish != "auto":
        return wish, "as configured"
    if why := dict(usable.failing).get("bulk"):
        return _without_bulk(rows, columns, usable.coql, why)
    if rows is None:
        return "bulk", "first load, Zoho gives no count"
    records, bulk = (
        cost_of("records", rows, columns).credits,
        cost_of("bulk", rows, columns, usable.coql).credits,
    )
    most, why = ("up to ", ", as lists cut rich text") if _rich_texts(columns) else ("", "")
    if records <= bulk:
        return "records", f"{most}{records:,} credit{'' if records == 1 else 's'}; Bulk Read {bulk:,}"
    return "bulk", f"{bulk:,} credits; Records {most}{records:,}{why}"


def _without_bulk(rows: int | None, columns: tuple[Column, ...], coql: bool, why: str) -> tuple[Api, str]:
    """The cheaper one of the others, where Bulk Read failed lately."""
    possible: tuple[Api, ...] = ("records", "coql") if coql else ("records",)
    costs = {api: cost_of(api, MANY if rows is None else rows, columns, coql).credits for api in possible}
    best = min(possible, key=costs.__getitem__)
    price = (
        "Zoho gives no count" if rows is None else f"{costs[best]:,} credit{'' if costs[best] == 1 else 's'}"
    )
    return best, f"{price}; Bulk Read {why}"


def why_not_bulk(module: Module) -> str | None:
    """Why Bulk Read is no way to read a module."""
    if module.api_name in limits.NOT_IN_BULK:
        return "Bulk Read does not offer it"
    if module.generated_type == "field_tracker":
        return "Bulk Read leaves out the history of deleted records"
    return None


def cost_of(api: Api, rows: int, columns: tuple[Column, ...], coql: bool = True) -> Cost:
    """Calls and credits of reading `rows` whole (API limits, v8).

    Polls of a job are guessed as three. Lists cut rich text, so each record may take a call of its own.
    What an API does not bring, another one reads beside: COQL, if it may be asked, or the Records API.
    """
    if api == "records":
        return _cost_of_records(rows, columns)
    if api == "bulk":
        beside = tuple(c for c in columns if not c.likely_in_bulk)
        more = cost_beside(rows, beside, coql)
        if any(c.in_coql for c in beside):
            more += Cost(1, 1)  # a look whether there are values
        slices = max(1, ceil((len(columns) - len(beside) - 2) / (limits.BULK_FIELDS_PER_JOB - 2)))
        jobs = slices * max(1, ceil(rows / limits.BULK_ROWS_PER_JOB))
        return Cost(5 * jobs, BULK_JOB_CREDITS * jobs) + more
    beside = tuple(c for c in columns if not c.in_coql)
    return _cost_of_coql(rows, columns) + (_cost_of_records(rows, beside) if beside else Cost(0, 0))


def cost_beside(rows: int, columns: tuple[Column, ...], coql: bool) -> Cost:
    """What it takes to read some columns beside Bulk Read, by the cheaper way."""
    if not columns:
        return Cost(0, 0)
    by_records = _cost_of_records(rows, columns)
    by_coql = tuple(c for c in columns if c.in_coql)
    if not coql or not by_coql:
        return by_records
    others = tuple(c for c in columns if not c.in_coql)
    both = _cost_of_coql(rows, by_coql) + (_cost_of_records(rows, others) if others else Cost(0, 0))
    return min(by_records, both, key=lambda cost: cost.credits)


def pays_by_coql(rows: int | None, columns: tuple[Column, ...], coql: bool) -> bool:
    """Whether COQL is the cheaper way to read what it takes of the columns beside Bulk Read."""
    known = MANY if rows is None else rows
    return cost_beside(known, columns, coql).credits < _cost_of_records(known, columns).credits


def _cost_of_coql(rows: int, columns: tuple[Column, ...]) -> Cost:
    chunks = ceil(len(columns) / limits.COQL_FIELD_CAPS[0])
    calls = chunks * max(1, ceil(rows / limits.COQL_ROWS_PER_CALL))
    looks = chunks + 1  # the first one at each chunk, and at the rows without Modified_Time
    return Cost(calls + looks, calls * limits.coql_credits(coql_page(rows)) + looks)


def _cost_of_records(rows: int, columns: tuple[Column, ...]) -> Cost:
    pages = max(1, ceil(rows / limits.RECORDS_PER_PAGE))
    more_chunks = max(0, ceil((len(columns) - 2) / (limits.FIELDS_PER_CALL - 2)) - 1)
    calls = pages + more_chunks * ceil(rows / limits.IDS_PER_CALL) + (rows if _rich_texts(columns) else 0)
    # Deletions meanwhile move records between pages, so several pages end with a look at them.
    return Cost(calls + 1, calls + 2) if pages > 1 else Cost(calls, calls)


def coql_page(rows: int | None) -> int:
    """The LIMIT of a page: a smaller one costs fewer credits, and no row if the count was too low."""
    if rows is None:
        return limits.COQL_ROWS_PER_CALL
    return next((size for size in limits.COQL_PAGES if rows <= size), limits.COQL_ROWS_PER_CALL)


def _rich_texts(columns: tuple[Column, ...]) -> bool:
    return any(column.field.rich_text for column in columns)


def unknown_types(plan: Plan) -> list[str]:
    """Sentences for the fields whose type nobody has met."""
    return [
        f"field {c.api_name} has the unknown type {c.field.data_type!r}; it is read as {kind_of(c.field).dlt_type}"
        for c in plan.columns
        if c.api_name not in ("id", "Tag") and not is_known_type(c.field)
    ]


def flags_to_name(plan: Plan, refused: Collection[str] = ()) -> list[str]:
    """The flag that a query has to name, or Zoho may leave out converted leads; none of other modules."""
    flags = ["Converted__s"] if plan.has("Converted__s") else []
    if not flags and plan.module.api_name == "Leads":
        flags = ["$converted"]
    return [flag for flag in flags if flag not in refused]
