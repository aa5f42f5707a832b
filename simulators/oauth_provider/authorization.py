"""The authorization page, and the token endpoints in RFC 6749's words."""

from __future__ import annotations

import base64
import binascii
import html
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

from ..zoho_crm.exceptions import unmodelled
from ..zoho_crm.oauth.page import page
from ..zoho_crm.oauth.tokens import Code, Throttled, TokenError
from ..zoho_crm.routes import Answer, Request
from ..zoho_crm.routes import route as any_route
from .provider import Provider

route = partial(any_route, service="provider", host="accounts", credits=0)
PARAMETERS = "response_type client_id redirect_uri scope state code_challenge code_challenge_method audience access_type prompt"
FOOTER = "A simulated provider on 127.0.0.1."


@route("GET", "/oauth/authorize", params=PARAMETERS, authority="documented: RFC 6749, RFC 7636")
def authorize(provider: Provider, request: Request) -> Answer:
    if wrong := _wrong(provider, request.query):
        return page(400, wrong, "The authorization URL is not right.", footer=FOOTER)
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(text)}">'
        for name, text in request.query.items()
    )
    form = (
        f'<form method="post" action="/oauth/decision">{hidden}'
        '<button name="decision" value="reject">Reject</button>'
        '<button name="decision" value="accept">Accept</button></form>'
    )
    return page(200, f"Let {provider.tokens.client_name} in?", request.query["scope"], form, footer=FOOTER)


@route("POST", "/oauth/decision", authority="the simulator's own; the redirect is documented")
def decision(provider: Provider, request: Request) -> Answer:
    given = _form(request)
    if wrong := _wrong(provider, given):
        return page(400, wrong, "The authorization URL is not right.", footer=FOOTER)
    back = {"state": given["state"]} if "state" in given else {}
    if given.get("decision") != "accept":
        return _redirect(given["redirect_uri"], {**back, "error": "access_denied"})
    tokens = provider.tokens
    scopes = tokens.checked_scopes(given["scope"].split())
    code = tokens.new_code(Code(scopes, provider.now(), given["redirect_uri"]))
    if "code_challenge" in given:
        tokens.challenges[code] = given["code_challenge"]
    return _redirect(given["redirect_uri"], {**back, "code": code})


@route("POST", "/oauth/token", authority="documented: RFC 6749; the form-encoded answer: as GitHub's")
def token(provider: Provider, request: Request) -> Answer:
    return _tokens(provider, request)


@route("POST", "/oauth/refresh", authority="inferred: a refresh URL of its own")
def refresh(provider: Provider, request: Request) -> Answer:
    return _tokens(provider, request)


def _wrong(provider: Provider, given: dict[str, str]) -> str | None:
    if given.get("client_id") != provider.tokens.client_id:
        return "unauthorized_client"
    if given.get("redirect_uri") not in provider.tokens.redirect_uris:
        return "invalid redirect_uri"
    try:
        provider.tokens.checked_scopes(given.get("scope", "").split())
    except TokenError as error:
        return str(error)
    challenged = "code_challenge" in given
    if challenged is not (given.get("code_challenge_method") == "S256") or (
        provider.quirks.needs_pkce and not challenged
    ):
        return "invalid_request: code_challenge"
    for name, text in provider.authorize_parameters.items():
        if given.get(name) != text:
            return f"invalid_request: {name}"
    return None if given.get("response_type") == "code" else "unsupported_response_type"


def _tokens(provider: Provider, request: Request) -> Answer:
    given = _form(request)
    try:
        _check_client(provider, request, given)
        return _answer(provider, 200, _granted(provider, request.path, given))
    except Throttled:
        return _answer(provider, 429, {"error": "slow_down"})
    except TokenError as error:
        # The base class speaks Zoho's words.
        word = {"invalid_code": "invalid_grant", "invalid_redirect_uri": "invalid_grant"}.get(
            str(error), str(error)
        )
        return _answer(provider, 401 if word == "invalid_client" else 400, {"error": word})


def _check_client(provider: Provider, request: Request, given: dict[str, str]) -> None:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    client = (given.get("client_id"), given.get("client_secret"))
    if provider.quirks.client_authentication == "basic":
        try:
            decoded = base64.b64decode(text, validate=True).decode() if scheme.lower() == "basic" else ":"
        except (binascii.Error, UnicodeDecodeError):
            decoded = ":"
        name, _, secret = decoded.partition(":")
        client = (unquote_plus(name), unquote_plus(secret))
    if client != (provider.tokens.client_id, provider.tokens.client_secret):
        raise TokenError("invalid_client")


def _granted(provider: Provider, path: str, given: dict[str, str]) -> dict[str, Any]:
    kind, tokens = given.get("grant_type"), provider.tokens
    if kind == "refresh_token":
        if path.rstrip("/") != provider.quirks.refresh_path:
            raise TokenError("unsupported_grant_type")
        access, following = tokens.refreshed(given.get("refresh_token", ""))
    elif kind == "authorization_code" and path.rstrip("/") == "/oauth/token":
        access, following = tokens.redeemed(
            given.get("code", ""), given.get("redirect_uri"), given.get("code_verifier")
        )
    else:
        raise TokenError("unsupported_grant_type")
    body: dict[str, Any] = {"access_token": access, "token_type": "bearer"}
    if provider.quirks.tells_expiry:
        body["expires_in"] = provider.rules.access_token_seconds
    if following is not None:
        body["refresh_token"] = following
    return {**body, "scope": " ".join(sorted(tokens.access[access].scopes))}


def _answer(provider: Provider, status: int, body: dict[str, Any]) -> Answer:
    if provider.quirks.token_format == "json":
        return Answer(status, body, {"Cache-Control": "no-store"})
    raw = urlencode(body).encode()
    return Answer(status, raw=raw, content_type="application/x-www-form-urlencoded")


def _form(request: Request) -> dict[str, str]:
    if request.query:
        unmodelled("the parameters of this call stand in the form, not in the query")
    return dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))


def _redirect(uri: str, query: dict[str, str]) -> Answer:
    return Answer(302, headers={"Location": f"{uri}?{urlencode(query)}"})
