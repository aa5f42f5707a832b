"""The tables of the smaller simulators' READMEs: python -m simulators.zoho_suite.coverage."""

from __future__ import annotations

from pathlib import Path

from ..oauth_provider import ProviderQuirks
from ..zoho_books import BooksQuirks
from ..zoho_crm.coverage import fresh
from ..zoho_crm.quirks import Quirks
from ..zoho_desk import DeskQuirks
from ..zoho_recruit import RecruitQuirks

SIMULATORS = Path(__file__).parents[1]
READMES: dict[str, tuple[str, type[Quirks]]] = {
    "zoho_desk": ("desk", DeskQuirks),
    "zoho_books": ("books", BooksQuirks),
    "zoho_recruit": ("recruit", RecruitQuirks),
    "oauth_provider": ("provider", ProviderQuirks),
}


def readme(folder: str) -> Path:
    return SIMULATORS / folder / "README.md"


def fresh_readme(folder: str) -> str:
    """The README of that folder with both tables as they have to be."""
    service, quirks = READMES[folder]
    return fresh(readme(folder).read_text(encoding="utf-8"), service, quirks=quirks)


if __name__ == "__main__":
    for name in READMES:
        readme(name).write_text(fresh_readme(name), encoding="utf-8")
