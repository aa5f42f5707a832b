"""Zoho's accounts server: consent, tokens, and what its refusals mean."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from ..exceptions import CredentialsError, SettingsError, ZohoConnectionError
from ..redaction import remember_secrets
from .credentials import CONSENT_AGAIN, ZohoCredentials
from .data_centers import DataCentre, data_centre, data_centre_of_accounts_host, origin
from .token_store import Token
from .transport import LimitedClient, limited_adapter, refuse_redirect

Post = Callable[[str, Mapping[str, str]], requests.Response]
ATTEMPTS = 3
SERVER_INFO = "oauth/serverinfo"  # needs no token; seen live: it names the data centres
PING_TIMEOUT = 10.0  # seconds that a server may take to answer to it
LIFETIME = 3600.0  # seconds; what Zoho's token page says, for an answer that does not
WINDOW = 600.0  # Zoho: 10 access tokens from one refresh token in 10 minutes
REFUSALS: Mapping[str, str] = {
    "invalid_code": (
        "Zoho does not know this refresh token: it was revoked or pushed out by newer ones (the 21st of a client ends"
        " the first), the app was removed under Connected Apps, or the user's password was changed with \"terminate all"
        ' API tokens"; or it belongs to another data centre than Region={region} ({host}). It does not end by not'
        " being used. Check Region, or " + CONSENT_AGAIN + "."
    ),
    "invalid_client": (
        "Zoho does not know this client at {host}: OAuthClientId is wrong, or the client belongs to another data"
        " centre than Region={region}. In the API console each data centre has its own client secret unless"
        " Multi-DC gives them one."
    ),
    "invalid_client_secret": (
        "OAuthClientSecret does not fit OAuthClientId at {host}. Copy both again from the API console; each data"
        " centre has its own secret unless Multi-DC gives them one."
    ),
    "general_error": (
        "{host} answers general_error to the token request, twice. Zoho says so for malformed requests: check that"
        " OAuthClientId, OAuthClientSecret and the tokens are copied whole."
    ),
    "invalid_scope": "Zoho does not know a name in Scope, or the client may not ask for it. Correct Scope.",
}


class TokenRateLimitError(Exception):
    """Zoho gives out no more tokens for the rest of its window."""


class TokenRequestError(Exception):
    """The accounts server's `error`, as its code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def token_post(
    credentials: ZohoCredentials | None = None,
    *,
    attempts: int = ATTEMPTS,
    backoff: float = 1.0,
    now: Callable[[], float] = time.monotonic,
) -> Post:
    """POST a form, with a few attempts; a redirect is not followed, because the form holds secrets.

    `credentials` give the timeout and the proxies: 60 s and those of the environment without them.
    """
    timeout = (credentials.timeout if credentials else None) or 60
    proxies = credentials.proxies if credentials else None
    client = LimitedClient(
        limited_adapter(now, float(timeout)),
        lambda seconds: time.sleep(seconds),
        request_timeout=timeout,
        raise_for_status=False,
        request_max_attempts=attempts,
        request_backoff_factor=backoff,
        request_max_retry_delay=10,
    )

    def post(url: str, form: Mapping[str, str]) -> requests.Response:
        return client.post(
            url,
            data=dict(form),
            proxies=proxies,
            allow_redirects=False,
            hooks={"response": refuse_redirect},
        )

    return post


def ping_accounts_server(credentials: ZohoCredentials) -> datetime | None:
    """Whether the accounts server answers at all, whatever it says; its time. Raises ZohoConnectionError."""
    seconds = min(float(credentials.timeout or PING_TIMEOUT), PING_TIMEOUT)
    client = LimitedClient(
        limited_adapter(time.monotonic, seconds),
        lambda seconds: time.sleep(seconds),
        request_timeout=seconds,
        raise_for_status=False,
        status_codes=(),
        request_max_attempts=2,
        request_backoff_factor=0.2,
    )

    def get(url: str, _: Mapping[str, str]) -> requests.Response:
        return client.get(url, proxies=credentials.proxies, allow_redirects=False)

    return time_of(send(get, f"{credentials.accounts_url}/{SERVER_INFO}", {}))


def time_of(response: requests.Response) -> datetime | None:
    """The server's time as its header tells it; a date that nobody can read is none."""
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).astimezone(timezone.utc)
    except (ValueError, TypeError):
        return None


def request_token(post: Post, url: str, form: Mapping[str, str], now: float) -> Token:
    """The token of one answer."""
    answer = parse_token_response(post, url, form)
    return Token(
        access_token=str(answer["access_token"]),
        api_domain=str(answer["api_domain"]) if answer.get("api_domain") else None,
        expires_at=now + _lifetime(answer),
        scope=str(answer["scope"]) if answer.get("scope") else None,
    )


def parse_token_response(post: Post, url: str, form: Mapping[str, str]) -> Mapping[str, Any]:
    """The answer with an access token. The body decides: Zoho sends its refusals with status 200, too."""
    answer = body_of(send(post, url, form), url)
    if not answer.get("access_token"):
        raise _refusal(answer)
    remember_secrets(str(answer.get(key) or "") for key in ("access_token", "refresh_token"))
    return answer


def send(post: Post, url: str, form: Mapping[str, str]) -> requests.Response:
    """The answer, whatever its status; without one, ZohoConnectionError with the host and what to check."""
    host = urlsplit(url).netloc
    try:
        return post(url, form)
    except requests.exceptions.ProxyError as error:
        raise ZohoConnectionError(
            f"The proxy on the way to {host} does not answer: check ProxyServer."
        ) from error
    except requests.exceptions.SSLError as error:
        raise ZohoConnectionError(
            f"No safe connection to {host}: its TLS certificate is not accepted. Check the clock of this"
            " machine, and whether a proxy opens TLS here (its root certificate then goes into"
            " REQUESTS_CA_BUNDLE)."
        ) from error
    except requests.exceptions.Timeout as error:
        raise ZohoConnectionError(
            f"{host} did not answer in time: check the network, or raise Timeout."
        ) from error
    except requests.exceptions.RequestException as error:
        raise ZohoConnectionError(
            f"{host} cannot be reached ({type(error).__name__}): check the network, Region and AccountsServer."
        ) from error


def body_of(response: requests.Response, url: str) -> Mapping[str, Any]:
    host = urlsplit(url).netloc
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if isinstance(answer, dict) and (answer.get("access_token") or answer.get("error")):
        return answer
    if response.status_code >= 500:
        raise ZohoConnectionError(
            f"{host} answers {response.status_code}: Zoho's side is in trouble. Try again later."
        )
    kind = response.headers.get("Content-Type", "no content type").split(";")[0][:60]
    raise ZohoConnectionError(
        f"{host} answers the token request with {response.status_code} and {len(response.content)} bytes of"
        f" {kind} instead of a token: check AccountsServer, and whether a proxy or gateway answers in its place."
    )


def to_credentials_error(refused: TokenRequestError, credentials: ZohoCredentials) -> CredentialsError:
    """What a person has to do about a refusal."""
    host = urlsplit(credentials.accounts_url).netloc
    text = REFUSALS.get(refused.code, "{host} refuses the token request: {code}.")
    return CredentialsError(text.format(host=host, region=credentials.region, code=refused.code))


def throttle_sentence(until: float) -> CredentialsError:
    at = datetime.fromtimestamp(until, timezone.utc) + timedelta(minutes=1)  # shown to the minute
    return CredentialsError(
        "Zoho hands out 10 access tokens in 10 minutes for one refresh token, and they are used up: try again at"
        f" {at:%H:%M} UTC. Runs that share one OAuthSettingsLocation need one token between them."
    )


def _refusal(answer: Mapping[str, Any]) -> Exception:
    # Only a word of the answer is repeated: a gateway may echo the form, and that holds secrets.
    words = re.sub(r"[^a-z0-9]+", "_", str(answer["error"]).casefold()).strip("_")
    if words == "access_denied" or "too many requests" in str(answer.get("error_description", "")).casefold():
        return TokenRateLimitError()
    known = words in REFUSALS or re.fullmatch(r"[a-z]+(_[a-z]+){0,4}", words) is not None and len(words) <= 40
    return TokenRequestError(words if known else "an error that is no word")


def _lifetime(answer: Mapping[str, Any]) -> float:
    """Seconds. An old form has milliseconds in `expires_in` and the seconds in `expires_in_sec`."""
    try:
        found = float(answer.get("expires_in_sec") or answer.get("expires_in") or LIFETIME)
    except (TypeError, ValueError):
        return LIFETIME
    return found if 0 < found < 10 * 86400 else LIFETIME


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
        "Zoho answered no_org: the user who is signed in there has no account of this service. Sign out, run authorize again,"
        " and sign in as a user of the organisation that is to be copied."
    ),
    "invalid_scope": "Zoho does not know a name in Scope, or the client may not ask for it. Correct Scope.",
}
# What the token endpoint says to a code.
CONSENT_REFUSALS: Mapping[str, str] = {
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
    " {server}/home#sessions/userconnectedapps (Connected Apps), then run authorize again and press Accept."
    " The limit of 20 refresh tokens for a user and client is not the cause: at the limit Zoho revokes the oldest"
    " one, and runs that use it fail."
)


@dataclass(frozen=True)
class AuthorizationCode:
    """A code, and where the redirect says that it is taken."""

    code: str = field(repr=False)
    location: str | None = None
    accounts_server: str | None = None


@dataclass(frozen=True)
class TokenPair:
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


def read_answer(text: str, state: str | None) -> AuthorizationCode:
    """The grant in a redirect's address or in a bare code.

    An address must repeat the state, if there is one: any page can lead a browser to our address.
    Raises CredentialsError if Zoho refused, SettingsError for what is no answer; neither repeats it.
    """
    text = text.strip()
    if BARE.fullmatch(text):
        return AuthorizationCode(text)
    given = _parameters(text)
    if state is not None and given.get("state") != state:
        raise SettingsError(
            "This address is not an answer to the consent that was just asked for: its state differs. Open the address"
            " that was printed last, and take the one that it leads to."
        )
    if "error" in given:
        raise CredentialsError(_denied(given["error"]))
    return AuthorizationCode(given["code"], given.get("location"), given.get("accounts-server"))


def settings_for_location(credentials: ZohoCredentials, grant: AuthorizationCode) -> dict[str, str]:
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
        raise CredentialsError(_unknown_server_message(named, grant.location))
    if centre is None or centre == credentials.data_centre:
        return {}
    changes = {"Region": centre.region}
    if _zoho(own) and credentials.accounts_server is not None:
        changes["AccountsServer"] = centre.accounts_server
    if credentials.api_domain == credentials.data_centre.api_domain(credentials.instance):
        changes["APIDomain"] = centre.api_domain(credentials.instance)
    return changes


def exchange(
    post: Post,
    credentials: ZohoCredentials,
    grant: AuthorizationCode,
    callback: str | None,
    *,
    moved: bool = False,
) -> TokenPair:
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
        answer = parse_token_response(post, f"{credentials.accounts_url}/oauth/v2/token", form)
    except TokenRequestError as refused:
        raise CredentialsError(_consent_refusal(refused.code, credentials, moved)) from None
    except TokenRateLimitError:
        raise CredentialsError(_throttled()) from None
    if not answer.get("refresh_token"):
        raise CredentialsError(NO_REFRESH_TOKEN.format(server=_server(credentials)))
    scope = str(answer.get("scope") or "").replace(",", " ").split()
    return TokenPair(str(answer["access_token"]), str(answer["refresh_token"]), frozenset(scope) or None)


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


def _unknown_server_message(server: str | None, location: str | None) -> str:
    host = origin(server)[1] if server is not None else ""
    shown = host if re.fullmatch(r"[A-Za-z0-9.-]{1,80}", host) else "no host"
    place = location if location is not None and re.fullmatch(r"[A-Za-z]{2,10}", location) else "unknown"
    return (
        f"The redirect says that this account is at {shown} (location {place}), which is none of Zoho's accounts"
        " servers known here: no secret is sent there. If you trust that host, set it as AccountsServer and run"
        " authorize again."
    )


def _consent_refusal(code: str, credentials: ZohoCredentials, moved: bool) -> str:
    text = CONSENT_REFUSALS.get(code, "{host} refuses the code: {code}. Run authorize again.")
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
