"""Columns that came, went or changed their type, fields that are no columns, and which table refers to which.

From the versions of the schema that dlt keeps, and from the table `fields`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..columns import lookup_targets
from ..freshness import DestinationView, parse_json
from ..history import PastRun

GONE = "Zoho no longer lists it"


@dataclass(frozen=True)
class Change:
    """One column of one table; `when` is None where nobody wrote it down."""

    when: datetime | None
    table: str
    name: str
    what: str


def schema_changes(view: DestinationView, runs: Sequence[PastRun]) -> list[Change]:
    """The newest first; those without a time last."""
    dated = [*_came(view), *_refused(runs)]
    dated.sort(key=lambda change: change.when.timestamp() if change.when else 0, reverse=True)
    return [*dated, *_gone(view)]


def _came(view: DestinationView) -> Iterator[Change]:
    """Tables and columns that a version of the schema has and the one before has not."""
    versions = view.rows("_dlt_version", ["inserted_at", "version", "schema"])
    versions.sort(key=lambda row: (row["inserted_at"] is None, row["inserted_at"], row["version"]))
    known: dict[str, dict[str, str]] = {}
    earlier = _earlier_columns(view)
    for row in versions:
        for table, columns in _columns(parse_json(row["schema"])).items():
            before = known.setdefault(table, {})
            for name, kind in columns.items() if before else ():
                if name not in before:
                    old = earlier.get((table, name))
                    what = f"type changed to {kind}; {old} keeps the older values" if old else f"came, {kind}"
                    yield Change(row["inserted_at"], table, name, what)
            before.update(columns)


def _columns(schema: Any) -> Mapping[str, dict[str, str]]:
    """Table -> column -> type, of the tables that are not dlt's own."""
    tables = schema.get("tables", {}) if isinstance(schema, Mapping) else {}
    return {
        name: {
            column: str(hints["data_type"])
            for column, hints in table.get("columns", {}).items()
            if "data_type" in hints and not column.startswith("_dlt_")
        }
        for name, table in tables.items()
        if not name.startswith("_dlt_")
    }


def _earlier_columns(view: DestinationView) -> dict[tuple[str, str], str]:
    """By table and column: the column of the same field's earlier type, as the pipeline's state knows it."""
    return {
        (table, forms[0]): forms[2]
        for table, columns in view.state.columns.items()
        for forms in columns.values()
        if len(forms) > 2
    }


def _refused(runs: Sequence[PastRun]) -> Iterator[Change]:
    """Fields that an API began or ceased to refuse; only readings of whole modules tell."""
    refused: dict[str, set[str]] = {}
    for run in runs:
        for entry in run.entries:
            if entry.status != "read" or entry.since is not None:
                continue
            now, before = set(entry.refused), refused.get(entry.module)
            for name in sorted(now - before) if before is not None else ():
                yield Change(entry.at, entry.module, name, "refused by the API from here on")
            for name in sorted(before - now) if before is not None else ():
                yield Change(entry.at, entry.module, name, "no longer refused by the API")
            refused[entry.module] = now


def _gone(view: DestinationView) -> Iterator[Change]:
    rows = view.rows("fields", ["module", "api_name", "column_name", "skip_reason"])
    for row in rows:
        if str(row["skip_reason"] or "").startswith(GONE):
            table = view.state.tables.get(row["module"], row["module"])
            yield Change(
                None, table, row["column_name"] or row["api_name"], "gone from Zoho; the column stays"
            )


def skipped_fields(view: DestinationView) -> list[tuple[str, str, list[str]]]:
    """Fields that are no column and never were: module, reason, and the fields that have it."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in view.rows("fields", ["module", "api_name", "skip_reason"]):
        reason: Any = row["skip_reason"]
        if reason and not str(reason).startswith(GONE):
            found.setdefault((str(row["module"]), str(reason)), []).append(str(row["api_name"]))
    return [(module, reason, names) for (module, reason), names in sorted(found.items())]


@dataclass(frozen=True)
class Reference:
    """Columns of a table that hold ids of another one's rows."""

    table: str
    target: str
    columns: tuple[str, ...]


def references(view: DestinationView) -> list[Reference]:
    """Without owners and other users, to whom every table refers."""
    wanted = ["module", "api_name", "data_type", "column_name", "lookup", "multi_module_lookup"]
    tables = view.state.tables
    found: dict[tuple[str, str], list[str]] = {}
    for row in view.rows("fields", wanted):
        if row["module"] not in tables or not row["column_name"]:
            continue
        for target in lookup_targets(row):
            if target in tables:
                columns = found.setdefault((tables[row["module"]], tables[target]), [])
                columns.append(str(row["column_name"]))
    return [
        Reference(table, target, tuple(sorted(columns))) for (table, target), columns in sorted(found.items())
    ]
