"""The names of tables and columns: snake_case after Zoho's API names, unique, the same from run to run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256

from anyascii import anyascii
from dlt.common.normalizers.naming.snake_case import NamingConvention

from ..models import Field, MaskingRule
from .column_types import Column, ColumnType, column_type_of, exclusion_reason, masked_type

# What a destination makes of a name: it shortens one that is longer than it allows.
Shorten = Callable[[str], str]
# api name -> [column name, kind, and the same of its earlier kinds]: what the state remembers of a table
Remembered = Mapping[str, list[str]]

CONVENTION = NamingConvention()
RESERVED_COLUMNS = frozenset({"deleted_at"})  # ours; dlt's own begin with _dlt_, which no name here does


def snake_case(api_name: str) -> str:
    """One identifier as dlt's `snake_case` convention spells it: `Converted__s` becomes `converted_s`.

    A letter outside ASCII is transliterated first, because the convention would turn `名前` into `x`;
    a name of which no letter is left gets a short hash.
    """
    ascii_name = re.sub(r"[^A-Za-z0-9_$]+", "_", anyascii(api_name)).strip(
        "_" if not api_name.isascii() else ""
    )
    if not re.search(r"[A-Za-z0-9]", ascii_name):
        return f"x_{sha256(api_name.encode()).hexdigest()[:8]}"
    return CONVENTION.normalize_identifier(ascii_name)


def unique(name: str, taken: Iterable[str]) -> str:
    """The name, or with the first suffix `_2`, `_3`, ... that nobody has taken."""
    if name not in taken:
        return name
    return next(f"{name}_{n}" for n in range(2, 10_000) if f"{name}_{n}" not in taken)


def as_it_is(name: str) -> str:
    """For destinations that allow any length."""
    return name


def name_tables(
    modules: Iterable[str],
    ours: Iterable[str],
    remembered: Mapping[str, str],
    shorten: Shorten = as_it_is,
) -> dict[str, str]:
    """Table name by module; a module named like one of our own tables gets a suffix."""
    names: dict[str, str] = dict(remembered)
    taken = {*ours, *names.values()}
    for module in modules:
        if module not in names:
            names[module] = shorten(unique(snake_case(module), taken))
            taken.add(names[module])
    return names


def name_columns(
    fields: Iterable[Field],
    remembered: Remembered,
    masking_rule_of: Callable[[Field], MaskingRule | None] = lambda field: None,
    shorten: Shorten = as_it_is,
) -> tuple[Column, ...]:
    """The columns of a module, `id` first, then in Zoho's order.

    A name once given stays with its field. A field whose kind changed
    gets a new column, so that neither form of its values is lost.
    """
    taken = {*RESERVED_COLUMNS, *(name for forms in remembered.values() for name in forms[::2])}
    columns = []
    for field in sorted(fields, key=lambda f: f.api_name != "id"):
        if exclusion_reason(field):
            continue
        masking_rule = masking_rule_of(field)
        kind = masked_type(column_type_of(field), masking_rule)
        known = _forms(remembered.get(field.api_name, ()))
        if kind.name in known:
            name = known[kind.name]
        else:
            name = shorten(_free_name(field, kind, taken))
            taken.add(name)
        columns.append(Column(name, field, kind, masking_rule))
    return tuple(columns)


def _free_name(field: Field, kind: ColumnType, taken: set[str]) -> str:
    """A lookup `Account_Name` becomes `account_name__id`; its suffix stands before the double underscore."""
    base = snake_case(field.api_name)
    if kind is not ColumnType.ID:
        return unique(base, taken)
    stems = {name.removesuffix("__id") for name in taken if name.endswith("__id")}
    return unique(base, stems) + "__id"


def shortened(remembered: Remembered, shorten: Shorten) -> dict[str, list[str]]:
    """The names that were given, as this destination has them."""
    return {
        api_name: [part for kind, name in _forms(forms).items() for part in (shorten(name), kind)]
        for api_name, forms in remembered.items()
    }


def remember(columns: Iterable[Column], before: Remembered) -> dict[str, list[str]]:
    """What to store so that the next run gives the same names, also to a kind that comes back."""
    after = {api_name: list(forms) for api_name, forms in before.items()}
    for column in columns:
        forms = {column.kind.name: column.name, **_forms(after.get(column.api_name, ()))}
        after[column.api_name] = [part for kind, name in forms.items() for part in (name, kind)]
    return after


def _forms(known: Sequence[str]) -> dict[str, str]:
    """Column name by kind."""
    return dict(zip(known[1::2], known[::2], strict=True))
