"""Rows of `sync_runs` for runs that were stopped: one without a module for each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from sources.zoho_crm.extract.account import write_rows
from sources.zoho_crm.extract.extractor import ExtractResult
from sources.zoho_crm.sync.warehouse import Warehouse

from ..demo import pipelines_dir
from ..errors import USAGE
from ..options import Options
from .attempts import Attempt, attempts_file, keep, load_attempts
from .database import DatabaseInUse
from .destination import choose_destination, database_file
from .loading import appended, resource_of, source_of, work_folder
from .pipeline import opened_pipeline
from .progress import Progress
from .run_log import SYNC_RUNS
from .run_result import CommandOutcome


def record_attempt(options: Options, ending: CommandOutcome) -> None:
    """Write down an attempt that left no row of a table, and those before that could not be written down yet."""
    place, name = pipelines_dir(options), options.pipeline_name
    attempt = _attempt_of(ending)
    attempts = [*load_attempts(place, name), *([attempt] if attempt else [])]
    if attempts and not _is_written(options, ending, attempts):
        keep(place, name, attempts)


def _attempt_of(ending: CommandOutcome) -> Attempt | None:
    """What is to be written down of a run; nothing if its tables have rows of their own."""
    run = ending.run
    if run is not None and run.is_logged:
        return None
    words = f"exit code {ending.code}"
    reason = words if ending.command == "run" else f"{ending.command}, {words}"
    times = ending.started, ending.finished or ending.started
    if run is None:
        return Attempt(uuid4().hex, reason, ending.sentence, *times)
    why = ending.sentence or "; ".join(f"{what}: {why}" for what, why in run.troubles)
    return Attempt(run.run_id, reason, why, *times, run.calls, run.credits)


def _is_written(options: Options, ending: CommandOutcome, attempts: Sequence[Attempt]) -> bool:
    """Whether the rows were loaded. After an error the caller stores them in the pipelines folder instead.

    Wrong settings make no database: only one that runs have filled is told of them.
    """
    if isinstance(ending.error, DatabaseInUse):
        return False
    try:
        name, wrong = options.pipeline_name, ending.code == USAGE
        destination = choose_destination(options.destination, options.dataset, name, options.demo)
        file = database_file(destination, name, options.demo)
        if wrong and file is not None and not file.exists():
            return False
        at_once = replace(options, wait_for_database=timedelta())
        with opened_pipeline(at_once, destination, Progress(), ending.command) as pipeline:
            if wrong and not Warehouse(pipeline, Path(pipeline.working_dir)).tables(["sync_runs"]):
                return False
            with work_folder(pipeline) as folder:
                log = ExtractResult("sync_runs", "sync_runs", "", "")
                write_rows(log, SYNC_RUNS, [a.row() for a in attempts], folder, {})
                rows = resource_of(log, lambda: appended(log))
                pipeline.run(source_of([rows]))
    except Exception:  # noqa: BLE001 - each destination has errors of its own
        return False
    with suppress(OSError):
        attempts_file(pipelines_dir(options), name).unlink(missing_ok=True)
    return True
