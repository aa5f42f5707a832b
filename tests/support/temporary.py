"""Where tests put their files: in memory, where the machine has a file system there that is large enough."""

from __future__ import annotations

import os

PLACE = "/dev/shm"
ENOUGH = 6 * 2**30  # bytes


def in_memory(place: str = PLACE) -> str | None:
    """The folder of a file system in memory with room, in which programs can be run; None if there is none."""
    try:
        found = os.statvfs(place)
    except (OSError, AttributeError):  # not on Windows
        return None
    roomy = found.f_bavail * found.f_frsize >= ENOUGH
    runs = not found.f_flag & getattr(os, "ST_NOEXEC", 0)
    return place if roomy and runs and os.access(place, os.W_OK) else None
