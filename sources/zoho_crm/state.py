"""What the pipeline's state remembers of a module that was loaded: how far, and when it was last proven."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, get_args

DeletionMode = Literal[
    "hard", "soft", "history"
]  # a deleted record leaves, is marked, or closes its last version


NAMES = ("filled", "empty", "private", "filters")
LAYOUT = 2  # of tables that this version writes
TIMES = (
    "until",
    "computed_at",
    "verified_at",
    "counted_at",
    "difference_at",
    "deletions_read_at",
    "deletions_refused_since",
    "uncounted_since",
)


@dataclass(frozen=True)
class ModuleState:
    """One module's entry. All times are Zoho's; the table holds every change before `until`."""

    until: datetime
    filled: tuple[str, ...] = ()  # marks of the columns that were read for every row
    empty: tuple[
        str, ...
    ] = ()  # API names of fields that an API refused, and that had no value in any record
    keeps: DeletionMode = "hard"
    computed_at: datetime | None = None  # when computed fields were last read for every row
    verified_at: datetime | None = None  # when it was last read whole
    counted_at: datetime | None = None  # when Zoho's count was last compared
    difference: int = 0  # rows that the table holds more than Zoho counts, not yet explained
    difference_at: datetime | None = None  # since when; None if the count may just be late
    hides_converted: bool = False  # the count leaves these out, as a whole reading has shown
    counts_partly: bool = False  # Zoho refused to count converted and unapproved records, too
    private: tuple[str, ...] = ()  # what was done to which fields: `Email: hash 1f2e...`
    filters: tuple[str, ...] = ()  # that its rows have passed
    deletions_read_at: datetime | None = None  # when Zoho's list of deletions was last read
    deletions_refused_since: datetime | None = None  # while Zoho refuses that list
    uncounted_since: datetime | None = None  # while Zoho gives no count
    layout: int = 1  # of the table; since 2, values that its columns do not hold are in `rejected_values`
    explained: int = 0  # a difference that a whole reading has shown to be the count's own

    def to_state(self) -> dict[str, Any]:
        """For dlt's state: JSON, times in ISO 8601, without what is not set."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in values.items()
            if value is not None
        }


def from_state(entry: Any) -> ModuleState | None:
    """The entry of one module; None for one that cannot be read, so that the module is read whole."""
    try:
        values = {field.name: entry[field.name] for field in fields(ModuleState) if field.name in entry}
        values.update({name: _instant(values[name]) for name in TIMES if name in values})
        values.update({name: _names(values.get(name, [])) for name in NAMES})
        known = ModuleState(**values)
    except (TypeError, ValueError):
        return None
    numbers = all(type(number) is int for number in (known.difference, known.explained, known.layout))
    return known if numbers and known.keeps in get_args(DeletionMode) else None


def _instant(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return moment


def _names(values: Any) -> tuple[str, ...]:
    if not isinstance(values, (list, tuple)) or not all(isinstance(name, str) for name in values):
        raise TypeError(f"{values!r} are no names")
    return tuple(values)
