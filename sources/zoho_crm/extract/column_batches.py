"""Joins the slices of a module whose fields no single reading brings, by id, and never a torn row."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import duckdb
import pyarrow as pa

from ..client.client import ZohoClient
from ..exceptions import UnsupportedByApi
from ..models import MODIFIED_TIME
from ..planning.cost import is_coql_cheaper
from ..planning.plan import Plan
from ..transform.arrow_tables import REJECTED, records_table, rejected_columns
from ..transform.column_types import Column, arrow_schema
from ..transform.naming import unique
from ..transform.parquet_writer import DiscardRows, ParquetFile, write_parquet
from . import record_lookup, records
from .filtered_rows import apply_filters, without
from .notes import ExtractNotes

Extract = Callable[[ZohoClient, Plan, ExtractNotes], Iterator["pa.Table | DiscardRows"]]
Slice = tuple[Extract, tuple[Column, ...]]

BATCH = 50_000  # joined rows in one table


@dataclass(frozen=True)
class ApiCapabilities:
    """What an API does about fields."""

    brings: Callable[[Column], bool]
    is_empty: Callable[[ZohoClient, Plan, str], bool]  # whether it is sure that no record has a value
    beside: Extract | None = None  # what reads some columns that this one does not bring, if that is cheaper


def keys_of(plan: Plan) -> tuple[Column, ...]:
    """The columns that every slice has: the id, and Modified_Time to tell a torn row by."""
    return tuple(c for c in plan.columns if c.api_name in ("id", MODIFIED_TIME))


def rest_of(plan: Plan) -> list[Column]:
    """The other columns, those of filters first, so that the first slice tells which rows are wanted."""
    keys, filtered = keys_of(plan), {one.field.casefold() for one in plan.filters}
    rest = (c for c in plan.columns if c not in keys)
    return sorted(rest, key=lambda c: c.api_name.casefold() not in filtered)


def read_all_columns(
    client: ZohoClient, plan: Plan, notes: ExtractNotes, slices: Sequence[Slice], api: ApiCapabilities
) -> Iterator[pa.Table | DiscardRows]:
    """The slices of an API, and beside them what it does not bring or refuses, by COQL or the Records API.

    So a module has the same columns whichever API reads it. A window whose fields are refused is for another
    API: these stay in `notes.refused`.
    """
    extract, columns = slices[0]
    source = extract(client, replace(plan, columns=columns), notes)
    try:
        tables = chain([next(source)], source)  # by now it is known which fields of this slice are refused
        _check_filters(plan, notes)
        alone = len(slices) == 1
        rest = _rest(client, plan, notes, api) if alone else {}
        if alone and not rest:
            yield from _with_nulls(tables, plan.columns)
            return

        def every() -> Iterator[Slice]:
            yield (lambda *_: tables), columns
            yield from slices[1:]
            yield from _supplementary_slices(
                client, plan, notes, api, rest or _rest(client, plan, notes, api)
            )

        yield from _with_nulls(join_batches(client, plan, notes, every()), plan.columns)
    finally:
        if isinstance(source, Generator):
            source.close()  # now: an error that somebody keeps would keep it, and what it holds, alive


def _supplementary_slices(
    client: ZohoClient, plan: Plan, notes: ExtractNotes, api: ApiCapabilities, rest: Mapping[str, str]
) -> Iterator[Slice]:
    """The slices that bring what the API does not; what COQL refuses, the Records API reads after it."""
    keys, columns = keys_of(plan), [c for c in plan.columns if c.api_name in rest]
    if api.beside and is_coql_cheaper(
        plan.rows, tuple(columns), plan.api_availability.coql if client.may_use_coql else ()
    ):
        taken = [c for c in columns if c.in_coql]
        yield api.beside, (*keys, *(c for c in taken if c not in keys))
        # What it refuses by now is refused there only: the first slice had its turn.
        refused = {c.api_name for c in (*keys, *taken) if notes.refused.pop(c.api_name, None)}
        columns = [c for c in columns if c not in taken or c.api_name in refused]
        _tell(
            notes,
            rest,
            [c for c in taken if c not in columns],
            "records" if "coql" in notes.failures else "coql",
        )
    if columns:
        yield records.extract, (*keys, *(c for c in columns if c not in keys))
        _tell(notes, rest, columns, "records")


def _tell(notes: ExtractNotes, rest: Mapping[str, str], columns: Sequence[Column], api: str) -> None:
    way = {"coql": "COQL", "records": "the Records API"}[api]
    for column in columns:
        if why := rest[column.api_name]:
            notes.remarks.append(f"field {column.api_name} came by {way}: {why}")


def _check_filters(plan: Plan, notes: ExtractNotes) -> None:
    """Rows are told apart by the first slice. Raises UnsupportedByApi where it lacks the field of a filter."""
    refused = {name.casefold(): name for name in notes.refused}
    if lacking := [refused[one.field.casefold()] for one in plan.filters if one.field.casefold() in refused]:
        raise UnsupportedByApi(f"{plan.api} refused {', '.join(lacking)}, which a filter needs")


def _rest(client: ZohoClient, plan: Plan, notes: ExtractNotes, api: ApiCapabilities) -> dict[str, str]:
    """The fields to be read beside, and why if they were refused.

    Not those without a value, which would take a call for each 200 records.
    """
    before = {c.api_name: "it was refused before" for c in plan.columns if plan.api in c.refused}
    rest = {c.api_name: before.get(c.api_name, "") for c in plan.columns if not api.brings(c)}
    refused = [c for c in plan.columns if c.api_name in notes.refused.keys() | before.keys()]
    if not plan.is_full_refresh or not refused:
        return rest
    seen = records.first_look(client, plan, refused)
    for column in refused:
        name = column.api_name
        why = notes.refused.pop(name, None) or before[name]
        rest.pop(name, None)
        if name not in seen.sent and seen.rows:
            notes.empty[name] = f"{why}, and the Records API sends no values of it"
        elif name not in seen.valued and (seen.all or api.is_empty(client, plan, name)):
            notes.empty[name] = f"{why}, and no record has a value"
        else:
            rest[name] = why
    return rest


def _with_nulls(
    tables: Iterable[pa.Table | DiscardRows], columns: tuple[Column, ...]
) -> Iterator[pa.Table | DiscardRows]:
    """The tables with a null in the columns that nobody sent."""
    schema = arrow_schema(columns)
    for table in tables:
        if not isinstance(table, DiscardRows):
            there = set(table.column_names)
            for field in schema:
                if field.name not in there:
                    table = table.append_column(field, pa.nulls(table.num_rows, field.type))
        yield table


def join_batches(
    client: ZohoClient, plan: Plan, notes: ExtractNotes, slices: Iterable[Slice]
) -> Iterator[pa.Table]:
    """Read every slice to disk, then yield whole rows.

    A row that changed between two slices, or that only some of them have, is read again by id.
    """
    keys = [c.name for c in keys_of(plan)]
    with tempfile.TemporaryDirectory(prefix="zoho-slices-", dir=client.context.temp_dir) as folder:
        parts: list[ParquetFile] = []
        for number, (extract, columns) in enumerate(slices):
            tables = extract(client, replace(plan, columns=columns), notes)
            if plan.filters:  # the columns of filters are in the first slice
                tables = without(tables, notes.outside) if number else apply_filters(tables, plan, notes)
            parts.append(write_parquet(tables, Path(folder, f"{number}.parquet"), newest=keys[-1]))
        plan = plan.drop_fields(set(notes.refused))  # also where another slice brought what one was refused
        # Zoho may list Modified_Time and yet refuse it.
        keys = [key for key in keys if all(key in part.schema.names for part in parts)]
        with duckdb.connect() as database:
            torn = [row[0] for row in database.execute(_inconsistent_ids(parts, keys)).fetchall()]
            schema, query = _whole(parts, keys, plan)
            yield schema.empty_table()
            for batch in database.execute(query).to_arrow_reader(BATCH):
                yield pa.Table.from_batches([batch]).cast(schema)
    if torn:
        notes.repairs["records read again because they changed while being read"] += len(torn)
        yield records_table(record_lookup.read_rows(client, plan, torn, notes), plan.columns)


def _same_row(number: int, keys: Sequence[str]) -> str:
    """The join condition of slice `number` with the first one."""
    return " and ".join(f'p0."{key}" is not distinct from p{number}."{key}"' for key in keys)


def _from(parts: Sequence[ParquetFile], keys: Sequence[str]) -> str:
    first, *others = [f"{_rows_of(part)} p{number}" for number, part in enumerate(parts)]
    return " ".join([first, *(f"join {part} on {_same_row(n, keys)}" for n, part in enumerate(others, 1))])


def _rows_of(part: ParquetFile) -> str:
    return "read_parquet('{}')".format(str(part.path).replace("'", "''"))


def _whole(parts: Sequence[ParquetFile], keys: Sequence[str], plan: Plan) -> tuple[pa.Schema, str]:
    """Rows that every slice has in the same version, columns in the order of the plan, each rejected text behind its column."""
    names = [c.name for c in plan.columns]
    fields: dict[str, tuple[pa.Field, str]] = {}  # by column: what it is, and where it comes from
    rejected_by_column: dict[str, tuple[pa.Field, str]] = {}
    for number, part in reversed(list(enumerate(parts))):
        marked = rejected_columns(part.schema)
        for field in part.schema:
            source = f'p{number}."{field.name}"'
            if field.name in marked:
                column = marked[field.name]
                rejected_by_column[column] = (field.with_name(unique(column + REJECTED, names)), source)
            else:
                fields[field.name] = (field, source)
    chosen = [found[name] for name in names for found in (fields, rejected_by_column) if name in found]
    columns = ", ".join(f'{source} as "{field.name}"' for field, source in chosen)
    return pa.schema([field for field, _ in chosen]), f"select {columns} from {_from(parts, keys)}"


def _inconsistent_ids(parts: Sequence[ParquetFile], keys: Sequence[str]) -> str:
    """The ids of all other rows."""
    everything = " union ".join(f"select id from {_rows_of(part)}" for part in parts)
    return f"({everything}) except (select p0.id from {_from(parts, keys)})"
