"""What Recruit holds: modules with their fields, and records, much as version 2 of the CRM's API shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from ..core.rows import Row, RowService
from ..zoho_crm.clock import Clock
from ..zoho_crm.rules import Rules
from ..zoho_crm.serialization import local
from ..zoho_crm.service import Service
from .quirks import RecruitQuirks

JSON_TYPES = {
    "boolean": "boolean", "integer": "integer", "double": "double", "currency": "double", "decimal": "double",
    "lookup": "jsonobject", "ownerlookup": "jsonobject", "multiselectpicklist": "jsonarray",
}  # fmt: skip


@dataclass
class Field:
    api_name: str
    data_type: str = "text"
    field_label: str = ""
    lookup_module: str | None = None
    pick_list_values: tuple[str, ...] = ()
    custom: bool = False
    id: str = ""


@dataclass
class Module:
    api_name: str
    singular: str
    scope: str
    """Its name in a scope of its own: `ZohoRecruit.modules.candidate.READ`."""
    fields: list[Field] = field(default_factory=list)
    api_supported: bool = True
    permitted: bool = True
    """False: listed as supported, and refused to this user (seen live)."""
    generated_type: str = "default"
    id: str = ""

    def field(self, api_name: str) -> Field | None:
        return next((known for known in self.fields if known.api_name == api_name), None)


@dataclass(frozen=True)
class Deletion:
    row: Row
    name: str
    at: datetime


def system_fields() -> list[Field]:
    return [
        Field("Created_Time", "datetime", "Created Time"),
        Field("Modified_Time", "datetime", "Modified Time"),
        Field("Created_By", "ownerlookup", "Created By"),
        Field("Modified_By", "ownerlookup", "Modified By"),
    ]


def usual_modules() -> list[Module]:
    text = [Field(name) for name in ("First_Name", "Last_Name", "City", "Current_Employer")]
    status = Field("Candidate_Status", "picklist", pick_list_values=("New", "Associated", "Hired; started"))
    return [
        Module("Candidates", "Candidate", "candidate", [
            Field("Candidate_ID", "autonumber"), *text, Field("Email", "email"), Field("Mobile", "phone"),
            Field("Experience_in_Years", "integer"), Field("Expected_Salary", "currency"), status,
            Field("Skill_Set", "textarea"), Field("Skills", "multiselectpicklist"), Field("Email_Opt_Out", "boolean"),
            Field("Date_of_Birth", "date"), Field("Last_Activity_Time", "datetime"),
            Field("Candidate_Owner", "ownerlookup"), Field("Source"), Field("Rating", "double", custom=True),
        ]),
        Module("Clients", "Client", "client", [
            Field("Client_Name"), Field("Website", "website"), Field("Industry", "picklist"), Field("About", "textarea"),
            Field("Contact_Number", "phone"), Field("Account_Manager", "ownerlookup"),
        ]),
        Module("Job_Openings", "Job Opening", "jobopening", [
            Field("Job_Opening_ID", "autonumber"), Field("Posting_Title"), Field("Job_Opening_Status", "picklist"),
            Field("Client_Name", "lookup", lookup_module="Clients"), Field("Job_Description", "textarea"),
            Field("Number_of_Positions", "integer"), Field("Salary", "currency"), Field("Target_Date", "date"),
            Field("Date_Opened", "date"), Field("Remote_Job", "boolean"), Field("Assigned_Recruiter", "ownerlookup"),
        ]),
        Module("Applications", "Application", "application", [
            Field("Application_ID", "autonumber"), Field("Candidate_Name", "lookup", lookup_module="Candidates"),
            Field("Job_Opening_Name", "lookup", lookup_module="Job_Openings"),
            Field("Application_Status", "picklist"), Field("Rating", "integer"), Field("Comments", "textarea"),
        ]),
        Module("Interviews", "Interview", "interview", [
            Field("Interview_Name"), Field("Candidate_Name", "lookup", lookup_module="Candidates"),
            Field("Posting_Title", "lookup", lookup_module="Job_Openings"), Field("Start_DateTime", "datetime"),
            Field("End_DateTime", "datetime"), Field("Interview_Status", "picklist"),
            Field("Interviewers", "multiselectpicklist"), Field("Schedule_Comments", "textarea"),
        ]),
    ]  # fmt: skip


class Recruit(RowService):
    """An empty Recruit with its usual modules; `add_module` adds another."""

    kind = "recruit"
    first_id = 396_000_000_000_000_001
    quirks: RecruitQuirks

    def __init__(
        self,
        rules: Rules | None = None,
        quirks: RecruitQuirks | None = None,
        clock: Clock | None = None,
        account: Service | None = None,
    ) -> None:
        super().__init__(rules, quirks or RecruitQuirks(), clock, account)
        self.modules: dict[str, Module] = {}
        self.deletions: dict[str, list[Deletion]] = {}
        self.unapproved: set[str] = set()
        self.converted: set[str] = set()
        """Ids of records that a list shows only if it is asked for them."""
        for module in usual_modules():
            self.add_module(module)

    def add_module(self, module: Module) -> Module:
        with self.lock:
            module.id = module.id or self.new_id()
            module.fields = [*module.fields, *system_fields()]
            for known in module.fields:
                known.id = known.id or self.new_id()
                known.field_label = known.field_label or known.api_name.replace("_", " ")
            self.modules[module.api_name] = module
            self.tables[module.api_name] = {}
            self.deletions[module.api_name] = []
        return module

    def add_field(self, module: str, new: Field) -> None:
        """Existing records get no value, and keep their Modified_Time."""
        with self.lock:
            new.id, new.custom = new.id or self.new_id(), True
            new.field_label = new.field_label or new.api_name.replace("_", " ")
            self.modules[module].fields.append(new)
            for row in self.tables[module].values():
                row.values[new.api_name] = None

    def delete(self, kind: str, id: str) -> None:
        """Into the recycle bin, which the list of deletions tells."""
        with self.lock:
            row = self.tables[kind][id]
            self.deletions[kind].append(Deletion(row, self.name_of(row), self.now()))
            super().delete(kind, id)

    def restore(self, kind: str, id: str) -> None:
        """Out of the recycle bin, as it was: its Modified_Time stays, and no call tells of it."""
        with self.lock:
            (found,) = [gone for gone in self.deletions[kind] if gone.row.id == id]
            self.deletions[kind].remove(found)
            self.tables[kind][id] = found.row

    def lookup(self, module: str, id: str) -> dict[str, str]:
        """A look-up field's value: the id, and the name that the record has now."""
        return {"name": self.name_of(self.tables[module][id]), "id": id}

    def name_of(self, row: Row) -> str:
        names = ("Last_Name", "Client_Name", "Posting_Title", "Interview_Name")
        return next((str(row.values[name]) for name in names if row.values.get(name)), "")

    def scope_words(self, module: str) -> tuple[str, ...]:
        known = self.modules.get(module)
        return (known.scope,) if known else ()

    def defaults(self, kind: str) -> dict[str, Any]:
        me = {"name": self.user["full_name"], "id": str(self.first_id)}
        return {
            known.api_name: me if known.data_type == "ownerlookup" else None
            for known in self.modules[kind].fields
            if known.api_name not in ("Created_Time", "Modified_Time")
        }

    def whole(self, row: Row) -> dict[str, Any]:
        values = {**row.values, "Created_Time": row.created, "Modified_Time": row.modified}
        return {"id": row.id, **{name: self._shown(value) for name, value in values.items()}}

    def listed(self, row: Row) -> dict[str, Any]:
        return {
            **self.whole(row), "$approved": row.id not in self.unapproved, "$editable": True, "$currency_symbol": "$",
            "$converted": row.id in self.converted,
        }  # fmt: skip

    def _shown(self, value: Any) -> Any:
        """Times as `2026-03-02T14:30:00+05:30`, in the zone of the API user."""
        if isinstance(value, datetime):
            return local(value.replace(microsecond=0), self.time_zone)
        return value.isoformat() if isinstance(value, date) else value
