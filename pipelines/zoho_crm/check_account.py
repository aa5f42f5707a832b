"""Checks of the account: its accounts server, the token, the organisation, whose token it is, the clock, credits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from .check_finding import AUTHORIZE, Finding, failed, ok, unknown, warning
from .failures import FAILED, REFUSED, USAGE, explain

if TYPE_CHECKING:
    from sources.zoho_crm.errors import ZohoCrmError

    from .check_state import State

HOUR = 3600.0
FRESH = 600.0  # seconds: Zoho gives 10 tokens in 10 minutes, so a younger one is not renewed to see whether it can be
SKEW = 60.0
NETWORK = "check the network, a proxy (ProxyServer), Region and AccountsServer"
CONSENT = (
    f"{AUTHORIZE}, which gets new tokens; if the client is new, too, put its id and secret into .env first"
)

# Zoho's page on API limits: credits a day by edition, as (for the account, for each user).
CREDITS = {
    "free": (5_000, 0),
    "standard": (50_000, 250),
    "starter": (50_000, 250),
    "professional": (50_000, 500),
    "enterprise": (50_000, 1_000),
    "zoho one": (50_000, 1_000),
    "ultimate": (50_000, 2_000),
}
FOR_A_RUN, FOR_A_MODULE = 15, 4  # credits of a run that finds nothing new (README)


def check_accounts(state: State) -> Finding:
    """Whether the accounts server answers at all. Raises Unreachable."""
    from sources.zoho_crm.accounts import knock
    from sources.zoho_crm.errors import Unreachable

    if state.credentials is None:
        return unknown("accounts", "not asked: the settings do not say where it is")
    before = _now()
    try:
        server = knock(state.credentials)
    except Unreachable as error:
        return failed("accounts", str(error), NETWORK)
    state.reached = True
    after = _now()
    state.compare_clocks(server, before, after, "the accounts server's")
    took = (after - before).total_seconds() * 1000
    return ok("accounts", f"{state.credentials.accounts_url} answers in {took:,.0f} ms")


def check_token(state: State) -> Finding:
    """A token, renewed unless that was done minutes ago, and taken by the API."""
    from sources.zoho_crm.errors import CredentialsError, Unreachable, ZohoCrmError

    from .check_grants import Grants

    client = state.client
    if client is None or not state.reached:
        return unknown("token", f"not asked: {_why_no_token(state)}")
    auth = client.door.auth
    try:
        left = _left(auth.expires_at)
        if auth.can_renew and left is not None and left < HOUR - FRESH:
            auth.renew()
            left = _left(auth.expires_at)
        try:
            before = _now()
            state.organisation = _first(client.get("org"))
        except (CredentialsError, Unreachable):
            raise
        except ZohoCrmError as error:
            state.organisation = error
        state.compare_clocks(client.door.server_time, before, _now(), "Zoho's")
    except CredentialsError as error:
        return failed("token", str(error), CONSENT, REFUSED)
    except Unreachable as error:
        return failed("token", str(error), NETWORK)
    state.grants = Grants(client)
    return _life(auth.api_domain, left, renews=auth.can_renew)


def _life(domain: str, left: float | None, *, renews: bool) -> Finding:
    if not renews:
        return warning(
            "token", f"{domain} takes it, but it cannot be renewed", f"{AUTHORIZE} for a refresh token"
        )
    minutes = f"{(left or 0) / 60:.0f} minutes"
    if left is not None and left < HOUR - FRESH:
        return warning(
            "token", f"a new one lives {minutes} only, not an hour", "ask whoever runs AccountsServer why"
        )
    return ok("token", f"{domain} takes it; it lives {minutes} and is renewed by itself")


def _why_no_token(state: State) -> str:
    return "the settings are not complete" if state.client is None else "the accounts server was not reached"


def check_organisation(state: State) -> Finding:
    """Which organisation this is, and whether it is the one that the settings mean."""
    from sources.zoho_crm.errors import Skippable, ZohoCrmError

    name, found, credentials = "organisation", state.organisation, state.credentials
    if found is None or credentials is None:
        return unknown(name, "not asked: there is no token that works")
    if isinstance(found, Skippable):
        return unknown(name, f"may not be asked with this token ({found.code}), and a run can do without")
    if isinstance(found, ZohoCrmError):
        return failed(name, str(found), remedy_for(found), code_for(found))
    kind, zgid = str(found.get("type") or "production"), str(found.get("zgid"))
    edition = str(_part(found, "license_details").get("paid_type") or "unknown")
    told = (
        f"{found.get('company_name') or 'without a name'}, {edition} edition, {credentials.region},"
        f" {kind}, zgid {zgid}"
    )
    if kind in ("production", "sandbox") and (kind == "sandbox") != (credentials.instance == "Sandbox"):
        told += f", but InstanceType={credentials.instance_type}"
        return failed(name, told, f"set InstanceType, or {AUTHORIZE} and choose the other one", USAGE)
    if credentials.org_id and credentials.org_id != zgid:
        told += f", but OrgId={credentials.org_id}"
        return failed(name, told, f"correct OrgId, or {AUTHORIZE} and choose the other one", USAGE)
    return ok(name, told)


def remedy_for(error: ZohoCrmError) -> str:
    """What to do about an error of a call; a refusal that lasts is not helped by trying again."""
    from sources.zoho_crm.errors import CredentialsError, Retriable, SettingsError, Unreachable, UsedUp

    if isinstance(error, SettingsError):
        return "correct Region, InstanceType or APIDomain"
    if isinstance(error, CredentialsError):
        return AUTHORIZE
    if isinstance(error, UsedUp):
        return "wait: each call's credits come back 24 hours later"
    if isinstance(error, (Retriable, Unreachable)):
        return "try again later; if it stays, look at Zoho's status page"
    return "trying again brings the same: docs/troubleshooting.md explains the sentence"


def code_for(error: ZohoCrmError) -> int:
    """The exit code of a run that meets it while it plans."""
    known = explain(error)
    return known[1] if known else FAILED


def check_user(state: State) -> Finding:
    """Whose token it is: what this user may not see does not exist for a run."""
    from sources.zoho_crm.errors import Skippable, ZohoCrmError

    if state.client is None or state.grants is None:
        return unknown("user", "not asked: there is no token that works")
    try:
        user = _first(state.client.get("users", {"type": "CurrentUser"}), "users")
    except Skippable as error:
        return unknown("user", f"may not be asked with this token ({error.code}), and a run can do without")
    except ZohoCrmError as error:
        return unknown("user", str(error), remedy_for(error))
    profile = str(_part(user, "profile").get("name") or "no profile")
    told = f"the token acts as {user.get('full_name')} ({profile})"
    if profile != "Administrator":
        return warning(
            "user",
            f"{told}: records that this user may not see are not read",
            f"{AUTHORIZE} as an administrator",
        )
    return ok("user", told)


def check_clock(state: State) -> Finding:
    """The difference between this machine and Zoho."""
    if state.clock is None:
        return unknown("clock", "not compared: no answer tells the time")
    ahead, whose = state.clock
    told = f"this machine's clock and {whose} differ by {_span(abs(ahead))}"
    if abs(ahead) >= SKEW:
        side = "ahead" if ahead > 0 else "behind"
        return warning("clock", f"{told}: it is {side}", "turn on network time (timedatectl set-ntp true)")
    return ok("clock", told)


def check_credits(state: State) -> Finding:
    """How many API credits are left today, and whether a run can live on them."""
    if state.client is None or state.grants is None:
        return unknown("credits", "not asked: there is no token that works")
    left = state.client.door.credits_remaining
    needed = FOR_A_RUN + FOR_A_MODULE * len(state.tables)
    if left is None:
        return ok(
            "credits", f"Zoho names the rest once half is used, so more than half{_of_a_day(state)} is left"
        )
    told = f"{left:,} left{_of_a_day(state)}"
    wait = "wait: each call's credits come back 24 hours later"
    if left < needed:
        return failed("credits", f"{told}; a run that finds nothing new takes up to {needed:,}", wait)
    if state.last_credits is not None and left < state.last_credits:
        return warning(
            "credits", f"{told}; the last run took {state.last_credits:,}", f"{wait}, or use --max-credits"
        )
    return ok("credits", told)


def _of_a_day(state: State) -> str:
    """What the edition has a day, without add-ons."""
    if not isinstance(state.organisation, Mapping):
        return ""
    licence = _part(state.organisation, "license_details")
    base = CREDITS.get(str(licence.get("paid_type")).casefold())
    if base is None:
        return ""
    users = str(licence.get("users_license_purchased"))
    return f" of about {base[0] + base[1] * int(users if users.isdecimal() else 0):,} a day"


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, Mapping) else {}


def _first(body: Mapping[str, Any], key: str = "org") -> Mapping[str, Any]:
    rows = body.get(key)
    first = rows[0] if isinstance(rows, list) and rows else {}
    return first if isinstance(first, Mapping) else {}


def _left(expires_at: float | None) -> float | None:
    return None if expires_at is None else expires_at - time.time()


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
