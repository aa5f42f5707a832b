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

# The API that reads a module which the first one refuses.
NEXT_API: Mapping[Api, tuple[Api, ...]] = {"bulk": ("records",), "coql": ("records",), "records": ()}


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
    refresh: tuple[str, ...] = ()  # fields to read for every row, beside the changes
    sweep: str | None = None  # why every id is to be compared, beside the changes
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
        cost = cost_of(self.api, self.rows or 0, self.columns)
        asks = self.api != "records" and self.module.may_wait_for_approval  # which records are not approved
        return Cost(cost.calls + asks, cost.credits + asks)

    @property
    def alternatives(self) -> tuple[Api, ...]:
        return NEXT_API[self.api]

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


def choose_api(module: Module, wish: Wish, rows: int | None, columns: tuple[Column, ...]) -> tuple[Api, str]:
    """The API for a full reading, and the reason that `plan` prints."""
    no_bulk = why_not_bulk(module)
    if no_bulk and wish in ("auto", "bulk"):
        return "records", no_bulk
    if wish != "auto":
        return wish, "as configured"
    if rows is None:
        return "bulk", "first load, Zoho gives no count"
    records, bulk = cost_of("records", rows, columns).credits, cost_of("bulk", rows, columns).credits
    most, why = ("up to ", ", as lists cut rich text") if _rich_texts(columns) else ("", "")
    if records <= bulk:
        return "records", f"{most}{records:,} credit{'' if records == 1 else 's'}; Bulk Read {bulk:,}"
    return "bulk", f"{bulk:,} credits; Records {most}{records:,}{why}"


def why_not_bulk(module: Module) -> str | None:
    """Why Bulk Read is no way to read a module."""
    if module.api_name in limits.NOT_IN_BULK:
        return "Bulk Read does not offer it"
    if module.generated_type == "field_tracker":
        return "Bulk Read leaves out the history of deleted records"
    return None


def cost_of(api: Api, rows: int, columns: tuple[Column, ...]) -> Cost:
    """Calls and credits of reading `rows` whole (API limits, v8).

    Polls of a job are guessed as three. Lists cut rich text, so each record may take a call of its own.
    What an API does not bring, the Records API reads beside.
    """
    if api == "records":
        return _cost_of_records(rows, columns)
    beside = tuple(c for c in columns if not (c.in_bulk if api == "bulk" else c.in_coql))
    more = _cost_of_records(rows, beside) if beside else Cost(0, 0)
    if api == "bulk":
        jobs = max(1, ceil(rows / limits.BULK_ROWS_PER_JOB))
        credits = (limits.BULK_CREATE_CREDITS + 4) * jobs
        return Cost(5 * jobs + more.calls, credits + more.credits)
    chunks = ceil(len(columns) / limits.COQL_FIELD_CAPS[0])
    calls = chunks * max(1, ceil(rows / limits.COQL_ROWS_PER_CALL))
    looks = chunks + 1  # the first one at each chunk, and at the rows without Modified_Time
    credits = calls * limits.coql_credits(coql_page(rows)) + looks
    return Cost(calls + looks + more.calls, credits + more.credits)


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
