"""The three calls of Bulk Read: create a job, ask how it is, download its file."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ..exceptions import refuse, unmodelled
from ..generated.module import Generated, named, need_edited_only
from ..routes import Answer, Request, created, ok, route
from ..service import CRM
from .archive import corrupted
from .jobs import FINAL, LOST, BulkJob, dialect_of, plan_span, run
from .query import module_of_body, read_body

if TYPE_CHECKING:
    from ..crm.org import Org

PATH = "/crm/bulk/v8/read"
ZIP = "application/zip"


def module_of_job(org: Org, request: Request, variables: dict[str, str]) -> str | None:
    job = org.jobs.get(variables["job_id"])
    return job.query.module.api_name if isinstance(job, BulkJob) else None


@route(
    "POST",
    PATH,
    scopes="ZohoCRM.bulk.READ",
    credits=50,
    module=module_of_body,
    authority="documented; which modules and fields it refuses: conflict, seen live",
)
def create_job(org: Org, request: Request) -> Answer:
    query = read_body(org, request)
    if not query.of_all:
        need_edited_only(query.module, query.named, query.test)
    elif query.module.generated is not None and org.tables[query.module.api_name]:
        unmodelled("Bulk Read: a whole generated module of which rows were edited")
    waiting = sum(job.state not in FINAL for job in org.jobs.values())
    if org.rules.bulk_jobs_waiting is not None and waiting >= org.rules.bulk_jobs_waiting:
        refuse(429, "TOO_MANY_REQUESTS")
    states = request.fault.job_states if request.fault else None
    span = None if states else plan_span(org, query)
    job = BulkJob(org.new_id(), query, org.now(), org.account.me, list(states or org.bulk_states), span)
    org.jobs[job.id] = job
    details = {"id": job.id, "operation": "read", "state": "ADDED", **created_keys(org, job)}
    answer = {
        "status": "success",
        "code": "ADDED_SUCCESSFULLY",
        "message": "Added successfully.",
        "details": details,
    }
    return created(data=[answer], info={})


@route(
    "GET",
    PATH + "/{job_id}",
    scopes="ZohoCRM.bulk.READ",
    module=module_of_job,
    authority="documented; the states of a job: documented, their times: seen live",
)
def job_details(org: Org, request: Request, job_id: str) -> Answer:
    job = find_job(org, job_id)
    if job.state not in FINAL:
        state = job.poll(org.clock.now())
        if state == LOST:
            refuse(404, "RESOURCE_NOT_FOUND", resource=job_id)
        if state in ("IN PROGRESS", "COMPLETED") and job.completed is None:
            run(org, job)
    details = {
        "id": job.id,
        "operation": "read",
        "state": job.state,
        "query": job.query.echo,
        **created_keys(org, job),
        "file_type": "csv",
    }
    result = result_of(org, job)
    return ok(data=[{**details, "result": result} if result else details])


def result_of(org: Org, job: BulkJob) -> dict[str, Any] | None:
    """Only a job that is done has a result; the token is there only when there is more."""
    if job.state == "FAILURE":
        message = "Internal server error occurred"
        error = {"status": "error", "code": "INTERNAL_SERVER_ERROR", "message": message, "details": {}}
        return {"error_message": error}
    if job.state != "COMPLETED":
        return None
    result: dict[str, Any] = {
        "page": job.query.page,
        "per_page": org.rules.bulk_page_size,
        "count": job.count,
        "download_url": CRM.moved(f"{PATH}/{job.id}/result", org.place),
        "more_records": job.next_token is not None,
    }
    return {**result, "next_page_token": job.next_token} if job.next_token else result


@route(
    "GET",
    PATH + "/{job_id}/result",
    scopes="ZohoCRM.bulk.READ",
    locked=False,
    module=module_of_job,
    authority="documented; the cells of the file: seen live, conflict and inferred",
)
def download_result(org: Org, request: Request, job_id: str) -> Answer:
    with org.lock:
        job = find_job(org, job_id)
        if job.state != "COMPLETED" or job.completed is None:
            refuse(404, "RESOURCE_NOT_FOUND", resource=job_id)
        if job.completed + timedelta(hours=org.rules.bulk_file_hours) <= org.now():
            status, code = org.quirks.bulk_expired_file
            refuse(status, code, resource=job_id)
        count_download(org, job)
    fault = request.fault.corrupt_zip if request.fault else None
    headers = {"Content-Disposition": f"attachment;filename*=UTF-8''{job.id}.zip"}
    archive = generated_archive(org, job) if job.archive is None else job.archive
    raw = corrupted(archive, fault) if fault else archive
    return Answer(200, raw=raw, content_type=ZIP, headers=headers)


def find_job(org: Org, job_id: str) -> BulkJob:
    job = org.jobs.get(job_id)
    if not isinstance(job, BulkJob) or job.state == LOST:
        refuse(404, "RESOURCE_NOT_FOUND", resource=job_id)
    return job


def count_download(org: Org, job: BulkJob) -> None:
    """Ten downloads a minute for the whole org; beyond, they fail until the minute has passed."""
    now = org.clock.now()
    recent = [at for other in org.jobs.values() for at in other.downloads if at > now - timedelta(minutes=1)]
    if len(recent) >= org.rules.bulk_downloads_per_minute:
        refuse(429, "TOO_MANY_REQUESTS")
    job.downloads.append(now)


def generated_archive(org: Org, job: BulkJob) -> bytes:
    generated = job.query.module.generated
    if not isinstance(generated, Generated):
        unmodelled(f"Bulk Read: the rows of {job.query.module.api_name}")
    first = (job.query.page - 1) * org.rules.bulk_page_size
    names = [column.path for column in job.query.columns]
    window, header = (first, first + job.count), org.quirks.bulk_id_header
    cached = generated.archive(names, window, header, dialect_of(org), job.query.created)
    return named(cached, f"{job.id}.csv")


def created_keys(org: Org, job: BulkJob) -> dict[str, Any]:
    return {"created_by": job.created_by, "created_time": written(org, job.created)}


def written(org: Org, at: datetime) -> str:
    return at.astimezone(ZoneInfo(org.time_zone)).isoformat(timespec="seconds")
