"""The accounts server's consent: the page that a person sees, and the redirect that its buttons lead to."""

from __future__ import annotations

import html
from urllib.parse import parse_qsl, urlencode

from ..routes import Answer, Request, route
from ..service import Service
from .page import page
from .scopes import MEANINGS
from .tokens import Code, Throttled, TokenError

# Zoho's words for a consent URL that cannot be: they are shown, because there is nowhere safe to send them.
WRONG = {
    "invalid_client": "No client of this data centre has this client id.",
    "invalid_redirect_uri": "The redirect URI is none of those that the client has registered.",
    "Scope does not exist": "The list of scopes is empty or holds a name that is no scope.",
    "invalid_response_type": "The response type has to be code.",
}


@route(
    "GET",
    "/oauth/v2/auth",
    params="response_type client_id scope redirect_uri access_type prompt state",
    credits=0,
    host="accounts",
    authority="documented; the page itself is the simulator's own",
)
def consent_page(service: Service, request: Request) -> Answer:
    query = request.query
    if wrong := _wrong(service, query):
        return page(200, wrong, WRONG[wrong])
    user = service.user
    who = f"{user['full_name']} ({user['email']})"
    return page(
        200,
        f"{service.tokens.client_name} would like to access {service.company_name}",
        f"It acts as {who}, and may:",
        _scopes(query["scope"]) + _form(query),
    )


@route(
    "POST",
    "/oauth/v2/approve",
    credits=0,
    host="accounts",
    authority="the simulator's own: where its consent page's buttons lead; the redirect is documented",
)
def approve(service: Service, request: Request) -> Answer:
    given = dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))
    if wrong := _wrong(service, given):
        return page(200, wrong, WRONG[wrong])
    back = {"state": given["state"]} if "state" in given else {}
    redirect_uri = given["redirect_uri"]
    if given.get("decision") != "accept":
        return _redirect(redirect_uri, {**back, "error": "access_denied"})
    scopes = service.tokens.checked_scopes(given["scope"].split(","))
    offline = given.get("access_type", "online") == "offline"
    # Without prompt=consent a second consent gives no new refresh token.
    consented = any(code.redirect_uri for code in service.tokens.codes.values())
    again = consented and given.get("prompt") != "consent"
    try:
        code = service.tokens.new_code(Code(scopes, service.now(), redirect_uri, offline and not again))
    except Throttled:
        return _redirect(redirect_uri, {**back, "error": "access_denied"})
    place = {
        "location": service.tokens.location,
        "accounts-server": service.tokens.accounts_server or request.accounts_url,
    }
    return _redirect(redirect_uri, {**back, "code": code, **place})


def _wrong(service: Service, given: dict[str, str]) -> str | None:
    """The title of the page that says why there can be no consent."""
    if given.get("client_id") != service.tokens.client_id:
        return "invalid_client"
    if given.get("redirect_uri") not in service.tokens.redirect_uris:
        return "invalid_redirect_uri"
    try:
        service.tokens.checked_scopes(given.get("scope", "").split(","))
    except TokenError:
        return "Scope does not exist"
    return "invalid_response_type" if given.get("response_type") != "code" else None


def _scopes(text: str) -> str:
    """Each scope in words, with its name below."""
    names = sorted({name.strip() for name in text.split(",") if name.strip()})
    items = [
        f"<li>{MEANINGS.get(name.lower().partition('.')[2], '')}<code>{html.escape(name)}</code></li>"
        for name in names
    ]
    return f"<ul>{''.join(items)}</ul>"


def _form(query: dict[str, str]) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(text)}">'
        for name, text in query.items()
    )
    return (
        f'<form method="post" action="/oauth/v2/approve">{hidden}'
        '<button name="decision" value="reject">Reject</button>'
        '<button name="decision" value="accept">Accept</button></form>'
    )


def _redirect(uri: str, query: dict[str, str]) -> Answer:
    return Answer(302, headers={"Location": f"{uri}?{urlencode(query)}"})
