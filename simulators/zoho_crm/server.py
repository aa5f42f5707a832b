"""A simulated service on two loopback ports: the accounts server and the API server, as Zoho has two hosts."""

from __future__ import annotations

import gzip
import io
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .clock import Clock
from .dispatch import dispatch
from .routes import Answer, Request
from .serialization import dumps
from .service import CRM, Service

PIECE = 1 << 18
ZIP = "application/zip"
WORTH_GZIP = 1_000
POLL = 0.005  # seconds until a server notices that it is to stop


@dataclass(frozen=True)
class Zoho:
    """Where it is served."""

    accounts_url: str
    api_url: str
    connection_string: str


@contextmanager
def serve(service: Service, port: int = 0, accounts_port: int = 0) -> Iterator[Zoho]:
    """Serve it on 127.0.0.1; a mistake of the simulator itself is raised at the end."""
    api = _Server(("127.0.0.1", port), "api", service)
    try:
        accounts = _Server(("127.0.0.1", accounts_port), "accounts", service)
    except (OSError, OverflowError):
        api.server_close()
        raise
    urls = (accounts.url, api.url)
    servers = (api, accounts)
    threads = [threading.Thread(target=server.serve_forever, args=(POLL,), daemon=True) for server in servers]
    for server, thread in zip(servers, threads, strict=True):
        server.accounts_url, server.api_url = urls
        thread.start()
    try:
        yield Zoho(*urls, connection_string(service, *urls))
    finally:
        stop(servers)
        for server, thread in zip(servers, threads, strict=True):
            thread.join()
            server.hang_up()
            server.server_close()
    for server in servers:
        for mistake in server.mistakes:
            raise mistake


def stop(servers: Sequence[_Server]) -> None:
    """All at one time, because each waits for the end of its loop."""
    stopping = [threading.Thread(target=server.shutdown) for server in servers]
    for thread in stopping:
        thread.start()
    for thread in stopping:
        thread.join()


def connection_string(service: Service, accounts_url: str, api_url: str) -> str:
    pairs = {
        "OAuthClientId": service.tokens.client_id,
        "OAuthClientSecret": service.tokens.client_secret,
        "OAuthRefreshToken": service.tokens.refresh_token,
        "AccountsServer": accounts_url,
        "APIDomain": api_url,
        "Region": "US",
        "OrgId": service.zgid,
        **({} if service.place is CRM else {"Service": service.place.name}),
    }
    return "".join(f"{name}={text};" for name, text in pairs.items())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    accounts_url = ""
    api_url = ""

    def __init__(self, address: tuple[str, int], host: str, service: Service) -> None:
        super().__init__(address, _Handler)
        self.host = host
        self.service = service
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.mistakes: list[BaseException] = []
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep alive; nobody answers them any more."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        mistake = sys.exc_info()[1]
        if mistake is not None and not isinstance(mistake, OSError):
            self.mistakes.append(mistake)


class _Dripping(io.RawIOBase):
    """Lets time pass before each byte that it sends, from the head or from the body on."""

    def __init__(self, sink: Any, seconds: float, clock: Clock, *, begun: bool) -> None:
        self._sink, self._seconds, self._clock, self._begun = sink, seconds, clock, begun

    def write(self, piece: Any) -> int:
        if not self._begun:  # the head comes in one piece
            self._begun = True
            self._sink.write(piece)
            return len(piece)
        for byte in bytes(piece):
            self._clock.wait(self._seconds)
            self._sink.write(bytes((byte,)))
        return len(piece)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # Without it each call waits 40 ms for a delayed acknowledgement.
    disable_nagle_algorithm = True

    def answer(self) -> None:
        # Read the body first: what is left of it would be taken for the next request.
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        request = Request(
            self.command,
            unquote(url.path),
            dict(parse_qsl(url.query, keep_blank_values=True)),
            {name.lower(): text for name, text in self.headers.items()},
            body,
            api_url=self.server.api_url,
            accounts_url=self.server.accounts_url,
        )
        self._send(dispatch(self.server.service, self.server.host, request))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def _send(self, answer: Answer) -> None:
        if answer.reset:
            self._die()
            return
        whole = self.wfile
        if answer.drip is not None:
            self.wfile: Any = _Dripping(
                whole, answer.drip, self.server.service.clock, begun=not answer.drip_body
            )
        try:
            self._send_bytes(answer)
        finally:
            self.wfile = whole

    def _send_bytes(self, answer: Answer) -> None:
        body = answer.raw if answer.raw is not None else b""
        if answer.raw is None and answer.body is not None:
            body = dumps(answer.body, self.server.service.time_zone)
        if answer.truncate:
            body = body[: len(body) // 2]
        accepts = "gzip" in self.headers.get("Accept-Encoding", "") and answer.content_type != ZIP
        if accepts and self.server.service.quirks.gzip and len(body) > WORTH_GZIP:
            body = gzip.compress(body, 1, mtime=0)
            answer.headers["Content-Encoding"] = "gzip"
        self._send_head(answer, len(body))
        if answer.cut_after is not None:
            self.wfile.write(body[: answer.cut_after])
            self.close_connection = True
        elif body and self.command != "HEAD":
            rate = self.server.service.rules.download_bytes_per_second
            self._send_slowly(body, rate) if rate and answer.content_type == ZIP else self.wfile.write(body)

    def _send_slowly(self, body: bytes, rate: float) -> None:
        begun = time.monotonic()
        for at in range(0, len(body), PIECE):
            time.sleep(max(0.0, begun + at / rate - time.monotonic()))
            self.wfile.write(body[at : at + PIECE])

    def _send_head(self, answer: Answer, length: int) -> None:
        self.send_response(answer.status)
        for name, text in answer.headers.items():
            self.send_header(name, text)
        if answer.status not in (204, 304):
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _die(self) -> None:
        """End the connection with a reset, without a close."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header is the simulated time: clients take their windows from it."""
        return format_datetime(self.server.service.now(), usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the ledger has every call."""
