"""A simulated Zoho Books: it may do less than Zoho, but accepts nothing that Zoho would refuse."""

from __future__ import annotations

from . import api
from .books import Books
from .quirks import BooksQuirks

ROUTE_MODULES = (api,)
"""Importing these fills the table of routes."""

__all__ = ["Books", "BooksQuirks"]
