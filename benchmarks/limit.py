"""The road's parts alone: download, pyarrow's CSV reader, one Parquet file, one statement of DuckDB's.

No dlt, no metadata but the types, no check, no state: what is left is the work that cannot be saved.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import requests
from pyarrow import csv

from benchmarks.plain import TYPES, access_token, archives

ARROW = {
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "DECIMAL(38,9)": pa.decimal128(38, 9),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMPTZ": pa.timestamp("us", "UTC"),
}
GROUP = 122_880


def main() -> None:
    connection, module, database = sys.argv[1:4]
    settings = dict(pair.split("=", 1) for pair in connection.split(";") if pair)
    with requests.Session() as http:
        http.headers["Authorization"] = f"Zoho-oauthtoken {access_token(http, settings)}"
        url = f"{settings['APIDomain']}/crm/v8/settings/fields"
        fields = http.get(url, params={"module": module}, timeout=60).json()["fields"]
        names = [f["api_name"] for f in fields]
        types = {f["api_name"]: ARROW.get(TYPES.get(f["data_type"], ""), pa.string()) for f in fields}
        types["Id"] = types.pop("id", pa.string())
        convert(archives(http, settings["APIDomain"], module, names), types)
    with duckdb.connect(database) as crm:
        crm.execute(f"create table {module.lower()} as select * from read_parquet('all.parquet')")


def convert(zips: Any, types: dict[str, pa.DataType]) -> None:
    writer, pending, rows = None, [], 0
    for page in zips:
        with zipfile.ZipFile(page) as archive, archive.open(archive.namelist()[0]) as member:
            for batch in csv.open_csv(
                member,
                read_options=csv.ReadOptions(block_size=2 << 20),
                parse_options=csv.ParseOptions(newlines_in_values=True),
                convert_options=csv.ConvertOptions(
                    column_types=types, null_values=[""], strings_can_be_null=True
                ),
            ):
                writer = writer or pq.ParquetWriter("all.parquet", batch.schema, use_dictionary=False)
                pending.append(batch)
                rows += batch.num_rows
                if rows >= GROUP:
                    table = pa.Table.from_batches(pending)
                    writer.write_table(table.slice(0, GROUP), row_group_size=GROUP)
                    pending, rows = table.slice(GROUP).to_batches(), rows - GROUP
        Path(page).unlink()
    if writer is not None:
        writer.write_table(pa.Table.from_batches(pending, writer.schema))
        writer.close()


if __name__ == "__main__":
    main()
