"""What a reading tells while it goes on: the job's states, the bytes of the archive, and the rows."""

from __future__ import annotations

from sources.zoho_crm.client.progress import ProgressCallback
from sources.zoho_crm.extract.extractor import read_module
from tests.support.reading import RECORDS, look, things

BULK = "ReadAPI=Bulk"


class Ear(ProgressCallback):
    """Remembers what it hears."""

    def __init__(self):
        self.states, self.sizes, self.counts = [], [], []

    def waits(self, state):
        self.states.append(state)

    def downloads(self, size):
        self.sizes.append(size)

    def rows(self, count):
        self.counts.append(count)


def heard(load, settings):
    client, found = look(load, settings, only=["Things"])
    ear = Ear()
    assert read_module(client, found.plans[0], load.folder, ear).status == "read"
    return ear


def test_a_bulk_job_tells_its_states_its_bytes_and_its_rows(load, org):
    things(org, 300)
    ear = heard(load, BULK)
    assert list(dict.fromkeys(ear.states)) == ["ADDED", "QUEUED", "IN PROGRESS", "COMPLETED"]
    assert ear.sizes[0] == 0
    assert sum(ear.sizes) > 300
    assert sum(ear.counts) == 300


def test_an_archive_that_turns_out_not_to_be_whole_takes_its_rows_back(load, org):
    things(org, 300)
    org.faults.add("POST /crm/bulk/v8/read", corrupt_zip="missing_row")
    ear = heard(load, BULK)
    assert sum(ear.counts) == 300
    assert org.faults.unspent() == []


def test_a_list_tells_its_rows_only(load, org):
    things(org, 300)
    ear = heard(load, RECORDS)
    assert (ear.states, ear.sizes, sum(ear.counts)) == ([], [], 300)
