"""The models that people build first, of the tables and columns that are there: a column that is missing is null."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..monitoring.columns import TableColumns
from .staging import staging_name, to_yaml

STRING = "{{ dbt.type_string() }}"
TIME = "{{ dbt.type_timestamp() }}"
NUMBER = "{{ dbt.type_numeric() }}"
WON, LOST = "Closed Won", "Closed Lost"
ACTIVITIES = {"Calls": ("call", "subject", "call_start_time"), "Tasks": ("task", "subject", "modified_time")}
ACTIVITIES["Events"] = ("event", "event_title", "start_date_time")


@dataclass(frozen=True)
class Mart:
    """A model, what a row of it is, and the column that tells the rows apart."""

    name: str
    description: str
    key: str
    sql: str


@dataclass(frozen=True)
class Marts:
    """Builds the models; `modules` gives the table of each module."""

    dataset: str
    tables: Mapping[str, TableColumns]
    modules: Mapping[str, str]
    quote: Callable[[str], str]

    def all(self) -> list[Mart]:
        """Those whose tables are there."""
        builders = (
            self._sales_pipeline,
            self._stage_history,
            self._lead_conversion,
            self._activities,
            self._activity_by_owner,
            self._activity_by_deal,
            self._customers,
            self._seats,
        )
        return [mart for build in builders if (mart := build()) is not None]

    def yaml(self) -> str:
        """Descriptions and tests."""
        models: list[dict[str, Any]] = [
            {
                "name": self._named(mart.name),
                "description": mart.description,
                "columns": [{"name": mart.key, "data_tests": ["unique", "not_null"]}],
            }
            for mart in self.all()
        ]
        return to_yaml({"version": 2, "models": models})

    def files(self) -> dict[str, str]:
        """The text of each model, by its name."""
        head = "{{ config(materialized='table') }}\n\n"
        return {self._named(mart.name): head + mart.sql for mart in self.all()}

    def _named(self, mart: str) -> str:
        return f"{self.dataset}__{mart}"

    def _ref(self, table: str) -> str:
        return f"{{{{ ref('{staging_name(self.dataset, table)}') }}}}"

    def _mart(self, name: str) -> str:
        return f"{{{{ ref('{self._named(name)}') }}}}"

    def _has(self, table: str | None, *columns: str) -> bool:
        there = self.tables.get(table or "")
        return there is not None and all(there.column(column) for column in columns)

    def _cell(self, alias: str, table: str | None, column: str, kind: str = STRING) -> str:
        return f"{alias}.{self.quote(column)}" if self._has(table, column) else f"cast(null as {kind})"

    def _name(self, module: str, key: str) -> str:
        """The name of the row of a module, or of a user, whose id the expression `key` gives."""
        table = module if module == "users" else self.modules.get(module, "")
        name = self.tables[table].name_column if table in self.tables else None
        if name is None or key.startswith("cast("):
            return f"cast(null as {STRING})"
        return (
            f"(select max(named.{self.quote(name)}) from {self._ref(table)} as named where named.id = {key})"
        )

    def _home(self, alias: str, table: str | None, column: str) -> str:
        """An amount in the organisation's currency."""
        amount = self._cell(alias, table, column, NUMBER)
        if not self._has(table, column, "exchange_rate"):
            return amount
        rate = f"cast({alias}.{self.quote('exchange_rate')} as {NUMBER})"
        return f"{amount} / coalesce(nullif({rate}, 0), 1)"

    def _sales_pipeline(self) -> Mart | None:
        deals, history = self.modules.get("Deals"), self.modules.get("DealHistory")
        if not self._has(deals, "stage"):
            return None
        moves = ""
        moved, count = f"cast(null as {TIME})", "0"
        if self._has(history, "potential_name__id", "modified_time"):
            moves = (
                "left join (\n"
                "    select potential_name__id as deal_id, count(*) as moves, max(modified_time) as last_move\n"
                f"    from {self._ref(str(history))} group by potential_name__id\n"
                ") as h on h.deal_id = d.id\n"
            )
            moved, count = "h.last_move", "coalesce(h.moves, 0)"
        columns = {
            "deal_id": "d.id",
            "deal": self._cell("d", deals, self._title("Deals")),
            "owner": self._name("users", self._cell("d", deals, "owner__id")),
            "account_id": self._cell("d", deals, "account_name__id"),
            "account": self._name("Accounts", self._cell("d", deals, "account_name__id")),
            "contact": self._name("Contacts", self._cell("d", deals, "contact_name__id")),
            "pipeline": self._cell("d", deals, "pipeline"),
            "stage": self._cell("d", deals, "stage"),
            "is_won": f"case when d.stage = '{WON}' then 1 else 0 end",
            "is_open": f"case when d.stage in ('{WON}', '{LOST}') then 0 else 1 end",
            "amount": self._cell("d", deals, "amount", NUMBER),
            "currency": self._cell("d", deals, "currency"),
            "amount_home": self._home("d", deals, "amount"),
            "probability": self._cell("d", deals, "probability", NUMBER),
            "closing_date": self._cell("d", deals, "closing_date", TIME),
            "created_time": self._cell("d", deals, "created_time", TIME),
            "stage_since": f"coalesce({moved}, {self._cell('d', deals, 'created_time', TIME)})",
            "stage_moves": count,
        }
        return Mart(
            "sales_pipeline",
            "One row a deal: owner, account, stage and since when, amount in its currency and in the organisation's.",
            "deal_id",
            _select(columns, f"{self._ref(str(deals))} as d\n{moves}"),
        )

    def _title(self, module: str) -> str:
        table = self.tables.get(self.modules.get(module, ""))
        return (table.name_column if table else None) or "name"

    def _stage_history(self) -> Mart | None:
        history, deals = self.modules.get("DealHistory"), self.modules.get("Deals")
        if not self._has(history, "stage"):
            return None
        deal = self._cell("h", history, "potential_name__id")
        columns = {
            "move_id": "h.id",
            "deal_id": deal,
            "deal": self._name("Deals", deal) if deals else f"cast(null as {STRING})",
            "from_stage": "h.stage",
            "to_stage": self._cell("h", history, "moved_to_s"),
            "days": self._cell("h", history, "duration_days", NUMBER),
            "amount": self._cell("h", history, "amount", NUMBER),
            "moved_at": self._cell("h", history, "modified_time", TIME),
            "moved_by": self._name("users", self._cell("h", history, "modified_by__id")),
        }
        told = "One row a move of a deal from one stage to another, with the days in the first one."
        return Mart(
            "deal_stage_history", told, "move_id", _select(columns, f"{self._ref(str(history))} as h\n")
        )

    def _lead_conversion(self) -> Mart | None:
        leads, deals = self.modules.get("Leads"), self.modules.get("Deals")
        if not self._has(leads, "created_time"):
            return None
        converted = self._cell("l", leads, "converted_s", "{{ dbt.type_boolean() }}")
        at = self._cell("l", leads, "converted_date_time", TIME)
        days = "{{ dbt.datediff('l.created_time', 'l.converted_date_time', 'day') }}"
        deal = self._cell("l", leads, "converted_deal__id")
        joined = self._has(deals, "stage") and self._has(leads, "converted_deal__id")
        columns = {
            "lead_id": "l.id",
            "source": self._cell("l", leads, "lead_source"),
            "owner": self._name("users", self._cell("l", leads, "owner__id")),
            "created_time": "l.created_time",
            "is_converted": f"case when {converted} then 1 else 0 end",
            "converted_at": at,
            "days_to_convert": days
            if self._has(leads, "converted_date_time")
            else "cast(null as {{ dbt.type_int() }})",
            "account_id": self._cell("l", leads, "converted_account__id"),
            "deal_id": deal,
            "deal_stage": "d.stage" if joined else f"cast(null as {STRING})",
            "deal_amount_home": self._home("d", deals, "amount") if joined else f"cast(null as {NUMBER})",
        }
        join = f"left join {self._ref(str(deals))} as d on d.id = l.converted_deal__id\n" if joined else ""
        told = "One row a lead: whether, when and into what it was converted, and what became of the deal."
        return Mart(
            "lead_conversion", told, "lead_id", _select(columns, f"{self._ref(str(leads))} as l\n{join}")
        )

    def _activities(self) -> Mart | None:
        parts = [*self._activity_parts()]
        if not parts:
            return None
        told = "One row a call, task or event; the deal is null of what is about something else."
        return Mart("activities", told, "activity_id", "union all\n".join(parts))

    def _activity_parts(self) -> Iterator[str]:
        deals = self.modules.get("Deals")
        for module, (kind, title, at) in ACTIVITIES.items():
            table = self.modules.get(module)
            if not self._has(table, "id"):
                continue
            about = self._cell("a", table, "what_id__id")
            on_deal = self._has(deals, "id") and self._has(table, "what_id__id")
            columns = {
                "activity_id": "a.id",
                "kind": f"'{kind}'",
                "subject": self._cell("a", table, title),
                "happened_at": self._cell("a", table, at, TIME),
                "owner_id": self._cell("a", table, "owner__id"),
                "owner": self._name("users", self._cell("a", table, "owner__id")),
                "about_id": about,
                "deal_id": "d.id" if on_deal else f"cast(null as {STRING})",
                "contact_id": self._cell("a", table, "who_id__id"),
            }
            join = f"left join {self._ref(str(deals))} as d on d.id = a.what_id__id\n" if on_deal else ""
            yield _select(columns, f"{self._ref(str(table))} as a\n{join}")

    def _activity_by_owner(self) -> Mart | None:
        return self._counted_activities("owner", "owner_id", {"owner": "max(a.owner)"})

    def _activity_by_deal(self) -> Mart | None:
        if not self._has(self.modules.get("Deals"), "id"):
            return None
        return self._counted_activities("deal", "deal_id", {"deal": self._name("Deals", "a.deal_id")})

    def _counted_activities(self, what: str, key: str, names: Mapping[str, str]) -> Mart | None:
        if self._activities() is None:
            return None
        kinds = {
            f"{kind}s": f"sum(case when a.kind = '{kind}' then 1 else 0 end)"
            for kind, _, _ in ACTIVITIES.values()
        }
        columns = {
            key: f"a.{key}",
            **names,
            **kinds,
            "activities": "count(*)",
            "last_activity": "max(a.happened_at)",
        }
        rest = f"{self._mart('activities')} as a\nwhere a.{key} is not null\ngroup by a.{key}\n"
        told = f"One row for each {what} that has calls, tasks or events: how many, and the last one."
        return Mart(f"activity_by_{what}", told, key, _select(columns, rest))

    def _customers(self) -> Mart | None:
        accounts, contacts = self.modules.get("Accounts"), self.modules.get("Contacts")
        if not self._has(accounts, "id"):
            return None
        columns = {
            "account_id": "a.id",
            "account": self._cell("a", accounts, self._title("Accounts")),
            "owner": self._name("users", self._cell("a", accounts, "owner__id")),
            "industry": self._cell("a", accounts, "industry"),
            "created_time": self._cell("a", accounts, "created_time", TIME),
        }
        joins = ""
        if self._has(contacts, "account_name__id"):
            columns["contacts"] = "coalesce(c.contacts, 0)"
            joins += self._grouped(str(contacts), "c", {"contacts": "count(*)"})
        if self._sales_pipeline() is not None:
            sums = {
                "deals": "count(*)",
                "open_deals": "sum(is_open)",
                "won_deals": "sum(is_won)",
                "open_amount_home": "sum(is_open * amount_home)",
                "won_amount_home": "sum(is_won * amount_home)",
            }
            columns.update({name: f"coalesce(d.{name}, 0)" for name in sums})
            shown = ", ".join(f"{expression} as {name}" for name, expression in sums.items())
            joins += (
                f"left join (\n    select account_id, {shown}\n    from {self._mart('sales_pipeline')}"
                " group by account_id\n) as d on d.account_id = a.id\n"
            )
        quotes = self.modules.get("Quotes")
        if self._has(quotes, "account_name__id"):
            columns["quotes"] = "coalesce(q.quotes, 0)"
            joins += self._grouped(str(quotes), "q", {"quotes": "count(*)"})
        told = "One row an account: its contacts, deals that are open and won, and quotes."
        return Mart(
            "customer_360", told, "account_id", _select(columns, f"{self._ref(str(accounts))} as a\n{joins}")
        )

    def _grouped(self, table: str, alias: str, sums: Mapping[str, str]) -> str:
        shown = ", ".join(f"{expression} as {name}" for name, expression in sums.items())
        return (
            f"left join (\n    select account_name__id as account_id, {shown}\n    from {self._ref(table)}"
            f" group by account_name__id\n) as {alias} on {alias}.account_id = a.id\n"
        )

    def _seats(self) -> Mart | None:
        if not self._has("users", "id"):
            return None
        work = [
            f"    select {key} as user_id, max({time}) as worked_at from {self._ref(table)} group by {key}\n"
            for table in self.modules.values()
            for key, time in (("created_by__id", "created_time"), ("modified_by__id", "modified_time"))
            if self._has(table, key, time)
        ]
        columns = {
            "user_id": "u.id",
            "name": self._cell("u", "users", "full_name"),
            "email": self._cell("u", "users", "email"),
            "role": self._of_user("roles", "role__id"),
            "profile": self._of_user("profiles", "profile__id"),
            "status": self._cell("u", "users", "status"),
            "type": f"coalesce({self._cell('u', 'users', 'type_s')}, 'Regular User')",
            "created_time": self._cell("u", "users", "created_time", TIME),
            "last_activity": "w.last_activity" if work else f"cast(null as {TIME})",
        }
        join = ""
        if work:
            join = (
                "left join (\n    select user_id, max(worked_at) as last_activity from (\n"
                + "    union all\n".join(work)
                + "    ) as works group by user_id\n) as w on w.user_id = u.id\n"
            )
        told = "One row a user: role, profile, status, and the last time at which they created or changed a record."
        return Mart("seats", told, "user_id", _select(columns, f"{self._ref('users')} as u\n{join}"))

    def _of_user(self, table: str, key: str) -> str:
        if not (self._has(table, "id", "name") and self._has("users", key)):
            return f"cast(null as {STRING})"
        return f"(select max(named.name) from {self._ref(table)} as named where named.id = u.{key})"


def _select(columns: Mapping[str, str], rest: str) -> str:
    shown = ",\n    ".join(f"{expression} as {name}" for name, expression in columns.items())
    return f"select\n    {shown}\nfrom {rest}"
