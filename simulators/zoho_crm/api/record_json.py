"""How a record looks in JSON: one shape for the Records API and COQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..crm.models import ROW_TYPES, USER_TYPES, Field, Record
from ..crm.org import Org

DOLLAR_KEYS: dict[str, Callable[[Record], Any]] = {
    "$converted": lambda record: record.converted,
    "$approval_state": lambda record: record.approval_state,
    "$in_merge": lambda record: False,
    "$editable": lambda record: True,
    "$locked_for_me": lambda record: False,
}


def shape(
    org: Org,
    records: Sequence[Record],
    fields: Sequence[Field],
    *,
    cut: int | None = None,
    emails: bool = True,
) -> list[dict[str, Any]]:
    """Rows with the asked fields and always `id`; `cut` is the length that rich text is cut to.

    Dates and decimals stay what they are: `dumps` writes them. COQL names users without their email.
    """
    columns: list[tuple[str, Callable[[Any], Any] | None, Any]] = [
        # A record without tags has an empty list; everything else that is empty is null.
        (field.api_name, _shaper(org, field, cut, emails), [] if field.api_name == "Tag" else None)
        for field in fields
        if field.visible
    ]
    rows = []
    for record in records:
        values = record.values
        row = {
            name: empty if (value := values.get(name)) is None else value if shaper is None else shaper(value)
            for name, shaper, empty in columns
        }
        row["id"] = record.id
        rows.append(row)
    return rows


def _shaper(org: Org, field: Field, cut: int | None, emails: bool) -> Callable[[Any], Any] | None:
    if field.data_type in USER_TYPES:
        return partial(_user, org, emails)
    if field.data_type == "multi_module_lookup":
        return partial(_multi_module, org)
    if field.data_type == "lookup":
        return partial(_lookup, org, field.lookup_module)
    if field.data_type == "consent_lookup":
        return lambda value: {"id": value["id"]}
    if field.value_type == "bigint":
        return str
    if field.textarea == "rich_text" and cut is not None:
        return lambda value: value[:cut]
    return None


def _user(org: Org, emails: bool, value: dict[str, Any]) -> dict[str, Any]:
    name = org.account.name_of(value["id"]) or value.get("name")
    shown = {"name": name, "id": value["id"]}
    return {**shown, "email": org.account.email_of(value["id"])} if emails else shown


def _lookup(org: Org, module: str | None, value: dict[str, Any]) -> dict[str, Any]:
    """The name is a live one: rename an account and every contact's lookup shows it."""
    live = org.display_name(module, value["id"]) if module in org.modules else None
    return {"name": value.get("name") if live is None else live, "id": value["id"]}


def _multi_module(org: Org, value: dict[str, Any]) -> dict[str, Any]:
    module = value["module"]
    known = org.modules.get(module)
    return {
        **_lookup(org, module, value),
        "module": {"api_name": module, "id": known.id if known else None},
    }


def whole(org: Org, record: Record, fields: Sequence[Field]) -> dict[str, Any]:
    """A single record: with its subforms and links, which no list shows."""
    (row,) = shape(org, [record], fields)
    more: dict[str, bool] = {}
    for field in fields:
        if field.data_type in ROW_TYPES and field.visible:
            row[field.api_name] = _rows(org, record, field)
            more[field.api_name] = False
    return {**row, "$has_more": more} if more else row


def _rows(org: Org, record: Record, field: Field) -> list[dict[str, Any]]:
    name = field.subform_module if field.data_type == "subform" else field.linking_module
    module = org.modules.get(name or "")
    if module is None:
        return []
    pointer = "Parent_Id" if field.data_type == "subform" else field.linking_field
    if pointer is None:
        pointer = next((f.api_name for f in module.fields if f.lookup_module == record.module), "")
    rows = [
        row for row in org.records(module.api_name) if (row.values.get(pointer) or {}).get("id") == record.id
    ]
    inner = [f for f in module.fields if f.data_type not in ROW_TYPES]
    return [{**row, "$in_merge": False} for row in shape(org, rows, inner)]
