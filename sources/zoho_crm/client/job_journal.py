"""Remembers Bulk Read jobs, so that a run that was killed need not pay twice. Their archives are kept nowhere."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

logger = logging.getLogger("zoho_crm")

# Zoho keeps a job's file and its page token for 24 hours. A reading that begins with an old job needs
# some hours of them for itself.
FRESH = timedelta(hours=20)
KEPT = timedelta(hours=24)

NAME = "jobs.jsonl"
OLD_ARCHIVES = ("*.zip", "*.part")  # that earlier versions kept beside the file
JOB_ID = re.compile(r"[0-9A-Za-z]{1,64}")  # it becomes a part of a URL
NO_JOB, BOUNDARIES = "0", "boundaries"


@dataclass(frozen=True)
class Entry:
    """A job that Zoho took; times are Zoho's."""

    key: str  # stands for the question that the job answers
    module: str
    job_id: str
    made: datetime
    until: datetime  # of the reading that made it: its rows hold every change before
    boundaries: tuple[datetime, ...] | None = None  # between a reading's ranges; then there is no such job

    def line(self) -> bytes:
        times = {"made": self.made.isoformat(), "until": self.until.isoformat()}
        entry: dict[str, Any] = {"key": self.key, "module": self.module, "job_id": self.job_id, **times}
        if self.boundaries is not None:
            entry["boundaries"] = [boundary.isoformat() for boundary in self.boundaries]
        return json.dumps(entry).encode() + b"\n"


def read_entries(content: bytes) -> list[Entry]:
    """The entries of a journal's file; a line that is torn, or not ours, is passed over."""
    entries = (_entry(line) for line in content.split(b"\n"))
    return [entry for entry in entries if entry is not None]


def _entry(line: bytes) -> Entry | None:
    try:
        kept = json.loads(line)
        key, module, job_id = kept["key"], kept["module"], kept["job_id"]
        made, until = (datetime.fromisoformat(kept[name]) for name in ("made", "until"))
        boundaries = kept.get("boundaries")
        boundaries = None if boundaries is None else tuple(map(datetime.fromisoformat, boundaries))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    texts = all(isinstance(text, str) for text in (key, module, job_id))
    zones = [time.tzinfo for time in (made, until, *(boundaries or ()))]
    if not texts or not JOB_ID.fullmatch(job_id) or None in zones:
        return None
    return Entry(key, module, job_id, made, until, boundaries)


class Journal:
    """The jobs that no load has finished yet, in a folder that outlives the run; threads share it.

    Where its file cannot be written, the run goes on and remembers no job.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, folder / NAME
        self._lock = threading.Lock()
        content = b""
        with suppress(OSError):  # there is none, or the next one to write says why
            content = self._file.read_bytes()
        self._entries = {entry.key: entry for entry in read_entries(content)}
        self._clean = content == self._content()  # then a line can be appended
        self._warned = False

    def find(self, key: str, now: datetime) -> Entry | None:
        """The job that answers a question, if it is young enough to be used again."""
        with self._lock:
            entry = self._entries.get(key)
        return entry if entry and _is_younger(entry, FRESH, now) else None

    def begun(self, module: str, now: datetime) -> datetime | None:
        """Up to when a reading of this module was to reach that made jobs and was not finished."""
        with self._lock:
            ends = [
                e.until for e in self._entries.values() if e.module == module and _is_younger(e, FRESH, now)
            ]
        return max(ends, default=None)

    def keep(self, entry: Entry) -> None:
        """Remember a job, in place of an earlier one for the same question. On disk when this returns."""
        if not JOB_ID.fullmatch(entry.job_id):
            return
        with self._lock:
            self._entries[entry.key] = entry
            self._write(self._append if self._clean else self._rewrite, entry.line())

    def drop(self, key: str) -> None:
        """Forget a job that brought nothing good."""
        self._forget(lambda entry: entry.key == key)

    def done(self, module: str, until: datetime | None = None) -> None:
        """Forget a module's jobs, once their rows have landed; with `until`, those of readings up to then."""
        self._forget(lambda entry: entry.module == module and (until is None or entry.until <= until))

    def tidy(self, now: datetime) -> None:
        """Forget what Zoho no longer honours, and remove the archives that an earlier version has kept."""
        self._forget(lambda entry: not _is_younger(entry, KEPT, now))
        for path in (path for pattern in OLD_ARCHIVES for path in self._folder.glob(pattern)):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _forget(self, which: Callable[[Entry], bool]) -> None:
        with self._lock:
            gone = [entry for entry in self._entries.values() if which(entry)]
            for entry in gone:
                del self._entries[entry.key]
            if gone:
                self._write(self._rewrite, b"")

    def _write(self, write: Callable[[bytes], None], line: bytes) -> None:
        self._clean = False  # until it is written: half a line may be on disk
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write(line)
            self._clean = True
        except OSError as error:
            if not self._warned:
                logger.warning("Bulk Read jobs are not remembered: %s: %s", error.strerror, self._file)
            self._warned = True

    def _append(self, line: bytes) -> None:
        with self._file.open("ab") as file:
            file.write(line)
            _flush(file)

    def _rewrite(self, _: bytes) -> None:
        new = self._file.with_suffix(".new")
        with new.open("wb") as file:
            file.write(self._content())
            _flush(file)
        new.replace(self._file)

    def _content(self) -> bytes:
        return b"".join(entry.line() for entry in self._entries.values())


@dataclass(frozen=True)
class ModuleJobs:
    """The jobs in the journal that belong to one reading of a module."""

    journal: Journal
    module: str
    until: datetime  # the reading's own
    about: str  # what decides the rows beside a job's body: the account, and what its fields are

    def find(self, body: Mapping[str, Any], now: datetime) -> Entry | None:
        return self.journal.find(self._key(body), now)

    def keep(self, body: Mapping[str, Any], job_id: str, now: datetime) -> None:
        self.journal.keep(Entry(self._key(body), self.module, job_id, now, self.until))

    def drop(self, body: Mapping[str, Any]) -> None:
        self.journal.drop(self._key(body))

    def find_boundaries(self, now: datetime) -> tuple[datetime, ...] | None:
        """The boundaries of the ranges for which an earlier reading made its jobs; none where it had one range."""
        entry = self.journal.find(self._key(BOUNDARIES), now)
        return entry.boundaries if entry else None

    def keep_boundaries(self, boundaries: Iterable[datetime], now: datetime) -> None:
        key = self._key(BOUNDARIES)
        self.journal.keep(Entry(key, self.module, NO_JOB, now, self.until, tuple(boundaries)))

    def _key(self, body: Mapping[str, Any] | str) -> str:
        question = json.dumps([self.module, self.about, body], sort_keys=True)
        return hashlib.sha256(question.encode()).hexdigest()


def _is_younger(entry: Entry, age: timedelta, now: datetime) -> bool:
    """A job from the future is of a clock that was put back since."""
    return abs(now - entry.made) < age


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
