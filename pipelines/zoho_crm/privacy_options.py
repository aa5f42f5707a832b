"""The options that say what of the account may land: fields, rows, and what is done to their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from .names import spelt_out

if TYPE_CHECKING:
    from sources.zoho_crm.privacy import Rules

    from .options import Options

PRIVACY = ("privacy", "fields", "filters")


class Texts(click.ParamType):  # type: ignore[type-arg]
    """Texts between semicolons or in lines of their own; a list of dlt's configuration is taken as well."""

    name = "TEXT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        from sources.zoho_crm.errors import SettingsError
        from sources.zoho_crm.rules import texts_of

        try:
            return texts_of(spelt_out(value))
        except SettingsError as error:
            self.fail(str(error), param, ctx)


def protecting(option: Callable[..., click.Parameter]) -> list[click.Parameter]:
    """Also of the commands that only look, so that they show what a run would do."""
    helps = {
        "--privacy": ("RULE", "Drop, mask or hash fields: '*.Email: hash; Contacts.Phone: drop'."),
        "--fields": ("MODULE.FIELD", "Of the modules named here, only these fields: 'Leads.Email'."),
        "--filters": ("FILTER", "Only rows that pass: 'Deals.Amount: greater_than 1000'."),
    }
    return [
        option(name, type=Texts(), multiple=True, metavar=metavar, help=words)
        for name, (metavar, words) in helps.items()
    ]


def rules_from(options: Options) -> Rules:
    """Raises SettingsError for a rule that cannot be read, and for a key that is missing."""
    from sources.zoho_crm.rules import DEMO_KEY, configured_key, rules_of

    key = DEMO_KEY if options.demo else configured_key()
    return rules_of(options.privacy, options.fields, options.filters, key)
