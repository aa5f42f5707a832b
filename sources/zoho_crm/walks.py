"""Walks over all records of a module by the Records API: past every limit, and while people work in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from . import limits
from .answers import more_in, rows_in
from .client import ZohoClient
from .errors import ReadFailed, ZohoError
from .plan import Plan

Record = dict[str, Any]

# Converted leads and records that wait for approval are left out unless asked for (Get Records, v8).
ALL_RECORDS = {"converted": "both", "approved": "both"}

CHANGED = "Modified_Time"
SECOND = timedelta(seconds=1)  # what Zoho's times are exact to
MARGIN = timedelta(minutes=1)  # by which the feed of deletions is asked for more than the walk took
ROWS_OF_OTHERS = frozenset({"subform", "linking"})  # they go with their record, and no feed tells


def walk(client: ZohoClient, plan: Plan, fields: list[str]) -> Iterator[list[Record]]:
    """Every record once, in pages.

    By id upwards, because edits do not move a record there. Tokens reach 100,000 records: past that
    by id downwards until the two walks meet, and past 200,000 by Modified_Time in windows.
    """
    return _Walker(client, plan, fields).pages()


class _Walker:
    """All walks over one module; a record that one of them had does not come again."""

    def __init__(self, client: ZohoClient, plan: Plan, fields: list[str]) -> None:
        self.client, self.plan, self.fields = client, plan, fields
        self.seen: set[str] = set()
        self.started = client.now()

    def pages(self) -> Iterator[list[Record]]:
        up = _Walk("id", "asc")
        yield from self._along(up)
        if up.whole:
            if self._may_have_missed():
                yield from self._along(_Walk("id", "desc"))
            return
        down = _Walk("id", "desc", until=max(map(int, self.seen)))
        yield from self._along(down)
        if not down.whole:
            yield from self._by_time()
        elif self._may_have_missed():
            yield from self._along(_Walk("id", "asc"))
            yield from self._along(_Walk("id", "desc"))

    def _along(self, way: _Walk) -> Iterator[list[Record]]:
        for records in way.pages(self.client, self.plan.module.api_name, self.fields):
            fresh = [record for record in records if record["id"] not in self.seen]
            self.seen.update(record["id"] for record in fresh)
            yield fresh

    def _may_have_missed(self) -> bool:
        """Whether a deletion may have moved a record over the edge of a page that was read already.

        A second walk then finds it. A token is a place in the order and no bookmark.
        """
        if len(self.seen) <= limits.RECORDS_PER_PAGE:
            return False
        fewer_than_counted = self.plan.rows is not None and len(self.seen) < self.plan.rows
        return fewer_than_counted or self.plan.module.generated_type in ROWS_OF_OTHERS or self._any_deleted()

    def _any_deleted(self) -> bool:
        moment = {"If-Modified-Since": (self.started - MARGIN).isoformat(timespec="seconds")}
        path = f"{self.plan.module.api_name}/deleted"
        try:
            answer = self.client.get(path, {"type": "all", "per_page": 1}, credits=2, headers=moment)
        except ZohoError:
            return True  # a module without a feed
        return bool(answer)

    def _by_time(self) -> Iterator[list[Record]]:
        """In the order of edits, each page from where the last one ended: an edit moves no record past it.

        Zoho does not say whether If-Modified-Since holds the second that it names, so each page begins
        one second earlier. Tokens are followed only while a page has no later second; as edits move
        records there, such pages are read until they bring nothing new.
        """
        if not self.plan.has(CHANGED):
            raise ReadFailed(
                "the Records API cannot list so many records without Modified_Time: use Bulk Read"
            )
        since = datetime(1970, 1, 1, tzinfo=timezone.utc)
        while True:
            way = _Walk(CHANGED, "asc", since=since)
            count = fresh = 0
            for page in self._along(way):
                yield page
                count, fresh = count + 1, fresh + len(page)
                if way.latest is not None and way.latest - SECOND > since:
                    break
            else:
                self._check_end(way)
            if count > 1 and fresh:
                continue
            if way.whole or way.latest is None:
                return
            since = way.latest - SECOND

    def _check_end(self, way: _Walk) -> None:
        if not way.whole:
            moment = way.latest.astimezone(timezone.utc).isoformat() if way.latest else "without a time"
            raise ReadFailed(
                f"the Records API cannot list all records of one second ({moment}): use Bulk Read"
            )


def any_hidden(client: ZohoClient, module: str, flag: str) -> bool:
    """Whether the module has records that a reading hides which does not name the flag; one call."""
    only = {"approved": "false"} if flag == "$approved" else {"converted": "true"}
    try:
        return bool(client.get(module, {"fields": "id", "per_page": 1, **ALL_RECORDS, **only}))
    except ZohoError:
        return True  # nobody can tell


@dataclass
class _Walk:
    """One walk in one order; `whole` tells afterwards whether it came to its end."""

    sort_by: str
    sort_order: str
    since: datetime | None = None  # If-Modified-Since
    until: int | None = None  # the id at which a walk downwards meets the one upwards
    whole: bool = False
    latest: datetime | None = None  # the Modified_Time of the last record

    def pages(self, client: ZohoClient, path: str, fields: list[str]) -> Iterator[list[Record]]:
        """Pages by token from the first one on, because a page number ends at record 2,000.

        Ends early, with `whole` false, where tokens go no further (PAGINATION_LIMIT_EXCEEDED), which no
        new walk of the same kind cures.
        """
        headers = {"If-Modified-Since": self.since.isoformat(timespec="seconds")} if self.since else None
        params = {"fields": ",".join(fields), "per_page": limits.RECORDS_PER_PAGE, **ALL_RECORDS}
        params.update(sort_by=self.sort_by, sort_order=self.sort_order)
        while True:
            try:
                page = client.get(path, params, headers=headers)
            except ZohoError as error:
                if error.code == "PAGINATION_LIMIT_EXCEEDED":
                    return
                raise
            records: list[Record] = rows_in(page, "data")
            self._look_at(records)
            met = self.until is not None and any(int(record["id"]) <= self.until for record in records)
            self.whole = met or not more_in(page)
            yield records
            if self.whole:
                return
            token = page["info"].get("next_page_token")
            if not token or token == params.get("page_token"):
                raise ReadFailed("Zoho has more records but gave no token for the next page")
            params["page_token"] = token

    def _look_at(self, records: list[Record]) -> None:
        changed = records[-1].get(CHANGED) if records else None
        if changed:
            self.latest = datetime.fromisoformat(str(changed).replace("Z", "+00:00"))
