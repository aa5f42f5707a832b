"""A Zoho CRM to run against: smaller than Zoho, never kinder."""

from __future__ import annotations

from .clock import Clock
from .faults import Fault
from .modules import Field, Module, PickListValue, Record
from .org import Org
from .rules import Quirks, Rules

__all__ = ["Clock", "Fault", "Field", "Module", "Org", "PickListValue", "Quirks", "Record", "Rules"]
