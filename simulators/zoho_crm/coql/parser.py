"""The grammar of COQL as far as it is simulated: a query's text becomes a `Query`, or a refusal in Zoho's words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NoReturn

from ..exceptions import unmodelled

AGGREGATES = ("SUM", "MAX", "MIN", "AVG", "COUNT")
RESERVED = frozenset(
    ("select", "from", "where", "group", "order", "by", "limit", "offset", "having", "as", "asc", "desc")
    + ("and", "or", "not", "in", "like", "between", "is", "null")
)
DEEPEST = 100
TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?(?![\w.]))"
    r"|(?P<word>[$!]?[^\W\d][\w$.]*(?:\#\d+)?)|(?P<symbol><=|>=|!=|[=<>(),]))"
)


class CoqlError(Exception):
    """A refusal of the query: Zoho's code, message and details."""

    def __init__(self, code: str, message: str = "", **details: Any) -> None:
        super().__init__(code, message, details)
        self.code, self.message, self.details = code, message, details


@dataclass(frozen=True)
class Token:
    kind: str  # text, number, word, symbol, end
    text: str
    at: int


@dataclass(frozen=True)
class Literal:
    text: str
    quoted: bool


@dataclass(frozen=True)
class Column:
    path: str
    function: str = ""
    alias: str = ""

    @property
    def key(self) -> str:
        """The key under which a row of the answer holds this column."""
        return self.alias or (f"{self.function}({self.path})" if self.function else self.path)


@dataclass(frozen=True)
class Comparison:
    column: str
    operator: str
    values: tuple[Literal, ...] = ()


@dataclass(frozen=True)
class Group:
    operator: str
    parts: tuple[Comparison | Group, ...]


@dataclass(frozen=True)
class Query:
    columns: tuple[Column, ...]
    module: str
    where: Comparison | Group
    group_by: tuple[str, ...] = ()
    order_by: tuple[tuple[str, bool], ...] = ()  # column, descending
    limit: int = 200
    offset: int = 0

    @property
    def aggregated(self) -> bool:
        return bool(self.group_by) or any(column.function for column in self.columns)


def comparisons(condition: Comparison | Group) -> list[Comparison]:
    if isinstance(condition, Comparison):
        return [condition]
    return [found for part in condition.parts for found in comparisons(part)]


def tokenize(query: str) -> list[Token]:
    tokens, at, end = [], 0, len(query.rstrip())
    while at < end:
        match = TOKEN.match(query, at)
        if not match or not match.lastgroup:
            raise syntax_error(query, at)
        kind = match.lastgroup
        text = match.group(kind)
        start = match.start(kind)
        tokens.append(Token(kind, text[1:-1].replace("''", "'") if kind == "text" else text, start))
        at = match.end()
    return [*tokens, Token("end", "", end)]


def syntax_error(query: str, at: int) -> CoqlError:
    line = query.count("\n", 0, at) + 1
    column = at - (query.rfind("\n", 0, at) + 1) + 1
    near = query[at : at + 20].strip()
    return CoqlError(
        "SYNTAX_ERROR", "error occurred while parsing the query", line=line, column=column, near=near
    )


def parse(query: str, *, flat_conditions: bool = True) -> Query:
    """Read a query; `flat_conditions` allows `A and B and C`, which Zoho documents as an error but was seen to take."""
    return Parser(query, flat_conditions).query()


class Parser:
    def __init__(self, query: str, flat_conditions: bool) -> None:
        self.text = query
        self.flat_conditions = flat_conditions
        self.tokens = tokenize(query)
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def fail(self) -> NoReturn:
        raise syntax_error(self.text, self.token.at)

    def peek(self, *words: str) -> bool:
        """Whether the next tokens are these keywords or symbols; keywords are read without regard to case."""
        ahead = self.tokens[self.at : self.at + len(words)]
        return len(ahead) == len(words) and all(
            token.kind in ("word", "symbol") and token.text.lower() == word
            for token, word in zip(ahead, words, strict=True)
        )

    def take(self, *words: str) -> bool:
        found = self.peek(*words)
        if found:
            self.at += len(words)
        return found

    def expect(self, *words: str) -> None:
        if not self.take(*words):
            self.fail()

    def clause(self, word: str) -> None:
        if not self.take(word):
            if self.token.kind == "end" or self.token.text.lower() in RESERVED:
                raise CoqlError("SYNTAX_ERROR", "missing clause", clause=word)
            self.fail()

    def name(self) -> str:
        """A column or module: a bare word that is not reserved, or anything in quotes."""
        token = self.token
        bare = token.kind == "word" and token.text.lower() not in RESERVED
        if not bare and not (token.kind == "text" and token.text):
            self.fail()
        if token.text.startswith("!") or "->" in token.text:
            unmodelled(f"COQL: the column form {token.text!r} is not modelled")
        self.at += 1
        return token.text

    def query(self) -> Query:
        self.clause("select")
        columns = [self.column()]
        while self.take(","):
            columns.append(self.column())
        self.clause("from")
        module = self.name()
        if "#" in module:
            unmodelled("COQL: a custom view in the from clause is not modelled")
        self.clause("where")
        where = self.condition()
        group_by = self.names() if self.take("group", "by") else ()
        if self.peek("having"):
            unmodelled("COQL: having is not modelled")
        order_by = self.orders() if self.take("order", "by") else ()
        limit, offset = self.window()
        if self.token.kind != "end":
            self.fail()
        return Query(tuple(columns), module, where, group_by, order_by, limit, offset)

    def column(self) -> Column:
        function = ""
        following = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if self.token.kind == "word" and following.text == "(" and following.kind == "symbol":
            function = self.token.text
            if function not in AGGREGATES:  # upper case matters to Zoho
                self.fail()
            self.at += 2
        path = self.name()
        if function:
            self.expect(")")
        alias = self.name() if self.take("as") else ""
        return Column(path, function, alias)

    def names(self) -> tuple[str, ...]:
        names = [self.name()]
        while self.take(","):
            names.append(self.name())
        return tuple(names)

    def orders(self) -> tuple[tuple[str, bool], ...]:
        orders: list[tuple[str, bool]] = []
        while True:
            name = self.column().key
            descending = self.take("desc")
            if not descending:
                self.take("asc")
            orders.append((name, descending))
            if not self.take(","):
                return tuple(orders)

    def window(self) -> tuple[int, int]:
        """`limit n offset m`, or `limit m, n`."""
        if not self.take("limit"):
            return (200, self.integer()) if self.take("offset") else (200, 0)
        limit = self.integer()
        if self.take(","):
            return self.integer(), limit
        return limit, self.integer() if self.take("offset") else 0

    def integer(self) -> int:
        if self.token.kind != "number" or not self.token.text.isdigit():
            self.fail()
        self.at += 1
        return int(self.tokens[self.at - 1].text)

    def condition(self) -> Comparison | Group:
        parts, operator = [self.term()], ""
        while self.peek("and") or self.peek("or"):
            word = self.token.text.lower()
            flat = self.flat_conditions and word == "and" == operator
            if operator and not flat:  # more than two criteria must be paired by brackets
                self.fail()
            operator = word
            self.at += 1
            parts.append(self.term())
        return Group(operator, tuple(parts)) if operator else parts[0]

    def term(self) -> Comparison | Group:
        if self.take("("):
            if self.peek("select"):
                unmodelled("COQL: sub-queries are not modelled")
            self.depth += 1
            if self.depth > DEEPEST:
                unmodelled(f"COQL: brackets more than {DEEPEST} deep")
            inner = self.condition()
            self.expect(")")
            self.depth -= 1
            return inner
        return self.comparison(self.name())

    def comparison(self, column: str) -> Comparison:
        if self.take("is"):
            negated = self.take("not")
            self.expect("null")
            return Comparison(column, "is not null" if negated else "is null")
        prefix = "not " if self.take("not") else ""
        if self.take("between"):
            low = self.literal()
            self.expect("and")
            return Comparison(column, prefix + "between", (low, self.literal()))
        if self.take("in"):
            return Comparison(column, prefix + "in", self.literals())
        if self.take("like"):
            return Comparison(column, prefix + "like", (self.literal(),))
        operator = self.token.text
        if prefix or self.token.kind != "symbol" or operator not in ("=", "!=", "<", "<=", ">", ">="):
            self.fail()
        self.at += 1
        return Comparison(column, operator, (self.literal(),))

    def literals(self) -> tuple[Literal, ...]:
        self.expect("(")
        if self.peek("select"):
            unmodelled("COQL: sub-queries are not modelled")
        values = [self.literal()]
        while self.take(","):
            values.append(self.literal())
        self.expect(")")
        return tuple(values)

    def literal(self) -> Literal:
        token = self.token
        if token.kind not in ("text", "number"):
            self.fail()
        self.at += 1
        return Literal(token.text, token.kind == "text")
