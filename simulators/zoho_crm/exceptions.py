"""The two ways in which a call is refused: as Zoho refuses it, and because the simulator does not model it."""

from __future__ import annotations

from typing import Any, NoReturn


class Refusal(Exception):
    """A refusal that Zoho would give, with its status, code, message and details."""

    def __init__(self, status: int, code: str, message: str, details: dict[str, Any]) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.details = status, code, message, details


class Unmodelled(Exception):
    """The call needs what is not simulated: 418, a status that Zoho does not use."""


def refuse(status: int, code: str, message: str | None = None, **details: Any) -> NoReturn:
    raise Refusal(status, code, message or MESSAGES.get(code, code.replace("_", " ").lower()), details)


def unmodelled(what: str) -> NoReturn:
    raise Unmodelled(what)


MESSAGES = {
    "INVALID_TOKEN": "invalid oauth token",
    "AUTHENTICATION_FAILURE": "Authentication failed",
    "OAUTH_SCOPE_MISMATCH": "invalid oauth scope to access this URL",
    "INVALID_MODULE": "the module name given seems to be invalid",
    "INVALID_DATA": "the given value is invalid",
    "REQUIRED_PARAM_MISSING": "One of the expected parameter is missing",
    "NO_PERMISSION": "permission denied",
    "NOT_SUPPORTED": "the request is not supported for this user",
    "TOO_MANY_REQUESTS": "too many requests",
    "LIMIT_EXCEEDED": "the limit is exceeded",
    "DISCRETE_PAGINATION_LIMIT_EXCEEDED": (
        "You can only get the first 2000 records without using page_token param."
    ),
    "PAGINATION_LIMIT_EXCEEDED": "You can only get up to first 100000 records using page_token param.",
    "TOKEN_BOUND_DATA_MISMATCH": "page_token is bound to the parameters of the request that gave it",
    "EXPIRED_VALUE": "the given value is expired",
    "AMBIGUITY_DURING_PROCESSING": "ambiguity while processing the request",
    "PATTERN_NOT_MATCHED": "please check whether the input values are correct",
    "MEDIA_TYPE_NOT_SUPPORTED": "the content type is not supported",
    "RESOURCE_NOT_FOUND": "the requested resource is not found",
    "INTERNAL_ERROR": "internal server error",
}
