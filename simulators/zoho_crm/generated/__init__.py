"""Modules of millions of rows, computed instead of kept."""

from .module import add_generated_module, edit_generated_rows

__all__ = ["add_generated_module", "edit_generated_rows"]
