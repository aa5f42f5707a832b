"""Reads tables side by side in threads, to files beside dlt's own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import dlt

from sources.zoho_crm.reading import Reading
from sources.zoho_crm.tables import Table

from .progress import Progress

BULK_READERS = 16  # they mostly wait for Zoho; the account's limits are kept by the client
OTHER_READERS = 4
WORTH_A_LOAD = 20_000  # rows that are loaded at once; fewer wait
PATIENCE = 2.0  # seconds


def as_they_come(
    tables: Sequence[Table], folder: Path, progress: Progress, *, one_by_one: bool = False
) -> Iterator[list[Reading]]:
    """Read in threads; yield what is whole by now, as one lot, while the others go on.

    Every load costs some tenths of a second, so small tables wait a moment for each other. `one_by_one`:
    in one thread, so that the first tables are whole if something cuts off the last ones.
    """
    progress.expect(tables)
    bulk = ThreadPoolExecutor(BULK_READERS, "bulk")
    other = ThreadPoolExecutor(1 if one_by_one else OTHER_READERS, "other")
    try:
        pending: set[Future[Reading]] = set()
        for table in tables:
            pool = bulk if table.plan is not None and table.plan.api == "bulk" and not one_by_one else other
            pending.add(pool.submit(_read, table, folder, progress))
        lot, since = list[Reading](), time.monotonic()
        while pending or lot:
            left = max(0.0, since + PATIENCE - time.monotonic()) if lot else None
            done, pending = wait(pending, left, return_when=FIRST_COMPLETED)
            since = since if lot else time.monotonic()
            lot += [future.result() for future in done]
            late = time.monotonic() - since >= PATIENCE
            if lot and (not pending or late or sum(r.rows or 0 for r in lot) >= WORTH_A_LOAD):
                yield lot
                lot = []
    finally:  # whoever is interrupted does not wait for Zoho; after a whole run nobody reads any more
        for pool in (bulk, other):
            pool.shutdown(wait=False, cancel_futures=True)


def _read(table: Table, folder: Path, progress: Progress) -> Reading:
    reading = table.read(folder, progress.watch(table))
    progress.read(reading)
    return reading


@contextmanager
def spool_folder(pipeline: dlt.Pipeline) -> Iterator[Path]:
    """Beside dlt's own files, so that a file is linked into the load package and not copied."""
    folder = Path(pipeline.working_dir, "spool")
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
