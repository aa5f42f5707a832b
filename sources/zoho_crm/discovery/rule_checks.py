"""Refuses a rule of privacy that nothing in the account fits: it would protect nobody."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from ..exceptions import SettingsError, suggest
from ..models import Field, Module
from ..transform.column_types import is_zoho_type
from ..transform.privacy_rules import PAST, Pattern, PrivacyRules, matches

logger = logging.getLogger("zoho_crm")


def check_rules(
    rules: PrivacyRules,
    modules: Mapping[str, Sequence[Field]],
    every: Collection[str],
    unknown: Collection[str],
) -> None:
    """Raises SettingsError for a rule that fits no module or field, or a filter of a field that lands changed.

    `modules` are those whose fields are known, `every` is the account's list with our own tables, and `unknown`
    those of it whose fields were not asked for. What may be a field of those passes, with a warning where it
    looks like another one's name misspelt.
    """
    patterns = [*(rule.pattern for rule in rules.rules), *rules.chosen]
    for pattern in (*patterns, *(Pattern(f.module, f.field) for f in rules.filters)):
        if not any(matches(pattern.module, name) for name in every):
            raise _no_such(pattern, "module", pattern.module, every)
        _check_field(pattern, modules, [name for name in unknown if matches(pattern.module, name)])
    _check_filters(rules, modules)


def check_removed_rules(
    rules: PrivacyRules,
    modules: Iterable[Module],
    fields: Mapping[str, Sequence[Field]],
    private: Mapping[str, Sequence[str]],
) -> None:
    """Raises SettingsError where a run would bring values as they are over private ones, and nobody said so.

    `private` are the entries, by module, that the state remembers.
    """
    lost = []
    for module in modules:
        name = module.api_name
        lost += rules.removed_rules(module, fields.get(name, ()), private.get(name, ()))
    if lost:
        raise SettingsError(
            f"no rule is about {', '.join(lost)}, which a rule has dropped, masked or hashed so far: set that"
            f" rule again, or say keep, such as --privacy '{lost[0]}: keep'"
        )


def _check_field(pattern: Pattern, modules: Mapping[str, Sequence[Field]], unknown: Collection[str]) -> None:
    known = {name: fields for name, fields in modules.items() if matches(pattern.module, name)}
    if not known or any(pattern.fits(name, field) for name, fields in known.items() for field in fields):
        return
    if pattern.data_type and is_zoho_type(pattern.data_type):
        return  # of a type that no field has today
    fields = [field for found in known.values() for field in found]
    names = [f"<{field.data_type}>" if pattern.data_type else field.api_name for field in fields]
    near = suggest(pattern.field, names, 0.75)
    if not unknown and (near or not pattern.data_type):
        raise _no_such(pattern, "field", pattern.field, names)
    if near or pattern.data_type:
        hint = f"; did you mean {near}?" if near else ""
        logger.warning("%s fits no field of the chosen modules%s", pattern, hint)


def _no_such(rule: Pattern, what: str, name: str, known: Iterable[str]) -> SettingsError:
    near = suggest(name, known, 0.5)
    hint = f"; did you mean {near}?" if near else ""
    return SettingsError(f"{rule}: the account has no {what} {name!r}{hint}")


def _check_filters(rules: PrivacyRules, modules: Mapping[str, Sequence[Field]]) -> None:
    for name, fields in modules.items():
        module = Module(name)
        wanted = {one.field.casefold() for one in rules.of(module)}
        for field in fields:
            masking_rule = rules.masking_rule(module, field) if field.api_name.casefold() in wanted else None
            if masking_rule is not None:
                raise SettingsError(
                    f"filters: {name}.{field.api_name} is to be {PAST[masking_rule.how]} by a privacy rule,"
                    " and a filter takes values as they are"
                )
