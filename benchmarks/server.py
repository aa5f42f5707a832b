"""The simulator with one generated module, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODULE = "Generated"


@contextmanager
def served(rows: int, columns: int, data: Path) -> Iterator[str]:
    """Serve and yield the connection string."""
    command = [sys.executable, "-m", "benchmarks.server", str(rows), str(columns), str(data)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def main() -> None:
    from simulators.zoho_crm import Org, Rules, serve
    from simulators.zoho_crm.clock import Clock
    from simulators.zoho_crm.generated import add_generated_module

    rows, columns, data = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    # Many runs in a row: the limits of a minute and of ten minutes are not what is measured.
    org = Org(rules=Rules(bulk_downloads_per_minute=10_000), clock=Clock.real())
    org.bulk_states = ["COMPLETED"]
    add_generated_module(org, name=MODULE, rows=rows, columns=columns, folder=data)
    with serve(org) as zoho:
        print(f"{zoho.connection_string};OAuthSettingsLocation={data.resolve()}", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
