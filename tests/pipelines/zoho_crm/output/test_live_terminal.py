"""The command on a real terminal: one view of all modules, that goes along with the size and leaves only the report."""

from __future__ import annotations

import os

import duckdb
import pytest

from tests.pipelines.zoho_crm.output.terminal import Terminal
from tests.pipelines.zoho_crm.test_process import ROOT, run

STOPPED = "Error: Interrupted. What was loaded stays; the next run reads the rest again."

SLOW_LOAD = """
import time
import pipelines.zoho_crm.run.loading as loading
land = loading.Loader._load
def slow(self, readings):
    open("loading", "w").close()
    while not __import__("os").path.exists("go"):
        time.sleep(0.01)
    land(self, readings)
loading.Loader._load = slow
"""


def view(lines):
    return any(" done · " in line for line in lines)


def footers(lines):
    return [line for line in lines if line.startswith("Ctrl-C stops") or " done · " in line]


@pytest.mark.long
def test_the_view_shows_all_modules_follows_the_size_and_leaves_the_report_only(tmp_path):
    terminal = Terminal(tmp_path, "--demo")
    lines = terminal.until(lambda lines: any(line.startswith("and ") for line in lines))
    assert {"Leads", "Contacts"} <= {line.split()[0] for line in lines if line}
    before = len(terminal.raw)
    terminal.resize(10, 60)
    small = terminal.until(lambda lines: view(lines) and len([line for line in lines if line]) <= 9)
    assert len(footers(small)) == 2  # nothing is left of the larger one:
    assert b"\x1b[2J" in terminal.raw[before:]  # a terminal may break its lines anew, so all is wiped
    assert terminal.end() == 0
    left = terminal.everything()
    assert not footers(left)
    assert any("29 tables" in line for line in left)
    assert not terminal.screen.cursor.hidden


def test_the_first_ctrl_c_finishes_the_load_and_says_so_and_what_is_loaded_stays(tmp_path):
    terminal = slow(tmp_path)
    terminal.press(b"\x03")
    terminal.until(lambda lines: any("Stopping: what is being loaded" in line for line in lines))
    assert b"\x1b[36m" in terminal.raw
    (tmp_path / "go").touch()
    assert terminal.end() == 130
    left = [line for line in terminal.everything() if line]
    assert left[-1] == STOPPED
    assert not footers(left)
    assert "Traceback" not in "\n".join(left)
    assert not terminal.screen.cursor.hidden
    with duckdb.connect(str(tmp_path / "zoho_demo.duckdb"), read_only=True) as database:
        assert database.execute("select count(*) from zoho_crm.vendors").fetchall() == [(0,)]
    assert run(tmp_path, "--demo", "--modules", "Vendors", PYTHONPATH=str(ROOT)).returncode == 0


@pytest.mark.long
def test_the_second_ctrl_c_kills_at_once_and_gives_the_cursor_back_all_without_colour(tmp_path):
    terminal = slow(tmp_path, NO_COLOR="1")
    terminal.press(b"\x03")
    terminal.until(lambda lines: any("Stopping: what is being loaded" in line for line in lines))
    terminal.press(b"\x03")
    assert terminal.end() == 130
    assert not terminal.screen.cursor.hidden
    assert not any(line == STOPPED for line in terminal.everything())
    assert b"\x1b[36m" not in terminal.raw  # cyan: what is being loaded


def test_sigterm_is_a_clean_end_too(tmp_path):
    terminal = Terminal(tmp_path, "--demo")
    terminal.until(view)
    terminal.process.terminate()
    assert terminal.end() == 130
    assert [line for line in terminal.everything() if line][-1] == STOPPED


def slow(folder, **more):
    """A run whose first load waits for a file named `go`."""
    (folder / "sitecustomize.py").write_text(SLOW_LOAD)
    paths = f"{folder}{os.pathsep}{ROOT}"
    terminal = Terminal(folder, "--demo", "--modules", "Vendors", PYTHONPATH=paths, **more)
    terminal.until(lambda lines: (folder / "loading").exists() and view(lines))
    return terminal
