"""Which route answers a path that several would fit."""

from __future__ import annotations

import pytest

from simulators.zoho_crm.routes import find_route


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/crm/v8/Leads/deleted", "/crm/v8/{module}/deleted"),
        ("/crm/v8/Leads/1", "/crm/v8/{module}/{id}"),
        ("/crm/v8/users", "/crm/v8/users"),
        ("/crm/v8/users/deleted", "/crm/v8/users/{id}"),
        ("/crm/v8/settings/modules/", "/crm/v8/settings/modules"),
    ],
)
def test_the_most_exact_route_answers(path, pattern):
    route, _ = find_route("api", "GET", path)
    assert route.pattern == pattern
