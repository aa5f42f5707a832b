"""Warns of keys in the environment that look like ours and are none: a rule that nobody reads protects nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from difflib import get_close_matches

logger = logging.getLogger("zoho_crm")

PREFIX = "SOURCES__ZOHO_CRM__"
# Secrets and parts of the account, which are no options.
BESIDE = ("CREDENTIALS", "PRIVACY_KEY", "NOTIFY_WEBHOOK")


def warn_of_unknown_keys(options: Collection[str]) -> None:
    """`options` are the keys of all commands; what dlt itself keeps below a resource is left alone."""
    known = {*(name.upper() for name in options), *BESIDE}
    for name in sorted(os.environ):
        key = name.removeprefix(PREFIX)
        if key == name or "__" in key or key in known:
            continue
        near = get_close_matches(key, known, 1)
        hint = f" (did you mean {PREFIX}{near[0]}?)" if near else ""
        logger.warning("Unknown key in the environment or .env, ignored: %s%s", name, hint)
