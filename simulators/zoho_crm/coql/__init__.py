"""COQL: from the text of a query to a page of rows."""
