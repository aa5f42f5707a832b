"""Ends chains of pages that do not end by themselves."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

from .. import limits
from ..exceptions import ExtractError, ZohoError

if TYPE_CHECKING:
    from ..planning.plan import Plan
    from .client import ZohoClient

MOST_REPEATS = 3  # pages in a row without anything new: records that are made meanwhile may move others there
SLACK = 10_000  # rows over Zoho's count, which may be ten minutes old
COUNT_ALL = {"converted": "both", "approved": "both"}


class PageChain:
    """The pages of one list in one order: each has to bring something new, by a token of its own."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._tokens: set[str] = set()
        self._seen: set[Hashable] = set()
        self._repeats = 0

    def page(self, keys: Iterable[Hashable], *, more: bool, most_repeats: int = MOST_REPEATS) -> None:
        """A page with these records came. Raises ExtractError if the list goes on and brings nothing new."""
        before = len(self._seen)
        self._seen.update(keys)
        self._repeats = 0 if len(self._seen) > before else self._repeats + 1
        if more and self._repeats >= most_repeats:
            raise ExtractError(f"Zoho says that there are more {self._what}, and brings none that is new")

    def token(self, token: str) -> None:
        """Raises ExtractError for a token that an earlier page gave: it would go round in a circle."""
        if token in self._tokens:
            raise ExtractError(f"Zoho's token for the next page of {self._what} leads back to an earlier one")
        self._tokens.add(token)


class RowLimit:
    """How many rows a list may bring, by Zoho's count of the module with room for what the count does not know."""

    def __init__(self, client: ZohoClient, plan: Plan) -> None:
        self._client, self._module = client, plan.module.api_name
        # Without these parameters the count leaves out converted leads, which may be most of them.
        self._hides = plan.has("Converted__s") or self._module == "Leads"
        counted = plan.rows if plan.is_full_refresh else None  # of a window these are only the changes
        self._most = limits.RECORDS_REACH if counted is None else with_room(counted)

    def check(self, rows: int) -> None:
        """Raises ExtractError for more rows than there can be. Zoho is asked once more before that."""
        if rows <= self._most:
            return
        count = self._count()
        if count is None:
            self._most = 2 * rows
            return
        self._most = with_room(count)
        if rows > self._most:
            raise ExtractError(
                f"Zoho lists {rows:,} records of {self._module} and says that there are more, where it counts {count:,}"
            )

    def _count(self) -> int | None:
        for params in (COUNT_ALL, None) if not self._hides else (COUNT_ALL,):
            try:
                count = self._client.get(f"{self._module}/actions/count", params).get("count")
            except ZohoError:
                continue
            if str(count).isdecimal():
                return int(str(count))
        return None


def with_room(count: int) -> int:
    """Twice a count, and never just a few more."""
    return count + max(count, SLACK)
