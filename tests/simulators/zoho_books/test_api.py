"""Books: organisations, pages, filters, line items, limits and refusals."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from simulators.zoho_books import Books, BooksQuirks
from simulators.zoho_books.books import KINDS, BooksRules
from simulators.zoho_suite import Suite
from tests.simulators.asking import ask

DATED = ("customerpayments", "vendorpayments", "expenses")
TIMED = ("invoices", "estimates", "bills", "creditnotes", "salesorders", "purchaseorders")


def get(books, path, **query):
    given = {"organization_id": books.default_organization, **query}
    return ask(
        books, f"/books/v3/{path}", **{name: value for name, value in given.items() if value is not None}
    )


def empty_books(quirks=None, rules=None):
    books = Books(quirks=quirks, rules=rules)
    books.tokens.scopes = set(Suite().tokens.scopes)
    return books


def rows(reply, kind):
    return [row[KINDS[kind].id] for row in reply.body[kind]]


def test_organizations_need_no_organization_id():
    books = empty_books()
    second = books.add_organization("Second", "Asia/Kolkata")
    body = ask(books, "/books/v3/organizations").body
    assert (body["code"], body["message"]) == (0, "success")
    assert [(row["organization_id"], row["is_default_org"]) for row in body["organizations"]] == [
        (books.default_organization, True),
        (second, False),
    ]


@pytest.mark.parametrize(("value", "status"), [("refused", 400), ("default", 200)])
def test_a_call_without_organization_id(value, status):
    books = empty_books(BooksQuirks(missing_organization_id=value))
    assert get(books, "invoices", organization_id=None).status == status


@pytest.mark.parametrize("status", [400, 401])
def test_an_organization_that_is_not_the_users(status):
    reply = get(empty_books(BooksQuirks(wrong_organization_status=status)), "invoices", organization_id="1")
    assert reply.status == status
    assert reply.body == {
        "code": 6041,
        "message": "This user is not associated with the CompanyID/CompanyName:1.",
    }


def test_each_organization_has_its_own_rows_and_its_own_zone():
    books = empty_books()
    second = books.add_organization("Second", "Asia/Kolkata")
    mine, other = books.insert("invoices"), books.insert("invoices", parent=second)
    assert rows(get(books, "invoices"), "invoices") == [mine]
    (row,) = get(books, "invoices", organization_id=second).body["invoices"]
    assert (row["invoice_id"], row["created_time"]) == (other, "2026-03-02T14:30:00+0530")
    assert get(books, f"invoices/{other}").status == 404
    assert books.records("invoices")[0]["last_modified_time"] == "2026-03-02T01:00:00-0800"


def test_an_empty_list_is_200():
    body = get(empty_books(), "items").body
    assert (body["code"], body["items"], body["page_context"]["has_more_page"]) == (0, [], False)


@pytest.mark.parametrize("kind", KINDS)
def test_pages_go_on_until_has_more_page_is_false(kind):
    books = empty_books()
    made = [books.insert(kind) for _ in range(5)]
    found, page = [], 1
    while True:
        body = get(books, kind, page=page, per_page=2).body
        found += [row[KINDS[kind].id] for row in body[kind]]
        assert body["page_context"]["page"] == page
        if not body["page_context"]["has_more_page"]:
            break
        page += 1
    assert (found, page) == (made[::-1], 3)


def test_a_page_has_at_most_200_rows():
    books = empty_books()
    for _ in range(201):
        books.insert("items")
    assert len(get(books, "items").body["items"]) == 200
    reply = get(books, "items", per_page=201)
    assert (reply.status, reply.body) == (400, {"code": 2, "message": "Invalid value passed for per_page"})


@pytest.mark.parametrize("kind", TIMED)
def test_documents_are_filtered_by_last_modified_time(kind):
    books = empty_books()
    books.insert(kind, modified_time=books.now() - timedelta(seconds=1))
    new = books.insert(kind)
    for text in ("2026-03-02T01:00:00-0800", "2026-03-02T14:30:00+0530", "2026-03-02T09:00:00+00:00"):
        assert rows(get(books, kind, last_modified_time=text), kind) == [new]
    books.quirks.last_modified_time_inclusive = False
    assert rows(get(books, kind, last_modified_time="2026-03-02T01:00:00-0800"), kind) == []


@pytest.mark.parametrize("text", ["2026-03-02", "2026-03-02T14:30:00 0530", "2026-13-02T14:30:00+0530"])
def test_a_time_that_is_none_is_refused(text):
    reply = get(empty_books(), "invoices", last_modified_time=text)
    assert (reply.status, reply.body["code"]) == (400, 2)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in TIMED])
def test_other_lists_do_not_know_last_modified_time(kind):
    assert get(empty_books(), kind, last_modified_time="2026-03-02T01:00:00-0800").status == 418


@pytest.mark.parametrize("kind", DATED)
def test_expenses_and_payments_are_filtered_by_date(kind):
    books = empty_books()
    made = [books.insert(kind, {"date": date(2026, 1, day)}) for day in (1, 2, 3)]
    books.insert(kind)
    for name, found in (
        ("date", [made[1]]), ("date_start", made[:0:-1]), ("date_end", made[1::-1]),
        ("date_after", [made[2]]), ("date_before", [made[0]]),
    ):  # fmt: skip
        assert rows(get(books, kind, **{name: "2026-01-02"}), kind) == found
    assert get(books, kind, date_start="yesterday").status == 400


def test_line_items_come_only_with_a_single_invoice():
    books = empty_books()
    line = {"line_item_id": "1", "rate": Decimal("9697916.011"), "quantity": Decimal(2)}
    id = books.insert("invoices", {"total": Decimal("19395832.022"), "line_items": [line], "due_date": None})
    (row,) = get(books, "invoices").body["invoices"]
    assert "line_items" not in row and row["total"] == 19395832.022
    body = get(books, f"invoices/{id}").body
    assert (body["code"], body["invoice"]["line_items"]) == (
        0,
        [{**line, "rate": 9697916.011, "quantity": 2}],
    )
    assert body["invoice"]["due_date"] == ""


def test_amounts_are_numbers_with_all_their_digits():
    books = empty_books()
    books.insert("customerpayments", {"amount": Decimal("12345678901234.567")})
    from simulators.zoho_crm.serialization import dumps

    assert b'"amount":12345678901234.567,' in dumps(books.records("customerpayments"), "UTC")


def test_an_unknown_invoice():
    reply = get(empty_books(), "invoices/1")
    assert (reply.status, reply.body) == (404, {"code": 1002, "message": "Invoice does not exist."})


def test_sorting():
    books = empty_books()
    small, large = (books.insert("invoices", {"total": Decimal(total)}) for total in (9, 10))
    assert rows(get(books, "invoices", sort_column="total"), "invoices") == [small, large]
    assert rows(get(books, "invoices", sort_column="total", sort_order="D"), "invoices") == [large, small]
    assert get(books, "invoices", sort_column="nothing").status == 400


@pytest.mark.parametrize("kind", KINDS)
def test_each_list_needs_its_scope(kind):
    books = empty_books()
    assert get(books, kind, scopes={KINDS[kind].scope}).status == 200
    assert get(books, kind, scopes={"ZohoBooks.fullaccess.all"}).status == 200
    reply = get(books, kind, scopes={"ZohoBooks.projects.READ", "ZohoCRM.modules.ALL"})
    assert (reply.status, reply.body) == (
        401,
        {"code": 57, "message": "You are not authorized to perform this operation"},
    )


def test_without_a_token_and_with_a_wrong_one():
    books = empty_books()
    reply = get(books, "invoices", headers={"authorization": ""})
    assert (reply.status, reply.body["code"]) == (401, 14)
    reply = get(books, "invoices", headers={"authorization": "Zoho-oauthtoken 1000.a.b"})
    assert (reply.status, reply.body["code"]) == (401, 57)


def test_an_organization_has_100_calls_a_minute():
    books = empty_books(rules=BooksRules(calls_per_minute=2))
    second = books.add_organization("Second")
    assert [get(books, "invoices").status for _ in range(3)] == [200, 200, 429]
    reply = get(books, "invoices")
    assert reply.body["code"] == 44 and "Retry-After" not in reply.headers
    assert get(books, "invoices", organization_id=second).status == 200
    books.clock.advance(minutes=1)
    assert get(books, "invoices").status == 200
    assert BooksRules().calls_per_minute == 100


def test_the_minutes_refusal_may_name_an_hour():
    books = empty_books(BooksQuirks(minute_retry_after=3600), BooksRules(calls_per_minute=0))
    assert get(books, "invoices").headers["Retry-After"] == "3600"


def test_an_organization_has_a_number_of_calls_a_day():
    books = empty_books(rules=BooksRules(calls_per_day=1))
    assert get(books, "invoices").status == 200
    reply = get(books, "invoices")
    assert (reply.status, reply.body["code"]) == (429, 45)
    books.clock.advance(days=1)
    assert get(books, "invoices").status == 200


def test_too_many_calls_at_one_time():
    reply = get(empty_books(rules=BooksRules(concurrency=0)), "invoices")
    assert (reply.status, reply.body["code"]) == (429, 1070)


def test_an_account_without_books():
    books = empty_books()
    books.enabled = False
    assert ask(books, "/books/v3/organizations").body["organizations"] == []
    assert get(books, "invoices").body["code"] == 6041


def test_what_is_not_modelled_is_418():
    assert get(empty_books(), "invoices", customer_id=1).status == 418
    assert get(empty_books(), "journals").status == 418
