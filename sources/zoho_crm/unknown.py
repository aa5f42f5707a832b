"""Names of settings that nobody knows: where they stand, what may be meant, and one warning of all."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from dlt.common.configuration.container import Container
from dlt.common.configuration.specs import PluggableRunContext

from .nearest import nearest
from .settings import BY_ATTRIBUTE, KEY, Setting

logger = logging.getLogger("zoho_crm")

SECTIONS = ("sources", "zoho_crm")


def unknown_keys() -> list[str]:
    """Of the environment and of dlt's files: dlt looks up the keys it knows, and a misspelt one goes unseen."""
    names = {name[len(KEY) + 2 :].lower() for name in os.environ if name.upper().startswith(f"{KEY}__")}
    return sorted(name for name in {*names, *_configured()} if name not in BY_ATTRIBUTE)


def _configured() -> list[str]:
    """The settings that stand one by one in dlt's files, known ones or not."""
    providers = Container()[PluggableRunContext].providers.providers
    found: list[Any] = [one.get_value("credentials", dict, None, *SECTIONS)[0] for one in providers]
    return [str(name) for section in found if isinstance(section, Mapping) for name in section]


def unknown_name(name: str, before: Setting | None = None) -> str:
    """Words for a name that is no setting's.

    It may be the rest of a secret that holds a `;`, most likely of one that stands unquoted `before` it.
    """
    near = nearest(name, [setting.name for setting in BY_ATTRIBUTE.values()], 0.8 if before else 0.6)
    if not re.fullmatch(r"[A-Za-z][A-Za-z _]{0,39}", name):
        return "one that is no word"
    if near:
        return f"{name} (did you mean {near}?)"
    return f"one behind {before.name} (a value that holds ';' goes in quotes)" if before else name


def warn_unknown(words: Iterable[str]) -> None:
    """One warning of all names that are no settings'; a second one that says the same is none."""
    if told := ", ".join(dict.fromkeys(words)):
        _warn_once(told)


@lru_cache
def _warn_once(told: str) -> None:
    logger.warning("Unknown setting, ignored: %s", told)
