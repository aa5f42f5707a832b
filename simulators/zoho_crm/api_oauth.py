"""The accounts server: consent, token endpoint and revocation."""

from __future__ import annotations

import html
from typing import Any
from urllib.parse import parse_qsl, urlencode

from .oauth import Code, Throttled, TokenError
from .org import Org
from .routes import Answer, Request, ok, route, unmodelled

PARAMETERS = {
    "refresh_token": {"refresh_token"},
    "authorization_code": {"code", "redirect_uri"},
    "client_credentials": {"scope", "soid"},
}
COMMON = {"grant_type", "client_id", "client_secret"}
TOKEN_PARAMETERS = " ".join(sorted(COMMON.union(*PARAMETERS.values())))


@route(
    "POST",
    "/oauth/v2/token",
    params=TOKEN_PARAMETERS,
    credits=0,
    host="accounts",
    authority="documented; errors with status 200: seen live; status of the throttle: conflict",
)
def token(org: Org, request: Request) -> Answer:
    given = _parameters(request)
    if given.get("grant_type") == "client_credentials" and org.quirks.client_credentials_path != "token":
        return _error(org, "general_error")
    return _tokens(org, request, given)


@route(
    "POST",
    "/oauth/v2/auth",
    params=TOKEN_PARAMETERS,
    credits=0,
    host="accounts",
    authority="documented for client credentials; conflict with the token path",
)
def client_credentials(org: Org, request: Request) -> Answer:
    given = _parameters(request)
    if given.get("grant_type") != "client_credentials":
        unmodelled("POST /oauth/v2/auth is modelled for grant_type=client_credentials only")
    if org.quirks.client_credentials_path != "auth":
        return _error(org, "general_error")
    return _tokens(org, request, given)


@route(
    "GET",
    "/oauth/serverinfo",
    credits=0,
    host="accounts",
    authority="seen live: it names the data centres; the keys are inferred",
)
def server_info(org: Org, request: Request) -> Answer:
    return ok(result="success", locations={"us": request.accounts_url})


@route(
    "POST",
    "/oauth/v2/token/revoke",
    params="token",
    credits=0,
    host="accounts",
    authority="documented; the HTML of a refusal: seen live",
)
def revoke(org: Org, request: Request) -> Answer:
    if org.tokens.revoke(_parameters(request).get("token", "")):
        return ok(status="success")
    return _page(400, "Invalid token")


@route(
    "GET",
    "/oauth/v2/auth",
    params="response_type client_id scope redirect_uri access_type prompt state",
    credits=0,
    host="accounts",
    authority="documented; the page itself is the simulator's own",
)
def consent_page(org: Org, request: Request) -> Answer:
    query = request.query
    if query.get("client_id") != org.tokens.client_id:
        return _page(200, "invalid_client")
    if query.get("redirect_uri") not in org.tokens.redirect_uris:
        return _page(200, "invalid_redirect_uri")
    try:
        scopes = org.tokens.checked_scopes(query.get("scope", "").split(","))
    except TokenError:
        return _page(200, "Scope does not exist")
    if query.get("response_type") != "code":
        return _page(200, "invalid_response_type")
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(text)}">'
        for name, text in query.items()
    )
    wanted = "".join(f"<li>{html.escape(scope)}</li>" for scope in sorted(scopes))
    return _page(
        200,
        "The application wants to read your simulated Zoho CRM",
        f'<ul>{wanted}</ul><form method="post" action="/oauth/v2/approve">{hidden}'
        '<button name="decision" value="accept">Accept</button>'
        '<button name="decision" value="reject">Reject</button></form>',
    )


@route(
    "POST",
    "/oauth/v2/approve",
    credits=0,
    host="accounts",
    authority="the simulator's own: where its consent page's buttons lead; the redirect is documented",
)
def approve(org: Org, request: Request) -> Answer:
    given = dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))
    redirect_uri = given.get("redirect_uri", "")
    if redirect_uri not in org.tokens.redirect_uris:
        return _page(200, "invalid_redirect_uri")
    back = {"state": given["state"]} if "state" in given else {}
    if given.get("decision") != "accept":
        return _redirect(redirect_uri, {**back, "error": "access_denied"})
    scopes = org.tokens.checked_scopes(given.get("scope", "").split(","))
    offline = given.get("access_type", "online") == "offline"
    # Without prompt=consent a second consent gives no new refresh token.
    consented = any(code.redirect_uri for code in org.tokens.codes.values())
    again = consented and given.get("prompt") != "consent"
    try:
        code = org.tokens.new_code(Code(scopes, org.now(), redirect_uri, offline and not again))
    except Throttled:
        return _redirect(redirect_uri, {**back, "error": "access_denied"})
    place = {"location": "us", "accounts-server": request.accounts_url}
    return _redirect(redirect_uri, {**back, "code": code, **place})


def _parameters(request: Request) -> dict[str, str]:
    """Of the form and of the query: Zoho takes both."""
    given = {
        **dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True)),
        **request.query,
    }
    if unknown := set(given) - set(TOKEN_PARAMETERS.split()) - {"token"}:
        unmodelled(f"parameter {min(unknown)!r} is not modelled")
    return given


def _tokens(org: Org, request: Request, given: dict[str, str]) -> Answer:
    try:
        org.tokens.check_client(given.get("client_id"), given.get("client_secret"))
        return _granted(org, request, given)
    except TokenError as error:
        return _error(org, str(error))
    except Throttled:
        return Answer(
            org.quirks.throttle_status,
            {
                "error_description": "You have made too many requests continuously. "
                "Please try again after some time.",
                "error": "Access Denied",
                "status": "failure",
            },
        )


def _granted(org: Org, request: Request, given: dict[str, str]) -> Answer:
    kind = given.get("grant_type", "")
    if kind not in PARAMETERS:
        unmodelled(f"grant_type {kind!r} is not modelled")
    if not set(given) >= PARAMETERS[kind] - {"redirect_uri", "soid"}:
        raise TokenError("general_error")
    refresh_token = None
    if kind == "refresh_token":
        access = org.tokens.renew(given["refresh_token"])
    elif kind == "authorization_code":
        access, refresh_token = org.tokens.exchange(given["code"], given.get("redirect_uri"))
    else:
        access = org.tokens.client_credentials(given.get("soid"), given["scope"].split(","))
    return ok(**_token_answer(org, request, access, refresh_token))


def _token_answer(org: Org, request: Request, access: str, refresh_token: str | None) -> dict[str, Any]:
    seconds = org.rules.access_token_seconds
    body: dict[str, Any] = {"access_token": access}
    if refresh_token:
        body["refresh_token"] = refresh_token
    if org.quirks.scope_in_token_answer:
        body["scope"] = " ".join(sorted(org.tokens.access[access].scopes))
    body.update(api_domain=request.api_url, token_type="Bearer", expires_in=seconds)
    if org.quirks.expires_in_milliseconds:
        body.update(expires_in=seconds * 1000, expires_in_sec=seconds)
    return body


def _error(org: Org, word: str) -> Answer:
    return Answer(org.quirks.token_error_status, {"error": word})


def _redirect(uri: str, query: dict[str, str]) -> Answer:
    return Answer(302, headers={"Location": f"{uri}?{urlencode(query)}"})


def _page(status: int, title: str, body: str = "") -> Answer:
    text = f"<!doctype html><title>{html.escape(title)}</title><h1>{html.escape(title)}</h1>{body}"
    return Answer(status, raw=text.encode(), content_type="text/html;charset=UTF-8")
