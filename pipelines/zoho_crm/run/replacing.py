"""How new rows take the place of old ones, so that a table is never lost and never half full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal

import dlt
from dlt.common.destination.exceptions import DestinationUndefinedEntity

Disposition = Literal["replace", "append"]

STAGED = "insert-from-staging"


@contextmanager
def safe_replace(pipeline: dlt.Pipeline, tables: Sequence[str]) -> Iterator[Disposition]:
    """Yields the disposition to load with, and takes the old rows away afterwards where dlt would first.

    In a database, a table that exists is replaced from a staging table in one transaction; a new one is
    filled by one statement, which is as safe and half the work. Files are added, then the old ones go:
    dlt deletes them before, and a full disk would leave nothing.
    """
    destination = pipeline.destination
    if destination is None or not tables:
        yield "replace"
        return
    capabilities = destination.capabilities()
    destination.config_params.pop("replace_strategy", None)
    with pipeline.destination_client() as client:
        old_files = _files(client, tables)
        exists = old_files is None and _any_exists(client, tables)
    if old_files is not None:
        try:
            yield "append"
        except BaseException:
            with pipeline.destination_client() as client:
                _remove(client, set(_files(client, tables) or ()) - old_files)
            raise
        with pipeline.destination_client() as client:
            _remove(client, old_files)
        return
    if exists and STAGED in (capabilities.supported_replace_strategies or ()):
        destination.config_params["replace_strategy"] = STAGED
    yield "replace"


def _any_exists(client: Any, tables: Sequence[str]) -> bool:
    if not hasattr(client, "get_storage_tables") or not client.is_storage_initialized():
        return False
    return any(columns for _, columns in client.get_storage_tables(list(tables)))


def _files(client: Any, tables: Sequence[str]) -> set[str] | None:
    """The files of the tables; None where the destination keeps none."""
    if not hasattr(client, "list_table_files") or not hasattr(client, "fs_client"):
        return None
    found: set[str] = set()
    for table in tables:
        with suppress(DestinationUndefinedEntity):  # a new table
            found.update(client.list_table_files(table))
    return found


def _remove(client: Any, paths: Iterable[str]) -> None:
    for path in paths:
        client.fs_client.rm(path)
