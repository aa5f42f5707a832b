"""A simulated Zoho CRM: it may do less than Zoho, but accepts nothing that Zoho would refuse."""

from __future__ import annotations

from .api import (
    audit_log,
    count,
    deleted_records,
    fields,
    files,
    module_settings,
    modules,
    org_settings,
    records,
    users,
)
from .bulk_read import endpoints as bulk_read_endpoints
from .clock import Clock
from .coql import endpoint as coql_endpoint
from .crm.models import Field, Module, PickListValue, Record
from .crm.org import Org
from .faults import Fault
from .oauth import consent, token_endpoint
from .quirks import Quirks
from .rules import Rules
from .server import Zoho, serve

ROUTE_MODULES = (
    consent,
    token_endpoint,
    modules,
    fields,
    module_settings,
    org_settings,
    users,
    records,
    files,
    deleted_records,
    count,
    bulk_read_endpoints,
    coql_endpoint,
    audit_log,
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
