"""Zoho's documented limits; a test may lower a number to reach an edge quickly."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Rules:
    """Limits that Zoho documents for v8 of its CRM API."""

    # OAuth: Zoho's page on token validity.
    access_token_seconds: int = 3600
    token_window_seconds: int = 600
    access_tokens_per_window: int = 10
    grant_codes_per_window: int = 10
    refresh_tokens_per_user: int = 20

    # Records: Zoho's page on Get Records.
    fields_per_list: int = 50
    ids_per_list: int = 100
    per_page: int = 200
    discrete_reach: int = 2_000
    token_reach: int = 100_000
    page_token_hours: float = 24
    rich_text_in_list: int = 500
    recycle_bin_days: int = 60
    permanent_deletion_days: int = 120
    territories_per_page: int = 2_000

    # Limits of the account: Zoho's page on API limits; 20 calls at once is the Enterprise edition.
    daily_credits: int | None = None
    concurrency: int = 20
    sub_concurrency: int = 10
    # Seconds that Zoho takes for a call; a benchmark may set what it measured.
    seconds_per_call: float = 0.0
    # Bytes of an archive a second; None: as fast as the machine.
    download_bytes_per_second: float | None = None

    # Bulk Read: Zoho's Bulk Read overview and limitations.
    bulk_page_size: int = 200_000
    bulk_downloads_per_minute: int = 10
    bulk_file_hours: float = 24
    bulk_page_token_hours: float = 24
    bulk_criteria: int = 25
    bulk_in_values: int = 200
    # With more, every field of the module is exported, without an error.
    bulk_fields: int = 200
    # Not documented, None: there is no limit.
    bulk_jobs_waiting: int | None = None

    # The audit log: Zoho's pages on its export; how long a file is there is not documented.
    audit_days: int = 3 * 365
    audit_days_per_job: int = 180
    audit_entries: int = 1_000_000
    audit_entries_per_file: int = 100_000
    audit_file_days: int = 7

    # COQL: Zoho's COQL limitations.
    coql_default_limit: int = 200
    coql_limit: int = 2_000
    coql_criteria: int = 25
    coql_order_by: int = 10
    coql_group_by: int = 4
    coql_aggregates: int = 5
