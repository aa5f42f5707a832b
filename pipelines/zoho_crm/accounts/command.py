"""A command for each account of accounts.toml: processes side by side, one table of results, one exit code."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.redaction import remember_secrets

from ..console import Console, counted
from ..errors import BUSY, DIFFERENT, FAILED, INTERRUPTED, REFUSED, SPENT, USAGE, print_error
from ..monitoring.metrics import merge_metrics, samples_of, write_metrics
from ..options import Options, given_options
from ..run.run_result import CommandOutcome
from ..run.stopping import STOP
from ..streams import remark
from .accounts_file import OF_THE_COMMAND, Account, choose_accounts, load_accounts
from .environment import READS_NO_ACCOUNT, connection_of, environment_of, shared_environment
from .processes import Ended, Job, Processes, Stream

# From the best to the worst: what the next run does by itself comes before what a person has to do.
ORDER = (0, SPENT, BUSY, DIFFERENT, FAILED, REFUSED, USAGE, INTERRUPTED)
RESULTS = {
    0: "done",
    FAILED: "failed",
    USAGE: "cannot run",
    REFUSED: "refused",
    DIFFERENT: "differs",
    BUSY: "in use",
    SPENT: "credit limit",
    INTERRUPTED: "interrupted",
}
WITH_METRICS = ("run", "verify")
LIVE = ("run", "verify")  # their lines are passed on as they come, those of the others account by account
LAST_RUN = "zoho_crm_last_run_timestamp_seconds"
FIGURES = ("rows", "deleted", "calls", "credits", "failed")
HERE = frozenset(
    {"accounts", "only", "parallel", "output"}
)  # of the command line, and no option of an account
REPORTS = "zoho_report"  # a folder


@dataclass
class AccountResult:
    """What became of one account."""

    account: Account
    code: int
    seconds: float = 0.0
    message: str = ""
    figures: Mapping[str, int] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)  # of a page

    @property
    def result(self) -> str:
        return RESULTS.get(self.code, RESULTS[FAILED])

    def facts(self) -> dict[str, Any]:
        return {
            "account": self.account.name,
            "dataset": self.account.dataset,
            "destination": self.account.destination,
            "result": self.result,
            "exit_code": self.code,
            "seconds": round(self.seconds, 1),
            **self.figures,
            "message": self.message,
        }


def worst(codes: Sequence[int]) -> int:
    """The exit code of all."""
    return max(codes, key=lambda code: ORDER.index(code if code in ORDER else FAILED), default=0)


def run_for_accounts(command: str, options: Options, console: Console) -> int:
    """The command for each account. Raises SettingsError for a wrong file, before anything is started."""
    given = given_options(click.get_current_context())
    _check_options(options, given)
    own = {name: getattr(options, name) for name in given - OF_THE_COMMAND - HERE}
    path = Path(str(options.accounts)).expanduser()
    every = load_accounts(path, own)
    chosen = choose_accounts(every, options.only, path)
    remember_secrets(account.connection.get("connection") for account in every)
    with tempfile.TemporaryDirectory(prefix="zoho-") as folder:
        fleet = _Fleet(command, options, console, chosen, Path(folder))
        fleet.shared = shared_environment(every)
        fleet.others = [account for account in every if account not in chosen]
        with STOP.defer_interrupt():
            results = fleet.run()
            _print_results(console, command, results)
            if command == "report":
                _write_index(console, options, results)
    return worst([result.code for result in results])


def _check_options(options: Options, given: frozenset[str]) -> None:
    if not options.accounts:
        raise click.UsageError("--only and --parallel go with --accounts: name its file.")
    one = ("connection", "demo", "dataset", "pipeline_name", "json")
    if wrong := [f"--{name.replace('_', '-')}" for name in one if name in given]:
        raise click.UsageError(
            f"{', '.join(wrong)}: of one account; --accounts has those of each in its file. Leave one of them out."
        )
    if options.demo:
        raise click.UsageError("--accounts and demo = true in dlt's configuration contradict each other.")


class _Fleet:
    """The processes of the accounts, and what they say."""

    def __init__(
        self, command: str, options: Options, console: Console, accounts: Sequence[Account], folder: Path
    ) -> None:
        self.command, self.options, self.console = command, options, console
        self.accounts, self.folder = accounts, folder
        self.width = max(len(account.name) for account in accounts)
        self.kept: dict[str, list[tuple[Stream, str]]] = {}
        self.metrics = command in WITH_METRICS
        self.before: dict[str, float] = {}  # when each account's last run had ended
        self.shared: dict[str, str] = {}
        self.others: list[Account] = []  # of the file, that are left alone

    def run(self) -> list[AccountResult]:
        missing: dict[str, str] = {}
        groups: dict[Any, list[Job]] = {}
        for account in self.accounts:
            try:
                variables = {} if self.command in READS_NO_ACCOUNT else connection_of(account)
            except SettingsError as error:
                missing[account.name] = str(error)
                self._tell(account.name, "err", f"Error: {error}")
                self._flush(account.name)
                continue
            environment = {**self.shared, **environment_of(account, self._common(account)), **variables}
            # A DuckDB file has one writer at a time.
            groups.setdefault(account.database or account.name, []).append(
                Job(account.name, self.command, environment)
            )
        self._begin_metrics()
        processes = Processes(self._tell, self._flush)
        STOP.tell, STOP.before_kill = processes.stop, processes.kill
        try:
            ended = processes.run([*groups.values()], self.options.parallel)
        finally:
            STOP.tell = STOP.before_kill = None
        results = [self._result(account, ended, missing) for account in self.accounts]
        self._end_metrics(results)
        return results

    def _common(self, account: Account) -> dict[str, Any]:
        """What this command's own options are for the process of an account."""
        options = self.options
        reports = self.command == "report"
        found: dict[str, Any] = {
            "log_format": "json" if reports else options.log_format,
            "verbose": options.verbose,
            "quiet": options.quiet and not reports,
        }
        if options.pipelines_dir:
            found["pipelines_dir"] = Path(options.pipelines_dir).expanduser() / account.name
        if self.metrics:
            found["metrics_file"] = self._metrics_of(account)
        if reports:
            found["output"] = report_folder(options) / f"{account.name}.html"
        if options.progress != Options.progress:
            found["progress"] = options.progress
        return found

    # ---- what is said

    def _tell(self, name: str, stream: Stream, line: str) -> None:
        self.kept.setdefault(name, []).append((stream, line))
        if self.command in LIVE:
            self._flush(name)

    def _flush(self, name: str) -> None:
        """Pass on what was kept of an account."""
        if self.command == "report":
            lines = [pair for pair in self.kept.pop(name, []) if pair[0] == "err"]
        else:
            lines = self.kept.pop(name, [])
        for stream, line in lines:
            if stream == "err":
                remark(f"{name:{self.width}} | {line}".rstrip())
            elif self.console.json:
                self.console.forward({"account": name, **_event(line)})
            else:
                self.console.last(f"{name:{self.width}} | {line}".rstrip(), whole=True)

    def _result(
        self, account: Account, ended: Mapping[str, Ended], missing: Mapping[str, str]
    ) -> AccountResult:
        if account.name in missing:
            return AccountResult(account, USAGE, message=missing[account.name])
        one = ended[account.name]
        if not one.started:
            return AccountResult(account, one.code, message="It was not started.")
        figures = self._figures(account) if self.metrics else {}
        told = _event(one.last.get("out", "")) if self.command == "report" else {}
        return AccountResult(account, one.code, one.seconds, _message(one), figures, told)

    # ---- figures

    def _metrics_of(self, account: Account) -> Path:
        return self.folder / f"{account.name}.prom"

    def _begin_metrics(self) -> None:
        """Each process finds the time of its last success where it writes its metrics."""
        if self.metrics and self.options.metrics_file:
            for account in self.accounts:
                file = Path(self.options.metrics_file)
                merge_metrics(str(self._metrics_of(account)), {account.pipeline_name: file})
                self.before[account.name] = self._last_run(account)

    def _last_run(self, account: Account) -> float:
        samples = samples_of(self._metrics_of(account), account.pipeline_name)
        return next((one.value for one in samples if one.name == LAST_RUN), 0.0)

    def _figures(self, account: Account) -> dict[str, int]:
        """None of a process that wrote no metrics: another run was in progress, or it was killed."""
        if self._last_run(account) == self.before.get(account.name, 0.0):
            return {}
        found = dict.fromkeys(FIGURES, 0)
        names = {
            "zoho_crm_module_rows": "rows",
            "zoho_crm_module_deleted_rows": "deleted",
            "zoho_crm_run_calls": "calls",
            "zoho_crm_run_credits": "credits",
            "zoho_crm_module_failed": "failed",
        }
        for sample in samples_of(self._metrics_of(account), account.pipeline_name):
            if sample.name in names:
                found[names[sample.name]] += int(sample.value)
        return found

    def _end_metrics(self, results: Sequence[AccountResult]) -> None:
        if not (self.metrics and self.options.metrics_file):
            return
        now = datetime.now(timezone.utc)
        for result in results:
            if result.code == USAGE and not result.seconds:
                outcome = CommandOutcome(self.command, result.account.pipeline_name, USAGE, finished=now)
                write_metrics(str(self._metrics_of(result.account)), outcome)
        target = self.options.metrics_file
        files = {result.account.pipeline_name: self._metrics_of(result.account) for result in results}
        others = {one.pipeline_name: Path(target) for one in self.others}
        if wrong := merge_metrics(target, {**others, **files}):
            remark(f"Warning: {wrong}")


def _event(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {"text": line}
    return found if isinstance(found, dict) else {"text": line}


def _message(ended: Ended) -> str:
    """What the process said last: of one that failed, the error."""
    if ended.code and "err" in ended.last:
        return ended.last["err"].removeprefix("Error: ")
    said = ended.last.get("out", "")
    return str(_event(said).get("headline", "")) if said.startswith("{") else said


def _print_results(console: Console, command: str, results: Sequence[AccountResult]) -> None:
    """One line for each account, and one for all."""
    figures = FIGURES if command in WITH_METRICS else ()
    columns = ("account", "result", "exit code", *figures, "seconds", "message")
    rows = []
    for result in results:
        # Where the figures stand in the line, the last words of a good run say nothing more.
        message = "" if figures and not result.code else result.message
        counts = (result.figures.get(name) for name in figures)
        rows.append((result.account.name, result.result, result.code, *counts, result.seconds, message))
        console.event("account", result.facts(), matters=bool(result.code))
    console.text()
    console.table(columns, rows, ("seconds", "deleted", "calls", "failed", "exit code"))
    code = worst([result.code for result in results])
    sums = {name: sum(result.figures.get(name, 0) for result in results) for name in figures}
    bad = [result for result in results if result.code]
    console.text()
    console.event("summary", {"accounts": len(results), "not_done": len(bad), **sums, "exit_code": code})
    console.last(f"{counted(len(results), 'account')}: {_counts(results)}.")
    if bad:
        names = ", ".join(f"{result.account.name} ({result.result})" for result in bad)
        print_error(f"{len(bad)} of {counted(len(results), 'account')}: {names}.")


def _counts(results: Sequence[AccountResult]) -> str:
    words = {RESULTS[code]: 0 for code in ORDER}
    for result in results:
        words[result.result] += 1
    rows = sum(result.figures.get("rows", 0) for result in results)
    told = ", ".join(f"{count} {word}" for word, count in words.items() if count)
    return f"{told}; {counted(rows, 'row')}" if any(result.figures for result in results) else told


# ---- pages


def report_folder(options: Options) -> Path:
    """Where the pages are written. Raises SettingsError."""
    given = options.output if options.output != Options.output else REPORTS
    folder = Path(given).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"--output {folder} cannot be written ({error.strerror}).") from None
    return folder


def _write_index(console: Console, options: Options, results: Sequence[AccountResult]) -> None:
    from ..monitoring.html_report.index import IndexRow, write_index

    folder = report_folder(options)
    rows = []
    for result in results:
        page = folder / f"{result.account.name}.html"
        rows.append(
            IndexRow(
                account=result.account.name,
                state=str(result.told.get("state", "failing")),
                sentence=result.message,
                place=f"dataset {result.account.dataset} in {result.account.destination}",
                page=page.name if page.exists() else None,
            )
        )
    path = write_index(folder, rows)
    console.event("page", {"path": str(path), "headline": f"{counted(len(rows), 'account')}"})
    console.last(f"The pages are in {folder}; begin with {path}")
