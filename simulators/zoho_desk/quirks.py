"""What Zoho Desk may do either way; the first value is the default, the comment says on what authority."""

from __future__ import annotations

from dataclasses import dataclass

from ..zoho_crm.quirks import Quirks, one_of


@dataclass
class DeskQuirks(Quirks):
    """The switches of Desk, beside those that every service of Zoho's has."""

    list_starts_at: int = one_of(1, 0)
    # ^ conflict: `from` of the first row of a list; 0 means the first row with either. Lists of products start at 0
    search_reach: int = one_of(4_999, 999)
    # ^ conflict: the largest `from` of a search, 4,999 on Zoho's page, 999 in its OpenAPI files
    missing_org_id: str = one_of("refused", "default")
    # ^ conflict: without the header orgId, "mandatory" on Zoho's page; default: the token's only organisation
    org_id_in_query: bool = one_of(False, True)
    # ^ conflict: the header orgId on Zoho's page, a query parameter in its OpenAPI files
    search_lag_seconds: float = one_of(0, 60)
    # ^ inferred: until a search shows a change
