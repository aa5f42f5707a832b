"""What Bigin does otherwise than the CRM: calls that it does not have, parameters, prices and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models import Field
    from .org import Org

# Bigin's developer documentation names no such calls; the names are those of the table of routes.
CALLS_OF_CRM = frozenset(
    {
        "GET /crm/v8/__apis",
        "GET /crm/v8/settings/audit_log_export",
        "GET /crm/v8/settings/audit_log_export/{id}",
        "POST /crm/v8/settings/audit_log_export",
        "GET /crm/v8/settings/recycle_bin",
        "GET /crm/v8/settings/territories",
        "GET /crm/v8/settings/variables",
        "GET /crm/v8/{module}/{id}/actions/fetch_full_data",
    }
)
# Nothing is converted, so nothing is asked for by that.
PARAMETERS_OF_CRM = frozenset({"converted"})
PRICES = {
    "GET /crm/v8/{module}/deleted": 1
}  # Bigin's page on API limits: 1 credit but for the calls that it names
REACH = 10_000  # rows of one query by LIMIT and OFFSET together, says Bigin's page on COQL
CALLS_AT_ONCE = 10


def lower_limits(org: Org) -> None:
    org.rules.coql_limit = min(org.rules.coql_limit, org.quirks.bigin_coql_rows)
    org.rules.concurrency = min(org.rules.concurrency, CALLS_AT_ONCE)
    org.quirks.coql_reach = min(org.quirks.coql_reach, REACH)


def offers(org: Org, route: str) -> bool:
    switches = {
        "GET /crm/v8/org/currencies": org.quirks.bigin_currencies,
        "GET /crm/v8/settings/pipeline": org.quirks.bigin_pipelines,
        "GET /crm/v8/{module}/actions/count": org.quirks.bigin_count,
        "GET /crm/v8/{module}/deleted": org.quirks.bigin_deleted,
    }
    return route not in CALLS_OF_CRM and switches.get(route, True)


def refuses_in_coql(org: Org, field: Field) -> bool:
    """Texts of several lines, and tags."""
    return (
        org.is_bigin
        and not org.quirks.bigin_coql_texts
        and (field.data_type == "textarea" or field.api_name == "Tag")
    )
