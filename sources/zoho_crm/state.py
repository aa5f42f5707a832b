"""What the pipeline's state remembers of a module that was loaded: how far, and when it was last proven."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timezone
from heapq import nlargest
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


MOST_DELETED = 500  # deleted records of a module, some 10 kB: each run asks for them by id, 100 a call


@dataclass(frozen=True)
class RecentlyDeleted:
    """Records of a module that were deleted lately, and that may come back from the recycle bin.

    Restoring a record moves no time of it, and the list of deletions names it no more: it is asked for by its id.
    """

    days: Mapping[str, date] = field(
        default_factory=dict
    )  # id -> when it was deleted, in UTC; the newest first
    dropped: date | None = None  # when the newest was deleted of those for which there was no room

    def after(
        self, deleted: Mapping[str, datetime], purged: Collection[str], since: datetime
    ) -> RecentlyDeleted:
        """With these deletions, too, and without those before `since` and those that left the recycle bin."""
        latest = nlargest(MOST_DELETED + len(purged) + 1, ((at, id) for id, at in deleted.items()))
        days = dict(self.days)
        for at, id in latest:
            day = at.astimezone(timezone.utc).date()
            days[id] = max(day, days.get(id, day))
        known = ((day, id) for id, day in days.items())
        first = since.astimezone(timezone.utc).date()
        newest = nlargest(
            MOST_DELETED + 1, (one for one in known if one[0] >= first and one[1] not in purged)
        )
        dropped = [day for day, _ in newest[MOST_DELETED:]]
        dropped += [self.dropped] if self.dropped is not None and self.dropped >= first else []
        return RecentlyDeleted({id: day for day, id in newest[:MOST_DELETED]}, max(dropped, default=None))

    def to_state(self) -> dict[str, Any]:
        """For dlt's state: the ids by day."""
        ids: dict[str, list[str]] = {}
        for id, day in self.days.items():
            ids.setdefault(day.isoformat(), []).append(id)
        return {"ids": ids, **({"dropped": self.dropped.isoformat()} if self.dropped else {})}


def recently_deleted_from(entry: Any) -> RecentlyDeleted | None:
    """What the state remembers of a module's deletions; None for an entry that cannot be read."""
    try:
        days = {
            id: date.fromisoformat(day)
            for day, ids in entry["ids"].items()
            for id in _names(ids)
            if id.isdecimal()
        }
        dropped = entry.get("dropped")
        return RecentlyDeleted(days, None if dropped is None else date.fromisoformat(dropped))
    except (TypeError, ValueError, KeyError, AttributeError):
        return None


def _instant(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return moment


def _names(values: Any) -> tuple[str, ...]:
    if not isinstance(values, (list, tuple)) or not all(isinstance(name, str) for name in values):
        raise TypeError(f"{values!r} are no names")
    return tuple(values)
