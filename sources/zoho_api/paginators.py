"""Paginators that dlt lacks."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from dlt.sources.helpers.rest_client.paginators import BasePaginator
from requests import Request, Response

from ..zoho_crm.exceptions import ExtractError

# Desk's search hands out rows 0 to 4,999 of what it finds: https://desk.zoho.com/DeskAPIDocument#Search
REACH = 4_999
FORMAT = "%Y-%m-%dT%H:%M:%S.000Z"


class TimeWindowPaginator(BasePaginator):
    """Reads a search in windows of time, each cut in halves until it has fewer rows than the search reaches.

    The parameter holds the beginning of the first window, or both ends with a comma between them; by default the last
    window ends now. A window's first page counts its rows; pages of a window that is cut come again in its halves.
    """

    def __init__(
        self,
        range_param: str = "modifiedTimeRange",
        limit: int = 100,
        count_key: str = "count",
        reach: int = REACH,
    ) -> None:
        super().__init__()
        self.range_param, self.limit, self.count_key, self.reach = range_param, limit, count_key, reach
        self._windows: list[tuple[datetime, datetime]] = []  # the next one last
        self._offset = 0

    def init_request(self, request: Request) -> None:
        params = request.params = dict(request.params or {})
        first, _, last = str(params.get(self.range_param, "")).partition(",")
        begin = parse_time(first)
        end = parse_time(last) if last.strip() else datetime.now(timezone.utc) + timedelta(seconds=1)
        self._windows, self._offset, self._has_next_page = [(begin, max(begin, end))], 0, True
        self.update_request(request)

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        body = response.json()
        begin, end = self._windows.pop()
        count = int(body.get(self.count_key) or 0) if isinstance(body, dict) else 0
        seconds = int((end - begin).total_seconds())
        if count > self.reach and seconds >= 2:
            middle = begin + timedelta(seconds=seconds // 2)
            self._windows += [(middle, end), (begin, middle)]
            self._offset = 0
        elif count > self.reach:
            raise ExtractError(
                f"{count:,} rows have changed within one second: the search reaches {self.reach:,}"
            )
        elif data and self._offset + self.limit < count:
            self._windows.append((begin, end))
            self._offset += self.limit
        else:
            self._offset = 0
        self._has_next_page = bool(self._windows)

    def update_request(self, request: Request) -> None:
        if not self._windows:
            return  # dlt asks for this after the last page, too
        begin, end = self._windows[-1]
        params = request.params = dict(request.params or {})
        params[self.range_param] = f"{begin.strftime(FORMAT)},{end.strftime(FORMAT)}"
        params["from"], params["limit"] = self._offset, self.limit


def parse_time(text: str) -> datetime:
    """A time with a zone, in any form of ISO 8601. Raises ExtractError."""
    text = text.strip()
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        try:  # Books: 2026-01-01T10:00:00-0800, which Python before 3.11 does not read
            time = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")
        except ValueError:
            raise ExtractError(f"{text!r} is no time") from None
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)


def with_own_paginator(endpoint: dict[str, Any]) -> dict[str, Any]:
    """The endpoint with one of the paginators of this module, if it names one; dlt knows its own only."""
    named = endpoint.get("paginator")
    if not isinstance(named, dict) or named.get("type") != "time_windows":
        return endpoint
    return {**endpoint, "paginator": TimeWindowPaginator(**{k: v for k, v in named.items() if k != "type"})}
