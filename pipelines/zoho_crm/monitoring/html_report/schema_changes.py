"""Columns that came, went or changed their type, from the versions of the schema that dlt keeps, and from `fields`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..freshness import DestinationView, parsed
from ..history import PastRun

GONE = "Zoho no longer lists it"


@dataclass(frozen=True)
class Change:
    """One column of one table; `when` is None where nobody wrote it down."""

    when: datetime | None
    table: str
    name: str
    what: str


def schema_changes(look: DestinationView, runs: Sequence[PastRun]) -> list[Change]:
    """The newest first; those without a time last."""
    dated = [*_came(look), *_refused(runs)]
    dated.sort(key=lambda change: change.when.timestamp() if change.when else 0, reverse=True)
    return [*dated, *_gone(look)]


def _came(look: DestinationView) -> Iterator[Change]:
    """Tables and columns that a version of the schema has and the one before has not."""
    versions = look.rows("_dlt_version", ["inserted_at", "version", "schema"])
    versions.sort(key=lambda row: (row["inserted_at"] is None, row["inserted_at"], row["version"]))
    known: dict[str, dict[str, str]] = {}
    earlier = _earlier_columns(look)
    for row in versions:
        for table, columns in _columns(parsed(row["schema"])).items():
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


def _earlier_columns(look: DestinationView) -> dict[tuple[str, str], str]:
    """By table and column: the column of the same field's earlier type, as the pipeline's state knows it."""
    return {
        (table, forms[0]): forms[2]
        for table, columns in look.memory.columns.items()
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


def _gone(look: DestinationView) -> Iterator[Change]:
    rows = look.rows("fields", ["module", "api_name", "column_name", "skip_reason"])
    for row in rows:
        if str(row["skip_reason"] or "").startswith(GONE):
            table = look.memory.tables.get(row["module"], row["module"])
            yield Change(
                None, table, row["column_name"] or row["api_name"], "gone from Zoho; the column stays"
            )
