"""A PostgreSQL that is reached by a directory of sockets: `postgresql://user@/db?host=/var/run/postgresql`."""

from __future__ import annotations

import getpass
from typing import Any

import dlt
from dlt.destinations.impl.postgres.configuration import PostgresCredentials


def socket_credentials(destination: str, pipeline_name: str) -> Any:
    """The configured credentials, if they name a directory of sockets in a way that dlt does not take; else None.

    dlt wants a host before the `/` and a password. PostgreSQL needs neither: the directory is the host, and an
    empty password means none.
    """
    given: list[Any] = [dlt.secrets.get(place) for place in _places(destination, pipeline_name)]
    text = next((one for one in given if one), None)
    if not isinstance(text, str) or not text.startswith(("postgresql:", "postgres:")):
        return None
    credentials = PostgresCredentials()
    try:
        credentials.parse_native_representation(text)
    except Exception:  # noqa: BLE001 - dlt tells what is wrong with it when it opens the destination
        return None
    query = dict(credentials.query or {})
    directory = credentials.host or query.pop("host", None)
    if not isinstance(directory, str) or not directory.startswith(("/", "%2F", "%2f")):
        return None
    credentials.host = directory.replace("/", "%2F")
    credentials.query = query
    credentials.username = credentials.username or getpass.getuser()
    credentials.password = credentials.password or ""
    return credentials


def _places(destination: str, pipeline_name: str) -> list[str]:
    places = (f"destination.{destination}.credentials", "destination.credentials", "credentials")
    return [f"{prefix}{place}" for place in places for prefix in (f"{pipeline_name}.", "")]
