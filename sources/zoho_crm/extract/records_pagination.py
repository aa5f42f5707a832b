"""Walks over all records of a module by the Records API: past every limit, and while people work in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

from .. import limits
from ..client.client import ZohoClient
from ..client.page_chain import PageChain, RowLimit
from ..client.responses import more_in, rows_in
from ..exceptions import ExtractError, ZohoError
from ..models import MODIFIED_TIME, PrefetchedPage
from ..planning.plan import Plan

Record = dict[str, Any]
LONG_AGO = datetime(1970, 1, 2, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)  # what Zoho's times are exact to
MARGIN = timedelta(minutes=1)  # by which the feed of deletions is asked for more than the walk took

# How Zoho may refuse the token of a page that was read a while ago; the walk then begins anew.
STALE = frozenset({"EXPIRED_VALUE", "TOKEN_BOUND_DATA_MISMATCH", "INVALID_DATA"})


def walk(
    client: ZohoClient, plan: Plan, fields: list[str], which: Mapping[str, str] = {}
) -> Iterator[list[Record]]:
    """Every record of the plan once, in pages; of a window, those that are newer than its end as well.

    A list shows converted and unapproved records as well, unless `which` has other values for these parameters.
    By id, because edits do not move a record there. Tokens reach 100,000 records: past that by id from
    the other end until the two walks meet, and past 200,000 by Modified_Time.
    """
    return RecordPaginator(client, plan, fields, which).pages()


def list_page(
    client: ZohoClient, module: str, fields: list[str], which: Mapping[str, str], since: datetime | None
) -> dict[str, Any]:
    """The first page of a list; `{}` for none."""
    return PageIterator(since=since, which=which).ask(client, module, fields)


def first_page(client: ZohoClient, plan: Plan, fields: list[str]) -> PrefetchedPage:
    """The first records of a window: what changed, if it is not much, and whether it is more."""
    way = PageIterator(since=plan.window.since)
    page = way.ask(client, plan.module.api_name, fields)
    records = tuple(rows_in(page, "data"))
    return PrefetchedPage(records, more_in(page), _token(page) if more_in(page) else None)


class RecordPaginator:
    """All walks over one module; a record that one of them had does not come again."""

    def __init__(self, client: ZohoClient, plan: Plan, fields: list[str], which: Mapping[str, str]) -> None:
        self.client, self.plan, self.fields, self.which = client, plan, fields, which
        self.since = plan.window.since
        self.first = plan.first if self.since else None
        self.seen: set[str] = set()
        self.turned = 0  # pages
        self.deleted: set[str] | None = None  # while the walks went on, once that was asked
        self.no_feed = False
        self.limit = RowLimit(client, plan)
        self.started = self._start()

    def _start(self) -> datetime:
        """When the first page was read, at the latest: while planning, if that has read it."""
        now = self.client.now()
        return min(now, self.plan.until or self.since or now) if self.first else now

    def pages(self) -> Iterator[list[Record]]:
        one, other = self._ways()
        yield from self._along(one)
        if one.whole:
            for way in [replace(way, first=None) for way in (other, one) * 2]:
                if not self._may_have_missed():
                    return
                way.whole = False
                yield from self._along(way)
            return
        if one.in_order:
            other.until = max(map(int, self.seen)) if other.descends else min(map(int, self.seen))
            yield from self._along(other)
        if not other.whole:
            yield from self._by_time()
        elif self._may_have_missed():
            yield from self._along(self._by_id("asc"))
            yield from self._along(self._by_id("desc"))

    def _ways(self) -> tuple[PageIterator, PageIterator]:
        """The first walk, and the one from the other end.

        That of a window names no order, as Zoho has fewer turns for lists that do, and may charge more;
        the order is then by id downwards, says Zoho, and it is looked at before anything depends on it.
        """
        up, down = self._by_id("asc"), self._by_id("desc")
        if not self.since:
            return up, down
        return PageIterator(since=self.since, first=self.first, which=self.which), up

    def _by_id(self, order: str) -> PageIterator:
        return PageIterator("id", order, self.since, which=self.which)

    def _along(self, way: PageIterator) -> Iterator[list[Record]]:
        for records in way.pages(self.client, self.plan.module.api_name, self.fields):
            fresh = [record for record in records if record["id"] not in self.seen]
            self.seen.update(record["id"] for record in fresh)
            self.limit.check(len(self.seen))
            self.turned += 1
            yield fresh

    def _may_have_missed(self) -> bool:
        """Whether a deletion may have moved a record over the edge of a page that was read already.

        Another walk then finds it. A token is a place in the order and no bookmark.
        """
        if self.turned <= 1:
            return False
        first_look, before = self.deleted is None, self.deleted or set()
        self.deleted = self._deleted()
        if first_look and (self._fewer_than_counted() or self._leaves_no_trace()):
            return True
        return first_look if self.no_feed else bool(self.deleted - before)

    def _fewer_than_counted(self) -> bool:
        return self.plan.rows is not None and len(self.seen) < self.plan.rows

    def _leaves_no_trace(self) -> bool:
        return self.plan.module.is_part_of_records

    def _deleted(self) -> set[str]:
        """What was deleted since the walks began, as far as a page of the feed tells."""
        moment = {"If-Modified-Since": (self.started - MARGIN).isoformat(timespec="seconds")}
        path = f"{self.plan.module.api_name}/deleted"
        params = {"type": "all", "per_page": limits.RECORDS_PER_PAGE}
        try:
            answer = self.client.get(
                path, params, credits=self.client.service.deleted_credits, headers=moment
            )
        except ZohoError:
            self.no_feed = True
            return set()
        return {str(row.get("id")) for row in rows_in(answer, "data")}

    def _by_time(self) -> Iterator[list[Record]]:
        """In the order of edits, each page from where the last one ended: an edit moves no record past it.

        Tokens are followed only while a page has no later second; as edits move records there, such
        pages are read until they bring nothing new.
        """
        if not self.plan.has(MODIFIED_TIME):
            raise ExtractError(
                "the Records API cannot list so many records without Modified_Time: use Bulk Read"
            )
        since = self.since or LONG_AGO
        while True:
            way = PageIterator(MODIFIED_TIME, "asc", since=since, which=self.which)
            count = fresh = 0
            for page in self._along(way):
                yield page
                count, fresh = count + 1, fresh + len(page)
                if way.latest is not None and way.latest > since:
                    break
            else:
                self._check_end(way)
            if count > 1 and fresh:
                continue
            if way.whole or way.latest is None:
                return
            since = way.latest

    def _check_end(self, way: PageIterator) -> None:
        if not way.whole:
            moment = way.latest.astimezone(timezone.utc).isoformat() if way.latest else "without a time"
            raise ExtractError(
                f"the Records API cannot list all records of one second ({moment}): use Bulk Read"
            )


def any_converted(client: ZohoClient, module: str) -> bool:
    """Whether the module has converted records; one call."""
    try:
        return bool(
            client.get(
                module, {"fields": "id", "per_page": 1, **client.service.all_records, "converted": "true"}
            )
        )
    except ZohoError:
        return True  # nobody can tell


def if_modified_since(since: datetime) -> dict[str, str]:
    """The header for what changed at `since` or later.

    Zoho does not say whether If-Modified-Since holds the second that it names, so the one before is named.
    """
    return {"If-Modified-Since": (since - SECOND).isoformat(timespec="seconds")}


@dataclass
class PageIterator:
    """One walk in one order; `whole` tells afterwards whether it came to its end."""

    sort_by: str | None = None  # None: Zoho's own order, which is by id downwards
    sort_order: str = "desc"
    since: datetime | None = None  # what changed from then on
    which: Mapping[str, str] = field(default_factory=dict)  # instead of converted and unapproved records, too
    first: PrefetchedPage | None = None  # its first page, if that was read before
    until: int | None = None  # the id at which it meets the walk from the other end
    whole: bool = False
    in_order: bool = True  # whether the ids of each page came in the order of the walk
    latest: datetime | None = None  # the Modified_Time of the last record

    @property
    def descends(self) -> bool:
        return self.sort_order == "desc"

    def ask(
        self, client: ZohoClient, path: str, fields: list[str], token: str | None = None
    ) -> dict[str, Any]:
        """One page. A token is good only with the parameters of the page that gave it."""
        params = {"fields": ",".join(fields), "per_page": limits.RECORDS_PER_PAGE}
        params |= {**client.service.all_records, **self.which}
        if self.sort_by:
            params.update(sort_by=self.sort_by, sort_order=self.sort_order)
        if token:
            params["page_token"] = token
        return client.get(path, params, headers=if_modified_since(self.since) if self.since else None)

    def pages(self, client: ZohoClient, path: str, fields: list[str]) -> Iterator[list[Record]]:
        """Pages by token from the first one on, because a page number ends at record 2,000.

        Ends early, with `whole` false, where tokens go no further (PAGINATION_LIMIT_EXCEEDED), which no
        new walk of the same kind cures.
        """
        token, chain = None, PageChain(path)
        if self.first is not None and self._has(fields):
            yield self._look_at([dict(record) for record in self.first.records], self.first.more)
            token = self.first.token
        while not self.whole:
            try:
                page = self.ask(client, path, fields, token)
            except ZohoError as error:
                if error.code == "PAGINATION_LIMIT_EXCEEDED":
                    return
                if token and self.first and token == self.first.token and error.code in STALE:
                    token = None
                    continue
                raise
            records = self._look_at(rows_in(page, "data"), more_in(page))
            chain.page((record["id"] for record in records), more=not self.whole)
            yield records
            token = _token(page)
            if not self.whole and not token:
                raise ExtractError("Zoho has more records but gave no token for the next page")
            if not self.whole and token:
                chain.token(token)

    def _has(self, fields: list[str]) -> bool:
        """Whether the first page has all these fields; they may be others than when it was read."""
        assert self.first is not None
        return all(record.keys() >= set(fields) for record in self.first.records)

    def _look_at(self, records: list[Record], more: bool) -> list[Record]:
        ids = [int(record["id"]) for record in records]
        met = self.until is not None and any(self._is_past(id, self.until) for id in ids)
        self.whole = met or not more
        self.in_order &= all(self._is_past(later, id) for id, later in pairwise(ids))
        changed = records[-1].get(MODIFIED_TIME) if records else None
        if changed:
            self.latest = datetime.fromisoformat(str(changed).replace("Z", "+00:00"))
        return records

    def _is_past(self, id: int, other: int) -> bool:
        """Whether it is the other or comes after it in this order."""
        return id <= other if self.descends else id >= other


def _token(page: dict[str, Any]) -> str | None:
    return page["info"].get("next_page_token") if page else None
