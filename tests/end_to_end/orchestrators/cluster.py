"""Airflow as it is deployed: scheduler, DAG processor, API server and workers, each in a folder and a home of its own."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from urllib.request import Request, urlopen

import psycopg2

from tests.end_to_end.orchestrators.company import ROOT
from tests.end_to_end.orchestrators.company import environment as clean_environment

BIN = ROOT / ".venv-airflow" / "bin"
DAG = "zoho_crm_acme"
PATIENCE = 600.0  # seconds; Airflow's processes take long to start on a busy machine
HEARTBEATS = 30  # seconds without one after which Airflow gives a task up; 300 by default


def wait_for(true: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    deadline = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """One Airflow. `workers` have names with CeleryExecutor; with LocalExecutor the scheduler starts them itself."""

    def __init__(self, home: Path, executor: str, postgres: dict[str, Any], connection: str) -> None:
        self.home, self.executor = home, executor
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.server = {"host": unquote(postgres["host"]), "user": "postgres", "password": "x"}
        self.dags = home / "dags"
        self.dags.mkdir()
        for name in ("airflow", "crm"):
            self._new_database(name)
        where = f"postgres:x@/airflow?host={self.server['host']}"
        self.port, self.redis = free_port(), free_port()
        self.env = {
            "PYTHONPATH": str(ROOT),
            "ACME_ZOHO": connection,
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{self.redis}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{where}",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
            "AIRFLOW__CORE__EXECUTOR": executor,
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "3",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{where}",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://{where}",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEATS),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "DESTINATION__POSTGRES__CREDENTIALS__DATABASE": "crm",
            "DESTINATION__POSTGRES__CREDENTIALS__USERNAME": "postgres",
            "DESTINATION__POSTGRES__CREDENTIALS__PASSWORD": "x",
            "DESTINATION__POSTGRES__CREDENTIALS__HOST": postgres["host"],
            "DESTINATION__POSTGRES__CREDENTIALS__PORT": "5432",
        }

    # ---- processes

    def start(self, slots: int) -> None:
        self.run("pools", "set", DAG, str(slots), "calls at once of this edition, divided by 5")
        self._spawn("api-server", "api-server")
        wait_for(self._answers, "the API server does not answer")
        self._spawn("dag-processor", "dag-processor")
        if self.executor == "CeleryExecutor":
            self._redis()
            for number in range(3):
                self.worker(f"worker-{number}")
        self._spawn("scheduler", "scheduler", "--skip-serve-logs")

    def _answers(self) -> bool:
        with suppress(OSError):
            return bool(self._call("/api/v2/monitor/health"))
        return False

    def _call(self, path: str, body: Any = None, token: str = "") -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"http://127.0.0.1:{self.port}{path}", data, headers)) as answer:
            return json.load(answer)

    def clear(self, run: str, task: str) -> None:
        """What `Clear task` does in Airflow's web pages: the task runs once more."""
        before = self.tries(run)[task][1]
        token = self._call("/auth/token")["access_token"]
        body = {"dry_run": False, "dag_run_id": run, "task_ids": [task], "only_failed": False}
        self._call(f"/api/v2/dags/{DAG}/clearTaskInstances", body, token)
        wait_for(lambda: self.tries(run)[task][1] > before, f"{task} was not started again")

    def worker(self, name: str) -> None:
        """A machine that runs one task at a time."""
        self._spawn(
            name, "celery", "worker", "--skip-serve-logs", "--concurrency", "1", "--celery-hostname", name
        )

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [str(BIN / "airflow"), *words],
            cwd=self.home,
            env=self.environment("commands"),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _spawn(self, name: str, *words: str) -> None:
        env = self.environment(name)
        with Path(env["AIRFLOW_HOME"], "out.log").open("ab") as out:
            self.processes[name] = subprocess.Popen(
                [str(BIN / "airflow"), *words],
                cwd=env["AIRFLOW_HOME"],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def environment(self, name: str) -> dict[str, str]:
        folder = self.home / name
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        here = {"AIRFLOW_HOME": str(folder), "TMPDIR": str(folder / "tmp")}
        return clean_environment(folder, "", **self.env, **here)

    def _redis(self) -> None:
        program = shutil.which("redis-server")
        assert program
        self.processes["redis"] = subprocess.Popen(
            [program, "--port", str(self.redis), "--bind", "127.0.0.1", "--save", ""],
            cwd=self.home,
            stdout=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        for process in self.processes.values():
            kill([process.pid, *descendants(process.pid)])
            process.wait()

    def kill_worker_of(self, task: str) -> str:
        """SIGKILL for all processes of the machine that a task is on, as if its power went off."""
        run = wait_for(lambda: process_of(task, self.home), f"no process runs {task}")
        above = [run, *ancestors(run)]
        ends = {process.pid: name for name, process in self.processes.items()}
        top = next(n for n, pid in enumerate(above) if pid in ends)
        name = ends[above[top]]
        machine = above[top] if name.startswith("worker") else above[top - 1]
        kill([machine, *descendants(machine)])
        if name.startswith("worker"):
            self.processes.pop(name).wait()
            return name
        return "a process of LocalExecutor"

    # ---- what it knows

    def query(self, database: str, query: str) -> list[tuple[Any, ...]]:
        with connected(self.server, database) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall()) if cursor.description else []

    def tries(self, run: str) -> dict[str, tuple[str, int]]:
        """By task: its state, and the number of its try."""
        found = self.query(
            "airflow",
            f"select task_id, state, try_number from task_instance where dag_id = '{DAG}' and run_id = '{run}'",
        )
        return {task: (state, number) for task, state, number in found}

    def runs(self) -> dict[str, str]:
        return dict(
            self.query("airflow", f"select run_id, state from dag_run where dag_id = '{DAG}' order by id")
        )

    def ended(self, run: str) -> dict[str, tuple[str, int]]:
        state = wait_for(
            lambda: (s := self.runs().get(run)) in ("success", "failed") and s, f"{run} did not end"
        )
        tries = self.tries(run)
        assert state == "success", (tries, self.logs())
        return tries

    def summary(self) -> list[str]:
        found = self.query(
            "airflow",
            "select run_id, count(*), sum(try_number), round(extract(epoch from max(end_date) - min(start_date)))"
            " from task_instance group by 1 order by min(start_date)",
        )
        return [
            f"{run.partition('__')[0]}: {tasks} tasks, {tries} tries, {seconds} s"
            for run, tasks, tries, seconds in found
        ]

    def logs(self) -> str:
        files = sorted(self.home.glob("*/logs/dag_id=*/**/*.log"))
        return "\n".join(f"==> {file}\n{file.read_text()[-6_000:]}" for file in files)

    def _new_database(self, name: str) -> None:
        self.query("postgres", f"drop database if exists {name} with (force)")
        self.query("postgres", f"create database {name}")


@contextmanager
def connected(server: dict[str, str], database: str) -> Iterator[Any]:
    connection = psycopg2.connect(dbname=database, **server)
    try:
        connection.autocommit = True
        yield connection
    finally:
        connection.close()


# ---- processes, as Linux tells of them


def parents() -> dict[int, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def descendants(pid: int) -> list[int]:
    known = parents()
    found = [pid]
    for one in found:
        found += [child for child, parent in known.items() if parent == one]
    return found[1:]


def ancestors(pid: int) -> list[int]:
    known, found = parents(), []
    while (pid := known.get(pid, 0)) > 1:
        found.append(pid)
    return found


def process_of(task: str, home: Path) -> int:
    """The process of `run` that a task has started, or 0."""
    for pid in parents():
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            place = [word for word in words if word.startswith(str(home))]
            if "run" in words and any(word.endswith(f"acme.{task}") for word in place):
                return pid
    return 0


def kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
