"""The rules of privacy as they are configured: lists, or texts with a rule a line or between semicolons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import dlt

from .errors import SettingsError
from .filters import read_filter
from .privacy import Rules, read_rules

SECTION = "sources.zoho_crm"
RULE_NAMES = ("privacy", "fields", "filters")
DEMO_KEY = "a demo has nothing to hide"


def texts_of(value: Any) -> tuple[str, ...]:
    """The rules in a value of dlt's configuration."""
    if value is None:
        return ()
    if isinstance(value, str):
        parts: Iterable[Any] = re.split(r"[;\n]", value)
    elif isinstance(value, Iterable) and not isinstance(value, Mapping):
        parts = value
    else:
        raise SettingsError(f"{value!r} is no list of rules.")
    return tuple(text for part in parts if (text := str(part).strip()))


def rules_of(privacy: Iterable[str], fields: Iterable[str], filters: Iterable[str], key: str | None) -> Rules:
    """Raises SettingsError for what cannot be read, and for a key that is missing."""
    # No rule of these two holds a comma; a value of a filter may.
    rules = [part for text in privacy for part in text.split(",") if part.strip()]
    names = [part for text in fields for part in text.split(",") if part.strip()]
    return read_rules(rules, names, [read_filter(text) for text in filters], key or "")


def configured_rules(configured: Mapping[str, Any]) -> Rules:
    """The rules from the values of dlt's configuration by their names."""
    privacy, fields, filters = (texts_of(configured.get(name)) for name in RULE_NAMES)
    return rules_of(privacy, fields, filters, configured_key())


def configured_key() -> str | None:
    """The key of hashes, from the environment or secrets.toml; dlt writes down what it was asked for as no secret."""
    key: Any = dlt.secrets.get(f"{SECTION}.privacy_key")
    return None if key is None else str(key)
