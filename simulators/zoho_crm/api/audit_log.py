"""The export of the audit log: jobs, one at a time, and the files that they leave."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ..crm.audit import Entry
from ..crm.org import Org
from ..exceptions import refuse, unmodelled
from ..routes import Answer, Request, no_content, ok, route

PATH = "/crm/v8/settings/audit_log_export"
FILE = "/v2/crm/{org_id}/auditlog/{job_id}/{name}"
FINAL = ("finished", "failed")
FIELDS = ("action", "done_by", "module", "audited_time")
# Zoho documents no column: three ways in which a file may look.
HEADERS = {
    "ids": (
        "Audited Time",
        "Done By",
        "Done By Id",
        "Action",
        "Module",
        "Record Id",
        "Record Name",
        "Source",
        "Details",
    ),
    "names": ("Time", "User", "Action", "Module", "Record Name", "Details"),
    "api_names": (
        "audited_time",
        "done_by",
        "action",
        "module",
        "record_id",
        "record_name",
        "related_module",
    ),
}


@dataclass
class AuditJob:
    """Advances one state with each question about jobs, and stays at the last."""

    id: str
    criteria: dict[str, Any]
    window: tuple[datetime, datetime]
    started: datetime
    created_by: dict[str, str]
    states: list[str]
    state: str = "scheduled"
    ended: datetime | None = None
    entries: Sequence[Entry] = ()


@route(
    "POST",
    PATH,
    scopes="ZohoCRM.settings.audit_logs.CREATE",
    authority="documented; its price: inferred; what a user gets who is no administrator: conflict",
)
def create_export(org: Org, request: Request) -> Answer:
    admit(org)
    wanted = request.json() if request.body else unmodelled("an export without criteria")
    exports = wanted.get("audit_log_export") if isinstance(wanted, dict) else None
    if not isinstance(exports, list) or not exports:
        refuse(400, "MANDATORY_NOT_FOUND", api_name="audit_log_export", json_path="$")
    if len(exports) > 1:
        refuse(400, "LIMIT_EXCEEDED", limit="1", json_path="$.audit_log_export")
    criteria = exports[0].get("criteria")
    window = window_of(org, criteria)
    advance(org)
    for job in org.audit_jobs:
        if job.state not in FINAL:
            refuse(400, "ALREADY_SCHEDULED", "The data log has already been scheduled", id=job.id)
    states = request.fault.job_states if request.fault else None
    job = AuditJob(
        org.new_id(), criteria, window, org.now(), org.account.me, list(states or org.audit_states)
    )
    org.audit_jobs.append(job)
    told = {"code": "SCHEDULED", "details": {"id": job.id}, "message": "Audit log export scheduled"}
    return ok(audit_log_export=[{**told, "status": "success"}])


@route("GET", PATH, scopes="ZohoCRM.settings.audit_logs.READ", authority="documented")
def list_exports(org: Org, request: Request) -> Answer:
    admit(org)
    advance(org)
    jobs = [described(org, request, job) for job in reversed(org.audit_jobs)]
    return ok(audit_log_export=jobs[:100]) if jobs else no_content()


@route(
    "GET",
    PATH + "/{id}",
    scopes="ZohoCRM.settings.audit_logs.READ",
    authority="documented; the words of a status: conflict",
)
def read_export(org: Org, request: Request, id: str) -> Answer:
    admit(org)
    advance(org)
    found = [described(org, request, job) for job in org.audit_jobs if job.id == id]
    return ok(audit_log_export=found) if found else no_content()


@route(
    "GET",
    FILE,
    scopes="ZohoFiles.files.READ",
    authority="documented, on a host of its own; how long a file is there, and all that is in it: inferred",
)
def download_export(org: Org, request: Request, org_id: str, job_id: str, name: str) -> Answer:
    job = next((job for job in org.audit_jobs if job.id == job_id and job.state == "finished"), None)
    if job is None or org_id != org.zgid or name != file_name(org, job):
        refuse(404, "INVALID_URL_PATTERN")
    assert job.ended is not None
    if org.now() >= job.ended + timedelta(days=org.rules.audit_file_days):
        status, code = org.quirks.audit_expired_link
        refuse(status, code)
    if name.endswith(".csv"):
        return Answer(200, raw=file_of(org, job.entries).encode(), content_type="text/csv")
    size, buffer = org.rules.audit_entries_per_file, io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, start in enumerate(range(0, len(job.entries), size), start=1):
            text = file_of(org, job.entries[start : start + size])
            archive.writestr(f"AuditLog_{number:03}.csv", text.encode())
    return Answer(200, raw=buffer.getvalue(), content_type="application/zip")


def admit(org: Org) -> None:
    """Refuse where the edition has no audit log, and a user who may not see it."""
    if not org.account.has_audit_log or not (is_administrator(org) or org.quirks.audit_of_others == "own"):
        refuse(403, "NO_PERMISSION", permissions=["Crm_Implied_View_Audit_Log"])


def is_administrator(org: Org) -> bool:
    return bool(org.user["profile"]["name"] == "Administrator" or org.user["role"]["name"] == "CEO")


def window_of(org: Org, criteria: Any) -> tuple[datetime, datetime]:
    """Only the time is modelled: its two ends are within."""
    if not isinstance(criteria, dict) or not criteria:
        refuse(400, "EXPECTED_FIELD_MISSING", api_name="criteria")
    if "group" in criteria:
        unmodelled("an export with several criteria")
    name = (criteria.get("field") or {}).get("api_name")
    if name not in FIELDS:
        refuse(400, "NOT_SUPPORTED", api_name="api_name", json_path="$.audit_log_export[0].criteria.field")
    if name != "audited_time":
        unmodelled(f"an export by {name}")
    if criteria.get("comparator") != "between":
        refuse(400, "INVALID_DATA", api_name="comparator", json_path="$.audit_log_export[0].criteria")
    try:
        start, end = (datetime.fromisoformat(text) for text in criteria["value"])
        days = (end - start).total_seconds() / 86_400
    except (KeyError, TypeError, ValueError):
        refuse(400, "DEPENDENT_MISMATCH", expected_data_type="jsonarray")
    if start.tzinfo is None or start > end or days > org.rules.audit_days_per_job:
        refuse(400, "INVALID_DATA", "The audited time range exceeds the supported limit")
    return start, end


def advance(org: Org) -> None:
    """The job under way, of which there is one at most."""
    for job in org.audit_jobs:
        if job.state in FINAL:
            continue
        job.state = job.states.pop(0) if len(job.states) > 1 else job.states[0]
        if job.state in FINAL:
            start, end = job.window
            first = org.now() - timedelta(days=org.rules.audit_days)
            own = not is_administrator(org)
            found = [
                entry
                for entry in org.audit.entries
                if max(start, first) <= entry.audited_time <= end
                and not (own and entry.done_by["id"] != org.user["id"])
            ]
            job.ended, job.entries = org.now(), found[: org.rules.audit_entries]


def described(org: Org, request: Request, job: AuditJob) -> dict[str, Any]:
    done = job.state == "finished" and len(job.entries) > 0
    link = FILE.format(org_id=org.zgid, job_id=job.id, name=file_name(org, job)) if done else ""
    ended = job.ended if done else None
    return {
        "id": job.id,
        "status": job.state if org.quirks.audit_status == "finished" else job.state.capitalize(),
        "job_start_time": job.started,
        "job_end_time": job.ended,
        "expiry_date": ended + timedelta(days=org.rules.audit_file_days) if ended else None,
        "created_by": job.created_by,
        "criteria": job.criteria,
        "download_links": [f"{org.audit_host or request.api_url}{link}"] if done else None,
    }


def file_name(org: Org, job: AuditJob) -> str:
    many = len(job.entries) > org.rules.audit_entries_per_file
    return "AuditLog_001.zip" if many or org.quirks.audit_file == "zip" else "AuditLog.csv"


def file_of(org: Org, entries: Sequence[Entry]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    names = HEADERS[org.quirks.audit_columns]
    writer.writerow(names)
    for entry in entries:
        cells = cells_of(org, entry)
        writer.writerow([cells[plain(name)] for name in names])
    return text.getvalue()


def plain(name: str) -> str:
    return name.lower().replace(" ", "_")


def cells_of(org: Org, entry: Entry) -> dict[str, str]:
    at, by, record = time_of(org, entry.audited_time), entry.done_by, entry.record_name or ""
    changes = [{"field": name, "old": old, "new": new} for name, (old, new) in entry.changes.items()]
    return {
        **dict.fromkeys(("audited_time", "time"), at),
        **dict.fromkeys(("done_by", "user"), by["name"]),
        "done_by_id": by["id"],
        "action": entry.action,
        "module": entry.module,
        "record_id": entry.record_id,
        "record_name": record,
        "source": "CRM UI",
        "details": json.dumps(changes, ensure_ascii=False, default=str) if changes else "",
        "related_module": "",
    }


def time_of(org: Org, at: datetime) -> str:
    local = at.astimezone(ZoneInfo(org.time_zone))
    if org.quirks.audit_times == "words":
        return local.strftime("%b %d, %Y %I:%M %p")
    return (
        local.isoformat(timespec="seconds")
        if org.quirks.audit_times == "offset"
        else f"{local:%Y-%m-%d %H:%M:%S}"
    )
