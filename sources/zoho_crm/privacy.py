"""What a user wants of single fields: which are read, and which are dropped, masked or hashed before they land."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, get_args

from .errors import SettingsError
from .filters import Filter
from .metadata import Field, Module

Treatment = Literal["keep", "drop", "mask", "hash"]

KEY = "SOURCES__ZOHO_CRM__PRIVACY_KEY"
SHORTEST_KEY = 16  # characters; a shorter one can be guessed from a hash and the value behind it

# What the pipeline itself reads; beside these, the lookups by which rows hang on other records.
NEEDED = frozenset({"id", "modified_time", "converted__s", "parent_id"})
TIED = frozenset({"subform", "linking", "field_tracker"})
PEOPLE = ("users", "org")  # our own tables that tell of people
FULL_NAME, PARTS = "full_name", ("first_name", "last_name")
DISPLAYED = frozenset({FULL_NAME, *PARTS})  # of which Zoho makes the name of a person
STRICTEST: tuple[Treatment, ...] = ("drop", "hash", "mask")

PAST: Mapping[Treatment, str] = {"drop": "dropped", "mask": "masked", "hash": "hashed"}

RULE = re.compile(r"(?:(?P<module>[^.\s:<>]+)\.)?(?P<field>[^.\s:<>]+|<[^<>\s]+>)\s*[:=]\s*(?P<how>[a-z]+)")
FIELD = re.compile(r"(?:(?P<module>[^.\s:<>]+)\.)?(?P<field>[^.\s:<>]+|<[^<>\s]+>)")
A_RULE = "such as *.Email: hash, Contacts.Phone: drop or *.<email>: mask; keep, drop, mask and hash are known"


@dataclass(frozen=True)
class Veil:
    """How the values of a field are changed before anything is written."""

    how: Treatment
    secret: str = field(default="", repr=False)

    @property
    def word(self) -> str:
        """`mask`, or `hash` with what tells one key from another."""
        return f"hash {fingerprint(self.secret)}" if self.how == "hash" else self.how


@dataclass(frozen=True)
class Pattern:
    """Fields of modules by API name, with `*` and `?`; `<email>` are all fields of that type."""

    module: str
    field: str

    def fits(self, module: str, field: Field) -> bool:
        return matches(self.module, module) and (
            _is_of_type(field, self.data_type) if self.data_type else matches(self.field, field.api_name)
        )

    @property
    def data_type(self) -> str | None:
        """The type that all its fields have, if it is about one."""
        return self.field[1:-1] if self.field.startswith("<") else None

    def __str__(self) -> str:
        return f"{self.module}.{self.field}"


@dataclass(frozen=True)
class Rule:
    pattern: Pattern
    how: Treatment

    def __str__(self) -> str:
        return f"{self.pattern}: {self.how}"


@dataclass(frozen=True)
class Rules:
    """All that a user has said of fields and rows. Of several rules for one field the first one holds."""

    rules: tuple[Rule, ...] = ()
    chosen: tuple[Pattern, ...] = ()  # of a module that one of these names, only the fields that they fit
    filters: tuple[Filter, ...] = ()
    key: str = field(default="", repr=False)

    def rule(self, module: Module, field: Field) -> Rule | None:
        """The rule that holds for a field; what the pipeline needs is kept whatever a pattern says.

        A person's full name, if no rule is about it, follows the stricter one of its two parts.
        """
        if _is_needed(module, field):
            return None
        found = next((rule for rule in self.rules if rule.pattern.fits(module.api_name, field)), None)
        if found is None and field.api_name.casefold() == FULL_NAME:
            parts = [self.rule(module, replace(field, api_name=name)) for name in PARTS]
            strict = {rule.how: rule for rule in parts if rule is not None}
            return next((strict[how] for how in STRICTEST if how in strict), None)
        return found

    def veil(self, module: Module, field: Field) -> Veil | None:
        """What is to be done to a field's values; None where they land as they are."""
        rule = self.rule(module, field)
        if rule is None or rule.how == "keep":
            return None
        return Veil(rule.how, self.key if rule.how == "hash" else "")

    def why_not(self, module: Module, field: Field) -> str | None:
        """Why a field is never asked for; None for one that is."""
        rule = self.rule(module, field)
        if rule is not None and rule.how == "drop":
            return f"dropped by the privacy rule {rule}"
        named = [pattern for pattern in self.chosen if matches(pattern.module, module.api_name)]
        if (
            not self.chooses(module)
            or _is_needed(module, field)
            or any(p.fits(module.api_name, field) for p in named)
        ):
            return None
        if any(f.field.casefold() == field.api_name.casefold() for f in self.of(module)):
            return None
        return "not among the chosen fields"

    def chooses(self, module: Module) -> bool:
        """Whether only some fields of the module are to be read."""
        return any(matches(pattern.module, module.api_name) for pattern in self.chosen)

    def of(self, module: Module) -> tuple[Filter, ...]:
        """The filters that a row of the module has to pass."""
        return tuple(f for f in self.filters if f.module.casefold() == module.api_name.casefold())

    def display(self, module: Module, fields: Iterable[Field]) -> Veil | None:
        """What is to be done to the name by which Zoho shows a record: the strictest that one of its fields has."""
        known = list(fields)
        shown = {f.api_name.casefold() for f in known if f.raw.get("display_field")}
        if not shown or shown & DISPLAYED:
            shown |= DISPLAYED
        veils = [self.veil(module, f) for f in known if f.api_name.casefold() in shown]
        found = {veil.how: veil for veil in veils if veil is not None}
        return next((found[how] for how in STRICTEST if how in found), None)

    def entries(self, module: Module, fields: Iterable[Field]) -> tuple[str, ...]:
        """What the state remembers: `Email: hash 1f2e...`. A field that is kept has no entry."""
        words = {f.api_name: veil.word for f in fields if (veil := self.veil(module, f))}
        return tuple(f"{name}: {word}" for name, word in sorted(words.items()))

    def forgotten(self, module: Module, fields: Iterable[Field], before: Iterable[str]) -> list[str]:
        """The fields that have been private, by their entries, and that no rule is about now: `Leads.Email`.

        They would land as they are. Who wants that says `keep`.
        """
        listed = {f.api_name: f for f in fields}
        names = [entry.rpartition(": ")[0] for entry in before]
        here = [listed[name] for name in names if name in listed]
        lost = [f for f in here if self.rule(module, f) is None and not self.why_not(module, f)]
        return [f"{module.api_name}.{f.api_name}" for f in lost]

    def check_key(self, before: Mapping[str, Sequence[str]], read_whole: Collection[str]) -> None:
        """Raises SettingsError where hashes of another key would stay beside those of this one.

        `before` are the entries of each module that is in the destination.
        """
        if not self.key:
            return
        mine = Veil("hash", self.key).word
        others = [
            name
            for name, entries in before.items()
            if name not in read_whole and any(_is_other_hash(entry, mine) for entry in entries)
        ]
        if others:
            raise SettingsError(
                f"the hashes of {', '.join(sorted(others))} were made with another privacy_key, and old and new"
                " ones would not join: set the old key again, or make all of them anew with --full-refresh"
            )


def read_rules(
    privacy: Iterable[str] = (), fields: Iterable[str] = (), filters: Iterable[Filter] = (), key: str = ""
) -> Rules:
    """The rules from their texts. Raises SettingsError for one that cannot be read."""
    rules = tuple(_rule(text) for text in privacy)
    chosen = tuple(_pattern(text) for text in fields)
    if any(rule.how == "hash" for rule in rules):
        _check_length(key)
    return Rules(rules, chosen, tuple(filters), key)


@lru_cache(4_096)
def matches(pattern: str, name: str) -> bool:
    """Whether a name fits a pattern, without regard to case: `*` is any text, `?` one character."""
    parts = (".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in pattern.casefold())
    return re.fullmatch("".join(parts), name.casefold(), re.DOTALL) is not None


@lru_cache(16)
def fingerprint(secret: str) -> str:
    """What the state knows a key by; it tells nothing of the key."""
    return hmac.digest(secret.encode(), b"the key of this pipeline", hashlib.sha256).hex()[:16]


def _rule(text: str) -> Rule:
    found = RULE.fullmatch(text.strip().replace("\n", " "))
    if not found or found["how"] not in get_args(Treatment):
        raise SettingsError(f"privacy: {text.strip()!r} is no rule: write MODULE.FIELD: what, {A_RULE}.")
    how: Treatment = found["how"]  # type: ignore[assignment]
    if how != "keep" and found["field"].casefold() in NEEDED:
        raise SettingsError(f"privacy: {text.strip()!r}: the pipeline itself needs {found['field']}.")
    return Rule(Pattern(found["module"] or "*", found["field"]), how)


def _pattern(text: str) -> Pattern:
    found = FIELD.fullmatch(text.strip())
    if not found or not found["module"]:  # one word may be a module as well as a field
        raise SettingsError(f"fields: {text.strip()!r} is no field: write MODULE.FIELD, such as Leads.Email.")
    return Pattern(found["module"], found["field"])


def _check_length(key: str) -> None:
    if len(key) < SHORTEST_KEY:
        what = "is too short" if key else "is missing"
        raise SettingsError(
            f"privacy_key {what}: a rule says hash, which takes a secret of {SHORTEST_KEY} characters or more."
            f" Set {KEY} in the environment or .env, or privacy_key below [sources.zoho_crm] in secrets.toml,"
            ' for example to what `python -c "import secrets; print(secrets.token_hex(32))"` prints;'
            " keep it, as hashes of another key do not join."
        )


def _is_other_hash(entry: str, mine: str) -> bool:
    word = entry.rpartition(": ")[2]
    return word.startswith("hash ") and word != mine


def _is_needed(module: Module, field: Field) -> bool:
    tied = module.generated_type in TIED and field.data_type == "lookup"
    return tied or field.api_name.casefold() in NEEDED


ALSO_CALLED: Mapping[str, tuple[str, ...]] = {"phone": ("mobile", "fax")}


def _is_of_type(field: Field, data_type: str) -> bool:
    """By Zoho's type; a text by its name, as our tables `users` and `org` have no other."""
    wanted, name = data_type.casefold(), field.api_name.casefold()
    words = (wanted, *ALSO_CALLED.get(wanted, ()))
    called = any(name == word or name.endswith(f"_{word}") for word in words)
    return field.data_type.casefold() == wanted or (field.data_type == "text" and called)
