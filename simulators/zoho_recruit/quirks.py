"""What Zoho Recruit may do either way; the first value is the default, the comment says on what authority."""

from __future__ import annotations

from dataclasses import dataclass

from ..zoho_crm.quirks import Quirks, one_of


@dataclass
class RecruitQuirks(Quirks):
    """The switches of Recruit, beside those that every service of Zoho's has."""

    nothing_new_status: int = one_of(304, 204)  # documented: If-Modified-Since and nothing new
    since_inclusive: bool = one_of(False, True)  # inferred: after that second, or from it on
