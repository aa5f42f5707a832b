"""The dlt resource of one table that the program has read: a file that takes the place of rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dlt
from dlt.common.schema.typing import TWriteDispositionConfig
from dlt.extract import DltResource

from sources.zoho_crm.arrow import twins_of
from sources.zoho_crm.columns import Column, arrow_schema
from sources.zoho_crm.memory import remember_reading
from sources.zoho_crm.reading import Reading, must_be_read

logger = logging.getLogger("zoho_crm")


def table_resource(
    table: str,
    columns: tuple[Column, ...],
    read: Callable[[], Iterator[Reading]],
    disposition: TWriteDispositionConfig = "replace",
    extra: Mapping[str, Any] | None = None,
) -> DltResource:
    """The resource of one table: by default it replaces the table by one file in one statement.

    A reading that failed raises ReadFailed. One that Zoho does not offer leaves the table as it is.
    The columns are those of the file: a field that an API refuses is none. `extra` are hints of columns that
    are no field's.
    """

    def rows() -> Iterator[Any]:
        for reading in read():
            if reading.status in ("kept", "skipped"):
                log = logger.info if reading.status == "kept" else logger.warning
                log("%s is left as it is: %s", reading.name, reading.error or reading.reason)
                unchanged = dlt.mark.make_hints(write_disposition="append")
                yield dlt.mark.with_hints(arrow_schema(columns).empty_table(), unchanged)
                continue
            spooled = reading.landed or must_be_read(reading)
            remember_reading(dlt.current.source_state(), reading)
            # The types of every column are given, so that dlt takes the file as it is.
            hints = dlt.mark.make_hints(
                columns={
                    **_hints(reading.columns, reading.key, reading.part_by),
                    **_twin_hints(reading),
                    **(extra or {}),
                }
            )
            yield dlt.mark.with_file_import(str(spooled.path), "parquet", spooled.rows, hints)

    return dlt.resource(rows, name=table, write_disposition=disposition)


def _hints(columns: tuple[Column, ...], key: tuple[str, ...], part_by: str | None) -> dict[str, Any]:
    hints: dict[str, Any] = {c.name: {"name": c.name, "data_type": c.kind.dlt_type} for c in columns}
    for name in key:
        if name in hints:
            hints[name].update(nullable=False, primary_key=True)
    if part_by is not None:
        hints[part_by].update(merge_key=True)
    return hints


def _twin_hints(reading: Reading) -> dict[str, Any]:
    return {name: {"name": name, "data_type": "text"} for name in twins_of(must_be_read(reading).schema)}
