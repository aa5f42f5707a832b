"""Opens the pipeline with the state that its destination holds, and clears what a broken run left behind."""

from __future__ import annotations

import shutil
from json import JSONDecodeError
from pathlib import Path
from typing import Any, cast

import dlt
from dlt.common.configuration.exceptions import ConfigFieldMissingException
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.common.runtime.collector_base import Collector

from sources.zoho_crm.errors import SettingsError
from sources.zoho_crm.held import Held

from .database import DatabaseInUse, DatabaseLost
from .destination import missing_library
from .failures import causes, innermost, is_disk_full
from .packages import close_to_others, remove_loaded_rows


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
        stored = Held(pipeline, Path(pipeline.working_dir)).stored_version()
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
    close_to_others(pipeline)
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
    return innermost(error)
