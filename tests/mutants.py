"""Breaks the source on purpose, one fault of the known connectors at a time; each must turn a test red.

`python -m tests.mutants` takes some minutes; `python -m tests.mutants NAME ...` tries only those named.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Mutant:
    """One text of one file replaced by another, and the tests that must notice; a bare name is the source's."""

    name: str
    file: str
    old: str
    new: str
    tests: str


INCREMENTS, DELETIONS = (
    "tests/end_to_end/later_runs/test_increments.py",
    "tests/end_to_end/deletions/test_deletions.py",
)

MUTANTS = (
    Mutant(
        "used-up credits are a refusal like any other",
        "sources/zoho_crm/exceptions.py",
        "class DailyLimitError(Retriable):",
        "class DailyLimitError(Fatal):",
        "tests/end_to_end/cost/test_credits.py",
    ),
    Mutant(
        "a reading that fails keeps its slots",
        "sources/zoho_crm/extract/column_batches.py",
        "            source.close()",
        "            pass",
        "tests/sources/zoho_crm/extract/test_column_batches.py",
    ),
    Mutant(
        "stage histories by Bulk Read, as configured",
        "sources/zoho_crm/planning/api_selection.py",
        'if no_bulk and preferred_api in ("auto", "bulk"):',
        'if no_bulk and preferred_api == "auto":',
        "tests/end_to_end/rows/test_demo_company.py",
    ),
    Mutant(
        "a refused field is empty when its first records are",
        "sources/zoho_crm/extract/column_batches.py",
        "(seen.all or api.is_empty(client, plan, name))",
        "True",
        "tests/sources/zoho_crm/extract/bulk_read/test_reader.py",
    ),
    Mutant(
        "a refused field has no column",
        "sources/zoho_crm/extract/column_batches.py",
        "if field.name not in there:",
        "if False:",
        "tests/sources/zoho_crm/extract/bulk_read/test_reader.py",
    ),
    Mutant(
        "a rule of privacy that fits nothing passes",
        "sources/zoho_crm/discovery/rule_checks.py",
        "    if not unknown and",
        "    if unknown and",
        "tests/end_to_end/privacy/test_privacy.py",
    ),
    Mutant(
        "the rest of a secret is named",
        "sources/zoho_crm/auth/credentials.py",
        "if before else name",
        "if False else name",
        "tests/sources/zoho_crm/auth/test_credentials_settings.py",
    ),
    Mutant(
        "used-up credits are asked for again and again",
        "sources/zoho_crm/auth/transport.py",
        'response.headers.get(REMAINING) == "0"',
        "False",
        "tests/end_to_end/cost/test_credits.py",
    ),
    Mutant(
        "records of a range's last second are in no range",
        "sources/zoho_crm/extract/bulk_read/ranges.py",
        "Window(since, until, CREATED_TIME) for since, until in pairwise(ends)",
        "Window(since, until and until.replace(second=0), CREATED_TIME) for since, until in pairwise(ends)",
        "tests/sources/zoho_crm/extract/bulk_read/test_ranges.py",
    ),
    Mutant(
        "what a page of a range lacks is looked for in all ranges",
        "sources/zoho_crm/extract/bulk_read/reader.py",
        "PageGapDetector(self.client, plan, self.notes)",
        "PageGapDetector(self.client, self.plan, self.notes)",
        "tests/sources/zoho_crm/extract/bulk_read/test_ranges.py",
    ),
    Mutant(
        "a resumed run cuts a module anew",
        "sources/zoho_crm/extract/bulk_read/ranges.py",
        "known_jobs.find_boundaries(client.now()) if known_jobs else None",
        "None",
        "tests/sources/zoho_crm/extract/bulk_read/test_ranges.py",
    ),
    Mutant(
        "only page 1 of a bulk job",
        "sources/zoho_crm/extract/bulk_read/reader.py",
        "if result.next_page_token and not one.more:",
        "if False:",
        "tests/sources/zoho_crm/extract/bulk_read/test_*.py "
        "tests/sources/zoho_crm/sync/test_rejected_values.py "
        "tests/end_to_end/refusals/test_bulk_read_fails.py",
    ),
    Mutant(
        "rows of an archive that is not whole stay",
        "sources/zoho_crm/transform/parquet_writer.py",
        "writer.forget(table.rows) if isinstance(table, DiscardRows) else writer.write(table)",
        "isinstance(table, DiscardRows) or writer.write(table)",
        "tests/sources/zoho_crm/extract/bulk_read/test_reader_failures.py",
    ),
    Mutant(
        "an unknown job state is still work",
        "sources/zoho_crm/extract/bulk_read/job.py",
        "if state not in WORKING:",
        'if state == "FAILURE":',
        "tests/sources/zoho_crm/extract/bulk_read/test_*.py "
        "tests/sources/zoho_crm/sync/test_rejected_values.py "
        "tests/end_to_end/refusals/test_bulk_read_fails.py",
    ),
    Mutant(
        "null becomes 0",
        "sources/zoho_crm/transform/converters.py",
        "        return None\n    try:\n        return CONVERTERS[kind]",
        "        return 0\n    try:\n        return CONVERTERS[kind]",
        "tests/end_to_end/rows/test_same_row.py",
    ),
    Mutant(
        "metadata errors are swallowed",
        "sources/zoho_crm/discovery/catalog.py",
        "kept.append(Skip(module, str(answer)))",
        "pass",
        "tests/sources/zoho_crm/discovery/test_catalog.py",
    ),
    Mutant(
        "the API domain of the answer is dropped",
        "sources/zoho_crm/auth/authenticator.py",
        "return choose_api_domain(token.api_domain,",
        "return choose_api_domain(None,",
        "tests/sources/zoho_crm/auth/test_authenticator_simulated.py "
        "tests/sources/zoho_crm/auth/test_authenticator.py",
    ),
    Mutant(
        "conditions are not paired",
        "sources/zoho_crm/extract/coql_query.py",
        'f"({joined} {word} {condition})"',
        'f"{joined} {word} {condition}"',
        "tests/sources/zoho_crm/extract/test_coql.py",
    ),
    Mutant(
        "an archive with a missing row is accepted",
        "sources/zoho_crm/extract/bulk_read/archive.py",
        "if rows != count:",
        "if rows > count:",
        "tests/sources/zoho_crm/extract/bulk_read/test_*.py "
        "tests/sources/zoho_crm/sync/test_rejected_values.py "
        "tests/end_to_end/refusals/test_bulk_read_fails.py",
    ),
    Mutant(
        "converted leads are not asked for",
        "sources/zoho_crm/planning/plan.py",
        "return [flag for flag in flags if flag not in refused]",
        "return []",
        "tests/sources/zoho_crm/extract/bulk_read/test_*.py "
        "tests/sources/zoho_crm/sync/test_rejected_values.py "
        "tests/end_to_end/refusals/test_bulk_read_fails.py",
    ),
    Mutant(
        "the second chunk of fields is lost",
        "sources/zoho_crm/extract/record_lookup.py",
        "for chunk in chunks[1:]:",
        "for chunk in ():",
        "tests/sources/zoho_crm/extract/test_records*.py",
    ),
    Mutant(
        "times lose their zone",
        "sources/zoho_crm/transform/converters.py",
        "return instant.astimezone(timezone.utc)",
        "return instant.replace(tzinfo=timezone.utc)",
        "tests/sources/zoho_crm/transform/test_converters.py "
        "tests/sources/zoho_crm/transform/test_arrow_tables.py "
        "tests/end_to_end/rows/test_same_row.py",
    ),
    Mutant(
        "a joined cell is split at every separator",
        "sources/zoho_crm/extract/bulk_read/cell_completion.py",
        "            return list(ways[0]) if len(ways) == 1 else None",
        "            return text.split(separator)",
        "tests/sources/zoho_crm/extract/bulk_read/test_cell_completion.py tests/end_to_end/rows/test_same_row.py",
    ),
    Mutant(
        "a scope mismatch renews the token",
        "sources/zoho_crm/auth/authenticator.py",
        'INVALID_TOKEN_CODES = frozenset({"INVALID_TOKEN"',
        'INVALID_TOKEN_CODES = frozenset({"OAUTH_SCOPE_MISMATCH", "INVALID_TOKEN"',
        "tests/sources/zoho_crm/auth/test_authenticator.py",
    ),
    Mutant(
        "the cursor is the watermark plus one second",
        "sources/zoho_crm/planning/sync_mode.py",
        "since = min(plan.synced.until, plan.until) - policy.lookback",
        "since = min(plan.synced.until, plan.until) + timedelta(seconds=2)",
        INCREMENTS,
    ),
    Mutant(
        "there is no look-back",
        "sources/zoho_crm/planning/sync_mode.py",
        "plan.until) - policy.lookback",
        "plan.until)",
        INCREMENTS,
    ),
    Mutant(
        "the watermark is our own clock",
        "sources/zoho_crm/discovery/catalog.py",
        "until = client.now()",
        "until = datetime.now().astimezone()",
        INCREMENTS,
    ),
    Mutant(
        "the chunks of fields are used up by the first page",
        "sources/zoho_crm/extract/records.py",
        "        some = some or bool(records)",
        "        some, chunks = some or bool(records), chunks[:1]",
        "tests/sources/zoho_crm/extract/test_records*.py",
    ),
    Mutant(
        "the edge that If-Modified-Since may leave out is not asked for",
        "sources/zoho_crm/extract/records_pagination.py",
        "(since - SECOND).isoformat",
        "since.isoformat",
        "tests/sources/zoho_crm/extract/test_windows.py tests/sources/zoho_crm/extract/test_probe.py",
    ),
    Mutant(
        "a window ends after its first page",
        "sources/zoho_crm/extract/records_pagination.py",
        "self.whole = met or not more",
        "self.whole = True",
        "tests/sources/zoho_crm/extract/test_windows.py tests/sources/zoho_crm/extract/test_probe.py",
    ),
    Mutant(
        "deletions are ignored",
        "sources/zoho_crm/extract/extractor.py",
        "reading.gone = {gone.id: gone.deleted_time for gone in reading.deletions}",
        "reading.gone = {}",
        DELETIONS,
    ),
    Mutant(
        "a deletion is believed without asking by id",
        "sources/zoho_crm/extract/extractor.py",
        'alive = {str(row["id"]) for row in back}',
        "alive: set[str] = set()",
        DELETIONS,
    ),
    Mutant(
        "what hangs on a record does not follow it",
        "sources/zoho_crm/sync/extraction.py",
        "            self._follow(self._changed)\n",
        "",
        DELETIONS,
    ),
    Mutant(
        "a new field is filled by edits only",
        "sources/zoho_crm/planning/sync_mode.py",
        "if column_signature(c) not in synced.filled or c.name not in held]",
        "if not c]",
        "tests/end_to_end/later_runs/test_refresh.py",
    ),
    Mutant(
        "formulas are never read again",
        "sources/zoho_crm/planning/sync_mode.py",
        "if computed and is_due(synced.computed_at, policy.computed_refresh, now, gap):",
        "if not computed:",
        "tests/end_to_end/later_runs/test_refresh.py",
    ),
    Mutant(
        "a difference to the CRM's count is forgotten",
        "sources/zoho_crm/planning/sync_mode.py",
        "if synced.difference and synced.difference_at:",
        "if False:",
        DELETIONS,
    ),
    Mutant(
        "the watermark moves although the load failed",
        "pipelines/zoho_crm/run/run_result.py",
        "self.synced.pop(reading.name, None)",
        "pass",
        "tests/end_to_end/later_runs/test_increments.py tests/end_to_end/failures/test_crash.py",
    ),
    Mutant(
        "a hashed field lands as it is",
        "sources/zoho_crm/extract/bulk_read/reader.py",
        "yield mask_table(completer.complete_rows(table), self.plan.columns)",
        "yield completer.complete_rows(table)",
        "tests/end_to_end/privacy/test_privacy.py tests/sources/zoho_crm/transform/test_privacy_rules.py",
    ),
    Mutant(
        "any page may answer for a consent",
        "sources/zoho_crm/auth/oauth_client.py",
        'if state is not None and given.get("state") != state:',
        "if False:",
        "tests/sources/zoho_crm/auth/test_oauth_client.py tests/pipelines/zoho_crm/authorize/test_command.py",
    ),
    Mutant(
        "a table that is gone gets the changes only",
        "sources/zoho_crm/planning/sync_mode.py",
        "plan.table not in held",
        "False",
        "tests/end_to_end/later_runs/test_state.py",
    ),
    Mutant(
        "records that wait for approval are not looked for",
        "sources/zoho_crm/extract/hidden_records.py",
        "missing = came.lacks(waiting.ids)",
        "missing = frozenset[str]()",
        "tests/end_to_end/rows/test_unapproved_records.py",
    ),
    Mutant(
        "a list that ignores `approved` is believed",
        "sources/zoho_crm/extract/hidden_records.py",
        "if not waiting.all_known and",
        "if False and",
        "tests/end_to_end/rows/test_unapproved_records.py",
    ),
    Mutant(
        "converted leads that could not be named are not looked for",
        "sources/zoho_crm/extract/hidden_records.py",
        "missing |= _converted(client, plan, came)",
        "pass",
        "tests/end_to_end/rows/test_unapproved_records.py",
    ),
    Mutant(
        "converted and unapproved records are not counted",
        "sources/zoho_crm/extract/record_count.py",
        "{**which, **client.service.all_records}",
        "which",
        "tests/pipelines/zoho_crm/run/test_counts.py",
    ),
    Mutant(
        "a refused count is asked for in full each time",
        "sources/zoho_crm/planning/sync_mode.py",
        "counts_partly=plan.counts_partly,\n        layout",
        "counts_partly=False,\n        layout",
        "tests/pipelines/zoho_crm/run/test_counts.py",
    ),
    Mutant(
        "a linking module is known by an object only",
        "sources/zoho_crm/discovery/metadata.py",
        "return (module or None) if isinstance(module, str) else",
        "return",
        "tests/end_to_end/rows/test_multi_user_lookups.py",
    ),
    Mutant(
        "a refusal of many values in one IN is forgotten",
        "sources/zoho_crm/extract/related_rows.py",
        "client.context.coql_in_values = min(client.context.coql_in_values, fewer)",
        "pass",
        "tests/sources/zoho_crm/extract/test_coql_in_values.py",
    ),
)


def main() -> int:
    names = set(sys.argv[1:])
    survivors = [m.name for m in MUTANTS if (not names or m.name in names) and not is_killed(m)]
    print(
        f"{len(survivors)} of the mutants live: {', '.join(survivors)}"
        if survivors
        else "Every mutant is dead."
    )
    return 1 if survivors else 0


def is_killed(mutant: Mutant) -> bool:
    """Run the tests on a copy of the tree with the fault in it."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("sources", "pipelines", "simulators", "tests", "benchmarks"):
            shutil.copytree(
                ROOT / part, Path(folder, part), ignore=shutil.ignore_patterns("data", "__pycache__")
            )
        for part in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / part, folder)
        path = Path(folder, mutant.file if "/" in mutant.file else f"sources/zoho_crm/{mutant.file}")
        text = path.read_text()
        if text.count(mutant.old) != 1:
            raise SystemExit(f"{mutant.name}: {mutant.file} no longer holds {mutant.old!r} once")
        path.write_text(text.replace(mutant.old, mutant.new))
        paths = [str(path) for pattern in mutant.tests.split() for path in sorted(Path(folder).glob(pattern))]
        command = [sys.executable, "-m", "pytest", "-x", "-q", *paths]
        every_case = {**os.environ, "ZOHO_TESTS": "long"}
        done = subprocess.run(
            command, check=False, cwd=folder, env=every_case, capture_output=True, text=True
        )
    if done.returncode not in (0, 1):
        raise SystemExit(f"{mutant.name}: the tests did not run:\n{done.stdout}{done.stderr}")
    killed = done.returncode == 1
    print(f"{'dead' if killed else 'ALIVE'}  {mutant.name}", flush=True)
    return killed


if __name__ == "__main__":
    sys.exit(main())
