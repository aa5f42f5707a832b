"""The account's own tables as data: which call brings which rows, and the columns that they become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from ..config import AUDIT_LOG as AUDIT_LOG_NAME
from ..models import Field, Module
from ..service import CRM, SERVICES, Service
from ..transform.column_types import Column
from ..transform.naming import Remembered, name_columns
from ..transform.privacy_rules import PEOPLE, PrivacyRules


@dataclass(frozen=True)
class AccountTable:
    """A list of rows of Zoho's and the table it becomes.

    `each` says for what one call is made: for the account, for each module, or for each layout of
    `module`; the latter two are asked once a day, and their rows may share an id. An `export` is a job, once a day, whose
    rows are added to those that are there. `flat` names objects whose keys become columns.
    """

    table: str
    path: str
    key: str
    fields: tuple[Field, ...]
    each: Literal["account", "module", "layout", "export"] = "account"
    paged: bool = False
    queries: tuple[Mapping[str, str], ...] = ({},)
    flat: tuple[str, ...] = ()
    never_empty: bool = False  # every account has some of it
    module: str = CRM.deals  # whose layouts are meant
    rules: PrivacyRules = field(
        default_factory=PrivacyRules
    )  # hold for tables that tell of people, no others

    def columns(self, fields: Iterable[Field], remembered: Remembered) -> tuple[Column, ...]:
        """The columns that land of these fields."""
        if self.table not in PEOPLE:
            return name_columns(fields, remembered)
        module = Module(self.table)
        kept = [field for field in fields if not self.rules.why_not(module, field)]
        return name_columns(kept, remembered, partial(self.rules.masking_rule, module))


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
    AccountTable(
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
        never_empty=True,
    ),
    AccountTable(
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
        never_empty=True,
    ),
    AccountTable(
        "roles",
        "settings/roles",
        "roles",
        fields(
            text="id name display_label description",
            boolean="share_with_peers admin_user",
            lookup="reporting_to forecast_manager created_by__s modified_by__s",
            datetime="created_time__s modified_time__s",
        ),
        never_empty=True,
    ),
    AccountTable(
        "profiles",
        "settings/profiles",
        "profiles",
        fields(text="id name display_label type description", boolean="custom default", **CHANGES),
        never_empty=True,
    ),
    AccountTable(
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
    AccountTable(
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
    AccountTable(
        "tags",
        "settings/tags",
        "tags",
        fields(text="id name color_code module", **CHANGES),
        each="module",
    ),
    AccountTable(
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
    AccountTable(
        "pipelines",
        "settings/pipeline",
        "pipeline",
        fields(text="id display_value actual_value", boolean="default", lookup="layout", json="maps"),
        each="layout",
    ),
)

# Read while the modules are surveyed, so they cost no call of their own.
MODULES = AccountTable(
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
FIELDS = AccountTable(
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


# Zoho documents no column of the exported file: extract/audit_log.py has the headers that are taken for these.
AUDIT_LOG = AccountTable(
    AUDIT_LOG_NAME,
    "settings/audit_log_export",
    "audit_log_export",
    fields(text="id", datetime="audited_time", lookup="Done_By")
    + fields(text="done_by_name action module record_id record_name source ip_address details"),
    each="export",
)


def endpoints(service: Service) -> tuple[AccountTable, ...]:
    """The tables of a service's account; in Bigin `pipelines` are its deals, the module Pipelines."""
    own = (
        replace(e, table=service.pipelines, module=service.deals) if e.each == "layout" else e
        for e in ENDPOINTS
    )
    return (*own, AUDIT_LOG)


def source_tables(service: Service) -> tuple[str, ...]:
    """The names of the tables that the source fills beside the modules."""
    names = (e.table for e in endpoints(service))
    return (*names, "modules", "fields", "deleted_records", "rejected_values")


def own_tables(service: Service) -> tuple[str, ...]:
    """Those, and the ones that the command adds: no module's table may be called so."""
    return (*source_tables(service), "sync_runs", "seat_counts", "files")


# Of every service, for whoever reads what runs have noted: there a module is called `Pipelines`, and none of these is.
ACCOUNT_TABLES = tuple(dict.fromkeys(name for one in SERVICES.values() for name in own_tables(one)))
