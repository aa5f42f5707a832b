"""Whatever is sent as a query is answered, in Zoho's words or in the simulator's own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.zoho_crm import Org
from simulators.zoho_crm.coql.parser import CoqlError, parse
from simulators.zoho_crm.exceptions import Unmodelled
from tests.simulators.zoho_crm.calling import call, create, query
from tests.simulators.zoho_crm.leads import coql_org, leads_org

PIECES = (
    "select", "id", "Last_Name", "from", "Leads", "where", "and", "or", "not", "in", "(", ")", ",", "=", "!=", ">=",
    "like", "between", "is", "null", "'x'", "'O''Neil'", "''", "7", "-1.5", "order by", "group by", "limit", "offset",
    "as", "desc", "COUNT", "$converted", "Owner.id", ".", "'", "%", "\n", "é", "#1", "'true'", "'2026-03-01T00:00:00Z'",
)  # fmt: skip


@pytest.fixture(scope="module")
def org() -> Org:
    return coql_org()


@pytest.fixture(scope="module")
def leads() -> Org:
    return leads_org()


@given(st.text())
@settings(max_examples=100, deadline=None, database=None)
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        parse(text)
    except (CoqlError, Unmodelled):
        return


@given(st.lists(st.sampled_from(PIECES), max_size=25))
@settings(max_examples=200, deadline=None, database=None)
def test_any_row_of_coqls_own_words_is_answered(org: Org, pieces: list[str]) -> None:
    start = "select id, Last_Name from Leads where "
    for text in (" ".join(pieces), start + " ".join(pieces)):
        assert query(org, text).status in (200, 204, 400, 418)


def test_brackets_without_end_are_refused_however_deep(org: Org) -> None:
    assert query(org, "select id from Leads where " + "(" * 50).code == "SYNTAX_ERROR"
    assert query(org, "select id from Leads where " + "(" * 5_000).status == 418


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from((*PIECES, "${EMPTY}")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("value", "field", "group")), inner)
    ),
    max_leaves=6,
)
NAMES = ("Last_Name", "Rating", "Seen", "Active", "Account_Name", "Colours", "Files", "$approved", "Nope")
COMPARATORS = ("equal", "not_equal", "in", "between", "less_than", "contains", "like", None)


@given(st.sampled_from(NAMES), st.sampled_from(COMPARATORS), JSON)
@settings(max_examples=200, deadline=None, database=None)
def test_any_criterion_makes_a_job_or_is_refused(
    leads: Org, name: str, comparator: str | None, value: object
) -> None:
    criteria = {"field": {"api_name": name}, "comparator": comparator, "value": value}
    assert create(leads, "Leads", criteria=criteria).status in (201, 400, 418)


@given(JSON)
@settings(max_examples=100, deadline=None, database=None)
def test_any_body_is_answered(leads: Org, body: object) -> None:
    for path in ("/crm/bulk/v8/read", "/crm/v8/coql"):
        for sent in (body, {"query": body}, {"query": {"module": body}}, {"select_query": body}):
            assert call(leads, "POST", path, sent).status in (400, 418)
