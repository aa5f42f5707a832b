"""accounts.toml: the accounts of one machine, each with the options of its run."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import tomlkit
from tomlkit.exceptions import TOMLKitError

from sources.zoho_crm.exceptions import SettingsError, suggest

from ..options import (
    ConfigOption,
    Options,
    connection_options,
    credit_options,
    max_age_options,
    module_options,
    notification_options,
    status_options,
    sync_options,
)

ACCOUNTS, DEFAULTS = "accounts", "defaults"
CONNECTION = ("connection_env", "connection_secret", "connection")
DATABASE = "database"
# What is said once for all accounts, on the command line or in dlt's configuration.
OF_THE_COMMAND = frozenset(
    {"connection", "env_file", "demo", "progress", "log_format", "verbose", "quiet", "metrics_file"}
    | {"pipelines_dir"}
)
OF_ONE_ACCOUNT = frozenset({*CONNECTION, DATABASE, "dataset", "pipeline_name"})  # never a default of all
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
HEADER = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?")
KEY = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')\s*=")
QUOTES = re.compile(r'"""|\'\'\'')


class AccountsError(SettingsError):
    """The file is wrong; the message names file and line."""

    def __init__(self, text: str, file: Path, line: int) -> None:
        super().__init__(f"{file.name}, line {line}: {text}")


@dataclass(frozen=True)
class Account:
    """One account of the file, checked."""

    name: str
    line: int
    settings: Mapping[str, Any]  # options of `run`, as their types take them
    connection: Mapping[str, str]  # where the connection string is: one of CONNECTION
    dataset: str
    pipeline_name: str
    destination: str
    database: Path | None  # the DuckDB file

    @property
    def place(self) -> tuple[str, str, str]:
        """Where its tables are; no two accounts may have one place."""
        from dlt.common.normalizers.naming.snake_case import NamingConvention as SnakeCase

        schema = SnakeCase().normalize_identifier(self.dataset)
        return self.destination, str(self.database or ""), schema.casefold()


def account_options() -> dict[str, ConfigOption]:
    """The options that an account may have, by their keys."""
    groups = (
        module_options(),
        sync_options(),
        credit_options(),
        notification_options(),
        connection_options(),
        status_options(),
        max_age_options(),
    )
    found = {str(param.name): param for group in groups for param in group if isinstance(param, ConfigOption)}
    return {name: param for name, param in found.items() if name not in OF_THE_COMMAND}


def load_accounts(path: Path, given: Mapping[str, Any]) -> list[Account]:
    """The accounts of the file, in its order.

    Args:
        path: The file.
        given: Options of the command line, which go before those of the file.

    Raises:
        SettingsError: The file cannot be read, is no TOML, or says something that no account has.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise SettingsError(f"The file {path} of --accounts cannot be read: {reason}.") from None
    return _Reader(path, text).accounts(given)


def choose_accounts(accounts: Sequence[Account], only: Collection[str], path: Path) -> list[Account]:
    """Those of these names, or all. Raises SettingsError for a name that the file does not have."""
    known = [account.name for account in accounts]
    for name in sorted(set(only) - set(known)):
        near = suggest(name, known)
        hint = f"did you mean {near}?" if near else f"it has {', '.join(known)}."
        raise SettingsError(f"--only: {path.name} has no account {name}: {hint}")
    return [account for account in accounts if not only or account.name in only]


class _Reader:
    """Checks a file, with the line of each key."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines: dict[tuple[str, ...], int] = {}
        for key, line in _lines(text):
            if key in self.lines:
                first = self.lines[key]
                if key[:1] == (ACCOUNTS,) and len(key) == len((ACCOUNTS, "name")):
                    raise AccountsError(
                        f"a second account is called {key[-1]}; the first one is in line {first}", path, line
                    )
                raise AccountsError(f"{'.'.join(key)} stands in line {first} already", path, line)
            self.lines[key] = line
        try:
            self.data: dict[str, Any] = tomlkit.parse(text).unwrap()
        except TOMLKitError as error:
            line = getattr(error, "line", None) or 1
            problem = re.sub(r" at line \d+ col \d+$", "", str(error)).rstrip(".")
            raise AccountsError(f"it is no TOML: {problem}", path, line) from None
        self.options = account_options()
        self.context = click.Context(click.Command("run"))

    def line(self, *key: str) -> int:
        """The line of a key, or of what it stands in."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def accounts(self, given: Mapping[str, Any]) -> list[Account]:
        self._check_keys((), self.data, (ACCOUNTS, DEFAULTS))
        found = self._table(ACCOUNTS)
        if not found:
            raise AccountsError("there is no account: write [accounts.NAME] and its options", self.path, 1)
        defaults = self._table(DEFAULTS)
        self._check_keys((DEFAULTS,), defaults, sorted(self.options.keys() - OF_ONE_ACCOUNT))
        defaults = self._values((DEFAULTS,), defaults)
        accounts = [self._account(name, own, defaults, given) for name, own in found.items()]
        self._check_places(accounts)
        return accounts

    def _table(self, name: str) -> dict[str, Any]:
        found = self.data.get(name, {})
        if not isinstance(found, dict):
            raise AccountsError(f"{name} has to be a section: [{name}]", self.path, self.line(name))
        return found

    def _check_keys(self, at: tuple[str, ...], found: Mapping[str, Any], known: Collection[str]) -> None:
        for key in found:
            if key in known:
                continue
            near = suggest(key, known)
            hint = f"did you mean {near}?" if near else f"known are {', '.join(known)}"
            raise AccountsError(f"unknown key {key}: {hint}", self.path, self.line(*at, key))

    def _values(self, at: tuple[str, ...], found: Mapping[str, Any]) -> dict[str, Any]:
        """The options among the keys, as the types of the command line take them."""
        values = {}
        for key, value in found.items():
            param = self.options.get(key)
            if param is None:
                continue
            line = self.line(*at, key)
            if isinstance(value, dict) or (
                isinstance(value, bool) and not (param.is_flag or key == "history")
            ):
                raise AccountsError(f"{key} has a value of a wrong kind", self.path, line)
            try:
                values[key] = param.type_cast_value(self.context, [value] if param.multiple else value)
            except click.BadParameter as error:
                raise AccountsError(f"{key}: {error.message}", self.path, line) from None
            if param.multiple:
                values[key] = _joined(values[key])
        return values

    def _account(self, name: str, own: Any, defaults: Mapping[str, Any], given: Mapping[str, Any]) -> Account:
        at, line = (ACCOUNTS, name), self.line(ACCOUNTS, name)
        if not NAME.fullmatch(name):
            raise AccountsError(
                f"{name!r} cannot name an account: take a letter, then letters, digits, _ and -, 40 at most",
                self.path,
                line,
            )
        if not isinstance(own, dict):
            raise AccountsError(f"{name} has to be a section: [accounts.{name}]", self.path, line)
        self._check_keys(at, own, (*CONNECTION, DATABASE, *sorted(self.options)))
        settings = {**defaults, **self._values(at, own), **given}
        destination = str(settings.pop("destination", Options.destination))
        return Account(
            name,
            line,
            settings,
            self._connection(name, own),
            dataset=settings.pop("dataset", name),
            pipeline_name=settings.pop("pipeline_name", name),
            destination=destination,
            database=self._database(name, own, destination),
        )

    def _connection(self, name: str, own: Mapping[str, Any]) -> dict[str, str]:
        found = {key: own[key] for key in CONNECTION if key in own}
        if len(found) != 1:
            raise AccountsError(
                f"{name} needs one of connection_env (a variable of the environment), connection_secret (a key of"
                f" dlt's secrets) and connection (the string itself), and has {len(found) or 'none'}",
                self.path,
                self.line(ACCOUNTS, name),
            )
        (key, value), *_ = found.items()
        if not isinstance(value, str) or not value.strip():
            raise AccountsError(f"{key} is no text, or empty", self.path, self.line(ACCOUNTS, name, key))
        return {key: value.strip()}

    def _database(self, name: str, own: Mapping[str, Any], destination: str) -> Path | None:
        value = own.get(DATABASE)
        line = self.line(ACCOUNTS, name, DATABASE)
        if destination != "duckdb":
            if value is not None:
                raise AccountsError(
                    f"database is the file of the destination duckdb, and {name} is loaded into {destination}",
                    self.path,
                    line,
                )
            return None
        if value is None:
            return Path(f"zoho_{name}.duckdb").absolute()
        if not isinstance(value, str) or not value.strip():
            raise AccountsError("database is no path", self.path, line)
        return Path(value).expanduser().absolute()

    def _check_places(self, accounts: list[Account]) -> None:
        places: dict[Any, Account] = {}
        names: dict[str, Account] = {}
        for account in accounts:
            other = places.setdefault(account.place, account)
            if other is not account:
                raise AccountsError(
                    f"{account.name} would be loaded into the dataset {account.dataset} of {other.name} (line"
                    f" {other.line}): give it a dataset of its own",
                    self.path,
                    account.line,
                )
            other = names.setdefault(account.pipeline_name.casefold(), account)
            if other is not account:
                raise AccountsError(
                    f"{account.name} has the pipeline_name of {other.name} (line {other.line}), under which its"
                    " state is kept: give it another one",
                    self.path,
                    account.line,
                )


def _joined(values: Collection[Any]) -> Any:
    """Of an option that may be given several times, all in one."""
    parts = [part for value in values for part in value]
    return frozenset(parts) if any(isinstance(value, frozenset) for value in values) else tuple(parts)


def _lines(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """The line of each section and key; tomlkit does not tell it."""
    section: tuple[str, ...] = ()
    inside = False  # a text of several lines
    for number, line in enumerate(text.splitlines(), 1):
        begun, inside = inside, inside ^ bool(len(QUOTES.findall(line)) % 2)
        if begun:
            continue
        if found := HEADER.fullmatch(line):
            section = tuple(part.strip().strip("\"'") for part in found[1].split("."))
            yield section, number
        elif found := KEY.match(line):
            yield (*section, found[1].strip("\"'")), number
