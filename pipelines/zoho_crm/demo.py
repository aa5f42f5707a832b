"""The account to read: the user's, or for a demo a simulated one that lives as long as the command."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from .console import Console
from .options import Options

if TYPE_CHECKING:
    from simulators.zoho_crm import Clock, Org
    from sources.zoho_crm.auth.credentials import ZohoCredentials

Demo = TypeVar("Demo")
LONG = 16  # letters


def simulated(options: Options) -> str:
    """The sentence that every demo begins and ends with."""
    return f"This is a simulated Zoho {options.service} on 127.0.0.1; no account of Zoho's is read."


@contextmanager
def opened_account(options: Options, console: Console) -> Iterator[ZohoCredentials]:
    """The checked settings. Raises SettingsError; no call is made."""
    from sources.zoho_crm.auth.credentials import resolve_credentials

    if not options.demo:
        if options.connection is not None and not options.connection.strip():
            raise empty_connection()
        yield resolve_credentials(options.connection, service=options.service)
        return
    from simulators.zoho_crm import serve

    console.text(simulated(options))
    console.event("simulated", {"note": simulated(options)})
    with simulated_account(
        lambda: serve(_demo_org(Path(pipelines_dir(options)), options.service))
    ) as credentials:
        yield credentials


@contextmanager
def simulated_account(serve: Callable[[], AbstractContextManager[Any]]) -> Iterator[ZohoCredentials]:
    """The settings that reach a simulated account, which lives as long."""
    from sources.zoho_crm.auth.credentials import resolve_credentials

    _keep_off_the_proxy()
    with serve() as zoho:
        with _without_settings():
            # Each demo has its own port, so a token kept on disk would be of no use to the next.
            credentials = resolve_credentials(f"{zoho.connection_string}OAuthSettingsLocation=memory://;")
        yield credentials


def _demo_org(place: Path, service: str) -> Org:
    """The demo company; after the first demo people have worked in it, once."""
    from simulators.zoho_crm.demo import bigin_changes, bigin_org, demo_changes, demo_org

    make, change = (bigin_org, bigin_changes) if service == "Bigin" else (demo_org, demo_changes)
    return later_demo(place, lambda clock: make(clock=clock), change)


def later_demo(place: Path, make: Callable[[Clock], Demo], change: Callable[[Demo], object]) -> Demo:
    """What a demo reads: as it was made when the first demo began; with changes, once, in later ones.

    Args:
        place: The folder that remembers when that was.
        make: Makes it, with a clock that stands still.
        change: Changes it at the time of the second demo.
    """
    from simulators.zoho_crm import Clock

    first = not (place / "began").exists()
    began = _noted(place / "began")
    clock = Clock(began)
    made = make(clock)
    if not first:
        worked = _noted(place / "worked")
        clock.advance((max(worked, began) - began).total_seconds())
        change(made)
    clock.run()
    return made


def _noted(note: Path) -> datetime:
    """The time in a note; the first one who asks writes it down."""
    noted = _time_in(note)
    if noted is not None:
        return noted
    time = datetime.now(timezone.utc)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(time.isoformat())
    return time


def _time_in(note: Path) -> datetime | None:
    try:
        return datetime.fromisoformat(note.read_text())
    except (OSError, ValueError):
        return None


def pipelines_dir(options: Options) -> str:
    """Where a run works and keeps its lock: by default a folder of the working directory's own.

    So two accounts in two folders share nothing, though their pipelines have one name.
    """
    from dlt.common.pipeline import get_dlt_pipelines_dir

    from .run.destination import DEMO_FILE

    if options.pipelines_dir:
        return str(Path(options.pipelines_dir).expanduser().absolute())
    here, root = Path.cwd(), Path(get_dlt_pipelines_dir()).parent
    place = here / DEMO_FILE if options.demo else here
    own = hashlib.sha256(f"{place} {options.destination} {options.dataset}".encode()).hexdigest()[:12]
    if options.demo:
        return str(root / "zoho_demo" / own)
    return str(root / "zoho_crm" / (re.sub(r"[^0-9A-Za-z.-]+", "-", here.name)[:40] + f"-{own}"))


def empty_connection() -> Exception:
    """What to say of `--connection ''`: a variable that a script forgot to set."""
    from sources.zoho_crm.exceptions import SettingsError

    return SettingsError("--connection is empty: it holds Name=value; pairs, or leave it out.")


@contextmanager
def _without_settings() -> Iterator[None]:
    """dlt fills up what a connection string leaves open; a demo must not take that from a real account."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs import PluggableRunContext
    from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer

    context = Container()[PluggableRunContext]
    kept, context.providers = context.providers, ConfigProvidersContainer([])
    try:
        yield
    finally:
        context.providers = kept


def _keep_off_the_proxy() -> None:
    """A company's proxy does not know this machine's 127.0.0.1."""
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1")))


def secrets_of(options: Options | None) -> list[str]:
    """Every secret that an error might repeat, as far as anybody told us."""
    from sources.zoho_crm.auth.credentials import resolve_credentials
    from sources.zoho_crm.exceptions import SettingsError

    from .run.destination import KNOWN

    words = ("CREDENTIALS", "SECRET", "PASSWORD", "TOKEN", "KEY", "WEBHOOK")
    # The last part of a name tells: CREDENTIALS__DATABASE is no secret, CREDENTIALS__PASSWORD is.
    named = {
        name: value
        for name, value in os.environ.items()
        if any(word in name.upper().split("__")[-1] for word in words) and not _is_path(name, value)
    }
    # What is no key of dlt's and short may be a word of every day: XDG_SESSION_TOKEN=default.
    found = [value for name, value in named.items() if "__" in name or len(value) >= LONG]
    found += [word for value in named.values() for word in passwords_in(value)]
    connection = options.connection if options else None
    found += [options.client_secret or "", options.code or ""] if options else []
    try:
        credentials = resolve_credentials(connection, for_consent=True, quiet=True)
    except SettingsError:
        found.append(connection if connection and len(connection) >= LONG else "")
    else:
        found += credentials.secrets
    return [text for text in found if len(text) >= 6 and text not in KNOWN]


def passwords_in(value: str) -> list[str]:
    """The password in a URL or in `host=... password=...`, unless it is the name of the user."""
    found = re.findall(r"\bpassword\s*=\s*([^\s;&]+)", value, re.IGNORECASE)
    try:
        parts = urlsplit(value)
        found += [parts.password] if parts.password and parts.password != parts.username else []
    except ValueError:
        return found
    return [form for password in found for form in (password, unquote(password))]


def _is_path(name: str, value: str) -> bool:
    """DuckDB's credentials are the path of its file, unless a token is given with it."""
    return name.upper() == "DESTINATION__DUCKDB__CREDENTIALS" and "?" not in value
