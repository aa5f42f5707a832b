"""Runs the source and loads what it reads."""
