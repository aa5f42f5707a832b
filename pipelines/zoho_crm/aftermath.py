"""Tells the end of a command to those who are not looking: a notification, and metrics in a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

from .ending import Ending
from .failures import BUSY, FAILED, explain, one_line, without_secrets
from .options import Options, loads
from .streams import remark
from .telling import webhook_of


@contextmanager
def telling_the_end(options: Options, command: str) -> Iterator[Ending]:
    """Whatever becomes of the command is told; what cannot be told is one line, and never changes the exit code."""
    from .account import secrets_of

    webhook = webhook_of(options)
    ending = Ending(command, options.pipeline_name)
    try:
        yield ending
    except BaseException as error:
        ending.sentence, ending.code = explain(error, loads=loads(command, options)) or (
            f"Unexpected {type(error).__name__}.",
            FAILED,
        )
        ending.sentence = without_secrets(one_line(ending.sentence), secrets_of(options))
        raise
    finally:
        ending.finished = datetime.now(timezone.utc)
        _tell(options, ending, webhook)


def _tell(options: Options, ending: Ending, webhook: str | None) -> None:
    if options.metrics_file and ending.code != BUSY:  # the run that is in progress writes its own
        from .metrics import write_metrics

        _or_say(write_metrics(options.metrics_file, ending))
    if webhook and (ending.code or options.notify == "always"):
        from .notifying import notify

        _or_say(notify(webhook, ending))


def _or_say(trouble: str | None) -> None:
    if trouble:
        remark(f"Warning: {one_line(trouble)}")
