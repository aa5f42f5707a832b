"""Prints how time, calls, credits, memory, disk and price grow with organisations and rows: docs/scale.md."""

from __future__ import annotations

import argparse
import dataclasses

from .tables import Assumptions, tables

HELP = {
    "rows_a_second": "of Zoho's Bulk Read jobs, which it does one after the other",
    "seconds_a_call": "that Zoho takes to answer a call",
    "modules": "of each organisation, equal in size",
    "columns": "of each module",
    "changed": "share of the rows that changed since the last run",
    "users": "licences, by which Zoho counts the credits a day",
    "cores": "of the machine",
    "memory": "of the machine, GB",
    "network": "MB a second",
    "parallel": "organisations at a time",
    "hour_price": "USD for an hour of the warehouse",
    "storage_price": "USD for a TB in the warehouse and a month",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    for field in dataclasses.fields(Assumptions):
        name, default = field.name, field.default
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(default), default=default, help=HELP[name]
        )
    given = Assumptions(**vars(parser.parse_args()))
    for name, lines in tables(given).items():
        print(f"{name}\n", *lines, "", sep="\n")


if __name__ == "__main__":
    main()
