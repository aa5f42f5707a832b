"""What a column's name stands for in a COQL query or a bulk job: a field of the module, of a parent, or a flag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..exceptions import unmodelled
from .comparison import comparable, kind_of
from .models import USER_TYPES, Field, Module, Record

if TYPE_CHECKING:
    from .org import Org

# Flags of a record. Converted__s is also a field of a module whose records can be converted.
FLAGS: Mapping[str, Callable[[Record], Any]] = {
    "$converted": lambda record: record.converted,
    "Converted__s": lambda record: record.converted,
    "$approved": lambda record: record.approved,
    "$approval_state": lambda record: record.approval_state,
}
APPROVAL = {"$approved": "boolean", "$approval_state": "text"}
USER_COLUMNS = ("id", "first_name", "last_name", "full_name", "email")


class UnknownColumn(Exception):
    """The module, or the parent that the path leads to, has no such field that the user may see."""


class RefusedColumn(Exception):
    """The field is there, but this API does not read its type."""


@dataclass(frozen=True)
class Column:
    """`read` gives the canonical value of a record."""

    path: str
    field: Field
    read: Callable[[Record], Any]

    @property
    def kind(self) -> str:
        return kind_of(self.field.value_type)

    def comparable(self, record: Record) -> Any:
        return comparable(self.kind, self.read(record))


@dataclass(frozen=True)
class Columns:
    """The columns of one module, found by the names that queries use."""

    org: Org
    module: Module
    refuses: Callable[[Module, Field], bool]

    def find(self, path: str) -> Column:
        if path.count(".") > 1:
            unmodelled(f"the path {path!r}: more than one join")
        if "." in path:
            return self._joined(path)
        field = self._field(self.module, path)
        return Column(path, field, FLAGS.get(path, lambda record: record.values.get(path)))

    def find_flag(self, path: str) -> Column:
        """As `find`, but the approval may be a column too, and `$converted` is where records can be converted."""
        if path == self.org.quirks.approval_in_criteria or path == "$converted" and self.module.convertable:
            return Column(path, Field(path, APPROVAL.get(path, "boolean")), FLAGS[path])
        return self.find(path)

    def _field(self, module: Module, name: str) -> Field:
        field = module.field(name)
        if field is None or not field.visible:
            raise UnknownColumn(name)
        if self.refuses(module, field):
            raise RefusedColumn(name)
        return field

    def _joined(self, path: str) -> Column:
        """`Account_Name.Phone`: the parent's value, read through the lookup."""
        lookup_name, _, name = path.partition(".")
        lookup = self._field(self.module, lookup_name)
        if lookup.data_type in USER_TYPES:
            return self._of_user(path, lookup_name, name)
        parent = self.org.modules.get(lookup.lookup_module or "")
        if lookup.data_type != "lookup" or parent is None:
            unmodelled(f"the path {path!r}: a join through a {lookup.data_type}")
        field = self._field(parent, name)

        def read(record: Record) -> Any:
            link = record.values.get(lookup_name)
            row = self.org.record(parent.api_name, link["id"]) if link else None
            return row.values.get(name) if row else None

        return Column(path, field, read)

    def _of_user(self, path: str, lookup_name: str, name: str) -> Column:
        if name not in USER_COLUMNS:
            unmodelled(f"the path {path!r}: of a user only {', '.join(USER_COLUMNS)}")
        users = {user["id"]: user for user in self.org.account.users}

        def read(record: Record) -> Any:
            link = record.values.get(lookup_name)
            return users.get(link["id"], {}).get(name) if link else None

        return Column(path, Field(name, "bigint" if name == "id" else "text"), read)
