"""What `python -m pipelines.zoho_crm` and the command `zoho-crm` run; nothing heavy is imported before the options are read."""

from __future__ import annotations

import gc
import os
import re
import sys
import threading
from contextlib import suppress

# Python's own is 700, and looking for garbage in what was just imported takes a tenth of a short run.
GARBAGE = 50_000  # objects after which Python looks for some
READERS = re.compile(r"(bulk|other)_\d+$")  # the threads of sources/zoho_crm/sync/tables.py


def main() -> None:
    gc.set_threshold(GARBAGE)
    try:
        from .run.stopping import STOP

        STOP.install()
        from .cli import cli
        from .version import program

        cli.main(prog_name=program())
    except ModuleNotFoundError as missing:
        sys.exit(f"Error: {missing.name} is not installed. Run `make setup`, then use .venv/bin/python.")
    except SystemExit as end:
        from .errors import INTERRUPTED

        if end.code == INTERRUPTED or any(READERS.match(t.name) for t in threading.enumerate()):
            with suppress(OSError):
                sys.stdout.flush()
            os._exit(int(end.code or 0))  # Python would wait for the threads that still read
        raise


if __name__ == "__main__":
    main()
