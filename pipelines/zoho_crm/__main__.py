"""Lets `python -m pipelines.zoho_crm` run the command line; imports nothing heavy before the options are read."""

from __future__ import annotations

from .cli import cli

if __name__ == "__main__":
    cli.main(prog_name="python -m pipelines.zoho_crm")
