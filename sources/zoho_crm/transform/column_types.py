"""The one type table: which column a field becomes, whichever API brings its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from enum import Enum

import pyarrow as pa

from ..models import NO_API_NAME, Field, MaskingRule

DECIMAL = pa.decimal128(38, 9)  # Zoho keeps up to 16 digits and 9 decimals; 38,9 is dlt's own default
INSTANT = pa.timestamp("us", tz="UTC")


class ColumnType(Enum):
    """What the values of a field are; the tables below say which column that makes."""

    TEXT = "text"
    BIGINT = "bigint"
    DOUBLE = "double"
    DECIMAL = "decimal"
    BOOL = "bool"
    DATE = "date"
    TIMESTAMP = "timestamp"
    ID = "id of a lookup"  # only the id: a copied name goes stale
    RULE = "rule of a recurrence"  # {"RRULE": "FREQ=..."} in JSON, the bare rule in Bulk Read
    NAMES = "list of names"  # multi-select values, names of tags
    IDS = "list of ids"  # territories
    OBJECTS = "objects"  # anything else that has a structure

    @property
    def arrow_type(self) -> pa.DataType:
        return ARROW_TYPES.get(self, pa.string())

    @property
    def dlt_type(self) -> str:
        if self in ARROW_TYPES:
            return self.value
        return "text" if self in (ColumnType.TEXT, ColumnType.ID, ColumnType.RULE) else "json"


ARROW_TYPES: Mapping[ColumnType, pa.DataType] = {
    ColumnType.BIGINT: pa.int64(),
    ColumnType.DOUBLE: pa.float64(),
    ColumnType.DECIMAL: DECIMAL,
    ColumnType.BOOL: pa.bool_(),
    ColumnType.DATE: pa.date32(),
    ColumnType.TIMESTAMP: INSTANT,
}

BY_DATA_TYPE: Mapping[str, ColumnType] = {
    "text": ColumnType.TEXT,
    "textarea": ColumnType.TEXT,
    "email": ColumnType.TEXT,
    "phone": ColumnType.TEXT,
    "website": ColumnType.TEXT,
    "picklist": ColumnType.TEXT,
    "autonumber": ColumnType.TEXT,
    "profileimage": ColumnType.TEXT,
    "integer": ColumnType.BIGINT,
    "bigint": ColumnType.BIGINT,
    "double": ColumnType.DOUBLE,
    "percent": ColumnType.DOUBLE,
    "currency": ColumnType.DECIMAL,
    "boolean": ColumnType.BOOL,
    "date": ColumnType.DATE,
    "datetime": ColumnType.TIMESTAMP,
    "lookup": ColumnType.ID,
    "ownerlookup": ColumnType.ID,
    "userlookup": ColumnType.ID,
    "multi_module_lookup": ColumnType.ID,
    "consent_lookup": ColumnType.ID,
    "layout": ColumnType.ID,
    "RRULE": ColumnType.RULE,
    "ALARM": ColumnType.RULE,
    "multiselectpicklist": ColumnType.NAMES,
    "territories": ColumnType.IDS,
    "fileupload": ColumnType.OBJECTS,
    "imageupload": ColumnType.OBJECTS,
    "multireminder": ColumnType.OBJECTS,
    "event_reminder": ColumnType.OBJECTS,
}
BY_RETURN_TYPE: Mapping[str, ColumnType] = {
    **BY_DATA_TYPE,
    "string": ColumnType.TEXT,
    "number": ColumnType.DOUBLE,
}

# Of an address: settings/fields lists them, and Bulk Read refuses them (FIELD_NOT_SUPPORTED), as met in accounts.
PLACES = ("Coordinates", "nearby_distance__s", "Latitude__s", "Longitude__s")
COMPUTED_TYPES = frozenset({"formula", "rollup_summary"})  # they change without Modified_Time
IN_OWN_TABLE = frozenset({"subform", "multiselectlookup", "multiuserlookup"})
STRUCTURED = frozenset({"jsonobject", "jsonarray"})


@dataclass(frozen=True)
class Column:
    """A field and the column it becomes."""

    name: str
    field: Field
    kind: ColumnType  # of what lands
    masking_rule: MaskingRule | None = None  # what is done to the values before anything is written
    refused: frozenset[str] = dataclass_field(default=frozenset(), repr=False)  # by these APIs, lately

    @property
    def raw(self) -> Column:
        """The same column with the values as Zoho has them."""
        return (
            self
            if self.masking_rule is None
            else replace(self, kind=column_type_of(self.field), masking_rule=None)
        )

    @property
    def api_name(self) -> str:
        return self.field.api_name

    @property
    def in_bulk(self) -> bool:
        """Bulk Read writes cells of text; lists of objects do not come through it."""
        return self.raw.kind not in (ColumnType.OBJECTS, ColumnType.IDS) and "bulk" not in self.refused

    @property
    def likely_in_bulk(self) -> bool:
        """Whether Bulk Read should bring it, as far as can be told before it is asked."""
        return self.in_bulk and not self.api_name.endswith(PLACES)

    @property
    def in_coql(self) -> bool:
        """COQL overview: image uploads cannot be selected; file uploads cannot either."""
        return self.field.data_type not in ("fileupload", "imageupload") and "coql" not in self.refused


def column_type_of(field: Field) -> ColumnType:
    """The kind of a field that is a column; a type nobody has met is text, or JSON if it has a structure."""
    if field.api_name == "id":
        return ColumnType.TEXT
    if field.api_name == "Tag":
        return ColumnType.NAMES  # typed text, holds a list of {"name", "id", "color_code"}
    if field.data_type in COMPUTED_TYPES:
        return BY_RETURN_TYPE.get(field.return_type or "", ColumnType.TEXT)
    kind = BY_DATA_TYPE.get(field.data_type)
    if kind is ColumnType.BIGINT and field.json_type == "jsonobject":
        return ColumnType.ID  # the team pipeline of a deal in Bigin
    if kind in (None, ColumnType.TEXT, ColumnType.OBJECTS):
        return ColumnType.OBJECTS if field.json_type in STRUCTURED else ColumnType.TEXT
    return kind


def masked_type(kind: ColumnType, masking_rule: MaskingRule | None) -> ColumnType:
    """The kind of values that were masked or hashed: text, but that a mask keeps the year of a time."""
    if masking_rule is None or kind in (ColumnType.ID, ColumnType.RULE):
        return kind
    return (
        kind
        if masking_rule.how == "mask" and kind in (ColumnType.DATE, ColumnType.TIMESTAMP)
        else ColumnType.TEXT
    )


def is_known_type(field: Field) -> bool:
    return field.data_type in BY_DATA_TYPE or field.data_type in COMPUTED_TYPES


def is_zoho_type(data_type: str) -> bool:
    """Whether Zoho has such a type, as far as anybody has met it."""
    return data_type.casefold() in {*BY_DATA_TYPE, *COMPUTED_TYPES, *IN_OWN_TABLE, "address"}


def exclusion_reason(field: Field) -> str | None:
    """Why a field is no column, or None: its values are elsewhere, so nothing is lost."""
    if field.data_type in IN_OWN_TABLE:
        if field.own_table is None:
            return "not copied: lists do not show it, and Zoho names no module that holds its rows"
        return f"its rows are the module {field.own_table}"
    if field.data_type == NO_API_NAME:
        return "Zoho lists it without a name"
    if field.data_type == "address":
        return "its parts are columns of their own"
    return None


def arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The Arrow schema of a table; `id` never holds null, as dlt wants it of a primary key."""
    return pa.schema([pa.field(c.name, c.kind.arrow_type, nullable=c.name != "id") for c in columns])
