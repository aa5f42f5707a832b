"""A loopback server that answers as a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: dict[str, str] = field(default_factory=dict)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))

    @property
    def token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Zoho-oauthtoken ")


@dataclass
class Reply:
    body: Any = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def bytes(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


class App:
    """`answer` maps a call to a reply; the calls are kept in order."""

    def __init__(self, answer: Callable[[Call], Reply]) -> None:
        self.answer = answer
        self.calls: list[Call] = []
        self.url = ""
        self._lock = threading.Lock()

    def paths(self) -> list[str]:
        return [call.path for call in self.calls]

    def tokens_asked(self) -> int:
        return len([path for path in self.paths() if path.startswith("/oauth/")])

    def take(self, call: Call) -> Reply:
        with self._lock:
            self.calls.append(call)
            return self.answer(call)


@contextmanager
def served(app: App) -> Iterator[App]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = urlsplit(self.path)
            query = dict(parse_qsl(asked.query))
            reply = app.take(Call(self.command, asked.path, dict(self.headers), body, query))
            content = reply.bytes()
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(content)))
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _do

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # with the default of 5, many clients at once wait a second

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    app.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
