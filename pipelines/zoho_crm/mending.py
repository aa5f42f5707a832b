"""Puts right what a comparison of every id has found: rows that are missing, stale, gone, or of other values."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sources.zoho_crm.client import ZohoClient
from sources.zoho_crm.deleted import Deletion
from sources.zoho_crm.differences import Differences, compare, held_columns
from sources.zoho_crm.errors import ReadFailed
from sources.zoho_crm.patching import patched
from sources.zoho_crm.plan import Plan, Wish
from sources.zoho_crm.reading import Reading, must_be_read
from sources.zoho_crm.sweep import SOME, fetch, whole

from .loading import Landing

UNTRACED = "untraced"  # the type of a deletion that Zoho's feed did not name

# More rows than these may not be seen because somebody took a permission from the token's user.
MANY, SHARE = 1_000, 5


class TooManyGone(ReadFailed):
    """Zoho no longer shows so many records that losing a permission is likelier than deleting them."""


@dataclass(frozen=True)
class Mending:
    """The destination's rows of one module after another, as compared and as put right."""

    landing: Landing
    client: ZohoClient
    wish: Wish

    def compared(self, thin: Reading, plan: Plan) -> tuple[Differences, Path]:
        """What differs between a narrow reading and the destination, and the file of the latter's rows."""
        spooled = must_be_read(thin)
        there = self.landing.held.tables().get(plan.table, frozenset())
        wanted = held_columns(spooled, plan.columns)
        held = self.landing.held.read(plan.table, [name for name in wanted if name in there])
        return compare(spooled, held, plan.columns, self.landing.folder), held

    def mend(
        self, reading: Reading, plan: Plan, wanted: Collection[str], gone: Iterable[str]
    ) -> Reading | None:
        """Bring the rows that the table lacks and take away those that are gone; None if there is nothing.

        If the rows cost too much by id, the whole module is read: then `plan.whole` of what is returned.
        """
        now = plan.until or self.client.now()
        going = dict.fromkeys(gone, now)
        if not wanted and not going:
            return None
        rows = self.landing.held.count([plan.table]).get(plan.table)
        instead = whole(plan, rows, self.wish)
        brought = fetch(self.client, plan, wanted, self.landing.folder, instead)
        known = {deletion.id for deletion in reading.deletions}
        brought.gone = going
        if brought.plan is not None and not brought.plan.whole:  # rows that pass their filters no more
            brought.gone = {**dict.fromkeys(brought.notes.outside, now), **going}
        brought.deletions = tuple(
            Deletion(id, None, UNTRACED, now, None) for id in going if id not in known and is_record(plan)
        )
        self.land(reading, brought)
        return brought

    def patch(self, reading: Reading, plan: Plan, thin: Reading, found: Differences) -> None:
        """Put the new values of single columns into the destination's own rows."""
        if found.patches is None:
            return
        ids = pq.read_table(found.patches, columns=["id"])["id"].to_pylist()
        there = self.landing.held.tables()[plan.table]
        own = sorted(name for name in there if not name.startswith("_dlt_"))
        held = self.landing.held.read(plan.table, own, ids=ids)
        some = replace(plan, window=SOME)  # a whole plan would replace the table by these rows
        more = Reading(reading.name, plan.table, thin.api, thin.reason, plan.columns, plan=some)
        schema = pa.unify_schemas([pq.read_schema(held), pq.read_schema(found.patches)])
        path = self.landing.folder / f"{plan.table}.patched.parquet"
        more.spooled = patched(held, found.patches, schema, path)
        self.land(reading, more.end("read"))

    def land(self, reading: Reading, more: Reading, *, moves: bool = False) -> None:
        """Land a later reading of a table; only changes by their time move its watermark."""
        if not moves:
            more.synced = None
        if more.status == "read":
            self.landing.land([more])
        if more.status == "read" and self.client.door.journal is not None:
            self.client.door.journal.done(more.name)
        reading.also(more)


def check_gone(reading: Reading, extra: Collection[str], rows: int) -> None:
    """Raises TooManyGone rather than believe that a fifth of a table went without a trace.

    A list of deletions that has some and is known to be cut is a trace.
    """
    if len(extra) <= MANY or len(extra) * SHARE <= rows or (reading.gap and reading.deletions):
        return
    raise TooManyGone(
        f"{len(extra):,} of its {rows:,} rows are no longer shown by Zoho and no deletion names them: the token's"
        f" user may have lost a permission. If they are really gone, --full-refresh --modules {reading.name}"
        " takes the CRM as it is"
    )


def is_record(plan: Plan) -> bool:
    """Whether a row is a record of its own; the others come and go with theirs."""
    return plan.module.generated_type not in ("subform", "linking", "field_tracker")
