"""What `--help` shows behind the options: command lines to copy, each with what it is for."""

from __future__ import annotations

import click

from .version import program

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "run": (
        ("--demo", "a simulated CRM, into zoho_demo.duckdb"),
        ("run", "the account of .env, into zoho.duckdb; later only what changed"),
        ("--modules Leads,Deals --destination postgres", "two modules, into another database"),
        ("--max-credits 2000 --quiet", "for cron, with a limit"),
        ("--accounts accounts.toml --parallel 4", "each account of a file, four at a time"),
    ),
    "plan": (
        ("plan", "what the next run would read, by which API, at what cost"),
        ("plan --exclude Notes,Attachments", "without two modules"),
        ("plan --full-refresh", "what reading all of it again would cost"),
    ),
    "modules": (
        ("modules", "what the account offers, and its table"),
        ("modules --modules Leads", "the fields of one module, and their columns"),
    ),
    "authorize": (
        ("authorize", "asks for what it needs and opens a browser"),
        (
            "authorize --region EU --no-browser",
            "on a machine without a browser: paste the address that Zoho redirects to",
        ),
        ("authorize --self-client --code 1000.abc.def", "with the code of a Self Client"),
    ),
    "check": (
        ("check", "a line for each thing that a run needs"),
        ("check --quiet", "only what is wrong"),
        ("check --modules Leads,Deals --json", "for these modules, as one JSON document"),
    ),
    "verify": (
        ("verify", "compare every id of every module"),
        ("verify --modules Deals --repair", "correct what differs in one module"),
        ("verify --against /backup/zoho", "prove the files of an export"),
        ("verify --files /backup/zoho-files", "prove what `files` has copied"),
    ),
    "completion": (
        ("completion bash >> ~/.bashrc", "then open a new shell"),
        ("completion fish > ~/.config/fish/completions/zoho-crm.fish", "the same for fish"),
    ),
    "status": (
        ("status", "how fresh each table is, what failed, what is due"),
        ("status --stale-after 2h", "call a table stale after two hours"),
        ("status --destination postgres --log-format json", "about another database, as JSON"),
    ),
    "report": (
        ("report", "writes zoho_report.html"),
        ("report --demo", "about what `make demo` has loaded"),
        ("report --output /var/www/zoho.html", "for a web server"),
    ),
    "seats": (
        ("seats", "each user with licence, last activity and days idle"),
        ("seats --price 40", "what the licences cost, and those that are not used"),
        ("seats --idle 60 --format csv > idle.csv", "the licences to take back"),
    ),
    "describe": (
        ("describe deals", "the columns of a table"),
        ("describe Sales_Orders --format json", "of a module's table, for a program"),
    ),
    "views": (
        ("views", "a view beside each table, in zoho_crm_views"),
        ("views --labels", "the same, with the CRM's labels as names of columns"),
        ("views --drop", "remove them again"),
    ),
    "models": (
        ("models --dbt crm_models", "a dbt project; then: cd crm_models && dbt build"),
        ("models --dbt crm_models --destination postgres", "of the tables in PostgreSQL"),
    ),
    "open": (
        ("open", "look at the tables in a browser"),
        ("open --print", "the lines for DBeaver, Metabase, Superset and Excel"),
    ),
    "export": (
        ("export /backup/zoho", "a Parquet file for each table, and a manifest"),
        ("export /backup/zoho-csv --format csv", "the same as CSV"),
    ),
    "files": (
        ("files /backup/zoho-files", "attachments, upload fields and photos"),
        ("files s3://backup/zoho --modules Deals,Contacts --max-size 50MB", "of two modules, into a bucket"),
        ("files /backup/zoho-files --max-credits 2000", "some now; the next run goes on"),
    ),
}
MAIN_HELP_ORDER = (
    "run",
    "authorize",
    "plan",
    "modules",
    "verify",
    "check",
    "status",
    "report",
    "seats",
    "export",
    "files",
    "describe",
    "views",
    "models",
    "open",
)  # one each in the main help


class CommandWithExamples(click.Command):
    """A command whose help ends with lines to copy."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        formatter.write(lines_of(str(self.name)))


def lines_of(command: str) -> str:
    """The examples of a command, each below what it is for."""
    told = [
        line for words, why in EXAMPLES[command] for line in (f"  # {why}", _call(words)) if line != "  # "
    ]
    return "\n".join(["Examples:", *told]) + "\n"


def leading_lines() -> str:
    """The first examples of `run`, and one of each other command."""
    words = [
        *(words for words, _ in EXAMPLES["run"][:3]),
        *(EXAMPLES[name][0][0] for name in MAIN_HELP_ORDER[1:]),
    ]
    return "\n".join(["Examples:", *map(_call, words)]) + "\n"


def _call(words: str) -> str:
    return f"  {program()} {'' if words == 'run' else words}".rstrip()
