"""Runs connectors against a simulated account into a DuckDB file, and compares the tables with the account."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path

import dlt
import duckdb

from pipelines.zoho_api.runner import ConnectorRun, ConnectorRunner
from pipelines.zoho_crm.run.pipeline import open_pipeline
from pipelines.zoho_crm.run.progress import Progress
from simulators.zoho_crm.serialization import dumps
from sources.zoho_api import load_connector, open_service
from sources.zoho_api.session import Clock
from sources.zoho_crm.sync.warehouse import Warehouse
from tests.conftest import SimulatedTime

BOOKS_LISTS = {
    "invoices": "invoices",
    "estimates": "estimates",
    "bills": "bills",
    "credit_notes": "creditnotes",
    "sales_orders": "salesorders",
    "purchase_orders": "purchaseorders",
    "contacts": "contacts",
    "items": "items",
    "customer_payments": "customerpayments",
    "vendor_payments": "vendorpayments",
    "expenses": "expenses",
    "chart_of_accounts": "chartofaccounts",
    "bank_accounts": "bankaccounts",
}
RECRUIT_MODULES = {
    "candidates": "Candidates",
    "job_openings": "Job_Openings",
    "applications": "Applications",
    "interviews": "Interviews",
    "clients": "Clients",
    "vendors": "Vendors",
    "j1_participants": "J1_Participants",
}
DESK_TABLES = ("tickets", "contacts", "accounts", "products", "tasks", "agents", "departments")


@dataclass
class Connecting:
    """One served account, and the pipelines that read its services."""

    account: object
    connection_string: str
    folder: Path
    destination: object = None
    last: ConnectorRun | None = None
    parameters: dict = field(default_factory=dict)
    opened: object = None

    def clock(self) -> Clock:
        time = SimulatedTime(self.account)
        return Clock(time.sleep, time.monotonic, lambda: self.account.clock.now())

    def service(self, name, **parameters):
        connector = load_connector(name)
        credentials = None
        if connector.authentication.type == "zoho":
            credentials = f"{self.connection_string.rstrip('; ')};OAuthSettingsLocation=memory://;"
        given = {**self.parameters.get(connector.name, {}), **parameters}
        return open_service(connector, credentials, given, self.clock())

    def __call__(self, name, *tables, full=False, destination=None, **parameters) -> ConnectorRun:
        """One run, as the command makes it."""
        service = self.service(name, **parameters)
        where = destination or self.destination or dlt.destinations.duckdb(str(self.file))
        if self.opened is None and self.file.exists():
            self.opened = duckdb.connect(
                str(self.file)
            )  # opening it again and again takes a third of the time
        stem = service.connector.name
        pipeline = open_pipeline(f"zoho_{stem}", where, f"zoho_{stem}", str(self.folder / "p"), Progress())
        service.find_organization()
        runner = ConnectorRunner(
            pipeline, service, Warehouse(pipeline, Path(pipeline.working_dir)), whole=full
        )
        self.last = runner.run(tables)
        return self.last

    def good(self, name, *tables, **options) -> ConnectorRun:
        run = self(name, *tables, **options)
        assert run.exit_code == 0, [(one.name, one.error) for one in run.readings if one.error] + run.troubles
        return run

    def let_go(self):
        """Before somebody else touches the file."""
        if self.opened is not None:
            self.opened.close()
            self.opened = None

    @property
    def file(self) -> Path:
        return self.folder / "zoho.duckdb"

    @contextmanager
    def database(self):
        with duckdb.connect(str(self.file)) as database:
            yield database

    def sql(self, query):
        with self.database() as database:
            return database.sql(query).fetchall()

    def rows(self, connector, table) -> list[dict]:
        with self.database() as database:
            found = database.sql(f"select * from zoho_{connector}.{table}")
            names = [name for name in found.columns if not name.startswith("_dlt")]
            kinds = dict(zip(found.columns, map(str, found.types), strict=True))
            listed = ", ".join(f'"{name}"' for name in names)
            values = database.sql(f"select {listed} from zoho_{connector}.{table}").fetchall()
        assert not [name for name in names if "__v_" in name], names  # a value that did not fit its column
        return [
            {
                name: plain(value, kinds[name])
                for name, value in zip(names, row, strict=True)
                if value is not None
            }
            for row in values
        ]


def plain(value, kind):
    """A value of the destination in a form in which it can be compared with the account's."""
    if kind == "JSON":
        return frozen(json.loads(value, parse_float=Decimal))
    if isinstance(value, datetime):
        assert kind == "TIMESTAMP WITH TIME ZONE", kind
        return value.astimezone(timezone.utc)
    return value


def frozen(value):
    """Lists and mappings, whose numbers dlt writes as texts to keep their digits."""
    if isinstance(value, dict):
        return {key: frozen(one) for key, one in value.items()}
    if isinstance(value, list):
        return [frozen(one) for one in value]
    number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    return format(Decimal(str(value)).normalize(), "f") if number else _number_text(value)


def _number_text(value):
    try:
        return (
            format(Decimal(value).normalize(), "f")
            if isinstance(value, str) and value[:1].isdigit()
            else value
        )
    except ArithmeticError:
        return value


def truth(records, like, empty=(None,)) -> list[dict]:
    """The account's rows as they have to stand in a table whose rows are `like`; `empty` values are nulls."""
    kinds: dict[str, type] = {}
    for row in like:
        kinds.update({name: type(value) for name, value in row.items()})
    naming = dlt.Schema("names").naming
    sent = [json.loads(dumps(record, "UTC"), parse_float=Decimal, parse_int=Decimal) for record in records]
    return [
        {
            (column := naming.normalize_identifier(name)): _expected(value, kinds.get(column))
            for name, value in row.items()
            if value not in empty
        }
        for row in sent
    ]


def _expected(value, kind):
    if isinstance(value, (dict, list)):
        return frozen(value)
    if kind is datetime:
        return datetime.strptime(
            value, "%Y-%m-%dT%H:%M:%S.%f%z" if "." in value else "%Y-%m-%dT%H:%M:%S%z"
        ).astimezone(timezone.utc)
    return date.fromisoformat(value) if kind is date else value


def truth_of(suite, connector, table, organization=None) -> list[dict]:
    """What a table has to hold, as the service's list shows it."""
    if connector == "desk":
        rows = suite.desk.rows(table)
        whole = table not in ("agents", "departments")
        return [(suite.desk.whole if whole else suite.desk.listed)(row) for row in rows]
    if connector == "books":
        books = suite.books
        rows = books.rows(BOOKS_LISTS[table], organization or books.default_organization)
        return [books.listed(row) for row in rows]
    recruit = suite.recruit
    return [recruit.listed(row) for row in recruit.rows(RECRUIT_MODULES[table])]


def assert_equal(connecting, connector, table, records, key="id"):
    rows = connecting.rows(connector, table)
    found = {row[key]: row for row in rows}
    empty = (None, "") if load_connector(connector).empty_text_is_null else (None,)
    assert len(found) == len(rows), f"{table}: a row is there twice"
    expected = {row[key]: row for row in truth(records, rows, empty)}
    missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
    assert not missing and not extra, f"{table}: missing {sorted(missing)[:5]}, extra {sorted(extra)[:5]}"
    for id, row in expected.items():
        assert found[id] == row, f"{table} {id}: {_difference(found[id], row)}"


def _difference(found, row):
    names = found.keys() | row.keys()
    return {name: (found.get(name), row.get(name)) for name in names if found.get(name) != row.get(name)}


def tables_of(connector) -> tuple[str, ...]:
    return {"desk": DESK_TABLES, "books": tuple(BOOKS_LISTS), "recruit": tuple(RECRUIT_MODULES)}[connector]


def key_of(connector, table) -> str:
    if connector != "books":
        return "id"
    found = load_connector("books").resource(table).config["primary_key"]
    assert isinstance(found, str)
    return found


def assert_tables(connecting, suite, connector, *tables):
    """Each table equals the account, row by row."""
    organization = connecting.parameters.get(connector, {}).get("organization_id")
    for table in tables or tables_of(connector):
        assert_equal(
            connecting,
            connector,
            table,
            truth_of(suite, connector, table, organization),
            key_of(connector, table),
        )
