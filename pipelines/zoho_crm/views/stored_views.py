"""The views that are there: which are ours, and how they become what they should be."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from dlt.common.destination.exceptions import DestinationException

from ..errors import one_line, root_message
from .definitions import ViewDefinition

KINDS = ("dlt.destinations.duckdb", "dlt.destinations.postgres")
# Name, whether it is a view, comment, and what changes when somebody changes the view. DuckDB forgets a comment
# when a view is replaced; PostgreSQL keeps it.
STORED = {
    "duckdb": (
        "select view_name, true, comment, '' from duckdb_views()"
        " where schema_name = {dataset} and database_name = current_database()"
        " union all select table_name, false, null, '' from duckdb_tables()"
        " where schema_name = {dataset} and database_name = current_database()"
    ),
    "postgres": (
        "select c.relname, c.relkind = 'v', obj_description(c.oid, 'pg_class'),"
        " case when c.relkind = 'v' then pg_get_viewdef(c.oid) end"
        " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = {dataset} and c.relkind in ('v', 'r', 'm', 'f', 'p')"
    ),
}
# Behind the comment of a view: how its columns are named, a hash of what we wrote, and one of what was stored.
MARK = re.compile(r" \[(labels|names) ([0-9a-f]{12}) ([0-9a-f]{12})\]$")
DEFINITION = {"duckdb": "select ''", "postgres": "select pg_get_viewdef({view}::regclass)"}
NOT_OURS = "somebody made or changed it, so it is left as it is; rename or drop it to have it made"

Naming = Literal["labels", "names"]  # Zoho's labels, or the names of the tables' columns
Status = Literal["made", "updated", "unchanged", "removed", "left", "failed"]


@dataclass(frozen=True)
class Change:
    """What became of a view; the reason tells why it is not up to date."""

    view: str
    status: Status
    reason: str | None = None


@dataclass(frozen=True)
class StoredView:
    """A view or table of the dataset; without a hash if it was never one of ours."""

    naming: Naming | None = None
    written: str | None = None
    unchanged: bool = False


def views_dataset(sql: Any) -> str:
    """Where the views are."""
    return f"{sql.dataset_name}_views"


def our_naming(sql: Any) -> Naming | None:
    """How the columns of our views are named, `labels` or `names`; None if there are no views of ours."""
    return next((view.naming for view in _stored(sql).values() if view.naming), None)


def change_views(sql: Any, wanted: Sequence[ViewDefinition], naming: Naming) -> list[Change]:
    """Make these views, and remove those of ours that are not among them; nobody else's is touched."""
    there = _stored(sql)
    names = {definition.name for definition in wanted}
    changes = []
    with sql.with_alternative_dataset_name(views_dataset(sql)):
        if wanted and not sql.has_dataset():
            sql.create_dataset()
        for definition in wanted:
            changes.append(_make(sql, definition, there.get(definition.name), naming))
        for name, view in sorted(there.items()):
            if name not in names and view.written and view.unchanged:
                changes.append(_remove(sql, name))
        if (
            not wanted
            and there
            and {change.view for change in changes if change.status == "removed"} == set(there)
        ):
            sql.execute_sql(f"drop schema {sql.fully_qualified_dataset_name()}")
    return changes


def _make(sql: Any, wanted: ViewDefinition, there: StoredView | None, naming: Naming) -> Change:
    hash = _hash(wanted.name, naming, wanted.query, *sorted(f"{k}\0{v}" for k, v in wanted.comments.items()))
    if there is not None and not there.unchanged:
        return Change(wanted.name, "left", NOT_OURS)
    if there is not None and there.written == hash:
        return Change(wanted.name, "unchanged")
    view = sql.make_qualified_table_name(wanted.name)
    # PostgreSQL replaces a view only by one that begins with the same columns.
    ways = [[f"create or replace view {view} as {wanted.query}"]]
    if there is not None:
        ways.append([f"drop view {view}", f"create view {view} as {wanted.query}"])
    for way in ways:
        try:
            with _transaction(sql):
                for statement in way:
                    sql.execute_sql(statement)
                sql.execute_many(list(_comments(sql, wanted, view, f"{naming} {hash}")))
        except DestinationException as error:
            told = one_line(root_message(error), 200)
            continue
        return Change(wanted.name, "made" if there is None else "updated")
    return Change(wanted.name, "failed", f"the destination refused it: {told}")


def _comments(sql: Any, wanted: ViewDefinition, view: str, mark: str) -> Iterator[str]:
    """The view's own tells the next run, and a person, whose it is."""
    literal, dialect = sql.capabilities.escape_literal, sql.capabilities.sqlglot_dialect
    ((definition,),) = sql.execute_sql(DEFINITION[dialect].format(view=literal(view)))
    stored = _hash(wanted.name, definition)
    told = f"{wanted.label or wanted.name} as people read it; zoho-crm keeps it up to date [{mark} {stored}]"
    yield f"comment on view {view} is {literal(told)}"
    for column, text in wanted.comments.items():
        yield f"comment on column {view}.{sql.escape_column_name(column, casefold=False)} is {literal(text)}"


def _remove(sql: Any, name: str) -> Change:
    try:
        sql.execute_sql(f"drop view {sql.make_qualified_table_name(name)}")
    except DestinationException as error:
        return Change(name, "failed", f"the destination refused it: {one_line(root_message(error), 200)}")
    return Change(name, "removed")


def _stored(sql: Any) -> dict[str, StoredView]:
    with sql.with_alternative_dataset_name(views_dataset(sql)), _transaction(sql):
        dialect, dataset = sql.capabilities.sqlglot_dialect, sql.capabilities.escape_literal(sql.dataset_name)
        rows = sql.execute_sql(STORED[dialect].format(dataset=dataset)) or []
    views = {}
    for name, is_view, comment, definition in rows:
        mark = MARK.search(comment or "") if is_view else None
        views[name] = StoredView()
        if mark:
            naming: Naming = "labels" if mark[1] == "labels" else "names"
            views[name] = StoredView(naming, mark[2], mark[3] == _hash(name, definition))
    return views


@contextmanager
def _transaction(sql: Any) -> Iterator[None]:
    """In PostgreSQL a definition is spelt by the search path: without one it is the same for everybody."""
    with sql.begin_transaction():
        if sql.capabilities.sqlglot_dialect == "postgres":
            sql.execute_sql("set local search_path = ''")
        yield


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
