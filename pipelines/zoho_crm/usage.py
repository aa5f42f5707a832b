"""What is said of words that the command line does not take."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from itertools import pairwise

import click

from .errors import USAGE

FORMAT = "--log-format"
FORMAT_KEY = "SOURCES__ZOHO_CRM__LOG_FORMAT"


def asks_for_json(words: Sequence[str]) -> bool:
    """Whether a program reads the answer, as far as words tell that may be wrong in other ways."""
    given = [after for word, after in pairwise(words) if word == FORMAT]
    given += [word.partition("=")[2] for word in words if word.startswith(f"{FORMAT}=")]
    configured = [] if "--demo" in words else [os.environ.get(FORMAT_KEY)]
    return "json" in (given or configured)


def usage(error: click.ClickException, words: Sequence[str], commands: Collection[str]) -> str:
    """The sentence for a usage error, with a hint where one helps."""
    text = _no_such_option(error) if isinstance(error, click.NoSuchOption) else error.format_message()
    if error.exit_code != USAGE:
        return text
    found = re.search(r"unexpected extra arguments? \((.+)\)", text)
    extra = found[1].split() if found else []
    if extra and extra[0] in commands:
        return f"The command comes first: {extra[0]}, then its options."
    if extra and _follows_a_comma(extra[0], words):
        return "Names go between commas without blanks, or in quotes: --modules Leads,Deals."
    return f"{text} (--help lists the options)"


def _no_such_option(error: click.NoSuchOption) -> str:
    """With the nearest option; click counts the dashes, so that every short word is near to another."""
    params = error.ctx.command.params if error.ctx else []
    known = {name.lstrip("-"): name for param in params for name in param.opts if name.startswith("--")}
    near = get_close_matches(error.option_name.lstrip("-"), known, n=1)
    hint = f" Did you mean {known[near[0]]}?" if near else ""
    return f"No such option {error.option_name}.{hint}"


def _follows_a_comma(extra: str, words: Sequence[str]) -> bool:
    pairs = pairwise(words)
    return any(after == extra and (word.endswith(",") or after.startswith(",")) for word, after in pairs)
