"""Asks the account what it offers and turns every module into a plan or a skip, each with a reason."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TypeAlias, TypeVar

from . import limits
from .changes import plan_changes
from .client import ZohoClient
from .columns import Column, why_left_out
from .endpoints import ENDPOINTS
from .errors import (
    CredentialsError,
    CreditLimit,
    ReadFailed,
    SettingsError,
    ZohoCrmError,
    ZohoError,
    means_not_offered,
)
from .fitting import check_forgotten, check_rules
from .metadata import Field, Module, list_modules
from .naming import Remembered, name_columns, name_tables
from .nearest import nearest
from .offered import GONE, NO_SUCH_MODULE, fields_of, why_away
from .plan import Plan, Skip, Wish, choose_api
from .policy import Policy
from .privacy import PEOPLE
from .sieve import check_values
from .synced import Synced
from .windows import check_kept, why_whole, with_upkeep, with_window

logger = logging.getLogger("zoho_crm")

T = TypeVar("T")
Answer: TypeAlias = T | ZohoCrmError  # an error stays with its module


@dataclass(frozen=True)
class Choice:
    """What a user wants of a run; modules by API name, empty means all."""

    only: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    refresh: bool = False  # read everything whole, also what is read once a day only
    policy: Policy = field(default_factory=Policy)

    def wants(self, name: str) -> bool:
        return (not self.only or name in self.only) and name not in self.never


@dataclass(frozen=True)
class Memory:
    """What earlier runs left: in the pipeline's state, and in the destination."""

    tables: Mapping[str, str] = field(default_factory=dict)  # module -> table
    columns: Mapping[str, Remembered] = field(default_factory=dict)  # table -> its columns
    settings_read: Mapping[str, str] = field(default_factory=dict)  # our table -> when, in ISO 8601
    synced: Mapping[str, Synced] = field(default_factory=dict)  # module -> how far
    held: Mapping[str, frozenset[str]] | None = None  # table -> columns; None: it takes whole tables only
    answered: Mapping[str, Sequence[str]] = field(
        default_factory=dict
    )  # our table -> calls that Zoho answered


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
    until: datetime  # Zoho's time before any row was read

    def judge(self, module: Module, fields: Answer[list[Field]], plan: Answer[Plan] | None) -> None:
        """Make the module a plan, a skip or a failure."""
        known = module.api_name in self.memory.tables
        why = why_not(module) or (None if fields else "Zoho lists no fields for it")
        answer = fields if isinstance(fields, ZohoCrmError) else plan
        if isinstance(answer, (CredentialsError, CreditLimit)):
            raise answer
        if isinstance(answer, ZohoCrmError):
            no_module = isinstance(answer, ZohoError) and answer.code in NO_SUCH_MODULE and not known
            skipped = no_module or means_not_offered(answer, loaded_before=known)
            kept = self.skips if skipped else self.failures
            kept.append(Skip(module, str(answer)))
        elif why:
            (self.failures if known else self.skips).append(Skip(module, why))
        elif answer is not None:
            self.plans.append(answer)

    def draft(self, module: Module) -> Plan:
        """The plan of one module but for the API: its columns, its window, and what else is due."""
        name, table = module.api_name, self.tables[module.api_name]
        policy = self.choice.policy
        plan = Plan(
            module,
            table,
            "records",
            self._columns(module),
            "",
            until=self.until,
            loaded_before=name in self.memory.tables,
            left_out=self._left_out(module),
            private=policy.rules.entries(module, self.known_fields(module)),
            shown=policy.rules.display(module, self.fields[name]),
            filters=policy.rules.of(module),
            keeps=policy.keeps(name),
            synced=self.memory.synced.get(name),
        )
        if not self.choice.refresh:
            check_kept(plan, self.memory.held or {})
        why = why_whole(plan, self.memory.held, refresh=self.choice.refresh)
        if why is not None:
            return replace(plan, reason=why)
        return with_upkeep(with_window(plan, policy), policy, (self.memory.held or {})[table])

    def _columns(self, module: Module) -> tuple[Column, ...]:
        rules, known = self.choice.policy.rules, self.memory.columns.get(self.tables[module.api_name], {})
        fields = [f for f in with_id(self.fields[module.api_name]) if not rules.why_not(module, f)]
        return name_columns(fields, known, partial(rules.veil, module))

    def _left_out(self, module: Module) -> tuple[tuple[str, str], ...]:
        rules, fields = self.choice.policy.rules, self.fields[module.api_name]
        reasons = ((f.api_name, why_left_out(f) or rules.why_not(module, f)) for f in fields)
        return tuple((name, why) for name, why in reasons if why)

    def known_fields(self, module: Module) -> list[Field]:
        """The fields of a module, with those that Zoho no longer lists and whose columns are there."""
        listed = self.fields[module.api_name]
        there = {f.api_name for f in listed}
        columns = self.memory.columns.get(self.tables[module.api_name], {})
        return [*listed, *(Field(name, "gone") for name in columns if name not in there)]

    def check_rules(self, unknown: Collection[str]) -> None:
        """Raises SettingsError for rules of privacy that nothing in the account fits, or for another key.

        `unknown` are modules that may have fields, which nobody asked for.
        """
        rules, chosen = self.choice.policy.rules, [m.api_name for m in self.modules]
        known = {m.api_name: self.known_fields(m) for m in self.modules if m.api_name in self.fields}
        ours = {e.table: list(e.fields) for e in ENDPOINTS if e.table in PEOPLE}
        check_rules(rules, {**ours, **known}, [*chosen, *PEOPLE], unknown)
        for module in self.modules:
            filters = rules.of(module)
            if filters and module.api_name in known:
                check_values(filters, self._columns(module))
        private = {name: synced.private for name, synced in self.memory.synced.items()}
        check_forgotten(rules, [m for m in self.modules if self.choice.wants(m.api_name)], known, private)
        self.check_key([name for name in chosen if self.choice.refresh and self.choice.wants(name)])

    def check_key(self, read_whole: Iterable[str] = ()) -> None:
        """Raises SettingsError where tables would hold hashes of two keys, but for modules that are read whole."""
        listed = {m.api_name for m in self.modules}
        before = {name: synced.private for name, synced in self.memory.synced.items() if name in listed}
        self.choice.policy.rules.check_key(before, frozenset(read_whole))


def survey(client: ZohoClient, choice: Choice, wish: Wish, memory: Memory, ours: Iterable[str]) -> Survey:
    """One call for the modules, then for each chosen one its fields, and its count or its first changes."""
    ours = tuple(ours)
    modules = list_modules(client)
    if not modules and not (choice.only and choice.only <= {*ours}):
        raise ReadFailed("Zoho lists no modules, and every account has some")
    until = client.now()
    choice = known_names(choice, [*(m.api_name for m in modules), *memory.tables], ours)
    check_history(choice, modules, ours)
    if choice.only and choice.only <= choice.never:
        raise SettingsError("nothing is left to read: every chosen module is excluded, too")
    tables = name_tables([m.api_name for m in modules], ours, memory.tables)
    chosen = [m for m in modules if choice.wants(m.api_name)]
    readable = [m for m in chosen if not why_not(m)]
    described = readable
    if "fields" in choice.only:  # the table, which is about all modules
        described = [m for m in modules if not why_not(m) and m.api_name not in choice.never]
    fields = _at_once(partial(fields_of, client, memory), described)
    listed = {name: found for name, found in fields.items() if isinstance(found, list)}
    result = Survey(choice, memory, modules, listed, [], [], [], tables, until)
    result.check_rules([m.api_name for m in modules if _may_have_fields(m, fields.get(m.api_name))])
    offered = [m for m in readable if listed.get(m.api_name)]
    plans = _at_once(lambda m: with_api(client, result.draft(m), wish), offered)
    for module in chosen:
        result.judge(module, fields.get(module.api_name, []), plans.get(module.api_name))
    listed_names = {m.api_name for m in modules}
    away = [Module(name) for name in memory.tables if name not in listed_names and choice.wants(name)]
    for module, why in zip(away, _at_once(partial(why_away, client), away).values(), strict=True):
        result.skips.append(Skip(module, GONE)) if why == GONE else result.failures.append(
            Skip(module, str(why))
        )
    return result


def _may_have_fields(module: Module, fields: Answer[list[Field]] | None) -> bool:
    """Whether a module whose fields are not here has some: nobody asked for them, or they could not be had now."""
    if isinstance(fields, ZohoError):
        return not (fields.code in NO_SUCH_MODULE or means_not_offered(fields))
    return not isinstance(fields, list) and not why_not(module)


def with_api(client: ZohoClient, plan: Plan, wish: Wish) -> Plan:
    """The plan with the API that reads it, by Zoho's count or by the first page of changes."""
    if plan.filters:
        made = with_api(client, replace(plan, filters=()), wish)
        only = " and ".join(plan.filter_words)
        return replace(
            made,
            filters=plan.filters,
            reason=f"{made.reason}; only rows with {only}, which Zoho does not count",
        )
    if not plan.whole:
        return plan_changes(client, plan, wish, client.may_use_coql)
    rows = read_count(client, plan.module.api_name)
    api, reason = choose_api(plan.module, wish, rows, plan.columns)
    words = f"{plan.reason}; {reason}" if plan.reason else reason
    return replace(plan, api=api, reason=words, rows=rows)


def with_id(fields: list[Field]) -> list[Field]:
    """Zoho leaves `id` out of the field list of some modules; every row has one."""
    if any(f.api_name == "id" for f in fields):
        return fields
    return [Field("id", "bigint"), *fields]


def read_count(client: ZohoClient, module: str) -> int | None:
    """Zoho's own count, up to ten minutes old; None where it gives none. Raises CredentialsError, CreditLimit."""
    try:
        count = client.get(f"{module}/actions/count").get("count")
    except (CredentialsError, CreditLimit):
        raise
    except ZohoCrmError:
        return None
    return int(str(count)) if str(count).isdecimal() else None


def known_names(choice: Choice, modules: list[str], ours: tuple[str, ...]) -> Choice:
    """The choice in the account's own spelling. Raises SettingsError with the nearest name."""
    exact = {*ours, *modules}  # a module `Users` and our table `users` are two things
    spelt = {name.casefold(): name for name in (*ours, *modules)}
    for name in sorted(choice.only | choice.never | (choice.policy.history or frozenset())):
        if name.casefold() not in spelt:
            near = nearest(name, spelt.values(), 0.5)
            hint = f"; did you mean {near}?" if near else ""
            raise SettingsError(f"the account has no module {name!r}{hint} (`modules` lists them)")

    def known(names: Iterable[str]) -> frozenset[str]:
        return frozenset(name if name in exact else spelt[name.casefold()] for name in names)

    policy = choice.policy
    if policy.history:
        policy = replace(policy, history=known(policy.history))
    return replace(choice, only=known(choice.only), never=known(choice.never), policy=policy)


def check_history(choice: Choice, modules: list[Module], ours: tuple[str, ...]) -> None:
    """Raises SettingsError for tables that keep no history; a module that is not read now may be another day."""
    listed = {m.api_name: m for m in modules}
    history = choice.policy.history or frozenset()
    tables = sorted(history.intersection(ours) - listed.keys())
    if tables:
        raise SettingsError(f"only modules keep a history: leave {', '.join(tables)} out of --history")
    for name in sorted(history & listed.keys()):
        why = why_not(listed[name])
        if why and choice.wants(name):
            logger.warning("%s of --history is not read, so it keeps none: %s", name, why)


def why_not(module: Module) -> str | None:
    """Why a module cannot be read, as far as the list of modules tells."""
    if not module.api_supported:
        return "Zoho does not offer it by API"
    if not module.viewable:
        return "this user may not view it"
    return None


def _at_once(read: Callable[[Module], T], modules: list[Module]) -> dict[str, Answer[T]]:
    """One call per module, as many at a time as every edition allows; an error stays with its module."""

    def kept(module: Module) -> Answer[T]:
        try:
            return read(module)
        except ZohoCrmError as error:
            return error
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            return ReadFailed(f"Zoho described it in a form that nobody expected ({error!r})")

    with ThreadPoolExecutor(limits.CALLS_AT_ONCE) as pool:
        return dict(zip([m.api_name for m in modules], pool.map(kept, modules), strict=True))
