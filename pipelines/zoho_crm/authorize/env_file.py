"""The settings of an account inside a .env file: changed where they stand, everything else left as it is."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from sources.zoho_crm.auth.connection_string import (
    Edit,
    apply_edits,
    join_settings,
    settings_edits,
    split_settings,
)
from sources.zoho_crm.auth.credentials import KEY, SETTINGS
from sources.zoho_crm.auth.token_store import write_private
from sources.zoho_crm.exceptions import SettingsError

BOM = "\ufeff"
LEAD = re.compile(r"\s*(?:export[^\S\r\n]+)?(?:'[^']+'|[^=#\s]+)[^\S\r\n]*=[^\S\r\n]*")
ESCAPES = {"'": re.compile(r"\\[\\']"), '"': re.compile(r"\\[\\'\"abfnrtv]"), "": re.compile(r"(?!)")}

Changes = Mapping[str, str | None]


class EnvFile:
    """A .env file, which need not be there yet; a link is followed, so that it stays one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.resolve()
        try:
            content = self._file.read_bytes() if self._file.exists() else b""
            self._text = content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"The file {path} cannot be read ({type(error).__name__}).") from None

    def check_writable(self) -> None:
        """Before a code is spent: it brings its tokens only once."""
        folder = self._file.parent
        if self._file.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            raise SettingsError(
                f"{self.path} cannot be written, so the tokens would be lost: make its folder writable, or name"
                " another file with --env-file."
            )
        changed(self._text, {}, {"OAuthRefreshToken": "1000.trial"})

    @property
    def account(self) -> dict[str, str]:
        """What the file says about the account, by the names of the environment."""
        return _account(_bindings(self._text.removeprefix(BOM)))

    def write(self, settings: Mapping[str, str], changes: Changes) -> dict[str, str]:
        """Make the changes, in a new line with all settings if there is none yet; gives what the file then says."""
        self._text = changed(self._text, settings, changes)
        write_private(self._file, self._text.encode())
        return self.account


def changed(text: str, settings: Mapping[str, str], changes: Changes) -> str:
    """The file's text with the changes made in the connection string, in separate keys, or in both."""
    bom, text = (BOM, text[1:]) if text.startswith(BOM) else ("", text)
    lines = [_Line(binding.original.string, binding.value) for binding in _bindings(text)]
    places = _last_places(_bindings(text))
    apart = {name for name in {**settings, **changes} if separate_key(name) in places}
    for name in apart & changes.keys():
        lines[places[separate_key(name)]].become(changes[name] or "")
    if KEY in places:
        line = lines[places[KEY]]
        names = {name.casefold() for name, _ in split_settings(line.value or "")}
        line.edit({n: v for n, v in changes.items() if n not in apart or n.casefold() in names})
        return bom + _checked("".join(line.raw for line in lines), {KEY: line.value or ""})
    wanted = {**settings, **changes}
    new = {name: value for name, value in wanted.items() if value is not None and name not in apart}
    if apart:
        keys = {separate_key(name): value for name, value in new.items()}
    else:
        keys = {KEY: join_settings(new.items())}
    return bom + _checked(_appended("".join(line.raw for line in lines), keys), keys)


def separate_key(name: str) -> str:
    """The key of one setting in dlt's own form."""
    return f"{KEY}__{SETTINGS[name.casefold()].attribute.upper()}"


@dataclass
class _Line:
    """A line of the file, or several if its value goes over several."""

    raw: str
    value: str | None

    def edit(self, changes: Changes) -> None:
        """Change settings of the connection string that the value is."""
        edits = settings_edits(self.value or "", changes)
        self.become(apply_edits(self.value or "", edits), edits)

    def become(self, value: str, edits: Iterable[Edit] = ()) -> None:
        """Have another value, by edits of the old one if they do; quotes and comment stay if they can."""
        if value == self.value:
            return
        for raw in (self._edited(edits), self._replaced(value, self._quote), *self._requoted(value)):
            found = _bindings(raw) if raw is not None else []
            if len(found) == 1 and found[0].value == value:
                self.raw, self.value = found[0].original.string, value
                return
        raise SettingsError(f"A setting cannot be written below {KEY}: no quotes of a .env file can hold it.")

    @property
    def _start(self) -> int:
        found = LEAD.match(self.raw)
        return found.end() if found else len(self.raw)

    @property
    def _quote(self) -> str:
        sign = self.raw[self._start : self._start + 1]
        return sign if sign and sign in "'\"" else ""

    def _places(self) -> list[int]:
        """Where each letter of the value stands in the line, and where the value ends."""
        places, at = [], self._start + len(self._quote)
        for _ in self.value or "":
            places.append(at)
            found = ESCAPES[self._quote].match(self.raw, at)
            at = found.end() if found else at + 1
        return [*places, at]

    def _edited(self, edits: Iterable[Edit]) -> str | None:
        places, quote = self._places(), self._quote
        moved = [Edit(places[e.start], places[e.end], _escaped(e.text, quote)) for e in edits]
        return apply_edits(self.raw, moved) if moved and self.value else None

    def _replaced(self, value: str, quote: str) -> str | None:
        if not self.value and not quote:
            return None
        places, end = self._places(), len(self.value or "")
        return apply_edits(self.raw, [Edit(places[0], places[end], _escaped(value, quote))])

    def _requoted(self, value: str) -> Iterator[str]:
        around = len(self._quote)
        end = self._places()[-1] + around
        for quote in "'\"":
            yield f"{self.raw[: self._start]}{quote}{_escaped(value, quote)}{quote}{self.raw[end:]}"


def _bindings(text: str) -> list[Binding]:
    return list(parse_stream(io.StringIO(text, newline="")))


def _last_places(bindings: Sequence[Binding]) -> dict[str, int]:
    """The place of each key of the account; of a repeated one the last, which is the one that counts."""
    return {
        binding.key: place
        for place, binding in enumerate(bindings)
        if binding.key is not None and binding.value is not None
        if binding.key == KEY or binding.key.startswith(f"{KEY}__")
    }


def _account(bindings: Sequence[Binding]) -> dict[str, str]:
    return {key: bindings[place].value or "" for key, place in _last_places(bindings).items()}


def _checked(text: str, values: Mapping[str, str]) -> str:
    """The text, if it says what it has to: an open quote further up would swallow the account."""
    account = _account(_bindings(text))
    if any(account.get(key) != value for key, value in values.items()):
        raise SettingsError(
            "The .env file has a line that cannot be read (is a quote closed nowhere?), so what is written behind it"
            " would not be found: correct it, then run authorize again."
        )
    return text


def _escaped(text: str, quote: str) -> str:
    return text.replace("\\", "\\\\").replace(quote, f"\\{quote}") if quote else text


def _appended(text: str, values: Mapping[str, str]) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    text += end if text and not text.endswith(("\n", "\r")) else ""
    for key, value in values.items():
        line = _Line(f"{key}={end}", "")
        line.become(value)
        text += line.raw
    return text
