"""Reads what was deleted from a module since a time, and says when that may not be all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from .. import limits
from ..client.client import ZohoClient
from ..client.page_chain import PageChain
from ..client.responses import rows_in
from ..exceptions import CredentialsError, ExtractError, Retriable, ZohoError
from ..models import BESIDE, Module
from ..planning.plan import Plan
from ..state import ModuleState
from .records_pagination import if_modified_since

WALKS = 5  # over a feed that goes on changing
MOST_PAGES = 500  # 100,000 deletions: reading the module whole costs less
NO_API_NAME = "its list of deletions has a row without an id"

# How a record was deleted. Permanent ones last: a record that goes from the bin meanwhile is met again.
PERMANENT = "permanent"
KINDS = ("recycle", PERMANENT)

# What Zoho says where a module has no such list. Any other refusal is one of this user or this token.
NO_SUCH_LIST = frozenset(
    {
        "INVALID_MODULE",
        "MODULE_NOT_AVAILABLE",
        "MODULE_NOT_SUPPORTED",
        "NOT_SUPPORTED",
        "API_NOT_SUPPORTED",
        "INVALID_URL_PATTERN",
    }
)


@dataclass(frozen=True, slots=True)
class Deletion:
    """One row of the feed. Of a record that is deleted for good Zoho gives neither name nor person."""

    id: str
    display_name: str | None
    type: str
    deleted_time: datetime
    deleted_by: str | None


@dataclass(frozen=True)
class DeletionList:
    """The deletions in the order of their times; `gap` is why some may be missing.

    `refusal` is the code with which Zoho refused the list, so that nothing came.
    """

    deletions: tuple[Deletion, ...]
    gap: str | None = None
    refusal: str | None = None


def has_no_list(module: Module, refusal: str | None, *, read_before: bool) -> bool:
    """Whether a refusal says that Zoho has no list of this module's deletions at all.

    Only of modules of which Zoho documents none, and not once there was one. Those of notes and files are among
    them, though these lie in the recycle bin.
    """
    undocumented = not module.has_own_records or module.api_name in BESIDE
    return undocumented and refusal in NO_SUCH_LIST and not read_before


def after_list(synced: ModuleState, plan: Plan, *, came: bool, refused: bool) -> ModuleState:
    """The entry with what the state is to remember of the list, which a first reading does not ask for."""
    known = plan.synced
    if known is None:
        return synced
    since = (known.deletions_refused_since or known.until) if refused else None
    read_at = plan.until if came else known.deletions_read_at
    return replace(synced, deletions_read_at=read_at, deletions_refused_since=since)


def read_deletions(client: ZohoClient, module: str, since: datetime) -> DeletionList:
    """All that was deleted at `since` or later.

    Zoho numbers the pages and does not say whether there is an eleventh one. Where there is none, the
    two kinds are asked for one by one, which reaches twice as far. Raises what passes with time or
    needs a person; a module without a feed has a gap.
    """
    reader = _Reader(client, module, since)
    reader.read("all")
    if reader.cut and not reader.endless:
        reader.gaps.clear()
        for kind in KINDS:
            reader.read(kind)
    found = sorted(reader.found.values(), key=lambda deletion: (deletion.deleted_time, deletion.id))
    return DeletionList(tuple(found), reader.gaps[0] if reader.gaps else None, reader.refusal)


@dataclass
class _Reader:
    """What was found so far, over all walks."""

    client: ZohoClient
    module: str
    since: datetime
    found: dict[tuple[str, str, str], Deletion] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    refusal: str | None = None
    endless: bool = False  # it was not read to its end, as reading the module whole costs less
    cut: bool = False  # the feed goes on, but Zoho gives no further page of it

    def read(self, kind: str) -> None:
        """One kind. A restore moves rows over the edges of pages, so more than one are read again.

        That ends when a walk finds nothing that the walk before should have found.
        """
        earlier: datetime | None = None  # when the walk before began
        for _ in range(WALKS):
            before, began = set(self.found), self.client.now()
            try:
                pages = self._walk(kind)
            except (ZohoError, ExtractError) as error:
                if isinstance(error, (Retriable, CredentialsError)):
                    raise
                if isinstance(error, ZohoError) and not self.found:
                    self.refusal = error.code or str(error.status)
                self.gaps.append(f"its list of deletions could not be read: {error}")
                return
            new = self.found.keys() - before
            if pages == 1 or self.cut or (earlier and not self._any_before(earlier, new)):
                return
            earlier = began
        self.gaps.append(f"its list of deletions changed each of the {WALKS} times it was read")

    def _any_before(self, moment: datetime, new: set[tuple[str, str, str]]) -> bool:
        return any(self.found[key].deleted_time < moment for key in new)

    def _walk(self, kind: str) -> int:
        """The number of pages."""
        self.cut, page, more = False, 0, True
        chain = PageChain("deletions")
        while more:
            page += 1
            try:
                answer = self._ask(kind, page)
            except ZohoError as error:
                if page == 1 or isinstance(error, (Retriable, CredentialsError)):
                    raise
                return self._end_at(page, str(error))
            rows, more = rows_in(answer, "data"), _goes_on(answer)
            try:
                chain.page(map(_key, rows), more=more, most_repeats=1)
            except ExtractError:
                return self._end_at(page, "Zoho says so, and brings nothing new")
            self._add(rows)
            if more and page >= MOST_PAGES:
                self.endless = True
                return self._end_at(page + 1, "more is compared by id")
        return page

    def _end_at(self, page: int, why: str) -> int:
        self.cut = True
        self.gaps.append(f"its list of deletions goes on past its last page, {page - 1:,}: {why}")
        return page

    def _ask(self, kind: str, page: int) -> dict[str, Any]:
        params = {"type": kind, "page": page, "per_page": limits.RECORDS_PER_PAGE}
        path, headers = f"{self.module}/deleted", if_modified_since(self.since)
        return self.client.get(path, params, credits=self.client.service.deleted_credits, headers=headers)

    def _add(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row.get("id"):
                deletion = _deletion(row, self.client.now())
                self.found.setdefault(_key(row), deletion)
            elif NO_API_NAME not in self.gaps:
                self.gaps.append(NO_API_NAME)


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(row.get("id")), str(row.get("type") or "unknown"), str(row.get("deleted_time"))


def _goes_on(answer: Mapping[str, Any]) -> bool:
    """Whether there is another page; a full page that does not tell is not taken for the last one."""
    more = (answer.get("info") or {}).get("more_records")
    return more if isinstance(more, bool) else len(answer.get("data", [])) >= limits.RECORDS_PER_PAGE


def _deletion(row: Mapping[str, Any], now: datetime) -> Deletion:
    """One row; without a readable time it was deleted by now."""
    person, name = row.get("deleted_by"), row.get("display_name")
    return Deletion(
        id=str(row["id"]),
        display_name=None if name is None else str(name),
        type=str(row.get("type") or "unknown"),
        deleted_time=_instant(row.get("deleted_time")) or now,
        deleted_by=str(person["id"]) if isinstance(person, Mapping) and person.get("id") else None,
    )


def _instant(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment.astimezone(timezone.utc) if moment.tzinfo else None
