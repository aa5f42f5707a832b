"""What the pipeline's state remembers of APIs: the fields that one refused, and the modules that one failed to read."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..models import Field

FIELD_HOLDS = timedelta(days=30)  # then the field is asked for again, which costs little
FAILURE_HOLDS = timedelta(hours=36)  # more than a day, so that a nightly run does not try each time
LONGEST = timedelta(days=14)  # a failure that comes back is remembered twice as long each time, up to this
KEYS = ("id", "Modified_Time")  # asked for each time: rows are told apart by them


def refused_by(entry: Mapping[str, Any], field: Field, now: datetime) -> frozenset[str]:
    """The APIs that refused the field lately, if it is still the same one. `entry` is a module's."""
    found = set()
    for api, fields in _part(entry, "fields").items():
        known = fields.get(field.api_name) if isinstance(fields, Mapping) else None
        if isinstance(known, Mapping) and known.get("field") == identity(field):
            at = _instant(known.get("at"))
            if at is not None and abs(now - at) < FIELD_HOLDS:
                found.add(api)
    return frozenset(found)


def failing(entry: Mapping[str, Any], now: datetime) -> dict[str, str]:
    """The APIs that failed to read the module lately, with when and why."""
    found = {}
    for api, known in _part(entry, "failed").items():
        at = _instant(known.get("at")) if isinstance(known, Mapping) else None
        if at is not None and timedelta() <= now - at < _holds(known):
            found[api] = f"failed on {at:%Y-%m-%d %H:%M} ({known.get('why')})"
    return found


@dataclass(frozen=True)
class ApiOutcome:
    """What one reading has learned of the APIs."""

    refused: Mapping[tuple[str, str], Field]  # by API and name
    failed: Mapping[str, str]  # API -> why
    worked: str | None  # the API that has read the module well


def remember(state: MutableMapping[str, Any], module: str, learned: ApiOutcome, now: datetime) -> None:
    """Keep it in the state of the source; twice the same is once."""
    refused, failed, worked = learned.refused, learned.failed, learned.worked
    known = state.get("refusals", {}).get(module, {})
    if not refused and not failed and worked not in _part(known, "failed"):
        return
    entry = state.setdefault("refusals", {}).setdefault(module, {})
    at = now.isoformat(timespec="seconds")
    for (api, name), field in refused.items():
        if name not in KEYS:
            entry.setdefault("fields", {}).setdefault(api, {})[name] = {"field": identity(field), "at": at}
    for api, why in failed.items():
        before = entry.setdefault("failed", {}).get(api, {})
        if before.get("at") != at:
            entry["failed"][api] = {"at": at, "why": why, "times": _times(before) + 1}
    if worked is not None and worked not in failed:
        entry.get("failed", {}).pop(worked, None)


def identity(field: Field) -> str:
    """What tells a field from another one of the same name."""
    return f"{field.raw.get('id') or ''} {field.data_type}"


def _holds(known: Mapping[str, Any]) -> timedelta:
    doubled = min(max(_times(known) - 1, 0), 8)
    return min(LONGEST, FAILURE_HOLDS * (1 << doubled))


def _times(known: Mapping[str, Any]) -> int:
    times = known.get("times", 0)
    return times if type(times) is int else 0


def _part(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = entry.get(name, {}) if isinstance(entry, Mapping) else {}
    return part if isinstance(part, Mapping) else {}


def _instant(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo is not None else None
