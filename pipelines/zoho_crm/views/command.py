"""The command `views`, and what a run does for the views that it has made."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
from dlt.common.destination.exceptions import DestinationException

from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.sync.warehouse import Warehouse

from ..console import Console, counted
from ..errors import FAILED, one_line
from ..monitoring.freshness import open_destination, view_of
from ..monitoring.history import RunHistory
from ..options import Options
from ..run.destination import choose_destination
from ..run.pipeline import opened_pipeline
from ..run.progress import Progress
from ..run.server_lock import loading_turn
from .definitions import Described, ViewDefinition, define_view, described
from .stored_views import KINDS, Change, Naming, change_views, our_naming, views_dataset

logger = logging.getLogger("zoho_crm")


def make_views(console: Console, options: Options) -> int:
    """Make, bring up to date or remove the views. Raises SettingsError where there are none."""
    name = options.pipeline_name
    destination = choose_destination(options.destination, options.dataset, name, options.demo)
    if destination.destination_type not in KINDS:
        raise SettingsError(
            f"The destination {options.destination} gets no views from here: DuckDB and PostgreSQL do."
        )
    with open_destination(options, console) as view:
        found = described(view)
    destination = choose_destination(options.destination, options.dataset, name, options.demo)
    with opened_pipeline(options, destination, Progress(), "views") as pipeline, pipeline.sql_client() as sql:
        naming: Naming = "labels" if options.labels else "names"
        changes = change_views(sql, [] if options.drop else _definitions(sql, found, naming), naming)
        place = views_dataset(sql)
    _print_reasons(console, changes)
    for change in changes:
        console.event("view", {"view": change.view, "status": change.status, "reason": change.reason})
    counts = Counter(str(change.status) for change in changes)
    console.event("summary", {"dataset": place, "views": len(changes), **counts})
    told = ", ".join(f"{count:,} {status}" for status, count in counts.items()) or "nothing to do"
    console.last(f"{counted(len(changes), 'view')} in the dataset {place}: {told}.")
    return FAILED if counts["failed"] else 0


def refresh_views(
    console: Console, options: Options, pipeline: dlt.Pipeline, tell: Callable[[str], None]
) -> None:
    """Bring the views up to date that `views` has made; a run is none the worse if that fails.

    `tell` hears of another run that has to end first.
    """
    if pipeline.destination is None or pipeline.destination.destination_type not in KINDS:
        return
    try:
        with pipeline.sql_client() as sql, tempfile.TemporaryDirectory(prefix="zoho-") as folder:
            naming = our_naming(sql)
            if naming is None:
                return
            with loading_turn(pipeline, options.modules, tell):
                warehouse = Warehouse(pipeline, Path(folder))
                found = described(view_of(pipeline, warehouse, RunHistory(pa.table({}), []), options))
                changes = change_views(sql, _definitions(sql, found, naming), naming)
    except DestinationException as error:
        logger.warning("Views were not brought up to date: %s", one_line(str(error), 200))
        return
    _print_reasons(console, changes)


def _definitions(sql: Any, found: Described, naming: Naming) -> list[ViewDefinition]:
    return [define_view(sql, table, found, labels=naming == "labels") for table in found.tables.values()]


def _print_reasons(console: Console, changes: Sequence[Change]) -> None:
    console.paragraph("Views that are not up to date", [f"{c.view}: {c.reason}" for c in changes if c.reason])
