"""Bulk Read jobs: made when the account bears one more, waited for with an end, downloaded whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .client import ZohoClient
from .errors import Retriable, ZohoError
from .pacing import Pace

WORKING = frozenset({"ADDED", "QUEUED", "IN PROGRESS"})
PATIENCE = 3  # refusals of a queue that is full without us; each was tried for a minute by the client
FULL_QUEUE = 30.0  # seconds between them


class JobFailed(Exception):
    """The job will bring nothing; a new one may."""


@dataclass(frozen=True)
class Result:
    """What a finished job says of its file."""

    job_id: str
    count: int
    download_url: str
    next_page_token: str | None


class Job:
    """A job under way. It holds a slot until it has ended or is abandoned."""

    def __init__(self, client: ZohoClient, body: Mapping[str, Any]) -> None:
        """Make the job as soon as the account bears one more."""
        self.body = body
        self._client, self._slots = client, client.door.jobs
        self._holds_slot = False
        self._outcome: Result | JobFailed | None = None
        patience = PATIENCE
        while not self._holds_slot:
            self._slots.take()
            self._holds_slot = True
            try:
                answer = client.create_bulk_job(body)
                self.id = str(answer["data"][0]["details"]["id"])
                self._slots.grow()
            except Retriable as refusal:
                if refusal.code != "TOO_MANY_REQUESTS":
                    self.abandon()
                    raise
                self._holds_slot = False
                if self._slots.shrink():
                    continue
                # The queue is full of others' jobs, or ours have ended in this moment.
                patience -= 1
                if not patience:
                    raise
                client.door.pace.sleep(FULL_QUEUE)
            except BaseException:
                self.abandon()
                raise

    def again(self) -> Job:
        """A new job with the same question."""
        return Job(self._client, self.body)

    def abandon(self) -> None:
        if self._holds_slot:
            self._holds_slot = False
            self._slots.free()

    def settle(self) -> Result | JobFailed:
        """Wait until the job has ended, well or not, so that it holds no slot any more."""
        if self._outcome is None:
            try:
                self._outcome = self._poll()
            except JobFailed as failure:
                self._outcome = failure
            finally:
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
        """Ask how the job is, less and less often."""
        pace, state = self._client.door.pace, ""
        for pause in _pauses(pace):
            answer = self._read()
            state = str(answer.get("state"))
            if state == "COMPLETED":
                return self._result(answer)
            if state not in WORKING:
                words = (answer.get("result") or {}).get("error_message") or {}
                raise JobFailed(f"a job ended as {state}: {words.get('message') or 'no reason given'}")
            pace.sleep(pause)
        raise JobFailed(f"a job was still {state} after {pace.job_deadline:,.0f} seconds")

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
            if error.code == "RESOURCE_NOT_FOUND":
                raise JobFailed("Zoho no longer knows a job that it took") from error
            raise


def _pauses(pace: Pace) -> Iterator[float]:
    """1, 1.5, 2.25 ... 15 seconds, until the deadline."""
    end, pause = pace.monotonic() + pace.job_deadline, 1.0
    while pace.monotonic() < end:
        yield pause
        pause = min(pause * 1.5, 15.0)
