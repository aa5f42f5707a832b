"""Fields become columns, and values become Arrow tables and Parquet files."""
