"""Decides, without a call: which API reads a module, which columns, which window, and why."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime

from ..models import CREATED_TIME, USABLE, Api, ApiAvailability, MaskingRule, Module, PrefetchedPage, Window
from ..state import DeletionMode, ModuleState
from ..transform.column_types import Column, ColumnType, column_type_of, is_known_type
from ..transform.row_filters import Filter
from .cost import MANY, Cost, cost_of


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
    first: PrefetchedPage | None = None  # what was read of the window while planning
    keeps: DeletionMode = "hard"
    synced: ModuleState | None = None  # what the state remembers
    loaded_before: bool = False  # its table is there: to lose the module now is a failure
    left_out: tuple[tuple[str, str], ...] = ()  # fields that are no columns here, and why
    private: tuple[str, ...] = ()  # what is done to which fields, dropped ones too, as the state has it
    chosen: bool = False  # whether a user has named the fields to read
    shown: MaskingRule | None = None  # what is done to the name by which Zoho shows a record
    counts_partly: bool = (
        False  # `rows` leaves out converted and unapproved records: Zoho refused to count them
    )
    filters: tuple[Filter, ...] = ()  # that a row has to pass, or it is none of the table's
    asked: bool = False  # whether a user has asked for this API: then no other one takes its place
    api_availability: ApiAvailability = USABLE

    @property
    def is_full_refresh(self) -> bool:
        """Whether every record is read, not a window of changes."""
        return self.window.since is None

    @property
    def secret(self) -> bool:
        """Whether what Zoho sends may not be written as it is; it may send more than it was asked for."""
        return bool(self.filters or self.private or self.chosen) or any(c.masking_rule for c in self.columns)

    @property
    def new_private(self) -> tuple[str, ...]:
        """Of `private`, what was not done to these fields when the module was last read."""
        before = self.synced.private if self.synced else ()
        return tuple(entry for entry in self.private if entry not in before)

    @property
    def raw(self) -> Plan:
        """The same plan with the values as Zoho has them."""
        return replace(self, columns=tuple(column.raw for column in self.columns)) if self.secret else self

    @property
    def filter_words(self) -> tuple[str, ...]:
        return tuple(map(str, self.filters))

    @property
    def cost(self) -> Cost:
        offered = self.api_availability
        cost = cost_of(self.api, self.rows or 0, self.valued, offered.coql, offered.ranges)
        asks = self.api != "records" and self.module.may_wait_for_approval  # which records are not approved
        return Cost(cost.calls + asks, cost.credits + asks)

    @property
    def valued(self) -> tuple[Column, ...]:
        """The columns that cost something: a refused field that is known to be empty takes one check."""
        empty = self.synced.empty if self.synced else ()
        return tuple(c for c in self.columns if not (c.refused and c.api_name in empty))

    @property
    def alternatives(self) -> tuple[Api, ...]:
        """The APIs that may read the module where this one does not, the cheapest first."""
        if self.api == "records":
            return ()
        if (
            self.api == "coql"
            or not self.api_availability.coql
            or self.module.generated_type == "field_tracker"
        ):
            return ("records",)
        return tuple(sorted(("records", "coql"), key=self.credits_of))

    def credits_of(self, api: Api) -> int:
        """What another API would take for the same rows."""
        return cost_of(
            api, MANY if self.rows is None else self.rows, self.valued, self.api_availability.coql
        ).credits

    @property
    def has_ranges(self) -> bool:
        """Whether Created_Time may tell the records apart, and COQL whether each has one.

        Not where the last reading had another number of rows than Zoho counts: whatever the reason is.
        """
        own = [c for c in self.columns if c.api_name == CREATED_TIME and c.kind is ColumnType.TIMESTAMP]
        plain = any(c.masking_rule is None and not c.refused for c in own)
        whole = self.window == Window() and not (self.synced and self.synced.difference)
        return plain and whole and bool(self.api_availability.coql)

    def has(self, api_name: str) -> bool:
        return any(c.api_name == api_name for c in self.columns)

    def column(self, api_name: str) -> Column:
        return next(c for c in self.columns if c.api_name == api_name)

    def with_api(self, api: Api, reason: str) -> Plan:
        """The same module read by another API."""
        return replace(self, api=api, reason=reason)

    def drop_fields(self, names: set[str]) -> Plan:
        """The same plan without fields that an API refuses."""
        return replace(self, columns=tuple(c for c in self.columns if c.api_name not in names))


def unknown_types(plan: Plan) -> list[str]:
    """Sentences for the fields whose type nobody has met."""
    return [
        f"field {c.api_name} has the unknown type {c.field.data_type!r}; it is read as {column_type_of(c.field).dlt_type}"
        for c in plan.columns
        if c.api_name not in ("id", "Tag") and not is_known_type(c.field)
    ]


def visibility_criteria(plan: Plan, refused: Collection[str] = ()) -> list[str]:
    """The flag that a query has to name, or Zoho may leave out converted leads; none of other modules."""
    flags = ["Converted__s"] if plan.has("Converted__s") else []
    if not flags and plan.module.api_name == "Leads":
        flags = ["$converted"]
    return [flag for flag in flags if flag not in refused]
