"""Finds, in a local DuckDB, in what the destination's rows differ from a reading of every record."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ..models import MODIFIED_TIME
from .column_types import Column
from .converters import plain_json
from .parquet_writer import ParquetFile

BATCH = 50_000  # rows held at once
MEMORY = "1GB"  # beyond it DuckDB goes to the disk
# No column is called so: names are of letters, digits and underscores.
DIFFERS = "= differs"


@dataclass(frozen=True)
class Differences:
    """Between the records of a module and the destination's rows."""

    missing: tuple[str, ...] = ()  # in the CRM, not in the table
    extra: tuple[str, ...] = ()  # in the table, not among the records that were read
    stale: tuple[str, ...] = ()  # in another version, or more than once in the table
    patches: Path | None = None  # of rows in the same version: id and the values that were read
    patched: int = 0


def held_columns(narrow: ParquetFile, columns: Sequence[Column]) -> list[str]:
    """The columns that `compare` looks at in the destination, where they are there."""
    return [column.name for column in _compared(narrow.schema, columns)]


def compare(
    narrow: ParquetFile, destination_rows: Path, columns: Sequence[Column], folder: Path
) -> Differences:
    """Compare a reading of every record with the destination's rows.

    `columns` are all of the module's. Every column of the reading is compared by value; one that the
    destination does not have yet is null there. Ids are compared as text, times as
    instants.
    """
    with duckdb.connect(
        config={"temp_directory": str(folder / "duckdb"), "memory_limit": MEMORY}
    ) as database:
        for name, path in (("n", narrow.path), ("h", destination_rows)):
            database.execute(f"create temp table {name}_keys as {_keys(path, columns)}")
        missing = _ids(database, "select id from n_keys anti join h_keys using (id)")
        extra = _ids(database, "select distinct id from h_keys anti join n_keys using (id)")
        database.execute(f"create temp table stale as {STALE}")
        stale = _ids(database, "select id from stale")
        values = list(_values(narrow.schema, pq.read_schema(destination_rows), columns))
        path = folder / f"{narrow.path.stem}.patches.parquet"
        patched = _write_patches(database, values, (narrow, destination_rows, path)) if values else 0
    return Differences(missing, extra, stale, path if patched else None, patched)


def differing(
    patches: Path, destination_rows: Path, columns: Sequence[Column], ids: Collection[str]
) -> dict[str, int]:
    """In how many of these rows each column has another value than the destination; `patches` as `compare` made it."""
    read, found = pq.read_schema(patches), dict[str, int]()
    with duckdb.connect(config={"memory_limit": MEMORY}) as database:
        database.register("ids", pa.table({"id": pa.array(sorted(ids), pa.string())}))
        for value in _values(read, pq.read_schema(destination_rows), columns):
            rows = database.execute(f"""
                select {value.new}::varchar, {value.destination_rows}::varchar
                from {_file(patches)} n join {_file(destination_rows)} h on n.id::varchar = h.id::varchar
                where {value.differs} and n.id in (select id from ids)
            """).fetchall()
            number = sum(plain_json(new) != plain_json(old) for new, old in rows) if value.json else len(rows)
            if number:
                found[value.field.name] = number
    return found


# ---- ids and versions


STALE = """
    select n.id from n_keys n join h_keys h using (id)
    group by n.id having count(*) > 1 or bool_or(n.version is distinct from h.version)
"""


def _keys(path: Path, columns: Sequence[Column]) -> str:
    changed = next((c.name for c in columns if c.api_name == MODIFIED_TIME), None)
    version = f'epoch_us("{changed}")' if changed in pq.read_schema(path).names else "null::bigint"
    return f"select id::varchar as id, {version} as version from {_file(path)}"


def _ids(database: duckdb.DuckDBPyConnection, query: str) -> tuple[str, ...]:
    return tuple(row[0] for row in database.execute(f"{query} order by id").fetchall())


def _file(path: Path) -> str:
    return "read_parquet('{}')".format(str(path).replace("'", "''"))


# ---- values


@dataclass(frozen=True)
class _Value:
    """One column of the patches: where its value comes from, and what the destination has."""

    field: pa.Field
    new: str
    destination_rows: str
    json: bool = False

    @property
    def differs(self) -> str:
        if pa.types.is_timestamp(self.field.type):
            return f"epoch_us({self.new}) is distinct from epoch_us({self.destination_rows})"
        return f"{self.new} is distinct from {self.destination_rows}"


def _values(narrow: pa.Schema, destination_rows: pa.Schema, columns: Sequence[Column]) -> Iterator[_Value]:
    for column in _compared(narrow, columns):
        if column.api_name in ("id", MODIFIED_TIME):
            continue
        typed, json_text = narrow.field(column.name), column.kind.dlt_type == "json"
        yield _Value(typed, f'n."{typed.name}"', _in(destination_rows, typed.name, typed.type), json_text)


def _compared(narrow: pa.Schema, columns: Sequence[Column]) -> list[Column]:
    """The columns that were read."""
    return [c for c in columns if c.name in narrow.names]


def _in(destination_rows: pa.Schema, name: str, kind: pa.DataType) -> str:
    """The destination's value as the type that was read; some destinations know fewer types."""
    if name not in destination_rows.names:
        return f"null::{_sql_type(kind)}"
    if pa.types.is_timestamp(destination_rows.field(name).type):
        return f'h."{name}"'
    return f'try_cast(h."{name}" as {_sql_type(kind)})'


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    names = {
        pa.int64(): "bigint",
        pa.float64(): "double",
        pa.bool_(): "boolean",
        pa.date32(): "date",
    }
    return "timestamptz" if pa.types.is_timestamp(kind) else names.get(kind, "varchar")


def _write_patches(
    database: duckdb.DuckDBPyConnection, values: Sequence[_Value], files: tuple[ParquetFile, Path, Path]
) -> int:
    """Write the rows that are of the same version and yet differ; returns how many there are."""
    narrow, destination_rows, path = files
    schema = pa.schema([narrow.schema.field("id"), *(value.field for value in values)])
    patched = 0
    with pq.ParquetWriter(path, schema, use_dictionary=False) as writer:
        reader = database.execute(_query(values, narrow.path, destination_rows)).to_arrow_reader(BATCH)
        for batch in reader:
            table = _really_different(pa.Table.from_batches([batch]), values)
            writer.write_table(table.select(schema.names).cast(schema))
            patched += table.num_rows
    if not patched:
        path.unlink()
    return patched


def _query(values: Sequence[_Value], narrow: Path, destination_rows: Path) -> str:
    differs = " or ".join(value.differs for value in values if not value.json) or "false"
    texts = [value for value in values if value.json]
    doubts = " or ".join([DOUBT, *(value.differs for value in texts)])
    shown = ", ".join(f'{value.new} as "{value.field.name}"' for value in values)
    older = "".join(f', {value.destination_rows} as "{_older(value)}"' for value in texts)
    return f"""
        select n.id::varchar as id, {shown}, {differs} as "{DIFFERS}"{older}
        from {_file(narrow)} n join {_file(destination_rows)} h on n.id::varchar = h.id::varchar
        where n.id::varchar not in (select id from stale) and ({doubts})
    """


DOUBT = f'"{DIFFERS}"'


def _older(value: _Value) -> str:
    return f"= {value.field.name}"


def _really_different(table: pa.Table, values: Sequence[_Value]) -> pa.Table:
    """Without the rows whose JSON is only written in another way: PostgreSQL sorts its keys, say."""
    keep = table[DIFFERS].to_pylist()
    for value in values:
        if value.json:
            pairs = zip(table[value.field.name].to_pylist(), table[_older(value)].to_pylist(), strict=True)
            keep = [
                kept or plain_json(new) != plain_json(old)
                for kept, (new, old) in zip(keep, pairs, strict=True)
            ]
    return table.filter(pa.array(keep, pa.bool_()))
