"""Reads the rows of a plan."""
