"""What only a process of its own shows: speed, signals, locks between processes, the demo as a person runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "pipelines.zoho_crm"]


def environment(folder, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOURCES__")}
    return {**kept, "PYTHONPATH": str(ROOT), "HOME": str(folder), "DLT_DATA_DIR": str(folder / "dlt"), **more}


def run(folder, *words, python=(), **more):
    command = [sys.executable, *python, "-m", "pipelines.zoho_crm", *words]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("plan", "--nonsense")])
def test_help_and_usage_errors_import_nothing_heavy(words, tmp_path):
    done = run(tmp_path, *words, python=("-X", "importtime"))
    imported = {
        line.split("|")[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")
    }
    assert "click" in imported
    assert imported.isdisjoint({"dlt", "pyarrow", "rich", "requests", "duckdb", "dotenv"})
    assert done.returncode == (2 if "--nonsense" in words else 0)


def test_help_shows_the_commands_the_options_and_examples(tmp_path):
    said = run(tmp_path, "--help").stdout
    for part in (
        "plan",
        "modules",
        "check",
        "--modules Leads,Deals",
        "`run --help` lists the options",
        "Exit codes:",
    ):
        assert part in said


def test_the_demo_runs_twice_says_that_it_is_simulated_and_its_sql_works(tmp_path):
    (tmp_path / ".env").write_text("SOURCES__ZOHO_CRM__CREDENTIALS='Region=Mars'\n")
    first = run(tmp_path, "--demo", "--modules", "Deals", SOURCES__ZOHO_CRM__CREDENTIALS="Region=Mars")
    dead = "http://127.0.0.1:9"
    second = run(tmp_path, "--demo", "--modules", "Vendors", HTTP_PROXY=dead, http_proxy=dead)
    for done in (first, second):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[0].startswith("This is a simulated Zoho CRM on 127.0.0.1")
        assert done.stdout.count("This is a simulated Zoho CRM") == 2
    assert sorted(path.name for path in tmp_path.glob("*.duckdb")) == ["zoho_demo.duckdb"]
    python, sql = second.stdout.partition("Try it with ")[2].split(":\n", 1)
    shown = subprocess.run(
        [python, "-c", dedent(sql)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    ).stdout
    assert "Closed Won" in shown


HOLD = """
import sys
from pipelines.zoho_crm.run.lock import pipeline_lock as alone
with alone(sys.argv[1], "zoho_demo"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.long
def test_two_runs_of_one_pipeline_are_kept_apart_until_the_first_is_dead(tmp_path):
    place = str(tmp_path / "p")
    words = ("--demo", "--modules", "Vendors", "--pipelines-dir", place)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(tmp_path),
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        busy = run(tmp_path, *words)
        holder.kill()
    assert busy.returncode == 5
    assert "Another run of the pipeline zoho_demo is in progress" in busy.stderr
    assert run(tmp_path, *words).returncode == 0


def test_ctrl_c_ends_at_once_though_a_thread_still_reads(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import signal, threading\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job has it ignored
        "import pipelines.zoho_crm.cli as commands\n"
        "def run(options, console):\n"
        "    threading.Thread(target=threading.Event().wait).start()\n"
        "    print('reading', flush=True)\n"
        "    threading.Event().wait()\n"
        "commands.cli.commands['run'].callback = lambda **_: commands.run_command(run)\n"
    )
    paths = f"{tmp_path}{os.pathsep}{ROOT}"
    with subprocess.Popen(
        COMMAND,
        cwd=tmp_path,
        env=environment(tmp_path, PYTHONPATH=paths),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline() == "reading\n"
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=300)[1]
        finally:
            process.kill()
    assert process.returncode == 130
    assert said == "Error: Interrupted. What was loaded stays; the next run reads the rest again.\n"


@pytest.mark.long
def test_an_output_that_knows_no_chinese_is_no_reason_to_fail(tmp_path):
    done = run(tmp_path, "modules", "--demo", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u5ba2" in done.stdout


def test_a_reader_that_goes_away_is_no_traceback(tmp_path):
    with subprocess.Popen(
        [*COMMAND, "modules", "--demo", "--log-format", "json"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert json.loads(process.stdout.readline())["event"] == "simulated"
        process.stdout.close()
        said = process.stderr.read()
    assert "Traceback" not in said
