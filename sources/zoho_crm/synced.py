"""What the pipeline's state remembers of a module that was loaded: how far, and when it was last proven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

Keeps = Literal["hard", "soft", "history"]  # a deleted record leaves, is marked, or closes its last version


@dataclass(frozen=True)
class Synced:
    """One module's entry. All times are Zoho's; the table holds every change before `until`."""

    until: datetime
    filled: tuple[str, ...] = ()  # the columns that were read for every row
    refused: tuple[str, ...] = ()  # API names of the fields that an API refused: they have no column
    keeps: Keeps = "hard"
    computed_at: datetime | None = None  # when computed fields were last read for every row
    verified_at: datetime | None = None  # when every id was last compared
    counted_at: datetime | None = None  # when Zoho's count was last compared
    difference: int = 0  # rows that the table holds more than Zoho counts, not yet explained
    difference_at: datetime | None = None  # since when
    explained: int = 0  # a difference that a comparison of every id has shown to be the count's own

    def to_state(self) -> dict[str, Any]:
        """For dlt's state: JSON, times in ISO 8601, without what is not set."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in values.items()
            if value is not None
        }


def from_state(entry: Mapping[str, Any]) -> Synced | None:
    """The entry of one module; None for one that cannot be read, so that the module is read whole."""
    known = {field.name for field in fields(Synced)}
    values = {name: value for name, value in entry.items() if name in known}
    try:
        for name in ("until", "computed_at", "verified_at", "counted_at", "difference_at"):
            if name in values:
                values[name] = datetime.fromisoformat(values[name])
        values.update({name: tuple(values.get(name, ())) for name in ("filled", "refused")})
        return Synced(**values)
    except (TypeError, ValueError):
        return None
