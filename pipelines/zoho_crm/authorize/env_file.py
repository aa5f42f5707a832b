"""The settings of an account inside a .env file: changed where they stand, everything else left as it is."""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values, set_key
from dotenv.parser import parse_stream

from sources.zoho_crm.auth.connection_string import (
    apply_edits,
    join_settings,
    settings_edits,
    split_settings,
)
from sources.zoho_crm.auth.credentials import KEY, SETTINGS
from sources.zoho_crm.auth.token_store import write_private
from sources.zoho_crm.exceptions import SettingsError

BOM = "\ufeff"
EXPORT = re.compile(r"\s*export\s")
# A comment behind a value, which is in quotes or not.
COMMENT = re.compile(
    r"""=[^\S\r\n]*(?:'(?:\\'|[^'])*'|"(?:\\"|[^"])*"|[^\r\n]*?)([^\S\r\n]+\#[^\r\n]*)?[\r\n]*\Z"""
)

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
        return _account(self._text)

    def write(self, settings: Mapping[str, str], changes: Changes) -> dict[str, str]:
        """Make the changes, in a new line with all settings if there is none yet; gives what the file then says.

        The file is replaced in one step, with mode 0600.
        """
        self._replace(changed(self._text, settings, changes))
        return self.account

    def write_values(self, values: Mapping[str, str]) -> None:
        """Set keys, whatever they are about; the file is replaced as by `write`."""
        self._replace(with_values(self._text, values))

    def _replace(self, text: str) -> None:
        self._text = text
        write_private(self._file, text.encode())


def changed(text: str, settings: Mapping[str, str], changes: Changes) -> str:
    """The file's text with the changes made in the connection string, in separate keys, or in both."""
    return with_values(text, _new_values(_account(text), settings, changes))


def with_values(text: str, values: Mapping[str, str]) -> str:
    """The file's text with keys set. Raises SettingsError if they could not be read from it."""
    with tempfile.TemporaryDirectory() as folder:  # only its owner can look into it
        copy = Path(folder) / ".env"
        copy.write_text(text, encoding="utf-8", newline="")
        encoding = "utf-8-sig" if text.startswith(BOM) else "utf-8"
        for key, value in values.items():
            export, comment = _around(text, key)
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            set_key(copy, key, f"'{escaped}'{comment}", quote_mode="never", export=export, encoding=encoding)
        after = copy.read_bytes().decode("utf-8")
    there = _values(after)
    if any(there.get(key) != value for key, value in values.items()):
        raise SettingsError(
            "The .env file has a line that cannot be read (is a quote closed nowhere?), so what is written behind it"
            " would not be found: correct it, then run authorize again."
        )
    return after


def separate_key(name: str) -> str:
    """The key of one setting in dlt's own form."""
    return f"{KEY}__{SETTINGS[name.casefold()].attribute.upper()}"


def _new_values(account: Mapping[str, str], settings: Mapping[str, str], changes: Changes) -> dict[str, str]:
    """The keys of the file that change, with their new values."""
    apart = {name for name in {**settings, **changes} if separate_key(name) in account}
    values = {separate_key(name): changes[name] or "" for name in changes if name in apart}
    if KEY in account:
        text = account[KEY]
        names = {name.casefold() for name, _ in split_settings(text)}
        inside = {n: v for n, v in changes.items() if n not in apart or n.casefold() in names}
        values[KEY] = apply_edits(text, settings_edits(text, inside))
    else:
        wanted = {**settings, **changes}
        new = {name: value for name, value in wanted.items() if value is not None and name not in apart}
        if apart:
            values |= {separate_key(name): value for name, value in new.items()}
        else:
            values[KEY] = join_settings(new.items())
    return {key: value for key, value in values.items() if account.get(key) != value}


def _account(text: str) -> dict[str, str]:
    """The keys of the account; of a repeated one the last counts."""
    values = _values(text)
    return {key: value for key, value in values.items() if key == KEY or key.startswith(f"{KEY}__")}


def _values(text: str) -> dict[str, str]:
    values = dotenv_values(stream=io.StringIO(text.removeprefix(BOM)), interpolate=False)
    return {key: value for key, value in values.items() if value is not None}


def _around(text: str, key: str) -> tuple[bool, str]:
    """Whether the line of a key begins with `export`, and the comment at its end, which set_key leaves out."""
    lines = [b.original.string for b in parse_stream(io.StringIO(text.removeprefix(BOM))) if b.key == key]
    if not lines:
        return False, ""
    comment = COMMENT.search(lines[-1])
    return EXPORT.match(lines[-1]) is not None, (comment and comment.group(1)) or ""
