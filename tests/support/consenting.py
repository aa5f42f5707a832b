"""People who consent: one who fills in the form by hand, and one who sits at a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import socket
import subprocess
import sys
from contextlib import contextmanager
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

from simulators.zoho_crm import serve
from tests.pipelines.zoho_crm.test_process import environment
from tests.support.commanding import shop

URL = re.compile(r"https?://\S+/oauth/v2/auth\?\S+")
# The terminal becomes the one that passwords are asked on.
ON_A_TERMINAL = (
    "import fcntl, runpy, signal, sys, termios\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job has it ignored
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "runpy.run_module('pipelines.zoho_crm', run_name='__main__', alter_sys=True)\n"
)


@contextmanager
def asking(account, folder):
    """`authorize` at the ends of pipes: the process, and what it said up to the address of the consent."""
    command = [sys.executable, "-m", "pipelines.zoho_crm", "authorize", "--connection", account.connection]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, cwd=folder, env=environment(folder), text=True, **pipes) as process:
        try:
            said = ""
            while not URL.search(said):
                said += process.stdout.readline()
            yield process, said
        finally:
            process.kill()


class Form(HTMLParser):
    """What a browser would send when a button is pressed."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields, self.buttons, self.loads = None, {}, [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "form":
            self.action = given["action"]
        elif tag == "input":
            self.fields[given["name"]] = given["value"]
        elif tag == "button":
            self.buttons.append(given["value"])
        self.loads += [given[name] for name in ("src", "href") if name in given]


def press(url, button="accept", follow=True):
    """Open the consent page and press a button; the answer of where it leads, or the address itself."""
    page = requests.get(url, timeout=300)
    form = Form(page.text)
    assert button in form.buttons, page.text
    sent = {**form.fields, "decision": button}
    answer = requests.post(urljoin(url, form.action), data=sent, timeout=300, allow_redirects=follow)
    return answer if follow else answer.headers["Location"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Account:
    """A simulated account, and the connection string of a client that has no token yet."""

    def __init__(self, org, zoho):
        self.org, self.zoho = org, zoho
        self.callback = f"http://127.0.0.1:{free_port()}/callback"
        org.tokens.redirect_uris = {self.callback}
        parts = zoho.connection_string.split(";")
        kept = [part for part in parts if part and not part.startswith("OAuthRefreshToken=")]
        more = ["OAuthSettingsLocation=memory://", f"CallbackURL={self.callback}"]
        self.connection = ";".join([*kept, *more]) + ";"

    def code(self, **more):
        """A code as the redirect would bring it; the others are what a consent may ask differently."""
        from simulators.zoho_crm.oauth.scopes import READ_SCOPES
        from simulators.zoho_crm.oauth.tokens import Code

        wanted = {"scopes": READ_SCOPES, "redirect_uri": self.callback, **more}
        return self.org.tokens.new_code(Code(made=self.org.now(), **wanted))

    @property
    def issued(self):
        """The refresh tokens that consents brought."""
        return [token for token in self.org.tokens.grants if token != self.org.tokens.refresh_token]

    @property
    def secrets(self):
        """What nobody may print."""
        tokens = self.org.tokens
        return [tokens.client_secret, *tokens.codes, *tokens.grants, *tokens.access]


@contextmanager
def account_of(org=None):
    org = org or shop()
    with serve(org) as zoho:
        yield Account(org, zoho)


class Terminal:
    """A process on a terminal of its own, as a person sees it."""

    def __init__(self, folder, *words, **env):
        self._master, slave = pty.openpty()
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_A_TERMINAL, *words],
            cwd=folder,
            env=environment(folder, **{"TERM": "dumb", "DISPLAY": "", "WAYLAND_DISPLAY": "", **env}),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def until(self, text):
        """What was said up to the text, which has to come in time."""
        while text not in self.said:
            assert self._listen(), self.said
        return self.said

    def type(self, text):
        os.write(self._master, text.encode())

    def press(self, key):
        """A key that ends the process; a signal that comes just before a read is seen only after it."""
        for _ in range(4):
            self.type(key)
            try:
                self.process.wait(timeout=10)  # a busy machine takes a while, and a second one kills
            except subprocess.TimeoutExpired:
                continue
            return

    def url(self):
        self.until("state=")
        self.until("\r\n\r\n")
        return URL.search(self.said)[0]

    def end(self):
        """The exit code, and all that was said."""
        while self._listen():
            pass
        return self.process.wait(timeout=30), self.said

    def _listen(self):
        """The next piece; nothing when the other side has gone."""
        ready, _, _ = select.select([self._master], [], [], 60)
        assert ready, f"nothing more is said after {self.said!r}"
        try:
            piece = os.read(self._master, 65536)
        except OSError:  # Linux says so that nobody is there any more
            return False
        self.said += piece.decode(errors="replace")
        return bool(piece)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
