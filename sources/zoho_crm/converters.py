"""What a setting's text comes to; ValueError for one that it may not hold."""

from __future__ import annotations

import logging
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

from .data_centres import MISNAMED_ACCOUNTS_HOSTS, data_centre

logger = logging.getLogger("zoho_crm")

Convert = Callable[[str], Any]


def text(value: str) -> str:
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        raise ValueError
    return value


def boolean(value: str) -> bool:
    words = {
        "true": True,
        "yes": True,
        "1": True,
        "on": True,
        "false": False,
        "no": False,
        "0": False,
        "off": False,
    }
    try:
        return words[value.casefold()]
    except KeyError:
        raise ValueError from None


def choice(forms: Mapping[str, tuple[str, ...]]) -> Convert:
    """The canonical word for a word or one of its aliases, without regard to case."""
    by_name = {form.casefold(): word for word, aliases in forms.items() for form in (word, *aliases)}

    def convert(value: str) -> str:
        try:
            return by_name[value.casefold()]
        except KeyError:
            raise ValueError from None

    return convert


def region(value: str) -> str:
    centre = data_centre(value)
    if centre is None:
        raise ValueError
    return centre.region


def scopes(value: str) -> str:
    names = [name for name in re.split(r"[\s,]+", value.strip("[]").replace('"', "")) if name]
    if not names or not all(re.fullmatch(r"[A-Za-z0-9_.]+", name) for name in names):
        raise ValueError
    return ",".join(dict.fromkeys(names))


def url(value: str) -> str:
    """A URL of scheme and host, without credentials, query and trailing slash."""
    parts = urlsplit(value)  # raises ValueError itself for a broken IPv6 address
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError
    if "@" in parts.netloc or parts.query or parts.fragment or not text(value).isascii() or " " in value:
        raise ValueError
    return value.rstrip("/")


def callback(value: str) -> str:
    """A URL as it was registered: Zoho compares letter by letter, a trailing slash too."""
    url(value)
    return value


def proxy(value: str) -> str:
    """A proxy's host, or its URL with a user and a password whose signs are written as %XX."""
    parts = urlsplit(with_scheme(value))
    if parts.scheme not in ("http", "https", "socks4", "socks4a", "socks5", "socks5h") or not parts.hostname:
        raise ValueError
    if parts.port == 0 or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError
    if ":" in parts.hostname:
        ip_address(parts.hostname)
    elif not re.fullmatch(r"[A-Za-z0-9._-]+", parts.hostname):
        raise ValueError
    if not text(value).isascii() or " " in value or value.count("@") > 1:
        raise ValueError
    return value.rstrip("/")


def proxy_secrets(server: str) -> list[str]:
    """A proxy's password, or a user without one, in each form that a text may hold it."""
    who = server.rpartition("@")[0].rpartition("://")[2]
    if not who:
        return []
    user, _, password = who.partition(":")
    header = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()  # as it is sent
    return list(dict.fromkeys([password or user, unquote(password or user), header]))


def with_scheme(server: str) -> str:
    return server if "://" in server else f"http://{server}"


def accounts_server(value: str) -> str:
    server = url(value)
    host = urlsplit(server).hostname or ""
    if host in MISNAMED_ACCOUNTS_HOSTS:
        logger.warning("Zoho's accounts are at %s, not at %s", MISNAMED_ACCOUNTS_HOSTS[host], host)
    return server.replace(host, MISNAMED_ACCOUNTS_HOSTS[host]) if host in MISNAMED_ACCOUNTS_HOSTS else server


def number(low: float, high: float) -> Convert:
    def convert(value: str) -> float:
        found = float(value)
        if not low <= found <= high:
            raise ValueError
        return found

    return convert


def seconds(value: str) -> float:
    """CData's 0 means "wait for ever"; a cron job must end, so it means an hour here."""
    return number(0, 3600)(value) or 3600.0


def port(value: str) -> int:
    return int(number(1, 65535)(value))


def org_id(value: str) -> str:
    found = re.fullmatch(r"(?:ZohoCRM\.)?([0-9]{1,20})", value, re.IGNORECASE)
    if found is None:
        raise ValueError
    return found[1]


def api_version(value: str) -> str:
    found = re.fullmatch(r"v?([0-9]{1,2})(?:\.[0-9])?", value, re.IGNORECASE)
    if found is None:
        raise ValueError
    return f"v{found[1]}"
