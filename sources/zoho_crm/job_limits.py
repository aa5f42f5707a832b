"""What a refusal of Zoho's is about, where one code stands for several things."""

from __future__ import annotations

import re

from . import limits
from .errors import ZohoError

# Of jobs, of a day, of the account: fewer fields would not help.
OTHER_LIMIT = re.compile(
    r"job|queue|dail|\bday|hour|minute|concurren|credit|request|call|export|storage", re.IGNORECASE
)
FIELDS = re.compile(r"field|column", re.IGNORECASE)


def fields_per_job(error: ZohoError, asked: int) -> int | None:
    """How many fields a Bulk Read job takes, if the error says that it was asked for too many; else None.

    LIMIT_EXCEEDED may also mean the jobs of a day or a full queue. Then nothing is to be left out.
    """
    if error.code != "LIMIT_EXCEEDED":
        return None
    named = " ".join(
        str(error.details.get(key) or "") for key in ("api_name", "param_name", "clause", "json_path")
    )
    message = str(error).partition(": ")[2]
    told = str(error.details.get("limit") or error.details.get("max_limit") or "")
    limit = int(told) if told.isdecimal() else None
    if limit is not None and limit >= asked:
        return None
    if named.strip():
        about_fields = FIELDS.search(named) is not None
    elif FIELDS.search(message):
        about_fields = True
    else:
        about_fields = limit is not None and OTHER_LIMIT.search(message) is None
    if not about_fields:
        return None
    return limit or min(limits.BULK_FIELDS_PER_JOB, asked - 1)
