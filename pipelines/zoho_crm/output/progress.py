"""Chooses who shows how far a run is: the live view where it can be seen, lines elsewhere."""

from __future__ import annotations

import os
import sys

from ..console import Console
from ..run.progress import LogProgress, Progress


def choose_progress(preferred_api: str, console: Console, *, verbose: bool = False) -> Progress:
    """The progress for `--progress`; `auto` is the live view on a terminal that can, and lines elsewhere."""
    if preferred_api == "off" or console.quiet:
        return Progress()
    able = sys.stdout.isatty() and os.environ.get("TERM") not in (None, "", "dumb", "unknown")
    # A view between JSON lines would break them, and one in a file is no view.
    if console.json or preferred_api == "log" or not able:
        return LogProgress(console, verbose=verbose)
    from .live_progress import LiveProgress

    return LiveProgress()
