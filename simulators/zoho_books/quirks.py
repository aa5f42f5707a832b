"""What Zoho Books may do either way; the first value is the default, the comment says on what authority."""

from __future__ import annotations

from dataclasses import dataclass

from ..zoho_crm.quirks import Quirks, one_of


@dataclass
class BooksQuirks(Quirks):
    """The switches of Books, beside those that every service of Zoho's has."""

    last_modified_time_inclusive: bool = one_of(True, False)
    # ^ inferred: `last_modified_time`: from that second on, or after it
    missing_organization_id: str = one_of("refused", "default")
    # ^ inferred: without organization_id; default: the organisation with is_default_org
    minute_retry_after: int | None = one_of(None, 3600)
    # ^ seen live: a 429 of the minute's limit with Retry-After: 3600; most reports have none
    wrong_organization_status: int = one_of(400, 401)
    # ^ inferred: the status of code 6041; the code is documented
