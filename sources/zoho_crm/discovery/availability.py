"""Whether a module is there at all: what Zoho's list of modules leaves open is asked in another way."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from ..client.client import ZohoClient
from ..client.responses import rows_in
from ..exceptions import CredentialsError, ExtractError, Retriable, ZohoError
from ..models import Field, Module
from .metadata import list_fields


def any_record(client: ZohoClient, module: str) -> bool:
    """Whether the module has a record; one call."""
    return bool(
        rows_in(client.get(module, {"fields": "id", "per_page": 1, **client.service.all_records}), "data")
    )


# Words of `settings/fields` that may say that a module is listed and nothing more, but may say other things, too.
NO_SUCH_MODULE = frozenset({"INVALID_DATA", "PATTERN_NOT_MATCHED", "INVALID_URL_PATTERN"})
REMOVED = frozenset({"INVALID_MODULE", "MODULE_NOT_AVAILABLE", *NO_SUCH_MODULE})
# Modules that Zoho lists without a field.
MODULES_WITHOUT_FIELDS = frozenset({"Visits", "Actions_Performed"})
GONE = "Zoho no longer lists it; its table stays as it is"


class Knows(Protocol):
    """The part of what earlier runs left that matters here."""

    @property
    def tables(self) -> Collection[str]: ...


def fields_of(client: ZohoClient, memory: Knows, module: Module) -> list[Field]:
    """The fields of a module. None, or an answer that may say that there is no such module, is not taken at its word.

    Raises ExtractError for a module that has records all the same, and what Zoho answers otherwise.
    """
    name = module.api_name
    known = name in memory.tables or name in MODULES_WITHOUT_FIELDS  # no question: it fails, or is left out
    try:
        fields = list_fields(client, name)
    except ZohoError as error:
        if known or error.code not in NO_SUCH_MODULE or not _has_records(client, name):
            raise
        raise ExtractError(f"Zoho refuses to list its fields, although it has records: {error}") from error
    if not fields and not known and _has_records(client, name):
        raise ExtractError("Zoho lists no fields for it, although it has records")
    return fields


def unlisted_reason(client: ZohoClient, module: Module) -> str:
    """Why a module that was read before is no longer in Zoho's list of modules: gone, or not to be seen now."""
    try:
        fields = list_fields(client, module.api_name)
    except ZohoError as error:
        if error.code in REMOVED:
            return GONE
        if isinstance(error, (Retriable, CredentialsError)):
            raise
        return f"Zoho no longer lists it, and does not say that it was deleted: {error}"
    if fields:
        return "Zoho no longer lists it, but still knows its fields: this user may not see it any more"
    return "Zoho no longer lists it, and does not say that it was deleted"


def _has_records(client: ZohoClient, module: str) -> bool:
    """Whether a list shows one; a module that Zoho refuses to list has none for us."""
    try:
        return any_record(client, module)
    except ZohoError as error:
        if isinstance(error, (Retriable, CredentialsError)):
            raise
        return False
