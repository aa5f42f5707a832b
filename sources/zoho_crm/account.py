"""The account's own tables (users, organisation, roles, settings), declared as data and read whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from dlt.sources.helpers.rest_client.paginators import BasePaginator, PageNumberPaginator, SinglePagePaginator

from . import limits
from .arrow import records_table
from .client import ZohoClient
from .errors import Fatal, Retriable, Skippable, ZohoCrmError, ZohoError
from .metadata import Field, Module
from .naming import Remembered, name_columns
from .plan import Plan
from .reading import UNFORESEEN, Reading, collect

Row = dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """A list of rows of Zoho's and the table it becomes.

    `each` says for what one call is made: for the account, for each module, or for each layout of
    Deals; the latter two are asked once a day, and their rows may share an id. `flat` names objects whose keys become columns.
    """

    table: str
    path: str
    key: str
    fields: tuple[Field, ...]
    each: Literal["account", "module", "layout"] = "account"
    paged: bool = False
    queries: tuple[Mapping[str, str], ...] = ({},)
    flat: tuple[str, ...] = ()


def fields(**names: str) -> tuple[Field, ...]:
    """`fields(text="id name", datetime="created_time")`: keys of Zoho's, grouped by their type."""
    return tuple(
        Field(
            name,
            "json" if data_type == "json" else data_type,
            "jsonobject" if data_type == "json" else "string",
        )
        for data_type, group in names.items()
        for name in group.split()
    )


CHANGES = {"datetime": "created_time modified_time", "lookup": "created_by modified_by"}

ENDPOINTS = (
    Endpoint(
        "users",
        "users",
        "users",
        fields(
            text="id zuid first_name last_name full_name email alias phone mobile fax dob website street city"
            " state zip country country_locale locale language time_zone date_format time_format status"
            " status_reason__s type__s number_separator decimal_separator name_format__s",
            boolean="confirm microsoft personal_account Isonline sandboxDeveloper",
            bigint="offset",
            datetime="created_time Modified_Time",
            lookup="role profile created_by Modified_By Reporting_To",
        ),
        paged=True,
        # AllUsers shows some deleted users; Zoho does not promise all of them
        queries=({"type": "AllUsers"}, {"type": "DeletedUsers"}),
    ),
    Endpoint(
        "org",
        "org",
        "org",
        fields(
            text="id zgid domain_name company_name type time_zone currency iso_code currency_symbol"
            " currency_locale country_code country primary_email primary_zuid zia_portal_id employee_count"
            " alias phone mobile fax website street city state zip description photo_id"
            " license_details_paid_type license_details_trial_type license_details_trial_action",
            boolean="mc_status gapps_enabled translation_enabled privacy_settings hipaa_compliance_enabled"
            " lite_users_enabled deletable_org_account license_details_paid",
            bigint="license_details_users_license_purchased license_details_portal_users_license_purchased",
            datetime="created_time license_details_paid_expiry license_details_trial_expiry",
        ),
        flat=("license_details",),
    ),
    Endpoint(
        "roles",
        "settings/roles",
        "roles",
        fields(
            text="id name display_label description",
            boolean="share_with_peers admin_user",
            lookup="reporting_to forecast_manager created_by__s modified_by__s",
            datetime="created_time__s modified_time__s",
        ),
    ),
    Endpoint(
        "profiles",
        "settings/profiles",
        "profiles",
        fields(text="id name display_label type description", boolean="custom default", **CHANGES),
    ),
    Endpoint(
        "currencies",
        "org/currencies",
        "currencies",
        fields(
            text="id iso_code name symbol",
            currency="exchange_rate",
            boolean="is_base is_active prefix_symbol",
            json="format",
            **CHANGES,
        ),
    ),
    Endpoint(
        "territories",
        "settings/territories",
        "territories",
        fields(
            text="id name api_name description permission_type",
            lookup="manager reporting_to created_by modified_by",
            datetime="created_time modified_time",
            json="account_rule_criteria deal_rule_criteria lead_rule_criteria",
        ),
        paged=True,
    ),
    Endpoint(
        "tags",
        "settings/tags",
        "tags",
        fields(text="id name color_code module", **CHANGES),
        each="module",
    ),
    Endpoint(
        "layouts",
        "settings/layouts",
        "layouts",
        fields(
            text="id name display_label api_name module status source",
            boolean="visible has_more_profiles",
            json="sections profiles actions_allowed convert_mapping",
            lookup="created_by modified_by created_for",
            datetime="created_time modified_time",
        ),
        each="module",
    ),
    Endpoint(
        "pipelines",
        "settings/pipeline",
        "pipeline",
        fields(text="id display_value actual_value", boolean="default", lookup="layout", json="maps"),
        each="layout",
    ),
)

# Read while the modules are surveyed, so they cost no call of their own.
MODULES = Endpoint(
    "modules",
    "settings/modules",
    "modules",
    fields(
        text="id api_name module_name singular_label plural_label generated_type status description table_name"
        " skip_reason",
        boolean="api_supported viewable creatable editable deletable show_as_tab quick_create visible",
        bigint="visibility sequence_number profile_count",
        datetime="modified_time",
        lookup="modified_by",
        json="profiles parent_module",
    ),
)
FIELDS = Endpoint(
    "fields",
    "settings/fields",
    "fields",
    fields(
        text="id module api_name field_label display_label data_type json_type column_name column_type"
        " skip_reason created_source type",
        boolean="custom_field visible read_only field_read_only system_mandatory virtual_field searchable"
        " sortable filterable mass_update display_field",
        bigint="length decimal_place",
        datetime="created_time modified_time",
        json="pick_list_values lookup multiselectlookup formula rollup_summary auto_number currency unique"
        " textarea crypt",
    ),
    each="module",
)

OUR_TABLES = (*(e.table for e in ENDPOINTS), "modules", "fields", "deleted_records", "sync_runs")


def read_endpoint(
    client: ZohoClient, endpoint: Endpoint, modules: Sequence[str], folder: Path, remembered: Remembered
) -> Reading:
    """Read one table of the account; what its edition or the scopes do not offer is a skip."""
    reading = Reading(endpoint.table, endpoint.table, "settings", "read whole")
    client = client.metered(reading.usage)
    try:
        rows = list(_rows(client, endpoint, modules, reading))
        return keep_rows(reading, endpoint, rows, folder, remembered)
    except (Skippable, Fatal) as error:
        return reading.end("skipped", str(error))
    except (ZohoCrmError, OSError, *UNFORESEEN) as error:
        return reading.fail(error)


def keep_rows(
    reading: Reading, endpoint: Endpoint, rows: Sequence[Row], folder: Path, remembered: Remembered
) -> Reading:
    """Rows of JSON as a file with the columns that the endpoint declares, and those nobody declared."""
    flat = [_flat(row, endpoint.flat) for row in rows]
    reading.columns = name_columns([*endpoint.fields, *_undeclared(endpoint, flat)], remembered)
    tables = [records_table(flat, reading.columns)]
    key = "id" if endpoint.each == "account" else None
    reading.spooled = collect(
        tables, folder / f"{endpoint.table}.parquet", reading.columns, reading.notes, key
    )
    return reading.end("read")


def module_rows(modules: Sequence[Module], tables: Mapping[str, str], skips: Mapping[str, str]) -> list[Row]:
    """The rows of the table `modules`: Zoho's own keys, our table and why a module is not read."""
    return [
        {**m.raw, "table_name": tables.get(m.api_name), "skip_reason": skips.get(m.api_name)} for m in modules
    ]


def field_rows(
    module: str, listed: Sequence[Field], plan: Plan | None, refused: Mapping[str, str]
) -> list[Row]:
    """The rows of the table `fields` of one module: Zoho's keys, the column, or why there is none."""
    columns = {c.api_name: c for c in plan.columns} if plan else {}
    left_out = {**dict(plan.left_out), **refused} if plan else {}
    return [
        {
            **f.raw,
            "module": module,
            "column_name": columns[f.api_name].name if f.api_name in columns else None,
            "column_type": columns[f.api_name].kind.dlt_type if f.api_name in columns else None,
            "skip_reason": left_out.get(f.api_name),
        }
        for f in listed
    ]


def _rows(client: ZohoClient, endpoint: Endpoint, modules: Sequence[str], reading: Reading) -> Iterator[Row]:
    if endpoint.each == "account":
        for query in endpoint.queries:
            yield from _list(client, endpoint, query)
        return
    refused: list[str] = []
    for query, mark in _calls(client, endpoint, modules):
        try:
            for row in _list(client, endpoint, query):
                yield {**row, **mark}
        except Retriable:
            raise
        except ZohoError as error:  # one module that has no tags or layouts hides no other
            refused.append(f"{error.code} for {next(iter(query.values()))}")
    if refused:
        reading.notes.remarks.append(f"not offered: {', '.join(refused)}")


def _calls(
    client: ZohoClient, endpoint: Endpoint, modules: Sequence[str]
) -> Iterator[tuple[Mapping[str, str], Row]]:
    """The query of each call, and the keys by which its rows tell where they belong."""
    if endpoint.each == "module":
        for module in modules:
            yield {"module": module}, {"module": module}
    elif "Deals" in modules:
        for layout in client.get("settings/layouts", {"module": "Deals"}).get("layouts", []):
            yield {"layout_id": str(layout["id"])}, {"layout": {"id": layout["id"]}}


def _list(client: ZohoClient, endpoint: Endpoint, query: Mapping[str, str]) -> Iterator[Row]:
    paginator: BasePaginator = SinglePagePaginator()
    if endpoint.paged:
        paginator = PageNumberPaginator(base_page=1, total_path=None, has_more_path="info.more_records")
        query = {**query, "per_page": str(limits.RECORDS_PER_PAGE)}
    for page in client.paginate(endpoint.path, endpoint.key, paginator, query):
        yield from page


def _flat(row: Row, names: Sequence[str]) -> Row:
    """The keys of some objects beside the others: `license_details.paid` as `license_details_paid`."""
    inner = {
        f"{name}_{key}": value
        for name in names
        if isinstance(row.get(name), Mapping)
        for key, value in row[name].items()
    }
    return {**{key: value for key, value in row.items() if key not in names}, **inner}


def _undeclared(endpoint: Endpoint, rows: Sequence[Row]) -> list[Field]:
    """Keys that Zoho sends and nobody declared: columns too, typed by what they hold."""
    declared = {f.api_name for f in endpoint.fields}
    found: dict[str, Field] = {}
    for row in rows:
        for key, value in row.items():
            if key not in declared and key not in found and value not in (None, "", [], {}):
                found[key] = _guess(key, value)
    return list(found.values())


def _guess(key: str, value: Any) -> Field:
    if isinstance(value, bool):
        return Field(key, "boolean")
    if isinstance(value, (int, Decimal)):
        return Field(key, "bigint" if isinstance(value, int) else "double")
    if isinstance(value, Mapping) and "id" in value and set(value) <= {"id", "name", "email", "api_name"}:
        return Field(key, "lookup")
    return Field(key, "json", "jsonobject") if isinstance(value, (Mapping, list)) else Field(key, "text")
