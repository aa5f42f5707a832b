"""The audit log: what users did, an entry each. The words of an action are the simulator's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .org import Org

ADDED, UPDATED, DELETED, RESTORED = "Added", "Updated", "Deleted", "Restored"
CONVERTED, MERGED, EMPTIED = "Converted", "Merged", "Deleted from Recycle Bin"


@dataclass(frozen=True)
class Entry:
    """One thing that a user did. What a merged record was merged into is not told."""

    audited_time: datetime
    done_by: dict[str, str]
    action: str
    module: str
    record_id: str
    record_name: str | None
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """Of an edit: the old and the new value of each field."""


class AuditLog:
    """Entries in the order in which they came; what an action does besides has none of its own."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._within = False

    @contextmanager
    def acting(self, org: Org, action: str, module: str, *ids: str, **more: Any) -> Iterator[None]:
        """Around an action on records that are there, with the names that they have before it."""
        names = {id: org.display_name(module, id) for id in ids}
        outer, self._within = self._within, True
        try:
            yield
        finally:
            self._within = outer
        for id, name in names.items():
            self.add(org, action, module, id, record_name=name, **more)

    def add(self, org: Org, action: str, module: str, id: str, **more: Any) -> None:
        """Rows of subforms and links are parts of records, and have no entries. `more` are keys of the entry."""
        if self._within or org.modules[module].generated_type in ("subform", "linking", "field_tracker"):
            return
        known = {"audited_time": org.now(), "record_name": org.display_name(module, id), **more}
        self.entries.append(
            Entry(done_by=org.account.me, action=action, module=module, record_id=id, **known)
        )
