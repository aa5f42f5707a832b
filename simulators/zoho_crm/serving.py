"""Serves an account on the command line until it is stopped."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable

from .server import Zoho, serve
from .service import Service


def add_port_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        help="the API's port; the accounts server takes the next one (default: two free ones)",
    )


def serve_until_stopped(service: Service, port: int, welcome: Callable[[Zoho], str]) -> int:
    """Serve until SIGINT or SIGTERM; `welcome` is what is said once it can be reached. Gives the exit code."""
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    try:
        with serve(service, port, port and port + 1) as zoho:
            sys.stdout.write(welcome(zoho))
            sys.stdout.flush()
            stop.wait()
    except (OSError, OverflowError) as error:
        sys.stderr.write(f"Port {port} cannot be used: {error}\n")
        return 2
    return 0
