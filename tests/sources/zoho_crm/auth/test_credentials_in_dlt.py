"""A real dlt pipeline, in a process of its own, keeps no secret in its folder, its trace or its log."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sources.zoho_crm.auth.connection_string import split_settings
from sources.zoho_crm.auth.credentials import SETTINGS
from tests.sources.zoho_crm.auth.test_credentials import KEY, PUBLISHED, SECRETS

RUN = """
import logging, pathlib, sys
import dlt
from sources.zoho_crm.auth.credentials import ZohoCredentials, resolve_credentials

logging.basicConfig(level=logging.DEBUG)
given = pathlib.Path("given.txt").read_text() if pathlib.Path("given.txt").exists() else None
if "dict" in sys.argv:
    given = dict(resolve_credentials(given))

@dlt.source(name="zoho_crm", section="zoho_crm")
def probe(credentials: ZohoCredentials = dlt.secrets.value):
    @dlt.resource
    def regions():
        yield {"region": credentials.region, "client": credentials.oauth_client_id}
        if "fail" in sys.argv:
            raise RuntimeError(f"{credentials} {credentials!r}")
    return regions

pipeline = dlt.pipeline("leak", pipelines_dir="p", destination=dlt.destinations.duckdb("p/leak.duckdb"))
source = probe(given) if given else probe()
print(source, repr(source))
try:
    pipeline.run(source)
finally:
    print(pipeline.last_trace.asstr(2), pipeline.last_trace.asdict())
"""


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SOURCES__")}
    quiet = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "DEBUG", "HOME": str(folder)}
    plain = {"DATA_WRITER__DISABLE_COMPRESSION": "true", "PYTHONPATH": str(Path(__file__).parents[4])}
    return subprocess.run(
        [sys.executable, "-c", RUN, *words],
        cwd=folder,
        env={**inherited, **quiet, **plain, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def toml(folder: Path, name: str, text: str) -> None:
    (folder / ".dlt").mkdir()
    (folder / ".dlt" / name).write_text(text)


def arrange(form: str, folder: Path) -> dict[str, str]:
    pairs = [(SETTINGS[name.casefold()].attribute, value) for name, value in split_settings(PUBLISHED)]
    keys = "\n".join(f"{name} = {value!r}" for name, value in pairs)
    if form in ("argument", "dict", "fail"):
        (folder / "given.txt").write_text(PUBLISHED)
    if form == "environment":
        return {KEY: PUBLISHED}
    if form == "separate keys":
        return {f"{KEY}__{name.upper()}": value for name, value in pairs}
    if form == "secrets.toml":
        toml(folder, "secrets.toml", f"[sources.zoho_crm]\ncredentials = '''{PUBLISHED}'''\n")
    if form == "keys of secrets.toml":
        keys = keys.replace("\\n", "")
        toml(folder, "secrets.toml", f"[sources.zoho_crm.credentials]\n{keys}\n")
    return {}


@pytest.mark.parametrize(
    "form",
    ["argument", "dict", "environment", "separate keys", "secrets.toml", "keys of secrets.toml", "fail"],
)
@pytest.mark.cases(1)
def test_no_secret_is_left_in_a_pipelines_folder_its_trace_or_its_log(form, tmp_path):
    done = run(tmp_path, form, **arrange(form, tmp_path))
    assert done.returncode == (1 if form == "fail" else 0), done.stderr
    files = [file for file in (tmp_path / "p").rglob("*") if file.is_file()]
    written = b"".join(file.read_bytes() for file in files)
    assert "trace.pickle" in {file.name for file in files}
    assert b"1000.ABC" in written, "the folder holds what the pipeline loaded"
    for secret in SECRETS:
        assert secret.encode() not in written
        assert secret not in done.stdout + done.stderr


def test_a_secret_in_config_toml_is_refused_without_showing_it(tmp_path):
    toml(tmp_path, "config.toml", f"[sources.zoho_crm.credentials]\noauth_client_secret = '{SECRETS[0]}'\n")
    (tmp_path / "given.txt").write_text("OAuthClientId=1")
    done = run(tmp_path, "dict")
    assert "SettingsError: A secret stands in dlt's config.toml: move it to secrets.toml" in done.stderr
    assert SECRETS[0] not in done.stderr
