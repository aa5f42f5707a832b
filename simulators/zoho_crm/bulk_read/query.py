"""What a Bulk Read job is asked for: the request's body, checked rule by rule, or a page token that stands for it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..crm.columns import APPROVAL, Column, Columns, RefusedColumn, UnknownColumn
from ..crm.comparison import Predicate, combined
from ..crm.models import Field, Module
from ..exceptions import refuse, unmodelled
from ..generated.module import OF_ALL, Span
from ..oauth.scopes import need_scope
from ..routes import Request
from .criteria import compile_criteria, named_fields, with_ids

if TYPE_CHECKING:
    from ..crm.org import Org

REFUSED_TYPES = frozenset(
    {"subform", "multiselectlookup", "multiuserlookup", "fileupload", "imageupload", "territories"}
)
# The parts of an address that settings/fields lists and Bulk Read refuses; Mailing_Coordinates and so on too.
PLACES = ("Coordinates", "nearby_distance__s", "Latitude__s", "Longitude__s")
LAST_PAGE = 50
KEY = "bulk "  # before a token, apart from those of the Records API
# In no field metadata, yet in an archive of all fields: a connector in production met such columns.
UNLISTED = Column(
    "Change_Log_Time__s", Field("Change_Log_Time__s", "datetime"), lambda record: record.modified
)


@dataclass(frozen=True)
class BulkQuery:
    """A checked query; `test` passes the records that belong into the file."""

    module: Module
    columns: tuple[Column, ...]
    test: Predicate
    named: frozenset[str]
    """What the criteria name."""
    echo: dict[str, Any]
    """The query as job details repeat it."""

    @property
    def page(self) -> int:
        return int(self.echo["page"])

    @property
    def of_all(self) -> bool:
        """Whether all rows of a generated module can be tested without making them."""
        return self.named <= OF_ALL

    @property
    def created(self) -> Span:
        """What the criteria say of Created_Time, where all of them must hold; else the generated rows cannot tell."""
        criteria = self.echo.get("criteria")
        if criteria is None:
            return Span()
        parts = [criteria]
        while any(_is_all_of(part) for part in parts):
            parts = [inner for part in parts for inner in (part["group"] if _is_all_of(part) else [part])]
        if any("group" in part and "Created_Time" in named_fields(part) for part in parts):
            unmodelled("Bulk Read: Created_Time in a generated module, joined by `or`")
        plain = (part for part in parts if "group" not in part)
        return Span.of((p["field"]["api_name"], p["comparator"], p["value"]) for p in plain)

    def next_page(self) -> BulkQuery:
        return replace(self, echo={**self.echo, "page": self.page + 1})


def _is_all_of(criteria: dict[str, Any]) -> bool:
    return str(criteria.get("group_operator", "")).lower() == "and"


@dataclass(frozen=True)
class PageToken:
    query: BulkQuery
    expires: datetime


def give_token(org: Org, query: BulkQuery) -> str:
    token = hashlib.sha384(org.new_id().encode()).hexdigest()
    expires = org.now() + timedelta(hours=org.rules.bulk_page_token_hours)
    org.page_tokens[KEY + token] = PageToken(query.next_page(), expires)
    return token


def module_of_body(org: Org, request: Request, _: dict[str, str]) -> str | None:
    """The module that a body names, or that its token stands for, before anything of it is checked."""
    try:
        query = json.loads(request.body)["query"]
        token = org.page_tokens.get(f"{KEY}{query.get('page_token')}")
        return token.query.module.api_name if token else str(query["module"]["api_name"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def read_body(org: Org, request: Request) -> BulkQuery:
    if not request.headers.get("content-type", "").startswith("application/json"):
        refuse(415, "MEDIA_TYPE_NOT_SUPPORTED")
    if not request.body.strip():
        refuse(400, "REQUEST_BODY_IS_EMPTY")
    try:
        body = json.loads(request.body)
    except ValueError:
        refuse(400, "REQUEST_BODY_NOT_READABLE")
    query = body.get("query") if isinstance(body, dict) else None
    if not isinstance(query, dict):
        refuse(400, "INVALID_REQUEST", api_name="query")
    if "page_token" in query:
        return of_token(org, request, body)
    check_keys(body, query)
    module = find_module(org, request, query.get("module"))
    return checked(org, module, query)


def of_token(org: Org, request: Request, body: dict[str, Any]) -> BulkQuery:
    """A token carries module, fields and criteria: the body holds nothing else."""
    query = body["query"]
    if set(body) != {"query"} or set(query) != {"page_token"}:
        refuse(400, "QUERY_NOT_SUPPORTED", api_name="page_token")
    token = org.page_tokens.get(KEY + query["page_token"]) if isinstance(query["page_token"], str) else None
    if not isinstance(token, PageToken):
        refuse(400, "INVALID_DATA", api_name="page_token")
    if token.expires <= org.now():
        status, code = org.quirks.bulk_expired_token
        refuse(status, code, api_name="page_token")
    need_scope(request, "ZohoCRM.modules.READ", org.scope_words(token.query.module.api_name))
    return token.query


def check_keys(body: dict[str, Any], query: dict[str, Any]) -> None:
    if "callback" in body or body.get("file_type", "csv") == "ics" or "cvid" in query:
        unmodelled("Bulk Read: callback, cvid and file_type ics")
    if body.get("file_type", "csv") != "csv":
        refuse(400, "INVALID_DATA", api_name="file_type")
    strange = set(body) - {"query", "file_type"} | set(query) - {"module", "fields", "page", "criteria"}
    if strange:
        unmodelled(f"Bulk Read: the keys {sorted(strange)}")
    page = query.get("page", 1)
    if isinstance(page, bool) or not isinstance(page, int) or page < 1:
        refuse(400, "INVALID_DATA", api_name="page", expected_data_type="integer")
    if page > LAST_PAGE:
        refuse(400, "PAGE_RANGE_EXCEEDED", max_limit=LAST_PAGE)


def find_module(org: Org, request: Request, named: Any) -> Module:
    """Since v2.1 a module is named by an object; Zoho tells an unknown module from one it does not read."""
    name = named.get("api_name") if isinstance(named, dict) else None
    if not isinstance(name, str):
        refuse(400, "INVALID_DATA", api_name="module", expected_data_type="jsonobject")
    module = org.modules.get(name)
    if module is None or not module.api_supported or module.invalid_module:
        refuse(400, "MODULE_NOT_AVAILABLE", api_name=name, module=name, reason="the module is not available")
    need_scope(request, "ZohoCRM.modules.READ", org.scope_words(name))
    if module.scope_mismatch:
        refuse(401, "OAUTH_SCOPE_MISMATCH")
    if module.no_permission or not module.viewable:
        refuse(org.quirks.no_permission_status, "NO_PERMISSION", permissions=[f"Crm_Implied_View_{name}"])
    linking = module.generated_type == "linking" and not org.quirks.bulk_linking_modules
    if not module.bulk_supported or name in org.quirks.bulk_modules_refused or linking:
        refuse(400, "MODULE_NOT_SUPPORTED", api_name=name, module=name)
    return module


def checked(org: Org, module: Module, query: dict[str, Any]) -> BulkQuery:
    def refuses(module: Module, field: Field) -> bool:
        place = org.quirks.bulk_refuses_address_fields and is_place(field)
        return place or field.data_type in REFUSED_TYPES or field.api_name in module.refused_by_bulk

    columns = Columns(org, module, refuses)
    found = find_columns(org, columns, query)
    echo = {"module": {"id": module.id, "api_name": module.api_name}, "page": query.get("page", 1)}
    if "fields" in query:
        echo["fields"] = query["fields"]
    criteria, named = query.get("criteria"), set[str]()
    tests: list[Predicate] = []
    if "criteria" in query:
        tests.append(compile_criteria(criteria, columns, org.rules))
        named = named_fields(criteria)
        echo["criteria"] = with_ids(criteria, columns)
    if org.quirks.bulk_hides_converted and not named & {"$converted", "Converted__s"}:
        tests.append(lambda record: not record.converted)
    if org.quirks.bulk_hides_unapproved and not named & APPROVAL.keys():
        tests.append(lambda record: record.approved)
    parents = history_parents(module) if org.quirks.bulk_drops_orphans else []
    if parents:
        tests.append(lambda record: any(record.values.get(name) for name in parents))
    return BulkQuery(module, tuple(found), combined("and", tests), frozenset(named), echo)


def history_parents(module: Module) -> list[str]:
    """The lookups by which a history's rows hang on their record."""
    if module.generated_type != "field_tracker":
        return []
    return [field.api_name for field in module.fields if field.lookup_module == module.parent_module]


def is_place(field: Field) -> bool:
    return field.data_type == "address" or field.api_name.endswith(PLACES)


def find_columns(org: Org, columns: Columns, query: dict[str, Any]) -> list[Column]:
    """The columns asked for, or all that the API reads; `id` comes by itself, under a name of its own."""
    if "fields" not in query:
        return every_column(columns)
    fields, cap = query["fields"], org.quirks.bulk_field_cap
    well_formed = isinstance(fields, list) and all(isinstance(name, str) for name in fields)
    if not well_formed or not fields or len(set(fields)) < len(fields):
        refuse(400, "INVALID_DATA", api_name="fields", expected_data_type="jsonarray")
    if cap is not None and len(fields) > cap:
        refuse(400, "LIMIT_EXCEEDED", api_name="fields", limit=cap)
    found = [find_column(columns, name) for name in fields if name != "id"]
    return every_column(columns) if len(fields) > org.rules.bulk_fields else found


def every_column(columns: Columns) -> list[Column]:
    """All that the API reads: where no fields are named, and where more are named than a job takes."""
    readable = [field for field in columns.module.readable_fields if field.api_name != "id"]
    found = [columns.find(field.api_name) for field in readable if not columns.refuses(columns.module, field)]
    unlisted = [] if columns.module.field(UNLISTED.path) or columns.module.generated else [UNLISTED]
    return found + unlisted


def find_column(columns: Columns, name: str) -> Column:
    try:
        return columns.find_flag(name)
    except UnknownColumn:
        refuse(400, "FIELD_NOT_AVAILABLE", api_name=name)
    except RefusedColumn:
        refuse(400, "FIELD_NOT_SUPPORTED", api_name=name)
