"""Rows of `sync_runs` for runs that were stopped: one without a module for each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from sources.zoho_crm.account import keep_rows
from sources.zoho_crm.held import Held
from sources.zoho_crm.reading import Reading

from .account import pipelines_dir
from .attempts import Attempt, attempts_file, keep, kept_attempts
from .database import DatabaseInUse
from .destination import choose_destination, database_file
from .ending import Ending
from .failures import USAGE
from .loading import appended, resource_of, source_of, work_folder
from .options import Options
from .progress import Progress
from .sync_runs import SYNC_RUNS
from .working import opened_pipeline


def leave_trace(options: Options, ending: Ending) -> None:
    """Write down an attempt that left no row of a table, and those before that could not be written down yet."""
    place, name = pipelines_dir(options), options.pipeline_name
    attempt = _attempt_of(ending)
    attempts = [*kept_attempts(place, name), *([attempt] if attempt else [])]
    if attempts and not _is_written(options, ending, attempts):
        keep(place, name, attempts)


def _attempt_of(ending: Ending) -> Attempt | None:
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


def _is_written(options: Options, ending: Ending, attempts: Sequence[Attempt]) -> bool:
    """Whether the destination has taken the rows; whatever it says against it, the folder does as well.

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
            if wrong and not Held(pipeline, Path(pipeline.working_dir)).tables(["sync_runs"]):
                return False
            with work_folder(pipeline) as folder:
                log = Reading("sync_runs", "sync_runs", "", "")
                keep_rows(log, SYNC_RUNS, [a.row() for a in attempts], folder, {})
                rows = resource_of(log, lambda: appended(log))
                pipeline.run(source_of([rows]))
    except Exception:  # noqa: BLE001 - each destination has errors of its own
        return False
    with suppress(OSError):
        attempts_file(pipelines_dir(options), name).unlink(missing_ok=True)
    return True
