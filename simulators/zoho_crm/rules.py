"""Zoho's documented limits, and a switch for everything that is not proven.

`Rules` holds what Zoho documents; a test may lower a number to reach an edge quickly. `Quirks` holds what
is only seen, inferred or contradicted, one switch each. The word in the comment says on what authority the
default stands: *documented*, *seen live* (measured by others against a real account, or relied on by a
connector in production), *conflict* (two sources disagree), *inferred* (nobody wrote it down).
"""

from __future__ import annotations

from dataclasses import dataclass, field


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
    # How long Zoho thinks about a call; a benchmark may set what it measured.
    seconds_per_call: float = 0.0

    # Bulk Read: Zoho's Bulk Read overview and limitations.
    bulk_page_size: int = 200_000
    bulk_downloads_per_minute: int = 10
    bulk_file_hours: float = 24
    bulk_page_token_hours: float = 24
    bulk_criteria: int = 25
    bulk_in_values: int = 200
    # Not documented, but any real queue is finite: None means that it is never full.
    bulk_jobs_waiting: int | None = None

    # COQL: Zoho's COQL limitations.
    coql_default_limit: int = 200
    coql_limit: int = 2_000
    coql_criteria: int = 25
    coql_in_values: int = 100
    coql_order_by: int = 10
    coql_group_by: int = 4
    coql_aggregates: int = 5


@dataclass
class Quirks:
    """What Zoho may do either way; tests that touch one run with every value."""

    # -- tokens
    throttle_status: int = 400  # conflict: a connector in production sees 400, Zoho's own post says 200
    token_error_status: int = 200  # seen live: invalid_code and invalid_client answer 200; 400 is the other
    grant_code_seconds: int = 180  # conflict: 180 on v8's page, 120 on older ones
    live_access_tokens: int = 15  # conflict: 15 on v8's page, 10 or 30 on pages of other Zoho products
    wrong_secret_error: str = "invalid_client_secret"  # inferred; "invalid_client" was seen live as well
    expires_in_milliseconds: bool = False  # seen in Zoho's SDK: old answers had expires_in in milliseconds
    scope_in_token_answer: bool = True  # conflict: recent answers have it, older samples do not
    client_credentials_path: str = "token"  # conflict: Zoho prints "auth", other connectors use "token"
    bearer_accepted: bool = True  # seen live: a connector in production sends Bearer
    access_token_reset_header: bool = False  # documented on one page only: X-ACCESSTOKEN-RESET

    # -- records
    unknown_fields: str = "dropped"  # seen live; "INVALID_DATA" is the other
    no_permission_status: int = 403  # documented
    no_permission_status_on_fields: int = 400  # seen live; 403 is the other
    error_shape: str = "object"  # seen live in three shapes: "object", "data", "list"
    deleted_page_11: bool = True  # inferred: /deleted goes on past page 10; False refuses it
    unknown_id: str = "204"  # conflict: "204", "INVALID_DATA" (400), "404"
    rfc_1123_if_modified_since: bool = True  # seen live on v2 only; False ignores such a date
    if_modified_since_inclusive: bool = False  # inferred: strictly after, or from that second on
    deleted_nothing_new_status: int = 204  # inferred: /deleted with If-Modified-Since and no news; 304
    org_wide_attachments: bool = True  # seen live; False answers INVALID_MODULE
    count_lag_minutes: float = 0  # documented: the count may lag 1 to 10 minutes
    count_includes_converted: bool = True  # inferred
    count_includes_unapproved: bool = True  # inferred
    subform_rows_in_deleted: bool = False  # inferred: rows that go with their parent leave no trace
    merged_shown_as: str | None = "recycle"  # inferred: how a merge's losers show in /deleted; None hides
    multiselectlookup_keys: str = "v8"  # conflict: linking_details in v8's specification, "v7" names differ
    all_users_hold_deleted: bool = False  # conflict: one sample of AllUsers shows a deleted user
    feature_off_status: int = 403  # conflict: 403 documented, 400 in a connector in production
    currencies_off_code: str = "CURRENCIES_NOT_ENABLED"  # documented; "FEATURE_NOT_SUPPORTED" is as well
    hides_unapproved: bool = True  # inferred: `approved` of the list is true unless it says otherwise

    # -- limits
    retry_after: int | None = None  # inferred: Zoho documents no Retry-After; seconds to send one
    credits_remaining_header: str = "half"  # documented: from 50 % used; "always", "never"
    credits_for_refused_calls: int = 0  # inferred: a 429 costs nothing
    gzip: bool = True  # seen live: JSON is compressed when the client accepts it

    # -- Bulk Read
    bulk_modules_refused: frozenset[str] = frozenset({"Notes", "Attachments", "Emails"})
    # ^ conflict: documented as not readable, yet one account got a valid archive of Notes
    bulk_linking_modules: bool = True  # conflict: shown in a Zoho post, excluded on the limitations page
    bulk_multiselect_separator: str = ";"  # conflict: ";" in the import pages, "," in a production converter
    bulk_booleans: tuple[str, str] = ("true", "false")  # seen live: case varies; ("TRUE", "FALSE")
    bulk_id_header: str = "Id"  # seen live three times; the documentation says "id"
    bulk_field_cap: int | None = None  # conflict: none in production, 200 claimed by a third party
    bulk_refuses_address_fields: bool = True  # seen live: FIELD_NOT_SUPPORTED with details.api_name
    bulk_hides_converted: bool = True  # inferred: hidden unless the criteria name the flag
    bulk_drops_orphans: bool = True  # seen live: history rows are left out when their deal is gone
    bulk_rich_text_cut: bool = False  # inferred: whole in bulk; True cuts at 500
    bulk_line_end: str = "\n"  # inferred: "\n" or "\r\n"
    bulk_seconds_per_job: float | None = None  # seen live: 3.5, one at a time; None advances a state a poll
    bulk_rows_per_second: float = 28_000 / 3.5  # seen live: 28,000 rows of 4 columns took 3.5 s
    bulk_jobs_parallel: int = 1  # seen live: about one job at a time per org
    bulk_expired_token: tuple[int, str] = (400, "EXPIRED_VALUE")  # inferred
    bulk_expired_file: tuple[int, str] = (404, "RESOURCE_NOT_FOUND")  # inferred

    # -- COQL
    coql_columns: int = 500  # conflict: 500 runs in production, 200 and 50 are documented
    coql_flat_triples: bool = True  # conflict: accepted in production, a documented SYNTAX_ERROR
    coql_reach: int = 100_000  # documented for v7 and v8; 10,000 up to v6
    coql_hides_converted: bool = True  # inferred: hidden unless the where clause names the flag
    coql_rich_text_cut: bool = False  # inferred: whole in COQL; True cuts at 500
    coql_refused_types: frozenset[str] = field(
        default_factory=lambda: frozenset(
            {"subform", "multiselectlookup", "multiuserlookup", "fileupload", "imageupload"}
        )
    )  # documented for image and multi-select lookups, seen live for the others
