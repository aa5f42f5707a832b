"""The accounts server: token endpoint and revocation."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from ..exceptions import unmodelled
from ..routes import Answer, Request, ok, route
from ..service import Service
from .page import page
from .tokens import Throttled, TokenError

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
def token(service: Service, request: Request) -> Answer:
    given = _parameters(request)
    if given.get("grant_type") == "client_credentials" and service.quirks.client_credentials_path != "token":
        return _error(service, "general_error")
    return _tokens(service, request, given)


@route(
    "POST",
    "/oauth/v2/auth",
    params=TOKEN_PARAMETERS,
    credits=0,
    host="accounts",
    authority="documented for client credentials; conflict with the token path",
)
def client_credentials(service: Service, request: Request) -> Answer:
    given = _parameters(request)
    if given.get("grant_type") != "client_credentials":
        unmodelled("POST /oauth/v2/auth is modelled for grant_type=client_credentials only")
    if service.quirks.client_credentials_path != "auth":
        return _error(service, "general_error")
    return _tokens(service, request, given)


@route(
    "GET",
    "/oauth/serverinfo",
    credits=0,
    host="accounts",
    authority="seen live: it names the data centres; the keys are inferred",
)
def server_info(service: Service, request: Request) -> Answer:
    return ok(result="success", locations={"us": request.accounts_url})


@route(
    "POST",
    "/oauth/v2/token/revoke",
    params="token",
    credits=0,
    host="accounts",
    authority="documented; the HTML of a refusal: seen live",
)
def revoke(service: Service, request: Request) -> Answer:
    if service.tokens.revoke(_parameters(request).get("token", "")):
        return ok(status="success")
    return page(400, "Invalid token", "The token that was to be revoked is not known here.")


def _parameters(request: Request) -> dict[str, str]:
    """Of the form and of the query: Zoho takes both."""
    given = {
        **dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True)),
        **request.query,
    }
    if unknown := set(given) - set(TOKEN_PARAMETERS.split()) - {"token"}:
        unmodelled(f"parameter {min(unknown)!r} is not modelled")
    return given


def _tokens(service: Service, request: Request, given: dict[str, str]) -> Answer:
    try:
        service.tokens.check_client(given.get("client_id"), given.get("client_secret"))
        return _granted(service, request, given)
    except TokenError as error:
        return _error(service, str(error))
    except Throttled:
        return Answer(
            service.quirks.throttle_status,
            {
                "error_description": "You have made too many requests continuously. "
                "Please try again after some time.",
                "error": "Access Denied",
                "status": "failure",
            },
        )


def _granted(service: Service, request: Request, given: dict[str, str]) -> Answer:
    kind = given.get("grant_type", "")
    if kind not in PARAMETERS:
        unmodelled(f"grant_type {kind!r} is not modelled")
    if not set(given) >= PARAMETERS[kind] - {"redirect_uri", "soid"}:
        raise TokenError("general_error")
    refresh_token = None
    if kind == "refresh_token":
        access = service.tokens.renew(given["refresh_token"])
    elif kind == "authorization_code":
        access, refresh_token = service.tokens.exchange(given["code"], given.get("redirect_uri"))
    else:
        access = service.tokens.client_credentials(given.get("soid"), given["scope"].split(","))
    return ok(**_token_answer(service, request, access, refresh_token))


def _token_answer(
    service: Service, request: Request, access: str, refresh_token: str | None
) -> dict[str, Any]:
    seconds = service.rules.access_token_seconds
    body: dict[str, Any] = {"access_token": access}
    if refresh_token:
        body["refresh_token"] = refresh_token
    if service.quirks.scope_in_token_answer:
        body["scope"] = " ".join(sorted(service.tokens.access[access].scopes))
    body.update(api_domain=request.api_url, token_type="Bearer", expires_in=seconds)
    if service.quirks.expires_in_milliseconds:
        body.update(expires_in=seconds * 1000, expires_in_sec=seconds)
    return body


def _error(service: Service, word: str) -> Answer:
    return Answer(service.quirks.token_error_status, {"error": word})
