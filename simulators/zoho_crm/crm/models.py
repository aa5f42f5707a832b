"""Modules, fields and records as the CRM itself holds them, before any API shapes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

JSON_TYPES = {
    "integer": "integer",
    "double": "double",
    "percent": "double",
    "currency": "double",
    "boolean": "boolean",
    "lookup": "jsonobject",
    "ownerlookup": "jsonobject",
    "userlookup": "jsonobject",
    "multi_module_lookup": "jsonobject",
    "consent_lookup": "jsonobject",
    "layout": "jsonobject",
    "RRULE": "jsonobject",
    "ALARM": "jsonobject",
    "event_reminder": "jsonobject",
    "multireminder": "jsonobject",
    "address": "jsonobject",
    "multiselectpicklist": "jsonarray",
    "multiselectlookup": "jsonarray",
    "multiuserlookup": "jsonarray",
    "subform": "jsonarray",
    "fileupload": "jsonarray",
    "imageupload": "jsonarray",
    "territories": "jsonarray",
}
RETURN_JSON_TYPES = {"double": "double", "currency": "double", "integer": "integer", "boolean": "boolean"}
USER_TYPES = frozenset({"ownerlookup", "userlookup"})
LOOKUP_TYPES = frozenset({"lookup", "multi_module_lookup", "consent_lookup", "layout"}) | USER_TYPES
# These hold other modules' rows: they have no value of their own and only a single record shows them.
ROW_TYPES = frozenset({"subform", "multiselectlookup"})
SINGLE_ONLY_TYPES = ROW_TYPES | {"multiuserlookup"}


@dataclass(frozen=True)
class PickListValue:
    display_value: str
    actual_value: str
    used: bool = True


@dataclass
class Field:
    """One field; what the CRM keeps per type (`canonical` in values.py) is independent of any API."""

    api_name: str
    data_type: str
    json_type: str = ""
    label: str = ""
    pick_list_values: Sequence[str | PickListValue] = ()
    lookup_module: str | None = None
    return_type: str | None = None
    """Of a formula or a roll-up: double, currency, text, date, datetime, boolean."""
    decimal_place: int | None = None
    length: int | None = None
    subform_module: str | None = None
    linking_module: str | None = None
    linking_field: str | None = None
    """The linking module's lookup that points at the record (default: the first that does)."""
    textarea: str | None = None
    """Of a textarea: small, large or rich_text; lists cut rich text."""
    visible: bool = True
    custom: bool = False
    system: bool = False
    unused: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    """Keys of settings/fields that a test wants to have its own way."""
    id: str = ""

    def __post_init__(self) -> None:
        self.json_type = self.json_type or self._usual_json_type()
        self.label = self.label or self.api_name.replace("__s", "").replace("_", " ")
        self.pick_list_values = [
            value if isinstance(value, PickListValue) else PickListValue(value, value)
            for value in self.pick_list_values
        ]

    @property
    def value_type(self) -> str:
        """The type of the value itself: that of a formula's result, for a formula."""
        return (
            self.return_type or "text" if self.data_type in ("formula", "rollup_summary") else self.data_type
        )

    @property
    def picklist(self) -> list[PickListValue]:
        return [value for value in self.pick_list_values if isinstance(value, PickListValue)]

    def _usual_json_type(self) -> str:
        if self.data_type in ("formula", "rollup_summary"):
            return RETURN_JSON_TYPES.get(self.return_type or "", "string")
        return JSON_TYPES.get(self.data_type, "string")


class GeneratedRows(Protocol):
    """What stands behind a module whose rows exist only as bulk archives."""

    rows: int

    def records(self, module: str, ids: Sequence[str]) -> list[Record]: ...


@dataclass
class Module:
    """One module, with its oddities as data."""

    api_name: str
    fields: list[Field] = field(default_factory=list)
    generated_type: str = "default"
    api_supported: bool = True
    viewable: bool = True
    visibility: int = 1
    status: str = "visible"
    creatable: bool = True
    editable: bool = True
    deletable: bool = True
    plural_label: str = ""
    singular_label: str = ""
    module_name: str = ""
    display_field: str | None = None
    parent_module: str | None = None
    convertable: bool | None = None
    """None: only Leads are."""
    system_fields: Sequence[str] | None = None
    """Names of the system fields to add; None: those that Zoho gives the generated_type."""
    hidden_modified_time: bool = False
    no_permission: bool = False
    """The user's profile may not read it: NO_PERMISSION."""
    scope_mismatch: bool = False
    """OAUTH_SCOPE_MISMATCH even for a token with all scopes, as Scoring_Rules__s answers."""
    invalid_module: bool = False
    """Listed, yet INVALID_MODULE, as CTI_Entry answers."""
    fields_204: bool = False
    """settings/fields answers 204."""
    bulk_supported: bool = True
    coql_supported: bool = True
    refused_by_bulk: frozenset[str] | set[str] = frozenset()
    refused_by_coql: frozenset[str] | set[str] = frozenset()
    tags: list[dict[str, Any]] = field(default_factory=list)
    layouts: list[dict[str, Any]] = field(default_factory=list)
    """Each {"id", "name", "status"}; one named Standard unless given."""
    generated: GeneratedRows | None = None
    modified_time: datetime | None = None
    """When its fields last changed; None: as Zoho made it."""
    id: str = ""

    def __post_init__(self) -> None:
        spaced = self.api_name.replace("__s", "").replace("_", " ")
        self.plural_label = self.plural_label or spaced
        self.singular_label = self.singular_label or (spaced.removesuffix("s"))
        self.module_name = self.module_name or self.api_name
        if self.convertable is None:
            self.convertable = self.api_name == "Leads"

    def field(self, api_name: str) -> Field | None:
        names: dict[str, Field] | None = self.__dict__.get("_names")
        if names is None:
            names = self.__dict__["_names"] = {field.api_name: field for field in self.fields}
        return names.get(api_name)

    @property
    def readable_fields(self) -> list[Field]:
        """The fields whose values the API user sees."""
        return [field for field in self.fields if field.visible]

    def changed(self) -> None:
        """Forget what was derived from the list of fields; whoever changes that list calls it."""
        self.__dict__.pop("_names", None)


@dataclass
class Record:
    """One live record: the truth that every API shows a view of."""

    module: str
    id: str
    values: dict[str, Any]
    """api_name -> canonical value; also `id`, `Created_Time`, `Modified_Time`, listed or not."""
    converted: bool = False
    approved: bool = True

    @property
    def approval_state(self) -> str:
        """As records say it from v4 on."""
        return "approved" if self.approved else "approval_process_pending"

    @property
    def created(self) -> datetime:
        at: datetime = self.values["Created_Time"]
        return at

    @property
    def modified(self) -> datetime:
        at: datetime = self.values["Modified_Time"]
        return at


@dataclass(frozen=True)
class Deletion:
    """A deleted record, with what a restore needs."""

    record: Record
    display_name: str | None
    kind: str
    """recycle or permanent."""
    deleted_time: datetime
    deleted_by: dict[str, str]
    rows: tuple[Record, ...] = ()
    """What went with it: rows of subforms, links, notes and their attachments."""
    links: tuple[tuple[Record, str, Any], ...] = ()
    """(record, field, value) of the histories that lost their record by it."""
    shown: bool = True
    """In /deleted of its module."""
    binned: bool = True
    """In the org's recycle bin, while it is there."""
    parent: str | None = None
    """The record that it went with, if it did not go by itself."""
    restored: bool = False
    """Back again, and only still listed."""
    emptied: datetime | None = None
    """When it was taken out of the recycle bin by hand."""


def system_fields(module: Module) -> list[Field]:
    """The fields that Zoho adds to a module by itself."""
    names = module.system_fields
    if names is None:
        names = _SYSTEM_NAMES.get(module.generated_type, _SYSTEM_NAMES["default"])
        names = (*names, "Converted__s", "Converted_Date_Time") if module.convertable else names
    known = {field.api_name for field in module.fields}
    fields = [_system_field(name, module) for name in names if name not in known]
    for field_ in fields:
        if field_.api_name == "Modified_Time" and module.hidden_modified_time:
            field_.visible = False
    return fields


def _system_field(name: str, module: Module) -> Field:
    data_type, options = _SYSTEM_TYPES[name]
    if name == "Parent_Id":
        options = {"lookup_module": module.parent_module}
    return Field(name, data_type, system=True, **options)


_SYSTEM_NAMES: dict[str, tuple[str, ...]] = {
    "default": (
        "id", "Owner", "Created_By", "Modified_By", "Created_Time", "Modified_Time", "Last_Activity_Time",
        "Tag", "Layout", "Locked__s",
    ),
    "subform": ("id", "Parent_Id", "Owner", "Created_By", "Modified_By", "Created_Time", "Modified_Time"),
    "linking": ("id", "Owner", "Created_By", "Modified_By", "Created_Time", "Modified_Time"),
    "field_tracker": ("id", "Modified_By", "Modified_Time"),
}  # fmt: skip
_SYSTEM_TYPES: dict[str, tuple[str, dict[str, Any]]] = {
    "id": ("bigint", {"json_type": "string", "label": "Record Id"}),
    "Owner": ("ownerlookup", {}),
    "Created_By": ("ownerlookup", {}),
    "Modified_By": ("ownerlookup", {}),
    "Created_Time": ("datetime", {}),
    "Modified_Time": ("datetime", {}),
    "Last_Activity_Time": ("datetime", {}),
    "Tag": ("text", {"json_type": "jsonarray"}),
    "Layout": ("layout", {}),
    "Locked__s": ("boolean", {"label": "Locked"}),
    "Converted__s": ("boolean", {"label": "Is Converted"}),
    "Converted_Date_Time": ("datetime", {}),
    "Parent_Id": ("lookup", {}),
}
