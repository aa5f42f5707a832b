"""Asks Zoho how many records a module has: all of them, where it counts converted and unapproved ones, too."""

from __future__ import annotations

from dataclasses import dataclass

from ..client.client import ZohoClient
from ..exceptions import CredentialsError, CreditBudgetExceeded, ZohoCrmError, ZohoError


@dataclass(frozen=True)
class Count:
    """Zoho's own count, up to ten minutes old."""

    records: int
    partly: bool = False  # without converted leads and unapproved records: it refuses to count these


def read_count(client: ZohoClient, module: str, *, partly: bool = False) -> Count | None:
    """The records of a module; None where Zoho gives no count. Raises CredentialsError, CreditBudgetExceeded.

    A module that has refused to count converted and unapproved records before is asked for the others only.
    """
    try:
        return _count(client, module, {}, partly)
    except (CredentialsError, CreditBudgetExceeded):  # they say nothing of the count
        raise
    except ZohoCrmError:
        return None


def read_count_of(client: ZohoClient, module: str, criteria: str, *, partly: bool = False) -> Count | None:
    """Those that meet a criteria; a guide, and no more, but a refusal of the token is one."""
    try:
        return _count(client, module, {"criteria": criteria}, partly)
    except CredentialsError:
        raise
    except ZohoError:
        return None


def _count(client: ZohoClient, module: str, which: dict[str, str], partly: bool) -> Count | None:
    path = f"{module}/actions/count"
    if not partly:
        try:
            return _read(client.get(path, {**which, **client.service.all_records}))
        except ZohoError as refusal:
            if refusal.status != 400:
                raise
    return _read(client.get(path, which), partly=True)


def _read(answer: dict[str, object], *, partly: bool = False) -> Count | None:
    count = str(answer.get("count"))
    return Count(int(count), partly) if count.isdecimal() else None
