"""Reads records by id, and what lists leave out of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import limits
from ..client.client import ZohoClient
from ..client.responses import rows_in
from ..exceptions import CredentialsError, ExtractError, Retriable, ZohoError
from ..models import MODIFIED_TIME
from ..planning.plan import Plan
from ..transform.column_types import Column
from .notes import ExtractNotes
from .records_pagination import Record

TRIES = 3  # of a record that changes between two chunks of its fields


def field_chunks(columns: tuple[Column, ...], most: int = limits.FIELDS_PER_CALL) -> list[list[str]]:
    """The fields in chunks of one call each; each has `id` and, where there is one, `Modified_Time`."""
    names = [c.api_name for c in columns]
    head = [name for name in ("id", MODIFIED_TIME) if name in names]
    rest = [name for name in names if name not in head]
    size = most - len(head)
    return [head + rest[i : i + size] for i in range(0, len(rest), size)] or [head]


# ---- the other chunks of fields


def with_other_chunks(
    client: ZohoClient, plan: Plan, page: list[Record], chunks: list[list[str]], notes: ExtractNotes
) -> list[Record]:
    """The page with all fields; a record that changed in between is read again, a deleted one dropped."""
    whole = {record["id"]: dict(record) for record in page}
    torn: set[str] = set()
    for chunk in chunks[1:]:
        torn |= add_chunk(whole, read_ids(client, plan.module.api_name, chunk, list(whole)))
    for record_id in torn:
        whole.pop(record_id)
        whole.update(read_whole(client, plan, chunks, record_id))
        notes.repairs["records read again because they changed while being read"] += 1
    return list(whole.values())


def add_chunk(whole: Mapping[str, Record], parts: Mapping[str, Record]) -> set[str]:
    """Put more fields into records, by id; returns the ids of those that changed or went in between."""
    torn = set()
    for record_id, record in whole.items():
        part = parts.get(record_id)
        if part is None or part.get(MODIFIED_TIME) != record.get(MODIFIED_TIME):
            torn.add(record_id)
        else:
            record.update(part)
    return torn


def read_ids(client: ZohoClient, module: str, fields: list[str], ids: list[str]) -> dict[str, Record]:
    """Some fields of up to any number of records by id, 100 a call; deleted ones are absent."""
    found: dict[str, Record] = {}
    for i in range(0, len(ids), limits.IDS_PER_CALL):
        some = ids[i : i + limits.IDS_PER_CALL]
        answer = client.get(
            module,
            {
                "fields": ",".join(fields),
                "ids": ",".join(some),
                "per_page": limits.RECORDS_PER_PAGE,
                **client.service.all_records,
            },
        )
        found.update((record["id"], record) for record in rows_in(answer, "data"))
    return found


def read_whole(client: ZohoClient, plan: Plan, chunks: list[list[str]], record_id: str) -> dict[str, Record]:
    """One record with all its chunks of one moment; empty if it is gone."""
    for _ in range(TRIES):
        parts = [
            read_ids(client, plan.module.api_name, chunk, [record_id]).get(record_id) for chunk in chunks
        ]
        if any(part is None for part in parts):
            return {}
        records = [part for part in parts if part is not None]
        if len({record.get(MODIFIED_TIME) for record in records}) == 1:
            return {record_id: {key: value for record in records for key, value in record.items()}}
    raise ExtractError(f"{plan.module.api_name} {record_id} changed each of the {TRIES} times it was read")


def read_rows(client: ZohoClient, plan: Plan, ids: list[str], notes: ExtractNotes) -> list[Record]:
    """Whole records by id, for rows that another API gave only in part."""
    chunks = field_chunks(plan.columns)
    first = list(read_ids(client, plan.module.api_name, chunks[0], ids).values())
    records = with_other_chunks(client, plan, first, chunks, notes)
    fetch_full_rich_text(client, plan, records, notes)
    return records


# ---- rich text


def fetch_full_rich_text(client: ZohoClient, plan: Plan, records: list[Record], notes: ExtractNotes) -> None:
    """Replace rich text that a list cut to 500 characters by the whole text; one call a record."""
    fields = [c.api_name for c in plan.columns if c.field.rich_text]
    for record in records if fields else ():
        cut = [name for name in fields if is_cut(record.get(name))]
        if cut:
            record.update(read_full_texts(client, plan.module.api_name, record["id"], cut))
            notes.repairs["rich texts read in full"] += len(cut)


def is_cut(text: Any) -> bool:
    """Whether a rich text may be a cut one; one that has exactly 500 characters is asked for once more.

    Zoho does not say what it counts: characters, or units of UTF-16, of which an emoji has two.
    """
    if not isinstance(text, str) or len(text) > limits.RICH_TEXT_IN_LISTS:
        return False
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    whole = limits.RICH_TEXT_IN_LISTS
    return len(text) == whole or units == whole or (units == whole - 1 and units > len(text))


def read_full_texts(client: ZohoClient, module: str, record_id: str, fields: list[str]) -> Mapping[str, Any]:
    """Rich texts of one record in full (fetch_full_data, v8); empty if the record is gone.

    Raises ExtractError if Zoho does not give them of a record that is there: they would be cut.
    """
    try:
        answer = client.get(f"{module}/{record_id}/actions/fetch_full_data", {"fields": ",".join(fields)})
        rows, why = rows_in(answer, "data"), "Zoho sends none"
    except ZohoError as error:
        if isinstance(error, (Retriable, CredentialsError)):
            raise
        rows, why = [], str(error)  # be it that Zoho knows no such id
    found = {name: rows[0][name] for name in fields if name in rows[0]} if rows else {}
    if len(found) < len(fields) and read_ids(client, module, ["id"], [record_id]):
        raise ExtractError(f"rich text of {record_id} could not be read in full: {why}")
    return found
