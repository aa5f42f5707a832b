"""What the CRM holds: modules, fields, records, deletions, people and settings."""
