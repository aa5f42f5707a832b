"""Finds the rows that belong to other records: they come and go with those, and no feed tells."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from .. import limits
from ..client.client import ZohoClient
from ..client.responses import more_in, rows_in
from ..exceptions import ExtractError, Fatal, NotAvailableError
from ..models import BESIDE, MODIFIED_TIME, USER_RECORD_TYPES, Field, Module
from ..planning.plan import Plan
from ..transform.column_types import ColumnType
from ..transform.converters import ConversionError, convert
from .coql_query import after, goes_forward, quote, select_query
from .record_lookup import read_ids

PARENT = "Parent_Id"
# Zoho takes them to the recycle bin with the record that they are about, and brings them back with it.
ACTIVITIES = frozenset({"Tasks", "Events", "Calls"})
ABOUT = ("What_Id", "Who_Id")


@dataclass(frozen=True)
class Relationship:
    """A lookup by which rows of the module `child` hang on records of the module `parent`."""

    parent: str
    child: str
    field: str
    edited: bool = True  # rows come and go by editing the parent, not only by deleting it


@dataclass(frozen=True)
class ChangedParents:
    """The records that a run found deleted or changed, by id."""

    gone: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RelatedRowChanges:
    """What became of the rows of some parents."""

    gone: frozenset[str] = frozenset()  # held, and asking by id does not bring them
    missing: frozenset[str] = frozenset()  # in the CRM, not held
    stale: frozenset[str] = frozenset()  # held in another version, or with another parent
    asked: bool = True  # False: COQL refused, so rows that are missing may not be known


# ---- which modules hang on which


def links(fields: Mapping[str, Sequence[Field]], modules: Mapping[str, Module]) -> list[Relationship]:
    """Every link between two of these modules, as far as the metadata tells; parents before their children."""
    owners = {f.own_table: name for name, listed in fields.items() for f in listed if f.own_table}
    found = []
    for name, module in modules.items():
        parent = _name(module.raw.get("parent_module")) or owners.get(name)
        edited = module.is_part_of_records
        for field in _parent_lookups(module, fields.get(name, ()), parent):
            own = _target(field) or parent or ""
            anything = module.api_name in BESIDE or field.api_name in ABOUT
            parents = _any_record(module, modules) if anything else [own]
            found += [
                Relationship(known, name, field.api_name, edited) for known in parents if known in modules
            ]
    # Notes hang on activities, too, and files on both.
    return sorted(
        found, key=lambda link: ("Notes", "Attachments").index(link.child) + 1 if link.child in BESIDE else 0
    )


def links_not_asked(
    fields: Mapping[str, Sequence[Field]], modules: Mapping[str, Module], loaded: Collection[str]
) -> list[Relationship]:
    """The links of loaded modules whose fields this run did not ask for: their rows cannot follow in this run.

    The field is not known. Only the metadata of a parent tells of rows that belong to it; a link may be to any module.
    """
    found = {(name, f.own_table) for name, listed in fields.items() for f in listed if f.own_table}
    for name, module in modules.items():
        own = _name(module.raw.get("parent_module"))
        anything = name in BESIDE or module.generated_type == "linking"
        parents = _any_record(module, modules) if anything else [own] if own else []
        found.update((parent, name) for parent in parents)
    return [
        Relationship(parent, child, "", modules[child].is_part_of_records)
        for parent, child in sorted(found)
        if child in loaded and child in modules and child not in fields and parent in modules
    ]


def _parent_lookups(module: Module, listed: Sequence[Field], parent: str | None) -> list[Field]:
    """The lookups of a module that tie its rows to other records, so that they go with those."""
    lookups = [f for f in listed if f.data_type == "lookup" and _target(f)]
    named = [f for f in listed if f.api_name == PARENT]
    if module.api_name in BESIDE:
        return named
    if module.api_name in ACTIVITIES:
        return [f for f in listed if f.api_name in ABOUT]
    if module.generated_type == "subform":
        return named or [f for f in lookups if _target(f) == parent]
    return [] if module.has_own_records else lookups


def _any_record(module: Module, modules: Mapping[str, Module]) -> list[str]:
    """The modules on whose records notes and files may hang; files hang on notes, too."""
    made_by_people = [name for name, m in modules.items() if m.generated_type in USER_RECORD_TYPES]
    beside = BESIDE if module.api_name == "Notes" else {module.api_name}
    beside = {*BESIDE, *ACTIVITIES} if module.api_name in ACTIVITIES else beside
    return [name for name in made_by_people if name not in beside]


def _target(field: Field) -> str | None:
    lookup = field.raw.get("lookup")
    return _name(lookup.get("module")) if isinstance(lookup, Mapping) else None


def _name(module: Any) -> str | None:
    """The API name in one of the two forms in which metadata names a module; None for `{}`."""
    name = module.get("api_name") if isinstance(module, Mapping) else module
    return str(name) if name else None


# ---- the rows of some parents


def ids_by_parent(
    client: ZohoClient, plan: Plan, link: Relationship, parents: Collection[str]
) -> dict[str, str] | None:
    """The ids of the child's rows with one of these parents, each with its Modified_Time as Zoho writes it.

    By COQL; None if that refuses the module or the query. `plan` is the child's. Rows that a query might
    hide stay unknown here, which is no proof of anything.
    """
    wanted, found = sorted(set(parents)), dict[str, str]()
    fields = ["id", MODIFIED_TIME] if plan.has(MODIFIED_TIME) else ["id"]
    try:
        while wanted:
            some = wanted[: client.context.coql_in_values]
            try:
                rows = list(_rows_with(client, link, some, fields))
            except Fatal as error:
                if not _learn_in_values(client, error, len(some)):
                    raise
                continue
            found.update((str(row["id"]), str(row.get(MODIFIED_TIME) or "")) for row in rows)
            wanted = wanted[len(some) :]
    except (NotAvailableError, Fatal) as error:
        if error.details.get("column_name") != MODIFIED_TIME or not plan.has(MODIFIED_TIME):
            return None
        return ids_by_parent(
            client, plan.drop_fields({MODIFIED_TIME}), link, parents
        )  # listed, and yet hidden
    return found


def _learn_in_values(client: ZohoClient, refusal: Fatal, asked: int) -> bool:
    """Whether the refusal is of so many values in one IN; fewer are then asked for to the end of the run."""
    fewer = limits.COQL_IN_VALUES[-1]
    if refusal.code != "LIMIT_EXCEEDED" or asked <= fewer:
        return False
    client.context.coql_in_values = min(client.context.coql_in_values, fewer)
    return True


def _rows_with(
    client: ZohoClient, link: Relationship, parents: Sequence[str], fields: Sequence[str]
) -> Iterator[Mapping[str, Any]]:
    """In pages by id, small ones first, as most parents have few rows and a small page costs less."""
    among = f"{link.field} in ({', '.join(map(quote, parents))})"
    sizes, key = list(client.service.coql_pages), ""
    while True:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        conditions = [among, after([("id", key)])] if key else [among]
        query = select_query(fields, link.child, conditions, ["id"], size)
        answer = client.post("coql", {"select_query": query}, credits=limits.coql_credits(size))
        rows = rows_in(answer, "data")
        yield from rows
        if not more_in(answer):
            return
        earlier, key = key, str(rows[-1]["id"]) if rows else key
        if not rows or not goes_forward([("id", earlier)] if earlier else [], [("id", key)]):
            raise ExtractError("COQL says that there are more records, and brings none")


def follow(
    client: ZohoClient, plan: Plan, link: Relationship, parents: ChangedParents, destination_rows: Path
) -> RelatedRowChanges:
    """What became of the child's rows whose parents were deleted or changed.

    `plan` is the child's; `held` has the destination's rows of these parents, with the columns of `id`, of
    Modified_Time where there is one, and of the link. Only its child and its field matter of a link: parents
    of several modules can be asked for at once.
    """
    there_too = pq.read_schema(destination_rows).names
    names = [n for n in (MODIFIED_TIME, link.field) if plan.has(n) and plan.column(n).name in there_too]
    rows = _held_versions(destination_rows, {name: plan.column(name).name for name in names})
    asked = ids_by_parent(client, plan, link, parents.changed) if parents.changed else {}
    timed = MODIFIED_TIME in names
    same = {
        id
        for id, text in (asked or {}).items()
        if id in rows and not (timed and rows[id][0] != _instant(text))
    }
    doubtful = [id for id in sorted(rows) if id not in same]
    there = read_ids(client, link.child, ["id", *names], doubtful)
    return RelatedRowChanges(
        gone=frozenset(doubtful) - there.keys(),
        missing=frozenset(asked or ()) - rows.keys(),
        stale=frozenset(id for id, record in there.items() if rows[id] != _version(record, names)),
        asked=asked is not None,
    )


Version = tuple[object, ...]  # when a row changed, and its parent


def _held_versions(destination_rows: Path, columns: Mapping[str, str]) -> dict[str, Version]:
    table = pq.read_table(destination_rows, columns=["id", *columns.values()])
    values = [
        [_in_utc(value) if name == MODIFIED_TIME else value for value in table[column].to_pylist()]
        for name, column in columns.items()
    ]
    return {id: tuple(column[row] for column in values) for row, id in enumerate(table["id"].to_pylist())}


def _version(record: Mapping[str, Any], names: Sequence[str]) -> Version:
    return tuple(
        _instant(record.get(name)) if name == MODIFIED_TIME else convert(ColumnType.ID, record.get(name))
        for name in names
    )


def _instant(text: Any) -> datetime | None:
    try:
        moment: datetime | None = convert(ColumnType.TIMESTAMP, text)
    except ConversionError:
        return None
    return moment


def _in_utc(moment: datetime | None) -> datetime | None:
    """Some destinations give times in UTC without saying so."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=timezone.utc)
