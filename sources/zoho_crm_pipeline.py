"""Loads Zoho CRM into DuckDB: everything the first time, what has changed each time after."""

from __future__ import annotations

import dlt
from zoho_crm import zoho_crm  # type: ignore[import-not-found, unused-ignore]  # beside this file after dlt init


def load_some_modules() -> None:
    """The modules that are named, as one table each."""
    pipeline = dlt.pipeline(pipeline_name="zoho_crm", destination="duckdb", dataset_name="zoho_crm_data")
    print(pipeline.run(zoho_crm(modules=["Leads", "Contacts", "Accounts", "Deals"])))


def load_everything() -> None:
    """Every module that the account offers, and its users, roles, fields and deleted records."""
    pipeline = dlt.pipeline(pipeline_name="zoho_crm", destination="duckdb", dataset_name="zoho_crm_data")
    print(pipeline.run(zoho_crm()))


def load_with_a_step() -> None:
    """A step of your own sees Arrow tables."""
    pipeline = dlt.pipeline(pipeline_name="zoho_crm", destination="duckdb", dataset_name="zoho_crm_data")
    source = zoho_crm(modules=["Leads"])
    source.resources["leads"].add_map(lambda rows: rows.drop_columns(["phone"]))
    print(pipeline.run(source))


if __name__ == "__main__":
    load_everything()
