"""The HTTP client: all calls to Zoho go through it, with limits, retries and the count of calls and credits."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

import requests
from dlt.sources.helpers.requests.retry import RetryPredicate
from dlt.sources.helpers.rest_client.client import RESTClient
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from requests import Response
from requests.adapters import HTTPAdapter

from .. import limits
from ..auth.authenticator import ZohoAuthenticator
from ..auth.credentials import ZohoCredentials
from ..auth.oauth_client import token_post
from ..auth.transport import LimitedClient, body_of, limited_adapter, where
from ..exceptions import ExtractError, FileTooLarge, Retriable, ZohoConnectionError
from ..service import Service
from .context import ApiUsage, ClientContext, RequestCost
from .page_chain import PageChain
from .progress import NO_PROGRESS, ProgressCallback
from .responses import rows_in
from .throttling import (
    RetryPolicy,
    download_rate,
    is_outcome_unknown,
    is_retryable,
    is_safe_to_retry_create,
    log_retries,
    log_retry,
    root_of,
    too_slow,
    unreachable,
    why_again,
)
from .waiting import WaitTracker, pause

CHUNK = 1 << 20  # bytes of a download held at once
AUDIT_EXPORT = "settings/audit_log_export"
PIECE = 1 << 16  # of a file's: where it breaks off, what came of a piece is lost
SECOND_TRY = 15.0  # seconds before a job is made again that may have been made


@dataclass(frozen=True)
class ZohoClient:
    """Calls of one service's API, counted in `usage`; threads may share it."""

    context: ClientContext
    waits: WaitTracker
    usage: ApiUsage = field(default_factory=ApiUsage)
    watch: ProgressCallback = NO_PROGRESS

    def with_usage(
        self, usage: ApiUsage, watch: ProgressCallback | None = None, name: str = ""
    ) -> ZohoClient:
        """The same client for the reading of one table, which counts elsewhere and may take its time."""
        retry_policy, watch = self.context.retry_policy, watch or self.watch
        waits = WaitTracker(retry_policy, name, watch, retry_policy.table_deadline)
        return replace(self, usage=usage, watch=watch, waits=waits)

    def now(self) -> datetime:
        """Zoho's time at its latest answer; ours may be wrong. Before any answer, our own."""
        return self.context.server_time or datetime.now(timezone.utc)

    @property
    def service(self) -> Service:
        """Which service of Zoho's it calls."""
        return self.context.auth.service

    @property
    def may_use_coql(self) -> bool:
        return self.context.auth.may_use_coql

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        credits: int = 1,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The body of `GET /crm/v8/{path}`, or at the service's own root; `{}` for 204 and 304."""
        return self._call("GET", self._url(path), credits, params=params, headers=headers)

    def post(self, path: str, body: Mapping[str, Any], *, credits: int = 1) -> dict[str, Any]:
        return self._call("POST", self._url(path), credits, json=body)

    def create_bulk_job(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a job of Bulk Read, for 50 credits."""
        return self._create_job(self._url("read", bulk=True), body, limits.BULK_CREATE_CREDITS)

    def create_audit_export(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a job that exports the audit log. Zoho names no price, so it is taken for that of any call."""
        return self._create_job(self._url(AUDIT_EXPORT), body, 1)

    def _create_job(self, url: str, body: Mapping[str, Any], credits: int) -> dict[str, Any]:
        """Once more, at most, after an answer that leaves open whether there is a job.

        Each try that may have made one is counted.
        """
        with log_retries("POST", url):
            try:
                return self._call("POST", url, credits, makes=True, json=body)
            except (ZohoConnectionError, Retriable) as error:
                if not is_outcome_unknown(error):
                    raise
                log_retry(type(error).__name__)
            self.waits.sleep(SECOND_TRY, why_again())
            return self._call("POST", url, credits, makes=True, json=body)

    def read_bulk_job(self, job_id: str) -> dict[str, Any]:
        return self._call("GET", self._url(f"read/{job_id}", bulk=True), 1)

    def download(self, path: str, target: Path | BytesIO) -> None:
        """Stream what a job's `download_url` names into a file, or into memory.

        Raises ZohoConnectionError if it breaks off, and the file is then to be thrown away; and for a link to a host
        that may not see a token.
        """
        url = urljoin(self.context.auth.api_domain + "/", path)
        if not self.context.auth.may_ask(url):
            raise ZohoConnectionError(f"Zoho named another host to download from: {urlsplit(url).netloc}")
        with ExitStack() as stack:
            response = self._begin_download(url, stack)
            file = stack.enter_context(target.open("wb")) if isinstance(target, Path) else target
            self.watch.downloads(0)
            try:
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)
                    self.watch.downloads(len(chunk))
                    self.waits.check()
            except requests.RequestException as error:
                raise self._broke_off(response, error) from error

    def _begin_download(self, url: str, stack: ExitStack) -> Response:
        """Each try is one of the ten a minute, so each waits for its own turn."""
        with log_retries("GET", url):
            for seconds in self.context.retry_policy.download_pauses():
                try:
                    return self._try_download(url, stack)
                except (ZohoConnectionError, Retriable) as error:
                    if not is_retryable(None, root_of(error)):
                        raise
                self.waits.sleep(seconds, why_again())
            return self._try_download(url, stack)

    def _try_download(self, url: str, stack: ExitStack) -> Response:
        with ExitStack() as held:
            with self.context.downloads.acquire(self.waits.sleep):
                held.enter_context(self.context.calls)
                response = held.enter_context(self._send("GET", url, 1, http=self.context.once, stream=True))
            if response.status_code != 200:
                try:
                    body_of(response)
                except requests.RequestException as error:
                    raise unreachable(url, error) from error
                raise ZohoConnectionError(f"{response.status_code} {where(response)} brought no archive")
            self.waits.answered()
            stack.enter_context(held.pop_all())
        return response

    def download_file(
        self, path: str, target: IO[bytes], params: Mapping[str, Any] | None = None, most: int | None = None
    ) -> bool:
        """Stream the contents of a file of the CRM into an empty file; False if Zoho has none (204).

        After a connection that breaks off the rest is asked for by a `Range`, which Zoho does not document: where the
        whole file comes instead, it is read from its beginning. Each try that is answered costs a credit.

        Args:
            path: As of `get`.
            target: Can be read back, and cut.
            params: As of `get`.
            most: The bytes that the file may have; None: any.

        Raises:
            FileTooLarge: It has more.
            ZohoConnectionError, ZohoError: It did not come; what `target` holds is to be thrown away.
        """
        url = self._url(path)
        with log_retries("GET", url):
            for seconds in self.context.retry_policy.download_pauses():
                try:
                    return self._try_file(url, target, params, most)
                except (ZohoConnectionError, Retriable) as error:
                    if not is_retryable(None, root_of(error)):
                        raise
                self.waits.sleep(seconds, why_again())
            return self._try_file(url, target, params, most)

    def _try_file(
        self, url: str, target: IO[bytes], params: Mapping[str, Any] | None, most: int | None
    ) -> bool:
        start = target.tell()
        headers = {"Accept-Encoding": "identity"}  # lengths and ranges are those of the file itself
        if start:
            headers["Range"] = f"bytes={start}-"
        options: dict[str, Any] = {"http": self.context.once, "stream": True}
        with (
            self.context.calls,
            self._send("GET", url, 1, params=params, headers=headers, **options) as response,
        ):
            if response.status_code not in (200, 206):
                target.seek(0)
                target.truncate()
                return self._no_file(response)
            if not (response.headers.get("Content-Range") or "").startswith(f"bytes {start}-"):
                target.seek(0)
                target.truncate()
            length = response.headers.get("Content-Length", "")
            whole = target.tell() + int(length) if length.isdecimal() else None
            if most is not None and whole is not None and whole > most:
                raise FileTooLarge(whole)
            self._stream(response, target, most)
        self.waits.answered()
        return True

    def _no_file(self, response: Response) -> bool:
        """False for 204; raises what any other status means."""
        if response.status_code == 416:  # what came before has another length now
            raise ZohoConnectionError(f"the download {where(response)} broke off")
        try:
            body_of(response)
        except requests.RequestException as error:
            raise unreachable(response.url, error) from error
        if response.status_code != 204:
            raise ZohoConnectionError(f"{response.status_code} {where(response)} brought no file")
        return False

    def _stream(self, response: Response, target: IO[bytes], most: int | None) -> None:
        try:
            for chunk in response.iter_content(PIECE):
                target.write(chunk)
                if most is not None and target.tell() > most:
                    raise FileTooLarge(None)
                self.waits.check()
        except requests.RequestException as error:
            raise self._broke_off(response, error) from error

    def _broke_off(self, response: Response, error: requests.RequestException) -> ZohoConnectionError:
        slow = too_slow(error)
        why = f"was too slow: {slow}" if slow else "broke off"
        return ZohoConnectionError(f"the download {where(response)} {why}")

    def paginate(
        self, path: str, key: str, paginator: BasePaginator, params: Mapping[str, Any]
    ) -> Iterator[list[dict[str, Any]]]:
        """The pages of a list by dlt's REST client, with this client's limits and retries."""

        def checked(response: Response, *_: Any, **__: Any) -> Response:
            body = body_of(response)
            if not rows_in(body, key) and (body.get("info") or {}).get("more_records"):
                raise ExtractError(f"Zoho says that there are more {key}, and brings none")
            # Numbers stay exact, and 204 has no body that dlt's client could parse.
            response.json = lambda **_: body  # type: ignore[method-assign]
            return response

        chain = PageChain(key)
        bill = RequestCost(self.usage.add, 1)
        rest = RESTClient(
            self._url("").rstrip("/"), auth=self.context.auth, session=self.context.http.session
        )
        pages = rest.paginate(
            path,
            params=dict(params),
            paginator=paginator,
            data_selector=key,
            proxies=self.context.proxies,
            hooks={"response": [self.context.on_response, bill.count, checked]},  # type: ignore[list-item]
            allow_redirects=False,
        )
        while True:
            with self._paying(bill, "GET", self._url(path)), self.context.calls:
                page = next(pages, None)
            self.waits.answered()
            if page is None:
                return
            more = paginator.has_next_page
            chain.page((str(row.get("id") or row) for row in page), more=more, most_repeats=1)
            yield list(page)
            if not more:
                return  # before another call is paid for

    def _url(self, path: str, *, bulk: bool = False) -> str:
        root = f"{self.service.root}/bulk" if bulk else self.service.root
        return f"{self.context.auth.api_domain}/{root}/{self.service.version}/{path}"

    def _call(self, method: str, url: str, credits: int, **kwargs: Any) -> dict[str, Any]:
        with self.context.calls:
            body = body_of(self._send(method, url, credits, **kwargs))
        self.waits.answered()
        return body

    def _send(self, method: str, url: str, credits: int, **kwargs: Any) -> Response:
        """One call with its tries. `http` has the policy of repeating; `makes` says that a try makes a job."""
        makes = kwargs.pop("makes", False)
        http: LimitedClient = kwargs.pop("http", self.context.making if makes else self.context.http)
        bill = RequestCost(self.usage.add, credits, makes)
        with self._paying(bill, method, url):
            return http.session.request(
                method,
                url,
                auth=self.context.auth,
                proxies=self.context.proxies,
                allow_redirects=False,
                hooks={"response": [self.context.on_response, bill.count]},
                **kwargs,
            )

    @contextmanager
    def _paying(self, bill: RequestCost, method: str, url: str) -> Iterator[None]:
        """Around one call: may the run afford it, what did it cost, and did an answer come."""
        self.waits.check()
        self.context.reserve(bill.credits)
        before = bill.paid
        try:
            with log_retries(method, url), self.waits.current():
                yield
        except requests.RequestException as error:
            bill.lost(error, before)
            raise unreachable(url, error) from error
        finally:
            self.context.charge(bill.credits, bill.paid - before)


def connect(credentials: ZohoCredentials, retry_policy: RetryPolicy | None = None) -> ZohoClient:
    """A client for one account. No call is made yet; the first one renews the token if need be."""
    retry_policy = retry_policy or RetryPolicy()
    seconds = float(credentials.timeout or 60)
    answers, archives = (
        limited_adapter(retry_policy.answer_clock, seconds, by_rate=rate) for rate in (False, True)
    )

    def http(
        attempts: int | None = None,
        condition: RetryPredicate = is_retryable,
        adapter: HTTPAdapter = answers,
    ) -> LimitedClient:
        return LimitedClient(
            adapter,
            lambda seconds: pause(retry_policy, seconds, why_again()),
            request_timeout=seconds,
            raise_for_status=False,
            status_codes=(),
            exceptions=(),
            retry_condition=condition,
            **retry_policy.http_settings(attempts),
        )

    auth = ZohoAuthenticator(credentials, post=token_post(credentials, now=retry_policy.answer_clock))
    calls = threading.BoundedSemaphore(limits.CALLS_AT_ONCE)
    https = http(), http(condition=is_safe_to_retry_create), http(1, lambda response, error: False, archives)
    context = ClientContext(
        auth, *https, retry_policy, download_rate(retry_policy), calls, credentials.proxies
    )
    return ZohoClient(context, WaitTracker(retry_policy))
