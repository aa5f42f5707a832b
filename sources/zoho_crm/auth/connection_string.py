"""The grammar of a connection string: `Name=value;Name='a ''quoted'' value';`, and nothing about its names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ..exceptions import SettingsError

QUOTES = "'\""


@dataclass(frozen=True)
class Piece:
    """One setting, and where it stands in the text."""

    name: str
    value: str
    start: int
    value_start: int
    value_end: int  # behind the closing quote
    end: int  # behind the `;`

    @property
    def quoted(self) -> bool:
        return self.value_end - self.value_start > len(self.value)


@dataclass(frozen=True)
class Edit:
    """What stands between two places of a text becomes another text."""

    start: int
    end: int
    text: str


def split_settings(text: str, known: Collection[str] = ()) -> list[tuple[str, str]]:
    """The (name, value) pairs in order, a repeated name included."""
    return [(piece.name, piece.value) for piece in pieces_of(text, known)]


def settings_edits(text: str, changes: Mapping[str, str | None]) -> list[Edit]:
    """The edits, in order, after which the settings have these values; None takes a setting out.

    A new value keeps the quotes of the old one, a new setting goes to the end, and nothing else moves.
    """
    pieces = pieces_of(text)
    wanted = {name.casefold(): value for name, value in changes.items()}
    last = max([len(text.rstrip()), *(piece.value_end for piece in pieces)])
    edits = []
    for piece in pieces:
        value = wanted.get(piece.name.casefold(), piece.value)
        if value is None:
            edits.append(Edit(piece.start, min(piece.end, last), ""))
        elif value != piece.value:
            quote = text[piece.value_start : piece.value_start + 1]
            edits.append(Edit(piece.value_start, piece.value_end, _quoted(value, quote)))
    known = {piece.name.casefold() for piece in pieces}
    new = [(n, v) for n, v in changes.items() if n.casefold() not in known and v is not None]
    if new:
        edits.append(Edit(last, last, _appended(text, pieces, new)))
    return edits


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    for edit in reversed(list(edits)):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def join_settings(pairs: Iterable[tuple[str, str]]) -> str:
    """The connection string that `split_settings` reads as these pairs."""
    return "".join(f"{_checked(name)}={_quoted(value)};" for name, value in pairs)


def pieces_of(text: str, known: Collection[str] = ()) -> list[Piece]:
    """The settings in order, a repeated name included.

    An error tells the position, and the name only when it is one of `known` (casefolded): what
    looks like a name may be the rest of a secret that holds a `;`.
    """
    pieces: list[Piece] = []
    at = 0
    while True:
        start = _skip(text, at, blank=" \t\r\n\f\v;")
        if start >= len(text):
            return pieces
        position = len(pieces) + 1
        name, at = _name(text, start, position)
        spoken = f"{name} (setting {position})" if name.casefold() in known else f"setting {position}"
        value_start = _skip(text, at)
        value, value_end, at = _value(text, value_start, spoken)
        pieces.append(Piece(name, value, start, value_start, value_end, at))


def _appended(text: str, pieces: list[Piece], new: Iterable[tuple[str, str]]) -> str:
    """New settings as they go behind the last one, with the blanks that stand between the others."""
    lead = text[pieces[-2].end : pieces[-1].start].replace(";", "") if len(pieces) > 1 else ""
    sign = ";" if pieces and pieces[-1].end > len(text) else ""
    return sign + "".join(f"{lead}{_checked(name)}={_quoted(value)};" for name, value in new)


def _name(text: str, at: int, position: int) -> tuple[str, int]:
    end = min((found for found in (text.find("=", at), text.find(";", at)) if found >= 0), default=len(text))
    name = text[at:end].strip()
    if end == len(text) or text[end] == ";":
        raise SettingsError(
            f"The connection string cannot be read: setting {position} has no '='. Write Name=value;"
            " and put a value that holds ';' in quotes."
        )
    if not name or name[0] in QUOTES:
        raise SettingsError(
            f"The connection string cannot be read: setting {position} has no name before its '='. Write"
            " Name=value; and no quotes around the whole string."
        )
    return name, end + 1


def _value(text: str, at: int, spoken: str) -> tuple[str, int, int]:
    """The value, where it ends, and where the next setting may begin."""
    if at < len(text) and text[at] in QUOTES:
        return _quoted_value(text, at, spoken)
    end = text.find(";", at)
    end = len(text) if end < 0 else end
    value = text[at:end].strip()
    return value, at + len(value), end + 1


def _quoted_value(text: str, at: int, spoken: str) -> tuple[str, int, int]:
    quote = text[at]
    parts = []
    at += 1
    while True:
        end = text.find(quote, at)
        if end < 0:
            raise SettingsError(
                f"The connection string cannot be read: the value of {spoken} starts with a quote that"
                " nothing closes. Double a quote inside the value."
            )
        parts.append(text[at:end])
        at = end + 1
        if not text.startswith(quote, at):
            break
        parts.append(quote)
        at += 1
    closed = at
    at = _skip(text, at)
    if at < len(text) and text[at] != ";":
        raise SettingsError(
            f"The connection string cannot be read: the value of {spoken} goes on after its closing quote."
            " Double a quote inside the value, and end the setting with ';'."
        )
    return "".join(parts), closed, at + 1


def _skip(text: str, at: int, blank: str | None = None) -> int:
    while at < len(text) and (
        text[at].isspace() if blank is None else text[at] in blank or text[at].isspace()
    ):
        at += 1
    return at


def _checked(name: str) -> str:
    if not name or name != name.strip() or name[0] in QUOTES or any(sign in name for sign in "=;"):
        raise SettingsError("A setting's name is a word without '=', ';' and outer blanks or quotes.")
    return name


def _quoted(value: str, quote: str = "") -> str:
    """The value as it is written; `quote` is the one to keep, if it is a quote."""
    if quote not in QUOTES or not quote:
        if value == value.strip() and not any(sign in value for sign in ";'\""):
            return value
        quote = "'" if '"' in value and "'" not in value else '"'
    return quote + value.replace(quote, quote * 2) + quote
