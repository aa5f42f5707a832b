"""Decides, without a call, what is read and by which API."""
