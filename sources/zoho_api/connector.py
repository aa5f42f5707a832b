"""Connector files: a service's APIs in dlt's vocabulary for REST APIs, with what Zoho needs beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar

import yaml
from dlt.common.data_types.typing import DATA_TYPES
from dlt.sources.rest_api.config_setup import PAGINATOR_MAP
from dlt.sources.rest_api.typing import ClientConfig, Endpoint, EndpointResource, IncrementalConfig

from ..zoho_crm.auth.data_centers import origin
from ..zoho_crm.exceptions import SettingsError, suggest
from .paginators import PAGINATORS

SECTION = "sources.zoho_api"
SUFFIXES = (".yaml", ".yml")
PLACEHOLDER = re.compile(r"\$\{\s*([^{}]*?)\s*\}")
LOOPBACK = ("127.0.0.1", "::1", "localhost")  # may be called without encryption
CURSORS = tuple(f"incremental.{kind}_value" for kind in ("start", "initial", "last", "end"))  # dlt's
GIVEN = frozenset({"host"})  # placeholders that every connector has


class ConnectorError(SettingsError):
    """A connector file is wrong; the message names file, line and key."""


@dataclass(frozen=True)
class Organization:
    """How a service is told which organisation is meant, and where its id is asked for."""

    path: str
    selector: str
    id: str = "organization_id"
    name: str = "name"
    header: str | None = None
    param: str | None = None


@dataclass(frozen=True)
class Authentication:
    """`zoho`: the CRM's own tokens. `oauth2`: any provider with an authorization code and a refresh token."""

    type: str
    scopes: tuple[str, ...] = ()
    authorization_url: str = ""
    token_url: str = ""
    refresh_url: str = ""
    redirect_url: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)  # more of the authorization URL


@dataclass(frozen=True)
class Credits:
    """What calls cost where a service counts credits: so many, or what an answer's header says."""

    a_call: int = 1
    header: str | None = None
    remaining_header: str | None = None


@dataclass(frozen=True)
class ForEach:
    """One table of each row of another resource: which rows, and how their tables are called."""

    resource: str
    table_name: str  # the column that names the table
    when: str | None = None  # a column that has to be true
    columns: Mapping[str, Any] | None = None  # where the types of the table's columns come from


@dataclass(frozen=True)
class Resource:
    """One table: dlt's configuration of it, and what we say of it."""

    name: str
    config: Mapping[str, Any]
    line: int
    description: str = ""
    scopes: tuple[str, ...] = ()
    price: str = ""  # what it takes, where that is more than a call a page
    credits: int | None = None  # what a call of it costs, where that is not what others cost
    full_refresh_days: int | None = None  # its deletions are seen by reading it whole, this often
    deletions: Mapping[str, Any] | None = None  # the call that lists what was deleted
    for_each: ForEach | None = None  # one table of each row of another resource
    each: Mapping[str, Any] = field(default_factory=dict)  # the row that it is the table of

    @property
    def is_template(self) -> bool:
        """Whether it stands for tables that only the service can name."""
        return self.for_each is not None and not self.each

    @property
    def parents(self) -> frozenset[str]:
        names = placeholders(self.config.get("endpoint", {}))
        return frozenset(name.split(".")[1] for name in names if name.startswith("resources."))

    @property
    def parent(self) -> str | None:
        """The resource from whose rows the placeholders of this one are filled."""
        return next(iter(self.parents), None)

    @property
    def parent_columns(self) -> tuple[str, ...]:
        """The parent's columns from which its placeholders are filled."""
        names = placeholders(self.config.get("endpoint", {}))
        found = (name.split(".")[2] for name in names if name.startswith("resources."))
        return tuple(dict.fromkeys(re.split(r"[\[.]", name)[0] for name in found))

    @property
    def is_incremental(self) -> bool:
        return "incremental" in self.config.get("endpoint", {})

    @property
    def mode(self) -> str:
        """How later runs read it: `changes`, `whole`, or `children` of the rows that its parent brings."""
        if self.parent is not None:
            return "children"
        return "changes" if self.is_incremental else "whole"


@dataclass(frozen=True)
class Connector:
    """A connector file that was read and checked."""

    name: str
    title: str
    file: str
    authentication: Authentication
    hosts: Mapping[str, str]  # region -> URL; "" for all regions
    resources: tuple[Resource, ...]
    client: Mapping[str, Any]
    resource_defaults: Mapping[str, Any]
    parameters: Mapping[
        str, Any
    ]  # placeholders that somebody may fill, with their defaults (None: there is none)
    documentation: str = ""
    organization: Organization | None = None
    calls_per_minute: int | None = None
    credits: Credits | None = None
    decimal_numbers: bool = False
    empty_text_is_null: bool = False
    types: Mapping[str, str] = field(default_factory=dict)  # pattern of a column's name -> dlt's type

    def resource(self, name: str) -> Resource:
        """Raises ConnectorError for a name that is none of its resources."""
        for one in self.resources:
            if one.name == name:
                return one
        near = suggest(name, [one.name for one in self.resources])
        raise ConnectorError(
            f"{self.name} has no resource {name}" + (f": did you mean {near}?" if near else "")
        )

    def ancestors(self, resource: Resource) -> list[str]:
        """The names of the resources that it is read from, the nearest first."""
        found: list[str] = []
        while resource.parent is not None:
            found.append(resource.parent)
            resource = self.resource(resource.parent)
        return found

    def reads_all(self, resource: Resource) -> bool:
        """Whether every run reads all rows of it: neither it nor what it is read from has a cursor."""
        chain = [resource, *map(self.resource, self.ancestors(resource))]
        return not any(one.is_incremental for one in chain)

    @property
    def is_discovered(self) -> bool:
        """Whether its tables are not all known before a service is asked."""
        return any(one.is_template for one in self.resources)

    def has_all(self, names: Iterable[str]) -> bool:
        """Whether the file itself names all of these resources."""
        return set(names) <= {one.name for one in self.resources if not one.is_template}

    def price_of(self, resource: Resource) -> str:
        """What a resource takes, for people."""
        if resource.price or self.credits is None:
            return resource.price or "a call a page"
        credits = resource.credits or self.credits.a_call
        return "a credit a page" if credits == 1 else f"{credits} credits a page"

    @property
    def default_resources(self) -> list[str]:
        """Those that are read if none is named."""
        return [one.name for one in self.resources if one.config.get("selected", True)]


def list_connectors() -> list[str]:
    """The names of the connectors that come with the program."""
    found = (entry.name for entry in files(__package__).joinpath("connectors").iterdir())
    return sorted(Path(name).stem for name in found if name.endswith(SUFFIXES))


def load_connector(name: str | Path) -> Connector:
    """A connector by its name, or from a file of your own. Raises ConnectorError."""
    known = list_connectors()
    if str(name) in known:
        text = files(__package__).joinpath("connectors").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
        return read_connector(text, f"{name}.yaml", str(name))
    path = Path(name)
    if path.suffix not in SUFFIXES:
        near = suggest(str(name), known)
        raise ConnectorError(
            f"there is no connector {name}"
            + (f": did you mean {near}?" if near else "")
            + f" There are {', '.join(known)}, and files of your own that end in .yaml."
        )
    try:
        return read_connector(path.read_text(encoding="utf-8"), path.name, path.stem)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise ConnectorError(f"{path} cannot be read: {reason}") from None


def placeholders(value: Any) -> list[str]:
    """The names in `${...}`, in all texts of a value."""
    return [name for _, text in _texts(value, ()) for name in PLACEHOLDER.findall(text)]


def map_texts(value: Any, change: Callable[[str], Any]) -> Any:
    """A copy of a part of a configuration in which each text is changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: map_texts(one, change) for key, one in value.items()}
    if isinstance(value, list):
        return [map_texts(one, change) for one in value]
    return value


def endpoint_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """A resource's endpoint as keys and values; a text is its path."""
    endpoint = config.get("endpoint") or {}
    return {"path": endpoint} if isinstance(endpoint, str) else dict(endpoint)


def path_of(config: Mapping[str, Any], name: str) -> str:
    """A resource's path: its name, if the file gives none."""
    return str(endpoint_of(config).get("path", name))


def name_for_child(parent: str, child: str) -> str:
    """What a parent is called as it is read for one of its children, with a cursor of its own."""
    return f"{parent}_for_{child}"


def name_for_deletions(resource: str) -> str:
    """What the list of a resource's deleted rows is called, which has a cursor of its own."""
    return f"{resource}_deletions"


def setting_key(connector: str, name: str) -> str:
    """The key of a connector's setting in dlt's configuration."""
    return f"{SECTION}.{connector}.{name}"


def environment_name(key: str) -> str:
    """What a key of dlt's configuration is called in the environment."""
    return key.upper().replace(".", "__")


# ---- what a file may hold: keys, each with its type

KEYS: Mapping[str, type | tuple[type, ...]] = {
    "title": str,
    "documentation": str,
    "authentication": dict,
    "host": (str, dict),
    "organization": dict,
    "calls_per_minute": int,
    "credits": dict,
    "decimal_numbers": bool,
    "empty_text_is_null": bool,
    "types": dict,
    "parameters": dict,
    "client": dict,
    "resource_defaults": dict,
    "resources": list,
}
AUTHENTICATION_KEYS: Mapping[str, type] = {
    "type": str,
    "scopes": list,
    "authorization_url": str,
    "token_url": str,
    "refresh_url": str,
    "redirect_url": str,
    "parameters": dict,
}
ORGANIZATION_KEYS: Mapping[str, type] = dict.fromkeys(
    ("path", "selector", "id", "name", "header", "param"), str
)
OUR_RESOURCE_KEYS: Mapping[str, type] = {
    "name": str,
    "description": str,
    "scopes": list,
    "price": str,
    "credits": int,
    "full_refresh_days": int,
    "deletions": dict,
    "for_each": dict,
}
CREDITS_KEYS: Mapping[str, type] = {"a_call": int, "header": str, "remaining_header": str}
FOR_EACH_KEYS: Mapping[str, type] = {"resource": str, "table_name": str, "when": str, "columns": dict}
COLUMNS_KEYS: Mapping[str, type] = {"resource": str, "name": str, "data_type": str, "types": dict}
DELETIONS_KEYS: Mapping[str, type] = {"endpoint": dict, "credits": int}
# dlt's own keys; what may be in them dlt checks itself.
ENDPOINT_KEYS = dict.fromkeys(Endpoint.__annotations__, object)
INCREMENTAL_KEYS = dict.fromkeys(IncrementalConfig.__annotations__, object) | dict.fromkeys(
    ("cursor_path", "initial_value", "end_value", "lag", "row_order", "on_cursor_value_missing"), object
)
DLT_RESOURCE_KEYS = dict.fromkeys(
    {*EndpointResource.__annotations__, "name", "endpoint", "include_from_parent"}
    | {
        "primary_key",
        "merge_key",
        "write_disposition",
        "columns",
        "selected",
        "max_table_nesting",
        "table_name",
    }
    | {"parallelized", "schema_contract", "references"},
    object,
) | {"primary_key": (str, list), "merge_key": (str, list)}
# The keys of each paginator, dlt's and ours.
PAGINATOR_KEYS: Mapping[str, tuple[str, ...]] = {
    name: tuple(key for key in signature(one).parameters if key != "now") if one else ()
    for name, one in {**PAGINATOR_MAP, **PAGINATORS}.items()
}
CLIENT_KEYS = {key: object for key in ClientConfig.__annotations__ if key not in ("auth", "session")}


def read_connector(text: str, file: str, name: str) -> Connector:
    """The connector in a text of YAML.

    Args:
        text: The file's content.
        file: Its name, for messages.
        name: What the connector is called.

    Raises:
        ConnectorError: The text is no YAML, or no connector; names file, line and the nearest key.
    """
    return _Reader(text, file).connector(name)


class _Yaml(yaml.SafeLoader):  # type: ignore[misc]
    """YAML 1.2's idea of what is true: `no`, `on` and their like are texts, as they may well be columns' names."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        letter: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
        for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Yaml.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), ["t", "f"])


class _Reader:
    """Checks a file, with the line of each key."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        try:
            node = yaml.compose(text, Loader=_Yaml)
            self.data: Any = yaml.load(text, Loader=_Yaml)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            problem = " ".join(str(getattr(error, "problem", None) or "it is no YAML").split())
            raise ConnectorError(f"{file}, line {line}: {problem}") from None
        self.lines = dict(_lines(node, ())) if node is not None else {}

    def error(self, path: tuple[Any, ...], text: str) -> ConnectorError:
        while path and path not in self.lines:
            path = path[:-1]
        return ConnectorError(f"{self.file}, line {self.lines.get(path, 1)}: {text}")

    def connector(self, name: str) -> Connector:
        data = self._table((), self.data, KEYS)
        self._need((), data, ("authentication", "host", "client", "resources"))
        self._client(data["client"])
        self._check_encryption(data)
        parameters = dict(data.get("parameters", {}))
        resources = [self._resource(n, one, data) for n, one in enumerate(data["resources"])]
        self._check_names(resources)
        self._check_parents(resources)
        self._check_placeholders(data, resources, parameters)
        host = data["host"]
        connector = Connector(
            name=name,
            title=data.get("title", name),
            file=self.file,
            documentation=data.get("documentation", ""),
            authentication=self._authentication(data["authentication"]),
            hosts={"": host} if isinstance(host, str) else {str(k): str(v) for k, v in host.items()},
            organization=self._organization(data.get("organization")),
            calls_per_minute=data.get("calls_per_minute"),
            credits=self._credits(data.get("credits")),
            decimal_numbers=data.get("decimal_numbers", False),
            empty_text_is_null=data.get("empty_text_is_null", False),
            types=self._types(data.get("types", {})),
            parameters=parameters,
            client=self._table(("client",), data["client"], CLIENT_KEYS),
            resource_defaults=self._defaults(data.get("resource_defaults", {})),
            resources=tuple(resources),
        )
        written = [self._with_disposition(connector, n, one) for n, one in enumerate(resources)]
        return replace(connector, resources=tuple(written))

    def _with_disposition(self, connector: Connector, number: int, one: Resource) -> Resource:
        """The resource with how its rows are written, by default so that no run adds a row a second time."""
        config = {**connector.resource_defaults, **one.config}
        default = "replace" if connector.reads_all(one) and not config.get("primary_key") else "merge"
        told = config.get("write_disposition") or default
        parts = told if isinstance(told, dict) else {"disposition": told}
        has_key = config.get("primary_key") or config.get("merge_key") or parts.get("strategy") == "scd2"
        if parts.get("disposition") == "merge" and not has_key:
            raise self.error(
                ("resources", number, "write_disposition"),
                f"{one.name} has no primary_key, so a later run would add its rows again: name the columns that"
                " tell rows apart, or read it whole each time, with write_disposition: replace",
            )
        return replace(one, config={**one.config, "write_disposition": told})

    def _client(self, value: Any) -> None:
        if not isinstance(self._table(("client",), value, CLIENT_KEYS).get("base_url"), str):
            raise self.error(("client", "base_url"), "client needs a base_url, which is a text")
        self._paginator(("client",), value)

    def _paginator(self, path: tuple[Any, ...], value: Mapping[str, Any]) -> None:
        """The paginator in this part of the file; what its keys may hold dlt checks itself."""
        named, path = value.get("paginator"), (*path, "paginator")
        if named is None:
            return
        if isinstance(named, dict):
            self._need(path, named, ("type",))
            named, path = named["type"], (*path, "type")
        if not isinstance(named, str) or named not in PAGINATOR_KEYS:
            near = suggest(str(named), PAGINATOR_KEYS)
            hint = f"did you mean {near}?" if near else f"known are {', '.join(PAGINATOR_KEYS)}"
            raise self.error(path, f"there is no paginator {named}: {hint}")
        if isinstance(value["paginator"], dict):
            known = dict.fromkeys(("type", *PAGINATOR_KEYS[named]), object)
            self._table(path[:-1], value["paginator"], known)

    def _check_encryption(self, data: Mapping[str, Any]) -> None:
        """No token, code or row goes over a network unencrypted."""
        for key in ("host", "authentication", "client"):
            for path, text in _texts(data[key], (key,)):
                if text.lower().startswith("http:") and origin(text)[1] not in LOOPBACK:
                    raise self.error(path, f"{text} is not encrypted: it has to begin with https://")

    def _table(self, path: tuple[Any, ...], value: Any, known: Mapping[str, Any]) -> dict[str, Any]:
        """A mapping whose keys are all known and of their types."""
        if not isinstance(value, dict):
            raise self.error(path, f"{path[-1] if path else 'the file'} has to hold keys and values")
        for key, one in value.items():
            if key not in known:
                near = suggest(str(key), known)
                hint = f"did you mean {near}?" if near else f"known are {', '.join(known)}"
                raise self.error((*path, key), f"unknown key {key}: {hint}")
            wanted = known[key]
            if not isinstance(one, wanted) or (wanted is int and isinstance(one, bool)):
                names = wanted if isinstance(wanted, tuple) else (wanted,)
                words = " or ".join(TYPE_WORDS[kind] for kind in names)
                raise self.error((*path, key), f"{key} has to be {words}")
        return value

    def _data_types(self, path: tuple[Any, ...], value: Mapping[Any, Any]) -> None:
        for key, kind in value.items():
            if kind not in DATA_TYPES:
                known = ", ".join(sorted(DATA_TYPES))
                raise self.error((*path, key), f"{kind} is no type of dlt's: known are {known}")

    def _types(self, value: dict[Any, Any]) -> dict[str, str]:
        self._data_types(("types",), value)
        for pattern in value:
            path = ("types", pattern)
            try:
                re.compile(str(pattern))
            except re.error as error:
                raise self.error(path, f"{pattern} is no pattern: {error}") from None
        return {str(pattern): kind for pattern, kind in value.items()}

    def _authentication(self, value: Any) -> Authentication:
        path = ("authentication",)
        found = self._table(path, value, AUTHENTICATION_KEYS)
        kind = found.get("type")
        if kind not in ("zoho", "oauth2", "none"):
            raise self.error((*path, "type"), "type has to be zoho, oauth2 or none")
        self._need(path, found, ("authorization_url", "token_url") if kind == "oauth2" else ())
        scopes = tuple(map(str, found.pop("scopes", ())))
        return Authentication(scopes=scopes, **found)

    def _organization(self, value: Any) -> Organization | None:
        if value is None:
            return None
        path = ("organization",)
        found = self._table(path, value, ORGANIZATION_KEYS)
        self._need(path, found, ("path", "selector"))
        if ("header" in found) == ("param" in found):
            raise self.error(path, "either header or param has to say how the organisation is sent")
        return Organization(**found)

    def _defaults(self, value: Any) -> dict[str, Any]:
        path = ("resource_defaults",)
        found = self._table(path, value, DLT_RESOURCE_KEYS)
        self._endpoint(path, found.get("endpoint"))
        return found

    def _resource(self, number: int, value: Any, data: Mapping[str, Any]) -> Resource:
        path = ("resources", number)
        found = self._table(path, value, {**DLT_RESOURCE_KEYS, **OUR_RESOURCE_KEYS})
        if not found.get("name"):
            raise self.error(path, "the key name is missing")
        self._endpoint(path, found.get("endpoint"))
        ours = {
            key: found[key] for key in OUR_RESOURCE_KEYS if key in found and key not in ("name", "scopes")
        }
        if "for_each" in ours:
            ours["for_each"] = self._for_each((*path, "for_each"), ours["for_each"])
        if "deletions" in ours:
            self._deletions((*path, "deletions"), ours["deletions"])
            endpoint = found.get("endpoint")
            if not isinstance(endpoint, dict) or "incremental" not in endpoint:
                raise self.error(
                    (*path, "deletions"), "deletions need an endpoint with incremental beside them"
                )
        config = {key: one for key, one in found.items() if key == "name" or key not in OUR_RESOURCE_KEYS}
        description = ours.pop("description", "")
        return Resource(
            found["name"],
            config,
            self.lines.get(path, 1),
            description=description,
            scopes=tuple(map(str, found.get("scopes", ()))),
            **ours,
        )

    def _credits(self, value: Any) -> Credits | None:
        return None if value is None else Credits(**self._table(("credits",), value, CREDITS_KEYS))

    def _for_each(self, path: tuple[Any, ...], value: Any) -> ForEach:
        found = self._table(path, value, FOR_EACH_KEYS)
        self._need(path, found, ("resource", "table_name"))
        if "columns" in found:
            path = (*path, "columns")
            columns = self._table(path, found["columns"], COLUMNS_KEYS)
            self._need(path, columns, tuple(COLUMNS_KEYS))
            self._data_types((*path, "types"), columns["types"])
        return ForEach(**found)

    def _deletions(self, path: tuple[Any, ...], value: Any) -> None:
        self._need(path, self._table(path, value, DELETIONS_KEYS), ("endpoint",))
        self._endpoint(path, value["endpoint"])
        incremental = value["endpoint"].get("incremental")
        if not isinstance(incremental, dict) or "cursor_path" not in incremental:
            raise self.error(
                (*path, "endpoint"), "deletions need incremental, with the cursor_path of their time"
            )

    def _need(self, path: tuple[Any, ...], value: Mapping[str, Any], keys: Sequence[str]) -> None:
        for key in keys:
            if key not in value:
                raise self.error(path, f"the key {key} is missing")

    def _endpoint(self, path: tuple[Any, ...], value: Any) -> None:
        if value is None or isinstance(value, str):
            return
        path = (*path, "endpoint")
        found = self._table(path, value, ENDPOINT_KEYS)
        self._paginator(path, found)
        if "incremental" in found:
            self._table((*path, "incremental"), found["incremental"], INCREMENTAL_KEYS)

    def _check_names(self, resources: Sequence[Resource]) -> None:
        seen: set[str] = set()
        for number, one in enumerate(resources):
            if one.name in seen:
                raise self.error(("resources", number), f"two resources are called {one.name}")
            seen.add(one.name)

    def _check_parents(self, resources: Sequence[Resource]) -> None:
        """One parent each, and none that is read from its own children."""
        parents = {one.name: one.parent for one in resources}
        for number, one in enumerate(resources):
            path = ("resources", number)
            if len(one.parents) > 1:
                names = " and ".join(sorted(one.parents))
                raise self.error(path, f"{one.name} is read from the rows of {names}: one parent is possible")
            self._check_for_each(path, one, resources)
            seen, parent = {one.name}, one.parent
            while parent is not None:
                if parent in seen:
                    raise self.error(path, f"{one.name} is read from its own rows")
                seen.add(parent)
                parent = parents.get(parent)

    def _check_for_each(self, path: tuple[Any, ...], one: Resource, resources: Sequence[Resource]) -> None:
        """The resources that tables come from are read as they are, and are no such tables themselves."""
        plain = {other.name: other for other in resources if not other.is_template}
        if any(other.name in one.parents for other in resources if other.is_template):
            raise self.error(path, f"{one.name} is read from the rows of tables that are not known before")
        if one.for_each is None:
            return
        path = (*path, "for_each")
        rows, columns = one.for_each.resource, one.for_each.columns
        for place, name in ((path, rows), *([((*path, "columns"), columns["resource"])] if columns else [])):
            if name not in plain:
                near = suggest(name, plain)
                hint = f": did you mean {near}?" if near else f"; there are {', '.join(plain)}"
                raise self.error((*place, "resource"), f"there is no resource {name}{hint}")
        if plain[rows].parents:
            raise self.error(path, f"{rows} is read from other rows itself")
        if columns and not plain[columns["resource"]].parents <= {rows}:
            raise self.error((*path, "columns"), f"{columns['resource']} is not read from the rows of {rows}")

    def _check_placeholders(
        self, data: Mapping[str, Any], resources: Sequence[Resource], parameters: Mapping[str, Any]
    ) -> None:
        known = {*GIVEN, *parameters, *CURSORS}
        names = {one.name for one in resources}
        for path, text in _texts(data, ()):
            for name in placeholders(text):
                if name in known:
                    continue
                kind, _, rest = name.partition(".")
                if kind == "each" and rest and path[0] == "resources" and resources[path[1]].for_each:
                    continue
                if kind == "resources" and rest.split(".")[0] in names and "." in rest:
                    continue
                column = ".".join(name.split(".")[2:]) or "id"
                near = suggest(name, [*known, *(f"resources.{one}.{column}" for one in names)])
                raise self.error(
                    path,
                    f"unknown placeholder ${{{name}}}" + (f": did you mean ${{{near}}}?" if near else ""),
                )


TYPE_WORDS: Mapping[type, str] = {
    str: "a text",
    dict: "keys and values",
    list: "a list",
    int: "a whole number",
    bool: "true or false",
}


def _lines(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], int]]:
    """The line of each key and of each entry of a list."""
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from ((p, n) for p, n in _lines(value, (*path, key.value)) if p != (*path, key.value))
            yield (*path, key.value), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _lines(value, (*path, number))


def _texts(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(one, (*path, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _texts(one, (*path, number))
