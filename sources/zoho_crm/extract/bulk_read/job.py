"""Bulk Read jobs: made, polled and downloaded, within Zoho's limits."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ... import limits
from ...client.client import ZohoClient
from ...client.job_journal import ModuleJobs
from ...exceptions import CredentialsError, DailyLimitError, Retriable, ZohoError
from ...models import MODIFIED_TIME, Window
from ...planning.cost import SHORTEST_JOB, job_seconds, poll_pause
from ...planning.plan import Plan

NOT_BEGUN = frozenset({"ADDED", "QUEUED"})
WORKING = NOT_BEGUN | {"IN PROGRESS"}
PATIENCE = 3  # refusals of a queue that is full without us; each was tried for a minute by the client
FULL_QUEUE = 30.0  # seconds between them
UNNOTICED = 0.2  # of the time waited: so long a job may have been done before that is noticed
NOTICED = 0.1  # of a job's time: so late may be noticed that the one before it has ended
AT_WORK = "Zoho works on a Bulk Read job"
OUR_QUEUE = "as many Bulk Read jobs as Zoho takes are under way for other tables"


class JobFailed(Exception):
    """The job will bring nothing; a new one may."""


class NoRoom(Exception):
    """Our places in Zoho's queue are taken, or Zoho says that it is full."""


@dataclass(frozen=True)
class Result:
    """What a finished job says of its file."""

    job_id: str
    count: int
    download_url: str
    next_page_token: str | None


class Job:
    """A job under way. It holds a slot until it has ended or is abandoned."""

    earlier: datetime | None = None  # of a job that an earlier reading made: up to when that one read
    id: str

    def __init__(
        self,
        client: ZohoClient,
        body: Mapping[str, Any],
        known_jobs: ModuleJobs | None = None,
        rows: int | None = None,
        *,
        waits: bool = True,
    ) -> None:
        """Make the job as soon as the account bears one more, or take up the one that the journal knows.

        `rows` is how many it should bring, None if that is not known. Raises NoRoom instead of waiting for a place
        unless it `waits`: whoever holds a place must not wait for another.
        """
        self.body, self.rows = body, rows
        self._client, self._slots, self._known_jobs = client, client.context.jobs, known_jobs
        self._holds_slot, self._waits = False, waits
        self._outcome: Result | JobFailed | None = None
        known = known_jobs.find(body, client.now()) if known_jobs else None
        if known is None:
            self._make()
        else:
            self._take_slot()  # it may still wait in Zoho's queue
            self.id, self.earlier = known.job_id, known.until
        self._made_at = self._not_before = self._begun = client.context.retry_policy.monotonic()
        self._was_queued = False
        self._in_progress = math.inf  # when it was first found so

    def _take_slot(self) -> None:
        if self._waits:
            self._client.waits.wait_for_slot(self._slots.acquire, OUR_QUEUE)
        elif not self._slots.acquire(0):
            raise NoRoom
        self._holds_slot = True

    def _make(self) -> None:
        patience = PATIENCE
        while not self._holds_slot:
            self._take_slot()
            ended = self._slots.ended
            try:
                answer = self._client.create_bulk_job(self.body)
                self._client.watch.waits("ADDED")
                self.id = str(answer["data"][0]["details"]["id"])
                self._slots.grow()
                if self._known_jobs:
                    self._known_jobs.keep(self.body, self.id, self._client.now())
            except Retriable as refusal:
                if refusal.code != "TOO_MANY_REQUESTS" or isinstance(refusal, DailyLimitError):
                    self.abandon()
                    raise
                self._holds_slot = False
                if self._has_room_later(ended):
                    continue  # ours fill the queue, or have just made room
                # The queue is full of others' jobs.
                patience -= 1
                if not patience:
                    raise
                self._client.waits.sleep(
                    FULL_QUEUE, f"Zoho takes no more Bulk Read jobs now ({refusal.code})"
                )
            except BaseException:
                self.abandon()
                raise

    def _has_room_later(self, ended: int) -> bool:
        """After a refusal; `ended` of our jobs had ended before. Raises NoRoom unless this job waits."""
        ours = self._slots.shrink() or self._slots.ended > ended
        if not self._waits:
            raise NoRoom
        return ours

    def again(self) -> Job:
        """A new job with the same question; this one is forgotten."""
        self.forget()
        return Job(self._client, self.body, self._known_jobs, self.rows)  # which waits

    def forget(self) -> None:
        """No later run is to use it."""
        if self._known_jobs:
            self._known_jobs.drop(self.body)

    def abandon(self) -> None:
        if self._holds_slot:
            self._holds_slot = False
            self._slots.release()

    def settle(self) -> Result | JobFailed:
        """Wait until the job has ended, well or not, so that it holds no slot any more."""
        if self._outcome is None:
            try:
                self._outcome = self._poll()
            except JobFailed as failure:
                self._outcome = failure
            finally:
                self._client.waits.over()
                self.abandon()
        return self._outcome

    def wait(self) -> Result:
        """The result, once the job is done.

        Raises JobFailed for FAILURE, a state nobody has met, a job that Zoho lost, and after the deadline.
        """
        outcome = self.settle()
        if isinstance(outcome, JobFailed):
            raise outcome
        return outcome

    def _poll(self) -> Result:
        """Ask how the job is: at once, when most of the expected time has passed, then less and less often.

        What has not begun when it is asked for takes its whole time from then on.
        """
        retry_policy, state, pause = self._client.context.retry_policy, "", 0.0
        end = retry_policy.monotonic() + retry_policy.job_deadline
        while retry_policy.monotonic() < end:
            answer = self._read()
            state, now = str(answer.get("state")), retry_policy.monotonic()
            self._client.watch.waits(state)
            if state == "COMPLETED":
                result = self._result(answer)
                if self.earlier is None and pause:
                    self._measure(result.count, now, pause)
                return result
            if state not in WORKING:
                words = (answer.get("result") or {}).get("error_message") or {}
                raise JobFailed(f"a job ended as {state}: {words.get('message') or 'no reason given'}")
            speed, expected = self._expected()
            self._find_start(state, now, expected)
            pause = poll_pause(now - self._begun, expected, measured=speed is not None)
            pause = min(pause, max(0.0, end - now))
            self._client.waits.sleep(pause, AT_WORK, until=end, retries=False)
        raise JobFailed(f"a job was still {state} after {retry_policy.job_deadline:,.0f} seconds")

    def _find_start(self, state: str, now: float, expected: float) -> None:
        """Keep since when Zoho may have been at work on the job.

        It began when it was made, or when one before it had ended, which is noticed up to NOTICED of a job's time later;
        after the queue only the latter. Of these times the first counts from which on it need not be done yet.
        """
        if state in NOT_BEGUN:
            self._begun = self._not_before = now
            self._was_queued, self._in_progress = True, math.inf
            return
        self._in_progress = min(self._in_progress, now)
        latest = self._in_progress + NOTICED * expected
        ends = [end for end in self._client.context.bulk_job_ends if self._not_before < end <= latest]
        starts = ends if ends and self._was_queued else [self._not_before, *ends]
        late = starts[-1] if expected else starts[0]
        self._begun = next((start for start in starts if now - start < expected), late)

    def _expected(self) -> tuple[float | None, float]:
        """The measured speed, if there is one, and the seconds that Zoho should work on the job; 0 if nobody knows."""
        speed = self._client.context.bulk_rows_a_second
        known = self.rows is not None and self.earlier is None
        return speed, job_seconds(self.rows or 0, speed) if known else 0.0

    def _measure(self, rows: int, ended: float, pause: float) -> None:
        """Keep how fast Zoho is for the jobs to come.

        The job ended in the latest pause, at most UNNOTICED of its time ago: the first pause may be all of it. Zoho
        worked on it since it was made, or since the one before it had ended: what is known of the speed stays where it
        lies between the two.
        """
        context = self._client.context
        begun = (max([self._made_at, *context.bulk_job_ends[-1:]]), self._made_at)
        shortest, longest = (ended - at - min(pause / 2, UNNOTICED * (ended - at)) for at in begun)
        context.bulk_job_ends.append(ended)
        if job_seconds(rows) > SHORTEST_JOB and shortest > 0:
            known = rows / context.bulk_rows_a_second if context.bulk_rows_a_second else shortest
            context.bulk_rows_a_second = rows / min(max(shortest, known), longest)

    def _result(self, job: Mapping[str, Any]) -> Result:
        result = job.get("result") or {}
        token = result.get("next_page_token")
        if result.get("more_records") and not token:
            raise JobFailed("a job has more records but names no next page")
        if token and token == self.body["query"].get("page_token"):
            raise JobFailed("a job names its own page as the next one")
        return Result(self.id, int(result["count"]), str(result["download_url"]), token)

    def _read(self) -> Mapping[str, Any]:
        try:
            job: Mapping[str, Any] = self._client.read_bulk_job(self.id)["data"][0]
            return job
        except ZohoError as error:
            # How Zoho refuses a job of yesterday, or of another user, is not documented.
            unknown = self.earlier and not isinstance(error, (Retriable, CredentialsError))
            if error.code == "RESOURCE_NOT_FOUND" or unknown:
                raise JobFailed("Zoho no longer knows a job that it took") from error
            raise


def jobs_of_module(client: ZohoClient, plan: Plan) -> ModuleJobs | None:
    """Where the jobs of a reading are remembered; None for one that must not use old jobs.

    A window ends anew in each run, and old rows without a time of change cannot be brought up to date.
    """
    journal = client.context.journal
    if journal is None or plan.until is None or plan.window != Window() or not plan.has(MODIFIED_TIME):
        return None
    # What a field is may change without a word in the question: its type, its values, its id.
    fields = [(repr(column), column.field.raw.get("id")) for column in plan.columns]
    about = repr((client.context.auth.api_domain, fields))
    return ModuleJobs(journal, plan.module.api_name, plan.until, about)


# Of jobs, of a day, of the account: fewer fields would not help.
OTHER_LIMIT = re.compile(
    r"job|queue|dail|\bday|hour|minute|concurren|credit|request|call|export|storage", re.IGNORECASE
)
FIELDS = re.compile(r"field|column", re.IGNORECASE)


def fields_per_job(error: ZohoError, asked: int) -> int | None:
    """How many fields a Bulk Read job takes, if the error says that it was asked for too many; else None.

    LIMIT_EXCEEDED may also mean the jobs of a day or a full queue. Then nothing is to be left out.
    """
    if error.code != "LIMIT_EXCEEDED":
        return None
    named = " ".join(
        str(error.details.get(key) or "") for key in ("api_name", "param_name", "clause", "json_path")
    )
    message = str(error).partition(": ")[2]
    told = str(error.details.get("limit") or error.details.get("max_limit") or "")
    limit = int(told) if told.isdecimal() else None
    if limit is not None and limit >= asked:
        return None
    if named.strip():
        about_fields = FIELDS.search(named) is not None
    elif FIELDS.search(message):
        about_fields = True
    else:
        about_fields = limit is not None and OTHER_LIMIT.search(message) is None
    if not about_fields:
        return None
    return limit or min(limits.BULK_FIELDS_PER_JOB, asked - 1)
