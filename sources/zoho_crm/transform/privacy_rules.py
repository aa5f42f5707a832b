"""What a user says of fields and rows: which are read, and which fields are dropped, masked or hashed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, get_args

import dlt

from ..exceptions import SettingsError
from ..models import Field, MaskingMethod, MaskingRule, Module
from .row_filters import Filter, read_filter

KEY = "SOURCES__ZOHO_CRM__PRIVACY_KEY"
SHORTEST_KEY = 16  # characters; a shorter one can be guessed from a hash and the value behind it
# What the pipeline itself reads; beside these, the lookups by which rows hang on other records.
NEEDED = frozenset({"id", "modified_time", "converted__s", "parent_id"})
PEOPLE = ("users", "org")  # our own tables that tell of people
FULL_NAME, PARTS = "full_name", ("first_name", "last_name")
DISPLAYED = frozenset({FULL_NAME, *PARTS})  # of which Zoho makes the name of a person
STRICTEST: tuple[MaskingMethod, ...] = ("drop", "hash", "mask")
PAST: Mapping[MaskingMethod, str] = {"drop": "dropped", "mask": "masked", "hash": "hashed"}
RULE = re.compile(r"(?:(?P<module>[^.\s:<>]+)\.)?(?P<field>[^.\s:<>]+|<[^<>\s]+>)\s*[:=]\s*(?P<how>[a-z]+)")
FIELD = re.compile(r"(?:(?P<module>[^.\s:<>]+)\.)?(?P<field>[^.\s:<>]+|<[^<>\s]+>)")
A_RULE = "such as *.Email: hash, Contacts.Phone: drop or *.<email>: mask; keep, drop, mask and hash are known"


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
class PrivacyRule:
    pattern: Pattern
    how: MaskingMethod

    def __str__(self) -> str:
        return f"{self.pattern}: {self.how}"


@dataclass(frozen=True)
class PrivacyRules:
    """All that a user has said of fields and rows. Of several rules for one field the first one holds."""

    rules: tuple[PrivacyRule, ...] = ()
    chosen: tuple[Pattern, ...] = ()  # of a module that one of these names, only the fields that they fit
    filters: tuple[Filter, ...] = ()
    key: str = field(default="", repr=False)

    def rule(self, module: Module, field: Field) -> PrivacyRule | None:
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

    def masking_rule(self, module: Module, field: Field) -> MaskingRule | None:
        """What is to be done to a field's values; None where they land as they are."""
        rule = self.rule(module, field)
        if rule is None or rule.how == "keep":
            return None
        return MaskingRule(rule.how, self.key if rule.how == "hash" else "")

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

    def display(self, module: Module, fields: Iterable[Field]) -> MaskingRule | None:
        """What is to be done to the name by which Zoho shows a record: the strictest that one of its fields has."""
        known = list(fields)
        shown = {f.api_name.casefold() for f in known if f.raw.get("display_field")}
        if not shown or shown & DISPLAYED:
            shown |= DISPLAYED
        rules = [self.masking_rule(module, f) for f in known if f.api_name.casefold() in shown]
        found = {rule.how: rule for rule in rules if rule is not None}
        return next((found[how] for how in STRICTEST if how in found), None)

    def entries(self, module: Module, fields: Iterable[Field]) -> tuple[str, ...]:
        """What the state remembers: `Email: hash 1f2e...`. A field that is kept has no entry."""
        words = {
            f.api_name: masking_rule.word for f in fields if (masking_rule := self.masking_rule(module, f))
        }
        return tuple(f"{name}: {word}" for name, word in sorted(words.items()))

    def removed_rules(self, module: Module, fields: Iterable[Field], before: Iterable[str]) -> list[str]:
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
        mine = MaskingRule("hash", self.key).word
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
) -> PrivacyRules:
    """The rules from their texts. Raises SettingsError for one that cannot be read."""
    rules = tuple(_rule(text) for text in privacy)
    chosen = tuple(_pattern(text) for text in fields)
    if any(rule.how == "hash" for rule in rules):
        _check_length(key)
    return PrivacyRules(rules, chosen, tuple(filters), key)


@lru_cache(4_096)
def matches(pattern: str, name: str) -> bool:
    """Whether a name fits a pattern, without regard to case: `*` is any text, `?` one character."""
    parts = (".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in pattern.casefold())
    return re.fullmatch("".join(parts), name.casefold(), re.DOTALL) is not None


def _rule(text: str) -> PrivacyRule:
    found = RULE.fullmatch(text.strip().replace("\n", " "))
    if not found or found["how"] not in get_args(MaskingMethod):
        raise SettingsError(f"privacy: {text.strip()!r} is not a rule: write MODULE.FIELD: what, {A_RULE}.")
    how: MaskingMethod = found["how"]  # type: ignore[assignment]
    if how != "keep" and found["field"].casefold() in NEEDED:
        raise SettingsError(f"privacy: {text.strip()!r}: the pipeline itself needs {found['field']}.")
    return PrivacyRule(Pattern(found["module"] or "*", found["field"]), how)


def _pattern(text: str) -> Pattern:
    found = FIELD.fullmatch(text.strip())
    if not found or not found["module"]:  # one word may be a module as well as a field
        raise SettingsError(
            f"fields: {text.strip()!r} is not a field: write MODULE.FIELD, such as Leads.Email."
        )
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
    tied = not module.has_own_records and field.data_type == "lookup"
    return tied or field.api_name.casefold() in NEEDED


ALSO_CALLED: Mapping[str, tuple[str, ...]] = {"phone": ("mobile", "fax")}


def _is_of_type(field: Field, data_type: str) -> bool:
    """By Zoho's type; a text by its name, as our tables `users` and `org` have no other."""
    wanted, name = data_type.casefold(), field.api_name.casefold()
    words = (wanted, *ALSO_CALLED.get(wanted, ()))
    called = any(name == word or name.endswith(f"_{word}") for word in words)
    return field.data_type.casefold() == wanted or (field.data_type == "text" and called)


SECTION = "sources.zoho_crm"
RULE_NAMES = ("privacy", "fields", "filters")
DEMO_KEY = "a demo has nothing to hide"


def split_rules(value: Any) -> tuple[str, ...]:
    """The rules in a value of dlt's configuration."""
    if value is None:
        return ()
    if isinstance(value, str):
        parts: Iterable[Any] = re.split(r"[;\n]", value)
    elif isinstance(value, Iterable) and not isinstance(value, Mapping):
        parts = value
    else:
        raise SettingsError(f"{value!r} is not a list of rules.")
    return tuple(text for part in parts if (text := str(part).strip()))


def parse_rules(
    privacy: Iterable[str], fields: Iterable[str], filters: Iterable[str], key: str | None
) -> PrivacyRules:
    """Raises SettingsError for what cannot be read, and for a key that is missing."""
    # No rule of these two holds a comma; a value of a filter may.
    rules = [part for text in privacy for part in text.split(",") if part.strip()]
    names = [part for text in fields for part in text.split(",") if part.strip()]
    return read_rules(rules, names, [read_filter(text) for text in filters], key or "")


def configured_rules(configured: Mapping[str, Any]) -> PrivacyRules:
    """The rules from the values of dlt's configuration by their names."""
    privacy, fields, filters = (split_rules(configured.get(name)) for name in RULE_NAMES)
    return parse_rules(privacy, fields, filters, configured_key())


def configured_key() -> str | None:
    """The key of hashes, from the environment or secrets.toml; dlt writes down what it was asked for as no secret."""
    key: Any = dlt.secrets.get(f"{SECTION}.privacy_key")
    return None if key is None else str(key)
