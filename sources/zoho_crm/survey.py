"""Asks the account what it offers and turns every module into a plan or a skip, each with a reason."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from . import limits
from .client import ZohoClient
from .columns import is_known_type, kind_of, why_left_out
from .errors import Fatal, ReadFailed, SettingsError, Skippable, Unreachable, ZohoCrmError, ZohoError
from .metadata import Field, Module, list_fields, list_modules
from .naming import Remembered, name_columns, name_tables
from .plan import Plan, Skip, Wish, choose_api

T = TypeVar("T")


@dataclass(frozen=True)
class Choice:
    """Which modules a user wants, by API name; empty means all."""

    only: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    refresh: bool = False  # also what is read once a day only

    def wants(self, name: str) -> bool:
        return (not self.only or name in self.only) and name not in self.never


@dataclass(frozen=True)
class Memory:
    """The names that earlier runs gave, from the pipeline's state."""

    tables: Mapping[str, str] = field(default_factory=dict)  # module -> table
    columns: Mapping[str, Remembered] = field(default_factory=dict)  # table -> its columns
    settings_read: Mapping[str, str] = field(default_factory=dict)  # our table -> when, in ISO 8601


@dataclass(frozen=True)
class Survey:
    """What the account offers, and what will be read of it."""

    choice: Choice
    memory: Memory
    modules: list[Module]
    fields: Mapping[str, list[Field]]  # by module, of those that were asked
    plans: list[Plan]
    skips: list[Skip]
    failures: list[Skip]  # modules whose fields could not be asked; they count as failed
    tables: Mapping[str, str]


def survey(client: ZohoClient, choice: Choice, wish: Wish, memory: Memory, ours: Iterable[str]) -> Survey:
    """One call for the modules, then for each chosen one its fields and its count, some at a time."""
    ours = tuple(ours)
    modules = list_modules(client)
    choice = known_names(choice, [m.api_name for m in modules], ours)
    tables = name_tables([m.api_name for m in modules], ours, memory.tables)
    chosen = [m for m in modules if choice.wants(m.api_name)]
    skips = [Skip(m, why) for m in chosen if (why := why_not(m))]
    readable = [m for m in chosen if not why_not(m)]
    described = readable
    if "fields" in choice.only:  # the table, which is about all modules
        described = [m for m in modules if not why_not(m) and m.api_name not in choice.never]
    fields = _at_once(lambda m: list_fields(client, m.api_name), described)
    offered = [m for m in readable if isinstance(fields[m.api_name], list) and fields[m.api_name]]
    counts = _at_once(lambda m: read_count(client, m.api_name), offered)
    plans, failures = [], []
    for module in readable:
        found = fields[module.api_name]
        if isinstance(found, (Skippable, Fatal)):
            skips.append(Skip(module, str(found)))
        elif isinstance(found, (ZohoError, Unreachable, ReadFailed)):
            failures.append(Skip(module, str(found)))
        elif isinstance(found, ZohoCrmError):
            raise found
        elif not found:
            skips.append(Skip(module, "Zoho lists no fields for it"))
        else:
            count = counts[module.api_name]
            rows = count if isinstance(count, int) else None
            known = memory.columns.get(tables[module.api_name], {})
            plans.append(plan_module(module, tables[module.api_name], found, (wish, rows, known)))
    listed = {name: found for name, found in fields.items() if isinstance(found, list)}
    return Survey(choice, memory, modules, listed, plans, skips, failures, tables)


def plan_module(
    module: Module, table: str, fields: list[Field], given: tuple[Wish, int | None, Remembered]
) -> Plan:
    """The plan of one module; `given` is the user's wish, Zoho's count, and the names of earlier runs."""
    wish, rows, remembered = given
    columns = name_columns(with_id(fields), remembered)
    api, reason = choose_api(module, wish, rows, columns)
    left_out = tuple((f.api_name, why) for f in fields if (why := why_left_out(f)))
    return Plan(module, table, api, columns, reason, rows=rows, left_out=left_out)


def with_id(fields: list[Field]) -> list[Field]:
    """Zoho leaves `id` out of the field list of some modules; every row has one."""
    if any(f.api_name == "id" for f in fields):
        return fields
    return [Field("id", "bigint"), *fields]


def unknown_types(plan: Plan) -> list[str]:
    """Sentences for the fields whose type nobody has met."""
    return [
        f"field {c.api_name} has the unknown type {c.field.data_type!r}; it is read as {kind_of(c.field).dlt_type}"
        for c in plan.columns
        if c.api_name not in ("id", "Tag") and not is_known_type(c.field)
    ]


def read_count(client: ZohoClient, module: str) -> int | None:
    """Zoho's own count of a module, up to ten minutes old; None where it gives none."""
    try:
        count = client.get(f"{module}/actions/count").get("count")
    except ZohoCrmError:
        return None
    return int(count) if count is not None else None


def known_names(choice: Choice, modules: list[str], ours: tuple[str, ...]) -> Choice:
    """The choice in the account's own spelling. Raises SettingsError with the nearest name."""
    exact = {*ours, *modules}  # a module `Users` and our table `users` are two things
    spelt = {name.casefold(): name for name in (*ours, *modules)}
    for name in sorted(choice.only | choice.never):
        if name.casefold() not in spelt:
            near = difflib.get_close_matches(name.casefold(), spelt, n=1, cutoff=0.5)
            hint = f"; did you mean {spelt[near[0]]}?" if near else ""
            raise SettingsError(f"the account has no module {name!r}{hint} (`modules` lists them)")

    def known(names: Iterable[str]) -> frozenset[str]:
        return frozenset(name if name in exact else spelt[name.casefold()] for name in names)

    return Choice(known(choice.only), known(choice.never), choice.refresh)


def why_not(module: Module) -> str | None:
    """Why a module cannot be read, as far as the list of modules tells."""
    if not module.api_supported:
        return "Zoho does not offer it by API"
    if not module.viewable:
        return "this user may not view it"
    return None


def _at_once(read: Callable[[Module], T], modules: list[Module]) -> dict[str, T | ZohoCrmError]:
    """One call per module, as many at a time as every edition allows; an error stays with its module."""

    def kept(module: Module) -> T | ZohoCrmError:
        try:
            return read(module)
        except ZohoCrmError as error:
            return error
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            return ReadFailed(f"Zoho described it in a form that nobody expected ({error!r})")

    with ThreadPoolExecutor(limits.CALLS_AT_ONCE) as pool:
        return dict(zip([m.api_name for m in modules], pool.map(kept, modules), strict=True))
