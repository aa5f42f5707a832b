"""Which table looks up which: from the table `fields`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..freshness import DestinationView, parsed


@dataclass(frozen=True)
class Lookup:
    """Columns of a table that hold ids of another one's rows."""

    table: str
    target: str
    columns: tuple[str, ...]


def lookups(look: DestinationView) -> list[Lookup]:
    """Without owners and other users, whom every table names."""
    wanted = ["module", "api_name", "data_type", "column_name", "lookup", "multi_module_lookup"]
    tables = look.memory.tables
    found: dict[tuple[str, str], list[str]] = {}
    for row in look.rows("fields", wanted):
        if row["module"] not in tables or not row["column_name"]:
            continue
        for target in _targets(row):
            if target in tables:
                columns = found.setdefault((tables[row["module"]], tables[target]), [])
                columns.append(str(row["column_name"]))
    return [
        Lookup(table, target, tuple(sorted(columns))) for (table, target), columns in sorted(found.items())
    ]


def _targets(row: Mapping[str, Any]) -> Iterator[str]:
    """The modules that a lookup may point to."""
    one = parsed(row["lookup"])
    if row["data_type"] == "lookup" and isinstance(one, Mapping):
        yield from _name(one.get("module"))
    many = parsed(row["multi_module_lookup"])
    for module in many.get("modules") or () if isinstance(many, Mapping) else ():
        yield from _name(module)


def _name(module: Any) -> Iterator[str]:
    """A module is named, or is an object that holds its name."""
    name = module.get("api_name") if isinstance(module, Mapping) else module
    if isinstance(name, str):
        yield name
