"""What is told elsewhere when a command ends: a webhook, a metrics file, a trace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from sources.zoho_crm.redaction import redact

from ..console import counted
from ..errors import FAILED, PipelineBusy, describe_error, one_line, without_secrets
from ..options import Options, loads, webhook_of
from ..output.run_report import failed, group, skipped, summary
from ..run.run_result import CommandOutcome
from ..streams import remark


@contextmanager
def notify_on_exit(options: Options, command: str) -> Iterator[CommandOutcome]:
    """Whatever becomes of the command is told; what cannot be told is one line, and never changes the exit code."""
    from ..demo import secrets_of

    ending, webhook = CommandOutcome(command, options.pipeline_name), None
    try:
        webhook = webhook_of(options)
        yield ending
    except BaseException as error:
        ending.error = error
        ending.sentence, ending.code = describe_error(error, loads=loads(command, options)) or (
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


def _is_kept_out(ending: CommandOutcome) -> bool:
    """Whether another run is in progress, which leaves its own trace."""
    from ..run.database import DatabaseInUse

    return isinstance(ending.error, PipelineBusy) and not isinstance(ending.error, DatabaseInUse)


def _leave_trace(options: Options, ending: CommandOutcome) -> None:
    from ..run.attempt_rows import record_attempt

    with suppress(Exception):  # nothing of it changes how the run ends
        record_attempt(options, ending)


def _tell(options: Options, ending: CommandOutcome, webhook: str | None) -> None:
    if options.metrics_file and not _is_kept_out(ending):
        from .metrics import write_metrics

        _or_say(write_metrics(options.metrics_file, ending))
    if webhook and (ending.code or options.notify == "always"):
        _or_say(notify(webhook, ending))


def _or_say(trouble: str | None) -> None:
    if trouble:
        remark(f"Warning: {one_line(trouble)}")


TIMEOUT = (5, 10)  # seconds to connect, and to wait for the answer
MOST_REASONS = 10
LONGEST = 300  # letters of a reason
# Where Teams takes webhooks: its workflows (Power Automate), and the older connectors.
TEAMS = (".logic.azure.com", ".api.powerplatform.com", ".webhook.office.com", ".azure-apihub.net")


def notify(webhook: str, ending: CommandOutcome) -> str | None:
    """Call it once. Returns what went wrong, without the URL, which is a secret but for its host."""
    import requests

    from sources.zoho_crm.auth.transport import limited_adapter

    host = urlsplit(webhook).hostname or ""
    try:
        with requests.Session() as session:
            for scheme in ("https://", "http://"):
                session.mount(scheme, limited_adapter(time.monotonic, TIMEOUT[1]))
            answer = session.post(webhook, json=body(host, ending), timeout=TIMEOUT, allow_redirects=False)
    except (requests.RequestException, ValueError, OSError) as error:
        return f"the notification was not sent: {host} cannot be reached ({type(error).__name__})"
    if not 200 <= answer.status_code < 300:
        return f"the notification was not sent: {host} answered {answer.status_code}"
    return None


def body(host: str, ending: CommandOutcome) -> dict[str, Any]:
    """What the webhook of this host takes.

    Slack takes `text` (as do Mattermost, Rocket.Chat and Google Chat), and refuses attachments that are not
    its own; a workflow of Teams takes adaptive cards only. So no body fits both.
    """
    title, lines = redact(headline(ending)), [redact(line) for line in reasons(ending)]
    if not host.endswith(TEAMS):
        return {"text": _escaped("\n".join((title, *(f"- {line}" for line in lines))))}
    blocks = [{"type": "TextBlock", "text": title, "wrap": True, "weight": "Bolder"}]
    blocks += [{"type": "TextBlock", "text": line, "wrap": True} for line in lines]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def headline(ending: CommandOutcome) -> str:
    """The pipeline, how it ended, and the line that sums the run up."""
    how = "is done" if ending.code == 0 else f"ended with exit code {ending.code}"
    told = summary(ending.run) if ending.run else ending.sentence
    return f"{ending.pipeline}: {ending.command} {how}. {told}".strip()


def reasons(ending: CommandOutcome) -> list[str]:
    """What failed, differs, or was asked for and is skipped; the modules of one reason share a line."""
    run = ending.run
    if run is None:
        return []
    pairs = failed(run) + [(name, why) for name, why in skipped(run) if name in run.named]
    lines = [_short(f"{', '.join(names)}: {why}") for why, names in group(pairs).items()]
    lines += [ending.sentence] if ending.sentence else []
    if len(lines) > MOST_REASONS:
        more = len(lines) - MOST_REASONS
        lines = [*lines[:MOST_REASONS], f"and {counted(more, 'more reason')}"]
    return lines


def _short(text: str) -> str:
    text = redact(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _escaped(text: str) -> str:
    """Slack's three letters: `<!channel>` in a reason would call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
