"""The count of a module's records: all of them, or those that meet a criteria.

A criteria is that of Zoho's search: `((Stage:equals:Won)and(Modified_Time:greater_than:...))`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from ..crm.columns import Column, Columns, RefusedColumn, UnknownColumn
from ..crm.comparison import Predicate, combined, predicate, read_literal
from ..crm.models import Field, Module, Record
from ..crm.org import Org
from ..exceptions import refuse, unmodelled
from ..generated.module import Generated, Span, need_edited_only
from ..routes import Answer, Request, ok, route
from .records import module_of

COMPARATORS = {
    "equals": "equal",
    "not_equal": "not_equal",
    "greater_than": "greater_than",
    "greater_equal": "greater_equal",
    "less_than": "less_than",
    "less_equal": "less_equal",
    "between": "between",
    "in": "in",
}
ORDERED = tuple(COMPARATORS)
# `equals` of a text behaves as contains, says Zoho's page, and how it splits words is not documented.
MODELLED = {
    "number": ORDERED,
    "date": ORDERED,
    "datetime": ORDERED,
    "boolean": ("equals", "not_equal"),
    "lookup": ("equals", "not_equal", "in"),
}
PICKLIST = ("equals", "not_equal", "in")
CONDITION = re.compile(r"\(([\w$.]+):([a-z_]+):((?:[^()\\]|\\.)*)\)")
CONDITION_NAME = re.compile(r"\(([\w$.]+):")
COMMA = re.compile(r"(?<!\\),")
WORD = re.compile(r"(and|or)(?=\()", re.IGNORECASE)


@route(
    "GET",
    "/crm/v8/{module}/actions/count",
    params="criteria converted approved",
    scopes="ZohoCRM.modules.READ ZohoSearch.securesearch.READ",
    authority="documented; without `converted` and `approved` it leaves such records out: documented for v7",
)
def count_records(org: Org, request: Request, module: str) -> Answer:
    known = module_of(org, module)
    counts = wanted(org, request)
    criteria = request.query.get("criteria")
    if known.generated is not None and criteria is None:
        return ok(count=known.generated.rows)
    records = [record for record in org.counted(module) if counts(record)]
    if criteria is not None:
        passes = CriteriaReader(criteria, Columns(org, known, never), org.quirks.search_criteria).read()
        if isinstance(known.generated, Generated) and (span := created_span(criteria)) is not None:
            return ok(count=known.generated.count(span))
        need_edited_only(known, CONDITION_NAME.findall(criteria), passes)
        records = [record for record in records if passes(record)]
    return ok(count=len(records))


def created_span(criteria: str) -> Span | None:
    """What one condition says of Created_Time; None for any other criteria."""
    match = CONDITION.fullmatch(criteria)
    return Span.of([(match[1], match[2], match[3])]) if match and match[1] == "Created_Time" else None


def never(module: Module, field: Field) -> bool:
    return False


def wanted(org: Org, request: Request) -> Callable[[Record], bool]:
    """The test for the records that a count means: by default no converted ones, and only approved ones."""
    named = [name for name in ("converted", "approved") if name in request.query]
    if named and org.quirks.count_parameters == "refused":
        refuse(400, "INVALID_DATA", param_name=named[0])
    converted = request.one_of("converted", ("false", "true", "both"), "false")
    approved = request.one_of("approved", ("true", "false", "both"), "true")
    if org.quirks.count_parameters == "ignored":
        converted, approved = "false", "true"

    def counts(record: Record) -> bool:
        return converted in ("both", str(record.converted).lower()) and approved in (
            "both",
            str(record.approved).lower(),
        )

    return counts


@dataclass
class CriteriaReader:
    """Reads one criteria from left to right."""

    text: str
    columns: Columns
    limit: int
    at: int = 0
    count: int = 0

    def read(self) -> Predicate:
        found = self.chain()
        if self.at < len(self.text):
            invalid("criteria")
        return found

    def chain(self) -> Predicate:
        """Parts in brackets, joined by one word; whether `and` or `or` binds closer is not documented."""
        parts, words = [self.part()], set[str]()
        while match := WORD.match(self.text, self.at):
            words.add(match.group().lower())
            self.at = match.end()
            parts.append(self.part())
        if len(words) > 1:
            unmodelled("criteria: `and` and `or` side by side, without brackets")
        return combined(words.pop(), parts) if words else parts[0]

    def part(self) -> Predicate:
        match = CONDITION.match(self.text, self.at)
        if match:
            self.at = match.end()
            return self.condition(*match.groups())
        if not self.take("("):
            invalid("criteria")
        inner = self.chain()
        if not self.take(")"):
            invalid("criteria")
        return inner

    def take(self, sign: str) -> bool:
        found = self.text.startswith(sign, self.at)
        self.at += len(sign) * found
        return found

    def condition(self, name: str, comparator: str, value: str) -> Predicate:
        self.count += 1
        if self.count > self.limit:
            refuse(400, "CRITERIA_LIMIT_EXCEEDED", param_name="criteria", limit=self.limit)
        column = self.column(name)
        if comparator not in modelled(column):
            unmodelled(f"criteria: {comparator!r} on the {column.field.data_type} {name!r}")
        several = comparator in ("in", "between")
        values = [unescaped(part) for part in (COMMA.split(value) if several else [value])]
        if comparator == "between" and len(values) != 2 or not all(values):
            invalid(name)
        try:
            given = [read_literal(column.kind, text) for text in values]
        except ValueError:
            invalid(name)
        return predicate(column.comparable, COMPARATORS[comparator], given)

    def column(self, name: str) -> Column:
        try:
            return self.columns.find_flag(name)
        except (UnknownColumn, RefusedColumn):
            invalid(name)


def modelled(column: Column) -> tuple[str, ...]:
    return PICKLIST if column.field.data_type == "picklist" else MODELLED.get(column.kind, ())


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text).strip()


def invalid(name: str) -> NoReturn:
    refuse(400, "INVALID_QUERY", "invalid query formed", api_name=name, param_name="criteria")
