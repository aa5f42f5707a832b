"""The grammar of a connection string: `Name=value;Name='a ''quoted'' value';`, and nothing about its names."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .errors import SettingsError

QUOTES = "'\""


def split_settings(text: str, known: Collection[str] = ()) -> list[tuple[str, str]]:
    """The (name, value) pairs in order, a repeated name included.

    An error tells the position, and the name only when it is one of `known` (casefolded): what
    looks like a name may be the rest of a secret that holds a `;`.
    """
    pairs: list[tuple[str, str]] = []
    at = 0
    while True:
        at = _skip(text, at, blank=" \t\r\n\f\v;")
        if at >= len(text):
            return pairs
        name, at = _name(text, at, len(pairs) + 1)
        spoken = (
            f"{name} (setting {len(pairs) + 1})" if name.casefold() in known else f"setting {len(pairs) + 1}"
        )
        value, at = _value(text, at, spoken)
        pairs.append((name, value))


def join_settings(pairs: Iterable[tuple[str, str]]) -> str:
    """The connection string that `split_settings` reads as these pairs."""
    return "".join(f"{_checked(name)}={_quoted(value)};" for name, value in pairs)


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


def _value(text: str, at: int, spoken: str) -> tuple[str, int]:
    at = _skip(text, at)
    if at < len(text) and text[at] in QUOTES:
        return _quoted_value(text, at, spoken)
    end = text.find(";", at)
    end = len(text) if end < 0 else end
    return text[at:end].strip(), end + 1


def _quoted_value(text: str, at: int, spoken: str) -> tuple[str, int]:
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
    at = _skip(text, at)
    if at < len(text) and text[at] != ";":
        raise SettingsError(
            f"The connection string cannot be read: the value of {spoken} goes on after its closing quote."
            " Double a quote inside the value, and end the setting with ';'."
        )
    return "".join(parts), at + 1


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


def _quoted(value: str) -> str:
    if value == value.strip() and not any(sign in value for sign in ";'\""):
        return value
    quote = "'" if '"' in value and "'" not in value else '"'
    return quote + value.replace(quote, quote * 2) + quote
