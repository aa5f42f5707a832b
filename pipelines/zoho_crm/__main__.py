"""Lets `python -m pipelines.zoho_crm` run the command line; imports nothing heavy before the options are read."""

from __future__ import annotations

import os
import sys

from .cli import cli
from .failures import INTERRUPTED

if __name__ == "__main__":
    try:
        cli.main(prog_name="python -m pipelines.zoho_crm")
    except SystemExit as end:
        sys.stdout.flush()
        if end.code == INTERRUPTED:
            os._exit(INTERRUPTED)  # Python would wait for the threads that still read
        raise
