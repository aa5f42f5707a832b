"""python -m simulators.zoho_suite."""

from __future__ import annotations

import signal
import subprocess
import sys

import requests


def test_it_serves_until_it_is_stopped_and_prints_the_connection_string():
    command = [sys.executable, "-m", "simulators.zoho_suite"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("OAuthClientId="):
                break
        pairs = dict(pair.split("=", 1) for pair in lines[-1].strip().strip(";").split(";"))
        assert requests.get(f"{pairs['APIDomain']}/api/v1/organizations", timeout=300).status_code == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert "orgId is 730000001" in "".join(lines)


def test_a_port_that_is_taken(capsys):
    from simulators.zoho_suite.__main__ import main

    assert main(["--port", "70000"]) == 2
    assert capsys.readouterr().err.startswith("Port 70000 cannot be used")
