"""Finds in the code what a user may read when something is wrong; the holes of f-strings are `...`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ERRORS = {
    "SettingsError",
    "AccountsError",
    "CredentialsError",
    "ZohoConnectionError",
    "CreditBudgetExceeded",
    "ExtractError",
    "StorageError",
    "TookTooLong",
    "ApiFailed",
    "PipelineBusy",
    "DatabaseInUse",
    "DatabaseLost",
    "ManifestError",
    "OutputError",
    "JobFailed",
    "CorruptArchiveError",
    "UsageError",
    "BadParameter",
    "ClickException",
    "Failed",
    "print_error",
    "fail",
}
SAYERS = {
    "usage",
    "remedy_for",
    "missing_library",
    "unlisted_reason",
    "unknown_deletions",
}  # functions that give the sentence to say
FINDINGS = {"failed", "warning", "unknown"}  # of `check`: its name, what is wrong, what to do
LETTERS = re.compile(r"[A-Za-z]{2}")


def sentences() -> dict[str, str]:
    """Each sentence, with the module that says it."""
    found: dict[str, str] = {}
    for package in ("sources", "pipelines"):
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            constants = {
                node.targets[0].id: node.value
                for node in tree.body
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            }
            for expression in _said(tree):
                for text in texts(expression, constants):
                    told = re.sub(r"(\.\.\.\s*)+", "... ", " ".join(text.split())).strip()
                    if len(LETTERS.findall(told)) >= 3 and " " in told.replace("...", "").strip():
                        found.setdefault(told, path.relative_to(ROOT).as_posix())
    return found


def _said(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            of = node.func.value if isinstance(node.func, ast.Attribute) else None
            if name in ERRORS:
                yield from node.args[:1]
            elif name in FINDINGS and isinstance(node.func, ast.Name):
                yield from node.args[1:3]
            elif name == "Skip":
                yield from node.args[1:2]
            elif (name, getattr(of, "id", "")) == ("warning", "logger"):
                yield from node.args[:1]
            elif name == "append" and "remarks" in (getattr(of, "attr", ""), getattr(of, "id", "")):
                yield from node.args
        elif isinstance(node, ast.FunctionDef) and node.name in SAYERS:
            yield from (part.value for part in ast.walk(node) if isinstance(part, ast.Return) and part.value)
        elif isinstance(node, ast.Subscript) and getattr(node.value, "attr", "") == "repairs":
            yield node.slice


def texts(node: ast.AST, constants: dict[str, ast.expr]) -> list[str]:
    """What an expression may say; a part that only a run knows is `...`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [re.sub(r"%[-.,0-9]*[sdf]", "...", node.value)]
    if isinstance(node, ast.JoinedStr):
        parts = [[part.value] if isinstance(part, ast.Constant) else ["..."] for part in node.values]
        return ["".join(str(part[0]) for part in parts)]
    if isinstance(node, ast.IfExp):
        return texts(node.body, constants) + texts(node.orelse, constants)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        lefts, rights = texts(node.left, constants) or ["..."], texts(node.right, constants) or ["..."]
        return [left + right for left in lefts for right in rights]
    if isinstance(node, ast.Name) and node.id in constants:
        return texts(constants[node.id], {})
    return []
