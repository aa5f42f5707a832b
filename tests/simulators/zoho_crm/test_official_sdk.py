"""Zoho's own Python SDK reads the simulator: a client that nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.file_store import FileStore
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, ParameterMap, bulk_read, coql
from zohocrmsdk.src.com.zoho.crm.api.dc.data_center import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.fields import FieldsOperations, GetFieldsParam
from zohocrmsdk.src.com.zoho.crm.api.initializer import Initializer
from zohocrmsdk.src.com.zoho.crm.api.modules import MinifiedModule, ModulesOperations
from zohocrmsdk.src.com.zoho.crm.api.org import OrgOperations
from zohocrmsdk.src.com.zoho.crm.api.record import GetDeletedRecordsParam, GetRecordsParam, RecordOperations
from zohocrmsdk.src.com.zoho.crm.api.sdk_config import SDKConfig
from zohocrmsdk.src.com.zoho.crm.api.users import GetUsersParam, UsersOperations

from simulators.zoho_crm import Org, serve
from simulators.zoho_crm.demo import demo_org
from tests.simulators.zoho_crm.calling import read_archive


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Org]:
    """The demo company, with the SDK pointed at it: it keeps its settings in a global."""
    org = demo_org()
    folder = tmp_path_factory.mktemp("sdk")
    with serve(org) as zoho:
        environment = DataCenter.Environment(
            zoho.api_url, f"{zoho.accounts_url}/oauth/v2/token", zoho.api_url
        )
        initialize(org, environment, folder)
        yield org


def initialize(org: Org, environment: Any, folder: Path, secret: str | None = None) -> None:
    token = OAuthToken(
        client_id=org.tokens.client_id,
        client_secret=secret or org.tokens.client_secret,
        refresh_token=org.tokens.refresh_token,
        find_user=False,
    )
    settings = SDKConfig(auto_refresh_fields=False, pick_list_validation=False)
    store = FileStore(str(folder / "tokens.csv"))
    Initializer.initialize(environment, token, store=store, sdk_config=settings, resource_path=str(folder))


def parameters(*pairs: tuple[Any, Any]) -> ParameterMap:
    found = ParameterMap()
    for name, value in pairs:
        found.add(name, value)
    return found


def answer(response: Any, status: int = 200) -> Any:
    assert response.get_status_code() == status
    return response.get_object()


def test_it_lists_the_modules(org: Org) -> None:
    found = answer(ModulesOperations().get_modules(ParameterMap(), HeaderMap())).get_modules()
    assert {module.get_api_name() for module in found} == set(org.modules)
    by_name = {module.get_api_name(): module for module in found}
    assert by_name["Home"].get_api_supported() is False
    assert by_name["Quoted_Items"].get_generated_type().get_value() == "subform"


def test_it_lists_the_fields_of_a_module_with_every_type(org: Org) -> None:
    found = answer(
        FieldsOperations().get_fields(parameters((GetFieldsParam.module, "Lighthouses")))
    ).get_fields()
    expected = {field.api_name: field.data_type for field in org.modules["Lighthouses"].fields}
    assert {field.get_api_name(): field.get_data_type() for field in found} == expected
    status = next(field for field in found if field.get_api_name() == "Status")
    assert "Dark; under repair" in [value.get_actual_value() for value in status.get_pick_list_values()]


def test_it_pages_through_more_than_2_000_records(org: Org) -> None:
    seen: dict[int, Any] = {}
    token = None
    while True:
        asked = parameters((GetRecordsParam.fields, "id,Last_Name,Owner,Modified_Time"))
        if token:
            asked.add(GetRecordsParam.page_token, token)
        page = answer(RecordOperations("Contacts").get_records(asked, HeaderMap()))
        seen.update({record.get_id(): record for record in page.get_data()})
        token = page.get_info().get_next_page_token()
        if not page.get_info().get_more_records():
            break
    truth = {int(record.id): record for record in org.records("Contacts")}
    assert seen.keys() == truth.keys()
    for id, record in truth.items():
        assert seen[id].get_key_value("Last_Name") == record.values["Last_Name"]
        assert seen[id].get_key_value("Modified_Time") == record.modified
        assert seen[id].get_key_value("Owner").get_id() == int(record.values["Owner"]["id"])


def test_it_runs_a_coql_query(org: Org) -> None:
    body = coql.BodyWrapper()
    body.set_select_query(
        "select Deal_Name, Stage, Account_Name from Deals where Stage = 'Closed Won' limit 2000"
    )
    page = answer(coql.CoqlOperations().get_records(body))
    truth = {
        int(record.id): record for record in org.records("Deals") if record.values["Stage"] == "Closed Won"
    }
    assert {record.get_id() for record in page.get_data()} == truth.keys()
    for record in page.get_data():
        assert record.get_key_value("Deal_Name") == truth[record.get_id()].values["Deal_Name"]
    assert page.get_info().get_more_records() is False


def test_it_is_told_what_is_wrong_with_a_query(org: Org) -> None:
    body = coql.BodyWrapper()
    body.set_select_query("select Nope from Deals where id is not null")
    error = answer(coql.CoqlOperations().get_records(body), 400)
    assert error.get_code().get_value() == "INVALID_QUERY"
    assert error.get_details()["column_name"] == "Nope"


def test_it_creates_polls_and_downloads_a_bulk_job(org: Org) -> None:
    query, module, body = bulk_read.Query(), MinifiedModule(), bulk_read.BodyWrapper()
    module.set_api_name("Contacts")
    query.set_module(module)
    query.set_fields(["Last_Name", "Account_Name"])
    body.set_query(query)
    operations = bulk_read.BulkReadOperations()
    (made,) = answer(operations.create_bulk_read_job(body), 201).get_data()
    assert made.get_code().get_value() == "ADDED_SUCCESSFULLY"
    job_id = int(made.get_details()["id"])
    states = []
    while "COMPLETED" not in states:
        (job,) = answer(operations.get_bulk_read_job_details(job_id)).get_data()
        states.append(job.get_state().get_value())
    assert states == ["ADDED", "QUEUED", "IN PROGRESS", "COMPLETED"]
    assert job.get_result().get_count() == len(org.records("Contacts"))
    assert job.get_query().get_module().get_api_name() == "Contacts"
    file = answer(operations.download_result(job_id)).get_file()
    assert file.get_name() == f"{job_id}.zip"
    rows = read_archive(file.get_stream().content)
    assert {row["Id"]: row["Last_Name"] for row in rows} == {
        record.id: record.values["Last_Name"] for record in org.records("Contacts")
    }


def test_it_reads_deleted_records(org: Org) -> None:
    asked = parameters((GetDeletedRecordsParam.type, "all"))
    found = answer(RecordOperations("Contacts").get_deleted_records(asked, HeaderMap())).get_data()
    assert {(row.get_id(), row.get_type()) for row in found} == {
        (int(gone.record.id), gone.kind) for gone in org.deletions["Contacts"]
    }


@pytest.mark.parametrize(("kind", "deleted"), [("AllUsers", False), ("DeletedUsers", True)])
def test_it_reads_users(org: Org, kind: str, deleted: bool) -> None:
    found = answer(
        UsersOperations().get_users(parameters((GetUsersParam.type, kind)), HeaderMap())
    ).get_users()
    expected = {user["full_name"] for user in org.account.users if (user["status"] == "deleted") == deleted}
    assert {user.get_full_name() for user in found} == expected


def test_it_reads_the_org_and_its_licence(org: Org) -> None:
    (found,) = answer(OrgOperations().get_organization()).get_org()
    assert found.get_company_name() == org.account.company_name
    assert found.get_license_details().get_users_license_purchased() == 12
    assert found.get_zgid() == org.account.zgid


def test_it_is_refused_with_a_wrong_secret(org: Org, tmp_path: Path) -> None:
    good = Initializer.get_initializer()
    try:
        with pytest.raises(SDKException, match=org.quirks.wrong_secret_error):
            initialize(org, good.environment, tmp_path, secret="wrong")
    finally:
        Initializer.initializer = good
