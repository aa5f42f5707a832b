"""The page of `report`: one HTML file about all runs, which loads nothing from anywhere."""

from __future__ import annotations

from pathlib import Path

from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.redaction import redact

from ...options import Options
from ..freshness import DestinationView, Headline

EXTRA = ("jinja2", "vl_convert", "igraph")


def write_page(look: DestinationView, options: Options) -> tuple[Path, Headline]:
    """Write the page; returns its path and its headline. Raises SettingsError without the libraries."""
    try:
        from .rendering import rendered
    except ModuleNotFoundError as missing:
        if missing.name not in EXTRA:
            raise
        raise SettingsError(
            f"report needs a library that is not installed ({missing.name}): run `make setup`, or"
            ' pip install "jinja2>=3.1.6" "vl-convert-python>=1.7" "igraph>=0.11".'
        ) from None
    from .page_data import collect_page
    from .writing import replaced

    path = Path(options.output).expanduser().absolute()
    with replaced(path) as file:
        page = collect_page(look, options)
        file.write(redact(rendered(page)))
    return path, page.headline
