"""What the account offers, and the plan or the reason to skip of each module."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias, TypeVar

from .. import limits
from ..client.client import ZohoClient
from ..config import ModuleSelection
from ..exceptions import (
    CredentialsError,
    CreditBudgetExceeded,
    ExtractError,
    SettingsError,
    ZohoCrmError,
    ZohoError,
    means_not_offered,
    suggest,
)
from ..models import ApiAvailability, Field, Module, Skip
from ..planning.api_refusals import failing, refused_by
from ..planning.plan import Plan
from ..planning.schedule import usual_gap
from ..planning.sync_mode import check_deletion_mode, due_reason, full_refresh_reason, with_window
from ..service import Service
from ..state import ModuleState, RecentlyDeleted
from ..transform.column_types import Column, exclusion_reason
from ..transform.naming import Remembered, Shorten, as_it_is, name_columns, name_tables
from ..transform.privacy_rules import PEOPLE
from ..transform.row_filters import check_values
from .account_tables import ENDPOINTS, own_tables
from .availability import GONE, NO_SUCH_MODULE, unlisted_reason
from .metadata import list_modules
from .rule_checks import check_removed_rules, check_rules

logger = logging.getLogger("zoho_crm")


T = TypeVar("T")
Answer: TypeAlias = T | ZohoCrmError  # an error stays with its module


@dataclass(frozen=True)
class PreviousState:
    """What earlier runs left: in the pipeline's state, and in the destination."""

    tables: Mapping[str, str] = field(default_factory=dict)  # module -> table
    columns: Mapping[str, Remembered] = field(default_factory=dict)  # table -> its columns
    settings_read: Mapping[str, str] = field(default_factory=dict)  # our table -> when, in ISO 8601
    synced: Mapping[str, ModuleState] = field(default_factory=dict)  # module -> how far
    destination_columns: Mapping[str, frozenset[str]] | None = (
        None  # table -> columns; None: it takes whole tables only
    )
    shorten: Shorten = as_it_is  # what the destination makes of names
    can_replace_partition: bool = True  # whether a part of a table can be read anew
    answered: Mapping[str, Sequence[str]] = field(
        default_factory=dict
    )  # our table -> calls that Zoho answered
    refusals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # module -> what APIs refused
    starts: tuple[datetime, ...] = ()  # of the latest runs, by Zoho's clock
    turns: Mapping[str, str] = field(default_factory=dict)  # module or table -> its last turn under a limit
    deleted: Mapping[str, RecentlyDeleted] = field(default_factory=dict)  # module -> what may be restored

    @property
    def gap(self) -> timedelta | None:
        """The usual time between two runs."""
        return usual_gap(self.starts)


@dataclass(frozen=True)
class Catalog:
    """What the account offers, and what will be read of it."""

    service: Service
    choice: ModuleSelection
    memory: PreviousState
    modules: list[Module]
    fields: dict[str, list[Field]]  # by module, of those that were asked
    plans: list[Plan]
    skips: list[Skip]
    failures: list[Skip]  # modules whose fields could not be asked; they count as failed
    tables: Mapping[str, str]
    until: datetime  # Zoho's time before any row was read
    # Under a limit of credits: the names of what is read, the longest not read first; else None, for all.
    order: list[str] | None = None
    waiting: list[Skip] = field(default_factory=list)  # modules and tables left for a later run, and why
    over_credit_limit: list[str] = field(
        default_factory=list
    )  # what the limit could not pay for if it came first
    sequential: bool = False  # what is read may come to more than the limit, so its first tables get all

    def reads(self, table: str) -> bool:
        """Whether this run reads a table of ours."""
        return self.order is None or table in self.order

    def classify_module(self, module: Module, fields: Answer[list[Field]], plan: Answer[Plan] | None) -> None:
        """Make the module a plan, a skip or a failure."""
        known = module.api_name in self.memory.tables
        why = skip_reason(module) or (None if fields else "Zoho lists no fields for it")
        answer = fields if isinstance(fields, ZohoCrmError) else plan
        if isinstance(answer, (CredentialsError, CreditBudgetExceeded)):
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

    def plan_module(self, module: Module) -> Plan:
        """The plan of one module but for the API: its columns, its window, and what else is due."""
        name, table = module.api_name, self.tables[module.api_name]
        policy, synced = self.choice.policy, self.memory.synced.get(name)
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
            chosen=policy.rules.chooses(module),
            shown=policy.rules.display(module, self.fields[name]),
            filters=policy.rules.of(module),
            keeps=policy.keeps(name),
            synced=synced,
            api_availability=ApiAvailability(
                failing=tuple(failing(self.memory.refusals.get(name, {}), self.until).items())
            ),
            counts_partly=synced is not None and synced.counts_partly and not self.choice.refresh,
        )
        if not self.choice.refresh:
            check_deletion_mode(plan, self.memory.destination_columns or {})
        why = full_refresh_reason(plan, self.memory.destination_columns, refresh=self.choice.refresh)
        if why is not None:
            return replace(plan, reason=why)
        why = due_reason(plan, policy, (self.memory.destination_columns or {})[table], self.memory.gap)
        return with_window(plan, policy) if why is None else replace(plan, reason=why)

    def _columns(self, module: Module) -> tuple[Column, ...]:
        rules, known = self.choice.policy.rules, self.memory.columns.get(self.tables[module.api_name], {})
        fields = [f for f in with_id(self.fields[module.api_name]) if not rules.why_not(module, f)]
        refusals = self.memory.refusals.get(module.api_name, {})
        return tuple(
            replace(column, refused=refused_by(refusals, column.field, self.until))
            for column in name_columns(
                fields, known, partial(rules.masking_rule, module), self.memory.shorten
            )
        )

    def _left_out(self, module: Module) -> tuple[tuple[str, str], ...]:
        rules, fields = self.choice.policy.rules, self.fields[module.api_name]
        reasons = ((f.api_name, exclusion_reason(f) or rules.why_not(module, f)) for f in fields)
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
        chosen_now = [m for m in self.modules if self.choice.selects(m.api_name)]
        if self.order is not None:  # the others are asked about when their turn comes
            chosen_now = [m for m in chosen_now if m.api_name in known]
        check_removed_rules(rules, chosen_now, known, private)
        self.check_key([name for name in chosen if self.choice.refresh and self.choice.selects(name)])

    def check_key(self, read_whole: Iterable[str] = ()) -> None:
        """Raises SettingsError where tables would hold hashes of two keys, but for modules that are read whole."""
        listed = {m.api_name for m in self.modules}
        before = {name: synced.private for name, synced in self.memory.synced.items() if name in listed}
        self.choice.policy.rules.check_key(before, frozenset(read_whole))


def begin(client: ZohoClient, choice: ModuleSelection, memory: PreviousState) -> Catalog:
    """One call, for the modules; nothing is asked about any of them yet."""
    ours = own_tables(client.service)
    modules = list_modules(client)
    if not modules and not (choice.only and choice.only <= {*ours}):
        raise ExtractError("Zoho lists no modules, and every account has some")
    until = client.now()
    choice = known_names(choice, [*(m.api_name for m in modules), *memory.tables], ours)
    check_history(choice, modules, ours)
    if choice.only and choice.only <= choice.never:
        raise SettingsError("nothing is left to read: every chosen module is excluded, too")
    tables = name_tables([m.api_name for m in modules], ours, memory.tables, memory.shorten)
    listed = {m.api_name for m in modules}
    away = [Module(name) for name in memory.tables if name not in listed and choice.selects(name)]
    skips, failures = list[Skip](), list[Skip]()
    for module, why in zip(
        away, call_in_parallel(partial(unlisted_reason, client), away).values(), strict=True
    ):
        (skips if why == GONE else failures).append(Skip(module, str(why)))
    return Catalog(client.service, choice, memory, modules, {}, [], skips, failures, tables, until)


def with_id(fields: list[Field]) -> list[Field]:
    """Zoho leaves `id` out of the field list of some modules; every row has one."""
    if any(f.api_name == "id" for f in fields):
        return fields
    return [Field("id", "bigint"), *fields]


def known_names(choice: ModuleSelection, modules: list[str], ours: tuple[str, ...]) -> ModuleSelection:
    """The choice in the account's own spelling. Raises SettingsError with the nearest name."""
    exact = {*ours, *modules}  # a module `Users` and our table `users` are two things
    spelt = {name.casefold(): name for name in (*ours, *modules)}
    for name in sorted(choice.only | choice.never | (choice.policy.history or frozenset())):
        if name.casefold() not in spelt:
            near = suggest(name, spelt.values(), 0.5)
            hint = f"; did you mean {near}?" if near else ""
            raise SettingsError(f"the account has no module {name!r}{hint} (`modules` lists them)")

    def known(names: Iterable[str]) -> frozenset[str]:
        return frozenset(name if name in exact else spelt[name.casefold()] for name in names)

    policy = choice.policy
    if policy.history:
        policy = replace(policy, history=known(policy.history))
    return replace(choice, only=known(choice.only), never=known(choice.never), policy=policy)


def check_history(choice: ModuleSelection, modules: list[Module], ours: tuple[str, ...]) -> None:
    """Raises SettingsError for tables that keep no history; a module that is not read now may be another day."""
    listed = {m.api_name: m for m in modules}
    history = choice.policy.history or frozenset()
    tables = sorted(history.intersection(ours) - listed.keys())
    if tables:
        raise SettingsError(f"only modules keep a history: leave {', '.join(tables)} out of --history")
    for name in sorted(history & listed.keys()):
        why = skip_reason(listed[name])
        if why and choice.selects(name):
            logger.warning("%s of --history is not read, so it keeps none: %s", name, why)


def skip_reason(module: Module) -> str | None:
    """Why a module cannot be read, as far as the list of modules tells."""
    if not module.api_supported:
        return "Zoho does not offer it by API"
    if not module.viewable:
        return "this user may not view it"
    return None


def call_in_parallel(read: Callable[[Module], T], modules: list[Module]) -> dict[str, Answer[T]]:
    """One call per module, as many at a time as every edition allows; an error stays with its module."""

    def kept(module: Module) -> Answer[T]:
        try:
            return read(module)
        except ZohoCrmError as error:
            return error
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            return ExtractError(f"Zoho described it in an unknown form ({error!r})")

    with ThreadPoolExecutor(limits.CALLS_AT_ONCE) as pool:
        return dict(zip([m.api_name for m in modules], pool.map(kept, modules), strict=True))
