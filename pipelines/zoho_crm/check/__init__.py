"""Checks settings, account and destination before a run."""
