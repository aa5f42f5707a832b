"""Turns whatever went wrong into one sentence and an exit code; a traceback goes into a file, without secrets."""

from __future__ import annotations

import errno
import os
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path

from .safe_text import redact
from .streams import OutputError, remark

FAILED, USAGE, REFUSED, DIFFERENT, BUSY, SPENT, INTERRUPTED = 1, 2, 3, 4, 5, 6, 130

# Zoho's words for "not with these credentials"; met while the modules are listed, nothing can be read.
REFUSALS = frozenset({"OAUTH_SCOPE_MISMATCH", "AUTHORIZATION_FAILED", "INVALID_TOKEN"})


STOPPED = "Interrupted."
RESUMED = "Interrupted. What was loaded stays; the next run reads the rest again."
DISK_FULL = "The disk is full: make room and run again. Nothing half-written counts as loaded."


class PipelineBusy(Exception):
    """Another process runs this pipeline."""


def describe_error(error: BaseException, *, loads: bool = False) -> tuple[str, int] | None:
    """The sentence and the exit code for what we know, of a command that loads or not; None for a mistake of ours."""
    if any(isinstance(one, KeyboardInterrupt) for one in causes(error)):
        return (RESUMED if loads else STOPPED), INTERRUPTED  # dlt wraps it as if a step had failed
    for one in causes(error):
        found = _of_ours(one) or _of_the_system(one) or _of_dlt(one)
        if found is not None:
            return one_line(found[0]), found[1]
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from: dlt wraps the errors of its steps."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def root_message(error: BaseException) -> str:
    """The first line of the error that began it all."""
    *_, first = causes(error)
    return (str(first).strip() or type(first).__name__).splitlines()[0]


def one_line(text: str, room: int = 1000) -> str:
    """The text without its line breaks, and not for pages."""
    line = " ".join(text.split())
    return line if len(line) <= room else line[: room - 3] + "..."


def print_error(sentence: str) -> None:
    """One line on standard error."""
    remark(f"Error: {one_line(sentence)}")


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text with each secret as `***`: a library may repeat what it could not read."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return redact(text)


def keep_traceback(
    error: BaseException, folder: str | None, secrets: Iterable[str], *, wordless: bool = False
) -> Path | None:
    """Write the traceback where only its owner reads it; None when no place can be written.

    `wordless` leaves out what the errors say: a library may repeat the value that it could not read.
    """
    lines = _places(error) if wordless else traceback.format_exception(error)
    text = without_secrets("".join(lines), secrets)
    name = f"zoho_crm-error-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{os.getpid()}.txt"
    for place in (folder, tempfile.gettempdir()):
        if place is None:
            continue
        try:
            Path(place).mkdir(parents=True, exist_ok=True)
            path = Path(place) / name
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(text)
        except OSError:
            continue
        return path
    return None


def _places(error: BaseException) -> list[str]:
    """The frames of an error and of those that it came from, the first one first, and their types."""
    lines: list[str] = []
    for one in reversed([*causes(error)]):
        lines += ["\nand then\n\n"] if lines else []
        lines += traceback.format_tb(one.__traceback__)
        lines.append(f"{type(one).__module__}.{type(one).__qualname__}\n")
    return lines


def _of_ours(error: BaseException) -> tuple[str, int] | None:
    from sources.zoho_crm.exceptions import (
        CredentialsError,
        CreditBudgetExceeded,
        SettingsError,
        ZohoCrmError,
        ZohoError,
    )

    if isinstance(error, PipelineBusy):
        return str(error), BUSY
    if isinstance(error, OutputError):
        return str(error), FAILED
    if isinstance(error, SettingsError):
        return str(error), USAGE
    if isinstance(error, CredentialsError):
        return str(error), REFUSED
    if isinstance(error, CreditBudgetExceeded):
        return str(error), SPENT
    if isinstance(error, ZohoError) and error.code in REFUSALS:
        remedy = "the token lacks a scope for it (`check` names the scopes)"
        return f"Zoho refuses the credentials: {error}; {remedy}", REFUSED
    return (str(error), FAILED) if isinstance(error, ZohoCrmError) else None


def is_disk_full(error: BaseException) -> bool:
    """Whether the system, or DuckDB, says that there is no room."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return _is_duckdbs(error) and "No space left" in str(error)


def _is_duckdbs(error: BaseException) -> bool:
    return type(error).__module__.startswith(("duckdb", "_duckdb"))


def _of_the_system(error: BaseException) -> tuple[str, int] | None:
    if not isinstance(error, OSError):
        return None
    where = f" ({error.filename})" if error.filename else ""
    if is_disk_full(error):
        return f"{DISK_FULL}{where}", FAILED
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"No permission to write{where}.", FAILED
    return None


def _of_dlt(error: BaseException) -> tuple[str, int] | None:
    from dlt.common.configuration.exceptions import ConfigFieldMissingException, ConfigurationException

    if isinstance(error, ConfigFieldMissingException):
        fields = ", ".join(sorted(error.traces))
        return (
            f"Settings of {error.spec_name} are missing: {fields}. Set them as dlt's documentation says.",
            USAGE,
        )
    if isinstance(error, ConfigurationException):
        return f"dlt's configuration: {error}", USAGE
    return _of_duckdb(error)


def _of_duckdb(error: BaseException) -> tuple[str, int] | None:
    if not _is_duckdbs(error):
        return None
    if is_disk_full(error):
        return DISK_FULL, FAILED
    if "Could not set lock" in str(error):
        return "The DuckDB file is open in another process: close it there and run again.", BUSY
    return None
