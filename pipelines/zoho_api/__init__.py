"""Zoho's other services, and any API that a connector file declares, into any dlt destination."""
