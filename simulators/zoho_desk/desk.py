"""What a help desk holds: tickets with their comments and threads, contacts, accounts, agents and settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from ..core.rows import Row, RowService
from ..zoho_crm.clock import Clock
from ..zoho_crm.exceptions import Refusal, refuse, unmodelled
from ..zoho_crm.routes import Request
from ..zoho_crm.rules import Rules
from ..zoho_crm.service import Service
from .quirks import DeskQuirks


@dataclass(frozen=True)
class Kind:
    """Columns, in the order in which the API shows them; `detail` are those that a list leaves out."""

    columns: tuple[str, ...]
    detail: tuple[str, ...] = ()
    sorts: tuple[str, ...] = ()
    limit: int = 100
    default: int = 10
    modified: bool = True
    """Whether it has modifiedTime at all."""


TIMES = ("createdTime", "modifiedTime")
KINDS = {
    # A list of tickets has neither modifiedTime nor description: Zoho's OpenAPI files, listviewJson.
    "tickets": Kind(
        (
            "ticketNumber", "subject", "description", "status", "statusType", "priority", "channel", "channelCode",
            "category", "subCategory", "classification", "language", "email", "phone", "departmentId", "contactId",
            "accountId", "productId", "assigneeId", "teamId", "layoutId", "dueDate", "responseDueDate", "closedTime",
            "onholdTime", "customerResponseTime", "lockedTime", "commentCount", "threadCount", "taskCount",
            "attachmentCount", "timeEntryCount", "approvalCount", "isSpam", "isArchived", "isEscalated", "isOverDue",
            "resolution", "sentiment", "source", "webUrl", "cf",
        ),
        detail=(
            "modifiedTime", "description", "classification", "resolution", "cf", "taskCount", "attachmentCount",
            "timeEntryCount", "approvalCount", "isEscalated", "isOverDue",
        ),
        sorts=("createdTime",),
    ),
    "contacts": Kind(
        (
            "firstName", "lastName", "email", "secondaryEmail", "phone", "mobile", "type", "title", "accountId",
            "ownerId", "street", "city", "state", "zip", "country", "description", "twitter", "facebook", "isSpam",
            "isEndUser", "webUrl", "cf",
        ),
        detail=("description", "street", "state", "zip", "title", "modifiedTime"),
        sorts=("firstName", "lastName", "phone", "email", "account", "createdTime", "modifiedTime"),
    ),
    "accounts": Kind(
        (
            "accountName", "code", "email", "phone", "fax", "website", "industry", "annualrevenue", "ownerId",
            "street", "city", "state", "country", "description", "associatedSLAIds", "webUrl", "cf",
        ),
        detail=("description", "annualrevenue", "street", "city", "state", "country", "modifiedTime"),
        sorts=("accountName", "phone", "email", "createdTime", "modifiedTime"),
    ),
    "agents": Kind(
        (
            "firstName", "lastName", "name", "emailId", "status", "rolePermissionType", "roleId", "profileId",
            "associatedDepartmentIds", "timeZone", "phone", "mobile", "langCode", "isConfirmed", "isLightAgent",
            "photoURL", "zuid",
        ),
        limit=200,
        modified=False,
    ),
    "departments": Kind(
        (
            "name", "nameInCustomerPortal", "description", "isEnabled", "isDefault", "isVisibleInCustomerPortal",
            "isAssignToTeamEnabled", "hasLogo", "creatorId", "sanitizedName", "chatStatus",
        ),
        limit=200,
        modified=False,
    ),
    "products": Kind(
        (
            "productName", "productCode", "productCategory", "manufacturer", "unitPrice", "description",
            "departmentIds", "ownerId", "layoutId", "createdBy", "modifiedBy", "cf",
        ),
        sorts=tuple(
            sign + name
            for sign in ("", "-")
            for name in ("productName", "productCode", "unitPrice", *TIMES)
        ),
    ),
    "tasks": Kind(
        (
            "subject", "description", "status", "priority", "category", "dueDate", "completedTime", "departmentId",
            "ticketId", "contactId", "ownerId", "teamId", "creatorId", "isCommented", "webUrl", "cf",
        ),
        detail=("description", "modifiedTime"),
        sorts=("dueDate", *TIMES),
    ),
    "comments": Kind(
        ("content", "contentType", "isPublic", "commenterId", "commenter", "attachments", "encryptedContent"),
        sorts=("commentedTime", "-commentedTime"),
    ),
    "threads": Kind(  # its limit is 200, unlike that of most kinds
        (
            "channel", "direction", "status", "summary", "content", "contentType", "fromEmailAddress", "to", "cc",
            "bcc", "author", "visibility", "isForward", "hasAttach", "attachmentCount", "attachments", "plainText",
        ),
        detail=("content", "contentType", "attachments", "plainText"),
        sorts=("sendDateTime", "-sendDateTime"),
        limit=200,
    ),
}  # fmt: skip
# Desk's own code, status and words for what the server refuses.
ERRORS = {
    "AUTHENTICATION_FAILURE": (401, "UNAUTHORIZED", "You are not authenticated to perform this operation."),
    "INVALID_TOKEN": (401, "INVALID_OAUTH", "The OAuth Token you provided is invalid."),
    "OAUTH_SCOPE_MISMATCH": (
        403, "SCOPE_MISMATCH", "The OAuth Token does not contain the scope to perform this operation.",
    ),
    "NO_PERMISSION": (403, "FORBIDDEN", "You are not authorized to access this resource."),
    "TOO_MANY_REQUESTS": (
        429, "TOO_MANY_REQUESTS", "You have made too many requests at one time. Please try again later.",
    ),
    "INTERNAL_ERROR": (
        500, "INTERNAL_SERVER_ERROR", "An internal server error occurred while performing this operation.",
    ),
}  # fmt: skip


class Desk(RowService):
    """An empty help desk of one organisation."""

    kind = "desk"
    kinds = tuple(KINDS)
    first_id = 145_000_000_000_000_001
    quirks: DeskQuirks

    def __init__(
        self,
        rules: Rules | None = None,
        quirks: DeskQuirks | None = None,
        clock: Clock | None = None,
        account: Service | None = None,
    ) -> None:
        # Zoho's page on API limits: 10 calls at once in the Standard edition.
        super().__init__(rules or Rules(concurrency=10), quirks or DeskQuirks(), clock, account)
        self.org_id = "730000001"
        self.organizations: list[dict[str, Any]] = [
            {
                "id": self.org_id, "companyName": self.company_name, "portalName": "example",
                "organizationName": "example", "alias": None, "edition": "ENTERPRISE", "isDefault": True,
                "isAdminInOrg": True, "isSandboxPortal": False, "currencyCode": "USD", "currencySymbol": "$",
                "currencyLocale": "en_US", "primaryContact": "ada@example.com", "website": None, "country": None,
                "portalURL": "https://example.invalid/portal/example", "logoURL": None,
            }
        ]  # fmt: skip

    def admit(self, request: Request) -> None:
        super().admit(request)
        if request.path.rstrip("/") == "/api/v1/organizations":
            return
        org_id = request.headers.get("orgid")
        if org_id is None and self.quirks.org_id_in_query:
            org_id = request.query.get("orgId")
        elif "orgId" in request.query:
            unmodelled("orgId in the query: Zoho's page wants a header (the quirk org_id_in_query allows it)")
        if org_id is None and self.quirks.missing_org_id == "default":
            return
        if org_id is None:
            refuse(422, "UNPROCESSABLE_ENTITY", "The header 'orgId' is missing.")
        if org_id not in {organization["id"] for organization in self.organizations}:
            refuse(403, "OAUTH_ORG_MISMATCH", "The OAuthToken is not valid for specified organization")

    def check_limits(self, request: Request, cost: int) -> None:
        limit = self.rules.daily_credits
        if limit is not None and self.credits_of_a_day() + cost > limit:
            refuse(429, "THRESHOLD_EXCEEDED", "You have exceeded the API credits of your organization.")

    def credits_of_a_day(self) -> int:
        """Desk's day is one of the calendar: the credits come back at midnight, here that of UTC."""
        midnight = self.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        return self.ledger.credits_since(midnight - timedelta(microseconds=1), self.kind)

    def credit_headers(self, cost: int) -> dict[str, str]:
        limit = self.rules.daily_credits
        left = (
            {}
            if limit is None
            else {"X-Rate-Limit-Remaining-v3": str(max(limit - self.credits_of_a_day(), 0))}
        )
        return {"X-Rate-Limit-Request-Weight-v3": str(cost), **left}

    def retry_after(self, refusal: Refusal) -> int | None:
        """Only where the day's credits are used up."""
        if refusal.code != "THRESHOLD_EXCEEDED":
            return None
        now = self.clock.now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return int((midnight - now).total_seconds())

    def error(self, refusal: Refusal) -> tuple[int, Any]:
        """`{"errorCode": "...", "message": "..."}`."""
        if "param_name" in refusal.details:
            name = refusal.details["param_name"]
            code, message = (
                "UNPROCESSABLE_ENTITY",
                f"The value passed for the '{name}' query parameter is invalid.",
            )
            return 422, {"errorCode": code, "message": message}
        status, code, message = ERRORS.get(refusal.code, (refusal.status, refusal.code, refusal.message))
        return status, {"errorCode": code, "message": message}

    # -- rows

    def defaults(self, kind: str) -> dict[str, Any]:
        return dict.fromkeys(KINDS[kind].columns)

    def whole(self, row: Row) -> dict[str, Any]:
        """The row as a call for this one row shows it."""
        times: dict[str, Any] = {"createdTime": row.created}
        if row.kind == "comments":
            times = {"commentedTime": row.created, "modifiedTime": row.modified}
        elif KINDS[row.kind].modified:
            times["modifiedTime"] = row.modified
        if row.kind == "threads":
            times = {"createdTime": row.created}
        return {name: shown(value) for name, value in {"id": row.id, **row.values, **times}.items()}

    def listed(self, row: Row) -> dict[str, Any]:
        """The row as a list shows it: without the columns that only a single row has."""
        left_out = KINDS[row.kind].detail
        return {name: value for name, value in self.whole(row).items() if name not in left_out}

    def add_comment(self, ticket_id: str, content: str, **values: Any) -> str:
        """A comment counts in its ticket, and modifies it."""
        return self._add_to(ticket_id, "comments", "commentCount", {"content": content, **values})

    def add_thread(self, ticket_id: str, **values: Any) -> str:
        return self._add_to(ticket_id, "threads", "threadCount", values)

    def _add_to(self, ticket_id: str, kind: str, counter: str, values: dict[str, Any]) -> str:
        with self.lock:
            held = self.tables["tickets"][ticket_id].values
            held[counter] = str(int(held.get(counter) or 0) + 1)
            self.edit("tickets", ticket_id)
            return self.insert(kind, values, parent=ticket_id)

    def found_by_search(self, kind: str) -> list[Row]:
        """The rows that a search knows: those whose last change is older than the lag."""
        latest = self.clock.now() - timedelta(seconds=self.quirks.search_lag_seconds)
        return [row for row in self.rows(kind) if row.modified <= latest]


def shown(value: Any) -> Any:
    """Times as `2026-03-02T09:00:00.000Z`: Desk writes UTC and milliseconds."""
    if not isinstance(value, datetime):
        return value
    return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
