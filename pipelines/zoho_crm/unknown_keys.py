"""Warns of keys in the environment that look like ours and are none: a rule that nobody reads protects nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection

logger = logging.getLogger("zoho_crm")

PREFIX = "SOURCES__ZOHO_CRM__"
# Secrets, which are no options.
BESIDE = ("PRIVACY_KEY", "NOTIFY_WEBHOOK")
# What the key of --connection is taken for; `credentials` is dlt's word.
MEANT = {"CONNECTION": "CREDENTIALS", "CONNECTION_STRING": "CREDENTIALS"}


def warn_of_unknown_keys(options: Collection[str]) -> None:
    """`options` are the keys of all commands; what dlt itself keeps below a resource is left alone."""
    from sources.zoho_crm.exceptions import suggest

    known = {*(name.upper() for name in options), *BESIDE}
    for name in sorted(os.environ):
        key = name.removeprefix(PREFIX)
        if key == name or "__" in key or key in known:
            continue
        near = MEANT.get(key) or suggest(key, known)
        hint = f" (did you mean {PREFIX}{near}?)" if near else ""
        logger.warning("Unknown key in the environment or .env, ignored: %s%s", name, hint)
