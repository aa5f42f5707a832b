"""A peer: PyAirbyte with source-zoho-crm into its DuckDB cache, in a virtual environment of its own.

    python3.10 -m venv peer && peer/bin/pip install airbyte==0.71.3 airbyte-source-zoho-crm==0.1.2
    PYAIRBYTE=peer/bin/python make bench

The connector is the published one but for its table of hosts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["DO_NOT_TRACK"] = "1"
os.environ["AIRBYTE_OFFLINE_MODE"] = "1"  # no registry of connectors, no telemetry
REGION = "US"
HOSTS = ("PEER_ACCOUNTS_URL", "PEER_API_URL")


def connector(arguments: list[str]) -> None:
    """Be source-zoho-crm, with the two hosts of the region replaced."""
    from airbyte_cdk.entrypoint import launch
    from source_zoho_crm import SourceZohoCrm, api

    accounts, data = (os.environ[name] for name in HOSTS)
    api.ZohoAPI._DC_REGION_TO_ACCESS_URL = {REGION: accounts}
    api.ZohoAPI._DC_REGION_TO_API_URL = {REGION: data}
    launch(SourceZohoCrm(), arguments)


def load(connection: str, module: str, folder: Path) -> dict[str, Any]:
    """Load one module; an error is told, with the rows that landed all the same."""
    os.environ["AIRBYTE_LOGGING_ROOT"] = str(folder)
    import airbyte
    from airbyte.caches import DuckDBCache

    settings = dict(pair.split("=", 1) for pair in connection.split(";") if pair)
    os.environ.update(zip(HOSTS, (settings["AccountsServer"], settings["APIDomain"]), strict=True))
    start = folder / "connector.sh"
    start.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" connector "$@"\n')
    start.chmod(0o700)
    stream = f"incremental_{module.lower()}_zoho_crm_stream"
    cache = DuckDBCache(db_path=folder / "cache.duckdb", schema_name="zoho")
    config = {
        "client_id": settings["OAuthClientId"],
        "client_secret": settings["OAuthClientSecret"],
        "refresh_token": settings["OAuthRefreshToken"],
        "dc_region": REGION,
        "environment": "Production",
        "edition": "Ultimate",
    }
    begun, error = time.perf_counter(), None
    try:
        source = airbyte.get_source("source-zoho-crm", local_executable=start, config=config)
        source.select_streams([stream])
        source.read(cache=cache)
    except Exception as failure:  # noqa: BLE001 - how it fails is what is looked at
        error = told(failure)
    return {"seconds": time.perf_counter() - begun, "rows": landed(cache, stream), "error": error}


def told(failure: BaseException) -> str:
    """What the connector wrote into its log last, else PyAirbyte's own sentence."""
    log = getattr(failure, "log_file", None)
    words = f"{type(failure).__name__}: {str(failure).splitlines()[0]}"
    for line in log.read_text(errors="replace").splitlines() if log and log.is_file() else ():
        at = line.find('{"type":"TRACE"')
        error = json.loads(line[at:])["trace"].get("error") if at >= 0 else None
        if error:
            words = error.get("internal_message") or error["message"]
    return words


def landed(cache: Any, table: str) -> int:
    known = f"select count(*) as n from information_schema.tables where table_name = '{table}'"
    if not cache.run_sql_query(known)[0]["n"]:
        return 0
    return int(cache.run_sql_query(f'select count(*) as n from zoho."{table}"')[0]["n"])


if __name__ == "__main__":
    if sys.argv[1] == "connector":
        connector(sys.argv[2:])
    else:
        print(json.dumps(load(sys.argv[1], sys.argv[2], Path.cwd())))
