"""Bulk Read: jobs and their archives."""
