"""The demo company, which `--demo` reads and many tests."""

from .company import demo_changes, demo_org

__all__ = ["demo_changes", "demo_org"]
