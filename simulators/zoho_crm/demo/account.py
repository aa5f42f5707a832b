"""The demo company's people and settings: users of every kind, roles, profiles, currencies, territories."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..crm.org import Org

USERS: tuple[tuple[str | None, str, dict[str, Any]], ...] = (
    ("Grace", "O'Malley", {"profile": "Standard", "role": "Sales Manager"}),
    ("Søren", "Lys, Jr.", {"profile": "Standard", "role": "Sales Manager", "time_zone": "Europe/Copenhagen"}),
    (None, "לוי", {"profile": "Keepers", "role": "Keeper", "locale": "he_IL", "country": "Israel"}),
    ("Ida", "Lewis", {"profile": "Administrator", "role": "Sales Manager", "time_zone": "America/New_York"}),
    ("Not", "Confirmed", {"profile": "Standard", "confirm": False}),
    ("Paused", "Keeper", {"profile": "Keepers", "role": "Keeper", "status": "inactive"}),
    ("Disabled", "Keeper", {"profile": "Keepers", "role": "Keeper", "status": "disabled"}),
    ("Gone", "Keeper", {"profile": "Standard", "status": "deleted", "status_reason__s": "deleted by admin"}),
    ("Sandy", "Box", {"profile": "Standard", "type__s": "Sandbox Developer User", "sandboxDeveloper": True}),
    ("Paul", "Portal", {"profile": "Standard", "type__s": "Client Portal User"}),
    (
        "Line\nBreak",
        'Quote "Q"',
        {"profile": "Standard", "signature": "<b>Yours</b>,\nQ; keeper", "phone": "007"},
    ),
)


def fill_account(org: Org) -> None:
    account = org.account
    account.company_name = 'Lumen & Sons, Lighthouse Supply "Since 1811"'
    org.time_zone = "Europe/Berlin"
    account.org_values = {
        "currency": "Euro", "iso_code": "EUR", "currency_symbol": "€", "currency_locale": "de_DE",
        "country_code": "DE", "country": "Germany", "employee_count": "11", "city": "Bremerhaven",
    }  # fmt: skip
    account.license = {
        "users_license_purchased": 12,
        "portal_users_license_purchased": 5,
        "paid_expiry": org.now() + timedelta(days=200),
        "paid_type": "enterprise",
    }
    account.add_profile("Keepers", description="Light the lamp; sell nothing")
    account.add_profile("Lite", type="lite_profile")
    account.add_role("Sales Manager", "CEO", description="Sells, mostly")
    account.add_role("Keeper", "Sales Manager", share_with_peers=True)
    for first_name, last_name, more in USERS:
        settings = dict(more)
        role = settings.pop("role", "CEO")
        user = account.add_user(first_name, last_name, **settings)
        user["role"] = next(
            {"name": row["name"], "id": row["id"]} for row in account.roles if row["name"] == role
        )
    account.add_currency("EUR", "Euro", "1.000000000", symbol="€")
    account.add_currency("USD", "US Dollar", "1.082500000", symbol="$")
    account.add_currency("JPY", "Japanese Yen", "162.345678901", symbol="¥", is_active=False)
    account.add_territory("Coasts")
    account.add_territory("North Sea", "Coasts", description="Cold; wet, and windy")
    account.add_territory("Baltic", "Coasts")
    account.add_variable("Lamp_Oil_Price", "currency", "3.99")
    account.add_variable("Motto", "text", "Keep it lit")
