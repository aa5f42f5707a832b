"""One run: reads all tables, and what follows from the changes, and makes rows for dlt of them."""
