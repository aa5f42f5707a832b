"""Tells what a comparison has found apart from what has only happened since the last run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sources.zoho_crm.children import Link
from sources.zoho_crm.client import ZohoClient
from sources.zoho_crm.columns import Kind
from sources.zoho_crm.deleted import read_deletions
from sources.zoho_crm.differences import differing
from sources.zoho_crm.errors import ZohoCrmError, ZohoError
from sources.zoho_crm.extraction import TooManyRowsMissing, check_row_loss
from sources.zoho_crm.plan import Plan
from sources.zoho_crm.records import read_ids
from sources.zoho_crm.sweep import confirm_gone
from sources.zoho_crm.synced import Synced
from sources.zoho_crm.values import Misfit, convert
from sources.zoho_crm.windows import ALONG_BY_NAME, CHANGED, CREATED

from .comparison import Comparison, ids_since
from .database import raise_if_gone
from .failures import innermost


@dataclass
class Judge:
    """Judges comparisons together, because rows come and go with the records that they hang on."""

    comparisons: Sequence[Comparison]
    links: Sequence[Link]
    synced: Mapping[str, Synced]  # what the state knows of every module, compared or not
    client: ZohoClient

    def judge(self) -> None:
        """Leave in each comparison what no run will put right by its changes. Raises nothing."""
        loaded = {c.name: c for c in self.comparisons if c.loaded}
        for comparison in loaded.values():
            carefully(comparison, self._by_its_own_times)
        for child in dict.fromkeys(link.child for link in self.links):  # notes before the files on them
            if child in loaded:
                carefully(loaded[child], self._by_its_parents)
        for comparison in loaded.values():
            carefully(comparison, self._by_what_it_names)
            carefully(comparison, self._confirm)
            carefully(comparison, self._tell)

    def _by_its_own_times(self, comparison: Comparison) -> None:
        plan, until, spooled = comparison.plan, comparison.until, comparison.thin.spooled
        assert until is not None
        assert spooled is not None
        # Created_Time tells what is new in modules that do not tell what changed.
        comparison.newer = ids_since(spooled.path, column(plan, CHANGED) or column(plan, CREATED), until)
        comparison.excuse(comparison.newer, ("missing", "stale", "values"))
        for name in ALONG_BY_NAME:
            moved = ids_since(spooled.path, column(plan, name) if is_time(plan, name) else None, until)
            comparison.excuse(moved, ("values",))
        if comparison.ids["extra"]:
            client, thin = self.client.metered(comparison.thin.usage), comparison.thin
            feed = read_deletions(client, comparison.name, until)
            thin.gap, thin.deletions = feed.gap, feed.deletions
            comparison.deleted = frozenset(deletion.id for deletion in feed.deletions)
            comparison.excuse(comparison.deleted, ("extra",))

    def _by_its_parents(self, comparison: Comparison) -> None:
        """Rows of a record that changed, or went, since the last run are read with it by the next one."""
        for link in self.links:
            name = column(comparison.plan, link.field)
            if link.child != comparison.name or name is None or not comparison.doubtful:
                continue
            parents = comparison.values(name, comparison.doubtful)
            named = set[str]().union(*parents.values()) - {None}
            touched = self._touched(comparison, link.parent, named)
            comparison.excuse({id for id, ids in parents.items() if ids & touched})

    def _touched(self, comparison: Comparison, parent: str, ids: Collection[str]) -> frozenset[str]:
        """Those of the parents that changed or went since the module was last read; asked if it was not compared."""
        for other in self.comparisons:
            if other.name == parent and other.thin.status == "read":
                return other.newer | other.deleted | other.since
        known, client = self.synced.get(parent), self.client.metered(comparison.thin.usage)
        if known is None or not ids:
            return frozenset()
        try:
            there = read_ids(client, parent, ["id", CHANGED], sorted(ids))
            gone = set(ids) - there.keys()
            feed = read_deletions(client, parent, known.until).deletions if gone else ()
        except ZohoError:
            return frozenset()  # not to be asked, so it excuses nothing
        changed = {id for id, record in there.items() if is_since(record.get(CHANGED), known)}
        return frozenset(changed | {deletion.id for deletion in feed})

    def _by_what_it_names(self, comparison: Comparison) -> None:
        """Zoho empties a lookup of a record that goes, and no time moves."""
        gone = frozenset[str]().union(*(other.deleted for other in self.comparisons))
        for one in comparison.plan.columns if comparison.ids["values"] and gone else ():
            if one.field.data_type in ("lookup", "multi_module_lookup"):
                named = comparison.values(one.name, comparison.ids["values"])
                comparison.excuse({id for id, ids in named.items() if ids & gone}, ("values",))

    def _confirm(self, comparison: Comparison) -> None:
        """Asking by id is the only proof that a record is gone; too many are not believed."""
        thin, extra = comparison.thin, comparison.ids["extra"]
        try:
            check_row_loss(thin, sorted(extra), comparison.table_rows or 0)
        except TooManyRowsMissing as error:
            comparison.refusal = str(error)
        else:
            gone = confirm_gone(self.client.metered(thin.usage), comparison.name, extra, comparison.plan)
            if extra - gone:
                thin.notes.remarks.append(f"{len(extra - gone):,} records are there by id and in no list")
            comparison.ids["extra"] = extra & gone

    def _tell(self, comparison: Comparison) -> None:
        """What a person wants to know beside the ids."""
        plan, remarks = comparison.plan, comparison.thin.notes.remarks
        if comparison.ids["values"] and comparison.patches and comparison.held:
            comparison.columns = differing(
                comparison.patches, comparison.held, plan.columns, comparison.ids["values"]
            )
        if comparison.thin.gap and comparison.ids["extra"]:
            remarks.append(f"{comparison.thin.gap}, so rows deleted since the last run may count as extra")
        if not plan.has(CHANGED) and comparison.doubtful:
            remarks.append(f"it has no {CHANGED}: what changed since the last run may count as a difference")


def carefully(comparison: Comparison, step: Callable[[Comparison], None]) -> None:
    """Take a step with a module that is whole so far; its trouble stays its own."""
    thin = comparison.thin
    if thin.status != "read":
        return
    try:
        step(comparison)
    except ZohoCrmError as error:
        thin.fail(error)
    except Exception as error:  # noqa: BLE001 - each destination has errors of its own
        raise_if_gone(error)
        thin.end("failed", innermost(error))


def column(plan: Plan, api_name: str) -> str | None:
    """The column of a field that the module may lack."""
    return plan.column(api_name).name if plan.has(api_name) else None


def is_time(plan: Plan, api_name: str) -> bool:
    return plan.has(api_name) and plan.column(api_name).kind is Kind.TIMESTAMP


def is_since(text: Any, known: Synced) -> bool:
    """Whether a time of Zoho's is not before the last run."""
    try:
        moment = convert(Kind.TIMESTAMP, text)
    except Misfit:
        return False
    return moment is not None and bool(moment >= known.until)
