"""Runs in Dagster's environment: materializes the assets of `definitions.py` once for each line of the input.

A line names the assets; an empty one means all.
"""

from __future__ import annotations

import sys

import dagster
from definitions import defs, zoho_crm_assets  # the page's example, in the working directory


def main() -> None:
    print("@ loaded", flush=True)  # noqa: T201 - what the test waits for
    for line in sys.stdin:
        chosen = [dagster.AssetKey(name) for name in line.split()] or None
        result = dagster.materialize([zoho_crm_assets], selection=chosen, resources=defs.resources)
        events = result.get_asset_materialization_events()
        names = sorted(event.asset_key.to_user_string() for event in events)
        print("@", "done" if result.success else "failed", *names, flush=True)  # noqa: T201


main()
