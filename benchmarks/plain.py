"""The plain way: download the same archives, unzip each, and let DuckDB's read_csv put it into a table.

Types are given, so that nothing is guessed. Nothing is checked, resumed or retried.
"""

from __future__ import annotations

import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import requests

TYPES = {
    "integer": "BIGINT",
    "double": "DOUBLE",
    "percent": "DOUBLE",
    "currency": "DECIMAL(38,9)",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "datetime": "TIMESTAMPTZ",
}


def main() -> None:
    connection, module, database = sys.argv[1:4]
    settings = dict(pair.split("=", 1) for pair in connection.split(";") if pair)
    with requests.Session() as http:
        http.headers["Authorization"] = f"Zoho-oauthtoken {access_token(http, settings)}"
        api = settings["APIDomain"]
        answer = http.get(f"{api}/crm/v8/settings/fields", params={"module": module}, timeout=60).json()
        types = {f["api_name"]: TYPES.get(f["data_type"], "VARCHAR") for f in answer["fields"]}
        types.pop("id")
        with duckdb.connect(database) as crm:
            load(http, api, module, types, crm)


def access_token(http: requests.Session, settings: dict[str, str]) -> str:
    form = {
        "grant_type": "refresh_token",
        "client_id": settings["OAuthClientId"],
        "client_secret": settings["OAuthClientSecret"],
        "refresh_token": settings["OAuthRefreshToken"],
    }
    answer = http.post(f"{settings['AccountsServer']}/oauth/v2/token", data=form, timeout=60)
    return str(answer.json()["access_token"])


def load(http: requests.Session, api: str, module: str, types: dict[str, str], crm: Any) -> None:
    statement = f"create table {module.lower()} as"
    for page in archives(http, api, module, ["id", *types]):
        with zipfile.ZipFile(page) as archive:
            text = archive.extract(archive.namelist()[0])
        given = str({"Id": "VARCHAR", **types})
        crm.execute(f"{statement} select * from read_csv('{text}', types={given})")
        Path(text).unlink()
        statement = f"insert into {module.lower()}"


def archives(http: requests.Session, api: str, module: str, names: list[str]) -> Iterator[str]:
    """The archives of all pages, one after the other, each as a file in the working folder."""
    query: dict[str, Any] | None = {"module": {"api_name": module}, "fields": names}
    while query is not None:
        made = http.post(f"{api}/crm/bulk/v8/read", json={"query": query}, timeout=60).json()
        job = made["data"][0]["details"]["id"]
        while (found := read_job(http, api, job))["state"] != "COMPLETED":
            time.sleep(1)
        url = api + found["result"]["download_url"]
        with http.get(url, stream=True, timeout=60) as answer, Path("page.zip").open("wb") as file:
            file.writelines(answer.iter_content(1 << 20))
        yield "page.zip"
        token = found["result"].get("next_page_token")
        query = {"page_token": token} if token else None


def read_job(http: requests.Session, api: str, job: str) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"{api}/crm/bulk/v8/read/{job}", timeout=60).json()["data"][0]
    return found


if __name__ == "__main__":
    main()
