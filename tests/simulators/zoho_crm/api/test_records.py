"""The list of records and a single one: which fields, which modules, which records."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org
from tests.simulators.zoho_crm.wire import refusal, wired


@pytest.fixture
def wire():
    org = Org()
    org.add_module(
        Module(
            "Leads",
            [
                Field("Last_Name", "text"),
                Field("Story", "textarea", textarea="rich_text"),
                Field("Secret", "text", visible=False),
                Field("Rows", "subform", subform_module="Rows"),
            ],
        )
    )
    org.add_module(
        Module("Rows", [Field("Quantity", "integer")], generated_type="subform", parent_module="Leads")
    )
    with wired(org) as wire:
        yield wire


def fill(org: Org, count: int) -> list[str]:
    return [org.insert("Leads", {"Last_Name": f"name {number}"}) for number in range(count)]


# -- fields


def test_list_without_fields_is_required_param_missing(wire):
    answer = wire.get("Leads")
    assert refusal(answer) == (400, "REQUIRED_PARAM_MISSING")
    assert answer.json()["details"] == {"param_name": "fields"}


def test_51_fields_are_over_the_limit_and_50_are_not(wire):
    fill(wire.org, 1)
    names = [f"Field_{number}" for number in range(51)]
    assert wire.get("Leads", fields=",".join(names[:50])).status_code == 200
    answer = wire.get("Leads", fields=",".join(names))
    assert refusal(answer) == (400, "LIMIT_EXCEEDED")
    assert answer.json()["details"] == {"limit": 50, "param_name": "fields"}


def test_unknown_names_are_dropped_without_a_word(wire):
    (id,) = fill(wire.org, 1)
    assert wire.rows("Leads", fields="Last_Nmae,Last_Name") == [{"Last_Name": "name 0", "id": id}]
    wire.org.quirks.unknown_fields = "INVALID_DATA"
    assert refusal(wire.get("Leads", fields="Last_Nmae,Last_Name")) == (400, "INVALID_DATA")


def test_a_list_shows_neither_subforms_nor_hidden_fields(wire):
    id = wire.org.insert("Leads", {"Secret": "x", "Rows": [{"Quantity": 1}]})
    assert wire.rows("Leads", fields="Secret,Rows") == [{"id": id}]


def test_dollar_keys_come_when_they_are_asked_for(wire):
    (id,) = fill(wire.org, 1)
    assert wire.rows("Leads", fields="id,$converted,$approved,$approval_state") == [
        {"id": id, "$converted": False, "$approval_state": "approved"}  # $approved is a name of v2
    ]


def test_rich_text_is_cut_at_500_in_lists_and_whole_when_fetched(wire):
    id = wire.org.insert("Leads", {"Story": "s" * 700})
    assert wire.rows("Leads", fields="Story")[0]["Story"] == "s" * 500
    whole = wire.rows(f"Leads/{id}/actions/fetch_full_data", fields="Story")
    assert whole == [{"Story": "s" * 700, "id": id}]
    assert refusal(wire.get(f"Leads/{id}/actions/fetch_full_data", fields="Last_Name")) == (
        400,
        "INVALID_DATA",
    )
    assert refusal(wire.get(f"Leads/{id}/actions/fetch_full_data")) == (400, "REQUIRED_PARAM_MISSING")


# -- modules


@pytest.mark.parametrize(
    ("oddity", "expected"),
    [
        ({"api_supported": False}, (400, "INVALID_MODULE")),
        ({"invalid_module": True}, (400, "INVALID_MODULE")),
        ({"no_permission": True}, (403, "NO_PERMISSION")),
        ({"viewable": False}, (403, "NO_PERMISSION")),
    ],
)
def test_a_module_may_be_listed_and_yet_refused(wire, oddity, expected):
    wire.org.add_module(Module("Odd", [Field("Name", "text")], **oddity))
    assert refusal(wire.get("Odd", fields="id")) == expected


def test_a_module_nobody_knows_is_invalid_module(wire):
    answer = wire.get("Nope", fields="id")
    assert refusal(answer) == (400, "INVALID_MODULE")
    assert answer.json()["details"] == {"resource_path_index": 0}


def test_notes_are_for_administrators(wire):
    wire.org.add_module(Module("Notes", [Field("Note_Title", "text")]))
    wire.org.insert("Notes", {"Note_Title": "x"})
    assert len(wire.rows("Notes", fields="Note_Title")) == 1
    wire.org.account.user = wire.org.account.add_user("Stan", "Standard", profile="Standard")
    assert refusal(wire.get("Notes", fields="Note_Title")) == (403, "NOT_SUPPORTED")


@pytest.mark.parametrize(("works", "status"), [(True, 200), (False, 400)])
def test_attachments_of_the_whole_org_can_be_listed_where_zoho_does(wire, works, status):
    wire.org.add_module(Module("Attachments", [Field("File_Name", "text")]))
    wire.org.insert("Attachments", {"File_Name": "x.pdf"})
    wire.org.quirks.org_wide_attachments = works
    assert wire.get("Attachments", fields="File_Name").status_code == status


# -- which records


def test_an_empty_list_is_204_without_a_body(wire):
    answer = wire.get("Leads", fields="id")
    assert (answer.status_code, answer.content) == (204, b"")
    fill(wire.org, 1)
    assert wire.get("Leads", fields="id", page=2).status_code == 204


def test_ids_choose_records_and_are_at_most_100(wire):
    ids = fill(wire.org, 3)
    wanted = f"{ids[2]},{ids[0]},5725767000000999999"
    assert [row["id"] for row in wire.rows("Leads", fields="id", ids=wanted)] == [ids[2], ids[0]]
    many = ",".join(str(number) for number in range(101))
    assert refusal(wire.get("Leads", fields="id", ids=many)) == (400, "LIMIT_EXCEEDED")
    assert refusal(wire.get("Leads", fields="id", ids="one")) == (400, "INVALID_DATA")


def test_converted_leads_hide_unless_asked_for(wire):
    kept, gone = fill(wire.org, 2)
    wire.org.convert(gone)
    assert [row["id"] for row in wire.rows("Leads", fields="id")] == [kept]
    shown = wire.rows("Leads", fields="id,Converted__s,Converted_Date_Time", converted="true")
    assert shown == [{"Converted__s": True, "Converted_Date_Time": "2026-03-02T14:30:00+05:30", "id": gone}]
    assert len(wire.rows("Leads", fields="id", converted="both")) == 2
    assert wire.get("Leads", fields="id", ids=gone).status_code == 204
    assert refusal(wire.get("Leads", fields="id", converted="maybe")) == (400, "INVALID_DATA")


def test_unapproved_records_hide_unless_asked_for(wire):
    kept, waiting = fill(wire.org, 2)
    wire.org.approve("Leads", waiting, False)
    assert [row["id"] for row in wire.rows("Leads", fields="id")] == [kept]
    assert [row["id"] for row in wire.rows("Leads", fields="id", approved="false")] == [waiting]
    (row,) = wire.rows("Leads", fields="$approval_state", approved="false")
    assert row["$approval_state"] == "approval_process_pending"
    assert len(wire.rows("Leads", fields="id", approved="both")) == 2
    wire.org.quirks.list_approved = "ignored"
    for asked in ("true", "false", "both"):
        assert len(wire.rows("Leads", fields="id", approved=asked)) == 2


# -- If-Modified-Since


def test_if_modified_since_gives_what_changed_after_that_second(wire):
    ids = fill(wire.org, 2)
    wire.org.clock.advance(60)
    wire.org.edit("Leads", ids[0], Last_Name="edited")
    answer = wire.get("Leads", {"If-Modified-Since": "2026-03-02T14:30:00+05:30"}, fields="id")
    assert [row["id"] for row in answer.json()["data"]] == [ids[0]]
    late = {"If-Modified-Since": "2026-03-02T09:01:00+00:00"}
    answer = wire.get("Leads", late, fields="id")
    assert (answer.status_code, answer.content) == (304, b"")
    wire.org.quirks.if_modified_since_inclusive = True
    assert wire.get("Leads", late, fields="id").status_code == 200


@pytest.mark.parametrize(("accepted", "count"), [(True, 1), (False, 2)])
def test_an_rfc_1123_date_filters_only_where_it_is_understood(wire, accepted, count):
    wire.org.quirks.rfc_1123_if_modified_since = accepted
    ids = fill(wire.org, 2)
    wire.org.clock.advance(60)
    wire.org.edit("Leads", ids[0], Last_Name="edited")
    answer = wire.get("Leads", {"If-Modified-Since": "Mon, 02 Mar 2026 09:00:00 GMT"}, fields="id")
    assert len(answer.json()["data"]) == count


@pytest.mark.parametrize("text", ["2026-03-02T09:00:00", "yesterday"])
def test_a_time_without_a_zone_is_refused(wire, text):
    answer = wire.get("Leads", {"If-Modified-Since": text}, fields="id")
    assert refusal(answer) == (400, "INVALID_DATA")


# -- one record


def test_a_single_record_holds_its_subform(wire):
    id = wire.org.insert("Leads", {"Last_Name": "x", "Rows": [{"Quantity": 1}, {"Quantity": 2}]})
    (row,) = wire.rows(f"Leads/{id}")
    assert [inner["Quantity"] for inner in row["Rows"]] == [1, 2]
    assert row["Rows"][0]["Parent_Id"]["id"] == id
    assert row["$has_more"] == {"Rows": False}
    assert "Secret" not in row


def test_a_single_record_holds_its_links(wire):
    org = wire.org
    org.add_module(
        Module(
            "Skills",
            [Field("Name", "text"), Field("People", "multiselectlookup", linking_module="LeadsXSkills")],
        )
    )
    org.add_module(
        Module(
            "LeadsXSkills",
            [
                Field("Skill", "lookup", lookup_module="Skills"),
                Field("Lead", "lookup", lookup_module="Leads"),
            ],
            generated_type="linking",
        )
    )
    (lead,) = fill(org, 1)
    skill = org.insert("Skills", {"Name": "sail"})
    org.insert("LeadsXSkills", {"Skill": skill, "Lead": lead})
    (row,) = wire.rows(f"Skills/{skill}")
    assert [link["Lead"]["id"] for link in row["People"]] == [lead]


@pytest.mark.parametrize(("answer", "expected"), [("204", 204), ("INVALID_DATA", 400), ("404", 404)])
def test_an_unknown_id_is_nothing_or_an_error(wire, answer, expected):
    wire.org.quirks.unknown_id = answer
    assert wire.get("Leads/5725767000000999999").status_code == expected
    assert (
        wire.get("Leads/5725767000000999999/actions/fetch_full_data", fields="Story").status_code == expected
    )


# -- counts


def test_the_count_leaves_out_converted_and_unapproved_records_unless_it_is_asked_for_them(wire):
    ids = fill(wire.org, 4)
    wire.org.convert(ids[0])
    wire.org.approve("Leads", ids[1], False)
    named = [{}, {"converted": "both"}, {"approved": "both"}, {"converted": "both", "approved": "both"}]
    counts = [wire.get("Leads/actions/count", **asked).json()["count"] for asked in named]
    assert counts == [2, 3, 3, 4]
    assert wire.get("Leads/actions/count", approved="false").json() == {"count": 1}
    assert refusal(wire.get("Leads/actions/count", converted="maybe")) == (400, "INVALID_DATA")
    wire.org.quirks.count_parameters = "ignored"
    assert wire.get("Leads/actions/count", **named[3]).json() == {"count": 2}
    wire.org.quirks.count_parameters = "refused"
    assert [wire.get("Leads/actions/count", **asked).status_code for asked in named] == [200, 400, 400, 400]


def test_the_count_may_lag(wire):
    wire.org.quirks.count_lag_minutes = 10
    ids = fill(wire.org, 3)
    assert wire.get("Leads/actions/count").json() == {"count": 0}
    wire.org.clock.advance(minutes=10)
    assert wire.get("Leads/actions/count").json() == {"count": 3}
    wire.org.delete("Leads", ids[0])
    assert wire.get("Leads/actions/count").json() == {"count": 3}


# -- the simulator's own voice


@pytest.mark.parametrize(
    "path",
    ["Leads?fields=id&criteria=x", "Leads/search?word=x", "Leads/5725767000000100099/Notes", "settings/wizards",
     "__features", "org/secrets", "actions/watch"],
)  # fmt: skip
def test_what_is_not_modelled_is_418(wire, path):
    answer = wire.get(path)
    assert answer.status_code == 418
    assert list(answer.json()) == ["simulator"]


def test_a_generated_module_counts_and_lists_nothing(wire):
    class Rows:
        rows = 1_000_000

    wire.org.add_module(Module("Big", [Field("Name", "text")], generated=Rows()))
    assert wire.get("Big/actions/count").json() == {"count": 1_000_000}
    assert wire.get("Big", fields="id").status_code == 418
    assert wire.get("Big/5725767000000999999").status_code == 418
