"""Lines for a terminal: broken between words, never inside one, so that an address can still be copied."""

from __future__ import annotations

import re
from typing import TextIO

WORD = re.compile(r"\s*\S+")  # with the blanks before it
DEEPER = 2  # blanks by which what goes on stands farther in


def columns_of(stream: TextIO) -> int:
    """The columns of the terminal that a stream is; 0 if it is none."""
    if not stream.isatty():
        return 0
    from rich.console import Console

    return Console(file=stream).width


def wrapped(line: str, room: int, hanging: int | None = None) -> list[str]:
    """The line in parts, none wider than there is room if no word is; without a terminal the line as it is."""
    if not room or _width(line) <= room:
        return [line]
    if hanging is None:
        hanging = len(line) - len(line.lstrip()) + DEEPER
    parts = [""]
    for word in WORD.findall(line):
        if parts[-1].strip() and _width(parts[-1] + word) > room:
            parts.append(" " * min(hanging, room // 2) + word.lstrip())
        else:
            parts[-1] += word
    return parts


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # a Chinese letter is two columns wide

    return cell_len(text)
