"""Asks for modules and their fields, and reads Zoho's descriptions of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..client.responses import rows_in
from ..models import NO_API_NAME, Field, Module


class Gets(Protocol):
    """The part of the client that metadata needs."""

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]: ...


def list_modules(client: Gets) -> list[Module]:
    """Every module that the account lists, readable or not; one call."""
    return [parse_module(row) for row in rows_in(client.get("settings/modules"), "modules")]


def parse_module(row: Mapping[str, Any]) -> Module:
    """One module; one without a name cannot be read, and is told rather than dropped."""
    return Module(
        api_name=str(row.get("api_name") or f"a module without a name, id {row.get('id')}"),
        generated_type=str(row.get("generated_type") or "default"),
        api_supported=bool(row.get("api_supported", True)) and bool(row.get("api_name")),
        viewable=bool(row.get("viewable", True)),
        raw=row,
    )


def list_fields(client: Gets, module: str) -> list[Field]:
    """The fields of one module in Zoho's order; empty when Zoho answers 204 (`Visits` does)."""
    return [parse_field(row) for row in rows_in(client.get("settings/fields", {"module": module}), "fields")]


def parse_field(row: Mapping[str, Any]) -> Field:
    """One field; one without a name becomes no column, and is told rather than dropped."""
    data_type = str(row.get("data_type") or "") if row.get("api_name") else NO_API_NAME
    return Field(
        api_name=str(row.get("api_name") or f"a field without a name, id {row.get('id')}"),
        data_type=data_type,
        json_type=str(row.get("json_type") or "string"),
        return_type=_text(row.get(data_type), "return_type"),
        rich_text=_text(row.get("textarea"), "type") == "rich_text",
        pick_list=tuple(_pick_list(row.get("pick_list_values"))),
        own_table=_own_table(row),
        raw=row,
    )


def _pick_list(values: Any) -> dict[str, None]:
    listed = [_object(value) for value in values] if isinstance(values, list) else []
    forms = (value.get(form) for value in listed for form in ("actual_value", "display_value"))
    return dict.fromkeys(str(form) for form in forms if form)


def _own_table(row: Mapping[str, Any]) -> str | None:
    """The module of the rows of a subform, or of a look-up of several records or users; each in several spellings."""
    if row.get("data_type") == "subform":
        return _text(row.get("associated_module"), "module") or _text(row.get("subform"), "module")
    for lookup in ("multiselectlookup", "multiuserlookup"):
        details = _object(row.get(lookup))
        name = _named(details.get("linking_module"))
        if name := name or _named(_object(details.get("linking_details")).get("module")):
            return name
    return None


def _named(module: Any) -> str | None:
    """The API name of a module that metadata names by an object or by plain text."""
    return (module or None) if isinstance(module, str) else _text(module, "api_name")


def _object(part: Any) -> Mapping[str, Any]:
    """What is no object says nothing."""
    return part if isinstance(part, Mapping) else {}


def _text(part: Any, key: str) -> str | None:
    """`part[key]` as text; None where the part is `{}`, null or the value is empty."""
    value = _object(part).get(key)
    if isinstance(value, Mapping):  # some answers nest {"api_name": ..., "id": ...}
        value = value.get("api_name")
    return str(value) if value else None
