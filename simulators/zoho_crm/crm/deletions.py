"""How records are deleted and restored: what is deleted with them, and which calls list it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .models import Deletion, Module, Record

if TYPE_CHECKING:
    from .org import Org

ROW_MODULES = ("subform", "linking")
NOTES = ("Notes", "Attachments")
ACTIVITIES = ("Tasks", "Events", "Calls")


def delete(org: Org, module: str, id: str, permanent: bool) -> None:
    """Delete a live record, or remove one from the recycle bin with all that was deleted with it."""
    if id in org.tables[module]:
        if org.modules[module].generated_type in ROW_MODULES:
            remove_row(org, module, id)
        else:
            remove(org, module, id, "permanent" if permanent else "recycle")
        return
    found = deletion_of(org, module, id)
    for gone in (found, *went_with(org, found)):
        emptied = replace(gone, display_name=None, kind="permanent", emptied=org.now())
        swap(org, gone, emptied)


def remove(org: Org, module: str, id: str, kind: str, *, shown: bool = True) -> None:
    name, record, now = org.display_name(module, id), org.tables[module][id], org.now()
    rows = children(org, module, id)
    links = histories(org, module, id) if org.quirks.history_loses_record else ()
    for history, field, _ in links:
        org.remember(history.module, history.id)
        history.values[field] = None
    for row in (*rows, record):
        org.remember(row.module, row.id)
        del org.tables[row.module][row.id]
    by = org.account.me
    for row in rows:
        in_feed, in_bin = told_of(org, row.module)
        title = None if kind == "permanent" else name_of(org, row)
        enter(org, Deletion(row, title, kind, now, by, shown=in_feed, binned=in_bin, parent=id))
    title = name if kind == "recycle" else None
    enter(org, Deletion(record, title, kind, now, by, rows, links, shown))


def remove_row(org: Org, module: str, id: str) -> None:
    """Delete a row of a subform, or a link: its record is edited, and the row cannot be restored."""
    record = org.tables[module][id]
    org.remember(module, id)
    del org.tables[module][id]
    shown, _ = told_of(org, module)
    by = org.account.me
    enter(org, Deletion(record, None, "permanent", org.now(), by, shown=shown, binned=False))
    for owner, owner_id in owners(org, org.modules[module], record):
        org.edit(owner, owner_id)


def restore(org: Org, module: str, id: str) -> None:
    found = deletion_of(org, module, id)
    if found.parent is not None:
        raise ValueError(f"{module} {id} went with its record and comes back with it")
    if found.kind != "recycle" or in_bin_until(org, found) <= org.now():
        raise ValueError(f"{module} {id} is deleted for good")
    back = (found, *went_with(org, found))
    for gone in back:
        record = gone.record
        org.remember(record.module, record.id)
        org.tables[record.module][record.id] = record
        swap(org, gone, replace(gone, restored=True) if org.quirks.deleted_keeps_restored else None)
    for name in {gone.record.module for gone in back}:
        org.tables[name] = dict(sorted(org.tables[name].items()))
    for history, field, value in found.links:
        if org.record(history.module, history.id) is history:
            org.remember(history.module, history.id)
            history.values[field] = value
    if org.quirks.restore_moves_modified_time:
        found.record.values["Modified_Time"] = org.now()


def merge(org: Org, module: str, master: str, losers: list[str], background: bool = False) -> None:
    shown = org.quirks.merged_shown_as
    if background:
        org.merging += [(module, loser, master) for loser in losers]
    for loser in losers:
        if org.quirks.merge_moves_notes != "lost" and not background:
            move_related(org, module, loser, master)
        remove(org, module, loser, shown or "permanent", shown=shown is not None)
    org.edit(module, master)


def move_related(org: Org, module: str, loser: str, master: str) -> None:
    """Move the notes, attachments and activities of a merged record to the master."""
    there = {"id": master, "name": org.display_name(module, master)}
    for row in (*notes_of(org, loser), *activities_of(org, loser)):
        org.remember(row.module, row.id)
        for name in ("Parent_Id", "What_Id", "Who_Id"):
            if points_at(row, name, loser):
                typed = "module" in row.values[name]
                row.values[name] = {**there, "module": module} if typed else there
        if org.quirks.merge_moves_notes != "silently":
            row.values["Modified_Time"] = org.now()


# -- what belongs to a record


def children(org: Org, module: str, id: str) -> tuple[Record, ...]:
    """What is deleted with a record: rows of its subforms, its links, its activities, the notes of all, and their files."""
    found = list(rows_of(org, module, id))
    if any(id == loser for _, loser, _ in org.merging):  # the rest moves later
        return tuple(found)
    activities = list(activities_of(org, id)) if org.quirks.activities_go_with_record else []
    found += activities
    if org.quirks.notes_go_with_record:
        parents = (id, *(activity.id for activity in activities))
        notes = [note for parent in parents for note in notes_of(org, parent)]
        files = [file for note in notes for file in notes_of(org, note.id)]
        found += [*notes, *files]
    return tuple(found)


def rows_of(org: Org, module: str, id: str) -> Iterator[Record]:
    for other in org.modules.values():
        if other.generated_type not in ROW_MODULES:
            continue
        subform = other.generated_type == "subform"
        names = [
            field.api_name
            for field in other.fields
            if field.lookup_module == module and (field.api_name == "Parent_Id" or not subform)
        ]
        for record in org.tables[other.api_name].values() if names else ():
            if any(points_at(record, name, id) for name in names):
                yield record


def notes_of(org: Org, id: str) -> Iterator[Record]:
    for name in NOTES:
        for record in org.tables.get(name, {}).values():
            if points_at(record, "Parent_Id", id):
                yield record


def activities_of(org: Org, id: str) -> Iterator[Record]:
    for name in ACTIVITIES:
        for record in org.tables.get(name, {}).values():
            if points_at(record, "What_Id", id) or points_at(record, "Who_Id", id):
                yield record


def histories(org: Org, module: str, id: str) -> tuple[tuple[Record, str, dict[str, str]], ...]:
    """The rows of histories that name the record, with the field and the value that is removed."""
    found = []
    for other in org.modules.values():
        if other.generated_type != "field_tracker":
            continue
        names = [field.api_name for field in other.fields if field.lookup_module == module]
        for record in org.tables[other.api_name].values():
            found += [(record, name, record.values[name]) for name in names if points_at(record, name, id)]
    return tuple(found)


def points_at(record: Record, name: str, id: str) -> bool:
    link = record.values.get(name)
    return link is not None and link["id"] == id


def owners(org: Org, module: Module, row: Record) -> Iterator[tuple[str, str]]:
    """The live records that an edit of this row is an edit of."""
    if module.generated_type == "subform":
        pointers = [(module.parent_module, "Parent_Id")]
    elif org.quirks.unlinking_touches_record:
        pointers = [
            (other.api_name, field.linking_field or first_pointer(module, other.api_name))
            for other in org.modules.values()
            for field in other.fields
            if field.linking_module == module.api_name
        ]
    else:
        pointers = []
    for name, pointer in pointers:
        link = row.values.get(pointer)
        if name and link and org.record(name, link["id"]):
            yield name, link["id"]


def first_pointer(module: Module, target: str) -> str:
    return next((field.api_name for field in module.fields if field.lookup_module == target), "")


# -- which calls list a deletion


def told_of(org: Org, module: str) -> tuple[bool, bool]:
    """Whether /deleted of this module and the recycle bin list what was deleted with its record."""
    quirks = org.quirks
    if module in NOTES:
        return quirks.notes_in_deleted, quirks.notes_in_recycle_bin
    if module in ACTIVITIES:
        return quirks.activities_in_deleted, True
    return quirks.subform_rows_in_deleted, False


def name_of(org: Org, record: Record) -> str | None:
    name = record.values.get(org.modules[record.module].display_field or "")
    return None if name is None else str(name)


def deletion_of(org: Org, module: str, id: str) -> Deletion:
    for gone in org.deletions[module]:
        if gone.record.id == id and not gone.restored:
            return gone
    raise KeyError(f"{module} {id} is neither live nor deleted")


def went_with(org: Org, found: Deletion) -> list[Deletion]:
    """The deletions that belong to it, except those of dropped modules and those removed from the bin."""
    rows = [row for row in found.rows if row.module in org.modules]
    entries = [deletion_of(org, row.module, row.id) for row in rows]
    return [gone for gone in entries if gone.kind == found.kind]


def enter(org: Org, gone: Deletion) -> None:
    """List a deletion, in place of an earlier one of a record that was restored."""
    listed = org.deletions[gone.record.module]
    listed[:] = [held for held in listed if held.record.id != gone.record.id]
    listed.append(gone)


def swap(org: Org, gone: Deletion, other: Deletion | None) -> None:
    listed = org.deletions[gone.record.module]
    at = next(place for place, held in enumerate(listed) if held is gone)
    listed[at : at + 1] = [other] if other else []


def in_bin_until(org: Org, gone: Deletion) -> datetime:
    return gone.deleted_time + timedelta(days=org.rules.recycle_bin_days)


def in_bin(org: Org, gone: Deletion) -> bool:
    return gone.kind == "recycle" and not gone.restored and org.now() < in_bin_until(org, gone)


def listed_as(org: Org, gone: Deletion) -> tuple[str, datetime] | None:
    """The type and the time under which /deleted lists it now; None: it does not."""
    now, kind, at = org.now(), gone.kind, gone.deleted_time
    purged = gone.emptied
    if kind == "recycle" and now >= in_bin_until(org, gone):  # sixty days in the bin: deleted permanently
        if gone.restored or not org.quirks.purged_shown:
            return None
        kind, purged = "permanent", in_bin_until(org, gone)
    if purged is not None and org.quirks.purged_time == "purged":
        at = purged
    days = org.rules.recycle_bin_days if kind == "recycle" else org.rules.permanent_deletion_days
    return (kind, at) if gone.shown and now < at + timedelta(days=days) else None
