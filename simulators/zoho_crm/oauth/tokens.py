"""Tokens: the client, codes, refresh tokens and access tokens of the accounts server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .scopes import READ_SCOPES, is_scope

if TYPE_CHECKING:
    from ..service import Service


class TokenError(Exception):
    """The text of `error` in the token endpoint's answer."""


class Throttled(Exception):
    """More tokens or codes were asked for than the window allows."""


@dataclass
class Window:
    """A number of tokens in a number of seconds; with more, all are refused until the window ends."""

    started: datetime | None = None
    used: int = 0

    def take(self, now: datetime, limit: int, seconds: int) -> None:
        if self.started is None or now >= self.started + timedelta(seconds=seconds):
            self.started, self.used = now, 0
        if self.used >= limit:
            raise Throttled
        self.used += 1


@dataclass
class Grant:
    """What access tokens come from: a refresh token, or a client that needs none."""

    scopes: frozenset[str]
    live: list[str] = field(default_factory=list)
    window: Window = field(default_factory=Window)


@dataclass(frozen=True)
class AccessToken:
    scopes: frozenset[str]
    expires: datetime


@dataclass
class Code:
    scopes: frozenset[str]
    made: datetime
    redirect_uri: str | None
    """None: of a Self Client, which has no redirect."""
    offline: bool = True
    used: bool = False


class Tokens:
    """The client and its tokens; a refusal is a TokenError with Zoho's word."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._made = 0
        self.client_name = "Zoho CRM pipeline"
        self.client_id = "1000.SIMULATEDCLIENTSIMULATEDCLIENT0"
        self.client_secret = self._secret(40)
        self.redirect_uris = {"http://localhost:8080/callback", "http://127.0.0.1:8080/callback"}
        """What the client has registered; another redirect URI is refused."""
        self.location = "us"
        self.accounts_server: str | None = None
        """`accounts-server` in the redirect after a consent; None: the server that was asked."""
        self.scopes: set[str] = {
            scope.replace("ZohoCRM.", f"{service.place.prefix}.") for scope in READ_SCOPES
        }
        """What the org's own refresh token may do; an access token has the scopes of the time when it is made."""
        self.refresh_token = self._token()
        self.grants: dict[str, Grant] = {self.refresh_token: Grant(frozenset())}
        self.access: dict[str, AccessToken] = {}
        self.codes: dict[str, Code] = {}
        self._code_window = Window()
        self._client_grant = Grant(frozenset())

    def check_client(self, client_id: str | None, client_secret: str | None) -> None:
        if client_id != self.client_id:
            raise TokenError("invalid_client")
        if client_secret != self.client_secret:
            raise TokenError(self._service.quirks.wrong_secret_error)

    def renew(self, refresh_token: str) -> str:
        """An access token from a refresh token."""
        grant = self.grants.get(refresh_token)
        if grant is None:
            raise TokenError("invalid_code")
        own = refresh_token == self.refresh_token
        return self._mint(grant, frozenset(self.scopes) if own else grant.scopes)

    def client_credentials(self, soid: str | None, scopes: Iterable[str]) -> str:
        """An access token without a person; the org is named by its zgid."""
        if soid != f"{self._service.place.prefix}.{self._service.zgid}":
            raise TokenError("invalid_client")
        return self._mint(self._client_grant, self.checked_scopes(scopes))

    def checked_scopes(self, scopes: Iterable[str]) -> frozenset[str]:
        wanted = frozenset(scope.strip() for scope in scopes if scope.strip())
        if not wanted or not all(is_scope(scope) for scope in wanted):
            raise TokenError("invalid_scope")
        return wanted

    def self_client_code(self, scopes: Iterable[str]) -> str:
        """The code that the API console shows for a Self Client."""
        return self.new_code(Code(self.checked_scopes(scopes), self._service.now(), None))

    def new_code(self, code: Code) -> str:
        rules = self._service.rules
        self._code_window.take(self._service.now(), rules.grant_codes_per_window, rules.token_window_seconds)
        text = self._token()
        self.codes[text] = code
        return text

    def exchange(self, text: str, redirect_uri: str | None) -> tuple[str, str | None]:
        """(access token, refresh token or None) for a code; a code works once."""
        code = self.codes.get(text)
        life = timedelta(seconds=self._service.quirks.grant_code_seconds)
        if code is None or code.used or self._service.now() >= code.made + life:
            raise TokenError("invalid_code")
        if code.redirect_uri is not None and code.redirect_uri != redirect_uri:
            raise TokenError("invalid_redirect_uri")
        code.used = True
        grant = Grant(code.scopes)
        refresh_token = None
        if code.offline:
            refresh_token = self._token()
            self.grants[refresh_token] = grant
            while len(self.grants) > self._service.rules.refresh_tokens_per_user:
                self.revoke(next(iter(self.grants)))
        return self._mint(grant, code.scopes), refresh_token

    def revoke(self, refresh_token: str) -> bool:
        """Revoke a refresh token and its access tokens."""
        grant = self.grants.pop(refresh_token, None)
        for token in grant.live if grant else ():
            self.access.pop(token, None)
        return grant is not None

    def holder(self, token: str) -> AccessToken | None:
        held = self.access.get(token)
        return held if held is not None and self._service.clock.now() < held.expires else None

    def kill_access_tokens(self) -> None:
        """End all access tokens, as an administrator can; the refresh tokens stay."""
        self.access.clear()

    def _mint(self, grant: Grant, scopes: frozenset[str]) -> str:
        rules, now = self._service.rules, self._service.clock.now()
        grant.window.take(now, rules.access_tokens_per_window, rules.token_window_seconds)
        token = self._token()
        self.access[token] = AccessToken(scopes, now + timedelta(seconds=rules.access_token_seconds))
        grant.live = [known for known in grant.live if self.holder(known)]
        grant.live.append(token)
        while len(grant.live) > self._service.quirks.live_access_tokens:
            self.access.pop(grant.live.pop(0), None)
        return token

    def _secret(self, length: int) -> str:
        self._made += 1
        return hashlib.sha256(f"simulated secret {self._made}".encode()).hexdigest()[:length]

    def _token(self) -> str:
        return f"1000.{self._secret(32)}.{self._secret(32)}"
