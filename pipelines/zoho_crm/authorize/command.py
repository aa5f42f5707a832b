"""Gets the tokens of an account: asks, lets a person consent, exchanges the code, writes `.env`, checks."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import click

from sources.zoho_crm.auth.connection_string import join_settings, split_settings
from sources.zoho_crm.auth.credentials import KEY, SETTINGS, ZohoCredentials, resolve_credentials
from sources.zoho_crm.auth.oauth_client import (
    AuthorizationCode,
    TokenPair,
    callback_of,
    consent_url,
    exchange,
    new_state,
    read_answer,
    settings_for_location,
    token_post,
)
from sources.zoho_crm.exceptions import SettingsError

from ..check.command import print_checks
from ..console import Console
from ..demo import empty_connection
from ..errors import INTERRUPTED, print_error
from ..options import Options
from ..streams import remark
from . import callback_server, prompts
from .env_file import EnvFile
from .scopes import wanted

NOTHING_WRITTEN = "Interrupted. Nothing was written."


def get_tokens(
    options: Options,
    console: Console,
    scopes: Sequence[str] = (),
    check: Callable[[Options, Console], int] = print_checks,
) -> int:
    """The exit code is that of the checks, which see what the next run will see.

    Args:
        scopes: What to ask for; by default `Scope`, or what a run of the chosen modules needs.
        check: What is run in the end.
    """
    try:
        file = EnvFile(Path(options.env_file))
        file.check_writable()
        credentials, entered = settle(options)
        grant, callback = obtain(options, console, credentials, list(scopes))
        moved = settings_for_location(credentials, grant)
        credentials = settled({**credentials.given, **moved})
        tokens = exchange(token_post(credentials), credentials, grant, callback, moved=bool(moved))
    except (KeyboardInterrupt, click.Abort):
        print_error(NOTHING_WRITTEN)
        console.event("error", {"error": NOTHING_WRITTEN, "exit_code": INTERRUPTED})
        return INTERRUPTED
    said = file.account
    changes = {**entered, **moved, **_changes(credentials, tokens)}
    written = file.write(credentials.given, changes)
    _report(console, options, changes, tokens)
    _warn_of_the_environment(options, said, written)
    os.environ.update(written)
    return check(replace(options, connection=None), console)


def settle(options: Options) -> tuple[ZohoCredentials, dict[str, str]]:
    """The settings that a consent needs, and those of them that were given just now. Asks for what is missing."""
    if options.connection is not None and not options.connection.strip():
        raise empty_connection()
    found = resolve_credentials(options.connection, for_consent=True)
    entered = {} if options.connection is None else _named(options.connection, found)
    flags = {"OAuthClientId": options.client_id, "OAuthClientSecret": options.client_secret}
    entered |= {name: value for name, value in {"Region": options.region, **flags}.items() if value}
    if options.service != found.service:
        entered["Service"] = options.service
    _refuse_what_needs_no_consent(found)
    if not {"Region", "AccountsServer"} & {*found.given, *entered} and prompts.is_terminal():
        entered["Region"] = prompts.ask_region()
    found = settled({**found.given, **entered})
    entered |= prompts.ask_client(found, options.self_client)
    found = settled({**found.given, **entered})
    return found, {name: found.given[name] for name in entered}  # as they are kept: Region=UK for uk


def settled(settings: Mapping[str, str]) -> ZohoCredentials:
    return resolve_credentials(join_settings(settings.items()), for_consent=True)


def obtain(
    options: Options, console: Console, credentials: ZohoCredentials, scopes: list[str]
) -> tuple[AuthorizationCode, str | None]:
    """The grant, and the redirect URI that it belongs to: None for a Self Client's."""
    scopes = scopes or _scopes(options, credentials)
    callback = None if options.self_client else callback_of(credentials)
    given = options.code or credentials.oauth_verifier
    if given:
        return read_answer(given, None), callback
    if options.self_client:
        lines = prompts.how_to_make_a_code(credentials, scopes)
        console_at = credentials.data_centre.console
        prompts.tell(console, lines, "self_client", {"console": console_at, "scopes": scopes}, matters=True)
        return read_answer(_code_of_a_self_client(), None), callback
    return _consent(options, console, credentials, scopes), callback


def _code_of_a_self_client() -> str:
    if prompts.is_terminal():
        return prompts.ask_code()
    piped = sys.stdin.readline() if prompts.input_stream() is not None else ""
    if not piped.strip():
        raise SettingsError(
            "Standard input is not a terminal and brings no code: give the Self Client's code with --code."
        )
    return piped


def _consent(
    options: Options, console: Console, credentials: ZohoCredentials, scopes: list[str]
) -> AuthorizationCode:
    state, callback = new_state(), callback_of(credentials)
    request = ConsentRequest(consent_url(credentials, scopes, state), state, callback, scopes)
    words = "Open this address, sign in as an administrator, and press Accept:"
    return await_consent(options, console, request, words)


@dataclass(frozen=True)
class ConsentRequest:
    """The address at which a person consents, and where its answer is to come."""

    url: str
    state: str
    callback: str
    scopes: Sequence[str]


def await_consent(
    options: Options, console: Console, request: ConsentRequest, words: str
) -> AuthorizationCode:
    """Show the address, with these words before it, and wait for the answer.

    Raises SettingsError where nobody can answer, or nobody does.
    """
    url, state, callback = request.url, request.state, request.callback
    answers: callback_server.Answers = callback_server.Answers()
    with callback_server.listening(callback, state, answers) as listen_error:
        lines = (words, "", f"  {url}", "")
        facts = {"url": url, "scopes": [*request.scopes], "redirect_uri": callback}
        prompts.tell(console, lines, "consent", facts, matters=True)
        stream, person = prompts.input_stream(), prompts.is_terminal()
        if stream is None:
            answers.put(None)
        else:
            callback_server.read_lines(stream, answers)
        if person:
            if not options.no_browser:
                _open(url)
            say = console.last if listen_error else console.text
            say(_what_to_do(callback, listen_error, options.wait.total_seconds()))
        try:
            return callback_server.wait_for(answers, state, options.wait.total_seconds(), asking=person)
        except callback_server.NothingPiped:
            raise SettingsError(
                "Standard input is not a terminal and brings no answer: open the address above, and give the address"
                " that it leads to with --code (or pipe it in)."
            ) from None


def _what_to_do(callback: str, listen_error: str | None, seconds: float) -> str:
    if listen_error:
        return (
            f"The answer cannot be received here, because {listen_error}: when the browser has gone to {callback}, which may"
            " be an error page, copy its whole address and paste it here:"
        )
    return (
        f"Waiting {callback_server.spell(seconds)} for the answer. With the browser on another machine it ends at an error"
        " page: copy its whole address and paste it here."
    )


def _open(url: str) -> None:
    """In a browser with a window; one inside of the terminal would take it over."""
    window = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if window:
        with suppress(webbrowser.Error, OSError):
            webbrowser.open(url)


def _scopes(options: Options, credentials: ZohoCredentials) -> list[str]:
    if credentials.scope:
        return list(credentials.scopes)
    return wanted(options.modules, options.exclude, credentials, audit_log=options.audit_log)


def _refuse_what_needs_no_consent(credentials: ZohoCredentials) -> None:
    if not credentials.renews:
        raise SettingsError(
            "InitiateOAuth=OFF forbids to get tokens: set InitiateOAuth=GETANDREFRESH (or leave it out) and run"
            " authorize again."
        )
    if credentials.auth_scheme == "ClientCredentials":
        raise SettingsError(
            "AuthScheme=ClientCredentials needs no consent and no refresh token: `check` says whether it works."
        )


def _named(connection: str, credentials: ZohoCredentials) -> dict[str, str]:
    """The settings of --connection."""
    names = {name.casefold() for name, _ in split_settings(connection)}
    return {name: value for name, value in credentials.given.items() if name.casefold() in names}


def _changes(credentials: ZohoCredentials, tokens: TokenPair) -> dict[str, str | None]:
    """What the tokens change; an old access token would be used until it dies, and a code is spent."""
    changes: dict[str, str | None] = {"OAuthRefreshToken": tokens.refresh_token}
    if credentials.oauth_access_token:
        changes["OAuthAccessToken"] = tokens.access_token
    if credentials.oauth_verifier:
        changes["OAuthVerifier"] = None
    return changes


def _report(console: Console, options: Options, changes: Mapping[str, str | None], tokens: TokenPair) -> None:
    """What was written; of the values only those that are no secret."""
    names = [
        name if SETTINGS[name.casefold()].secret or name == "OAuthClientId" else f"{name}={value}"
        for name, value in changes.items()
        if value is not None
    ]
    scopes = None if tokens.scopes is None else sorted(tokens.scopes)
    facts = {"env_file": options.env_file, "written": list(changes), "scopes": scopes}
    line = (
        f"Zoho gave a refresh token. Written to {options.env_file}, for its owner only: {', '.join(names)}."
    )
    prompts.tell(console, (line, ""), "authorized", facts)


def _warn_of_the_environment(options: Options, said: Mapping[str, str], written: Mapping[str, str]) -> None:
    """What stands in the environment wins over the file, so the next run would not see what was written."""
    for key in sorted({KEY, *written}):
        if os.environ.get(key, said.get(key)) != said.get(key):
            remark(
                f"Warning: {key} is set in the environment and wins over {options.env_file}: unset it, or the next"
                " run goes by the old one."
            )
