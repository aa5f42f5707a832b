"""Two runs at once, two customers of one user, and the commands that look on while a run is in progress."""

from __future__ import annotations

import re

import pytest

from simulators.zoho_crm import Field, Module, Org, serve
from tests.support.commanding import command, landed
from tests.support.progressing import in_progress, this_machine

__all__ = ["command"]  # a fixture

QUICK = "OAuthSettingsLocation=memory://;"
ONLY = ("--modules", "Leads", "--progress", "off")


def customer(name):
    org = Org()
    org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    org.insert("Leads", {"Last_Name": name})
    return org


def names(file, dataset="zoho_crm"):
    return sorted(name for (name,) in landed(file, f"select last_name from {dataset}.leads"))


@pytest.fixture
def served():
    """An org and the connection string that reaches it."""
    org = customer("Doe")
    with serve(org) as zoho:
        yield org, f"{zoho.connection_string}{QUICK}"


@pytest.mark.long
def test_two_customers_in_two_folders_never_meet(command, monkeypatch, tmp_path):
    """Both with the default name, of one user: neither the lock nor what a run remembers is shared."""
    folders = {name: tmp_path / name for name in ("ann", "bob")}
    orgs = {name: customer(name) for name in folders}
    for folder in folders.values():
        folder.mkdir()
    with serve(orgs["ann"]) as ann, serve(orgs["bob"]) as bob:
        texts = {"ann": f"{ann.connection_string}{QUICK}", "bob": f"{bob.connection_string}{QUICK}"}
        more = {"DLT_DATA_DIR": str(tmp_path / "dlt")}
        with in_progress(orgs["ann"], folders["ann"], texts["ann"], *ONLY, **more) as first:
            monkeypatch.chdir(folders["bob"])
            done = command("--connection", texts["bob"], *ONLY)
            assert (done.code, done.err) == (0, "")
        assert (first.returncode, first.complaint) == (0, "")
        for turn in range(2):
            for name, folder in folders.items():
                orgs[name].clock.advance(hours=1)
                orgs[name].insert("Leads", {"Last_Name": f"{name} {turn}"})
                monkeypatch.chdir(folder)
                done = command("--connection", texts[name], *ONLY)
                assert (done.code, done.err) == (0, "")
    for name, folder in folders.items():
        assert names(folder / "zoho.duckdb") == [name, f"{name} 0", f"{name} 1"]


def test_while_a_run_is_in_progress_only_another_one_is_refused_and_told_by_whom(command, tmp_path, served):
    org, text = served
    first = command("--connection", text, *ONLY)
    assert first.code == 0
    more = {"DLT_DATA_DIR": str(tmp_path / "dlt")}
    with in_progress(org, tmp_path, text, *ONLY, **more) as run:
        calls = len(org.ledger.calls())
        for words in (("run",), ("verify", "--repair")):
            done = command(*words, "--connection", text, "--modules", "Leads")
            assert done.code == 5
            since = re.search(r", since (\d{4}-\d\d-\d\d \d\d:\d\d) UTC\)", done.err)
            assert since
            assert done.err == (
                f"Error: Another run of the pipeline zoho_crm is in progress (process {run.pid} on {this_machine()},"
                f" in {tmp_path}{since[0]}; nothing was done.\n"
            )
        assert len(org.ledger.calls()) == calls
        for words in (("plan",), ("modules",), ("verify",), ("check",)):
            done = command(*words, "--connection", text, "--modules", "Leads")
            assert (words, done.code, done.err) == (words, 0, "")
            assert words != ("check",) or f"in progress (process {run.pid} on" in done.out
        for words in (("status",), ("report",)):
            assert (words, command(*words).code) == (words, 0)
    assert (run.returncode, run.complaint) == (0, "")
    assert names(tmp_path / "zoho.duckdb") == ["Doe"]
    assert command("--connection", text, *ONLY).code == 0


@pytest.mark.long
def test_two_pipelines_into_one_dataset_of_one_file_are_kept_apart(command, monkeypatch, tmp_path, served):
    org, text = served
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "shared.duckdb"
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(file))
    with in_progress(org, tmp_path, text, *ONLY, DESTINATION__DUCKDB__CREDENTIALS=str(file)) as run:
        monkeypatch.chdir(tmp_path / "elsewhere")
        words = ("--connection", text, *ONLY, "--pipeline-name", "another")
        done = command(*words)
        assert done.code == 5
        assert done.err.startswith(
            f"Error: Another run into the dataset zoho_crm of {file} is in progress (process {run.pid} on "
        )
        assert done.err.endswith("; nothing was done.\n")
        done = command(*words, "--dataset", "own")
        assert (done.code, done.err) == (0, "")
        assert names(file, "own") == ["Doe"]
    assert (run.returncode, run.complaint) == (0, "")
    assert names(file) == ["Doe"]


def test_to_plan_before_the_first_run_makes_no_file(command, tmp_path, served):
    _, text = served
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    for name in ("plan", "modules"):
        assert command(name, "--connection", text).code == 0
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
