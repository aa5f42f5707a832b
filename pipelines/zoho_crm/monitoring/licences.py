"""What the account has bought and who uses it: seats, users and their last activity, and API credits a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .freshness import DestinationView, Freshness, parse_json

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
ACTIVE = "active"
# The column of the user, that of the time, and what the user did. Of equal times the first one counts.
ACTIVITY = (
    ("created_by__id", "created_time", "created"),
    ("modified_by__id", "modified_time", "changed"),
    ("owner__id", "created_time", "owns"),
)
DELETED_BY = "deleted_by__id"
VERBS = {**{key: verb for key, _, verb in ACTIVITY}, DELETED_BY: "deleted"}
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
class Seat:
    """A user, and what they were last active with."""

    user_id: str
    name: str
    email: str | None
    role: str | None
    profile: str | None
    type: str
    status: str | None
    confirmed: bool
    created: datetime | None
    last_activity: datetime | None
    activity: str | None  # `changed: deals`
    idle: timedelta | None  # None if no time of theirs is known

    @property
    def licence(self) -> str | None:
        """What the user holds: `user`, `portal`, or none."""
        held = {REGULAR: "user", PORTAL: "portal"}.get(self.type)
        return held if self.status == ACTIVE else None

    @property
    def days_idle(self) -> int | None:
        return None if self.idle is None else max(0, self.idle.days)


USER_COLUMNS = ("id", "full_name", "email", "status", "type_s", "confirm", "created_time")


def read_seats(view: DestinationView, tables: Sequence[Freshness]) -> list[Seat]:
    """All users: those that hold a licence first, and the longest idle of them."""
    rows = view.rows("users", (*USER_COLUMNS, "role__id", "profile__id"))
    if not rows:
        return []
    roles, profiles = (
        {row["id"]: row["name"] for row in view.rows(name, ("id", "name"))} for name in ("roles", "profiles")
    )
    columns = [(t.table, key, time) for t in tables if t.is_module for key, time, _ in ACTIVITY]
    newest = view.warehouse.newest([*columns, ("deleted_records", DELETED_BY, "deleted_time")])
    until = read_until(view)
    seats = []
    for row in rows:
        last = newest.get(row["id"])
        known = [moment for moment in (row["created_time"], last and last.time) if moment]
        seats.append(
            Seat(
                user_id=row["id"],
                name=" ".join(str(row["full_name"] or row["id"]).split()),
                email=row["email"],
                role=roles.get(row["role__id"], row["role__id"]),
                profile=profiles.get(row["profile__id"], row["profile__id"]),
                type=row["type_s"] or REGULAR,
                status=row["status"],
                confirmed=row["confirm"] is not False,
                created=row["created_time"],
                last_activity=last.time if last else None,
                activity=f"{VERBS[str(last.key_column)]}: {last.table}" if last else None,
                idle=until - max(known) if known else None,
            )
        )
    return sorted(seats, key=_longest_idle_first)


def _longest_idle_first(seat: Seat) -> tuple[Any, ...]:
    last = seat.last_activity.timestamp() if seat.last_activity else 0
    return (seat.licence != "user", seat.licence is None, seat.status or "", last, seat.name, seat.user_id)


def read_until(view: DestinationView) -> datetime:
    """Up to when the tables tell of activity: when the last run read the modules, by Zoho's clock."""
    return max((state.until for state in view.state.synced.values() if state.until), default=view.now)


def licence_holders(seats: Sequence[Seat]) -> list[Seat]:
    """The users that hold a user licence, the longest idle first."""
    return [seat for seat in seats if seat.licence == "user"]


def idle_for(seats: Sequence[Seat], days: int) -> list[Seat]:
    """Those that hold a user licence and were idle for so many days or more."""
    return [seat for seat in licence_holders(seats) if seat.days_idle is not None and seat.days_idle >= days]


def licences_bought(view: DestinationView) -> int | None:
    rows = view.rows("org", ["license_details_users_license_purchased"])
    return rows[0]["license_details_users_license_purchased"] if rows else None


def by_last_activity(users: Sequence[Seat], now: datetime) -> list[tuple[str, int]]:
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
