"""The demo companies, which `--demo` reads and many tests."""

from .bigin import bigin_changes, bigin_org
from .company import demo_changes, demo_org

__all__ = ["bigin_changes", "bigin_org", "demo_changes", "demo_org"]
