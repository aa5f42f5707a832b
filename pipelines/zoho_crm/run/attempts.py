"""Runs that were stopped, as long as the destination does not know of them: lines in the pipeline's folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .lock import Holder, holder_of, lock_file

if TYPE_CHECKING:
    from ..monitoring.history import Entry

MOST = 200  # lines that are kept while the destination cannot be reached


@dataclass(frozen=True)
class Attempt:
    """A run that was stopped."""

    run_id: str
    reason: str  # `exit code 3`
    error: str
    started_at: datetime
    finished_at: datetime
    calls: int | None = None
    credits: int | None = None

    def row(self) -> dict[str, Any]:
        times = {name: getattr(self, name).isoformat() for name in ("started_at", "finished_at")}
        run = {f"run_{name}": time for name, time in times.items()}
        return {**asdict(self), "module": None, "status": "failed", **times, **run}


def load_attempts(place: str, name: str) -> list[Attempt]:
    """Those that no destination has, oldest first; with them the run that was killed since, if one was."""
    found = []
    with suppress(OSError):
        for line in attempts_file(place, name).read_text(encoding="utf-8").splitlines():
            with suppress(ValueError, TypeError, KeyError):
                values = json.loads(line)
                times = {at: datetime.fromisoformat(values[at]) for at in ("started_at", "finished_at")}
                found.append(Attempt(**{**values, **times}))
    holder = holder_of(lock_file(place, name))
    if holder is not None and not holder.is_alive:
        found.append(_killed(holder))
    return found


def stopped_words(stop: Attempt | Entry) -> str:
    """What is to be said of a run that was stopped."""
    return f"The last run, {stop.started_at:%Y-%m-%d %H:%M} UTC, was stopped ({stop.reason}): {stop.error}"


def save_killed_run(place: str, name: str, holder: Holder | None) -> None:
    """A run died with the lock, which the next one has found."""
    if holder is not None:
        keep(place, name, [*load_attempts(place, name), _killed(holder)])


def _killed(holder: Holder) -> Attempt:
    words = f"it was killed, or the machine went down (process {holder.process} on {holder.machine})"
    name = f"killed-{holder.process}-{holder.since:%Y%m%dT%H%M%S}"
    return Attempt(name, "killed", words, holder.since, holder.since)


def keep(place: str, name: str, attempts: Iterable[Attempt]) -> None:
    """The newest lines, in the place of those before; a folder that cannot be written keeps none."""
    lines = [json.dumps(asdict(attempt), default=str) for attempt in attempts][-MOST:]
    file = attempts_file(place, name)
    new = file.with_suffix(".new")
    with suppress(OSError):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            new.write_text("\n".join(lines) + "\n", encoding="utf-8")
            new.replace(file)
        finally:
            new.unlink(missing_ok=True)


def attempts_file(place: str, name: str) -> Path:
    return Path(place, f"{name}.attempts")
