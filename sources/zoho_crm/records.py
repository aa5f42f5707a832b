"""Reads a module by the Records API: 200 records a page, 50 fields a call, without loss past every limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from . import limits
from .arrow import records_table
from .client import ZohoClient
from .columns import Column
from .errors import ReadFailed, ZohoError
from .notes import Notes
from .plan import Plan

Record = dict[str, Any]

# Converted leads and records that wait for approval are left out unless asked for (Get Records, v8).
ALL_RECORDS = {"converted": "both", "approved": "both"}

CHANGED = "Modified_Time"
TRIES = 3  # of a record that changes between two chunks of its fields


def extract(client: ZohoClient, plan: Plan, notes: Notes) -> Iterator[pa.Table]:
    """Yield the module in tables; the first may be empty, so that the table exists all the same."""
    yield records_table([], plan.columns)
    chunks = field_chunks(plan.columns)
    for page in _walk(client, plan, chunks[0]):
        records = _with_other_chunks(client, plan, page, chunks, notes)
        mend_rich_text(client, plan, records, notes)
        yield records_table(records, plan.columns)


def field_chunks(columns: tuple[Column, ...]) -> list[list[str]]:
    """The fields in chunks of one call each; each has `id` and, where there is one, `Modified_Time`."""
    names = [c.api_name for c in columns]
    head = [name for name in ("id", CHANGED) if name in names]
    rest = [name for name in names if name not in head]
    size = limits.FIELDS_PER_CALL - len(head)
    return [head + rest[i : i + size] for i in range(0, len(rest), size)] or [head]


# ---- pages


def _walk(client: ZohoClient, plan: Plan, fields: list[str]) -> Iterator[list[Record]]:
    """Every record once, in pages.

    By id upwards, because edits do not move a record there. Tokens reach 100,000 records: past that
    by id downwards until the two walks meet, and past 200,000 by Modified_Time in windows.
    """
    seen: set[str] = set()
    path = plan.module.api_name
    started = client.now()
    up, down = _Walk(sort_by="id", sort_order="asc"), _Walk(sort_by="id", sort_order="desc")
    yield from up.pages(client, path, fields, seen)
    if up.whole and (len(seen) <= limits.RECORDS_PER_PAGE or not _any_deleted(client, path, started)):
        return
    down.until = None if up.whole else max(map(int, seen))
    yield from down.pages(client, path, fields, seen)
    if down.whole:
        return
    if not plan.has(CHANGED):
        raise ReadFailed("the Records API cannot list so many records without Modified_Time: use Bulk Read")
    yield from _by_time(client, path, fields, seen)


@dataclass
class _Walk:
    """One walk in one order; `whole` tells afterwards whether it came to its end."""

    sort_by: str
    sort_order: str
    since: str | None = None  # If-Modified-Since
    until: int | None = None  # the id at which a walk downwards meets the one upwards
    whole: bool = False
    latest: str | None = None  # the Modified_Time of the last record

    def pages(
        self, client: ZohoClient, path: str, fields: list[str], seen: set[str]
    ) -> Iterator[list[Record]]:
        """Pages by token from the first one on, because a page number ends at record 2,000.

        Only records that no earlier walk had. Ends early, with `whole` false, where tokens go no
        further (PAGINATION_LIMIT_EXCEEDED), which no new walk of the same kind cures.
        """
        headers = {"If-Modified-Since": self.since} if self.since else None
        params = {"fields": ",".join(fields), "per_page": limits.RECORDS_PER_PAGE, **ALL_RECORDS}
        params.update(sort_by=self.sort_by, sort_order=self.sort_order)
        while True:
            try:
                page = client.get(path, params, headers=headers)
            except ZohoError as error:
                if error.code == "PAGINATION_LIMIT_EXCEEDED":
                    return
                raise
            records: list[Record] = page.get("data", [])
            if records:
                self.latest = records[-1].get(CHANGED)
            fresh = [record for record in records if record["id"] not in seen]
            seen.update(record["id"] for record in fresh)
            yield fresh
            info = page.get("info", {})
            met = self.until is not None and any(int(record["id"]) <= self.until for record in records)
            if met or not info.get("more_records"):
                self.whole = True
                return
            params["page_token"] = info.get("next_page_token")
            if not params["page_token"]:
                raise ReadFailed("Zoho has more records but gave no token for the next page")


def _any_deleted(client: ZohoClient, path: str, since: datetime) -> bool:
    """Whether a deletion may have moved a record over the edge of a page that was read already."""
    moment = {"If-Modified-Since": since.isoformat(timespec="seconds")}
    try:
        return bool(client.get(f"{path}/deleted", {"type": "all", "per_page": 1}, credits=2, headers=moment))
    except ZohoError:
        return False  # a module without a deleted feed


def _by_time(client: ZohoClient, path: str, fields: list[str], seen: set[str]) -> Iterator[list[Record]]:
    """In the order of edits, each page from where the last one ended: an edit moves no record past it.

    Ties on that second come twice; tokens are followed only while a page has no other second.
    """
    since = "1970-01-01T00:00:00+00:00"
    while True:
        walk = _Walk(sort_by=CHANGED, sort_order="asc", since=since)
        for page in walk.pages(client, path, fields, seen):
            yield page
            if walk.latest not in (None, since):
                break
        else:
            if walk.whole:
                return
            raise ReadFailed(
                f"the Records API cannot list all records of one second ({since}): use Bulk Read"
            )
        since = str(walk.latest)


# ---- the other chunks of fields


def _with_other_chunks(
    client: ZohoClient, plan: Plan, page: list[Record], chunks: list[list[str]], notes: Notes
) -> list[Record]:
    """The page with all fields; a record that changed in between is read again, a deleted one dropped."""
    whole = {record["id"]: dict(record) for record in page}
    torn: set[str] = set()
    for chunk in chunks[1:]:
        parts = read_ids(client, plan.module.api_name, chunk, list(whole))
        for record_id, record in whole.items():
            part = parts.get(record_id)
            if part is None or part.get(CHANGED) != record.get(CHANGED):
                torn.add(record_id)
            else:
                record.update(part)
    for record_id in torn:
        whole.pop(record_id)
        whole.update(read_whole(client, plan, chunks, record_id))
        notes.repairs["records read again because they changed while being read"] += 1
    return list(whole.values())


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
                **ALL_RECORDS,
            },
        )
        found.update((record["id"], record) for record in answer.get("data", []))
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
        if len({record.get(CHANGED) for record in records}) == 1:
            return {record_id: {key: value for record in records for key, value in record.items()}}
    raise ReadFailed(f"{plan.module.api_name} {record_id} changed each of the {TRIES} times it was read")


def read_rows(client: ZohoClient, plan: Plan, ids: list[str], notes: Notes) -> list[Record]:
    """Whole records by id, for rows that another API gave only in part."""
    chunks = field_chunks(plan.columns)
    first = list(read_ids(client, plan.module.api_name, chunks[0], ids).values())
    records = _with_other_chunks(client, plan, first, chunks, notes)
    mend_rich_text(client, plan, records, notes)
    return records


# ---- rich text


def mend_rich_text(client: ZohoClient, plan: Plan, records: list[Record], notes: Notes) -> None:
    """Replace rich text that a list cut to 500 characters by the whole text; one call a record."""
    fields = [c.api_name for c in plan.columns if c.field.rich_text]
    for record in records if fields else ():
        cut = [name for name in fields if is_cut(record.get(name))]
        if cut:
            record.update(read_full_texts(client, plan.module.api_name, record["id"], cut))
            notes.repairs["rich texts read in full"] += len(cut)


def is_cut(text: Any) -> bool:
    """Whether a rich text may be a cut one; one that has exactly 500 characters is asked for once more."""
    return isinstance(text, str) and len(text) == limits.RICH_TEXT_IN_LISTS


def read_full_texts(client: ZohoClient, module: str, record_id: str, fields: list[str]) -> Mapping[str, Any]:
    """Rich texts of one record in full (fetch_full_data, v8); empty if the record is gone."""
    answer = client.get(f"{module}/{record_id}/actions/fetch_full_data", {"fields": ",".join(fields)})
    rows = answer.get("data", [])
    return {name: rows[0][name] for name in fields if name in rows[0]} if rows else {}
