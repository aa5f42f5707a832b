"""A simulated service that is not Zoho's: OAuth 2.0 with switches for what providers do differently, and a small API."""

from __future__ import annotations

from ..zoho_crm.server import serve
from . import api, authorization
from .demo import demo_provider
from .provider import Provider
from .quirks import ProviderQuirks

ROUTE_MODULES = (api, authorization)
"""Importing these fills the table of routes."""

__all__ = ["Provider", "ProviderQuirks", "demo_provider", "serve"]
