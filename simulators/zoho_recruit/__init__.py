"""A simulated Zoho Recruit: it may do less than Zoho, but accepts nothing that Zoho would refuse."""

from __future__ import annotations

from . import api
from .quirks import RecruitQuirks
from .recruit import Field, Module, Recruit

ROUTE_MODULES = (api,)
"""Importing these fills the table of routes."""

__all__ = ["Field", "Module", "Recruit", "RecruitQuirks"]
