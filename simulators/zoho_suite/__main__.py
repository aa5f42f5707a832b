"""Serves the demo account with all its services until it is stopped: python -m simulators.zoho_suite."""

from __future__ import annotations

import argparse
import sys

try:
    from ..zoho_crm import Zoho
    from ..zoho_crm.serving import add_port_option, serve_until_stopped
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

    def welcome(zoho: Zoho) -> str:
        organizations = ", ".join(row["organization_id"] for row in suite.books.organizations)
        return (
            f"{NOT_SIMULATED}\n\n"
            f"API server {zoho.api_url}, accounts server {zoho.accounts_url}. Stop it with Ctrl-C.\n"
            f"Desk's orgId is {suite.desk.org_id}; Books' organization_id: {organizations}.\n\n"
            f"Connection string:\n{zoho.connection_string}\n"
        )

    return serve_until_stopped(suite, options.port, welcome)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators.zoho_suite", description=__doc__)
    add_port_option(parser)
    parser.add_argument("--seed", type=int, default=0, help="another account (default: 0)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
