"""OAuth consent: the URL that asks a person for it, the redirect that answers, the tokens that its code brings."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs, urlencode, urlsplit

from .accounts import WINDOW, Post, Refused, Throttled, granted
from .credentials import ZohoCredentials
from .data_centres import DataCentre, data_centre, data_centre_of_accounts_host, origin
from .errors import CredentialsError, SettingsError
from .redaction import remember_secrets

DEFAULT_CALLBACK = "http://localhost:8080/callback"  # to be registered in the API console, letter by letter
CODE = re.compile(r"[A-Za-z0-9._~-]{8,300}")
BARE = re.compile(r"\d{3,5}\.[A-Za-z0-9._~-]{8,300}")  # all of Zoho's begin with 1000.

# What a redirect says instead of a code.
DENIED: Mapping[str, str] = {
    "access_denied": (
        "Zoho answered access_denied: Reject was pressed, or this client was given 10 codes in 10 minutes. Run"
        " authorize again and press Accept; after many attempts wait 10 minutes first."
    ),
    "no_org": (
        "Zoho answered no_org: the user who is signed in there has no Zoho CRM. Sign out, run authorize again,"
        " and sign in as a user of the CRM that is to be copied."
    ),
    "invalid_scope": "Zoho does not know a name in Scope, or the client may not ask for it. Correct Scope.",
}

# What the token endpoint says to a code.
REFUSALS: Mapping[str, str] = {
    "invalid_code": (
        "Zoho does not take this code at {host}: it was used before, it is older than the two or three minutes"
        " that a code lives, or it is of another data centre than Region={region}. Run authorize again, and let it"
        " have the new code at once."
    ),
    "invalid_client": (
        "Zoho does not know this client at {host}: OAuthClientId is wrong, or the client is registered in another"
        " data centre than Region={region}. Compare it with {console}, or give the right --region."
    ),
    "invalid_client_secret": (
        "OAuthClientSecret does not fit OAuthClientId at {host}: copy both again from {console}. Each data centre"
        " has its own secret, unless the client's Settings there say to use the same credentials for all of them."
    ),
    "invalid_redirect_uri": (
        "The client has not registered the redirect URI {callback}: add exactly this one to its Authorized"
        " Redirect URIs in {console}, or set CallbackURL to the one that stands there. The code of a Self Client"
        " needs --self-client."
    ),
    "general_error": (
        "{host} answers general_error to the code. Zoho says so for malformed requests: check that OAuthClientId,"
        " OAuthClientSecret and the code were copied whole, and run authorize again."
    ),
}
MOVED = (
    "The account lives in {region}, and {host} does not know this client: open the client in the API console where"
    " you registered it, and in its Settings enable {region} and the same OAuth credentials for all data centres."
    " Or register a client at {console} and give its --client-id and --client-secret."
)
NO_REFRESH_TOKEN = (
    "Zoho gave an access token for an hour, but no refresh token, so nothing was written. It gives one only for a"
    " consent with access_type=offline, and to a user who has consented before only with prompt=consent. authorize"
    " asks for both, so the code is of another consent URL, or Zoho goes by an older consent: remove the app at"
    " {server}/home#sessions/userconnectedapps (Connected Apps), then run authorize again and press Accept. It is"
    " not for want of room: at 20 refresh tokens of a user and client Zoho drops the oldest, whose runs then fail."
)


@dataclass(frozen=True)
class Grant:
    """A code, and where the redirect says that it is taken."""

    code: str = field(repr=False)
    location: str | None = None
    accounts_server: str | None = None


@dataclass(frozen=True)
class Tokens:
    """What a code brought."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    scopes: frozenset[str] | None = None


def new_state() -> str:
    """What only the answer to our own question can repeat."""
    return secrets.token_urlsafe(24)


def callback_of(credentials: ZohoCredentials) -> str:
    return credentials.callback_url or DEFAULT_CALLBACK


def consent_url(credentials: ZohoCredentials, scopes: Iterable[str], state: str) -> str:
    """Where a person consents; offline and prompted, because only that brings a refresh token every time."""
    query = {
        "response_type": "code",
        "client_id": credentials.oauth_client_id or "",
        "scope": ",".join(scopes),
        "redirect_uri": callback_of(credentials),
        "access_type": "offline",
        "prompt": "consent",
        "state": state,
    }
    return f"{credentials.accounts_url}/oauth/v2/auth?{urlencode(query)}"


def read_answer(text: str, state: str | None) -> Grant:
    """The grant in a redirect's address or in a bare code.

    An address must repeat the state, if there is one: any page can lead a browser to our address.
    Raises CredentialsError if Zoho refused, SettingsError for what is no answer; neither repeats it.
    """
    text = text.strip()
    if BARE.fullmatch(text):
        return Grant(text)
    given = _parameters(text)
    if state is not None and given.get("state") != state:
        raise SettingsError(
            "This address is no answer to the consent that was just asked for: its state differs. Open the address"
            " that was printed last, and take the one that it leads to."
        )
    if "error" in given:
        raise CredentialsError(_denied(given["error"]))
    return Grant(given["code"], given.get("location"), given.get("accounts-server"))


def moved_settings(credentials: ZohoCredentials, grant: Grant) -> dict[str, str]:
    """The settings that change because the account lives elsewhere; none if the redirect names no other place.

    Only Zoho's own accounts servers are followed. One that the user named as AccountsServer (a gateway,
    a simulator) is never left: the client's secret goes where he said.
    """
    named, own = grant.accounts_server, credentials.accounts_url
    stays = named is None or origin(named) == origin(own)
    if named is not None and stays and _zoho(own):
        return {}
    centre = data_centre(grant.location or "") if stays else _centre(named)
    if centre is None and not (stays and (named is not None or grant.location is None)):
        raise CredentialsError(_stranger(named, grant.location))
    if centre is None or centre == credentials.data_centre:
        return {}
    changes = {"Region": centre.region}
    if _zoho(own) and credentials.accounts_server is not None:
        changes["AccountsServer"] = centre.accounts_server
    if credentials.api_domain == credentials.data_centre.api_domain(credentials.instance):
        changes["APIDomain"] = centre.api_domain(credentials.instance)
    return changes


def exchange(
    post: Post, credentials: ZohoCredentials, grant: Grant, callback: str | None, *, moved: bool = False
) -> Tokens:
    """The tokens for a code, which works once and for minutes; a Self Client's has no callback."""
    form = {
        "grant_type": "authorization_code",
        "client_id": credentials.oauth_client_id or "",
        "client_secret": credentials.oauth_client_secret or "",
        "code": grant.code,
    }
    if callback is not None:
        form["redirect_uri"] = callback
    remember_secrets([grant.code])
    try:
        answer = granted(post, f"{credentials.accounts_url}/oauth/v2/token", form)
    except Refused as refused:
        raise CredentialsError(_refusal(refused.code, credentials, moved)) from None
    except Throttled:
        raise CredentialsError(_throttled()) from None
    if not answer.get("refresh_token"):
        raise CredentialsError(NO_REFRESH_TOKEN.format(server=_server(credentials)))
    scope = str(answer.get("scope") or "").replace(",", " ").split()
    return Tokens(str(answer["access_token"]), str(answer["refresh_token"]), frozenset(scope) or None)


def _parameters(text: str) -> dict[str, str]:
    try:
        query = urlsplit(text).query
    except ValueError:
        query = ""
    given = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    if not given.get("error") and not CODE.fullmatch(given.get("code", "")):
        raise SettingsError(
            "That is neither a code nor the address that the consent led to: the address begins as CallbackURL"
            " does and holds code=. Copy it whole."
        )
    return given


def _denied(word: str) -> str:
    known = re.fullmatch(r"[a-z]+(_[a-z]+){0,4}", word) is not None and len(word) <= 40
    text = "Zoho answered the consent with {word}: look it up in docs/setup.md, and run authorize again."
    return DENIED.get(word, text).format(word=word if known else "an error that is no word")


def _zoho(url: str) -> bool:
    scheme, host, port = origin(url)
    return scheme == "https" and port == 443 and data_centre_of_accounts_host(host) is not None


def _centre(server: str | None) -> DataCentre | None:
    return data_centre_of_accounts_host(origin(server)[1]) if server is not None and _zoho(server) else None


def _stranger(server: str | None, location: str | None) -> str:
    host = origin(server)[1] if server is not None else ""
    shown = host if re.fullmatch(r"[A-Za-z0-9.-]{1,80}", host) else "no host"
    place = location if location is not None and re.fullmatch(r"[A-Za-z]{2,10}", location) else "unknown"
    return (
        f"The redirect says that this account is at {shown} (location {place}), which is none of Zoho's accounts"
        " servers known here: no secret is sent there. If you trust that host, set it as AccountsServer and run"
        " authorize again."
    )


def _refusal(code: str, credentials: ZohoCredentials, moved: bool) -> str:
    text = REFUSALS.get(code, "{host} refuses the code: {code}. Run authorize again.")
    if moved and code in ("invalid_client", "invalid_client_secret"):
        text = MOVED
    return text.format(
        host=urlsplit(credentials.accounts_url).netloc,
        region=credentials.region,
        console=credentials.data_centre.console,
        callback=callback_of(credentials),
        code=code,
    )


def _throttled() -> str:
    at = datetime.now(timezone.utc) + timedelta(seconds=WINDOW, minutes=1)  # shown to the minute
    return (
        "Zoho hands out 10 codes and 10 tokens in 10 minutes, and they are used up: run authorize again at"
        f" {at:%H:%M} UTC, and not before."
    )


def _server(credentials: ZohoCredentials) -> str:
    return (
        credentials.accounts_url
        if _zoho(credentials.accounts_url)
        else credentials.data_centre.accounts_server
    )
