"""What can go wrong, as classes: Zoho's codes, and our own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from .redaction import redact


class ZohoCrmError(Exception):
    """The base of all errors here; prints as one sentence without a secret or a control character in it."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(redact(part) if isinstance(part, str) else part for part in args))


class SettingsError(ZohoCrmError, ValueError):
    """A setting is missing or wrong."""


class CredentialsError(ZohoCrmError):
    """Zoho refused the credentials or the scopes; the sentence says what to do."""


class ZohoConnectionError(ZohoCrmError, ConnectionError):
    """No answer that could be read."""


class CreditBudgetExceeded(ZohoCrmError):
    """The run may spend no more API credits; what was not read is read by the next run."""


class FileTooLarge(ZohoCrmError):
    """A file has more bytes than the limit allows."""

    def __init__(self, size: int | None) -> None:
        """`size` in bytes, if Zoho told it before the file was read."""
        self.size = size
        super().__init__("the file is larger than the limit")


class StorageError(ZohoCrmError):
    """The folder or bucket of the files does not take them, or does not give them back."""


class TookTooLong(ZohoCrmError):
    """A table was not read in the time that a run gives it."""


class ExtractError(ZohoCrmError):
    """A module could not be read whole, so none of it is loaded."""


class UnsupportedByApi(ExtractError):
    """This API cannot read the module as it is wanted; another one may."""


class ApiFailed(UnsupportedByApi):
    """This API failed again and again, each time at a price."""


class ZohoError(ZohoCrmError):
    """Zoho's answer is an error: `403 NO_PERMISSION GET /crm/v8/Visits: permission denied`."""

    def __init__(self, where: str, status: int, body: Mapping[str, Any]) -> None:
        details = body.get("details")
        self.where = where
        self.status = status
        self.code = redact(str(body.get("code", "")))
        self.details: Mapping[str, Any] = details if isinstance(details, Mapping) else {}
        told = " ".join(str(body.get("message") or "no message").split())
        super().__init__(f"{status} {self.code} {where}: {told}")


class Fatal(ZohoError):
    """Repeating does not help."""


class Retriable(ZohoError):
    """It would pass with time, but did not in the time allowed."""


class DailyLimitError(Retriable):
    """The day's API credits are gone: it passes with hours, so nothing tries again."""

    def __init__(self, where: str, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(where, status, body)
        self.args = (f"{self} (no API credits are left; each call's come back 24 hours later)",)


class AuthenticationError(ZohoError, CredentialsError):
    """Zoho does not take the credentials at all."""


class WrongHost(Fatal, SettingsError):
    """The host does not serve this account: a setting names another data centre or environment."""

    def __init__(self, where: str, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(where, status, body)
        told = f"{self}. This API host does not serve the account: set Region to its data centre and InstanceType to"
        self.args = (f"{told} its environment, and leave APIDomain out or correct it",)


class NotAvailableError(ZohoError):
    """This module or table is not offered to this user."""


# One condition comes under different statuses (NO_PERMISSION as 400 and 403), so the code decides.
KINDS: Mapping[str, type[ZohoError]] = {
    "TOO_MANY_REQUESTS": Retriable,
    "INTERNAL_ERROR": Retriable,
    "INTERNAL_SERVER_ERROR": Retriable,
    "AUTHENTICATION_FAILURE": AuthenticationError,
    "INVALID_HOST": WrongHost,
    "NO_PERMISSION": NotAvailableError,
    "AUTHORIZATION_FAILED": NotAvailableError,
    "OAUTH_SCOPE_MISMATCH": NotAvailableError,
    "INVALID_MODULE": NotAvailableError,
    "MODULE_NOT_AVAILABLE": NotAvailableError,
    "MODULE_NOT_SUPPORTED": NotAvailableError,
    "NOT_SUPPORTED": NotAvailableError,
    "API_NOT_SUPPORTED": NotAvailableError,
    "FEATURE_NOT_SUPPORTED": NotAvailableError,
    "FEATURE_NOT_ENABLED": NotAvailableError,
    "CURRENCIES_NOT_ENABLED": NotAvailableError,
    "FEATURE_PERMISSION": NotAvailableError,
}


def means_not_offered(error: Exception, *, loaded_before: bool = False, rows_came: bool = False) -> bool:
    """Whether an error says that Zoho does not offer a table to this user, which is a skip and no failure.

    Not of a table that has been read before, and not once rows have come: that would be a silent loss.
    """
    return isinstance(error, NotAvailableError) and not loaded_before and not rows_came


def zoho_error(where: str, status: int, body: Mapping[str, Any]) -> ZohoError:
    """The error for one of Zoho's error bodies; an unknown code with a 5xx or 429 is retriable."""
    by_status = Retriable if status == 429 or status >= 500 else Fatal
    return KINDS.get(str(body.get("code", "")), by_status)(where, status, body)


def suggest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like this one, whatever the case; None where none is."""
    by_fold = {one.casefold(): one for one in known}
    found = difflib.get_close_matches(name.casefold(), by_fold, n=1, cutoff=cutoff)
    return by_fold[found[0]] if found else None
