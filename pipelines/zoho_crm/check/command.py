"""Whether a run would work: every check that can be made is made, each is one line with what to do about it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TypeAlias

from ..console import Console, counted, json_text
from ..demo import opened_account, pipelines_dir, secrets_of
from ..errors import FAILED, INTERRUPTED, REFUSED, describe_error, without_secrets
from ..options import Options
from ..streams import printing
from . import account_checks, local_checks
from .result import AUTHORIZE, CheckContext, CheckResult, failed, unknown

Check: TypeAlias = Callable[[CheckContext], "CheckResult | Iterable[CheckResult]"]

# In the order in which a run meets what is wrong, so that the exit code is the run's.
CHECKS: tuple[tuple[str, Check], ...] = (
    ("settings", local_checks.check_settings),
    ("permissions", local_checks.check_permissions),
    ("names", local_checks.check_names),
    ("lock", local_checks.check_lock),
    ("destination", local_checks.check_destination),
    ("disk", local_checks.check_disk),
    ("accounts", account_checks.check_accounts),
    ("token", account_checks.check_token),
    ("organisation", account_checks.check_organisation),
    ("user", account_checks.check_user),
    ("clock", account_checks.check_clock),
    ("modules", account_checks.check_modules),
    ("scopes", account_checks.check_scopes),
    ("bulk", account_checks.check_bulk),
    ("coql", account_checks.check_coql),
    ("credits", account_checks.check_credits),
)

SIGNS = {
    "ok": ("✓", "ok", "green"),
    "warning": ("!", "!", "yellow"),
    "unknown": ("!", "!", "yellow"),
    "failed": ("✗", "x", "red"),
}


def print_checks(options: Options, console: Console) -> int:
    """One line each; the exit code is that of the first that failed."""
    found: list[CheckResult] = []
    with ExitStack() as opened:
        if options.json:
            console = Console(options.log_format, silent=True)
        with _overheard():
            secrets = secrets_of(options)
        state = CheckContext(
            options, pipelines_dir(options), lambda: opened.enter_context(opened_account(options, console))
        )
        for name, check in CHECKS:
            for finding in _outcome(name, check, state):
                found.append(_without(secrets, finding))
                _print(console, found[-1])
        _print_not_asked(console, [finding.name for finding in found if finding.needs_another])
    code = next((finding.code for finding in found if finding.status == "failed"), 0)
    if options.json:
        with printing():
            sys.stdout.write(json_text([finding.facts() for finding in found], indent=2) + "\n")
    _print_summary(console, found, code)
    return code


def _outcome(name: str, check: Check, state: CheckContext) -> list[CheckResult]:
    """What a check finds; a warning that was logged meanwhile is a part of it."""
    with _overheard() as said:
        try:
            answer = check(state)
            findings = [answer] if isinstance(answer, CheckResult) else list(answer)
        except Exception as error:
            known = describe_error(error)
            if known is None or known[1] == INTERRUPTED:  # dlt wraps a Ctrl-C
                raise
            remedy = AUTHORIZE if known[1] == REFUSED else "see docs/check.md"
            findings = [failed(name, known[0], remedy, known[1] or FAILED)]
    if said and findings[-1].status == "ok":
        message = f"{findings[-1].message}; {'; '.join(dict.fromkeys(said))}"
        findings[-1] = replace(findings[-1], status="warning", message=message, remedy="see docs/check.md")
    return findings


def _without(secrets: list[str], finding: CheckResult) -> CheckResult:
    message, remedy = (without_secrets(text, secrets) for text in (finding.message, finding.remedy))
    return replace(finding, message=message, remedy=remedy)


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """What the source warns of goes into the line of its check, and nowhere else."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, listener = logging.getLogger("zoho_crm"), Listener(logging.WARNING)
    logger.addHandler(listener)
    passed_on, logger.propagate = logger.propagate, False
    try:
        yield said
    finally:
        logger.propagate = passed_on
        logger.removeHandler(listener)


def _print(console: Console, finding: CheckResult) -> None:
    console.event("check", finding.facts(), matters=_matters(finding))
    if not finding.needs_another:
        _print_line(console, finding)


def _matters(finding: CheckResult) -> bool:
    return finding.status in ("failed", "warning")


def _print_line(console: Console, finding: CheckResult) -> None:
    facts = finding.facts()
    sign, plain_sign, colour = SIGNS[finding.status]
    arrow = f" {console.sign('→', '->')} {facts['remedy']}" if finding.remedy else ""
    line = f" {finding.name:12}  {facts['message']}{arrow}"
    console.marked(console.sign(sign, plain_sign), colour, line, matters=_matters(finding))


def _print_not_asked(console: Console, names: list[str]) -> None:
    """One line for all that wait for what failed."""
    if names:
        _print_line(console, unknown("not asked", f"{', '.join(names)}: first correct what failed"))


def _print_summary(console: Console, found: list[CheckResult], code: int) -> None:
    counts = {status: sum(f.status == status for f in found) for status in SIGNS}
    console.event("summary", {"checks": len(found), **counts, "exit_code": code})
    doubts = f"; {counted(counts['warning'], 'warning')}" if counts["warning"] else ""
    names = ", ".join(finding.name for finding in found if finding.status == "failed")
    verdict = (
        f"{counts['failed']:,} of {len(found):,} checks failed ({names})" if names else "A run would work"
    )
    console.text(f"{verdict}{doubts}.")
