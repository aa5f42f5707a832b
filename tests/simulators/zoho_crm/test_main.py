"""The command that serves the demo company."""

from __future__ import annotations

import subprocess
import sys


def test_the_command_serves_the_demo_company_until_it_is_stopped():
    command = [sys.executable, "-m", "simulators.zoho_crm"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = []
        while not lines or not lines[-1].startswith("python -m pipelines.zoho_crm authorize"):
            lines.append(process.stdout.readline())
            assert lines[-1], "".join(lines)
        process.terminate()
        assert process.wait(10) == 0
    setting = next(line for line in lines if line.startswith("SOURCES__ZOHO_CRM__CREDENTIALS='"))
    pairs = dict(part.split("=", 1) for part in setting.split("'")[1].rstrip(";").split(";"))
    assert pairs["APIDomain"].startswith("http://127.0.0.1:")
    assert f"--connection 'OAuthClientId={pairs['OAuthClientId']};" in lines[-1]
    assert "OAuthRefreshToken" not in lines[-1]
