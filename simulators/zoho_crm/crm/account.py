"""The account: its users, profiles, roles and other settings, as rows in Zoho's own keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from .org import Org


class Account:
    """People and settings; datetimes in the rows are aware and are written in the API user's zone."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.time_zone = "Asia/Kolkata"
        self.zgid = "60012345678"
        self.company_name = "Example Company"
        self.profiles: list[dict[str, Any]] = []
        self.roles: list[dict[str, Any]] = []
        self.users: list[dict[str, Any]] = []
        self._by_id: dict[str, dict[str, Any]] = {}
        self.org_id = org.new_id()
        self.currencies: list[dict[str, Any]] = []
        """Empty: multi-currency is off, and the call answers 403."""
        self.territories: list[dict[str, Any]] = []
        self.variables: list[dict[str, Any]] = []
        self.pipelines: dict[str, list[dict[str, Any]]] = {}
        """Layout id -> pipelines."""
        self.has_audit_log = True
        """Whether the edition has the audit log."""
        self.license: dict[str, Any] = {}
        """Overrides of license_details."""
        self.org_values: dict[str, Any] = {}
        """Overrides of any other key of the org answer."""
        self.add_profile("Administrator", custom=False)
        self.add_profile("Standard", custom=False)
        self.add_role("CEO")
        self.user = self.add_user("Ada", "Admin", email="ada@example.com")

    @property
    def me(self) -> dict[str, str]:
        return {"id": self.user["id"], "name": self.user["full_name"]}

    def name_of(self, user_id: str) -> str | None:
        user = self._by_id.get(user_id)
        return str(user["full_name"]) if user else None

    def email_of(self, user_id: str) -> str | None:
        user = self._by_id.get(user_id)
        return str(user["email"]) if user else None

    def set_time_zone(self, name: str) -> None:
        """Move the org and its API user to another zone."""
        self.time_zone = name
        self.user.update(time_zone=name, offset=_milliseconds(self._org.now(), name))

    def add_profile(self, name: str, **more: Any) -> dict[str, Any]:
        now = self._org.now()
        profile = {
            "display_label": name,
            "created_time": None,
            "modified_time": now,
            "custom": True,
            "name": name,
            "id": self._org.new_id(),
            "type": "normal_profile",
            "description": None,
            "created_by": None,
            "modified_by": None,
            **more,
        }
        self.profiles.append(profile)
        return profile

    def add_role(self, name: str, reporting_to: str | None = None, **more: Any) -> dict[str, Any]:
        boss = next(
            ({"name": r["name"], "id": r["id"]} for r in self.roles if r["name"] == reporting_to), None
        )
        role = {
            "display_label": name,
            "forecast_manager": None,
            "share_with_peers": False,
            "name": name,
            "description": None,
            "reporting_to": boss,
            "id": self._org.new_id(),
            "created_by__s": None,
            "modified_by__s": None,
            "created_time__s": None,
            "modified_time__s": None,
            **more,
        }
        self.roles.append(role)
        return role

    def add_user(
        self, first_name: str | None, last_name: str, *, profile: str = "Administrator", **more: Any
    ) -> dict[str, Any]:
        """status: active, inactive, disabled or deleted; any other key of Zoho's users may be given."""
        held = next(row for row in self.profiles if row["name"] == profile)
        wanted = more.pop("role", self.roles[0]["name"])
        role = next(row for row in self.roles if row["name"] == wanted)
        now = self._org.now()
        user = {
            **_PERSON,
            "id": self._org.new_id(),
            "zuid": str(60_000_000_000 + len(self.users)),
            "first_name": first_name,
            "last_name": last_name,
            "full_name": f"{first_name} {last_name}" if first_name else last_name,
            "email": f"user{len(self.users)}@example.com",
            "role": {"name": role["name"], "id": role["id"]},
            "profile": {"name": held["name"], "id": held["id"]},
            "time_zone": self.time_zone,
            "created_time": now,
            "Modified_Time": now,
            **more,
        }
        user["offset"] = _milliseconds(now, str(user["time_zone"]))
        self.users.append(user)
        self._by_id[str(user["id"])] = user
        return user

    def edit_user(self, user_id: str, **values: Any) -> None:
        """Change a user, its status too; Modified_Time becomes now."""
        self._by_id[user_id].update({"Modified_Time": self._org.now(), **values})

    def add_currency(self, iso_code: str, name: str, exchange_rate: str, **more: Any) -> dict[str, Any]:
        """The first one is the home currency; with it, multi-currency is on."""
        now = self._org.now()
        currency = {
            "symbol": iso_code,
            "created_time": now,
            "is_active": True,
            "exchange_rate": exchange_rate,
            "format": {"decimal_separator": "Period", "thousand_separator": "Comma", "decimal_places": "2"},
            "created_by": self.me,
            "prefix_symbol": True,
            "is_base": not self.currencies,
            "modified_time": now,
            "name": name,
            "modified_by": self.me,
            "id": self._org.new_id(),
            "iso_code": iso_code,
            **more,
        }
        self.currencies.append(currency)
        return currency

    def add_territory(self, name: str, reporting_to: str | None = None, **more: Any) -> dict[str, Any]:
        parents = ({"name": row["name"], "id": row["id"]} for row in self.territories)
        now = self._org.now()
        territory = {
            "created_time": now,
            "permission_type": "read_only",
            "modified_time": now,
            "manager": self.me,
            "reporting_to": next((row for row in parents if row["name"] == reporting_to), None),
            "modified_by": self.me,
            "description": None,
            "api_name": name.replace(" ", "_"),
            "created_by": self.me,
            "name": name,
            "id": self._org.new_id(),
            **more,
        }
        self.territories.append(territory)
        return territory

    def add_variable(self, api_name: str, type: str, value: Any, group: str = "General") -> dict[str, Any]:
        variable = {
            "id": self._org.new_id(),
            "api_name": api_name,
            "name": api_name.replace("_", " "),
            "type": type,
            "value": value,
            "variable_group": {"api_name": group, "id": str(int(self.user["id"]) + 700_000_000)},
            "description": None,
        }
        self.variables.append(variable)
        return variable

    def add_pipeline(self, layout_id: str, name: str, stages: Sequence[str]) -> dict[str, Any]:
        """Stages in their order, as (display and actual) values of the module's Stage."""
        pipeline = {
            "display_value": name,
            "default": not self.pipelines.get(layout_id),
            "maps": [
                {
                    "display_value": stage,
                    "sequence_number": place,
                    "forecast_category": {"name": "Pipeline", "id": str(int(layout_id) + 800_000_000)},
                    "actual_value": stage,
                    "id": self._org.new_id(),
                    "forecast_type": "Open",
                }
                for place, stage in enumerate(stages, start=1)
            ],
            "actual_value": name,
            "id": self._org.new_id(),
        }
        self.pipelines.setdefault(layout_id, []).append(pipeline)
        return pipeline

    def describe(self) -> dict[str, Any]:
        """The org answer."""
        licence = {
            "paid_expiry": None,
            "users_license_purchased": len(self.users),
            "portal_users_license_purchased": 0,
            "trial_type": None,
            "trial_expiry": None,
            "trial_action": None,
            "paid": True,
            "paid_type": "enterprise",
            **self.license,
        }
        return {
            **_ORG,
            "id": self.org_id,
            "zgid": self.zgid,
            "domain_name": f"org{self.zgid}",
            "company_name": self.company_name,
            "time_zone": self.time_zone,
            "mc_status": bool(self.currencies),
            "primary_email": self.user["email"],
            "primary_zuid": self.user["zuid"],
            "license_details": licence,
            "created_time": self.user["created_time"],
            **self.org_values,
        }


def _milliseconds(now: datetime, time_zone: str) -> int:
    offset = now.astimezone(ZoneInfo(time_zone)).utcoffset() or timedelta()
    return int(offset.total_seconds() * 1000)


_PERSON: dict[str, Any] = {
    "status": "active", "confirm": True, "type__s": "Regular User", "status_reason__s": None,
    "alias": None, "phone": None, "mobile": None, "fax": None, "dob": None, "website": None,
    "street": None, "city": None, "state": None, "zip": None, "country": None, "country_locale": "en_US",
    "locale": "en_US", "language": "en_US", "date_format": "MMM d, yyyy", "time_format": "hh:mm a",
    "decimal_separator": "Period", "number_separator": "Comma",
    "name_format__s": "Salutation,First Name,Last Name", "sort_order_preference__s": "First Name,Last Name",
    "microsoft": False, "personal_account": False, "Isonline": False, "sandboxDeveloper": False,
    "created_by": None, "Modified_By": None, "Reporting_To": None, "signature": None,
    "default_tab_group": None, "theme": None, "customize_info": None,
    "$current_shift": None, "$next_shift": None, "$shift_effective_from": None,
}  # fmt: skip
_ORG: dict[str, Any] = {
    "type": "production", "currency": "US Dollar", "iso_code": "USD", "currency_symbol": "$",
    "currency_locale": "en_US", "country_code": "US", "country": "US", "gapps_enabled": False,
    "translation_enabled": False, "privacy_settings": False, "hipaa_compliance_enabled": False,
    "lite_users_enabled": False, "employee_count": "100", "photo_id": None, "zia_portal_id": None,
    "deletable_org_account": False, "hierarchy_preferences": {"type": "Role_Hierarchy"},
    "street": None, "city": None, "state": None, "zip": None, "phone": None, "mobile": None, "fax": None,
    "website": None, "description": None, "alias": None, "max_per_page": 200, "oauth_presence": True,
}  # fmt: skip
