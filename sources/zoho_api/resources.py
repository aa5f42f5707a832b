"""The resources that a connector file declares, as dlt's `rest_api` takes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from dlt.common import jsonpath
from dlt.common.exceptions import DltException
from dlt.extract import DltSource
from dlt.sources.rest_api import rest_api_source

from ..zoho_crm.exceptions import ExtractError
from .authentication import SignedForDlt
from .connector import (
    Connector,
    ConnectorError,
    Resource,
    endpoint_of,
    map_texts,
    name_for_child,
    name_for_deletions,
    path_of,
    placeholders,
)
from .discovery import columns_of
from .keys import FirstOfEach, KeyCheck, Parent
from .paginators import PAGINATORS, ModifiedTimePaginator, own_paginator, parse_time
from .service import Service
from .session import AnswerCheck, DeletionsCheck

DELETED_AT = "_deleted_at"  # no name of a Zoho field begins so
TOMBSTONE: dict[str, Any] = {DELETED_AT: {"data_type": "timestamp", "hard_delete": True}}
UTC = "%Y-%m-%dT%H:%M:%S.%f"  # with milliseconds and a Z: sorts as a text


def source_of(service: Service, resources: Sequence[str] | None = None, *, whole: bool = False) -> DltSource:
    """The dlt source of a service's resources; `whole` as for `zoho_api`."""
    connector = service.connector
    named = list(resources) if resources else connector.default_resources
    defaults = service.fill(deepcopy(dict(connector.resource_defaults)))
    client = service.fill(deepcopy(dict(connector.client)))
    for general in (client, defaults.get("endpoint") or {}):
        if isinstance(general.get("paginator"), dict) and general["paginator"].get("type") in PAGINATORS:
            del general["paginator"]  # each resource has one of its own
    auth = None if service.auth is None else SignedForDlt(service.auth)
    chosen = {name: connector.resource(name) for name in named}
    parents = [one for name in named for one in _parents_of(connector, connector.resource(name))]
    config = {
        "client": {**client, "auth": auth, "session": service.session.http},
        "resource_defaults": defaults,
        "resources": [
            *(_resource(service, one, config, defaults, whole) for one, config in parents),
            *(
                _resource(service, one, _with_parent_names(connector, one, one.name), defaults, whole)
                for one in chosen.values()
            ),
            *(_deletions(service, one, defaults) for one in chosen.values() if one.deletions and not whole),
        ],
    }
    try:
        source = rest_api_source(config, name=f"zoho_{connector.name}", max_table_nesting=0)  # type: ignore[arg-type]
    except (DltException, ValueError, TypeError, NotImplementedError, AttributeError) as error:
        raise _refused_by_dlt(connector, [one["name"] for one in config["resources"]], error) from error
    source.schema.update_preferred_types({f"re:{name}": kind for name, kind in connector.types.items()})  # type: ignore[misc]
    return source


def _refused_by_dlt(connector: Connector, names: Sequence[str], error: Exception) -> ConnectorError:
    """What dlt says of the most particular part that is wrong, with the resource that it is in."""
    number = re.search(r"resources\[(\d+)\]", str(error))
    name = names[int(number[1])].partition("_for_")[0] if number else ""
    line = next((f", line {one.line}" for one in connector.resources if one.name == name), "")
    while nested := getattr(error, "nested_exceptions", None):
        error = max(nested, key=lambda one: len(str(getattr(one, "path", ""))))
    text = re.sub(r"^Path `[^`]*`: ", "", " ".join(str(error).split()))
    return ConnectorError(f"{connector.file}{line}: {f'{name}: ' if name else ''}{text[:300]}")


def _parents_of(connector: Connector, child: Resource) -> list[tuple[Resource, dict[str, Any]]]:
    """The resources from whose rows one is read, each with its configuration as a resource of the child's own.

    So each has a cursor of its own: what a run reads for one table is not lost for another.
    """
    found: list[tuple[Resource, dict[str, Any]]] = []
    reader = child
    for name in connector.ancestors(child):
        one = connector.resource(name)
        config = {
            **_with_parent_names(connector, one, child.name),
            "name": name_for_child(one.name, child.name),
            "selected": False,
        }
        config["endpoint"] = {"path": one.name, **endpoint_of(config)}
        config["processing_steps"] = [*config.get("processing_steps", []), {"map": _for_paths(reader)}]
        found.append((one, config))
        reader = one
    return found


def _columns_in_path(child: Resource) -> list[str]:
    """The parent's columns that stand in the path of its children, each once."""
    names = placeholders(path_of(child.config, child.name))
    return list(dict.fromkeys(name.split(".", 2)[2] for name in names if name.startswith("resources.")))


def _in_path(number: int) -> str:
    """The column of a parent's row with a value as it stands in a path; the row is read for its children alone."""
    return f"_in_path_{number}"


def _for_paths(child: Resource) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A step that adds to a parent's row what stands in its children's path: a slash in it begins no new part."""

    columns = _columns_in_path(child)

    def step(row: dict[str, Any]) -> dict[str, Any]:
        added = {}
        for number, column in enumerate(columns):
            found = jsonpath.find_values(column, row)
            if not found:
                raise ExtractError(
                    f"a row of {child.parent} has no {column}, which the path of {child.name} needs; it has {', '.join(row)}"
                )
            added[_in_path(number)] = quote(str(found[0]), safe="")
        return {**row, **added}

    return step


def _with_parent_names(connector: Connector, one: Resource, child: str) -> dict[str, Any]:
    """The configuration with placeholders of the parent's own copy, and columns as if there were none; it is read.

    The columns that tell parents apart come along where a primary key is to be checked, which takes them out again.
    """
    if one.parent is None:
        return {**one.config, "selected": True}
    own = name_for_child(one.parent, child)
    endpoint = _replaced(endpoint_of(one.config), f"resources.{one.parent}.", f"resources.{own}.")
    endpoint["path"] = path_of(one.config, one.name)
    for number, column in enumerate(_columns_in_path(one)):
        of_parent = re.compile(rf"\$\{{\s*resources\.{re.escape(one.parent)}\.{re.escape(column)}\s*\}}")
        endpoint["path"] = of_parent.sub(f"${{resources.{own}.{_in_path(number)}}}", endpoint["path"])
    steps = [*one.config.get("processing_steps", []), {"map": _renamed(f"_{own}_", f"_{one.parent}_")}]
    checked = one.parent_columns if _key_of({**connector.resource_defaults, **one.config}) else ()
    included = [*one.config.get("include_from_parent", []), *checked]
    return {
        **one.config,
        "endpoint": endpoint,
        "processing_steps": steps,
        "include_from_parent": list(dict.fromkeys(included)),
        "selected": True,
    }


def _renamed(old: str, new: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A step that names the columns that come from the parent's row."""
    return lambda row: {
        f"{new}{name[len(old) :]}" if name.startswith(old) else name: value for name, value in row.items()
    }


def _resource(
    service: Service,
    resource: Resource,
    written: Mapping[str, Any],
    defaults: Mapping[str, Any],
    whole: bool,
) -> dict[str, Any]:
    """dlt's configuration of one resource, or of a copy of it that is written otherwise than in the file."""
    config: dict[str, Any] = service.fill(deepcopy(dict(written)))
    endpoint = _endpoint(service, resource, config)
    types = columns_of(service, resource)
    steps: list[Any] = [{"map": nulls_for_empty_texts}] if service.connector.empty_text_is_null else []
    incremental = endpoint.pop("incremental", None)
    cursor = None if incremental is None else str(incremental["cursor_path"])
    if cursor is not None:
        convert = _time_format(service, resource, incremental.get("convert"))
        if whole:
            endpoint = _replaced(
                endpoint, "{incremental.start_value}", convert(str(incremental["initial_value"]))
            )
        else:
            endpoint["incremental"] = {
                "on_cursor_value_missing": "include",
                **incremental,
                "convert": convert,
            }
        steps.append({"map": in_utc(cursor)})
        types |= _latest(cursor, is_text=isinstance(incremental["initial_value"], str))
        if resource.deletions and not whole:
            types |= TOMBSTONE
    if types:
        config["columns"] = {**types, **(config.get("columns") or {})}
    steps += config.get("processing_steps", [])
    if whole:
        config["write_disposition"] = "replace"
    config = {**config, "endpoint": endpoint}
    steps += _key_steps(service, resource, {**defaults, **config}, cursor)
    return {**config, "processing_steps": steps}


def _key_steps(
    service: Service, resource: Resource, config: Mapping[str, Any], cursor: str | None
) -> list[Any]:
    """The steps of a resource with a primary key: it has to tell rows apart, and rows that come twice are left out."""
    names, endpoint = _key_of(config), config["endpoint"]
    if not names:
        return []
    check = _key_check(service, resource, names, cursor, endpoint.get("paginator"))
    next(one for one in endpoint["response_actions"] if isinstance(one, AnswerCheck)).keys = check
    if cursor is None and _disposition(config) != "replace":
        return [{"map": check}]
    # Each version of a row once, the destination keeps the newest.
    versions = [str(cursor)] if "incremental" in endpoint else []
    return [{"map": check}, {"filter": FirstOfEach([*names, *versions])}]


def _key_check(
    service: Service, resource: Resource, names: Sequence[str], cursor: str | None, paginator: Any
) -> KeyCheck:
    parent = None
    if resource.parent is not None:
        included = tuple(resource.config.get("include_from_parent", ()))
        parent = Parent(resource.parent, resource.parent_columns, included)
    overlaps = isinstance(paginator, tuple(PAGINATORS.values()))
    return KeyCheck(
        resource.name,
        tuple(names),
        parent,
        cursor,
        service.session.clock.now() - timedelta(days=1),  # times without a zone may be hours off
        repeats=overlaps or not service.connector.reads_all(resource),
    )


def _latest(cursor: str, *, is_text: bool = True) -> dict[str, Any]:
    """The hint by which, of a row that comes twice in a run as it was changed meanwhile, the newest one is kept.

    A cursor that is a number, as Unix time is, stays one.
    """
    return {cursor: {"dedup_sort": "desc", **({"data_type": "timestamp"} if is_text else {})}}


def _deletions(service: Service, resource: Resource, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """dlt's configuration of the list of a table's deleted rows, each of which takes a row out of the table.

    A row that came back meanwhile has changed later than it was deleted, so it stays.
    """
    declared = deepcopy(dict(resource.deletions or {}))
    endpoint = service.fill(declared["endpoint"])
    key = _key_of({**defaults, **resource.config})
    cursor = str(resource.config["endpoint"]["incremental"]["cursor_path"])
    incremental = endpoint["incremental"]
    time = str(incremental["cursor_path"])
    convert = _time_format(service, resource, incremental.get("convert"))
    selector = endpoint.get("data_selector") or (defaults.get("endpoint") or {}).get("data_selector")
    # What was deleted before a table was first read was never in it.
    begin = service.session.clock.now() - timedelta(days=1)
    return {
        "name": name_for_deletions(resource.name),
        "table_name": resource.config.get("table_name") or resource.name,
        "write_disposition": "merge",
        "primary_key": key,
        "columns": {**_latest(cursor), **TOMBSTONE},
        "endpoint": {
            **endpoint,
            "incremental": {
                **incremental,
                "cursor_path": DELETED_AT,
                "initial_value": f"{begin.strftime(UTC)[:-3]}Z",
                # A second earlier: others may have been deleted in that of the latest one.
                "convert": lambda value: convert((parse_time(value) - timedelta(seconds=1)).isoformat()),
            },
            "response_actions": [DeletionsCheck(selector, service.refused_deletions, resource.name)],
        },
        "processing_steps": [
            {"map": in_utc(time)},
            {
                "map": lambda row: {
                    **{name: row.get(name) for name in key},
                    cursor: row[time],
                    DELETED_AT: row[time],
                }
            },
        ],
    }


def _key_of(config: Mapping[str, Any]) -> list[str]:
    """The columns of a resource's primary key."""
    key = config.get("primary_key") or []
    return [key] if isinstance(key, str) else list(key)


def _disposition(config: Mapping[str, Any]) -> Any:
    found = config.get("write_disposition")
    return found.get("disposition") if isinstance(found, Mapping) else found


def _endpoint(service: Service, resource: Resource, config: Mapping[str, Any]) -> dict[str, Any]:
    """The endpoint with our paginator, the checks of its answers and, where it needs none, no organisation."""
    endpoint = endpoint_of(config)
    connector, clock = service.connector, service.session.clock
    check = service.check_of(resource.name)
    try:
        paginator = own_paginator(service.paginator_of(resource.name), lambda: clock.now())
    except TypeError as error:
        words = str(error).rpartition("() ")[2]
        raise ConnectorError(
            f"{connector.file}, line {resource.line}: the paginator of {resource.name} {words}"
        ) from None
    organization = connector.organization
    if organization is not None and service.signer is not None and endpoint.get("path") == organization.path:
        endpoint["auth"] = SignedForDlt(service.signer)  # the list of organisations names none
    if paginator is not None:
        endpoint["paginator"] = paginator
        check.repeats = isinstance(paginator, ModifiedTimePaginator)
    endpoint["response_actions"] = [*endpoint.get("response_actions", []), check]
    return endpoint


def _time_format(service: Service, resource: Resource, name: Any) -> Callable[[str], str]:
    if name is None:
        return str
    if name not in TIME_FORMATS:
        raise ConnectorError(
            f"{service.connector.file}, line {resource.line}: convert has to be {' or '.join(TIME_FORMATS)}"
        )
    return TIME_FORMATS[name]


def _replaced(value: Any, old: str, new: str) -> Any:
    """A part of an endpoint in which a text stands in place of another."""
    return map_texts(value, lambda text: text.replace(old, new))


def nulls_for_empty_texts(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value == "" else value for name, value in row.items()}


def in_utc(column: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A step that spells a time in UTC: cursors are compared as texts, and a service's zone changes in summer."""

    def step(row: dict[str, Any]) -> dict[str, Any]:
        if isinstance(row.get(column), str):
            row[column] = f"{parse_time(row[column]).strftime(UTC)[:-3]}Z"
        return row

    return step


# What a cursor's value becomes in a request, by the names that a file may write under `convert`.
TIME_FORMATS: Mapping[str, Callable[[str], str]] = {
    "offset_without_colon": lambda time: parse_time(time).strftime("%Y-%m-%dT%H:%M:%S+0000"),
    "offset_with_colon": lambda time: parse_time(time).isoformat(timespec="seconds"),
    "date": lambda time: parse_time(time).strftime("%Y-%m-%d"),
}
