"""The version of the program, and what it is called."""

from __future__ import annotations

import sys
from pathlib import Path

VERSION = "0.1.0"
SCRIPT = "zoho-crm"


def program() -> str:
    """How the program was started: as the installed command, or as a module of Python."""
    return SCRIPT if Path(sys.argv[0]).stem == SCRIPT else "python -m pipelines.zoho_crm"
