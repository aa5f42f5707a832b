"""Makes a view beside each table, with what a person reads."""
