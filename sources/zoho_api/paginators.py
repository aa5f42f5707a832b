"""Paginators that dlt lacks: pages that begin with rows of the one before, so that none is lost while rows change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from requests import Request, Response

from ..zoho_crm.exceptions import ExtractError

# Desk's search hands out rows 0 to 4,999 of what it finds: https://desk.zoho.com/DeskAPIDocument#Search
REACH = 4_999
MAX_RETURNS = 20  # pages in a row that bring nothing new


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


class ModifiedTimePaginator(BasePaginator):
    """Pages of rows in the order of their last change; each begins at the time of the last row of the one before.

    With page numbers alone a row that is edited or deleted meanwhile leaves its place, the rows behind it move up,
    and the first one of the next page is never seen. Page numbers count only among rows of one time.
    """

    resolution = timedelta(seconds=1)  # of the service's times

    def __init__(self, cursor: str, limit: int, now: Callable[[], datetime] = utc_now) -> None:
        super().__init__()
        self.cursor, self.limit, self.now = cursor, limit, now
        self._begin = self._end = datetime.min.replace(tzinfo=timezone.utc)
        self._page = 0  # among the rows that begin at this time
        self._rows: list[Any] = []

    def init_request(self, request: Request) -> None:
        self._begin, self._end = parse_time(self.first_time(request)), self.now() + self.resolution
        self._page, self._rows, self._has_next_page = 0, [], True
        self.update_request(request)

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        rows = data or []
        if not rows or not self.has_more(response, rows):
            self._has_next_page = False
            return
        found = [jsonpath.find_values(self.cursor, row) for row in rows]
        if not all(found):
            raise ExtractError(f"{response.url.partition('?')[0]} brought rows without {self.cursor}")
        times = [parse_time(str(values[0])) for values in found]
        if times != sorted(times):
            raise ExtractError(f"{response.url.partition('?')[0]} does not sort by {self.cursor}")
        if self._page and rows == self._rows:
            raise ExtractError(
                f"{response.url.partition('?')[0]} brought the same page twice: its paging does not go on"
            )
        self._rows, begin = rows, times[-1] - self.resolution
        if begin > self._begin:
            self._begin, self._page = begin, 0
        else:
            self._page += 1

    def first_time(self, request: Request) -> str:
        """The time in the first request."""
        raise NotImplementedError

    def has_more(self, response: Response, rows: list[Any]) -> bool:
        raise NotImplementedError


class TimeRangePaginator(ModifiedTimePaginator):
    """A search in a range of time, as Desk has it: `modifiedTimeRange=from,to&from=0&limit=100`."""

    resolution = timedelta(milliseconds=1)

    def __init__(
        self,
        cursor: str = "modifiedTime",
        range_param: str = "modifiedTimeRange",
        limit: int = 100,
        reach: int = REACH,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(cursor, limit, now)
        self.range_param, self.reach = range_param, reach

    def first_time(self, request: Request) -> str:
        return str((request.params or {}).get(self.range_param, "")).partition(",")[0]

    def has_more(self, response: Response, rows: list[Any]) -> bool:
        return len(rows) >= self.limit

    def update_request(self, request: Request) -> None:
        offset = self._page * self.limit
        if offset > self.reach:
            raise ExtractError(
                f"more than {self.reach:,} rows have changed at {_text(self._begin)}: the search reaches no further"
            )
        params = request.params = dict(request.params or {})
        params[self.range_param] = f"{_text(self._begin)},{_text(max(self._begin, self._end))}"
        params["from"], params["limit"] = offset, self.limit


class ModifiedSincePaginator(ModifiedTimePaginator):
    """A list of what has changed since the header If-Modified-Since, as Recruit has it: `page=1&per_page=200`."""

    def __init__(
        self,
        cursor: str = "Modified_Time",
        limit: int = 200,
        has_more_path: str = "info.more_records",
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(cursor, limit, now)
        self.has_more_path = has_more_path

    def first_time(self, request: Request) -> str:
        return str(request.headers.get("If-Modified-Since", ""))

    def has_more(self, response: Response, rows: list[Any]) -> bool:
        return any(jsonpath.find_values(self.has_more_path, response.json()))

    def update_request(self, request: Request) -> None:
        params = request.params = dict(request.params or {})
        params["page"], params["per_page"] = self._page + 1, self.limit
        request.headers = {
            **(request.headers or {}),
            "If-Modified-Since": self._begin.isoformat(timespec="seconds"),
        }


class OverlappingPagesPaginator(BasePaginator):
    """Pages by their number, of a list in which new rows come last; each begins with some rows of the one before.

    A row that is deleted meanwhile moves all behind it up, and the first one of the next page would never be seen.
    A page can begin at any multiple of its size only, so the sizes differ. A page that begins with a row not seen
    before shows that more were deleted than the pages overlap: it is read again from further ahead.
    """

    def __init__(
        self,
        page_param: str = "page",
        limit_param: str = "per_page",
        limit: int = 200,
        has_more_path: str = "has_more",
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__()
        self.page_param, self.limit_param, self.limit = page_param, limit_param, limit
        self.has_more_path = has_more_path
        self._start, self._size, self._returns = 0, limit, 0
        self._seen: set[int] = set()  # what is left of each row: 8 bytes

    def init_request(self, request: Request) -> None:
        self._start, self._size, self._returns, self._has_next_page = 0, self.limit, 0, True
        self._seen.clear()
        self.update_request(request)

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        found = [hash(repr(row)) for row in data or []]
        has_gap = self._start > 0 and (not found or found[0] not in self._seen)
        is_new = not self._seen.issuperset(found)
        self._seen.update(found)
        self._returns = self._returns + 1 if has_gap or not is_new else 0
        if self._returns > MAX_RETURNS:
            raise ExtractError(
                f"{response.url.partition('?')[0]} brought the same page twice: its paging does not go on"
            )
        if has_gap:
            self._go_to(max(self._start - self.limit, 0))
        elif found and any(jsonpath.find_values(self.has_more_path, response.json())):
            self._go_to(self._start + self._size)
        else:
            self._has_next_page = False

    def update_request(self, request: Request) -> None:
        params = request.params = dict(request.params or {})
        params[self.page_param], params[self.limit_param] = self._start // self._size + 1, self._size

    def _go_to(self, end: int) -> None:
        """The page that begins as little as possible before this number of rows."""
        if end == 0:
            self._start, self._size = 0, self.limit
            return
        sizes = range(self.limit, self.limit * 3 // 4, -1)
        self._size = min(sizes, key=lambda size: (end - 1) % size)
        self._start = (end - 1) // self._size * self._size


def _text(time: datetime) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S.%f')[:-3]}Z"


def parse_time(text: str) -> datetime:
    """A time with a zone, in any form of ISO 8601. Raises ExtractError."""
    text = text.strip()
    for form in (
        "%Y-%m-%dT%H:%M:%S%z",
        "%Y-%m-%dT%H:%M:%S.%f%z",
    ):  # Python before 3.11 reads few forms itself
        try:
            return datetime.strptime(text, form).astimezone(timezone.utc)
        except (ValueError, OverflowError):
            continue
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise ExtractError(f"{text[:60]!r} is no time") from None


PAGINATORS: Mapping[str, type[ModifiedTimePaginator | OverlappingPagesPaginator]] = {
    "time_range": TimeRangePaginator,
    "modified_since": ModifiedSincePaginator,
    "overlapping_pages": OverlappingPagesPaginator,
}


def own_paginator(named: Any, now: Callable[[], datetime] = utc_now) -> BasePaginator | None:
    """One of the paginators of this module, if that is what a file names; dlt knows its own only."""
    if not isinstance(named, dict) or named.get("type") not in PAGINATORS:
        return None
    options = {key: value for key, value in named.items() if key != "type"}
    return PAGINATORS[named["type"]](**options, now=now)
