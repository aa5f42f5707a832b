"""Compares the tables with Zoho, id by id."""
