"""Where there is no browser its tests are left out with one line, and in CI they fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.parametrize(
    ("required", "code", "said"),
    [("", 5, "Left out: the tests that drive a browser"), ("required", 1, "error")],
)
@pytest.mark.cases(1)
def test_a_missing_browser_is_said_or_is_a_failure(tmp_path, required, code, said):
    words = (
        "-m",
        "pytest",
        "-n",
        "0",
        "tests/pipelines/zoho_crm/authorize/test_command_browser.py",
        "-k",
        "reject",
    )
    env = {**os.environ, "PATH": str(tmp_path), "ZOHO_BROWSER": required}
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == code, done.stdout
    assert said in done.stdout
