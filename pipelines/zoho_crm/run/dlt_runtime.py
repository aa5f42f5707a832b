"""dlt as a part of this program: no telemetry, and its log in a file, unless the user wants otherwise."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

TELEMETRY = "RUNTIME__DLTHUB_TELEMETRY"
SIGNALS = "RUNTIME__INTERCEPT_SIGNALS"


def start_dlt() -> Callable[[str], Any]:
    """Import dlt, without telemetry unless the user configured it; gives what looks up its configuration."""
    ours = TELEMETRY not in os.environ
    os.environ.setdefault(TELEMETRY, "false")  # before the import: dlt starts it while it is imported
    # dlt would take Ctrl-C for the wish to end its current step, and forget it when the step is done.
    os.environ.setdefault(SIGNALS, "false")
    # A table is replaced from a staging dataset; without this it would keep a copy of the account.
    os.environ.setdefault("LOAD__TRUNCATE_STAGING_DATASET", "true")
    # The files of what is loaded would stay in the pipeline's folder for good.
    os.environ.setdefault("LOAD__DELETE_COMPLETED_JOBS", "true")
    import dlt
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs import PluggableRunContext

    context = Container()[PluggableRunContext]
    files = [p for p in context.providers.providers if p.name != "Environment Variables"]
    if ours and any(p.get_value("dlthub_telemetry", bool, None, "runtime")[0] is not None for p in files):
        del os.environ[TELEMETRY]  # config.toml decides
        context.reload_providers()
    return dlt.config.get


def log_file(place: str, name: str) -> Path:
    return Path(place) / f"{name}.log"


@contextmanager
def dlt_log(place: str, name: str) -> Iterator[None]:
    """dlt's warnings go into a file: each comes with a traceback of pages, and the report says the same.

    Whoever sets `RUNTIME__LOG_LEVEL` wants them on the terminal. The file is made by the first line.
    """
    import dlt

    from sources.zoho_crm.redaction import watch_log

    logger = logging.getLogger("dlt")
    watch_log("dlt")
    if dlt.config.get("runtime.log_level") is not None:
        yield
        return
    kept = logger.handlers[:]
    file = RotatingFileHandler(log_file(place, name), maxBytes=1 << 20, backupCount=1, delay=True)
    for handler in kept:
        file.setFormatter(handler.formatter)
    logger.handlers[:] = [file]
    try:
        yield
    finally:
        logger.handlers[:] = kept
        with suppress(OSError):  # the disk is full, which the run tells
            file.close()
