"""What each view selects: names instead of ids, labels of choices, money with its currency, times of the organisation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from sources.zoho_crm.sync.warehouse import DELETED_AT, VALID_TO

from ..monitoring.columns import TableColumn, TableColumns, table_columns
from ..monitoring.freshness import DestinationView

MARKS = (DELETED_AT, "_dlt_valid_from", VALID_TO)  # the same in every row of a view
CURRENCY = "Currency"  # the field that says in which currency a record's amounts are
HOME = "_in_home_currency"
# A list of texts as one text; {value} is what becomes of each.
LISTS = {
    "duckdb": "array_to_string(list_transform(try_cast({list} as varchar[]), lambda x: {value}), '; ')",
    "postgres": (
        "(select string_agg({value}, '; ' order by n)"
        " from jsonb_array_elements_text(case jsonb_typeof({list}) when 'array' then {list} end)"
        " with ordinality as listed(x, n))"
    ),
}
# The names of the rows whose ids a list holds.
NAMES = {
    "duckdb": (
        "(select string_agg(named.{name}, '; ' order by named.{name}) from {table} as named"
        " where list_contains(try_cast({list} as varchar[]), named.{id}))"
    ),
    "postgres": (
        "(select string_agg(named.{name}, '; ' order by named.{name}) from {table} as named"
        " where {list} @> to_jsonb(named.{id}))"
    ),
}


@dataclass(frozen=True)
class Described:
    """What the tables say of themselves; the zone and the currency are those of the organisation."""

    tables: Mapping[str, TableColumns]
    time_zone: str | None
    currency: str | None


def described(view: DestinationView) -> Described:
    """From the tables of the destination."""
    org = next(iter(view.rows("org", ["time_zone", "iso_code"])), {"time_zone": None, "iso_code": None})
    return Described(table_columns(view), _known_zone(org["time_zone"]), org["iso_code"])


def _known_zone(name: str | None) -> str | None:
    """None for a zone that a database would not know either."""
    try:
        return ZoneInfo(name).key if name else None
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return None


@dataclass(frozen=True)
class ViewColumn:
    """`wanted` is the name by the table, or Zoho's label; `column` is the one that it comes from."""

    wanted: str
    expression: str
    column: str
    comment: str | None


@dataclass(frozen=True)
class ViewDefinition:
    """A view of a table with the same name."""

    name: str
    label: str | None
    query: str
    comments: Mapping[str, str]  # by the view's column


def define_view(sql: Any, table: TableColumns, of: Described, *, labels: bool) -> ViewDefinition:
    """The view of a table, in the dialect of dlt's SQL client."""
    return _Select(sql, table, of, labels).definition


@dataclass
class _Select:
    sql: Any
    table: TableColumns
    of: Described
    labels: bool
    joins: dict[tuple[str, str], str] = field(default_factory=dict)  # alias by column and table

    @cached_property
    def definition(self) -> ViewDefinition:
        columns = [found for column in self.table.columns for found in self._of(column)]
        longest = self.sql.capabilities.max_column_identifier_length
        names = unique_names(columns, longest)
        shown = ", ".join(
            f"{one.expression} as {self._named(name)}" for one, name in zip(columns, names, strict=True)
        )
        joins = "".join(self._join(*key, alias) for key, alias in self.joins.items())
        there = {column.name for column in self.table.columns}
        live = " and ".join(f"t.{self._escape(m)} is null" for m in (DELETED_AT, VALID_TO) if m in there)
        query = f"select {shown} from {self._qualified(self.table.table)} as t{joins}"
        comments = {name: c.comment for c, name in zip(columns, names, strict=True) if c.comment}
        return ViewDefinition(
            self.table.table, self.table.label, query + (f" where {live}" if live else ""), comments
        )

    def _of(self, column: TableColumn) -> Iterator[ViewColumn]:
        """The columns of the view that come from one of the table."""
        cell, kind = f"t.{self._escape(column.name)}", column.type
        if column.name in MARKS:
            return
        if column.name.endswith("__id"):
            if name := self._name_of(column):
                yield self._column(column, "", name)
            yield self._column(column, "__id", cell)
        elif kind == "timestamp" and self.of.time_zone:
            zone = self._literal(self.of.time_zone)
            yield self._column(column, "", f"({cell} at time zone {zone})", f"in {self.of.time_zone}")
        elif kind == "json":
            yield self._column(column, "", self._list(column, cell))
        elif kind == "decimal" and self.table.module:
            yield self._column(column, "", cell)
            yield self._column(column, "_currency", self._currency(column))
        else:
            yield self._column(column, "", self._choice(column, cell))

    def _column(
        self, column: TableColumn, suffix: str, expression: str, comment: str | None = None
    ) -> ViewColumn:
        """Labels become names or comments; the suffix tells the columns apart that come from the same one."""
        own = column.name.removesuffix("__id") + suffix
        label = column.label and column.label + {"__id": " ID", "_currency": " (currency)"}.get(suffix, "")
        wanted, other = (label, own) if self.labels and label else (own, label)
        told = ", ".join(filter(None, (other, comment)))
        return ViewColumn(wanted, expression, own, told or None)

    def _name_of(self, column: TableColumn) -> str | None:
        """The name of the row that a look-up points to, in whichever of its tables that is."""
        cells = []
        for target in column.references:
            name = self.of.tables[target].name_column if target in self.of.tables else None
            if name is not None:
                cells.append(f"{self._alias(column.name, target)}.{self._escape(name)}")
        return None if not cells else cells[0] if len(cells) == 1 else f"coalesce({', '.join(cells)})"

    def _alias(self, column: str, target: str) -> str:
        return self.joins.setdefault((column, target), f"j{len(self.joins) + 1}")

    def _join(self, column: str, target: str, alias: str) -> str:
        open_version = (
            f" and {alias}.{self._escape(VALID_TO)} is null"
            if self.of.tables[target].column(VALID_TO)
            else ""
        )
        on = f"{alias}.{self._escape('id')} = t.{self._escape(column)}{open_version}"
        return f" left join {self._qualified(target)} as {alias} on {on}"

    def _list(self, column: TableColumn, cell: str) -> str:
        """Lists of texts, and of ids of territories, as one text; other JSON stays."""
        dialect = self.sql.capabilities.sqlglot_dialect
        if column.zoho_type == "territories":
            target = self.of.tables.get("territories")
            if target is None or target.name_column is None:
                return cell
            name, id = self._escape(target.name_column), self._escape("id")
            return NAMES[dialect].format(name=name, id=id, list=cell, table=self._qualified("territories"))
        if column.zoho_type in ("multiselectpicklist", "text"):
            return LISTS[dialect].format(list=cell, value=self._choice(column, "x"))
        return cell

    def _choice(self, column: TableColumn, cell: str) -> str:
        """The label of a choice whose value is another."""
        labels = {label for _, label in column.picklist}
        differing = {v: label for v, label in column.picklist if label != v and v not in labels}
        if not differing:
            return cell
        cases = " ".join(f"when {self._literal(v)} then {self._literal(differing[v])}" for v in differing)
        return f"case {cell} {cases} else {cell} end"

    def _currency(self, column: TableColumn) -> str:
        """That of the record, of the record that it belongs to, or the organisation's."""
        home = self._literal(self.of.currency) if self.of.currency else "null"
        own = None if column.name.endswith(HOME) else self._record_currency()
        return f"coalesce({own}, {home})" if own else f"cast({home} as varchar)"

    def _record_currency(self) -> str | None:
        if own := _currency_column(self.table):
            return f"t.{self._escape(own)}"
        parent = self.of.tables.get(self.table.parent or "")
        of_parent = None if parent is None else _currency_column(parent)
        link = next((c for c in self.table.columns if c.references == (self.table.parent,)), None)
        if parent is None or of_parent is None or link is None:
            return None
        return f"{self._alias(link.name, parent.table)}.{self._escape(of_parent)}"

    def _escape(self, name: str) -> str:
        return str(self.sql.escape_column_name(name))

    def _named(self, name: str) -> str:
        """In the letters that it has: PostgreSQL would have small ones."""
        return str(self.sql.escape_column_name(name, casefold=False))

    def _literal(self, text: str) -> str:
        return str(self.sql.capabilities.escape_literal(text))

    def _qualified(self, table: str) -> str:
        return str(self.sql.make_qualified_table_name(table))


def _currency_column(table: TableColumns) -> str | None:
    return next((c.name for c in table.columns if c.field == CURRENCY and c.type == "text"), None)


def unique_names(columns: Sequence[ViewColumn], longest: int) -> list[str]:
    """Each name once, whatever its letters' case, and at most so many bytes long.

    The first one has it; the others have the name of the table's column in brackets behind it.
    """
    taken: set[str] = set()
    names = []
    for one in columns:
        wanted = " ".join(one.wanted.replace("\0", " ").split()) or one.column
        name, number = _cut(wanted, "", longest), 1
        while name.casefold() in taken:
            name = _cut(wanted, f" ({one.column})" if number == 1 else f" ({one.column} {number})", longest)
            number += 1
        taken.add(name.casefold())
        names.append(name)
    return names


def _cut(text: str, end: str, longest: int) -> str:
    """In whole letters."""
    room = longest - len(end.encode())
    if room <= 0:
        return end.encode()[-longest:].decode(errors="ignore")
    return text.encode()[:room].decode(errors="ignore") + end
