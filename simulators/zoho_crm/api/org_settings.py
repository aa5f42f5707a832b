"""The org itself and its settings: licence, profiles, roles, currencies, territories, variables, costs."""

from __future__ import annotations

from typing import Any

from ..crm.org import Org
from ..exceptions import refuse
from ..routes import ROUTES, Answer, Request, no_content, ok, route


@route("GET", "/crm/v8/org", scopes="ZohoCRM.org.READ", authority="documented")
def read_org(org: Org, request: Request) -> Answer:
    return ok(org=[org.account.describe()])


@route("GET", "/crm/v8/settings/profiles", scopes="ZohoCRM.settings.profiles.READ", authority="documented")
def list_profiles(org: Org, request: Request) -> Answer:
    return ok(profiles=org.account.profiles, info={"license_limit": None})


@route("GET", "/crm/v8/settings/roles", scopes="ZohoCRM.settings.roles.READ", authority="documented")
def list_roles(org: Org, request: Request) -> Answer:
    return ok(roles=org.account.roles)


@route("GET", "/crm/v8/org/currencies", scopes="ZohoCRM.settings.currencies.READ", authority="documented")
def list_currencies(org: Org, request: Request) -> Answer:
    if not org.account.currencies:
        refuse(org.quirks.feature_off_status, org.quirks.currencies_off_code)
    return ok(currencies=org.account.currencies)


@route(
    "GET",
    "/crm/v8/settings/territories",
    params="page per_page",
    scopes="ZohoCRM.settings.territories.READ",
    authority="documented; the refusal where territories are off: conflict",
)
def list_territories(org: Org, request: Request) -> Answer:
    if not org.account.territories:
        refuse(org.quirks.feature_off_status, "FEATURE_NOT_ENABLED")
    page = request.number("page", 1)
    per_page = request.number("per_page", 200)
    if per_page > org.rules.territories_per_page:
        refuse(400, "INVALID_DATA", param_name="per_page", max_limit=org.rules.territories_per_page)
    rows = org.account.territories[(page - 1) * per_page : page * per_page]
    if not rows:
        return no_content()
    more = page * per_page < len(org.account.territories)
    info = {"per_page": per_page, "count": len(rows), "page": page, "more_records": more}
    return ok(territories=rows, info=info)


@route("GET", "/crm/v8/settings/variables", scopes="ZohoCRM.settings.variables.READ", authority="documented")
def list_variables(org: Org, request: Request) -> Answer:
    return ok(variables=org.account.variables) if org.account.variables else no_content()


@route("GET", "/crm/v8/__apis", scopes="ZohoCRM.apis.READ", authority="documented")
def list_apis(org: Org, request: Request) -> Answer:
    """What each call costs: the simulator's own table, which is what it charges."""
    paths: dict[str, list[dict[str, Any]]] = {}
    for known in ROUTES:
        if known.host != "api" or known.service != org.kind:
            continue
        fixed = isinstance(known.credits, int)
        operation = {
            "method": known.method,
            "oauth_scope": ",".join(known.scopes),
            "min_credits": known.credits if fixed else 1,
            "max_credits": known.credits if fixed else 3,
        }
        paths.setdefault(known.pattern, []).append(operation)
    return ok(__apis=[{"path": path, "operation_types": kinds} for path, kinds in paths.items()])
