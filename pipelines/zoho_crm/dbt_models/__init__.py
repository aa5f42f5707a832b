"""Writes a dbt project over the tables of the destination."""
