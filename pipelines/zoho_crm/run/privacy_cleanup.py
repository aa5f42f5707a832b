"""Takes out of the destination what a rule of privacy does not allow to be there any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sources.zoho_crm.discovery.account_tables import AUDIT_LOG
from sources.zoho_crm.discovery.catalog import Catalog
from sources.zoho_crm.exceptions import ZohoCrmError
from sources.zoho_crm.extract.audit_log import private_words
from sources.zoho_crm.planning.plan import Plan
from sources.zoho_crm.planning.sync_mode import text_columns
from sources.zoho_crm.sync.deleted_records import DELETED_RECORDS
from sources.zoho_crm.sync.rejected_values import REJECTED_VALUES
from sources.zoho_crm.sync.warehouse import Warehouse
from sources.zoho_crm.transform.naming import snake_case

from ..errors import root_message
from .database import raise_if_disconnected


class PrivacyCleanupError(ZohoCrmError):
    """The destination kept values that a rule forbids."""


def clear_private_columns(warehouse: Warehouse, found: Catalog) -> None:
    """Empty the columns of fields whose rule is new or another, before anything is read.

    Those that are masked or hashed are filled again by the same run, those that are dropped stay empty.
    Raises NotEmptied. Files are written anew in each run, and hold no old values.
    """
    changed = {
        plan.module.api_name: {entry.rpartition(": ")[0] for entry in plan.new_private}
        for plan in found.plans
    }
    if not warehouse.can_merge:
        return
    _clear_audit_log(warehouse, found)
    if not any(changed.values()):
        return
    for plan in found.plans:
        names = list(_columns(found, plan, changed[plan.module.api_name]))
        with _told_as(plan.module.api_name):
            warehouse.clear_columns(plan.table, names)
            fields = ", ".join(f"'{quoted(name)}'" for name in sorted(changed[plan.module.api_name]))
            if fields:
                only = f"module = '{quoted(plan.module.api_name)}' and field in ({fields})"
                warehouse.clear_columns(REJECTED_VALUES.table, ["text"], only)
            if changed[plan.module.api_name] and plan.shown is not None:
                only = f"module = '{quoted(plan.module.api_name)}'"
                warehouse.clear_columns(DELETED_RECORDS.table, ["display_name"], only)


@contextmanager
def _told_as(name: str) -> Iterator[None]:
    """Raises PrivacyCleanupError, which names the table, for whatever the destination raises."""
    try:
        yield
    except Exception as error:  # each destination has errors of its own
        raise_if_disconnected(error)
        raise PrivacyCleanupError(
            f"{name}: what its privacy rules forbid could not be taken out of the"
            f" destination, so nothing was read: {root_message(error)}"
        ) from error


def _clear_audit_log(warehouse: Warehouse, found: Catalog) -> None:
    """Empty what may hold values of records; the run reads the log whole again, as its rules are others."""
    name = AUDIT_LOG.table
    synced, there = found.memory.synced.get(name), (found.memory.destination_columns or {}).get(name)
    private = private_words(found.choice.policy.rules)
    if not private or synced is None or there is None or not {*private} - {*synced.private}:
        return
    if not found.choice.selects(name):
        return
    kept = {"id", "audited_time", "module"}
    with _told_as(name):
        warehouse.clear_columns(name, sorted(n for n in there - kept if not n.startswith("_dlt")))


def _columns(found: Catalog, plan: Plan, changed: set[str]) -> Iterator[str]:
    """Every column that these fields were ever given, and those of earlier versions for text that did not fit.

    If the state that remembers them is lost, the table tells: it may hold deleted rows and closed versions.
    """
    if plan.table not in (found.memory.destination_columns or {}):
        return
    known = found.memory.columns.get(plan.table, {})
    kept = {c.name for c in plan.columns if c.api_name not in changed}
    for api_name in sorted(changed):
        base = snake_case(api_name)
        names = known[api_name][::2] if api_name in known else {base, f"{base}__id"} - kept
        for name in names:
            yield from (name, *(text for text in text_columns(name) if text not in kept))


def quoted(text: str) -> str:
    return text.replace("'", "''")
