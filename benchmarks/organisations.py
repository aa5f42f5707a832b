"""Many simulated organisations in one process, each with an account of its own in one accounts.toml."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .served import LONG_AGO, ROOT

MODULES, ROWS = 5, 200  # of each organisation
TOO_MANY = 429


@dataclass(frozen=True)
class Organisations:
    """Organisations that are being served."""

    connections: list[str]
    process: subprocess.Popen[str]

    def tell(self) -> dict[str, Any]:
        """What was asked of all of them since the last time."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("tell\n")
        self.process.stdin.flush()
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told

    def write_accounts(self, folder: Path) -> dict[str, str]:
        """accounts.toml in the folder; returns the variables that hold the connections."""
        variables, lines = {}, []
        for number, connection in enumerate(self.connections):
            variables[f"ORG_{number}"] = f"{connection};OAuthSettingsLocation=tokens"
            lines.append(f'[accounts.org_{number}]\nconnection_env = "ORG_{number}"\n')
        (folder / "accounts.toml").write_text("".join(lines))
        return variables


@contextmanager
def served_organisations(number: int) -> Iterator[Organisations]:
    command = [sys.executable, "-m", "benchmarks.organisations", str(number)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        try:
            yield Organisations(json.loads(process.stdout.readline()), process)
        finally:
            process.terminate()


def main() -> None:
    from simulators.zoho_crm import serve

    orgs = [_org() for _ in range(int(sys.argv[1]))]
    with ExitStack() as stack:
        print(json.dumps([stack.enter_context(serve(org)).connection_string.rstrip(";") for org in orgs]))
        sys.stdout.flush()
        for _ in sys.stdin:
            calls = [call for org in orgs for call in org.ledger.calls()]
            told = {
                "calls": len(calls),
                "credits": sum(org.ledger.credits for org in orgs),
                "refused": sum(call.status == TOO_MANY for call in calls),
            }
            for org in orgs:
                org.ledger.clear()
            print(json.dumps(told), flush=True)


def _org() -> Any:
    from simulators.zoho_crm import Field, Module, Org
    from simulators.zoho_crm.clock import Clock

    org = Org(clock=Clock.real())
    for number in range(MODULES):
        fields = [Field(f"Text_{n}", "text") for n in range(20)]
        org.add_module(Module(f"Small_{number}", fields, generated_type="custom"))
        for row in range(ROWS):
            values = {f"Text_{n}": f"{row}/{n}" for n in range(20)}
            org.insert(f"Small_{number}", values, modified_time=LONG_AGO)
    return org


if __name__ == "__main__":
    main()
