"""Reads the account's own tables (users, organisation, roles, settings) whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from dlt.sources.helpers.rest_client.paginators import BasePaginator, PageNumberPaginator, SinglePagePaginator

from .. import limits
from ..client.client import ZohoClient
from ..client.responses import rows_in
from ..discovery.account_tables import AccountTable
from ..exceptions import ExtractError, Fatal, NotAvailableError, ZohoError
from ..models import Field, Module
from ..planning.plan import Plan
from ..transform.arrow_tables import records_table
from ..transform.column_types import ColumnType
from ..transform.converters import convert
from ..transform.naming import Remembered, unique
from .extractor import ExtractResult, collect
from .notes import ExtractNotes

Row = dict[str, Any]
NO_SUCH_CALL = "INVALID_URL_PATTERN"


@dataclass(frozen=True)
class Before:
    """What earlier runs know of a table of the account."""

    columns: Remembered
    answered: Sequence[str] = ()  # the calls that Zoho answered, by the values of their queries


def read_endpoint(
    client: ZohoClient, endpoint: AccountTable, modules: Sequence[str], folder: Path, before: Before
) -> ExtractResult:
    """Read one table of the account; what its edition or the scopes do not offer is a skip.

    What was there before and is refused now is neither: the table fails, and stays as it is.
    """
    remembered = before.columns
    reading = ExtractResult(endpoint.table, endpoint.table, "settings", "read whole")
    reading.answered = set(before.answered)
    service = client.service
    if endpoint.table in service.lacks:
        return reading.end("skipped", service.lacks[endpoint.table])
    client = client.with_usage(reading.usage, name=endpoint.table)
    try:
        rows = list(_rows(client, endpoint, modules, reading))
        if endpoint.never_empty and not rows:
            raise ExtractError(f"Zoho lists no {endpoint.key}, and every account has some")
        return write_rows(reading, endpoint, rows, folder, remembered)
    except ZohoError as error:
        if error.code == NO_SUCH_CALL and endpoint.table in service.undocumented and not remembered:
            return reading.end("skipped", f"{service.product} has no such call: {error}")
        return reading.skip_or_fail(error, loaded_before=bool(remembered))
    except Exception as error:  # noqa: BLE001 - one table's trouble never ends the others
        return reading.fail(error)


def write_rows(
    reading: ExtractResult, endpoint: AccountTable, rows: Sequence[Row], folder: Path, remembered: Remembered
) -> ExtractResult:
    """Rows of JSON as a file with the columns that the endpoint declares, and those nobody declared."""
    if any(field.api_name == "id" for field in endpoint.fields):
        rows = keyed(rows, reading.notes)
    flat = [_flat(row, endpoint.flat) for row in rows]
    reading.columns = endpoint.columns([*endpoint.fields, *_undeclared(endpoint, flat)], remembered)
    tables = [records_table(flat, reading.columns)]
    key = "id" if endpoint.each == "account" else None
    reading.parquet_file = collect(
        tables, folder / f"{endpoint.table}.parquet", reading.columns, reading.notes, key
    )
    return reading.end("read")


def keyed(rows: Sequence[Row], notes: ExtractNotes) -> list[Row]:
    """The rows, each with an id: no row is lost because Zoho gave it none.

    A field gets the one of a field that is gone, a module its name, any other row its place in the list.
    """
    taken = {convert(ColumnType.TEXT, row.get("id")) for row in rows}
    found: list[Row] = []
    made = 0
    for row in rows:
        if convert(ColumnType.TEXT, row.get("id")) is None:
            made += 1
            parts = [row[key] for key in ("module", "api_name") if key in row]
            name = ".".join(parts) if all(isinstance(part, str) and part for part in parts) else ""
            name = name if "api_name" in row and name not in taken else ""
            row = {**row, "id": name or unique(f"no id {made}", taken)}
            taken.add(row["id"])
        found.append(row)
    if made:
        notes.remarks.append(
            f"{made} row(s) came without an id; theirs is made of the name or the place in the list"
        )
    return found


def module_rows(modules: Sequence[Module], tables: Mapping[str, str], skips: Mapping[str, str]) -> list[Row]:
    """The rows of the table `modules`: Zoho's own keys, our table and why a module is not read."""
    return [
        {**m.raw, "table_name": tables.get(m.api_name), "skip_reason": skips.get(m.api_name)} for m in modules
    ]


def field_rows(
    module: str, listed: Sequence[Field], plan: Plan | None, refused: Mapping[str, str]
) -> list[Row]:
    """The rows of the table `fields` of one module: Zoho's keys, the column, and why there is none or nothing in it."""
    columns = {c.api_name: c for c in plan.columns} if plan else {}
    left_out = {**dict(plan.left_out), **refused} if plan else {}
    return [
        {
            **f.raw,
            "module": module,
            "column_name": columns[f.api_name].name if f.api_name in columns else None,
            "column_type": columns[f.api_name].kind.dlt_type if f.api_name in columns else None,
            "skip_reason": left_out.get(f.api_name),
        }
        for f in listed
    ]


def gone_field_rows(module: str, listed: Sequence[Field], remembered: Remembered) -> list[Row]:
    """The rows of the table `fields` for those that Zoho no longer lists; their columns stay."""
    there = {field.api_name for field in listed} | {"id"}
    return [
        {
            "id": f"{module}.{api_name}",  # Zoho's own is forgotten with the field
            "module": module,
            "api_name": api_name,
            "column_name": forms[0],
            "column_type": ColumnType[forms[1]].dlt_type,
            "skip_reason": "Zoho no longer lists it; its column keeps what it held",
        }
        for api_name, forms in remembered.items()
        if api_name not in there
    ]


def _rows(
    client: ZohoClient, endpoint: AccountTable, modules: Sequence[str], reading: ExtractResult
) -> Iterator[Row]:
    """The rows of all calls. The first refusal of a table for the whole account refuses the table.

    Any other hides nothing but its own rows: one module without tags, one type of users; but not where an
    earlier run got those. If every call is refused, for want of a scope, say, the table is.
    """
    refused: list[str] = []
    answered = reading.answered
    calls, last = 0, None
    for number, (query, mark) in enumerate(_calls(client, endpoint, modules)):
        calls, words = calls + 1, ", ".join(query.values())
        try:
            for row in _list(client, endpoint, query):
                yield {**row, **mark}
                answered.add(words)
        except (NotAvailableError, Fatal) as error:
            if endpoint.each == "account" and number == 0:
                raise
            _check_new(words, answered, error)
            last = error
            refused.append(f"{error.code} for {words}")
        else:
            answered.add(words)
    if last is not None and len(refused) == calls:
        raise last
    if refused:
        reading.notes.remarks.append(f"not offered: {', '.join(refused)}")


def _check_new(words: str, answered: Collection[str], error: ZohoError) -> None:
    """Raises ExtractError for a refusal of what an earlier call got, or a part of it."""
    if words in answered:
        raise ExtractError(f"Zoho refuses what it gave before, {words}: {error}") from error


def _calls(
    client: ZohoClient, endpoint: AccountTable, modules: Sequence[str]
) -> Iterator[tuple[Mapping[str, str], Row]]:
    """The query of each call, and the keys by which its rows tell where they belong."""
    if endpoint.each == "account":
        for query in endpoint.queries:
            yield query, {}
    elif endpoint.each == "module":
        for module in modules:
            yield {"module": module}, {"module": module}
    elif endpoint.module in modules:
        layouts = rows_in(client.get("settings/layouts", {"module": endpoint.module}), "layouts")
        if not layouts:
            raise ExtractError(f"Zoho lists no layouts of {endpoint.module}, and every such module has one")
        for layout in layouts:
            key = convert(ColumnType.TEXT, layout.get("id"))
            yield {"layout_id": str(key)}, {"layout": {"id": key}}


def _list(client: ZohoClient, endpoint: AccountTable, query: Mapping[str, str]) -> Iterator[Row]:
    paginator: BasePaginator = SinglePagePaginator()
    if endpoint.paged:
        paginator = PageNumberPaginator(base_page=1, total_path=None, has_more_path="info.more_records")
        query = {**query, "per_page": str(limits.RECORDS_PER_PAGE)}
    for page in client.paginate(endpoint.path, endpoint.key, paginator, query):
        yield from page


def _flat(row: Row, names: Sequence[str]) -> Row:
    """The keys of some objects beside the others: `license_details.paid` as `license_details_paid`."""
    inner = {
        f"{name}_{key}": value
        for name in names
        if isinstance(row.get(name), Mapping)
        for key, value in row[name].items()
    }
    return {**{key: value for key, value in row.items() if key not in names}, **inner}


def _undeclared(endpoint: AccountTable, rows: Sequence[Row]) -> list[Field]:
    """Keys that Zoho sends and nobody declared: columns too, typed by what they hold."""
    declared = {f.api_name for f in endpoint.fields}
    found: dict[str, Field] = {}
    for row in rows:
        for key, value in row.items():
            if key not in declared and key not in found and value not in (None, "", [], {}):
                found[key] = _guess(key, value)
    return list(found.values())


def _guess(key: str, value: Any) -> Field:
    if isinstance(value, bool):
        return Field(key, "boolean")
    if isinstance(value, (int, Decimal)):
        return Field(key, "bigint" if isinstance(value, int) else "double")
    if isinstance(value, Mapping) and "id" in value and set(value) <= {"id", "name", "email", "api_name"}:
        return Field(key, "lookup")
    return Field(key, "json", "jsonobject") if isinstance(value, (Mapping, list)) else Field(key, "text")
