"""One account with several of Zoho's services: one clock, one ledger, one accounts server and one set of tokens."""

from __future__ import annotations

from .demo import demo_suite
from .suite import SUITE_SCOPES, Suite, serve

__all__ = ["SUITE_SCOPES", "Suite", "demo_suite", "serve"]
