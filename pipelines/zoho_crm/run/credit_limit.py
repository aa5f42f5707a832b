"""Plans a run under --max-credits: what was not read the longest comes first, and no more than the limit pays for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import islice, takewhile

from sources.zoho_crm.client.client import ZohoClient
from sources.zoho_crm.config import ModuleSelection
from sources.zoho_crm.discovery.account_tables import AccountTable, own_tables
from sources.zoho_crm.discovery.catalog import Catalog, PreviousState, begin, skip_reason
from sources.zoho_crm.exceptions import CreditBudgetExceeded, SettingsError
from sources.zoho_crm.extract.probe import ask
from sources.zoho_crm.models import Module, PreferredApi, Skip
from sources.zoho_crm.planning.plan import Plan
from sources.zoho_crm.sync.tables import Table, calls_of, due_endpoints

LEAST = 4  # credits of a run for one empty module: the list of modules, its fields, its count, one page
MAX_PLANNING_CREDITS = (
    8  # credits that planning a module and reading what changed come to, if that is not much
)
NEVER = datetime.min.replace(tzinfo=timezone.utc)
SURE = 1.5  # times what is expected: with so much left, tables are read side by side

Item = Module | AccountTable


@dataclass(frozen=True)
class CreditEstimates:
    """What the work of a command costs: reading a planned module, or comparing it."""

    credits_of: Callable[[Plan], int]
    settings: bool = True  # whether the account's own tables are read, too


def survey_within(
    client: ZohoClient,
    choice: ModuleSelection,
    preferred_api: PreferredApi,
    memory: PreviousState,
    prices: CreditEstimates,
) -> Catalog:
    """A survey of what the limit of the run pays for, in turn; the rest waits for a later run.

    Asking about a module costs credits, too: at most half of the limit is asked in vain. Raises SettingsError
    where the limit is too low for any table.
    """
    limit = client.context.max_credits
    assert limit is not None
    ours = own_tables(client.service)
    if limit < LEAST and not (choice.only and {name.casefold() for name in choice.only} <= {*ours}):
        raise SettingsError(
            f"--max-credits {limit} is too low for even one table: an empty module takes {LEAST} credits"
        )
    found = replace(begin(client, choice, memory), order=[])
    ask(
        client,
        found,
        preferred_api,
        [m for m in found.modules if found.choice.selects(m.api_name) and skip_reason(m)],
    )
    if "fields" in found.choice.only:  # the table, which is about all modules
        ask(
            client,
            found,
            preferred_api,
            [],
            [m for m in found.modules if m.api_name not in found.choice.never],
        )
    shares = _CreditAllocation(client, found, preferred_api, prices, limit)
    shares.plan(deque(_queue(found, settings=prices.settings)))
    found.check_rules(
        [m.api_name for m in found.modules if m.api_name not in found.fields and not skip_reason(m)]
    )
    found.waiting.sort(key=lambda skip: _place(found, skip.module.api_name))
    return replace(found, sequential=shares.committed * SURE > limit - client.context.spent)


def _queue(found: Catalog, *, settings: bool) -> list[Item]:
    """What there is to read, the longest not read first; never read before anything else, modules before tables."""
    wanted = [m for m in found.modules if found.choice.selects(m.api_name) and not skip_reason(m)]
    items: list[Item] = [*wanted, *(due_endpoints(found) if settings else ())]
    return sorted(items, key=lambda item: _last_turn(item, found.memory))


def turns_of(found: Catalog, cut: Collection[str]) -> dict[str, str]:
    """What has had its turn in this run, for the state: also what failed, or it would be the first for ever.

    `cut` are those that the limit has cut off: only the first of all had the whole limit to itself.
    """
    had = [name for place, name in enumerate(found.order or ()) if place == 0 or name not in cut]
    lost = [skip.module for skip in (*found.skips, *found.failures) if not skip_reason(skip.module)]
    moment = found.until.isoformat(timespec="seconds")
    return dict.fromkeys([*had, *(module.api_name for module in lost)], moment)


def least_recent_first(tables: list[Table], found: Catalog) -> list[Table]:
    """The tables of a run: the longest not read first, if a limit may cut off the last ones."""
    if found.order is None or not found.sequential:
        return tables
    places = {name: place for place, name in enumerate(found.order)}
    return sorted(tables, key=lambda table: places[table.name])


@dataclass
class _CreditAllocation:
    """Gives each module and table its share of the limit."""

    client: ZohoClient
    found: Catalog
    preferred_api: PreferredApi
    prices: CreditEstimates
    limit: int
    committed: int = 0  # credits that what is to be read should take
    wasted: int = 0  # credits of asking about what is not read now
    over_credit_limit: list[tuple[str, int, int]] = field(
        default_factory=list
    )  # name, what it takes, the limit it needs

    @property
    def room(self) -> int:
        return self.limit - self.client.context.spent - self.committed

    def plan(self, queue: deque[Item]) -> None:
        """Ask about one module after the other, or several while there is much room, until no more can be read."""
        first = True
        while queue:
            # Where nothing was found yet, it goes on: the tables that are too dear may just come first.
            share = self.limit // 2 if self.found.order else self.limit - LEAST
            asking = min(share - self.wasted, self.room)
            if isinstance(queue[0], AccountTable):
                self._share(queue[0].table, calls_of(queue[0], self.found), 0)
                queue.popleft()
            elif first or asking >= LEAST - 1:
                some = list(islice(takewhile(_is_module, queue), max(1, asking // MAX_PLANNING_CREDITS)))
                self._ask([item for item in some if isinstance(item, Module)])
                for _ in some:
                    queue.popleft()
            else:
                self._wait(_name(queue.popleft()))
            first = False
        self._refuse_too_dear()

    def _ask(self, modules: list[Module]) -> None:
        before, planned = self.client.context.spent, len(self.found.plans)
        try:
            ask(self.client, self.found, self.preferred_api, modules)
        except CreditBudgetExceeded:
            judged = {plan.module.api_name for plan in self.found.plans[planned:]}
            judged.update(s.module.api_name for s in (*self.found.skips, *self.found.failures))
            for module in modules:
                if module.api_name not in judged:
                    self._wait(module.api_name)
        new = self.found.plans[planned:]
        each = -(-(self.client.context.spent - before) // max(len(modules), 1))
        self.wasted += each * (len(modules) - len(new))
        for plan in new:
            if not self._share(plan.module.api_name, self.prices.credits_of(plan), each):
                self.wasted += each
                self.found.plans.remove(plan)

    def _share(self, name: str, credits: int, planning: int) -> bool:
        """Commit so many credits, and a tenth for what nobody can foresee, if there is room for them."""
        assert self.found.order is not None
        needed = credits + credits // 10
        if needed <= self.room:
            self.committed += needed
            self.found.order.append(name)
            return True
        if needed > self.limit - 1 - planning:  # not even if it came first
            self.over_credit_limit.append((name, credits, self.client.context.spent + needed))
        else:
            self._wait(name)
        return False

    def _wait(self, name: str) -> None:
        why = f"the limit of {self.limit:,} API credits is reached"
        self.found.waiting.append(Skip(_module(self.found, name), why))

    def _refuse_too_dear(self) -> None:
        if self.over_credit_limit and not self.found.order:
            name, credits, enough = min(self.over_credit_limit, key=lambda one: one[2])
            raise SettingsError(
                f"--max-credits {self.limit:,} is too low for even one table: {name} takes about"
                f" {credits:,} credits, and {enough:,} would do"
            )
        for name, credits, enough in self.over_credit_limit:
            why = (
                f"it takes about {credits:,} API credits, more than --max-credits {self.limit:,} ever leaves"
                f" for it: {enough:,} would do"
            )
            self.found.over_credit_limit.append(name)
            self.found.failures.append(Skip(_module(self.found, name), why))


def _is_module(item: Item) -> bool:
    return isinstance(item, Module)


def _name(item: Item) -> str:
    return item.api_name if isinstance(item, Module) else item.table


def _module(found: Catalog, name: str) -> Module:
    return next((m for m in found.modules if m.api_name == name), Module(name))


def _place(found: Catalog, name: str) -> int:
    names = [*(m.api_name for m in found.modules), *own_tables(found.service)]
    return names.index(name)


def _last_turn(item: Item, memory: PreviousState) -> datetime:
    name, turns = _name(item), memory.turns
    synced = memory.synced.get(name) if isinstance(item, Module) else None
    settings = memory.settings_read if isinstance(item, AccountTable) else {}
    times = [_instant(times.get(name)) for times in (turns, settings)]
    return max([*times, synced.until if synced else NEVER])


def _instant(text: str | None) -> datetime:
    try:
        moment = datetime.fromisoformat(text) if text else NEVER
    except (TypeError, ValueError):
        return NEVER
    return moment if moment.tzinfo else NEVER
