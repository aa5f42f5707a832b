"""Calls of Zoho's API: retried, throttled, and counted in credits."""
