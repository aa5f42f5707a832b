"""Every table of a run as one list: the modules by their plans, the account's own, and what we know of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

from ..client.client import ZohoClient
from ..client.progress import ProgressCallback, ProgressListener
from ..discovery.account_tables import AUDIT_LOG, FIELDS, MODULES, AccountTable, endpoints
from ..discovery.catalog import Catalog, skip_reason
from ..extract.account import Before, Row, field_rows, gone_field_rows, module_rows, read_endpoint, write_rows
from ..extract.audit_log import AuditPeriod, columns_of, private_words, read_audit_log
from ..extract.extractor import ExtractResult, read_module
from ..models import Module
from ..planning.plan import Plan
from ..planning.schedule import is_due
from ..transform.column_types import Column
from ..transform.naming import name_columns

A_DAY = timedelta(days=1)
BULK_READERS = 16  # they mostly wait for Zoho; the account's limits are kept by the client
OTHER_READERS = 4


@dataclass(frozen=True)
class Table:
    """A table that a run reads; `read` makes its file in the folder given."""

    name: str
    table: str
    columns: tuple[Column, ...]  # as far as they are known before the reading
    read: Callable[[Path, ProgressCallback], ExtractResult]
    calls: int  # as far as they can be told before the reading; each costs one credit
    plan: Plan | None = None
    reason: str = "read whole"


def module_tables(client: ZohoClient, catalog: Catalog) -> list[Table]:
    """The planned modules, the longest first, so that Zoho begins with them."""
    plans = sorted(catalog.plans, key=lambda plan: -(plan.rows or 0))
    return [
        Table(p.module.api_name, p.table, p.columns, partial(read_module, client, p), p.cost.calls, p)
        for p in plans
    ]


def account_tables(client: ZohoClient, catalog: Catalog) -> list[Table]:
    """The account's own tables that are wanted and due."""
    due = [e for e in due_endpoints(catalog) if catalog.reads(e.table)]
    return [
        _audit_log(client, catalog) if endpoint is AUDIT_LOG else _account_table(client, catalog, endpoint)
        for endpoint in due
    ]


def due_endpoints(catalog: Catalog) -> list[AccountTable]:
    return [e for e in endpoints(catalog.service) if catalog.choice.selects(e.table) and _is_due(e, catalog)]


def calls_of(endpoint: AccountTable, catalog: Catalog) -> int:
    """What reading one takes, as far as it can be told before."""
    if endpoint is AUDIT_LOG:
        return _audit_period(catalog).calls
    return _calls_of(endpoint, _asked_for_settings(catalog))


def _account_table(client: ZohoClient, catalog: Catalog, endpoint: AccountTable) -> Table:
    known = catalog.memory.columns.get(endpoint.table, {})
    endpoint = replace(endpoint, rules=catalog.choice.policy.rules)
    modules = _asked_for_settings(catalog)

    def read(folder: Path, watch: ProgressCallback) -> ExtractResult:
        before = Before(known, catalog.memory.answered.get(endpoint.table, ()))
        reading = read_endpoint(client, endpoint, modules, folder, before)
        reading.read_at = catalog.until  # the start of the run, as intervals are between starts
        watch.rows(reading.rows or 0)
        return reading

    columns = endpoint.columns(endpoint.fields, known)
    return Table(endpoint.table, endpoint.table, columns, read, _calls_of(endpoint, modules))


def _audit_log(client: ZohoClient, catalog: Catalog) -> Table:
    known = catalog.memory.columns.get(AUDIT_LOG.table, {})
    period = _audit_period(catalog)

    def read(folder: Path, watch: ProgressCallback) -> ExtractResult:
        return read_audit_log(client, period, known, folder, watch)

    columns = columns_of(period.rules, (), known)
    name = AUDIT_LOG.table
    return Table(name, name, columns, read, period.calls, reason=period.reason)


def _audit_period(catalog: Catalog) -> AuditPeriod:
    """Since the latest reading; everything the first time, with other rules, or if somebody has dropped the table."""
    memory, name, rules = catalog.memory, AUDIT_LOG.table, catalog.choice.policy.rules
    synced, there = memory.synced.get(name), memory.destination_columns
    lost = there is not None and name not in there
    if synced is None or lost or catalog.choice.refresh or _has_other_rules(catalog):
        return AuditPeriod(catalog.until, rules=rules)
    return AuditPeriod(catalog.until, min(synced.until, catalog.until), rules)


def _has_other_rules(catalog: Catalog) -> bool:
    """Whether the log is to hide, or to show, other things than when it was read."""
    synced = catalog.memory.synced.get(AUDIT_LOG.table)
    return synced is not None and synced.private != private_words(catalog.choice.policy.rules)


def _calls_of(endpoint: AccountTable, modules: Sequence[str]) -> int:
    """Layouts and pages are not known before they are read; one of each is expected."""
    if endpoint.each == "module":
        return len(modules)
    return 2 if endpoint.each == "layout" else len(endpoint.queries)


def _asked_for_settings(catalog: Catalog) -> list[str]:
    """The modules that tables such as `tags` are about: all, also when a user chose a few to read."""
    if not catalog.choice.only and catalog.order is None:
        return [plan.module.api_name for plan in catalog.plans]
    return [
        m.api_name for m in catalog.modules if not skip_reason(m) and m.api_name not in catalog.choice.never
    ]


def metadata_tables(catalog: Catalog, refused: Mapping[str, Mapping[str, str]] | None = None) -> list[Table]:
    """The tables `modules` and `fields`, from what the survey has asked already.

    `refused` are the fields, by module, that an API refused while it was read.
    """
    skips = {m.api_name: skip_reason(m) or "not chosen" for m in catalog.modules if not _chosen(catalog, m)}
    left = (*catalog.skips, *catalog.failures, *catalog.waiting)
    skips.update((skip.module.api_name, skip.reason) for skip in left)
    there = {**catalog.memory.tables, **{plan.module.api_name: plan.table for plan in catalog.plans}}
    modules = module_rows(catalog.modules, there, skips)
    plans = {plan.module.api_name: plan for plan in catalog.plans}
    fields = [
        row
        for name, listed in catalog.fields.items()
        for row in (
            *field_rows(name, listed, plans.get(name), (refused or {}).get(name, {})),
            *gone_field_rows(name, listed, catalog.memory.columns.get(there.get(name, ""), {})),
        )
    ]
    given = [(MODULES, modules), (FIELDS, fields)]
    return [_kept_table(catalog, e, rows) for e, rows in given if e.table not in catalog.choice.never]


def _kept_table(catalog: Catalog, endpoint: AccountTable, rows: list[Row]) -> Table:
    known = catalog.memory.columns.get(endpoint.table, {})

    def read(folder: Path, watch: ProgressCallback) -> ExtractResult:
        reading = ExtractResult(endpoint.table, endpoint.table, "settings", "asked while planning")
        if endpoint is FIELDS and _would_forget(catalog):
            return reading.mark_unchanged("this run asked only about the chosen modules")
        if endpoint is FIELDS and catalog.waiting:
            if catalog.memory.destination_columns is None or not catalog.memory.can_replace_partition:
                return reading.mark_unchanged(
                    "this run asked about a part of the modules, and no part can be replaced here"
                )
            reading.part_by = "module"
        watch.rows(len(rows))
        return write_rows(reading, endpoint, rows, folder, known)

    return Table(endpoint.table, endpoint.table, name_columns(endpoint.fields, known), read, 0)


def _chosen(catalog: Catalog, module: Module) -> bool:
    return catalog.choice.selects(module.api_name)


def _would_forget(catalog: Catalog) -> bool:
    """Whether the table `fields` of a run for a few modules would lose what it knows of the others."""
    asked = {m.api_name for m in catalog.modules if _chosen(catalog, m)}
    there = {m.api_name for m in catalog.modules if m.api_name in catalog.memory.tables}
    only = catalog.choice.only
    return bool(only) and FIELDS.table not in only and not there <= asked


def not_due(catalog: Catalog) -> list[ExtractResult]:
    """The account's tables that this run leaves as they are."""
    return [
        ExtractResult(e.table, e.table, "settings", "").mark_unchanged(
            f"read once a day, last on {_day_and_time(catalog.memory.settings_read[e.table])}"
        )
        for e in endpoints(catalog.service)
        if catalog.choice.selects(e.table) and not _is_due(e, catalog)
    ]


def _day_and_time(moment: str) -> str:
    at = datetime.fromisoformat(moment).astimezone(timezone.utc)
    return f"{at.day} {at:%b, %H:%M} UTC"


def _is_due(endpoint: AccountTable, catalog: Catalog) -> bool:
    read = catalog.memory.settings_read.get(endpoint.table)
    asked_for = catalog.choice.refresh or endpoint.table in catalog.choice.only
    if endpoint is AUDIT_LOG:  # one export a day at most
        synced = catalog.memory.synced.get(endpoint.table)
        asked_for = catalog.choice.refresh or synced is None or _has_other_rules(catalog)
    if endpoint.each == "account" or read is None or asked_for:
        return True
    last, every = datetime.fromisoformat(read), catalog.choice.policy.settings_refresh
    if endpoint is AUDIT_LOG:
        every = max(every, A_DAY)
    return is_due(last, every, catalog.until, catalog.memory.gap)


def read_in_parallel(
    tables: Sequence[Table], folder: Path, watcher: ProgressListener, *, sequential: bool = False
) -> Iterator[ExtractResult]:
    """Read tables in threads, those by Bulk Read apart, as they mostly wait; each comes when it is whole.

    `one_by_one`: where a limit of credits may cut off the last ones, so that the first are whole.
    """
    bulk = ThreadPoolExecutor(BULK_READERS, "bulk")
    other = ThreadPoolExecutor(1 if sequential else OTHER_READERS, "other")
    watcher.expect(tables)

    def read(table: Table) -> ExtractResult:
        reading = table.read(folder, watcher.watch(table))
        watcher.read(reading)
        return reading

    try:
        pending = []
        for table in tables:
            by_bulk = table.plan is not None and table.plan.api == "bulk" and not sequential
            pending.append((bulk if by_bulk else other).submit(read, table))
        for future in as_completed(pending):
            yield future.result()
    finally:  # whoever is interrupted does not wait for Zoho; after a whole run nobody reads any more
        for pool in (bulk, other):
            pool.shutdown(wait=False, cancel_futures=True)
