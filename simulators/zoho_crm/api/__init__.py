"""The calls below `/crm/v8/`: metadata, records, deletions, counts, users and settings."""
