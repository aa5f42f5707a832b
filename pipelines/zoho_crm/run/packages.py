"""Removes the rows that dlt keeps in its folder after it has loaded them, or has given them up."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import dlt

LOADED = Path("load", "loaded")  # below the pipeline's folder: a folder for each package that is done
JOBS = ("completed_jobs", "failed_jobs", "started_jobs", "new_jobs")


def remove_loaded_rows(pipeline: dlt.Pipeline) -> None:
    """Remove the files with rows of all packages that are done; what dlt notes about the packages stays.

    Nobody reads them again, and they hold values that a rule of privacy may forbid by now.
    """
    for jobs in JOBS:
        for file in Path(pipeline.working_dir, LOADED).glob(f"*/{jobs}/*"):
            with suppress(OSError):
                file.unlink()


def restrict_permissions(pipeline: dlt.Pipeline) -> None:
    """Let nobody else read the folder: rows lie there while they are loaded."""
    with suppress(OSError):
        Path(pipeline.working_dir).chmod(0o700)
