"""Zoho's accounts server: one POST for a token, and a sentence for each of its refusals."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from .answers import refuse_redirect
from .credentials import ZohoCredentials
from .errors import CredentialsError, Unreachable
from .redaction import remember_secrets
from .settings import CONSENT_AGAIN
from .token_cache import Token
from .transport import LimitedClient, limited_adapter

Post = Callable[[str, Mapping[str, str]], requests.Response]

ATTEMPTS = 3
SERVER_INFO = "oauth/serverinfo"  # needs no token; seen live: it names the data centres
KNOCKING = 10.0  # seconds that a server may take to answer to it
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


class Throttled(Exception):
    """Zoho gives out no more tokens for the rest of its window."""


class Refused(Exception):
    """The accounts server's `error`, as its code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def token_post(
    credentials: ZohoCredentials,
    *,
    attempts: int = ATTEMPTS,
    backoff: float = 1.0,
    now: Callable[[], float] = time.monotonic,
) -> Post:
    """POST a form, with a few attempts; a redirect is not followed, because the form holds secrets."""
    client = LimitedClient(
        limited_adapter(now, float(credentials.timeout or 60)),
        lambda seconds: time.sleep(seconds),
        request_timeout=credentials.timeout,
        raise_for_status=False,
        request_max_attempts=attempts,
        request_backoff_factor=backoff,
        request_max_retry_delay=10,
    )

    def post(url: str, form: Mapping[str, str]) -> requests.Response:
        return client.post(
            url,
            data=dict(form),
            proxies=credentials.proxies,
            allow_redirects=False,
            hooks={"response": refuse_redirect},
        )

    return post


def knock(credentials: ZohoCredentials) -> datetime | None:
    """Whether the accounts server answers at all, whatever it says; its time. Raises Unreachable."""
    seconds = min(float(credentials.timeout or KNOCKING), KNOCKING)
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


def ask(post: Post, url: str, form: Mapping[str, str], now: float) -> Token:
    """The token of one answer."""
    answer = granted(post, url, form)
    return Token(
        access_token=str(answer["access_token"]),
        api_domain=str(answer["api_domain"]) if answer.get("api_domain") else None,
        expires_at=now + _lifetime(answer),
        scope=str(answer["scope"]) if answer.get("scope") else None,
    )


def granted(post: Post, url: str, form: Mapping[str, str]) -> Mapping[str, Any]:
    """The answer with an access token. The body decides: Zoho sends its refusals with status 200, too."""
    answer = body_of(send(post, url, form), url)
    if not answer.get("access_token"):
        raise _refusal(answer)
    remember_secrets(str(answer.get(key) or "") for key in ("access_token", "refresh_token"))
    return answer


def send(post: Post, url: str, form: Mapping[str, str]) -> requests.Response:
    """The answer, whatever its status; without one, Unreachable with the host and what to check."""
    host = urlsplit(url).netloc
    try:
        return post(url, form)
    except requests.exceptions.ProxyError as error:
        raise Unreachable(f"The proxy on the way to {host} does not answer: check ProxyServer.") from error
    except requests.exceptions.SSLError as error:
        raise Unreachable(
            f"No safe connection to {host}: its TLS certificate is not accepted. Check the clock of this"
            " machine, and whether a proxy opens TLS here (its root certificate then goes into"
            " REQUESTS_CA_BUNDLE)."
        ) from error
    except requests.exceptions.Timeout as error:
        raise Unreachable(f"{host} did not answer in time: check the network, or raise Timeout.") from error
    except requests.exceptions.RequestException as error:
        raise Unreachable(
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
        raise Unreachable(
            f"{host} answers {response.status_code}: Zoho's side is in trouble. Try again later."
        )
    kind = response.headers.get("Content-Type", "no content type").split(";")[0][:60]
    raise Unreachable(
        f"{host} answers the token request with {response.status_code} and {len(response.content)} bytes of"
        f" {kind} instead of a token: check AccountsServer, and whether a proxy or gateway answers in its place."
    )


def sentence(refused: Refused, credentials: ZohoCredentials) -> CredentialsError:
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
        return Throttled()
    known = words in REFUSALS or re.fullmatch(r"[a-z]+(_[a-z]+){0,4}", words) is not None and len(words) <= 40
    return Refused(words if known else "an error that is no word")


def _lifetime(answer: Mapping[str, Any]) -> float:
    """Seconds. An old form has milliseconds in `expires_in` and the seconds in `expires_in_sec`."""
    try:
        found = float(answer.get("expires_in_sec") or answer.get("expires_in") or LIFETIME)
    except (TypeError, ValueError):
        return LIFETIME
    return found if 0 < found < 10 * 86400 else LIFETIME
