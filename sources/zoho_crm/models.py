"""The frozen values that all packages share."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from . import limits

BESIDE = frozenset({"Notes", "Attachments"})  # they hang on records of any module
USER_RECORD_TYPES = frozenset(
    {"default", "custom", "web"}
)  # generated types of modules whose records people make
NO_API_NAME = "nameless"  # our own data type for a field that Zoho lists without its API name


@dataclass(frozen=True)
class Module:
    api_name: str
    generated_type: str = "default"  # default, custom, subform, linking, field_tracker, web
    api_supported: bool = True
    viewable: bool = True
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def has_own_records(self) -> bool:
        """Whether its rows are records of their own; those of subforms, links and histories come and go with a record.

        Of those Zoho has no list of deletions: its page on deleted records does not name them.
        """
        return not (self.is_part_of_records or self.generated_type == "field_tracker")

    @property
    def is_part_of_records(self) -> bool:
        """Whether its rows are those of a subform, or links: whoever edits a record adds and removes them."""
        return self.generated_type in ("subform", "linking")

    @property
    def may_wait_for_approval(self) -> bool:
        """Whether people make its records, so that others may have to approve them."""
        return self.generated_type in USER_RECORD_TYPES and self.api_name not in BESIDE


@dataclass(frozen=True)
class Field:
    api_name: str
    data_type: str
    json_type: str = "string"
    return_type: str | None = None  # of a formula or a roll-up summary
    rich_text: bool = False
    pick_list: tuple[str, ...] = ()  # every value in both forms, unused ones too
    own_table: str | None = None  # the module that holds the rows of a subform or multi-select lookup
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


Api = Literal["bulk", "coql", "records"]
PreferredApi = Literal["auto", "bulk", "coql", "records"]
NAMES: Mapping[Api, str] = {"records": "Records", "coql": "COQL", "bulk": "Bulk Read"}


MODIFIED_TIME, CREATED_TIME, CONVERTED_FLAG = "Modified_Time", "Created_Time", "Converted__s"


@dataclass(frozen=True)
class Window:
    """The records with `since <= field < until`; an open end is None."""

    since: datetime | None = None
    until: datetime | None = None
    field: str = MODIFIED_TIME


@dataclass(frozen=True)
class PrefetchedPage:
    """The first records that changed since a time, by the Records API with the first chunk of fields."""

    records: tuple[Mapping[str, Any], ...]
    more: bool
    token: str | None = None


CoqlPages: TypeAlias = tuple[
    int, ...
]  # the LIMITs that COQL takes, each cheaper than the next; none: it may not be asked


@dataclass(frozen=True)
class ApiAvailability:
    """What may be chosen for a module beside what it offers itself."""

    coql: CoqlPages = limits.COQL_PAGES
    failing: tuple[tuple[str, str], ...] = ()  # APIs that failed to read the module lately, and why
    ranges: int = 1  # of Created_Time, in which Bulk Read would read the module side by side


USABLE = ApiAvailability()


@dataclass(frozen=True)
class Skip:
    """A module that is not read, and why."""

    module: Module
    reason: str


MaskingMethod = Literal["keep", "drop", "mask", "hash"]


@dataclass(frozen=True)
class MaskingRule:
    """How the values of a field are changed before anything is written."""

    how: MaskingMethod
    secret: str = field(default="", repr=False)

    @property
    def word(self) -> str:
        """`mask`, or `hash` with what tells one key from another."""
        return f"hash {fingerprint(self.secret)}" if self.how == "hash" else self.how


@lru_cache(16)
def fingerprint(secret: str) -> str:
    """What the state knows a key by; it tells nothing of the key."""
    return hmac.digest(secret.encode(), b"the key of this pipeline", hashlib.sha256).hex()[:16]
