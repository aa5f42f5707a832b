"""The services of Zoho that this source reads, and all in which they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from . import limits

COUNT_SCOPE = (
    "ZohoSearch.securesearch.READ"  # of no service alone: the count of a module's records asks for it
)


@dataclass(frozen=True)
class Service:
    """One service: where its API lies, what its scopes are called, what it limits and what it does not have."""

    name: str  # as the setting `Service` has it
    product: str
    root: str  # `{api_domain}/{root}/{version}/...`
    version: str
    prefix: str  # of its scopes, and of the organisation in client credentials
    dataset: str  # the default, and the default name of the pipeline
    deals: str  # the module whose layouts have pipelines
    pipelines: str  # our table of these pipelines
    coql_pages: tuple[int, ...]  # LIMITs to choose from, each cheaper than the next
    deleted_credits: int
    all_records: Mapping[str, str]  # what a list is asked with, so that it leaves nothing out
    credits: Mapping[str, tuple[int, int, int | None]]  # a day, by edition: base, for each user, ceiling
    lacks: Mapping[str, str] = field(default_factory=dict)  # our tables that it cannot fill, and why
    undocumented: frozenset[str] = frozenset()  # our tables whose call Zoho documents for other services only

    def scope(self, part: str) -> str:
        """`ZohoCRM.bulk.READ` of `bulk.READ`."""
        return f"{self.prefix}.{part}"

    def credits_a_day(self, edition: str | None, licenses: int | None) -> int | None:
        """By Zoho's published formula, as no call tells it; None for an edition that the formula does not name."""
        known = self.credits.get("".join(letter for letter in (edition or "").casefold() if letter.isalnum()))
        if known is None or (licenses is None and known[1]):
            return None
        base, each, ceiling = known
        credits = base + each * (licenses or 0)
        return credits if ceiling is None else min(credits, ceiling)

    @property
    def scopes(self) -> tuple[str, ...]:
        """What a sync reads; asked for when the setting `Scope` is not given."""
        parts = ("modules", "settings", "users", "org", "bulk", "coql")
        return (*(self.scope(f"{part}.READ") for part in parts), COUNT_SCOPE)


CRM = Service(
    name="CRM",
    product="Zoho CRM",
    root="crm",
    version="v8",
    prefix="ZohoCRM",
    dataset="zoho_crm",
    deals="Deals",
    pipelines="pipelines",
    coql_pages=limits.COQL_PAGES,
    deleted_credits=2,
    all_records={"converted": "both", "approved": "both"},
    credits={
        "free": (5_000, 0, 5_000),
        "standard": (50_000, 250, 100_000),
        "starter": (50_000, 250, 100_000),
        "professional": (50_000, 500, 3_000_000),
        "enterprise": (50_000, 1_000, 5_000_000),
        "zohoone": (50_000, 1_000, 5_000_000),
        "ultimate": (50_000, 2_000, None),
        "crmplus": (50_000, 2_000, None),
    },
)
# Bigin's developer documentation, v2: its deals are the module Pipelines, whose layouts are the team pipelines; a COQL
# query brings 200 records; of settings it names modules, fields, layouts, roles, profiles and tags. Its API limits:
# 1 credit a call, but for Bulk Read.
BIGIN = Service(
    name="Bigin",
    product="Zoho Bigin",
    root="bigin",
    version="v2",
    prefix="ZohoBigin",
    dataset="zoho_bigin",
    deals="Pipelines",
    pipelines="sub_pipelines",
    coql_pages=(200,),
    deleted_credits=1,
    all_records={"approved": "both"},  # it has no leads, so nothing is converted
    credits={
        "free": (5_000, 0, 5_000),
        **dict.fromkeys(("express", "premier", "bigin360", "zohoone"), (50_000, 250, 100_000)),
    },
    lacks={
        "territories": "Bigin has no territories",
        "audit_log": "Zoho documents no export of Bigin's audit log",
    },
    undocumented=frozenset({"currencies", "sub_pipelines"}),
)
SERVICES: Mapping[str, Service] = {service.name: service for service in (CRM, BIGIN)}
