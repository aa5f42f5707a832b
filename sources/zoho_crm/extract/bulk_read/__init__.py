"""Reads modules by Bulk Read jobs."""
