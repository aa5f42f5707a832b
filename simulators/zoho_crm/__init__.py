"""A Zoho CRM to run against: smaller than Zoho, never kinder."""

from __future__ import annotations

from . import (
    account_settings,
    account_users,
    api_consent,
    api_oauth,
    bulk,
    coql,
    counts,
    metadata,
    metadata_more,
    records,
    records_deleted,
    records_more,
)
from .clock import Clock
from .faults import Fault
from .modules import Field, Module, PickListValue, Record
from .org import Org
from .quirks import Quirks
from .rules import Rules
from .server import Zoho, serve

ROUTE_MODULES = (
    api_consent,
    api_oauth,
    metadata,
    metadata_more,
    account_settings,
    account_users,
    records,
    records_more,
    records_deleted,
    counts,
    bulk,
    coql,
)
"""Importing these fills the table of routes."""

__all__ = [
    "Clock",
    "Fault",
    "Field",
    "Module",
    "Org",
    "PickListValue",
    "Quirks",
    "Record",
    "Rules",
    "Zoho",
    "serve",
]
