"""What one check found: its sign, its sentence, what to do about it, and the exit code if a run would fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from .failures import FAILED, one_line

Status = Literal["ok", "warning", "failed", "unknown"]

COMMAND = "python -m pipelines.zoho_crm"
AUTHORIZE = f"run `{COMMAND} authorize`"
FEW = 5  # names shown without --verbose


@dataclass(frozen=True)
class Finding:
    """`unknown` is what could not be asked, or what Zoho does not tell."""

    name: str
    status: Status
    message: str
    remedy: str = ""
    code: int = field(default=0, compare=False)

    def facts(self) -> Mapping[str, Any]:
        """What a program reads; the sentences are one line each."""
        found = asdict(replace(self, message=one_line(self.message), remedy=one_line(self.remedy)))
        del found["code"]
        return found


def ok(name: str, message: str) -> Finding:
    return Finding(name, "ok", message)


def warning(name: str, message: str, remedy: str) -> Finding:
    return Finding(name, "warning", message, remedy)


def unknown(name: str, message: str, remedy: str = "") -> Finding:
    return Finding(name, "unknown", message, remedy)


def failed(name: str, message: str, remedy: str, code: int = FAILED) -> Finding:
    return Finding(name, "failed", message, remedy, code)


def listed(names: list[str], *, verbose: bool) -> str:
    """`Leads, Deals and 3 more`; all of them if they are few or wanted."""
    if verbose or len(names) <= FEW + 1:
        return ", ".join(names)
    return f"{', '.join(names[:FEW])} and {len(names) - FEW:,} more"
