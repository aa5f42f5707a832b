"""Names on the command line: of modules between commas, and of anything else that may not be empty."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

# What no file system, or not every one, takes as a name; dlt keeps to it as well.
BAD_LETTERS = re.compile(r'[\x00-\x1f/\\:*?"<>|]')
BAD_NAMES = re.compile(r"\.{1,2}|.*[ .]|(con|prn|aux|nul|com\d|lpt\d)(\..*)?|.{200,}", re.IGNORECASE)


def spelt_out(value: Any) -> Any:
    """The list that a JSON text in the environment stands for; anything else as it is."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


class Names(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2 only
    """API names between commas; a list of dlt's configuration is taken as well."""

    name = "A,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        value = spelt_out(value)
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, Iterable):
            self.fail(f"{value!r} is no list of names.", param, ctx)
        names = frozenset(str(part).strip() for part in parts) - {""}
        if not names:
            self.fail("it holds no name.", param, ctx)
        return names


class Word(click.ParamType):  # type: ignore[type-arg]
    """Text that may not be empty; `--dataset ''` is a variable that a script forgot to set."""

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        self.name = name
        self._known = known

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        kind = {"PATH": "file", "DIR": "dir"}.get(self.name)
        names = [CompletionItem(name) for name in self._known if name.startswith(incomplete)]
        return [CompletionItem(incomplete, type=kind)] if kind else names

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not isinstance(value, str) or not value.strip():
            self.fail("it is empty.", param, ctx)
        return value.strip()


class FolderName(Word):
    """A name that dlt calls a folder by."""

    def __init__(self) -> None:
        super().__init__("NAME")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name = super().convert(value, param, ctx)
        if BAD_LETTERS.search(name) or BAD_NAMES.fullmatch(name):
            self.fail(f"{name!r} cannot be the name of a folder: take letters, digits, _ and -.", param, ctx)
        return name
