"""Serves the demo company until it is stopped: python -m simulators.zoho_crm."""

from __future__ import annotations

import argparse
import sys

try:
    from . import Clock, Zoho
    from .serving import add_port_option, serve_until_stopped
except ModuleNotFoundError as missing:
    sys.exit(f"Error: {missing.name} is not installed. Run `make setup`, then use .venv/bin/python.")

NOT_SIMULATED = """\
This is a simulated Zoho on 127.0.0.1; nothing leaves this machine. It does less than Zoho: it
writes nothing, searches nothing, and sends no notifications. What it does not simulate it
refuses with status 418. The whole list is in simulators/zoho_crm/README.md."""


def main(arguments: list[str] | None = None) -> int:
    from .demo import bigin_org, demo_org

    options = _options(arguments)
    make = bigin_org if options.service == "bigin" else demo_org
    org = make(seed=options.seed, clock=Clock.real())
    if options.real_time:
        org.quirks.bulk_seconds_per_job = 3.5
        org.rules.seconds_per_call = 0.15
    return serve_until_stopped(org, options.port, _welcome)


def _welcome(zoho: Zoho) -> str:
    setting = f"SOURCES__ZOHO_CRM__CREDENTIALS='{zoho.connection_string}'"
    return (
        f"{NOT_SIMULATED}\n\n"
        f"API server {zoho.api_url}, accounts server {zoho.accounts_url}. Stop it with Ctrl-C.\n\n"
        f"In a shell:\nexport {setting}\n\nIn .env:\n{setting}\n\n"
        "To try the consent, which writes simulated.env (--env-file then gives it to the other commands):\n"
        f"{_authorize(zoho.connection_string)}\n"
    )


def _authorize(connection_string: str) -> str:
    """The command line that gets a refresh token of its own by a consent."""
    parts = [part for part in connection_string.split(";") if part]
    kept = ";".join(part for part in parts if not part.startswith("OAuthRefreshToken="))
    return f"python -m pipelines.zoho_crm authorize --env-file simulated.env --connection '{kept};'"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators.zoho_crm", description=__doc__)
    add_port_option(parser)
    parser.add_argument(
        "--service", choices=["crm", "bigin"], default="crm", help="the service of Zoho's (default: crm)"
    )
    parser.add_argument("--seed", type=int, default=0, help="another company (default: 0)")
    parser.add_argument(
        "--real-time",
        action="store_true",
        help="take as long as Zoho: 0.15 s a call, 3.5 s a Bulk Read job, one job at a time",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
