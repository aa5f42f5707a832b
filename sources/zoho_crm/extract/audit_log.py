"""Reads the audit log, who did what, by Zoho's export jobs: one window of time after the other, one job at a time.

Zoho documents the calls, and of the file only that it is a CSV, or a zip of several: no column, no format of times and
no id of an entry. So headers are known in several spellings, and what nobody has met is a column of its own.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import sys
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from .. import limits
from ..client.client import AUDIT_EXPORT, ZohoClient
from ..client.job_journal import ModuleJobs
from ..client.progress import ProgressCallback
from ..client.responses import rows_in
from ..discovery.account_tables import AUDIT_LOG
from ..exceptions import CredentialsError, ExtractError, NotAvailableError, Retriable, ZohoCrmError, ZohoError
from ..models import Field, MaskingRule, Module
from ..planning.cost import poll_pause
from ..state import ModuleState
from ..transform.arrow_tables import records_table
from ..transform.column_types import Column
from ..transform.naming import Remembered, name_columns, unique
from ..transform.parquet_writer import write_parquet
from ..transform.privacy_rules import STRICTEST, PrivacyRules
from .bulk_read.archive import Archive
from .bulk_read.job import JobFailed
from .bulk_read.reader import download
from .extractor import ExtractResult

KEY = AUDIT_LOG.key
# Ours, and the headers that are taken for it, without regard to case and to all but letters and digits.
HEADERS: Mapping[str, tuple[str, ...]] = {
    "audited_time": ("auditedtime", "time", "datetime", "date", "timestamp", "doneon", "performedon"),
    "Done_By": ("donebyid", "userid", "performedbyid"),
    "done_by_name": ("donebyname", "doneby", "username", "user", "performedby"),
    "action": ("action", "actionname", "actiontype", "operation", "activity"),
    "module": ("module", "modulename", "moduleapiname"),
    "record_id": ("recordid", "entityid"),
    "record_name": ("recordname", "record", "entityname", "entity"),
    "source": ("source", "client", "channel"),
    "ip_address": ("ipaddress", "ip", "clientip"),
    "details": ("details", "description", "changes"),
}
NEEDED = ("audited_time", "action")  # a file without these is no audit log
# By these columns an entry is known again; of entries that are equal in all of them each has a number.
ENTRY = ("audited_time", "Done_By", "done_by_name", "action", "module", "record_id", "record_name")
# What tells no value of a record, so that it lands whatever the rules of privacy are.
IMPERSONAL = ("id", "audited_time", "Done_By", "action", "module", "record_id")
USERS = Module("users")
ACTION_WORDS = frozenset(
    {
        "add", "added", "create", "created", "insert", "inserted", "update", "updated", "edit", "edited",
        "delete", "deleted", "remove", "removed", "mass", "bulk", "import", "imported", "export", "exported",
        "convert", "converted", "conversion", "lead", "leads", "restore", "restored", "rollback", "rolled",
        "back", "merge", "merged", "deduplicate", "deduplicated", "duplicate", "duplicates", "find", "and",
        "from", "to", "in", "of", "the", "recycle", "bin", "record", "records", "permanently", "clone",
        "cloned", "transfer", "transferred", "change", "changed", "owner",
    }
)  # fmt: skip
TIME_FORMATS = ("%b %d, %Y %I:%M %p", "%b %d, %Y %I:%M:%S %p")  # as Zoho's own pages show times
FINISHED = frozenset({"finished", "completed"})
FAILED = ("fail", "cancel", "abort", "error")  # in the word of a status
# An entry may be listed late. To read it again costs nothing: entries are known by their key.
OVERLAP = timedelta(hours=1)
JOBS_PER_WINDOW = 2  # a job that fails, or whose links have expired, is made once more
BUSY = 30.0  # seconds until a job is asked for again while Zoho works on another one
BATCH = 20_000  # rows that are Python objects at once
AT_WORK = "Zoho works on an export of the audit log"
REMEDY = (
    "the audit log takes the scopes {scopes} (`authorize --audit-log` asks for them) and a user with the profile"
    " Administrator or the role CEO, in an edition that has it"
)


@dataclass(frozen=True)
class AuditPeriod:
    """What is to be read: everything up to a time, or what was done since the last reading; by these rules."""

    until: datetime
    since: datetime | None = None  # None: as far back as Zoho goes
    rules: PrivacyRules = field(default_factory=PrivacyRules)

    @property
    def begin(self) -> datetime:
        """On a whole minute: of entries whose times have no seconds, equal ones are in one window."""
        first = self.until - timedelta(days=limits.AUDIT_DAYS)
        return max(first, (self.since or first) - OVERLAP).replace(second=0, microsecond=0)

    @property
    def windows(self) -> list[tuple[datetime, datetime]]:
        """Of as many days as a job may span."""
        step, found, start = timedelta(days=limits.AUDIT_DAYS_PER_JOB), [], self.begin
        while start < self.until:
            end = min(start + step, self.until)
            found.append((start, end))
            start = end
        return found

    @property
    def calls(self) -> int:
        """The user, and of each window a job, two questions for it and a download, or a third question."""
        return 1 + 4 * len(self.windows)

    @property
    def reason(self) -> str:
        if self.since is None:
            return "everything that Zoho keeps"
        return f"what was done since {self.begin:%Y-%m-%d %H:%M} UTC"


def private_words(rules: PrivacyRules) -> tuple[str, ...]:
    """What the state remembers of what is left out or changed; with other words the log is read whole again."""
    masking_rule = _name_rule(rules)
    names = (f"done_by_name: {masking_rule.word}",) if masking_rule else ()
    return (*names, "values of records: drop") if _hides(rules) else ()


def columns_of(
    rules: PrivacyRules, others: Sequence[str] = (), known: Remembered | None = None
) -> tuple[Column, ...]:
    """The columns that land: ours, and the headers that nobody has met.

    A rule, a choice of fields or a filter keeps values of records out. What the log tells of them is in texts, in
    which no field can be told from another: so none of these lands then.
    """
    fields = [*AUDIT_LOG.fields, *(Field(name, "text") for name in others)]
    masking_rule = _name_rule(rules)
    if _hides(rules):
        names = {*IMPERSONAL} | (
            {"done_by_name"} if masking_rule is None or masking_rule.how != "drop" else set()
        )
        fields = [f for f in fields if f.api_name in names]
    return name_columns(fields, known or {}, lambda f: masking_rule if f.api_name == "done_by_name" else None)


def _hides(rules: PrivacyRules) -> bool:
    return bool(rules.rules or rules.chosen or rules.filters)


def _name_rule(rules: PrivacyRules) -> MaskingRule | None:
    """What is done to the names of users, which may be addresses: the strictest that `users` has for these."""
    fields = [Field(name, "text") for name in ("full_name", "email")]
    if any(rules.why_not(USERS, f) for f in fields):
        return MaskingRule("drop")
    found = {rule.how: rule for f in fields if (rule := rules.masking_rule(USERS, f)) is not None}
    return next((found[how] for how in STRICTEST if how in found), None)


def read_audit_log(
    client: ZohoClient,
    period: AuditPeriod,
    known: Remembered,
    folder: Path,
    watch: ProgressCallback,
) -> ExtractResult:
    """Read a period; a user or an edition without the log is a skip, unless it was read before. Raises nothing.

    `known` are the columns of the table. A period that a run began and did not finish is read first: its jobs are
    there, and what came after it is left to the next time.
    """
    name = AUDIT_LOG.table
    reading = ExtractResult(name, name, "settings", period.reason)
    if name in client.service.lacks:
        return reading.end("skipped", client.service.lacks[name])
    client = client.with_usage(reading.usage, watch, name)
    journal = client.context.journal
    until = journal.begun(name, client.now()) if journal else None
    if until is not None and until < period.until:
        period = replace(period, until=until)
    private = private_words(period.rules)
    try:
        log = _Log(client, period, known, reading)
        reading.parquet_file = write_parquet(log.tables(), folder / f"{name}.parquet", key=None)
        reading.columns, reading.adds = log.columns, period.since is not None
        reading.read_at = period.until
        reading.synced = ModuleState(period.until, private=private)
        if private:
            reading.notes.remarks.append("rules are in force, so it holds no names and values of records")
        return reading.end("read")
    except ZohoCrmError as error:
        reading.skip_or_fail(error, loaded_before=bool(known))
        if isinstance(error, NotAvailableError):
            scopes = ", ".join(
                client.service.scope(f"settings.audit_logs.{word}") for word in ("CREATE", "READ")
            )
            reading.error = f"{reading.error}; {REMEDY.format(scopes=f'{scopes}, ZohoFiles.files.READ')}"
        return reading
    except Exception as error:  # noqa: BLE001 - one table's trouble never ends the others
        what = ExtractError(f"the audit log has an unknown form ({type(error).__name__})")
        return reading.fail(what if private and not isinstance(error, OSError) else error)


@dataclass
class _Log:
    """The rows of a period, and what is found out on the way."""

    client: ZohoClient
    period: AuditPeriod
    known: Remembered
    reading: ExtractResult
    columns: tuple[Column, ...] = ()
    others: tuple[str, ...] | None = None  # headers that nobody has met; None before the first file
    zone: ZoneInfo | None = None  # of the user whose token it is: of times without an offset
    without_file: list[tuple[datetime, datetime]] = field(default_factory=list)  # windows
    jobs: ModuleJobs | None = field(init=False)

    def __post_init__(self) -> None:
        journal, about = self.client.context.journal, self.client.context.auth.api_domain
        name = self.reading.name
        self.jobs = ModuleJobs(journal, name, self.period.until, about) if journal else None

    def tables(self) -> Iterator[pa.Table]:
        self._look_at_user()
        pending = self.period.windows
        while pending:
            start, end = pending.pop(0)
            with self._files_of(start, end) as archives:
                if not archives:
                    self.without_file.append((start, end))
                entries = sum(_count(archive) for archive in archives)
                half = ((end - start) / 2 + start).replace(second=0, microsecond=0)
                if entries >= limits.AUDIT_ENTRIES_PER_JOB and half > start:
                    pending[:0] = [(start, half), (half, end)]
                    continue
                if entries >= limits.AUDIT_ENTRIES_PER_JOB:
                    raise ExtractError(
                        f"Zoho exports {entries:,} entries of one minute, and more are not to be had"
                    )
                yield from self._rows(archives)
        if self.without_file:
            days = ", ".join(f"{start:%Y-%m-%d} to {end:%Y-%m-%d}" for start, end in self.without_file)
            self.reading.notes.remarks.append(f"Zoho gave no file of the audit log for {days}")
        if self.others is None:
            yield self._begin(())

    def _look_at_user(self) -> None:
        try:
            user = rows_in(self.client.get("users", {"type": "CurrentUser"}), "users")[0]
        except (ZohoError, IndexError) as error:
            if isinstance(error, (Retriable, CredentialsError)):
                raise
            return
        with suppress(KeyError, ValueError, OSError):  # a zone that nobody knows
            self.zone = ZoneInfo(str(user.get("time_zone") or ""))
        names = [(user.get(key) or {}).get("name") for key in ("profile", "role")]
        if names[0] != "Administrator" and names[1] != "CEO":
            self.reading.notes.remarks.append(
                f"the token's user is no administrator ({names[0]}): of such a user Zoho may give only the entries of"
                " that user and of subordinates"
            )

    # ---- jobs

    @contextmanager
    def _files_of(self, start: datetime, end: datetime) -> Iterator[list[Archive]]:
        """The files of a window, gone when they are read."""
        body, reason = _body(start, end), ""
        with tempfile.TemporaryDirectory(prefix="zoho-audit-", dir=self.client.context.temp_dir) as folder:
            for _ in range(JOBS_PER_WINDOW):
                try:
                    archives = self._bring(body, Path(folder))
                    break
                except JobFailed as failure:
                    reason = str(failure)
                    if self.jobs:
                        self.jobs.drop(body)
            else:
                raise ExtractError(reason)
            yield archives

    def _bring(self, body: Mapping[str, Any], folder: Path) -> list[Archive]:
        """Raises JobFailed where another job may bring it."""
        archives: list[Archive] = []
        for number, link in enumerate(self._links(*self._job(body))):
            # What may not be written as it is stays in memory.
            archive: Archive = BytesIO() if _hides(self.period.rules) else folder / f"{number}"
            try:
                download(self.client, link, archive)
            except ZohoError as error:  # how Zoho refuses a link that has expired is not documented
                if isinstance(error, (Retriable, CredentialsError, NotAvailableError)):
                    raise
                raise JobFailed(f"the file of the audit log is gone: {error}") from error
            archives.append(archive)
        return archives

    def _job(self, body: Mapping[str, Any]) -> tuple[str, bool]:
        """The id of a job for this body, and whether it is a new one or one that a run before made."""
        known = self.jobs.find(body, self.client.now()) if self.jobs else None
        if known is not None:
            self.reading.notes.repairs["exports of an earlier run used again"] += 1
            return known.job_id, False
        monotonic = self.client.context.retry_policy.monotonic
        end = monotonic() + self.client.context.retry_policy.job_deadline
        while True:
            try:
                made = rows_in(self.client.create_audit_export(body), KEY)
                job = str(made[0]["details"]["id"])
                break
            except ZohoError as error:
                if error.code != "ALREADY_SCHEDULED":
                    raise
                ours = self._same(body)
                if ours is not None:
                    job = ours
                    break
                if monotonic() >= end:
                    raise ExtractError(
                        f"Zoho makes one export of the audit log at a time: {error}"
                    ) from error
                self.client.waits.sleep(BUSY, AT_WORK, until=end, retries=False)
        self.client.waits.over()
        if self.jobs:
            self.jobs.keep(body, job, self.client.now())
        return job, True

    def _same(self, body: Mapping[str, Any]) -> str | None:
        """A job of Zoho's list that answers the same question: the answer to its making may have been lost."""
        wanted = _instants(body[KEY][0]["criteria"])
        for job in rows_in(self.client.get(AUDIT_EXPORT), KEY):
            if _instants(job.get("criteria")) == wanted and not _has_failed(_status(job)):
                return str(job["id"])
        return None

    def _links(self, job_id: str, new: bool) -> list[str]:
        """Where the files of a job are, once it is done. Raises JobFailed.

        Zoho does not document what a job without entries leaves. One without a file counts as such only if it is new,
        for the links of an earlier run's may have expired, and still has none when it is asked for once more.
        """
        retry_policy, status, asked_again = self.client.context.retry_policy, "", False
        begun = retry_policy.monotonic()
        end = begun + retry_policy.job_deadline
        while retry_policy.monotonic() < end:
            job = self._read_job(job_id)
            status = _status(job)
            self.client.watch.waits(status)
            if status in FINISHED:
                links = [str(link) for link in job.get("download_links") or ()]
                if not links and not new:
                    raise JobFailed("an export of an earlier run names no file of the audit log any more")
                if links or asked_again:
                    self.client.waits.over()
                    return links
                asked_again = True
            if _has_failed(status):
                raise JobFailed(f"an export of the audit log ended as {status}")
            pause = poll_pause(retry_policy.monotonic() - begun)
            self.client.waits.sleep(pause, AT_WORK, until=end, retries=False)
        raise JobFailed(
            f"an export of the audit log was still {status} after {retry_policy.job_deadline:,.0f} seconds"
        )

    def _read_job(self, job_id: str) -> Mapping[str, Any]:
        try:
            found = rows_in(self.client.get(f"{AUDIT_EXPORT}/{job_id}"), KEY)
        except ZohoError as error:
            if isinstance(error, (Retriable, CredentialsError, NotAvailableError)):
                raise
            raise JobFailed(f"Zoho no longer knows an export of the audit log: {error}") from error
        if not found:
            raise JobFailed("Zoho no longer knows an export of the audit log")
        return found[0]

    # ---- files

    def _rows(self, archives: Sequence[Archive]) -> Iterator[pa.Table]:
        """The entries of one window. Of equal ones, which are all in it, each gets a number."""
        met = Counter[bytes]()
        told = [column.api_name for column in columns_of(self.period.rules) if column.masking_rule is None]
        key = [name for name in ENTRY if name in told]
        for archive in archives:
            for names, rows in _csv_files(archive):
                others = tuple(name for name in names if name not in HEADERS)
                if self.others is None:
                    yield self._begin(others)
                elif not _hides(self.period.rules) and not {*others} <= {*(self.others or ())}:
                    raise ExtractError(
                        "the files of one export of the audit log have other columns than each other"
                    )
                while batch := list(islice(rows, BATCH)):
                    entries = [self._entry(dict(zip(names, row, strict=True))) for row in batch]
                    for entry in entries:
                        entry["id"] = _id(entry, key, met)
                    self.client.watch.rows(len(entries))
                    yield records_table(entries, self.columns)

    def _begin(self, others: tuple[str, ...]) -> pa.Table:
        """The columns, with those that only earlier files had; and a table without rows."""
        ours = {f.api_name for f in AUDIT_LOG.fields}
        before = (name for name in self.known if name not in ours and name not in others)
        self.others = (*others, *before)
        self.columns = columns_of(self.period.rules, self.others, self.known)
        return records_table([], self.columns)

    def _entry(self, cells: dict[str, Any]) -> dict[str, Any]:
        cells["audited_time"] = _with_zone(cells["audited_time"], self.zone)
        if _hides(self.period.rules):
            cells["action"] = _plain_action(cells["action"])
            for name in ("record_id", "Done_By"):  # a user's "id" may be a login name
                if not cells.get(name, "").isdecimal():
                    cells[name] = None
        return cells


def _id(entry: Mapping[str, Any], key: Sequence[str], met: Counter[bytes]) -> str:
    text = json.dumps([entry.get(name) or None for name in key], ensure_ascii=False)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    met[digest] += 1
    return digest.hex() if met[digest] == 1 else f"{digest.hex()}-{met[digest]}"


def _with_zone(text: str, zone: ZoneInfo | None) -> str:
    """A time in UTC; as it is, if nobody can tell when that was."""
    moment = _moment(text.strip())
    if moment is None or (moment.tzinfo is None and zone is None):
        return text
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return moment.astimezone(timezone.utc).isoformat()


def _moment(text: str) -> datetime | None:
    with suppress(ValueError):
        return _iso(text)
    for form in TIME_FORMATS:
        with suppress(ValueError):
            return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the user's
    return None


def _iso(text: str) -> datetime:
    return datetime.fromisoformat(f"{text[:-1]}+00:00" if text and text[-1] in "zZ" else text)


def _plain_action(text: str) -> str | None:
    """An action of known words only; in any other text a name may stand."""
    plain = re.fullmatch(r"[a-z _-]+", text.casefold())
    return text if plain and {*re.split("[ _-]+", text.casefold().strip())} <= ACTION_WORDS else None


def _count(archive: Archive) -> int:
    return sum(1 for _, rows in _csv_files(archive) for _ in rows)


def _csv_files(archive: Archive) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """The columns of each file, in our words where they are known, and its rows.

    Raises ExtractError for what is no audit log, or not whole.
    """
    csv.field_size_limit(sys.maxsize)
    header: list[str] | None = None
    with _readable():
        for stream in _streams(archive):
            lines = csv.reader((line.replace("\0", "\ufffd") for line in stream), strict=True)
            header = next(lines, None)
            if header is None:
                break
            yield _names(header, shown=isinstance(archive, Path)), _whole_rows(lines, len(header))
    if header is None:
        raise ExtractError("Zoho's file of the audit log is empty: it has not even headers")


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, csv.Error) as error:
        raise ExtractError(f"Zoho's file of the audit log cannot be read: {error}") from error


def _streams(archive: Archive) -> Iterator[IO[str]]:
    with ExitStack() as stack:
        if not zipfile.is_zipfile(archive):
            file: IO[bytes] = archive.open("rb") if isinstance(archive, Path) else BytesIO(archive.getvalue())
            yield stack.enter_context(_text(file))
            return
        members = stack.enter_context(zipfile.ZipFile(archive))
        for name in members.namelist():
            if not name.endswith("/"):
                with members.open(name) as member, _text(member) as text:
                    yield text


def _text(file: IO[bytes]) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")


def _whole_rows(lines: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    with _readable():
        for row in lines:
            if len(row) == width:
                yield row
            elif row:
                raise ExtractError(
                    f"Zoho's file of the audit log has a row of {len(row)} cells below {width} headers"
                )


def _names(header: Sequence[str], *, shown: bool) -> list[str]:
    """What each header is to us: the best of the headers that are taken for one of our columns, or itself.

    Raises ExtractError for other headers; they may be values, so it names them only if values may be `shown`.
    """
    plain = ["".join(letter for letter in name.casefold() if letter.isalnum()) for name in header]
    ours = {
        next(plain.index(spelling) for spelling in spellings if spelling in plain): name
        for name, spellings in HEADERS.items()
        if any(spelling in plain for spelling in spellings)
    }
    if not {*NEEDED} <= {*ours.values()}:
        told = (
            ", ".join(name.strip()[:40] for name in header[:20]) if shown else f"{len(header)} unknown ones"
        )
        raise ExtractError(f"Zoho's file is no audit log that anybody has met: its columns are {told}")
    taken = {f.api_name for f in AUDIT_LOG.fields}
    names = []
    for place, name in enumerate(header):
        names.append(ours.get(place) or unique(name.strip() or f"column {place + 1}", taken))
        taken.add(names[-1])
    return names


def _body(start: datetime, end: datetime) -> dict[str, Any]:
    """Both ends are within: the window ends a second before the next one begins."""
    ends = [
        moment.astimezone(timezone.utc).isoformat(timespec="seconds")
        for moment in (start, end - timedelta(seconds=1))
    ]
    criteria = {"field": {"api_name": "audited_time"}, "comparator": "between", "value": ends}
    return {KEY: [{"criteria": criteria}]}


def _instants(criteria: Any) -> list[datetime] | None:
    """The ends of a window, in whatever zone; None for criteria that are no such window."""
    try:
        return [_iso(text) for text in criteria["value"]]
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def _status(job: Mapping[str, Any]) -> str:
    return str(job.get("status") or "unknown").casefold()


def _has_failed(status: str) -> bool:
    return any(word in status for word in FAILED)
