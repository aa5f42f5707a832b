"""The accounts server's consent: the page that a person sees, and the redirect that its buttons lead to."""

from __future__ import annotations

import html
from urllib.parse import parse_qsl, urlencode

from ..crm.org import Org
from ..routes import Answer, Request, route
from .page import page
from .tokens import Code, Throttled, TokenError

# What Zoho's page says in words beside a scope; another scope stands there by its name alone.
MEANINGS = {
    "zohocrm.modules.read": "Read the records of every module",
    "zohocrm.settings.read": "Read settings: modules, fields, layouts, roles, tags",
    "zohocrm.users.read": "Read the users",
    "zohocrm.org.read": "Read the organisation and its licence",
    "zohocrm.bulk.read": "Read many records at once (Bulk Read)",
    "zohocrm.coql.read": "Ask for records by query (COQL)",
    "zohosearch.securesearch.read": "Count and search records",
}
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
def consent_page(org: Org, request: Request) -> Answer:
    query = request.query
    if wrong := _wrong(org, query):
        return page(200, wrong, WRONG[wrong])
    user = org.account.user
    who = f"{user['full_name']} ({user['email']})"
    return page(
        200,
        f"{org.tokens.client_name} would like to access {org.account.company_name}",
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
def approve(org: Org, request: Request) -> Answer:
    given = dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))
    if wrong := _wrong(org, given):
        return page(200, wrong, WRONG[wrong])
    back = {"state": given["state"]} if "state" in given else {}
    redirect_uri = given["redirect_uri"]
    if given.get("decision") != "accept":
        return _redirect(redirect_uri, {**back, "error": "access_denied"})
    scopes = org.tokens.checked_scopes(given["scope"].split(","))
    offline = given.get("access_type", "online") == "offline"
    # Without prompt=consent a second consent gives no new refresh token.
    consented = any(code.redirect_uri for code in org.tokens.codes.values())
    again = consented and given.get("prompt") != "consent"
    try:
        code = org.tokens.new_code(Code(scopes, org.now(), redirect_uri, offline and not again))
    except Throttled:
        return _redirect(redirect_uri, {**back, "error": "access_denied"})
    place = {
        "location": org.tokens.location,
        "accounts-server": org.tokens.accounts_server or request.accounts_url,
    }
    return _redirect(redirect_uri, {**back, "code": code, **place})


def _wrong(org: Org, given: dict[str, str]) -> str | None:
    """The title of the page that says why there can be no consent."""
    if given.get("client_id") != org.tokens.client_id:
        return "invalid_client"
    if given.get("redirect_uri") not in org.tokens.redirect_uris:
        return "invalid_redirect_uri"
    try:
        org.tokens.checked_scopes(given.get("scope", "").split(","))
    except TokenError:
        return "Scope does not exist"
    return "invalid_response_type" if given.get("response_type") != "code" else None


def _scopes(text: str) -> str:
    """Each scope in words, with its name below."""
    names = sorted({name.strip() for name in text.split(",") if name.strip()})
    items = [f"<li>{MEANINGS.get(name.lower(), '')}<code>{html.escape(name)}</code></li>" for name in names]
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
