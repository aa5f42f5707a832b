"""The rules by which people change the CRM between two runs."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import note
from hypothesis import strategies as st

from simulators.zoho_crm import Field

from .company import FIXED, PICKS, PLAIN
from .steps import DATA, Steps, need, step
from .world import COMPUTED, Key, World

PICK = st.integers(0, 999)  # which of those that are there; the note says which it was
LATE = st.sampled_from([0, 0, 0, 1, 300, 540])  # seconds between a Modified_Time and its appearance

TEXTS = st.one_of(
    st.sampled_from(
        ["", "007", " blank ", 'a "b", c;\nd', "NULL", "null", "nan", "None", "-None-", "0", "\\"]
    ),
    st.text("aé漢🦊 ,;\"'\n\t%_$\\", max_size=12),
    st.sampled_from([499, 500, 501, 1_200]).map(lambda length: "long " * (length // 5) + "x" * (length % 5)),
)
MOMENTS = st.integers(86_400, 2**31 - 1).map(lambda seconds: datetime.fromtimestamp(seconds, timezone.utc))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS,
    "textarea": TEXTS,
    "phone": st.sampled_from(["0049", "+1 (2) 3", "7"]),
    "picklist": st.sampled_from(PICKS),
    "multiselectpicklist": st.lists(st.sampled_from(PICKS), unique=True, max_size=3),
    "currency": st.decimals(-(10**12), 10**12, places=9, allow_nan=False) | st.just(Decimal(0)),
    "double": st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 6)) | st.just(0.0),
    "integer": st.integers(-999_999_999, 999_999_999),
    "boolean": st.booleans(),
    "date": st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    "datetime": MOMENTS,
}
NEW_TYPES = ("text", "integer", "currency", "boolean", "date", "datetime", "multiselectpicklist", "formula")
RETYPED = {"text": "integer", "integer": "text", "double": "text", "date": "text", "phone": "text"}


class Changes(Steps):
    """What people do; `self.world` is their CRM."""

    world: World
    fields_made = 0

    # -- records

    @step(6, module=st.sampled_from(PLAIN), data=DATA, late=LATE, count=st.sampled_from([1, 1, 1, 3]))
    def insert(self, module: str, data: Any, late: int, count: int) -> None:
        """Several in one second; one that is late has a Modified_Time that the last run was past already."""
        at = self.world.now() - timedelta(seconds=late)
        need(module in self.world.org.modules)
        with self.world.changing():
            for _ in range(count):
                rows = {"Lines": [{"Title": "first line"}]} if module == "Quotes" else {}
                id = self.world.org.insert(
                    module, {**self._values(module, data), **rows}, modified_time=at if late else None
                )
                note(f"inserted {module} {id}")

    @step(7, pick=PICK, data=DATA, late=LATE)
    def edit(self, pick: int, data: Any, late: int) -> None:
        module, id = self._one(self.world.ids(*PLAIN, "Quote_Lines", "Visits_X_Accounts", "Notes"), pick)
        record = self.world.org.record(module, id)
        assert record is not None
        at = max(record.modified, self.world.now() - timedelta(seconds=late))
        with self.world.changing():
            self.world.org.edit(module, id, **self._values(module, data, few=True), Modified_Time=at)
        note(f"edited {module} {id}")

    @step(5, pick=PICK, permanent=st.booleans())
    def delete(self, pick: int, permanent: bool) -> None:
        module, id = self._one(self.world.ids(*PLAIN), pick)
        with self.world.changing():
            self.world.org.delete(module, id, permanent=permanent)
        note(f"deleted {module} {id}")

    @step(1, pick=PICK)
    def empty_bin(self, pick: int) -> None:
        module, id = self._one(self.world.bin(), pick)
        with self.world.changing():
            self.world.org.delete(module, id)
        note(f"deleted for good {module} {id}")

    @step(3, pick=PICK)
    def restore(self, pick: int) -> None:
        module, id = self._one(self.world.bin(), pick)
        with self.world.changing("restored"):
            self.world.org.restore(module, id)
        note(f"restored {module} {id}")

    @step(3, pick=PICK, data=DATA, edited=st.booleans())
    def delete_and_restore(self, pick: int, data: Any, edited: bool) -> None:
        module, id = self._one(self.world.ids(*PLAIN), pick)
        with self.world.changing():
            self.world.org.delete(module, id)
        with self.world.changing("restored"):
            self.world.org.restore(module, id)
        if edited:
            with self.world.changing():
                self.world.org.edit(module, id, **self._values(module, data, few=True))
        note(f"deleted and restored {module} {id}")

    @step(2, pick=PICK, account=PICK)
    def convert(self, pick: int, account: int) -> None:
        leads = [key for key in self.world.ids("Leads") if not self.world.org.record(*key).converted]  # type: ignore[union-attr]
        _, id = self._one(leads, pick)
        accounts = self.world.ids("Accounts")
        targets = {"Converted_Account": accounts[account % len(accounts)][1]} if accounts else {}
        with self.world.changing():
            self.world.org.convert(id, **targets)
        note(f"converted Leads {id}")

    @step(3, module=st.sampled_from(["Leads", "Accounts", "Visits"]), pick=PICK, other=PICK, data=DATA)
    def merge(self, module: str, pick: int, other: int, data: Any) -> None:
        ids = self.world.ids(module)
        need(len(ids) > 1)
        _, master = self._one(ids, pick)
        _, loser = self._one([key for key in ids if key[1] != master], other)
        named, notes = self.world.org.quirks.merged_shown_as, self.world.org.quirks.merge_moves_notes
        with self.world.changing("unseen" if named is None or notes == "silently" else "seen"):
            self.world.org.merge(module, master, [loser])
        if named is not None:
            self.world.unnamed.pop((module, loser), None)
        with self.world.changing():
            self.world.org.edit(module, master, **self._values(module, data, few=True))
        note(f"merged {module} {loser} into {master}")

    @step(1, pick=PICK, approved=st.booleans())
    def approve(self, pick: int, approved: bool) -> None:
        module, id = self._one(self.world.ids("Leads", "Accounts", "Visits", "Quotes"), pick)
        with self.world.changing():
            self.world.org.approve(module, id, approved)
        note(f"approved={approved} {module} {id}")

    @step(1, pick=PICK, data=DATA)
    def tag(self, pick: int, data: Any) -> None:
        module, id = self._one(self.world.ids("Leads", "Accounts", "Visits", "Quotes"), pick)
        tags = data.draw(st.lists(st.sampled_from(["vip", "a, b", "old; new"]), unique=True, max_size=2))
        with self.world.changing():
            self.world.org.edit(module, id, Tag=tags)
        note(f"tagged {module} {id}")

    # -- what hangs on records

    @step(3, pick=PICK, data=DATA, count=st.integers(1, 3))
    def add_lines(self, pick: int, data: Any, count: int) -> None:
        module, id = self._one(self.world.ids("Quotes"), pick)
        rows = [self._values("Quote_Lines", data, few=True) for _ in range(count)]
        with self.world.changing():
            self.world.org.edit(module, id, Lines=rows)
        note(f"added {count} lines to {module} {id}")

    @step(2, pick=PICK)
    def remove_line(self, pick: int) -> None:
        module, id = self._one(self.world.ids("Quote_Lines"), pick)
        with self.world.changing():
            self.world.org.remove_row(module, id)
        note(f"removed {module} {id}")

    @step(3, visit=PICK, account=PICK, data=DATA)
    def link(self, visit: int, account: int, data: Any) -> None:
        ends = (
            self._one(self.world.ids("Visits"), visit)[1],
            self._one(self.world.ids("Accounts"), account)[1],
        )
        values = {**self._values("Visits_X_Accounts", data, few=True), "Visit": ends[0], "Account": ends[1]}
        with self.world.changing():
            id = self.world.org.insert("Visits_X_Accounts", values)
        note(f"linked {id}: {ends}")

    @step(2, pick=PICK)
    def unlink(self, pick: int) -> None:
        module, id = self._one(self.world.ids("Visits_X_Accounts"), pick)
        quirks = self.world.org.quirks
        traced = quirks.unlinking_touches_record or quirks.subform_rows_in_deleted
        with self.world.changing("seen" if traced else "unseen"):
            self.world.org.remove_row(module, id)
        note(f"unlinked {id}")

    @step(3, pick=PICK, data=DATA)
    def write_note(self, pick: int, data: Any) -> None:
        module, id = self._one(self.world.ids("Leads", "Accounts", "Visits", "Quotes"), pick)
        parent = {"id": id, "module": module, "name": None}
        with self.world.changing():
            made = self.world.org.insert(
                "Notes", {**self._values("Notes", data, few=True), "Parent_Id": parent}
            )
        note(f"wrote note {made} on {module} {id}")

    @step(1, pick=PICK)
    def delete_note(self, pick: int) -> None:
        module, id = self._one(self.world.ids("Notes"), pick)
        traced = self.world.org.quirks.deleted_of_notes == "offered"
        with self.world.changing("seen" if traced else "unseen"):
            self.world.org.delete(module, id)
        note(f"deleted {module} {id}")

    # -- what Modified_Time never shows

    @step(3, pick=PICK, data=DATA)
    def set_computed(self, pick: int, data: Any) -> None:
        fields = self.world.fields(lambda field: field.data_type in COMPUTED)
        places = [(module, id, f) for module, f in fields for _, id in self.world.ids(module)]
        need(places)
        module, id, field = places[pick % len(places)]
        value = data.draw(VALUES[field.value_type])
        with self.world.changing("computed"):
            self.world.org.set_computed(module, id, field.api_name, value)
        note(f"computed {module} {id} {field.api_name} = {value!r}")

    @step(1, pick=PICK, old=st.sampled_from(PICKS), rewrite=st.booleans())
    def rename_picklist_value(self, pick: int, old: str, rewrite: bool) -> None:
        fields = self.world.fields(lambda f: f.data_type in ("picklist", "multiselectpicklist"))
        need(fields)
        module, field = fields[pick % len(fields)]
        names = [value.display_value for value in field.picklist]
        need(old in names and f"{old} now" not in names)
        with self.world.changing("unseen"):
            self.world.org.rename_picklist_value(module, field.api_name, old, f"{old} now", rewrite=rewrite)
        note(f"renamed {old!r} of {module} {field.api_name}")

    # -- fields and modules

    @step(1, module=st.sampled_from([*PLAIN, "Quote_Lines"]), kind=st.sampled_from(NEW_TYPES), data=DATA)
    def add_field(self, module: str, kind: str, data: Any) -> None:
        name = f"Extra_{self.fields_made}"
        self.fields_made += 1
        more = {"return_type": "double"} if kind == "formula" else {}
        more |= {"pick_list_values": PICKS} if "picklist" in kind else {}
        field = Field(name, kind, custom=True, **more)  # type: ignore[arg-type]
        value = data.draw(st.none() | VALUES[field.value_type])
        with self.world.changing("reshaped"):
            self.world.org.add_field(module, field, value=value)
        note(f"added the field {module} {name}, {kind}, with {value!r}")

    @step(1, pick=PICK)
    def drop_field(self, pick: int) -> None:
        fields = self.world.fields(lambda field: field.api_name not in FIXED)
        module, field = fields[pick % len(fields)]
        with self.world.changing("reshaped"):
            self.world.org.drop_field(module, field.api_name)
        note(f"dropped the field {module} {field.api_name}")

    @step(1, pick=PICK, kept=st.booleans())
    def retype_field(self, pick: int, kept: bool) -> None:
        fields = self.world.fields(lambda f: f.data_type in RETYPED and f.api_name not in FIXED)
        need(fields)
        module, field = fields[pick % len(fields)]
        new = RETYPED[field.data_type]
        convert = str if new == "text" else lambda text: len(text)
        with self.world.changing("reshaped"):
            self.world.org.retype_field(module, field.api_name, new, convert if kept else None)
        note(f"made the field {module} {field.api_name} {new}")

    # -- time

    @step(5, seconds=st.sampled_from([1, 1, 59, 299, 540, 599, 600, 601, 3_700]))
    def wait(self, seconds: int) -> None:
        self.world.org.clock.advance(seconds=seconds)

    @step(2, hours=st.sampled_from([5, 23, 24, 25, 49, 167, 169, 240]))
    def wait_long(self, hours: int) -> None:
        self.world.org.clock.advance(hours=hours)

    # -- inside

    def _one(self, keys: list[Key], pick: int) -> Key:
        need(keys)
        return keys[pick % len(keys)]

    def _values(self, module: str, data: Any, few: bool = False) -> dict[str, Any]:
        """Values of one field or of most; null among them."""
        fields = [f for f in self.world.org.modules[module].fields if not f.system and f.data_type in VALUES]
        fields = [f for f in fields if not f.api_name.startswith("Answer_") or f.api_name.endswith("4")]
        if few:
            fields = [fields[data.draw(st.integers(0, len(fields) - 1))]]
        drawn = {f.api_name: data.draw(st.none() | VALUES[f.data_type]) for f in fields}
        return drawn | {
            f.api_name: ids[data.draw(PICK) % len(ids)][1]
            for f in self.world.org.modules[module].fields
            if not f.system and f.data_type == "lookup" and not few
            if f.lookup_module and (ids := self.world.ids(f.lookup_module))
        }
