"""Tells the end of a command to those who are not looking: a notification, and metrics in a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone

from .ending import Ending
from .failures import FAILED, Busy, explain, one_line, without_secrets
from .options import Options, loads
from .streams import remark
from .telling import webhook_of


@contextmanager
def telling_the_end(options: Options, command: str) -> Iterator[Ending]:
    """Whatever becomes of the command is told; what cannot be told is one line, and never changes the exit code."""
    from .account import secrets_of

    ending, webhook = Ending(command, options.pipeline_name), None
    try:
        webhook = webhook_of(options)
        yield ending
    except BaseException as error:
        ending.error = error
        ending.sentence, ending.code = explain(error, loads=loads(command, options)) or (
            f"Unexpected {type(error).__name__}.",
            FAILED,
        )
        ending.sentence = without_secrets(one_line(ending.sentence), secrets_of(options))
        raise
    finally:
        ending.finished = datetime.now(timezone.utc)
        if loads(command, options) and not _is_kept_out(ending):
            _leave_trace(options, ending)
        _tell(options, ending, webhook)


def _is_kept_out(ending: Ending) -> bool:
    """Whether another run is in progress, which leaves its own trace."""
    from .database import DatabaseInUse

    return isinstance(ending.error, Busy) and not isinstance(ending.error, DatabaseInUse)


def _leave_trace(options: Options, ending: Ending) -> None:
    from .attempt_rows import leave_trace

    with suppress(Exception):  # nothing of it changes how the run ends
        leave_trace(options, ending)


def _tell(options: Options, ending: Ending, webhook: str | None) -> None:
    if options.metrics_file and not _is_kept_out(ending):
        from .metrics import write_metrics

        _or_say(write_metrics(options.metrics_file, ending))
    if webhook and (ending.code or options.notify == "always"):
        from .notifying import notify

        _or_say(notify(webhook, ending))


def _or_say(trouble: str | None) -> None:
    if trouble:
        remark(f"Warning: {one_line(trouble)}")
