"""What `seats` says: each user with the licence they hold and their last activity, and what can be given back."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sources.zoho_crm.exceptions import SettingsError

from ..console import Console, counted
from ..options import Options
from ..safe_text import redact
from ..streams import printing
from .freshness import DestinationView, FreshnessService, format_time
from .licences import Seat, idle_for, licence_holders, licences_bought, read_seats, read_until

PERIODS = (30, 60, 90)  # days
COLUMNS = (
    "name",
    "email",
    "role",
    "profile",
    "type",
    "licence",
    "status",
    "created",
    "last activity",
    "activity",
    "days idle",
)
FACTS = (
    "user_id",
    "name",
    "email",
    "role",
    "profile",
    "type",
    "licence",
    "status",
    "confirmed",
    "created",
    "last_activity",
    "activity",
    "days_idle",
)
SPARE = ("type", "email", "created", "profile", "role", "activity", "status")
DEFINITIONS = (
    (
        "last activity: the newest time at which the user created, changed or deleted a record, or at which a record"
        " that they own was created, by anybody; the column activity says which, and in which table. Signing in and"
        " reading leave no trace in the tables"
    ),
    "days idle: from the last activity, or from the creation of the user if that is later, until the last run",
    "licences used: active users of type Regular User, invited ones included; bought: the licence details of org",
    "idle for N days: users that hold a user licence and were idle for N days or more",
)


def print_seats(console: Console, view: DestinationView, options: Options) -> int:
    """The list, the sums, and what they mean. Raises SettingsError without the table of users."""
    seats = read_seats(view, FreshnessService(view, options).tables())
    if not seats:
        raise SettingsError(
            f"The table users is not in the {view.place}, or empty: a run that reads users fills it."
        )
    shown = seats if options.idle is None else idle_for(seats, options.idle)
    if options.log_format == "csv":
        with printing():
            sys.stdout.write(redact(_csv(shown)))
        return 0
    until = read_until(view)
    console.text(f"The {view.place}, as of the last run at {format_time(until)} UTC; all times are UTC.")
    console.text()
    console.table(COLUMNS, [_cells(seat) for seat in shown], SPARE)
    for seat in shown:
        console.event("seat", facts(seat))
    sums = _sums(seats, licences_bought(view), options.price)
    console.paragraph("Licences", _lines(sums))
    if unknown := [s.name for s in licence_holders(seats) if s.idle is None]:
        console.text(
            f"Neither activity nor creation is known of {', '.join(unknown)}: they count as not idle."
        )
    console.paragraph("How it is counted", DEFINITIONS)
    console.text()
    more = {"idle_days": options.idle, "shown": len(shown)} if options.idle is not None else {}
    as_of = until.isoformat(timespec="seconds")
    console.event("summary", {**sums, **more, "place": view.place, "at": as_of, "definitions": DEFINITIONS})
    console.last(_last_line(sums))
    return 0


def facts(seat: Seat) -> dict[str, Any]:
    """A user for a program, with the keys that are the columns of the CSV, too."""
    values = {name: getattr(seat, name) for name in FACTS}
    return {n: v.isoformat(timespec="seconds") if isinstance(v, datetime) else v for n, v in values.items()}


def _sums(seats: Sequence[Seat], bought: int | None, price: Decimal | None) -> dict[str, Any]:
    used = len(licence_holders(seats))
    counts: dict[str, int | None] = {
        "bought": bought,
        "used": used,
        "free": None if bought is None else bought - used,
        **{f"idle_{days}": len(idle_for(seats, days)) for days in PERIODS},
    }
    if price is None:
        return counts
    costs = {f"{name}_cost": None if n is None else str(n * price) for name, n in counts.items()}
    return {**counts, "price": str(price), **costs}


def _lines(sums: dict[str, Any]) -> list[str]:
    words = {"bought": "bought", "used": "used", "free": "free (bought less used)"}
    words |= {f"idle_{days}": f"idle for {days} days or more" for days in PERIODS}
    lines = []
    for name, meaning in words.items():
        number = "not known" if sums[name] is None else f"{sums[name]:,}"
        cost = sums.get(f"{name}_cost")
        lines.append(f"{meaning}: {number}" + (f", {Decimal(cost):,}" if cost is not None else ""))
    if "price" in sums:
        lines.append(f"at {Decimal(sums['price']):,} a licence")
    return lines


def _last_line(sums: dict[str, Any]) -> str:
    bought = (
        "a number of licences that is not known" if sums["bought"] is None else f"{sums['bought']:,} bought"
    )
    idle = ", ".join(f"{sums[f'idle_{days}']:,} for {days} days" for days in PERIODS)
    return f"{counted(sums['used'], 'user licence')} used of {bought}; idle: {idle}."


def _cells(seat: Seat) -> tuple[Any, ...]:
    return (
        seat.name,
        seat.email,
        seat.role,
        seat.profile,
        seat.type,
        seat.licence,
        seat.status if seat.confirmed else f"{seat.status}, invited",
        format_time(seat.created),
        format_time(seat.last_activity) or "none found",
        seat.activity,
        seat.days_idle,
    )


def _csv(seats: Sequence[Seat]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, FACTS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(facts(seat) for seat in seats)
    return text.getvalue()
