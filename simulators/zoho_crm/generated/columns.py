"""The columns of a generated module: for each, a field and the DuckDB expression that spells its cell for row `i`."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from ..bulk_read.archive import Dialect
from ..crm.models import Field

FIRST_ID = 5_000_000_100_000_000_000
START = datetime.datetime(2021, 1, 1, tzinfo=datetime.timezone.utc)
SECONDS = 150_000_000  # Created_Time spreads over almost five years from START
AGEING = 30_000_000  # seconds after which no row was changed any more
LATEST = START + datetime.timedelta(seconds=SECONDS + AGEING)
SYSTEM_NAMES = ("id", "Owner", "Created_Time", "Modified_Time")
FIRST_NAMES = ("Ana", "Björn", "Chloé", "Dmitri", "Eun-ji", "Fatima", "O'Neil", "王芳")
LAST_NAMES = ("García, Jr.", "Müller", 'Smith "Bob"', "Okafor", "D’Angelo", "Østergård", "Иванов")
PICKLIST = ("Open", "Closed, won", "Waiting; long", 'So "called"', "Größe")


def lookup(cell: str) -> dict[str, str | None]:
    return {"id": cell, "name": None}


def moment(cell: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(cell).astimezone(datetime.timezone.utc)


READ: dict[str, Callable[[str], Any]] = {
    "currency": Decimal,
    "double": float,
    "percent": float,
    "integer": int,
    "boolean": "true".__eq__,
    "date": datetime.date.fromisoformat,
    "datetime": moment,
    "lookup": lookup,
    "ownerlookup": lookup,
    "multiselectpicklist": lambda cell: cell.split(";"),
}


@dataclass(frozen=True)
class GeneratedColumn:
    field: Field
    sql: Callable[[Dialect], str]

    def value(self, cell: str | None) -> Any:
        """A cell of the plain dialect as the CRM keeps the value."""
        read = READ.get(self.field.data_type)
        return cell if cell is None or read is None or self.field.api_name == "id" else read(cell)


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def nullable(sql: str, salt: int) -> str:
    """Every eleventh value is null, another row in each column."""
    return f"CASE WHEN (i + {salt}) % 11 = 0 THEN NULL ELSE {sql} END"


def text(salt: int) -> str:
    return (
        f"'Name {salt} of ' || i || CASE (i + {salt}) % 8 WHEN 0 THEN ', Ltd' WHEN 1 THEN ' \"quoted\"' "
        "WHEN 2 THEN chr(10) || 'second line' WHEN 3 THEN ' 👋' WHEN 4 THEN ' שלום' ELSE '' END"
    )


def picklist(salt: int) -> str:
    values = ", ".join(literal(value) for value in PICKLIST)
    return f"([{values}])[1 + ((i * 31 + {salt}) % {len(PICKLIST)})]"


def multiselect(salt: int, dialect: Dialect) -> str:
    separator = literal(dialect.multiselect_separator)
    return f"'Red' || CASE (i + {salt}) % 3 WHEN 0 THEN {separator} || 'Green' ELSE '' END"


def currency(salt: int) -> str:
    return (
        f"((i * 7919 + {salt}) % 1000003)::VARCHAR || '.' || "
        f"lpad(((i * 104729 + {salt}) % 1000000000)::VARCHAR, 9, '0')"
    )


def boolean(salt: int, dialect: Dialect) -> str:
    return f"CASE WHEN (i + {salt}) % 2 = 0 THEN {literal(dialect.true)} ELSE {literal(dialect.false)} END"


def instant(seconds: str, dialect: Dialect) -> str:
    """A time in the user's zone with its offset; the changes of daylight saving are written out as cases."""
    cases = []
    for until, offset in offsets(dialect.zone):
        sign, minutes = ("-", -offset // 60) if offset < 0 else ("+", offset // 60)
        suffix = f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
        cases.append(
            f"WHEN {seconds} < {until} THEN strftime(make_timestamp(({seconds} + {offset}) * 1000000),"
            f" '%Y-%m-%dT%H:%M:%S{suffix}')"
        )
    return f"CASE {' '.join(cases)} END"


def offsets(zone: datetime.tzinfo) -> Iterator[tuple[int, int]]:
    """(until this second since 1970, offset in seconds) through all years that generated rows touch."""
    first = int(START.timestamp())
    last = first + SECONDS + 400 * 86_400

    def offset_at(second: int) -> int:
        at = datetime.datetime.fromtimestamp(second, datetime.timezone.utc).astimezone(zone)
        return int((at.utcoffset() or datetime.timedelta()).total_seconds())

    for day in range(first, last, 86_400):
        if offset_at(day) == offset_at(day + 86_400):
            continue
        change = next(hour for hour in range(day, day + 90_000, 900) if offset_at(hour) != offset_at(day))
        yield change, offset_at(day)
    yield last, offset_at(last)


def created(salt: int = 0) -> str:
    return f"({int(START.timestamp())} + (i * 86413 + {salt}) % {SECONDS})"


def created_at(number: int) -> datetime.datetime:
    """Created_Time of one row."""
    return START + datetime.timedelta(seconds=number * 86413 % SECONDS)


def modified() -> str:
    return f"({created()} + (i * 3571) % {AGEING})"


KINDS: tuple[tuple[str, str, Callable[[int, Dialect], str]], ...] = (
    ("text", "Text", lambda salt, _: text(salt)),
    ("picklist", "Choice", lambda salt, _: picklist(salt)),
    ("currency", "Money", lambda salt, _: currency(salt)),
    ("datetime", "Time", lambda salt, dialect: instant(created(salt * 1009), dialect)),
    ("integer", "Count", lambda salt, _: f"((i * 13 + {salt}) % 999983)::VARCHAR"),
    ("boolean", "Flag", boolean),
    ("date", "Day", lambda salt, _: f"(DATE '2020-01-01' + ((i * 13 + {salt}) % 2500)::INT)::VARCHAR"),
    ("double", "Ratio", lambda salt, _: f"(((i * 37 + {salt}) % 100003) / 64.0)::VARCHAR"),
    ("lookup", "Link", lambda salt, _: f"({FIRST_ID} + (i * 17 + {salt}) % 1000000)::VARCHAR"),
    ("multiselectpicklist", "Choices", multiselect),
    ("text", "Code", lambda salt, _: f"lpad(((i + {salt}) % 1000)::VARCHAR, 3, '0')"),
    ("percent", "Percent", lambda salt, _: f"((i + {salt}) % 101)::VARCHAR"),
)


def unique(salt: int, length: int) -> str:
    """Letters and digits that no other row has, and that don't compress."""
    return f"left(md5(i::VARCHAR || 'x{salt}'), {length})"


def person(salt: int) -> str:
    first, last = ("[" + ", ".join(literal(n) for n in names) + "]" for names in (FIRST_NAMES, LAST_NAMES))
    return f"({first})[1 + (i * 31 + {salt}) % {len(FIRST_NAMES)}] || ' ' || ({last})[1 + (i * 17 + {salt}) % {len(LAST_NAMES)}] || ' ' || {unique(salt, 6)}"


def email(salt: int) -> str:
    return f"{unique(salt, 10)} || '@' || {unique(salt + 1, 6)} || '.example'"


def phone(salt: int) -> str:
    return f"'+' || (10 + (i + {salt}) % 80) || ' ' || lpad(((i * 7368787 + {salt}) % 10000000000)::VARCHAR, 10, '0')"


def website(salt: int) -> str:
    return f"'https://www.' || {unique(salt, 8)} || '.example/' || (i + {salt}) || '?a=1&b=\"2\"'"


def address(salt: int) -> str:
    return f"((i * 13 + {salt}) % 997) || ' ' || {unique(salt, 9)} || ' Street, Ñandú' || chr(10) || {unique(salt + 1, 5)}"


def long_text(salt: int) -> str:
    """Several lines with quotes, commas and emoji, of 60 to 130 characters."""
    line = (
        f"'\"' || {unique(salt, 12)} || '\", she said, 👩‍💻 ' || {unique(salt + 1, 16)} || chr(13) || chr(10)"
    )
    return f"repeat({line} || '- שלום; 50 % ' || chr(10), CASE (i + {salt}) % 5 WHEN 0 THEN 2 ELSE 1 END)"


# As real accounts have them: texts of which nearly each is unique, notes of several lines, and many nulls.
HARD_KINDS: tuple[tuple[str, str, Callable[[int, Dialect], str]], ...] = (
    ("text", "Name", lambda salt, _: person(salt)),
    ("email", "Email", lambda salt, _: email(salt)),
    ("phone", "Phone", lambda salt, _: phone(salt)),
    ("picklist", "Choice", lambda salt, _: picklist(salt)),
    ("currency", "Money", lambda salt, _: currency(salt)),
    ("datetime", "Time", lambda salt, dialect: instant(created(salt * 1009), dialect)),
    ("textarea", "Description", lambda salt, _: long_text(salt)),
    ("boolean", "Flag", boolean),
    ("website", "Website", lambda salt, _: website(salt)),
    ("lookup", "Link", lambda salt, _: f"({FIRST_ID} + (i * 17 + {salt}) % 1000000)::VARCHAR"),
    ("text", "Street", lambda salt, _: address(salt)),
    ("date", "Day", lambda salt, _: f"(DATE '2020-01-01' + ((i * 13 + {salt}) % 2500)::INT)::VARCHAR"),
    ("multiselectpicklist", "Choices", multiselect),
    ("text", "Number", lambda salt, _: f"'INV-' || {unique(salt, 14)}"),
    ("integer", "Count", lambda salt, _: f"((i * 13 + {salt}) % 999983)::VARCHAR"),
    ("double", "Ratio", lambda salt, _: f"(((i * 37 + {salt}) % 100003) / 64.0)::VARCHAR"),
)
NULLS_OF_TEN = (
    0,
    2,
    4,
    9,
    5,
    1,
    7,
    4,
    6,
    5,
    8,
)  # tenths of a column that are null, one column after the other


def sparse(sql: str, salt: int) -> str:
    empty = NULLS_OF_TEN[salt % len(NULLS_OF_TEN)]
    return f"CASE WHEN (i * 7 + {salt}) % 10 < {empty} THEN NULL ELSE {sql} END"


def generated_columns(name: str, count: int, owner: str, *, hard: bool = False) -> list[GeneratedColumn]:
    """`count` columns in all, of which the first four are `id`, Owner, Created_Time and Modified_Time.

    `hard` ones are long, unique, of several lines or null, as in a real account; the others are kind to a loader.
    """
    columns = [
        GeneratedColumn(
            Field("id", "bigint", json_type="string", system=True), lambda _: f"({FIRST_ID} + i)"
        ),
        GeneratedColumn(Field("Owner", "ownerlookup", system=True), lambda _: literal(owner)),
        GeneratedColumn(Field("Created_Time", "datetime", system=True), lambda d: instant(created(), d)),
        GeneratedColumn(Field("Modified_Time", "datetime", system=True), lambda d: instant(modified(), d)),
    ]
    for salt, (data_type, label, sql) in enumerate(
        itertools.islice(itertools.cycle(HARD_KINDS if hard else KINDS), count - len(columns))
    ):
        cells = partial(_cells, sql, salt, data_type, sparse if hard else nullable)
        columns.append(GeneratedColumn(_field(f"{label}_{salt + 1}", data_type, name), cells))
    return columns


def _cells(
    sql: Callable[[int, Dialect], str],
    salt: int,
    data_type: str,
    nulls: Callable[[str, int], str],
    dialect: Dialect,
) -> str:
    cell = sql(salt, dialect)
    return cell if data_type == "boolean" else nulls(cell, salt)  # a boolean is never null in Zoho


def _field(api_name: str, data_type: str, module: str) -> Field:
    values = {"picklist": PICKLIST, "multiselectpicklist": ("Red", "Green")}.get(data_type, ())
    return Field(
        api_name,
        data_type,
        pick_list_values=values,
        lookup_module=module if data_type == "lookup" else None,
        decimal_place=9 if data_type == "currency" else None,
    )
