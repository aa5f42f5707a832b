"""Opens the dlt pipeline of a command, with its folder and its lock."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from json import JSONDecodeError
from pathlib import Path
from typing import Any, cast

import dlt
from dlt.common.configuration.exceptions import ConfigFieldMissingException
from dlt.common.destination.client import WithStateSync
from dlt.common.destination.reference import Destination
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.common.runtime.collector_base import Collector

from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.sync.warehouse import Warehouse

from ..demo import pipelines_dir
from ..errors import causes, is_disk_full, root_message
from ..options import Options
from .attempts import save_killed_run
from .database import DatabaseInUse, DatabaseLost, report_disconnect, waiting_for_database
from .destination import database_file, missing_library, opened_read_only
from .dlt_runtime import dlt_log
from .lock import database_lock, pipeline_lock
from .packages import remove_loaded_rows, restrict_permissions
from .progress import Progress
from .server_lock import server_lock


def open_pipeline(
    name: str, destination: Any, dataset: str, pipelines_dir: str | None, collector: Collector
) -> dlt.Pipeline:
    """The pipeline, with the state that its destination holds. Raises SettingsError in one sentence."""
    try:
        try:
            pipeline = _open(name, destination, dataset, pipelines_dir, collector)
        except Exception as error:
            if not _is_torn(error):
                raise
            shutil.rmtree(Path(pipelines_dir or get_dlt_pipelines_dir(), name), ignore_errors=True)
            pipeline = _open(name, destination, dataset, pipelines_dir, collector)
        # What a killed run has not loaded is read again, from the watermarks that the destination holds.
        if pipeline.has_pending_data:
            pipeline.abort_packages()
            pipeline.sync_destination()
        stored = Warehouse(pipeline, Path(pipeline.working_dir)).stored_version()
        if stored is not None and stored < pipeline.state["_state_version"]:
            # The destination was put back to an earlier day: its own state tells what it holds.
            shutil.rmtree(pipeline.working_dir)
            pipeline = _open(name, destination, dataset, pipelines_dir, collector)
    except Exception as error:
        for cause in causes(error):
            if isinstance(cause, (DatabaseInUse, DatabaseLost)) or is_disk_full(cause):
                raise cause from None
        raise SettingsError(
            f"the destination cannot be opened: {_why_not_open(error, destination)}"
        ) from error
    restrict_permissions(pipeline)
    remove_loaded_rows(pipeline)
    return pipeline


def _is_torn(error: BaseException) -> bool:
    """Whether dlt cannot read a file of its own, which a power cut has left half."""
    return any(isinstance(cause, JSONDecodeError) for cause in causes(error))


def _open(
    name: str, destination: Any, dataset: str, pipelines_dir: str | None, collector: Collector
) -> dlt.Pipeline:
    pipeline = dlt.pipeline(
        name,
        destination=destination,
        dataset_name=dataset,
        pipelines_dir=cast(str, pipelines_dir),  # None is dlt's default
        progress=collector,
    )
    pipeline.sync_destination()
    return pipeline


def _why_not_open(error: BaseException, destination: Any) -> str:
    for cause in causes(error):
        if isinstance(cause, ImportError):
            return missing_library(cause, getattr(destination, "destination_type", str(destination)))
        if isinstance(cause, ConfigFieldMissingException):
            name = getattr(destination, "destination_name", destination)
            keys = [f"DESTINATION__{name}__{field}".upper() for field in cause.fields]
            return f"Missing {', '.join(keys)} (in the environment, in .env or in dlt's own files)"
    return root_message(error)


LOOK = "look-"
DAY = 24 * 60 * 60  # seconds


@contextmanager
def opened_pipeline(
    options: Options, destination: Any, progress: Progress, command: str | None
) -> Iterator[dlt.Pipeline]:
    """The pipeline of a command that loads, or to look at the destination with if `command` is None.

    A DuckDB file that is open elsewhere is waited for. Raises PipelineBusy, or DatabaseLost in the middle.
    """
    name = options.pipeline_name
    with ExitStack() as stack:
        if command is not None:
            place = stack.enter_context(working_folder(options, destination, command))
        else:
            place, destination = stack.enter_context(read_only_folder(options, destination))
        stack.enter_context(dlt_log(place, name))
        waiting = stack.enter_context(waiting_for_database(options.wait_for_database, progress.wait))
        pipeline = open_pipeline(name, destination, options.dataset, place, progress)
        waiting.began = True
        with report_disconnect(pipeline):
            if command is not None:
                alone = options.modules if command == "run" else ()  # the others take the whole dataset
                stack.enter_context(server_lock(pipeline, command, alone))
            yield pipeline


@contextmanager
def working_folder(options: Options, destination: Any, command: str) -> Iterator[str]:
    """The pipelines dir of a run, alone in it and in the dataset. Raises PipelineBusy.

    dlt's own folder in it is empty before and gone afterwards: the destination holds the state, and what was
    not loaded is read again. So nothing grows, no row of the CRM stays on the disk, and no run goes on from
    what another destination's has left.
    """
    place, name = pipelines_dir(options), options.pipeline_name
    with ExitStack() as stack:
        save_killed_run(place, name, stack.enter_context(pipeline_lock(place, name, command)))
        file = database_file(destination, name, options.demo)
        stack.enter_context(database_lock(file, options.dataset, command))
        own = Path(place, name)
        _clear(own, destination)
        _clear_looks(Path(place))
        try:
            yield place
        finally:
            _clear(own, destination)


@contextmanager
def read_only_folder(options: Options, destination: Any) -> Iterator[tuple[str, Any]]:
    """A pipelines dir to look from, whoever else is at work, and the destination as it is for reading.

    To look makes no database: where there is none yet, an empty one in that folder stands for it.
    """
    place = Path(pipelines_dir(options))
    try:
        place.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=LOOK, dir=place, ignore_cleanup_errors=True)
    except OSError as error:
        raise SettingsError(
            f"The pipelines dir {place} cannot be used ({error.strerror}): name another with --pipelines-dir."
        ) from None
    with folder as name:
        file = database_file(destination, options.pipeline_name, options.demo)
        if file is not None and not file.exists() and file.parent.is_dir():
            yield name, Destination.from_reference(options.destination, credentials=f"{name}/empty.duckdb")
            return
        with opened_read_only(destination):
            yield name, destination


def _clear(own: Path, destination: Any) -> None:
    """Remove dlt's folder of a pipeline, unless its destination is one that keeps no state."""
    try:
        keeps_state = issubclass(destination.client_class, WithStateSync)
    except ImportError:  # a library is missing, which the destination says when it is opened
        keeps_state = False
    if keeps_state:
        shutil.rmtree(own, ignore_errors=True)


def _clear_looks(place: Path) -> None:
    """Remove what looks have left that were killed."""
    with suppress(OSError):
        for folder in place.glob(f"{LOOK}*"):
            if time.time() - folder.stat().st_mtime > DAY:
                shutil.rmtree(folder, ignore_errors=True)
