"""The schema of an org: its modules and fields, and how they change between calls."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ..clock import Clock
from ..exceptions import Refusal
from ..quirks import Quirks
from ..rules import Rules
from ..service import CRM, Place, Service
from .models import ROW_TYPES, Deletion, Field, Module, PickListValue, Record, system_fields
from .values import canonical

FIRST_ID = 5_725_767_000_000_100_001
MEMORY = timedelta(hours=1)  # more than anything that lags


class Schema(Service):
    """Modules with their tables; an `Org` is one with people, records and time."""

    def __init__(
        self,
        rules: Rules | None = None,
        quirks: Quirks | None = None,
        clock: Clock | None = None,
        place: Place = CRM,
    ) -> None:
        super().__init__(rules, quirks, clock, place=place)
        self._next_id = FIRST_ID
        self.tables: dict[str, dict[str, Record]] = {}
        self.modules: dict[str, Module] = {}
        self.deletions: dict[str, list[Deletion]] = {}
        self.versions: dict[str, int] = {}
        """Counts the changes of each module, so that an order once sorted can be kept."""
        self.past: dict[str, deque[tuple[datetime, str, Record | None]]] = {}
        """(time, id, the record as it was before, None if it was not there), for lists and counts that lag."""
        self._met: dict[str, tuple[datetime, set[str]]] = {}
        """(time, the ids whose earlier state of this second is kept)."""

    def error(self, refusal: Refusal) -> tuple[int, Any]:
        """Zoho's error, in one of the three shapes that were seen."""
        status, error = super().error(refusal)
        shapes: dict[str, Any] = {"object": error, "data": {"data": [error]}, "list": [error]}
        return status, shapes[self.quirks.error_shape]

    def new_id(self) -> str:
        with self.lock:
            self._next_id += 1
            return str(self._next_id)

    def add_module(self, module: Module) -> Module:
        """Register the module and add the system fields that Zoho has."""
        with self.lock:
            if module.api_name in self.modules:
                raise ValueError(f"{module.api_name} is there already")
            module.fields = system_fields(module) + module.fields
            for field in module.fields:
                field.id = field.id or self.new_id()
            module.id = module.id or self.new_id()
            if not module.layouts:
                module.layouts = [{"id": self.new_id(), "name": "Standard", "status": "active"}]
            module.display_field = module.display_field or _usual_display_field(module)
            module.changed()
            self.modules[module.api_name] = module
            self.tables[module.api_name] = {}
            self.deletions[module.api_name] = []
            self.past[module.api_name] = deque()
            self.versions[module.api_name] = 0
            return module

    def drop_module(self, module: str) -> None:
        with self.lock:
            for shelf in (self.modules, self.tables, self.deletions, self.past, self.versions):
                shelf.pop(module)

    def add_field(self, module: str, field: Field, *, value: Any = None) -> None:
        """Existing records get the value, and their Modified_Time stays, as in Zoho."""
        with self.lock:
            field.id = field.id or self.new_id()
            self.modules[module].fields.append(field)
            if field.data_type not in ROW_TYPES:
                for record in self._held(module):
                    record.values[field.api_name] = canonical(field, value)
            self.fields_changed(module)

    def drop_field(self, module: str, api_name: str) -> None:
        with self.lock:
            self.modules[module].fields.remove(self._field(module, api_name))
            for record in self._held(module):
                record.values.pop(api_name, None)
            self.fields_changed(module)

    def retype_field(self, module: str, api_name: str, data_type: str, convert: Any = None) -> None:
        """Give the field another type; `convert` turns the old values (default: they become empty)."""
        with self.lock:
            field = self._field(module, api_name)
            field.data_type, field.json_type = data_type, ""
            field.__post_init__()
            for record in self._held(module):
                old = record.values.get(api_name)
                new = None if convert is None or old is None else convert(old)
                record.values[api_name] = canonical(field, new)
            self.fields_changed(module)

    def rename_picklist_value(
        self, module: str, api_name: str, old: str, new: str, *, rewrite: bool = True
    ) -> None:
        """Zoho does not say whether stored records follow: `rewrite` does it, without a modified time."""
        with self.lock:
            field = self._field(module, api_name)
            field.pick_list_values = [
                PickListValue(new, new if rewrite else value.actual_value, value.used)
                if value.display_value == old
                else value
                for value in field.picklist
            ]
            for record in self._held(module) if rewrite else ():
                held = record.values.get(api_name)
                if isinstance(held, list):
                    record.values[api_name] = [new if item == old else item for item in held]
                elif held == old:
                    record.values[api_name] = new
            self.fields_changed(module)

    def _held(self, module: str) -> list[Record]:
        """The records that have the module's fields: live ones, and deleted ones that may come back."""
        deleted = [gone.record for gone in self.deletions[module] if not gone.restored]
        return [*self.tables[module].values(), *deleted]

    def _field(self, module: str, api_name: str) -> Field:
        field = self.modules[module].field(api_name)
        if field is None:
            raise KeyError(f"{module} has no field {api_name}")
        return field

    def fields_changed(self, module: str) -> None:
        """New fields show at once, also where lists lag: no older state of a record is shown with them."""
        self.modules[module].changed()
        self.modules[module].modified_time = self.now()
        self.past[module].clear()
        self._met.pop(module, None)
        self._changed(module)

    def remember(self, module: str, id: str) -> None:
        """Keep the record as it is, before it changes, comes or goes; once a second is enough."""
        held, past, now = self.tables[module].get(id), self.past[module], self.now()
        if self._met.get(module, (None, ()))[0] != now:
            self._met[module] = (now, set())
        if id not in (met := self._met[module][1]):
            met.add(id)
            past.append((now, id, replace(held, values=dict(held.values)) if held else None))
        while past and past[0][0] < now - MEMORY:
            past.popleft()
        self._changed(module)

    def _changed(self, module: str) -> None:
        self.versions[module] += 1

    def as_of(self, module: str, then: datetime) -> list[Record]:
        """The records as they were at that time, in the order of their ids; no more than an hour back."""
        held = self.tables[module]
        if not self.past[module] or self.past[module][-1][0] <= then:
            return list(held.values())
        held = dict(held)
        for at, id, before in reversed(self.past[module]):
            if at <= then:
                break
            if before is None:
                held.pop(id, None)
            else:
                held[id] = before
        return [held[id] for id in sorted(held)]


def _usual_display_field(module: Module) -> str | None:
    texts = [f.api_name for f in module.fields if f.data_type in ("text", "autonumber") and not f.system]
    names = [name for name in ("Full_Name", "Name", "Subject") if name in texts]
    return (names or texts or [None])[0]
