"""Tokens: what the accounts server remembers of clients, codes, refresh tokens and access tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .org import Org

READ_SCOPES = frozenset(
    {
        "ZohoCRM.modules.READ", "ZohoCRM.settings.READ", "ZohoCRM.users.READ", "ZohoCRM.org.READ",
        "ZohoCRM.bulk.READ", "ZohoCRM.coql.READ", "ZohoSearch.securesearch.READ", "ZohoCRM.apis.READ",
        "ZohoCRM.features.READ", "ZohoCRM.notifications.READ", "ZohoCRM.files.READ",
    }
)  # fmt: skip


class Tokens:
    """The accounts server's memory."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.scopes: set[str] = set(READ_SCOPES)
