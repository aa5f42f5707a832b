"""Whether a process of this machine is still there."""

from __future__ import annotations

import os


def is_alive(process: int) -> bool:
    """Whether the process may be there: one that may not be asked is, and on Windows each one."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True
