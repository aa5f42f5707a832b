"""What makes small runs quicker in tests, where thousands of them take place, and changes nothing that they do."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

from dlt.common import typing as hints
from dlt.common import validation
from dlt.common.configuration.specs import base_configuration as specs
from dlt.common.destination.reference import Destination
from dlt.common.schema import utils as schema_utils
from dlt.extract import extract
from dlt.load.load import Load

PURE = {
    hints: (
        "extract_inner_type",
        "extract_type_if_modifier",
        "is_literal_type",
        "is_optional_type",
        "is_subclass",
        "is_union_type",
    ),
    specs: ("extract_inner_hint", "get_config_if_union_hint", "is_secret_hint", "is_valid_hint"),
}


def remember_hints() -> None:
    """dlt looks at the same few type hints thousands of times a run: a sixth of the time of a small one.

    The functions depend on nothing but their arguments.
    """
    modules = [module for name, module in sys.modules.items() if name.startswith("dlt.")]
    for home, names in PURE.items():
        for name in names:
            plain = getattr(home, name)
            remembered = _remembered(plain)
            for module in modules:
                if vars(module).get(name) is plain:
                    setattr(module, name, remembered)


def _remembered(function: Callable[..., Any]) -> Callable[..., Any]:
    cached = functools.cache(function)

    @functools.wraps(function)
    def remembered(*args: Any, **options: Any) -> Any:
        try:
            return cached(*args, **options)
        except TypeError:  # a hint that cannot be hashed
            return function(*args, **options)

    return remembered


def remember_capabilities() -> None:
    """dlt asks a destination for its capabilities thirty times a run, and resolves its configuration anew each time.

    The configuration that is only asked for these is remembered as long as the destination: a fifth of a small run.
    That of a load, which each of its jobs resolves once more, is resolved once: another tenth.
    """
    resolve = Destination.configuration

    @functools.wraps(resolve)
    def remembered(self: Any, initial_config: Any, accept_partial: bool = False) -> Any:
        if not accept_partial:
            known = vars(initial_config) if initial_config is not None else {}
            if known.get("_resolved_by") is self:
                return initial_config
            resolved = resolve(self, initial_config)
            if resolved is initial_config:
                known["_resolved_by"] = self
            return resolved
        if not hasattr(self, "_remembered"):
            self._remembered = resolve(self, initial_config, accept_partial=True)
        return self._remembered

    Destination.configuration = remembered  # type: ignore[method-assign]


def remember_type_hints() -> None:
    """dlt works out the type hints of its few schema types with each schema that it checks: a tenth of a small run."""
    validation.get_type_hints = _remembered_by_spec(validation.get_type_hints)  # type: ignore[attr-defined]


def _remembered_by_spec(function: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[Any, Any] = {}

    @functools.wraps(function)
    def remembered(spec: Any, **options: Any) -> Any:
        if spec not in known:
            known[spec] = function(spec, **options)
        return known[spec]

    return remembered


def copy_quickly() -> None:
    """A schema holds dicts, lists and values that never change, and dlt copies its tables hundreds of times a run."""
    schema_utils.deepcopy = _copied  # type: ignore[attr-defined]


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, list) else value


def trace_quickly() -> None:
    """dlt's trace names the columns of each resource as YAML, which takes as long as a small load; JSON is YAML too."""
    extract.yaml = SimpleNamespace(dump=lambda hint, **options: json.dumps(hint, default=str))  # type: ignore[assignment]


def look_often() -> None:
    """dlt looks for jobs that failed and are to be tried again once a second, and tries each five times."""
    make = Load.__init__

    @functools.wraps(make)
    def quick(self: Load, *args: Any, **options: Any) -> None:
        make(self, *args, **options)
        self._run_loop_sleep_duration = 0.02

    Load.__init__ = quick  # type: ignore[method-assign]


def forget_pandas() -> None:
    """DuckDB looks for pandas, which is not installed, with each query that has values: say so at once."""
    if find_spec("pandas") is None:
        sys.meta_path.insert(0, _NoPandas())


class _NoPandas(MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name="pandas")
        return None
