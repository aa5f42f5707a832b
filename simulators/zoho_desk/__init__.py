"""A simulated Zoho Desk: it may do less than Zoho, but accepts nothing that Zoho would refuse."""

from __future__ import annotations

from . import api
from .desk import Desk
from .quirks import DeskQuirks

ROUTE_MODULES = (api,)
"""Importing these fills the table of routes."""

__all__ = ["Desk", "DeskQuirks"]
