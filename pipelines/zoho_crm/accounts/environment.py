"""The environment of an account's process: its options, its connection, and nothing of the other accounts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sources.zoho_crm.exceptions import SettingsError

from ..options import ALL
from .accounts_file import Account

PREFIX = "SOURCES__ZOHO_CRM__"
CREDENTIALS = f"{PREFIX}CREDENTIALS"
READS_NO_ACCOUNT = ("status", "report")


def shared_environment(accounts: Iterable[Account]) -> dict[str, str]:
    """This process's environment, without any account's connection."""
    secret = {account.connection.get("connection_env") for account in accounts}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in secret and not name.startswith(CREDENTIALS)
    }


def environment_of(account: Account, common: Mapping[str, Any]) -> dict[str, str]:
    """The settings of the account as keys of dlt's configuration; `common` are those of all accounts."""
    settings = {
        **account.settings,
        **common,
        "destination": account.destination,
        "dataset": account.dataset,
        "pipeline_name": account.pipeline_name,
        "env_file": os.devnull,  # this process has read it: another account's settings may be in it
    }
    found = {f"{PREFIX}{name.upper()}": as_text(value) for name, value in settings.items()}
    if account.database is not None:
        # Both, because dlt would fill up the string from keys of secrets.toml.
        found["DESTINATION__DUCKDB__CREDENTIALS"] = str(account.database)
        found["DESTINATION__DUCKDB__CREDENTIALS__DATABASE"] = str(account.database)
    return found


def connection_of(account: Account) -> dict[str, str]:
    """The connection string, or dlt's separate keys, as variables. Raises SettingsError if there is none."""
    import dlt

    (key, value), *_ = account.connection.items()
    if key == "connection":
        return {CREDENTIALS: value}
    if key == "connection_env":
        found: Any = os.environ.get(value, "").strip()
        if not found:
            raise SettingsError(
                f"The connection of {account.name} is not there: connection_env names {value}, which is neither in"
                " the environment nor in .env."
            )
        return {CREDENTIALS: found}
    found = dlt.secrets.get(value)
    if not found:
        raise SettingsError(
            f"The connection of {account.name} is not there: connection_secret names {value}, which dlt finds neither"
            " in secrets.toml nor in the environment."
        )
    if isinstance(found, Mapping):
        return {f"{CREDENTIALS}__{name.upper()}": str(part) for name, part in found.items()}
    return {CREDENTIALS: str(found)}


def as_text(value: Any) -> str:
    """As the option's type reads it from a variable of the environment."""
    if value == ALL:
        return "true"
    if isinstance(value, (frozenset, set, tuple, list)):
        return json.dumps(sorted(value) if isinstance(value, (frozenset, set)) else list(value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return f"{value.total_seconds():f}s"
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if not isinstance(value, Path) else str(value.absolute())
