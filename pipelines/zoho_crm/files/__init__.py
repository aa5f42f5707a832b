"""Writes the tables of the destination into files with a manifest, and compares such files with it."""
