"""The account: its users, profiles, roles and other settings, as rows in Zoho's own keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
        self.currencies: list[dict[str, Any]] = []
        """Empty: multi-currency is off, and the call answers 403."""
        self.territories: list[dict[str, Any]] = []
        self.variables: list[dict[str, Any]] = []
        self.pipelines: dict[str, list[dict[str, Any]]] = {}
        """Layout id -> pipelines."""
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
        for user in self.users:
            if user["id"] == user_id:
                return str(user["full_name"])
        return None

    def email_of(self, user_id: str) -> str | None:
        for user in self.users:
            if user["id"] == user_id:
                return str(user["email"])
        return None

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
        role = self.roles[0]
        held = next(row for row in self.profiles if row["name"] == profile)
        id = self._org.new_id()
        full_name = f"{first_name} {last_name}" if first_name else last_name
        user = {
            "id": id,
            "zuid": str(60_000_000_000 + len(self.users)),
            "first_name": first_name,
            "last_name": last_name,
            "full_name": full_name,
            "email": f"user{len(self.users)}@example.com",
            "role": {"name": role["name"], "id": role["id"]},
            "profile": {"name": held["name"], "id": held["id"]},
            "status": "active",
            "confirm": True,
            "time_zone": self.time_zone,
            "created_time": self._org.now(),
            "Modified_Time": self._org.now(),
            **more,
        }
        self.users.append(user)
        return user
