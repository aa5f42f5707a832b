"""A peer: dlt's generic REST source on Zoho's Records API, as dlt's own documentation leads to it.

One resource, a cursor in the body, Parquet into DuckDB. 50 fields and 100,000 rows are as far as it reaches.
"""

from __future__ import annotations

import os
import sys

import dlt
import requests
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator
from dlt.sources.rest_api import rest_api_source

from benchmarks.plain import access_token


def main() -> None:
    connection, module, fields, database = sys.argv[1:5]
    settings = dict(pair.split("=", 1) for pair in connection.split(";") if pair)
    with requests.Session() as http:
        token = access_token(http, settings)  # it lives an hour, and nothing here renews it
    source = rest_api_source(
        {
            "client": {
                "base_url": f"{settings['APIDomain']}/crm/v8/",
                "headers": {"Authorization": f"Zoho-oauthtoken {token}"},
                "paginator": JSONResponseCursorPaginator("info.next_page_token", "page_token"),
            },
            "resources": [
                {
                    "name": module.lower(),
                    "primary_key": "id",
                    "write_disposition": "replace",
                    "endpoint": {
                        "path": module,
                        "params": {"fields": fields, "per_page": 200},
                        "data_selector": "data",
                    },
                }
            ],
        }
    )
    source.max_table_nesting = 0  # lookups and lists stay JSON: one table, and a little faster
    # What dlt's page on performance advises: files that a pool of processes can normalize side by side.
    dlt.config["sources.data_writer.file_max_items"] = 20_000
    dlt.config["normalize.workers"] = os.cpu_count() or 1
    pipeline = dlt.pipeline(
        "generic_rest",
        pipelines_dir="generic_rest",
        destination=dlt.destinations.duckdb(database),
        dataset_name="zoho",
    )
    pipeline.run(source, loader_file_format="parquet")
    with pipeline.sql_client() as sql:
        rows = sql.execute_sql(f"select count(*) from {sql.make_qualified_table_name(module.lower())}")
    print(rows[0][0] if rows else 0)


if __name__ == "__main__":
    main()
