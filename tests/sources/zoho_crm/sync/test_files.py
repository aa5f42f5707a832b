"""`zoho_files` in a script of one's own: every file in the bucket, every row in the table, on any destination."""

from __future__ import annotations

import dlt
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from simulators.zoho_crm import Field, Module, serve
from sources.zoho_crm import zoho_crm, zoho_files


@pytest.fixture
def bucket():
    MemoryFileSystem.store.clear()
    yield MemoryFileSystem.store
    MemoryFileSystem.store.clear()


def attach(org, deal, content):
    parent = {"id": deal, "name": None, "module": "Deals"}
    id = org.insert("Attachments", {"File_Name": "offer.pdf", "Size": len(content), "Parent_Id": parent})
    org.contents.put(id, content)


@pytest.mark.parametrize("destination", ["duckdb", "parquet"])
def test_a_script_copies_new_files_into_a_bucket_and_the_table_has_all(org, tmp_path, bucket, destination):
    org.add_module(Module("Deals", [Field("Name", "text")]))
    parent = Field("Parent_Id", "multi_module_lookup")
    org.add_module(Module("Attachments", [Field("File_Name", "text"), Field("Size", "bigint"), parent]))
    deal = org.insert("Deals", {"Name": "Boat"})
    attach(org, deal, b"one")
    attach(org, "5725767000000999999", b"of a record that nobody reads")
    where = {
        "duckdb": lambda: dlt.destinations.duckdb(str(tmp_path / "crm.duckdb")),
        "parquet": lambda: dlt.destinations.filesystem(str(tmp_path / "lake")),
    }[destination]()
    pipeline = dlt.pipeline("crm", destination=where, dataset_name="zoho", pipelines_dir=str(tmp_path / "p"))
    with serve(org) as zoho:
        credentials = f"{zoho.connection_string}OAuthSettingsLocation=memory://;"
        for content in (b"two", b"three"):
            pipeline.run(zoho_crm(credentials, modules=["Deals", "Attachments"]))
            pipeline.run(zoho_files("memory://bucket/zoho", credentials))
            org.clock.advance(hours=1)
            attach(org, deal, content)
        downloaded = [call for call in org.ledger if call.route.endswith("{attachment_id}")]
    kept = {path: file.getvalue() for path, file in bucket.items()}
    assert sorted(kept.values()) == [b"one", b"two"]
    found = pipeline.dataset().files.select("state", "path").fetchall()
    rows = sorted((state, kept[f"/bucket/zoho/{path}"] if path else None) for state, path in found)
    assert rows == [("copied", b"one"), ("copied", b"two"), ("skipped", None)]
    assert len(downloaded) == 2
