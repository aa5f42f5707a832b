"""The provider: its projects and their tasks, opaque tokens and refresh tokens that change with each use."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

from ..core.rows import Row, RowService
from ..zoho_crm.clock import Clock
from ..zoho_crm.exceptions import Refusal, refuse
from ..zoho_crm.oauth.tokens import Code, TokenError, Tokens
from ..zoho_crm.routes import Request
from ..zoho_crm.rules import Rules
from ..zoho_crm.service import Service
from .quirks import ProviderQuirks

SCOPES = frozenset({"projects:read", "tasks:read", "offline_access"})
COLUMNS = {
    "projects": ("name", "description", "status", "budget", "tags", "owner"),
    "tasks": ("title", "notes", "done", "hours", "assignee"),
}
ERRORS = {
    "AUTHENTICATION_FAILURE": (401, "unauthorized", "The access token is missing."),
    "INVALID_TOKEN": (401, "invalid_token", "The access token is expired or revoked."),
    "OAUTH_SCOPE_MISMATCH": (403, "insufficient_scope", "The access token lacks a scope."),
    "TOO_MANY_REQUESTS": (429, "rate_limited", "Too many calls."),
    "INTERNAL_ERROR": (500, "internal", "Something went wrong."),
}


class ProviderTokens(Tokens):
    """Opaque tokens; a refresh token that was used is refused from then on."""

    def __init__(self, service: Provider) -> None:
        super().__init__(service)
        self._provider = service
        self.client_name = "A pipeline"
        self.client_id = "client-0123"
        self.scopes = set(SCOPES)
        self.challenges: dict[str, str] = {}
        self._spent: dict[str, str] = {}
        """A refresh token that was used -> the one that came after it."""

    def checked_scopes(self, scopes: Iterable[str]) -> frozenset[str]:
        wanted = frozenset(scopes)
        if not wanted or not wanted <= SCOPES:
            raise TokenError("invalid_scope")
        return wanted

    def refreshed(self, refresh_token: str) -> tuple[str, str | None]:
        """(access token, the next refresh token, or None where they do not change)."""
        quirks = self._provider.quirks
        if refresh_token in self._spent and quirks.reuse_revokes:
            self._revoke_family(refresh_token)
        access = self.renew(refresh_token)
        if not quirks.rotates:
            return access, None
        following = self._token()
        grant = self.grants.pop(refresh_token)
        if refresh_token == self.refresh_token:
            self.refresh_token = following
        self.grants[following] = grant
        self._spent[refresh_token] = following
        return access, following

    def redeemed(self, code: str, redirect_uri: str | None, verifier: str | None) -> tuple[str, str | None]:
        """(access token, refresh token) for a code; with a challenge only for the one who knows the verifier."""
        challenge = self.challenges.get(code)
        if challenge is not None and challenge != _s256(verifier or ""):
            raise TokenError("invalid_grant")
        return self.exchange(code, redirect_uri)

    def _revoke_family(self, refresh_token: str) -> None:
        while refresh_token in self._spent:
            refresh_token = self._spent[refresh_token]
        self.revoke(refresh_token)

    def new_code(self, code: Code) -> str:
        code.offline = "offline_access" in code.scopes
        return super().new_code(code)

    def _token(self) -> str:
        return self._secret(64)


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class ProviderRules(Rules):
    """Limits of the provider; a test may lower a number to reach an edge quickly."""

    calls_per_minute: int = 600
    page_size: int = 50
    access_tokens_per_window: int = 1_000


class Provider(RowService):
    """An empty account of the provider."""

    kind = "provider"
    schemes = ("bearer",)
    kinds = ("projects", "tasks")
    first_id = 500_000_000_000_000_001
    rules: ProviderRules
    quirks: ProviderQuirks
    tokens: ProviderTokens

    def __init__(
        self,
        rules: ProviderRules | None = None,
        quirks: ProviderQuirks | None = None,
        clock: Clock | None = None,
        account: Service | None = None,
    ) -> None:
        super().__init__(rules or ProviderRules(), quirks or ProviderQuirks(), clock, account)
        self.tokens = ProviderTokens(self)
        self.authorize_parameters = {"audience": "https://api.example.invalid"}
        """What the authorization URL has to hold besides OAuth's own parameters."""

    def part(self, kind: str) -> Service | None:
        return self if kind == self.kind else None

    def check_limits(self, request: Request, cost: int) -> None:
        since = self.clock.now() - timedelta(minutes=1)
        calls = self.ledger.calls(service=self.kind)
        if sum(call.at > since and call.credits > 0 for call in calls) >= self.rules.calls_per_minute:
            refuse(429, "TOO_MANY_REQUESTS")

    def credit_headers(self, cost: int) -> dict[str, str]:
        return {}

    def retry_after(self, refusal: Refusal) -> int | str | None:
        seconds = self.quirks.retry_after
        if seconds is None or not self.quirks.retry_after_as_date:
            return seconds
        return format_datetime(self.now() + timedelta(seconds=seconds), usegmt=True)

    def error(self, refusal: Refusal) -> tuple[int, Any]:
        """`{"error": {"type": "...", "message": "..."}}`."""
        status, kind, message = ERRORS.get(
            refusal.code, (refusal.status, refusal.code.lower(), refusal.message)
        )
        return status, {"error": {"type": kind, "message": message}}

    def defaults(self, kind: str) -> dict[str, Any]:
        return dict.fromkeys(COLUMNS[kind])

    def whole(self, row: Row) -> dict[str, Any]:
        times = {"created_at": _utc(row.created), "updated_at": _utc(row.modified)}
        belongs = {"project_id": row.parent} if row.parent else {}
        return {"id": row.id, **belongs, **row.values, **times}


def _utc(value: datetime) -> str:
    return value.astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
