"""What the account has bought and who uses it: seats, users and their last activity, and API credits a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..freshness import DestinationView, Freshness, parse_json

REGULAR, PORTAL = "Regular User", "Client Portal User"
COLUMNS = (
    "read_at",
    "edition",
    "paid_until",
    "licenses",
    "portal_licenses",
    "active",
    "inactive",
    "unconfirmed",
    "active_by_type",
)
ACTIVITY = (("created_by__id", "created_time"), ("modified_by__id", "modified_time"))
NONE_FOUND = "none found"
AGES = (("in the last 7 days", 7), ("8 to 30 days ago", 30), ("31 to 90 days ago", 90))


def credit_limit(view: DestinationView) -> int | None:
    """The account's limit of API credits a day."""
    names = ("license_details_paid_type", "license_details_users_license_purchased")
    rows = view.rows("org", names)
    return view.service.credits_a_day(*(rows[0][name] for name in names)) if rows else None


def share(part: int, whole: int) -> str:
    """`0.7%`; `less than 0.1%` for what would be rounded to nothing."""
    return f"{part / whole:.1%}" if part * 1000 >= whole else "less than 0.1%"


@dataclass(frozen=True)
class SeatCount:
    """Licences and users at one time; what Zoho did not tell is None."""

    read_at: datetime
    edition: str | None
    paid_until: datetime | None
    licenses: int | None
    portal_licenses: int | None
    active: int | None
    inactive: int | None
    unconfirmed: int | None
    active_by_type: Mapping[str, int]

    @property
    def used(self) -> int | None:
        """Users that hold a user licence: the active ones of type Regular User, invited ones included."""
        return None if self.active is None else self.active_by_type.get(REGULAR, 0)

    @property
    def portal_used(self) -> int | None:
        return None if self.active is None else self.active_by_type.get(PORTAL, 0)

    @property
    def others(self) -> int | None:
        """Active users of types that need neither licence."""
        known = (self.active, self.used, self.portal_used)
        return None if None in known else known[0] - known[1] - known[2]  # type: ignore[operator]


def seat_counts(view: DestinationView) -> list[SeatCount]:
    """What the runs counted, the oldest first."""
    rows = [row for row in view.rows("seat_counts", COLUMNS) if row["read_at"]]
    rows.sort(key=lambda row: row["read_at"].timestamp())
    return [SeatCount(**{**row, "active_by_type": parse_json(row["active_by_type"]) or {}}) for row in rows]


@dataclass(frozen=True)
class User:
    """A user that holds a licence."""

    name: str
    confirmed: bool
    last_activity: datetime | None


def licensed_users(view: DestinationView, tables: Sequence[Freshness]) -> list[User]:
    """The users that hold a licence, the longest idle first.

    Their last activity is the newest time at which they created, changed or deleted a record, in the tables.
    """
    names = ("id", "full_name", "status", "type_s", "confirm")
    rows = [
        row
        for row in view.rows("users", names)
        if row["status"] == "active" and (row["type_s"] or REGULAR) == REGULAR
    ]
    if not rows:
        return []
    columns = [(t.table, key, time) for t in tables if t.is_module for key, time in ACTIVITY]
    newest = view.warehouse.newest([*columns, ("deleted_records", "deleted_by__id", "deleted_time")])
    users = [
        User(" ".join(str(r["full_name"] or r["id"]).split()), r["confirm"] is not False, newest.get(r["id"]))
        for r in rows
    ]
    return sorted(users, key=lambda u: (u.last_activity.timestamp() if u.last_activity else 0, u.name))


def by_last_activity(users: Sequence[User], now: datetime) -> list[tuple[str, int]]:
    """How many users were last active when."""
    counts: dict[str, int] = dict.fromkeys([*(words for words, _ in AGES), "longer ago", NONE_FOUND], 0)
    for user in users:
        counts[_age(user.last_activity, now)] += 1
    return list(counts.items())


def _age(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return NONE_FOUND
    return next((words for words, days in AGES if now - moment < timedelta(days=days + 1)), "longer ago")


def changed_counts(counts: Sequence[SeatCount]) -> list[SeatCount]:
    """The first count, each that differs from the one before, and the last."""

    def values(count: SeatCount) -> Any:
        return {**vars(count), "read_at": None}

    kept = [
        count
        for before, count in zip([None, *counts], counts, strict=False)
        if before is None or values(count) != values(before)
    ]
    return [*kept, *([counts[-1]] if counts and counts[-1] is not kept[-1] else [])]
