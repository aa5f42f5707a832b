"""`python -m pipelines.zoho_api`, and the console script `zoho-api`."""

from __future__ import annotations

from .cli import cli


def main() -> None:
    cli.main(prog_name="zoho-api")


if __name__ == "__main__":
    main()
