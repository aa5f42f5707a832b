"""What may be shown or kept of a text that others wrote: no known secret, and no character that moves a terminal."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import threading
import traceback
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote

# How Zoho's tokens and codes look; nobody keeps a list of those handed out. A client's id is no secret: one part of
# capitals and digits.
TOKEN = re.compile(r"1000\.(?![0-9A-Z]+(?![0-9A-Za-z.]))[0-9A-Za-z.]{16,}")
HIDDEN = "***"
SHORTEST = 6  # letters of a secret: a shorter one is a part of too many words
MOST = 2_000  # forms that are kept; a process that runs for weeks gets a token an hour

# Characters that print nothing, and yet belong to words and pictures: joiners, and the soft hyphen.
HARMLESS = frozenset("\u200c\u200d\u00ad\ufeff")
KEPT = frozenset("\n\t")
SUSPECT = re.compile(r"[^ -~]")

_forms: dict[str, None] = {}
_lock = threading.Lock()


def remember_secrets(secrets: Iterable[str | None]) -> None:
    """From now on these are cut out of whatever is shown or kept, in each form in which a text may hold them."""
    for secret in secrets:
        if secret and len(secret) >= SHORTEST:
            with _lock:
                for form in _forms_of(secret):
                    _forms.pop(form, None)
                    _forms[form] = None
                while len(_forms) > MOST:
                    del _forms[next(iter(_forms))]


def forget_secrets() -> None:
    """For tests: in one process they have secrets that are words elsewhere."""
    with _lock:
        _forms.clear()


def redact(text: str) -> str:
    """The text without secrets, and with control characters as `\\u001b`; line breaks and tabs stay."""
    return escaped(without_secrets(text))


def without_secrets(text: str) -> str:
    """The text with `***` for known secrets, and for what looks like one of Zoho's tokens."""
    with _lock:
        found = [form for form in _forms if form in text]
    for form in sorted(found, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return TOKEN.sub(HIDDEN, text)


def escaped(text: str) -> str:
    """The text with escape codes for control characters, and for those that turn the direction of writing."""
    return SUSPECT.sub(lambda found: _spelt(found[0]), text)


def _spelt(letter: str) -> str:
    if letter in KEPT or letter in HARMLESS:
        return letter
    if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return (
            json.dumps(letter)[1:-1]
            if ord(letter) > 0x1F and ord(letter) != 0x7F
            else f"\\u{ord(letter):04x}"
        )
    return letter


def _forms_of(secret: str) -> set[str]:
    plain = {secret, unquote(secret)}
    forms = {form for one in plain for form in (one, quote(one, safe=""), quote_plus(one), quote(one))}
    forms |= {form for one in plain for form in (html.escape(one), html.escape(one, quote=False))}
    forms |= {json.dumps(one, ensure_ascii=ascii)[1:-1] for one in plain for ascii in (True, False)}
    forms |= {base64.b64encode(one.encode("utf-8", "surrogateescape")).decode() for one in plain}
    return {form for form in forms if len(form) >= SHORTEST}


class RedactionFilter(logging.Filter):
    """Cuts secrets out of log records before any handler sees them, tracebacks included."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            return True  # logging tells of its wrong arguments itself
        record.msg, record.args = redact(text), None
        if record.exc_info:
            record.exc_text = redact("".join(traceback.format_exception(*record.exc_info)).rstrip())
            record.exc_info = None
        return True


def watch_log(name: str) -> None:
    """Let a logger write no secrets."""
    logger = logging.getLogger(name)
    if not any(isinstance(one, RedactionFilter) for one in logger.filters):
        logger.addFilter(RedactionFilter())


watch_log("zoho_crm")
