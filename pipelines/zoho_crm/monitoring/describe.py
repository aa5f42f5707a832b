"""What `describe` says of a table: each column with its label, type, share of nulls, an example and its reference."""

from __future__ import annotations

from typing import Any

from sources.zoho_crm.exceptions import SettingsError, suggest

from ..console import Console, counted
from ..options import Options
from .columns import TableColumn, TableColumns, table_columns
from .freshness import DestinationView

COLUMNS = ("label", "column", "type", "null", "example", "reference")
SPARE = ("example", "reference")
LONGEST = 40  # letters of an example for a person; a program gets all


def print_table(console: Console, view: DestinationView, options: Options) -> int:
    """Raises SettingsError for a table that is not there."""
    table = _named(view, options.table)
    names = [column.name for column in table.columns]
    rows, filled = view.warehouse.count_filled(table.table, names)
    examples = view.warehouse.examples(table.table, [name for name in names if filled[name]])
    module = f"module {table.module}, " if table.module else ""
    console.text(f"{table.table}: {module}{counted(rows, 'row')} in the {view.place}.")
    console.text()
    told = [facts(column, rows, filled[column.name], examples.get(column.name)) for column in table.columns]
    console.table(COLUMNS, [_cells(column) for column in told], SPARE, keys=2)
    for column in told:
        console.event("column", column)
    console.paragraph(
        "Fields without a column, or whose column is not filled",
        [f"{field.label or field.field} ({field.field}): {field.reason}" for field in table.left_out],
    )
    console.text()
    sums = {"table": table.table, "module": table.module, "label": table.label, "rows": rows}
    console.event("summary", {**sums, "columns": len(told), "place": view.place})
    deleted = any(column.name in ("deleted_at", "_dlt_valid_to") for column in table.columns)
    rest = "; deleted rows and earlier versions are not counted" if deleted else ""
    console.last(f"{counted(len(told), 'column')}, {counted(rows, 'row')}{rest}.")
    return 0


def facts(column: TableColumn, rows: int, filled: int, example: Any) -> dict[str, Any]:
    """A column for a program."""
    return {
        "label": column.label,
        "column": column.name,
        "type": column.type,
        "field": column.field,
        "zoho_type": column.zoho_type,
        "nulls": rows - filled,
        "null_share": round((rows - filled) / rows, 4) if rows else None,
        "example": _text(example),
        "references": list(column.references),
    }


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def _named(view: DestinationView, name: str) -> TableColumns:
    """By the table's name, or by the module's."""
    tables = table_columns(view)
    found = tables.get(name) or tables.get(view.state.tables.get(name, ""))
    if found is None:
        near = suggest(name, [*tables, *view.state.tables])
        hint = f"did you mean {near}?" if near else f"there are {', '.join(tables)}."
        raise SettingsError(f"There is no table {name} in the {view.place}: {hint}")
    return found


def _cells(column: dict[str, Any]) -> tuple[Any, ...]:
    share, example = column["null_share"], column["example"]
    if example is not None and len(example) > LONGEST:
        example = f"{example[: LONGEST - 3]}..."
    null = None if share is None else f"{share:.1%}"
    references = ", ".join(column["references"]) or None
    return (column["label"], column["column"], column["type"], null, example, references)
