"""An organisation in Zoho CRM: its modules, records and people."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from ..clock import Clock
from ..quirks import Quirks
from ..rules import Rules
from ..service import BIGIN, CRM
from . import audit, bigin, deletions
from .account import Account
from .contents import Contents
from .models import ROW_TYPES, Field, Record
from .schema import Schema
from .values import canonical, second


class Org(Schema):
    """An empty CRM, or Bigin: an account, one administrator, a client with a refresh token, no modules."""

    def __init__(
        self,
        rules: Rules | None = None,
        quirks: Quirks | None = None,
        clock: Clock | None = None,
        service: Literal["crm", "bigin"] = "crm",
    ) -> None:
        super().__init__(rules, quirks, clock, BIGIN if service == "bigin" else CRM)
        if self.is_bigin:
            bigin.lower_limits(self)
        self.account = Account(self)
        self.bulk_states = ["ADDED", "QUEUED", "IN PROGRESS", "COMPLETED"]
        """The states that a Bulk Read job goes through, one a poll."""
        self.jobs: dict[str, Any] = {}
        self.audit = audit.AuditLog()
        self.audit_jobs: list[Any] = []
        self.audit_states = ["scheduled", "progress", "finished"]
        """The states that an export of the audit log goes through, one a question."""
        self.audit_host = ""
        """Where its files are said to be, if that is not the API's host."""
        self.contents = Contents()
        """The bytes of files."""
        self.merging: list[tuple[str, str, str]] = []
        """Module, loser and master of merges whose related rows have not moved yet."""
        self.page_tokens: dict[str, Any] = {}
        self.orders: dict[tuple[str, ...], tuple[int, list[Record]]] = {}
        """Sorted lists, kept while the module's version stands."""

    # -- Bigin

    @property
    def is_bigin(self) -> bool:
        return self.place is BIGIN

    def offers(self, route: str) -> bool:
        return not self.is_bigin or bigin.offers(self, route)

    def takes(self, parameter: str) -> bool:
        return not (self.is_bigin and parameter in bigin.PARAMETERS_OF_CRM)

    def price(self, route: str, credits: int) -> int:
        return bigin.PRICES.get(route, credits) if self.is_bigin else credits

    # -- the account, in short

    @property
    def zgid(self) -> str:
        return self.account.zgid

    @property
    def company_name(self) -> str:
        return self.account.company_name

    @property
    def user(self) -> dict[str, Any]:
        return self.account.user

    @property
    def time_zone(self) -> str:
        return str(self.account.user["time_zone"])

    @time_zone.setter
    def time_zone(self, name: str) -> None:
        self.account.set_time_zone(name)

    @property
    def scopes(self) -> set[str]:
        return self.tokens.scopes

    @scopes.setter
    def scopes(self, scopes: set[str]) -> None:
        self.tokens.scopes = set(scopes)

    # -- records

    def records(self, module: str) -> list[Record]:
        """Every live record, converted and unapproved ones too, in the order of their ids."""
        with self.lock:
            return list(self.tables[module].values())

    def record(self, module: str, id: str) -> Record | None:
        return self.tables.get(module, {}).get(id)

    def shown(self, module: str) -> list[Record]:
        """The records as lists, COQL and Bulk Read show them: as they are, or as they were `list_lag_seconds` ago."""
        with self.lock:
            return self.as_of(module, self.clock.now() - timedelta(seconds=self.quirks.list_lag_seconds))

    def counted(self, module: str) -> list[Record]:
        """The records that a count counts: as old as those of lists, or older."""
        seconds = max(self.quirks.count_lag_minutes * 60, self.quirks.list_lag_seconds)
        with self.lock:
            return self.as_of(module, self.clock.now() - timedelta(seconds=seconds))

    def insert(
        self, module: str, values: dict[str, Any], *, modified_time: datetime | None = None, **state: bool
    ) -> str:
        """Add a record and give its id; a list of dicts under a subform's name becomes its rows.

        `state` is `converted` and `approved`.
        """
        with self.lock:
            id = self.new_id()
            now = self.now()
            times = {"Created_Time": modified_time or now, "Modified_Time": modified_time or now}
            record = Record(module, id, {"id": id, **times}, **state)
            flag = record.converted and self.modules[module].field("Converted__s") is not None
            flags = {"Converted__s": True} if flag else {}
            self._fill(record, {**self._defaults(module), **times, **flags, **values})
            self.remember(module, id)
            self.tables[module][id] = record
            self._insert_rows(record, values)
            self.audit.add(self, audit.ADDED, module, id, audited_time=modified_time or now)
            return id

    def edit(self, module: str, id: str, **values: Any) -> None:
        """Change values; Modified_Time becomes now unless it is given."""
        with self.lock:
            record = self.tables[module][id]
            self.remember(module, id)
            before = dict(record.values)
            people = {"Modified_By": self.account.me} if self.modules[module].field("Modified_By") else {}
            self._fill(record, {"Modified_Time": self.now(), **people, **values})
            if self.quirks.rows_touched_by_edit:
                self._touch_rows(record)
            self._insert_rows(record, values)
            parent, name = record.values.get("Parent_Id"), self.modules[module].parent_module
            if self.modules[module].generated_type == "subform" and parent and name:
                # A row is edited by editing its record.
                self.edit(name, parent["id"])
            now = record.values
            changes = {name: (before.get(name), now.get(name)) for name in values if name in now}
            self.audit.add(self, audit.UPDATED, module, id, changes=changes)

    def set_computed(self, module: str, id: str, field: str, value: Any) -> None:
        """Change a formula, a roll-up or the like: the value changes, Modified_Time does not."""
        with self.lock:
            self.remember(module, id)
            record = self.tables[module][id]
            record.values[field] = canonical(self._field(module, field), value)

    def approve(self, module: str, id: str, approved: bool = True) -> None:
        with self.lock:
            self.remember(module, id)
            self.tables[module][id].approved = approved
            self.edit(module, id)

    def delete(self, module: str, id: str, permanent: bool = False) -> None:
        """Delete a record, or empty the recycle bin of one that is deleted already.

        Its subform rows, links, activities, notes and attachments go along. Of a subform or linking module it removes the
        row, as `remove_row` does.
        """
        action = audit.DELETED if id in self.tables[module] else audit.EMPTIED
        with self.lock, self.audit.acting(self, action, module, id):
            deletions.delete(self, module, id, permanent)

    def remove_row(self, module: str, id: str) -> None:
        """Take a row out of a subform, or a link away: its record is edited, and the row cannot be restored."""
        with self.lock:
            deletions.remove_row(self, module, id)

    def restore(self, module: str, id: str) -> None:
        """Restore a record from the recycle bin, with all that was deleted with it; no call reports that."""
        with self.lock:
            with self.audit.acting(self, audit.RESTORED, module):
                deletions.restore(self, module, id)
            self.audit.add(self, audit.RESTORED, module, id)

    def convert(self, id: str, module: str = "Leads", **targets: Any) -> None:
        """Convert a lead; `targets` may set Converted_Account and its like."""
        with self.lock, self.audit.acting(self, audit.CONVERTED, module, id):
            self.remember(module, id)
            record = self.tables[module][id]
            record.converted = True
            names = {"Converted__s": True, "Converted_Date_Time": self.now()}
            known = {name: value for name, value in names.items() if self.modules[module].field(name)}
            self.edit(module, id, **known, **targets)

    def merge(self, module: str, master: str, losers: list[str], background: bool = False) -> None:
        """Merge duplicates into a master: they are deleted, and no call says into which record.

        `background`: their notes and activities move to the master only in `finish_merges`.
        """
        with self.lock, self.audit.acting(self, audit.MERGED, module, *losers):
            deletions.merge(self, module, master, losers, background)

    def finish_merges(self) -> None:
        with self.lock:
            for merged in self.merging:
                deletions.move_related(self, *merged)
            self.merging.clear()

    def display_name(self, module: str, id: str) -> str | None:
        """The name that lookups show, as it is now."""
        record = self.record(module, id)
        name = record.values.get(self.modules[module].display_field or "") if record else None
        return str(name) if name is not None else None

    def tag(self, module: str, name: str) -> dict[str, Any]:
        """The module's tag of that name, made if it is new."""
        for tag in self.modules[module].tags:
            if tag["name"] == name:
                return tag
        tag = {"name": name, "id": self.new_id(), "color_code": None}
        self.modules[module].tags.append(tag)
        return tag

    # -- inside

    def _remove(self, module: str, id: str, kind: str, *, shown: bool = True) -> None:
        """A deletion of either kind, also one that /deleted does not list."""
        deletions.remove(self, module, id, kind, shown=shown)

    def _defaults(self, module: str) -> dict[str, Any]:
        me = self.account.me
        people = dict.fromkeys(("Owner", "Created_By", "Modified_By"), me)
        layout = {
            "id": self.modules[module].layouts[0]["id"],
            "name": self.modules[module].layouts[0]["name"],
        }
        usual: dict[str, Any] = {**people, "Layout": layout}
        return {
            field.api_name: usual.get(field.api_name)
            for field in self.modules[module].fields
            if field.data_type not in ROW_TYPES
            and field.api_name not in ("id", "Created_Time", "Modified_Time")
        }

    def _fill(self, record: Record, values: dict[str, Any]) -> None:
        for name, value in values.items():
            if name in ("Created_Time", "Modified_Time"):
                record.values[name] = second(value)
                continue
            field = self._field(record.module, name)
            if field.data_type in ROW_TYPES:
                continue
            kept = canonical(field, value)
            if name == "Tag" and kept is not None:
                kept = [self.tag(record.module, tag) if isinstance(tag, str) else tag for tag in kept]
            elif isinstance(kept, dict) and kept.get("name", "") is None:
                kept["name"] = self._name_of(field, kept)
            record.values[name] = kept

    def _name_of(self, field: Field, lookup: dict[str, Any]) -> str | None:
        if field.data_type in ("ownerlookup", "userlookup"):
            return self.account.name_of(lookup["id"])
        module = lookup.get("module") or field.lookup_module
        return self.display_name(module, lookup["id"]) if module in self.modules else None

    def _insert_rows(self, record: Record, values: dict[str, Any]) -> None:
        for name, rows in values.items():
            field = self.modules[record.module].field(name)
            if field is None or field.data_type != "subform" or not field.subform_module:
                continue
            for row in rows or ():
                self.insert(field.subform_module, {"Parent_Id": record.id, **row})

    def _touch_rows(self, record: Record) -> None:
        for row in deletions.rows_of(self, record.module, record.id):
            if self.modules[row.module].generated_type == "subform":
                self.remember(row.module, row.id)
                row.values["Modified_Time"] = record.modified
