"""Signs requests: with the CRM's own tokens for Zoho's services, or with those of any OAuth 2.0 provider."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import requests
from dlt.sources.helpers.rest_client.auth import AuthConfigBase
from requests.auth import AuthBase

from ..zoho_crm.auth.authenticator import SCHEME, ZohoAuthenticator, check_host, repeat_with, token_of
from ..zoho_crm.auth.oauth_client import Post, token_post
from ..zoho_crm.auth.token_store import Token, TokenCache, cache_key
from ..zoho_crm.auth.transport import refuse_redirect
from ..zoho_crm.exceptions import CredentialsError, ZohoConnectionError
from ..zoho_crm.redaction import remember_secrets
from .connector import Authentication


class SignedForDlt(AuthConfigBase):
    """Any way of signing requests, in the class that dlt's `rest_api` takes."""

    def __init__(self, inner: AuthBase) -> None:
        self._inner = inner
        self.__is_resolved__ = True  # dlt has nothing to look up for it

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        signed: requests.PreparedRequest = self._inner(request)
        return signed

    def __deepcopy__(self, memo: dict[int, Any]) -> SignedForDlt:
        return self  # dlt copies the configuration to check it


class HostAuth(AuthBase):
    """Signs requests to one host and to no other. A 401 renews the token once and repeats the call once.

    A service answers 401 for a missing scope, too (Books with code 57). So a token that a 401 has brought is not
    renewed again by the next one: Zoho hands out 10 tokens in 10 minutes.
    """

    scheme = "Bearer"

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._by_refusal: set[str] = set()

    def token(self) -> str:
        raise NotImplementedError

    def after(self, refused: str) -> str:
        """Another token than the one that was refused."""
        raise NotImplementedError

    def granted_scopes(self) -> frozenset[str] | None:
        """The scopes of the token; None if nobody says."""
        return None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        check_host(request.url, self._base_url)
        request.headers["Authorization"] = f"{self.scheme} {self.token()}"
        request.register_hook("response", self._repeat)  # type: ignore[no-untyped-call]
        return request

    def _repeat(self, response: requests.Response, **kwargs: Any) -> requests.Response:
        refuse_redirect(response)
        refused = token_of(response)
        if response.status_code != 401 or refused in self._by_refusal:
            return response
        token = self.after(refused)
        self._by_refusal.add(token)
        return repeat_with(response, f"{self.scheme} {token}", **kwargs)


class ZohoServiceAuth(HostAuth):
    """The CRM's authenticator at another of Zoho's services: one token cache, one renewal for all of them."""

    scheme = SCHEME

    def __init__(self, base_url: str, authenticator: ZohoAuthenticator) -> None:
        super().__init__(base_url)
        self._authenticator = authenticator

    def token(self) -> str:
        return self._authenticator.token()

    def after(self, refused: str) -> str:
        return self._authenticator.after(refused)

    def granted_scopes(self) -> frozenset[str] | None:
        return self._authenticator.scope


class OAuth2(HostAuth):
    """Access tokens of any provider by a refresh token (RFC 6749, section 6).

    A provider may hand out another refresh token at each renewal and refuse the old one, so the newest one is kept
    in the token cache beside the access token, and one process renews at a time.
    """

    def __init__(  # noqa: PLR0913 - tests bring their clock and their HTTP
        self,
        base_url: str,
        declared: Authentication,
        settings: Mapping[str, str],
        cache: TokenCache,
        *,
        clock: Callable[[], float] = time.time,
        post: Post | None = None,
    ) -> None:
        """`settings` are client_id, client_secret and refresh_token."""
        super().__init__(base_url)
        self._declared, self._settings, self._cache = declared, settings, cache
        self._clock, self._post = clock, post or token_post()
        self._lock = threading.RLock()
        remember_secrets([settings.get("client_secret", ""), settings.get("refresh_token", "")])
        self._key = cache_key(declared.token_url, settings["client_id"], settings["refresh_token"])

    def token(self) -> str:
        return self._usable(None).access_token

    def after(self, refused: str) -> str:
        return self._usable(refused).access_token

    def granted_scopes(self) -> frozenset[str] | None:
        return self._usable(None).scopes

    def _usable(self, refused: str | None) -> Token:
        with self._lock, self._cache.locked(self._key):
            kept = self._cache.load(self._key)
            if kept is not None and kept.access_token != refused and kept.is_alive(self._clock()):
                return kept
            token = self._renew(kept)
            self._cache.save(self._key, token)
            return token

    def _renew(self, kept: Token | None) -> Token:
        newest = kept.refresh_token if kept is not None else None
        form = {
            "grant_type": "refresh_token",
            "refresh_token": newest or self._settings["refresh_token"],
            "client_id": self._settings["client_id"],
            "client_secret": self._settings.get("client_secret", ""),
        }
        url = self._declared.refresh_url or self._declared.token_url
        answer = token_answer(self._post, url, form)
        return replace(token_in(answer, self._clock()), refresh_token=answer.get("refresh_token") or newest)


def authorization_address(declared: Authentication, client_id: str, redirect_url: str, state: str) -> str:
    """The address at which a person gives their consent."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_url,
        "scope": " ".join(declared.scopes),
        "state": state,
        **declared.parameters,
    }
    return f"{declared.authorization_url}?{urlencode({k: v for k, v in query.items() if v})}"


def exchange_code(declared: Authentication, form: Mapping[str, str], post: Post | None = None) -> str:
    """The refresh token for an authorization code.

    Args:
        form: code, redirect_uri, client_id and client_secret.
    """
    answer = token_answer(
        post or token_post(), declared.token_url, {"grant_type": "authorization_code", **form}
    )
    if not answer.get("refresh_token"):
        raise CredentialsError(
            "the provider sent no refresh token: ask for offline access, by a scope or a parameter of the"
            " authorization URL that its documentation names"
        )
    return str(answer["refresh_token"])


def token_answer(post: Post, url: str, form: Mapping[str, str]) -> dict[str, Any]:
    """What a token URL answers, as JSON or form-encoded. Raises CredentialsError for a refusal."""
    try:
        response = post(url, form)
    except requests.RequestException as error:
        raise ZohoConnectionError(f"the token URL {url} did not answer ({type(error).__name__})") from error
    try:
        answer = response.json()
    except ValueError:
        answer = dict(parse_qsl(response.text))
    if not isinstance(answer, dict) or not answer.get("access_token"):
        code = str(answer.get("error", "")) if isinstance(answer, dict) else ""
        reason = code or f"status {response.status_code}"
        raise CredentialsError(f"the token URL {url} gave no token ({reason}): authorize again")
    remember_secrets([str(answer[key]) for key in ("access_token", "refresh_token") if answer.get(key)])
    return answer


def token_in(answer: Mapping[str, Any], now: float) -> Token:
    lifetime = str(answer.get("expires_in") or "")
    return Token(
        access_token=str(answer["access_token"]),
        expires_at=now + float(lifetime) if lifetime.isdigit() else None,
        scope=str(answer["scope"]) if answer.get("scope") else None,
    )
