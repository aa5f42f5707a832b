"""What a command that went to its end has to say on standard error, so that no exit code stands alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..console import counted
from ..errors import DISK_FULL, FAILED, REFUSED, print_error
from ..run.dlt_runtime import log_file
from ..run.run_result import OUT_OF_SCOPE, RunResult
from ..streams import remark
from .run_report import FEW, failed, group, pairs_of, skipped

if TYPE_CHECKING:
    from sources.zoho_crm.discovery.catalog import Catalog


def print_failures(result: RunResult, place: str, name: str) -> None:
    """What failed; modules of one reason share a line."""
    failures = [(name, DISK_FULL if "No space left" in why else why) for name, why in failed(result)]
    for why, names in group(failures).items():
        print_error(f"{', '.join(names)}: {why}")
    for why, names in group(pairs_of(result.waiting)).items():
        which = ", ".join(names) if len(names) <= FEW else counted(len(names), "table")
        print_error(f"{which} {'is' if len(names) == 1 else 'are'} left for a later run: {why}")
    named = [(module, why) for module, why in skipped(result) if module in result.named]
    for module, why in named:
        print_error(f"{module} was asked for and is skipped: {why}")
    if result.exit_code == REFUSED and not failed(result) and not named:
        _complain_of_scopes(result)
    log = log_file(place, name)
    if failed(result) and log.exists() and log.stat().st_mtime >= result.started.timestamp():
        remark(f"What dlt said is in {log}.")


def _complain_of_scopes(result: RunResult) -> None:
    """Nobody asked for a module by name, and all of them were skipped."""
    skips = [(module, why) for module, why in skipped(result) if OUT_OF_SCOPE in why]
    module, why = skips[0]
    print_error(f"No module could be read: {len(skips)} lack a scope (`check` names it), as {module}: {why}")


def code_of(found: Catalog) -> int:
    """The exit code of a command that only looks, after a line for what could not be asked."""
    for why, names in group(pairs_of(found.failures)).items():
        print_error(f"{', '.join(names)}: {why}")
    return FAILED if found.failures else 0
