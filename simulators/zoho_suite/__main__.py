"""Serves the demo account with all its services until it is stopped: python -m simulators.zoho_suite."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

try:
    from . import serve
except ModuleNotFoundError as missing:
    sys.exit(f"Error: {missing.name} is not installed. Run `make setup`, then use .venv/bin/python.")

NOT_SIMULATED = """\
This is a simulated account of Zoho's on 127.0.0.1 with CRM, Desk, Books and Recruit; nothing leaves this
machine. It does less than Zoho and writes nothing. What it does not simulate it refuses with status 418. The
lists are in the README.md of each folder below simulators/."""


def main(arguments: list[str] | None = None) -> int:
    from ..zoho_crm import Clock
    from .demo import demo_suite

    options = _options(arguments)
    suite = demo_suite(options.seed, Clock.real())
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    try:
        with serve(suite, options.port, options.port and options.port + 1) as zoho:
            organizations = ", ".join(row["organization_id"] for row in suite.books.organizations)
            sys.stdout.write(
                f"{NOT_SIMULATED}\n\n"
                f"API server {zoho.api_url}, accounts server {zoho.accounts_url}. Stop it with Ctrl-C.\n"
                f"Desk's orgId is {suite.desk.org_id}; Books' organization_id: {organizations}.\n\n"
                f"Connection string:\n{zoho.connection_string}\n"
            )
            sys.stdout.flush()
            stop.wait()
    except (OSError, OverflowError) as error:
        sys.stderr.write(f"Port {options.port} cannot be used: {error}\n")
        return 2
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators.zoho_suite", description=__doc__)
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        help="the API's port; the accounts server takes the next one (default: two free ones)",
    )
    parser.add_argument("--seed", type=int, default=0, help="another account (default: 0)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
