"""What can go wrong, as a tree that tells whose turn it is.

ZohoCrmError
├── SettingsError         a setting is missing or wrong: nothing was read
├── CredentialsError      Zoho refused the credentials or the scopes: a person has to act
├── Unreachable           no answer that could be read: DNS, TLS, a dead connection, a gateway's HTML
├── ZohoError             Zoho answered with an error
│   ├── Fatal             repeating does not help
│   │   └── WrongHost     the host is not the account's (a SettingsError, too)
│   ├── Refused           Zoho does not take the credentials (a CredentialsError, too)
│   ├── Retriable         it would pass with time, but did not in the time allowed
│   │   └── UsedUp        the day's API credits are gone
│   └── Skippable         this module or table is not offered to this user
├── CreditLimit           the run may spend no more API credits
├── TookTooLong           a table had its time, and was not read in it
└── ReadFailed            the module could not be read whole
    └── OtherApi          by this API; another one may do it
        └── ApiFailed     it failed again and again, and is left alone for a while
"""

from __future__ import annotations

from collections.abc import Mapping
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


class Unreachable(ZohoCrmError, ConnectionError):
    """No answer that could be read."""


class CreditLimit(ZohoCrmError):
    """The run may spend no more API credits; what was not read is read by the next run."""


class TookTooLong(ZohoCrmError):
    """A table was not read in the time that a run gives it."""


class ReadFailed(ZohoCrmError):
    """A module could not be read whole, so none of it is loaded."""


class OtherApi(ReadFailed):
    """This API cannot read the module as it is wanted; another one may."""


class ApiFailed(OtherApi):
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


class UsedUp(Retriable):
    """The day's API credits are gone: it passes with hours, so nothing tries again."""

    def __init__(self, where: str, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(where, status, body)
        self.args = (f"{self} (no API credits are left; each call's come back 24 hours later)",)


class Refused(ZohoError, CredentialsError):
    """Zoho does not take the credentials at all."""


class WrongHost(Fatal, SettingsError):
    """The host does not serve this account: a setting names another data centre or environment."""

    def __init__(self, where: str, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(where, status, body)
        told = f"{self}. This API host does not serve the account: set Region to its data centre and InstanceType to"
        self.args = (f"{told} its environment, and leave APIDomain out or correct it",)


class Skippable(ZohoError):
    """This module or table is not offered to this user."""


# One condition comes under different statuses (NO_PERMISSION as 400 and 403), so the code decides.
KINDS: Mapping[str, type[ZohoError]] = {
    "TOO_MANY_REQUESTS": Retriable,
    "INTERNAL_ERROR": Retriable,
    "INTERNAL_SERVER_ERROR": Retriable,
    "AUTHENTICATION_FAILURE": Refused,
    "INVALID_HOST": WrongHost,
    "NO_PERMISSION": Skippable,
    "AUTHORIZATION_FAILED": Skippable,
    "OAUTH_SCOPE_MISMATCH": Skippable,
    "INVALID_MODULE": Skippable,
    "MODULE_NOT_AVAILABLE": Skippable,
    "MODULE_NOT_SUPPORTED": Skippable,
    "NOT_SUPPORTED": Skippable,
    "API_NOT_SUPPORTED": Skippable,
    "FEATURE_NOT_SUPPORTED": Skippable,
    "FEATURE_NOT_ENABLED": Skippable,
    "CURRENCIES_NOT_ENABLED": Skippable,
    "FEATURE_PERMISSION": Skippable,
}


def means_not_offered(error: Exception, *, loaded_before: bool = False, rows_came: bool = False) -> bool:
    """Whether an error says that Zoho does not offer a table to this user, which is a skip and no failure.

    Not of a table that has been read before, and not once rows have come: that would be a silent loss.
    """
    return isinstance(error, Skippable) and not loaded_before and not rows_came


def zoho_error(where: str, status: int, body: Mapping[str, Any]) -> ZohoError:
    """The error for one of Zoho's error bodies; an unknown code with a 5xx or 429 is retriable."""
    by_status = Retriable if status == 429 or status >= 500 else Fatal
    return KINDS.get(str(body.get("code", "")), by_status)(where, status, body)
