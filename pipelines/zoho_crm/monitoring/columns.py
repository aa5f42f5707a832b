"""What each column of a table is: its type, its field in Zoho, and the table that its ids belong to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sources.zoho_crm.discovery.account_tables import ACCOUNT_TABLES

from .freshness import DestinationView, parse_json

FIELD_COLUMNS = (
    "module",
    "api_name",
    "field_label",
    "data_type",
    "column_name",
    "skip_reason",
    "lookup",
    "multi_module_lookup",
    "display_field",
    "pick_list_values",
)
OF_TYPES = {"ownerlookup": "users", "userlookup": "users", "layout": "layouts"}
# In tables about the account, whose fields Zoho does not describe.
USER_IDS = ("created_by", "modified_by", "created_for", "deleted_by", "manager", "forecast_manager")
OTHER_IDS = {"role__id": "roles", "profile__id": "profiles", "layout__id": "layouts"}
NAMES = {"users": "full_name"}  # the column of a row's name; `name` in the others


MODULE_COLUMNS = ("api_name", "plural_label", "parent_module")


@dataclass(frozen=True)
class TableColumn:
    """A column; without a field if it is ours."""

    name: str
    type: str  # as dlt calls it
    nullable: bool
    label: str | None = None
    field: str | None = None
    zoho_type: str | None = None
    references: tuple[str, ...] = ()
    picklist: tuple[tuple[str, str], ...] = ()  # value and label of each choice, in Zoho's order


@dataclass(frozen=True)
class FieldLeftOut:
    """A field without a column, or whose column is not filled any more."""

    field: str
    label: str | None
    zoho_type: str | None
    column: str | None
    reason: str


@dataclass(frozen=True)
class TableColumns:
    """A table with what Zoho calls it."""

    table: str
    module: str | None  # None of our own tables
    label: str | None
    columns: tuple[TableColumn, ...]
    left_out: tuple[FieldLeftOut, ...]
    name_column: str | None = None  # that holds the name of a row
    parent: str | None = None  # the table that the rows belong to, of subforms and stage histories

    def column(self, name: str) -> TableColumn | None:
        return next((column for column in self.columns if column.name == name), None)


def table_columns(view: DestinationView) -> dict[str, TableColumns]:
    """Every table of the dataset but dlt's own, by name; the columns in the order that the tables have."""
    modules = {table: module for module, table in view.state.tables.items() if module not in ACCOUNT_TABLES}
    listed = {row["api_name"]: row for row in view.rows("modules", MODULE_COLUMNS)}
    fields: dict[str, list[dict[str, Any]]] = {}
    for row in view.rows("fields", FIELD_COLUMNS):
        fields.setdefault(row["module"], []).append(row)
    found, there = {}, view.warehouse.columns()
    for table, hints in sorted(there.items()):
        module = modules.get(table)
        rows = fields.get(module or "", [])
        columns = tuple(
            _column(name, hints[name], _field_of(name, rows), _references(view, table, name, rows, there))
            for name in hints
            if not is_dlts(name)
        )
        left = tuple(_left_out(row) for row in rows if row["skip_reason"] or not row["column_name"])
        of_zoho = listed.get(module or "", {})
        found[table] = TableColumns(
            table,
            module,
            of_zoho.get("plural_label"),
            columns,
            left,
            _name_column(table, rows, hints),
            view.state.tables.get(next(_name(parse_json(of_zoho.get("parent_module"))), "")),
        )
    return found


def _name_column(table: str, fields: Sequence[Mapping[str, Any]], there: Collection[str]) -> str | None:
    shown = [row["column_name"] for row in fields if row["display_field"]] or [NAMES.get(table, "name")]
    return next((name for name in shown if name in there and name != "id"), None)


def is_dlts(column: str) -> bool:
    """Whether a column only serves dlt's loading; the versions of `--history` say more."""
    return column in ("_dlt_id", "_dlt_load_id", "_dlt_row_version")


def lookup_targets(row: Mapping[str, Any]) -> Iterator[str]:
    """The modules that a lookup may point to."""
    one = parse_json(row["lookup"])
    if row["data_type"] == "lookup" and isinstance(one, Mapping):
        yield from _name(one.get("module"))
    many = parse_json(row["multi_module_lookup"])
    for module in many.get("modules") or () if isinstance(many, Mapping) else ():
        yield from _name(module)


def _name(module: Any) -> Iterator[str]:
    """A module is named, or is an object that holds its name."""
    name = module.get("api_name") if isinstance(module, Mapping) else module
    if isinstance(name, str):
        yield name


def _column(
    name: str, hints: Mapping[str, Any], field: Mapping[str, Any] | None, references: tuple[str, ...]
) -> TableColumn:
    kind, nullable = str(hints.get("data_type", "text")), bool(hints.get("nullable", True))
    if field is None:
        return TableColumn(name, kind, nullable, references=references)
    of_zoho = (field["field_label"], field["api_name"], field["data_type"])
    choices = tuple(_choices(field["pick_list_values"]))
    return TableColumn(name, kind, nullable, *of_zoho, references, choices)


def _choices(listed: Any) -> Iterator[tuple[str, str]]:
    for choice in parse_json(listed) or ():
        value = choice.get("actual_value") if isinstance(choice, Mapping) else None
        if isinstance(value, str):
            label = choice.get("display_value")
            yield value, label if isinstance(label, str) else value


def _field_of(column: str, fields: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((row for row in fields if row["column_name"] == column), None)


def _references(
    view: DestinationView,
    table: str,
    column: str,
    fields: Sequence[Mapping[str, Any]],
    there: Collection[str],
) -> tuple[str, ...]:
    """The tables whose ids the column holds, of those that are there."""
    field = _field_of(column, fields)
    if field is None:
        targets = [] if fields else [_by_name(table, column)]
    else:
        targets = [OF_TYPES.get(field["data_type"], "")]
        targets += [view.state.tables.get(module, "") for module in lookup_targets(field)]
    return tuple(target for target in targets if target in there)


def _by_name(table: str, column: str) -> str:
    """In a table about the account."""
    if column == "reporting_to__id":
        return table
    user = column.removesuffix("__id").removesuffix("_s") in USER_IDS and column.endswith("__id")
    return "users" if user else OTHER_IDS.get(column, "")


def _left_out(row: Mapping[str, Any]) -> FieldLeftOut:
    reason = str(row["skip_reason"] or "it has no column")
    return FieldLeftOut(row["api_name"], row["field_label"], row["data_type"], row["column_name"], reason)
