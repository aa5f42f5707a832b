"""Zoho's documented limits, each with where Zoho says so. They are Zoho's, so nobody can set them.

Where Bigin has others, they are in service.py.
"""

from __future__ import annotations

# Get Records API, v8: "fields" is mandatory and holds at most 50 API names, id included.
FIELDS_PER_CALL = 50
RECORDS_PER_PAGE = 200
IDS_PER_CALL = 100
RECORDS_REACH = 100_000  # records that page tokens reach
# COQL overview, v8: LIMIT is at most 2,000; "Kaizen #183": 500 fields in SELECT, 100 values in IN.
COQL_PAGES = (200, 1_000, 2_000)  # API limits, v8: 1, 2 and 3 credits
COQL_IN_VALUES = (100, 50)  # the older pages say 50
COQL_FIELD_CAPS = (500, 200, 50)  # the older pages say 50, other clients met 200
# Bulk Read overview, v8: 200,000 records a job, 10 downloads a minute.
BULK_ROWS_PER_JOB = 200_000
BULK_DOWNLOADS_PER_MINUTE = 10
# With more fields a job exports every field of the module, without an error.
BULK_FIELDS_PER_JOB = 200
# API limits, v8: the Free edition runs 5 calls at a time, the paid ones 10 to 25.
CALLS_AT_ONCE = 5
# Not documented. Zoho works on about one Bulk Read job at a time, so a few that wait keep it busy.
BULK_JOBS_AT_ONCE = 10
# Ours. A huge module is read in ranges, each by a chain of jobs: with more than four the ten downloads a minute limit.
BULK_JOBS_PER_MODULE = 4
BULK_ROWS_PER_RANGE = 5 * BULK_ROWS_PER_JOB  # at least: a range may take one more job than its rows need
ARCHIVES_AT_ONCE = 2  # ours: archives that come and are unpacked, which takes a core each
# Create Export Audit Log, v8: with a filter at most 180 days a job, three years back, and 1,000,000 entries a file.
AUDIT_DAYS_PER_JOB = 180
AUDIT_DAYS = 3 * 365
AUDIT_ENTRIES_PER_JOB = 1_000_000
# Rich text comes cut to 500 characters in lists; fetch_full_data has the rest.
RICH_TEXT_IN_LISTS = 500
# API credits: 1 a call, 50 to create a Bulk Read job, COQL by its LIMIT.
BULK_CREATE_CREDITS = 50


def coql_credits(limit: int) -> int:
    """What one COQL call costs by its LIMIT (API limits, v8)."""
    return 1 if limit <= 200 else 2 if limit <= 1_000 else 3


# Bulk Read, limitations: these are not offered as jobs.
NOT_IN_BULK = frozenset({"Notes", "Attachments", "Emails"})
