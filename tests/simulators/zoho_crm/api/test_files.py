"""Downloads: attachments, files of upload fields, photos, as Zoho's documentation and specification have them."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org
from tests.simulators.zoho_crm.wire import refusal, wired


@pytest.fixture
def wire():
    org = Org()
    fields = [Field("Name", "text"), Field("Papers", "fileupload"), Field("Record_Image", "profileimage")]
    org.add_module(Module("Deals", fields))
    parent = Field("Parent_Id", "multi_module_lookup")
    org.add_module(
        Module(
            "Attachments",
            [Field("File_Name", "text"), Field("Size", "bigint"), parent],
            system_fields=("id",),
        )
    )
    with wired(org) as wire:
        yield wire


@pytest.fixture
def deal(wire):
    papers = [{"id": "77", "File_Id__s": "f77", "File_Name__s": "plan.pdf", "Size__s": 9}]
    return wire.org.insert("Deals", {"Name": "Boat", "Papers": papers, "Record_Image": "image1"})


def attach(org, deal, size=10):
    parent = {"id": deal, "name": None, "module": "Deals"}
    return org.insert("Attachments", {"File_Name": "ofer ü.pdf", "Size": size, "Parent_Id": parent})


def test_an_attachment_comes_with_its_name_and_as_many_bytes_as_its_row_states(wire, deal):
    ids = [attach(wire.org, deal) for _ in range(2)]
    one, other = (wire.get(f"Deals/{deal}/Attachments/{id}") for id in ids)
    assert (one.status_code, len(one.content), one.headers["Content-Type"]) == (
        200,
        10,
        "application/x-download",
    )
    assert one.headers["Content-Disposition"] == "attachment;filename*=UTF-8''ofer%20%C3%BC.pdf"
    assert one.content != other.content
    wire.org.contents.put(ids[0], b"mine")
    assert wire.get(f"Deals/{deal}/Attachments/{ids[0]}").content == b"mine"


def test_an_attachment_that_is_gone_or_of_another_record_is_no_content(wire, deal):
    id, other = attach(wire.org, deal), wire.org.insert("Deals", {"Name": "Other"})
    assert wire.get(f"Deals/{deal}/Attachments/999").status_code == 204
    assert wire.get(f"Deals/{other}/Attachments/{id}").status_code == 204
    wire.org.contents.lose(id)
    assert wire.get(f"Deals/{deal}/Attachments/{id}").status_code == 204


def test_a_link_is_refused(wire, deal):
    wire.org.contents.make_link(id := attach(wire.org, deal))
    assert refusal(wire.get(f"Deals/{deal}/Attachments/{id}")) == (400, "DOWNLOAD_NOT_ALLOWED")


@pytest.mark.parametrize("honoured", [False, True])
def test_a_range_is_ignored_or_honoured(wire, deal, honoured):
    wire.org.quirks.file_ranges = honoured
    wire.org.contents.put(id := attach(wire.org, deal), b"0123456789")
    answer = wire.get(f"Deals/{deal}/Attachments/{id}", headers={"Range": "bytes=4-"})
    assert (answer.status_code, answer.content) == ((206, b"456789") if honoured else (200, b"0123456789"))
    beyond = wire.get(f"Deals/{deal}/Attachments/{id}", headers={"Range": "bytes=10-"})
    assert beyond.status_code == (416 if honoured else 200)


def test_a_file_of_a_field_comes_by_its_id_and_an_unknown_one_is_invalid_data(wire, deal):
    path = f"Deals/{deal}/actions/download_fields_attachment"
    assert len(wire.get(path, fields_attachment_id="77").content) == 9
    assert refusal(wire.get(path, fields_attachment_id="78")) == (400, "INVALID_DATA")
    assert refusal(wire.get(path)) == (400, "REQUIRED_PARAM_MISSING")


def test_a_photo_is_an_image_and_a_record_without_one_has_no_content(wire, deal):
    answer = wire.get(f"Deals/{deal}/photo")
    assert (answer.headers["Content-Type"], answer.content[:4]) == ("image/png", b"\x89PNG")
    assert wire.get(f"Deals/{wire.org.insert('Deals', {})}/photo").status_code == 204
    assert refusal(wire.get("Deals/999/photo")) == (400, "INVALID_DATA")
    assert refusal(wire.get("Nothings/1/photo")) == (400, "INVALID_MODULE")
