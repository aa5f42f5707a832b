"""The access token of a Zoho account: shared, renewed in time and after a 401, and known to nobody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from ..exceptions import CredentialsError, ZohoConnectionError, ZohoCrmError
from ..redaction import remember_secrets
from ..service import Service
from .credentials import CONSENT_AGAIN, ZohoCredentials
from .data_centers import choose_api_domain
from .oauth_client import (
    WINDOW,
    Post,
    TokenRateLimitError,
    TokenRequestError,
    request_token,
    throttle_sentence,
    to_credentials_error,
    token_post,
)
from .scopes import COQL, covers
from .token_store import Token, TokenCache, cache_key
from .transport import refuse_redirect

SCHEME = "Zoho-oauthtoken"
PAUSE = 30.0  # seconds for which a server that did not answer is not asked again
# The CRM answers INVALID_TOKEN; Zoho's token page calls the same INVALID_OAUTHTOKEN.
INVALID_TOKEN_CODES = frozenset({"INVALID_TOKEN", "INVALID_OAUTHTOKEN"})


class ZohoAuthenticator(AuthBase):
    """Signs requests. One renewal at a time, between threads and between the processes of one cache.

    A refusal is remembered: fifty modules that ask again would only prolong Zoho's throttle.
    """

    def __init__(
        self,
        credentials: ZohoCredentials,
        cache: TokenCache | None = None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        post: Post | None = None,
    ) -> None:
        self._credentials = credentials
        self._cache = cache or TokenCache(credentials.oauth_settings_location)
        self._clock = clock
        self._sleep = sleep
        self._post = post or token_post(credentials)
        self._key = _key(credentials)
        self._lock = threading.RLock()
        self._token: Token | None = None
        self._refusal: tuple[ZohoCrmError, float] | None = None

    # ---- what others ask for

    def token(self) -> str:
        """An access token that has not expired, by the clock."""
        return self._current().access_token

    @property
    def api_domain(self) -> str:
        """The API's base URL, from the token's answer; asks for a token if there is none yet."""
        return self._domain(self._current())

    def may_ask(self, url: str) -> bool:
        """Whether a call of this URL may bring a token along."""
        return _origin(url) in map(_origin, self._hosts(self._current()))

    @property
    def service(self) -> Service:
        return self._credentials.zoho

    @property
    def scope(self) -> frozenset[str] | None:
        """The scopes that were granted; None when Zoho did not say."""
        return self._current().scopes

    @property
    def expires_at(self) -> float | None:
        """When the token at hand ends, by this machine's clock; None: nobody said."""
        return self._current().expires_at

    @property
    def can_renew(self) -> bool:
        return self._key is not None

    def renew(self) -> None:
        """Another token, though the one at hand may still work: only so is it known that Zoho gives one."""
        self._renewed(self._current().access_token)

    @property
    def may_use_coql(self) -> bool:
        """Whether COQL may be chosen: the user did not say no, and the token has its scope, as far as known."""
        granted = self.scope
        allowed = granted is None or covers(granted, self.service.scope(COQL))
        return allowed and self._credentials.coql_allowed

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self._current()
        check_host(request.url, *self._hosts(token))
        request.headers["Authorization"] = f"{SCHEME} {token.access_token}"
        request.register_hook("response", self._repeat_with_new_token)  # type: ignore[no-untyped-call]
        return request

    def after(self, refused: str) -> str:
        """A token other than one that another of Zoho's services refused with 401; renewed if need be."""
        return self._renewed(refused).access_token

    # ---- renewal

    def _current(self) -> Token:
        token = self._token
        if token is None or not self._alive(token):
            token = self._renewed(None)
        return token

    def _renewed(self, refused: str | None) -> Token:
        """A living token other than the refused one: a thread's, a process's, or a new one."""
        with self._lock:
            if self._token is not None and self._usable(self._token, refused):
                return self._token
            self._token = self._given(refused) or self._shared_or_new(refused)
            remember_secrets([self._token.access_token])
            return self._token

    def _given(self, refused: str | None) -> Token | None:
        """OAuthAccessToken, as long as it works; an account that has a cached token is past it."""
        text = self._credentials.oauth_access_token
        if not text or text == refused or self._token is not None:
            return None
        if self._key is not None and self._cache.load(self._key) is not None:
            return None
        return Token(access_token=text)

    def _shared_or_new(self, refused: str | None) -> Token:
        if self._key is None:
            raise CredentialsError(self._cannot_renew())
        with self._cache.locked(self._key):
            kept = self._cache.load(self._key)
            if kept is not None and self._usable(kept, refused):
                self._domain(kept)
                return kept
            token = self._new()
            self._cache.save(self._key, token)
            return token

    def _new(self) -> Token:
        if self._refusal is not None and self._clock() < self._refusal[1]:
            raise type(self._refusal[0])(str(self._refusal[0]))
        try:
            token = self._ask()
            self._domain(token)
        except TokenRateLimitError:
            until = self._clock() + WINDOW
            raise self._remember(throttle_sentence(until), until) from None
        except TokenRequestError as refused:
            raise self._remember(to_credentials_error(refused, self._credentials), float("inf")) from None
        except CredentialsError as error:
            raise self._remember(error, float("inf")) from None
        except ZohoConnectionError as error:
            raise self._remember(error, self._clock() + PAUSE) from error.__cause__
        return token

    def _remember(self, error: ZohoCrmError, until: float) -> ZohoCrmError:
        self._refusal = (error, until)
        return error

    def _ask(self) -> Token:
        try:
            return self._ask_once()
        except TokenRequestError as refused:
            # Zoho's word for parallel requests as well: worth one more.
            if refused.code != "general_error":
                raise
            self._sleep(1.0)
            return self._ask_once()

    def _ask_once(self) -> Token:
        server = self._credentials.accounts_url
        form = _form(self._credentials)
        try:
            return request_token(self._post, f"{server}/oauth/v2/token", form, self._clock())
        except (TokenRequestError, ZohoConnectionError):
            other = self._by_the_other_path(form)
            if other is None:
                raise
            return other

    def _by_the_other_path(self, form: dict[str, str]) -> Token | None:
        """Zoho's page on client credentials prints the consent path; other connectors use the token path."""
        if self._credentials.auth_scheme != "ClientCredentials":
            return None
        try:
            return request_token(
                self._post, f"{self._credentials.accounts_url}/oauth/v2/auth", form, self._clock()
            )
        except (TokenRequestError, ZohoConnectionError):
            return None

    def _cannot_renew(self) -> str:
        if not self._credentials.renews:
            return (
                "The access token no longer works and InitiateOAuth=OFF forbids to renew it: give a new"
                " OAuthAccessToken, or set InitiateOAuth=REFRESH with an OAuthRefreshToken."
            )
        return f"The access token no longer works and there is no refresh token: {CONSENT_AGAIN}."

    # ---- one token

    def _alive(self, token: Token) -> bool:
        return token.is_alive(self._clock())

    def _usable(self, token: Token, refused: str | None) -> bool:
        return token.access_token != refused and self._alive(token)

    def _domain(self, token: Token) -> str:
        """Also for a cached token: what lies in a file is believed no more than an answer."""
        own = self._credentials
        return choose_api_domain(token.api_domain, own.data_centre, own.instance, own.api_domain)

    def _hosts(self, token: Token) -> tuple[str, str]:
        """The base URLs that may see a token: of the API, and of the data centre's exported files."""
        return self._domain(token), self._credentials.data_centre.download_server

    # ---- the 401

    def _repeat_with_new_token(self, response: requests.Response, **kwargs: Any) -> requests.Response:
        """Renew once and repeat once; the repeated answer passes no hook, so this cannot loop.

        The hook travels with a request to wherever a redirect leads, so it stops there.
        """
        refuse_redirect(response)
        if not self.may_ask(response.request.url or ""):
            return response
        if response.status_code != 401 or error_code(response) not in INVALID_TOKEN_CODES:
            return response
        token = self._renewed(token_of(response))
        repeated = repeat_with(response, f"{SCHEME} {token.access_token}", **kwargs)
        if repeated.status_code == 401 and error_code(repeated) in INVALID_TOKEN_CODES:
            raise CredentialsError(_refused_again(self._credentials, repeated))
        return repeated


def token_of(response: requests.Response) -> str:
    """The token that the answered request was signed with."""
    return str(response.request.headers.get("Authorization", "")).partition(" ")[2]


def repeat_with(response: requests.Response, authorization: str, **kwargs: Any) -> requests.Response:
    """The answer to the same request, signed anew. It passes no hook; a redirect is refused."""
    response.close()
    request = response.request.copy()
    request.headers["Authorization"] = authorization
    repeated: requests.Response = response.connection.send(request, **kwargs)
    repeated.history.append(response)
    repeated.request = request
    refuse_redirect(repeated)
    return repeated


def check_host(url: str | None, *allowed: str) -> None:
    """Raises ZohoConnectionError for a URL at another host than those that a token is for."""
    if _origin(url) not in map(_origin, allowed):
        raise ZohoConnectionError(
            f"{_origin(url)[1]} is not the host that this token is for: no call is made"
        )


def _origin(url: str | None) -> tuple[str, str]:
    parts = urlsplit(url or "")
    return parts.scheme.lower(), parts.netloc.lower()


def error_code(response: requests.Response) -> str:
    """The `code` of an error body in any of its shapes: bare, in a list, or in a list under a key."""
    try:
        body = response.json()
    except ValueError:
        return ""
    if isinstance(body, dict) and "code" not in body:
        body = next(iter(body.values()), None)
    if isinstance(body, list):
        body = next(iter(body), None)
    return str(body.get("code", "")) if isinstance(body, dict) else ""


def _refused_again(credentials: ZohoCredentials, response: requests.Response) -> str:
    host = urlsplit(response.request.url or "").netloc
    return (
        f"{host} refuses a token that Zoho has just handed out: it belongs to another environment or data"
        f" centre than InstanceType={credentials.instance_type}, Region={credentials.region}, or more than 15"
        " tokens of this refresh token are in use."
    )


def _key(credentials: ZohoCredentials) -> str | None:
    """Where tokens of these credentials are kept; None when they cannot be renewed."""
    own = credentials
    by_client = own.auth_scheme == "ClientCredentials"
    secret = own.oauth_client_secret if by_client else own.oauth_refresh_token
    if not own.renews or not secret or not own.oauth_client_id or not own.oauth_client_secret:
        return None
    scope = ",".join(own.scopes) if by_client else ""  # a refresh token may be of several services
    host = urlsplit(own.accounts_url).netloc
    # The client's secret as well: a wrong one must not live on a token that the right one got.
    secrets = f"{secret} {own.oauth_client_secret}"
    return cache_key(host, own.oauth_client_id, own.instance, own.org_id or "", scope, secrets)


def _form(credentials: ZohoCredentials) -> dict[str, str]:
    form = {
        "client_id": credentials.oauth_client_id or "",
        "client_secret": credentials.oauth_client_secret or "",
    }
    if credentials.auth_scheme == "ClientCredentials":
        soid = credentials.zoho.scope(credentials.org_id or "")
        return {
            **form,
            "grant_type": "client_credentials",
            "scope": ",".join(credentials.scopes),
            "soid": soid,
        }
    return {**form, "grant_type": "refresh_token", "refresh_token": credentials.oauth_refresh_token or ""}
