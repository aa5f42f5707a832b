"""Receives the answer to a consent: the redirect on loopback, or what is pasted into standard input."""

from __future__ import annotations

import html
import os
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from sources.zoho_crm.auth.oauth_client import AuthorizationCode, read_answer
from sources.zoho_crm.exceptions import CredentialsError, SettingsError, ZohoConnectionError, ZohoCrmError

from ..errors import print_error

LOOPBACK = ("localhost", "127.0.0.1")
STALL = 10  # seconds that a connection may stay silent

Answers = queue.SimpleQueue[str | None]  # None: standard input has ended


class NothingPiped(Exception):
    """Standard input is not a terminal and has ended without an answer."""


@contextmanager
def listening(callback: str, state: str, answers: Answers) -> Iterator[str | None]:
    """Serve the redirect URI on 127.0.0.1 while the block lasts; gives why not if it cannot be served."""
    parts = urlsplit(callback)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        yield f"{callback} is not on this machine"
        return
    try:
        server = _Server(parts.port or 80, parts.path or "/", state, answers)
    except OSError as error:
        yield f"port {parts.port or 80} cannot be used ({error.strerror})"
        return
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield None
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def read_lines(stream: int, answers: Answers) -> None:
    """Put each line of standard input into the answers, from a thread that nobody waits for."""

    def read() -> None:
        kept = b""
        while piece := _read(stream):
            *lines, kept = (kept + piece).split(b"\n")
            _put(lines, answers)
        _put([kept], answers)
        answers.put(None)

    threading.Thread(target=read, daemon=True).start()


def wait_for(answers: Answers, state: str, seconds: float, *, asking: bool) -> AuthorizationCode:
    """The grant of the first good answer; a person at a terminal may correct what he pasted.

    Raises NothingPiped, ZohoConnectionError after the time, and CredentialsError when Zoho refused.
    """
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            text = answers.get(timeout=min(left, 0.5))  # Ctrl-C waits for the end of a get on Windows
        except queue.Empty:
            continue
        if text is None:
            raise KeyboardInterrupt if asking else NothingPiped
        try:
            return read_answer(text, state)
        except SettingsError as error:
            if not asking:
                raise
            print_error(str(error))
    raise ZohoConnectionError(_too_late(seconds))


def _read(stream: int) -> bytes:
    # Not by sys.stdin: a thread that waits in its buffer would stop Python from ending.
    try:
        return os.read(stream, 1 << 16)
    except OSError:
        return b""


def _put(lines: list[bytes], answers: Answers) -> None:
    for line in lines:
        text = line.decode(errors="replace").strip()
        if text:
            answers.put(text)


def spell(seconds: float) -> str:
    """`90 seconds`, `5 minutes`."""
    number, unit = (seconds, "second") if seconds < 120 else (seconds / 60, "minute")
    return f"{number:.3g} {unit}{'' if number == 1 else 's'}"


def _too_late(seconds: float) -> str:
    return (
        f"No answer to the consent came in {spell(seconds)}, and nothing was written. If the browser shows"
        " an error of Zoho's: invalid_client is the wrong --region or --client-id, invalid_redirect_uri a CallbackURL"
        " that the client has not registered, 'Scope does not exist' a wrong name in Scope. With the browser on"
        " another machine, paste the address that it ends at, or give it with --code."
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere it lets two programs have one port

    def __init__(self, port: int, path: str, state: str, answers: Answers) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.path, self.state, self.answers = path, state, answers

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silence: a traceback would show the address, and that holds the code."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = STALL
    server_version, sys_version = "authorize", ""

    def do_GET(self) -> None:
        if urlsplit(self.path).path != self.server.path:
            self._show(
                404, "Nothing is here", "Zoho sends its answer to another address. Go back to the terminal."
            )
            return
        try:
            read_answer(self.path, self.server.state)
        except CredentialsError as error:
            self._show(200, "Zoho did not give a code", str(error))
        except ZohoCrmError:
            # Any page can send a browser here: what is not the answer to our question changes nothing.
            self._show(
                400,
                "This page is from an older attempt",
                "Go back to the terminal, and open the address that it printed last.",
            )
            return
        else:
            self._show(
                200, "Thank you", "Zoho's answer has arrived. Close this page, and go back to the terminal."
            )
        self.server.answers.put(self.path)

    def _show(self, status: int, title: str, text: str) -> None:
        body = PAGE.format(title=html.escape(title), text=html.escape(text)).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: the address holds the code."""


PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 1.1rem/1.5 system-ui, sans-serif }}
body {{ max-width: 34rem; margin: 15vh auto; padding: 0 1.25rem }}
</style>
<h1>{title}</h1>
<p>{text}</p>
</html>
"""
