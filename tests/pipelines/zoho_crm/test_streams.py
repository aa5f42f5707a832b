"""Standard streams that are closed, full, or a pipe that nobody reads: one sentence and the right exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.zoho_crm.test_process import COMMAND, environment

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")

FULL = "Error: Standard output cannot be written (No space left on device).\n"


def shell(folder, line, **more):
    """Run the command in a shell, which can close a stream; gives code, output and errors."""
    words = " ".join([*COMMAND, line])
    given = environment(folder, **more)
    done = subprocess.run(
        ["/bin/sh", "-c", words], cwd=folder, env=given, capture_output=True, timeout=100, check=False
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "completion bash",
        "modules --demo",
        "check --demo --json",
        "run --demo --modules Vendors",
        "run --demo --modules Vendors --log-format json",
    ],
)
@pytest.mark.cases(2)
def test_a_full_standard_output_is_one_sentence_and_1(line, tmp_path):
    assert shell(tmp_path, f"{line} > /dev/full") == (1, "", FULL)


@pytest.mark.long
def test_whoever_closes_standard_output_wants_no_words_but_a_run(tmp_path):
    assert shell(tmp_path, "--demo --modules Vendors >&-") == (0, "", "")
    assert (tmp_path / "zoho_demo.duckdb").exists()


@pytest.mark.parametrize("stream", ["2>&-", "2>/dev/full"])
@pytest.mark.cases(1)
def test_a_standard_error_that_takes_nothing_leaves_the_exit_code(stream, tmp_path):
    assert shell(tmp_path, f"--nope {stream}") == (2, "", "")
    assert shell(tmp_path, f"plan --demo --modules Nope -q {stream}") == (2, "", "")


def test_no_file_gets_the_number_of_a_closed_stream(tmp_path):
    code = "import os; os.close(1); os.close(2)\nfrom pipelines.zoho_crm.streams import open_streams\nopen_streams()"
    code += "\nassert os.open('new', os.O_CREAT | os.O_RDWR) > 2"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment(tmp_path), check=True)


@pytest.mark.parametrize("line", ["--help", "modules --demo"])
def test_a_pipe_that_nobody_reads_is_quiet(line, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(
            [*COMMAND, *line.split()],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=pipe,
            stderr=subprocess.PIPE,
            timeout=100,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"")
