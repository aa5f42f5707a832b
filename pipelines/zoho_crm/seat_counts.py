"""The table `seat_counts`: what the account pays for and who uses it, one row a run; `org` and `users` hold only today."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sources.zoho_crm.account import keep_rows
from sources.zoho_crm.endpoints import Endpoint, fields
from sources.zoho_crm.reading import Reading

SEAT_COUNTS = Endpoint(
    "seat_counts",
    "",
    "",
    fields(
        text="run_id edition",
        datetime="read_at paid_until",
        bigint="licenses portal_licenses active inactive deleted unconfirmed",
        json="active_by_type",  # {"Regular User": 7, "Client Portal User": 1}
    ),
    each="module",  # rows have no id
)
ORG = {
    "edition": "license_details_paid_type",
    "paid_until": "license_details_paid_expiry",
    "licenses": "license_details_users_license_purchased",
    "portal_licenses": "license_details_portal_users_license_purchased",
}
USER = ("status", "confirm", "type__s")


@dataclass
class SeatCounts:
    """Counts while the files of `org` and `users` are there; costs no call, and no query."""

    run_id: str
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)  # table -> what was found in it
    readings: list[Reading] = field(default_factory=list)

    def look(self, readings: Iterable[Reading]) -> None:
        """Before the files are landed and thrown away."""
        for reading in readings:
            if reading.plan is None and reading.spooled is not None and reading.table in ("org", "users"):
                rows = _rows(reading, [*ORG.values()] if reading.table == "org" else USER)
                self.seen[reading.table] = _licence(rows) if reading.table == "org" else _people(rows)
                self.readings.append(reading)

    def log(self, folder: Path) -> list[Reading]:
        """The row of this run as a reading to append; none if neither table came well."""
        good = [r for r in self.readings if r.status == "read"]
        if not good:
            return []
        row: dict[str, Any] = {"run_id": self.run_id, "read_at": _spell(good[-1].finished)}
        for reading in good:
            row.update(self.seen[reading.table])
        reading = Reading("seat_counts", "seat_counts", "", "")
        return [keep_rows(reading, SEAT_COUNTS, [row], folder, {})]


def _rows(reading: Reading, names: Sequence[str]) -> list[dict[str, Any]]:
    """The rows by Zoho's keys."""
    assert reading.spooled is not None
    there = set(pq.read_schema(reading.spooled.path).names)
    columns = {c.api_name: c.name for c in reading.columns if c.api_name in names and c.name in there}
    rows = pq.read_table(reading.spooled.path, columns=[*columns.values()]).to_pylist()
    return [{name: row[column] for name, column in columns.items()} for row in rows]


def _licence(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    org = rows[0] if rows else {}
    found = {name: org.get(key) for name, key in ORG.items()}
    return {**found, "paid_until": _spell(found["paid_until"])}


def _people(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Deactivated users are `inactive` or `disabled` at Zoho; both need no seat."""
    active = [row for row in rows if row.get("status") == "active"]
    deleted = sum(row.get("status") == "deleted" for row in rows)
    return {
        "active": len(active),
        "deleted": deleted,
        "inactive": len(rows) - len(active) - deleted,
        "unconfirmed": sum(row.get("confirm") is False for row in active),
        "active_by_type": dict(Counter(str(row.get("type__s") or "Regular User") for row in active)),
    }


def _spell(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
