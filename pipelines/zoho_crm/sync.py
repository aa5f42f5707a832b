"""One run: survey the account, read its tables side by side, load each as soon as it is whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, cast

import dlt
from dlt.common.configuration.exceptions import ConfigFieldMissingException
from dlt.common.runtime.collector_base import Collector
from dlt.extract import DltSource
from dlt.pipeline.exceptions import PipelineStepFailed

from sources.zoho_crm.client import Usage, ZohoClient
from sources.zoho_crm.endpoints import OUR_TABLES
from sources.zoho_crm.errors import CredentialsError, SettingsError, Skippable
from sources.zoho_crm.plan import Wish
from sources.zoho_crm.reading import Reading
from sources.zoho_crm.resources import SOURCE, memory_of, table_resource
from sources.zoho_crm.survey import Choice, Survey, survey
from sources.zoho_crm.tables import Table, account_tables, metadata_tables, module_tables, not_due

from .failures import causes
from .outcome import Run
from .progress import Progress
from .replacing import Disposition, replaced_safely
from .sync_runs import sync_runs_reading

BULK_READERS = 16  # they mostly wait for Zoho; the account's limits are kept by the client
OTHER_READERS = 4


def open_pipeline(
    name: str, destination: Any, dataset: str, pipelines_dir: str | None, collector: Collector
) -> dlt.Pipeline:
    """The pipeline, with the state that its destination holds. Raises SettingsError in one sentence."""
    try:
        pipeline = dlt.pipeline(
            name,
            destination=destination,
            dataset_name=dataset,
            pipelines_dir=cast(str, pipelines_dir),  # None is dlt's default
            progress=collector,
        )
        pipeline.sync_destination()
    except Exception as error:
        raise SettingsError(
            f"the destination cannot be opened: {_why_not_open(error, destination)}"
        ) from error
    return pipeline


def _why_not_open(error: BaseException, destination: Any) -> str:
    for cause in causes(error):
        if isinstance(cause, ConfigFieldMissingException):
            name = getattr(destination, "destination_name", destination)
            keys = [f"DESTINATION__{name}__{field}".upper() for field in cause.fields]
            return f"Missing {', '.join(keys)} (in the environment, in .env or in dlt's own files)"
    return innermost(error)


def look(pipeline: dlt.Pipeline, client: ZohoClient, choice: Choice, wish: Wish) -> Survey:
    """What the account offers and what a run would read; loads nothing."""
    state: Mapping[str, Any] = pipeline.state.get("sources", {}).get(SOURCE, {})
    try:
        return survey(client, choice, wish, memory_of(state), OUR_TABLES)
    except Skippable as error:
        raise CredentialsError(f"Zoho does not let these credentials list the modules: {error}") from error


def sync(pipeline: dlt.Pipeline, client: ZohoClient, choice: Choice, wish: Wish, progress: Progress) -> Run:
    """Read and load every chosen table; one that fails leaves the others alone."""
    run = Run(named=choice.only)
    if pipeline.has_pending_data:
        pipeline.abort_packages()  # every table is read whole again, so nothing of them is needed
    found = look(pipeline, client, choice, wish)
    run.named, run.skips, run.failures = found.choice.only, found.skips, found.failures
    planning = replace(client.usage)
    with _spool_folder(pipeline) as folder:
        client.door.scratch = folder
        modules = module_tables(client, found)
        for readings in _as_they_come([*modules, *account_tables(client, found)], folder, progress):
            _load(pipeline, readings)
            run.readings += readings
            for reading in readings:
                progress.done(reading)
        refused = {r.name: r.notes.refused for r in run.readings}
        ours = [table.read(folder, lambda rows: None) for table in metadata_tables(found, refused)]
        _load(pipeline, ours)
        _charge_planning(ours, planning)
        run.readings = _in_order([*run.readings, *ours, *not_due(found, client.now())], found)
        _count(pipeline, client, run)
        log = sync_runs_reading(run, folder)
        _load(pipeline, [log], "append")
        if log.error:
            run.troubles.append((log.name, log.error))
    return run


# ---- reading


def _as_they_come(tables: Sequence[Table], folder: Path, collector: Collector) -> Iterator[list[Reading]]:
    """Read in threads; yield what is whole by now, as one lot, while the others go on."""
    bulk = ThreadPoolExecutor(BULK_READERS, "bulk")
    other = ThreadPoolExecutor(OTHER_READERS, "other")
    try:
        pending: set[Future[Reading]] = set()
        for table in tables:
            pool = bulk if table.plan is not None and table.plan.api == "bulk" else other
            pending.add(pool.submit(_read, table, folder, collector))
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield [future.result() for future in done]
    finally:  # whoever is interrupted does not wait for Zoho; after a whole run nobody reads any more
        for pool in (bulk, other):
            pool.shutdown(wait=False, cancel_futures=True)


def _read(table: Table, folder: Path, collector: Collector) -> Reading:
    plan = table.plan
    known: dict[str, Any] = {"label": plan.api, "total": plan.rows} if plan else {"label": "settings"}
    return table.read(folder, partial(collector.update, table.table, **known))


@contextmanager
def _spool_folder(pipeline: dlt.Pipeline) -> Iterator[Path]:
    """Beside dlt's own files, so that a file is linked into the load package and not copied."""
    folder = Path(pipeline.working_dir, "spool")
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---- loading


def _load(pipeline: dlt.Pipeline, readings: Sequence[Reading], disposition: Disposition = "replace") -> None:
    """Load all that are whole in one package; if that fails, each alone, so that only the culprit fails."""
    whole = [r for r in readings if r.spooled is not None and r.status == "read"]
    if not whole:
        return
    try:
        _run(pipeline, whole, disposition)
    except PipelineStepFailed as error:
        if any(isinstance(cause, KeyboardInterrupt) for cause in causes(error)):
            raise KeyboardInterrupt from error  # dlt wraps Ctrl-C and SIGTERM like a failed load
        pipeline.abort_packages()
        if len(whole) == 1:
            whole[0].end("failed", f"the destination refused it: {innermost(error)}")
            return
        for reading in whole:
            _load(pipeline, [reading], disposition)
    for reading in whole:
        if reading.spooled is not None:
            reading.spooled.path.unlink(missing_ok=True)


def _run(pipeline: dlt.Pipeline, readings: Sequence[Reading], disposition: Disposition) -> None:
    with replaced_safely(pipeline, [r.table for r in readings], disposition) as how:
        resources = [table_resource(r.table, r.columns, partial(iter, [r]), how) for r in readings]
        pipeline.run(_source_of(resources))


def _source_of(resources: Iterable[Any]) -> DltSource:
    return dlt.source(lambda: list(resources), name=SOURCE, section=SOURCE)()


def innermost(error: BaseException) -> str:
    """The first line of the error that began it all."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return (str(error).strip() or type(error).__name__).splitlines()[0]


# ---- counting


def _count(pipeline: dlt.Pipeline, client: ZohoClient, run: Run) -> None:
    """Count what the destination holds now; a table that holds other than was read has failed."""
    read = [r for r in run.readings if r.status == "read"]
    try:
        run.table_counts = _table_counts(pipeline, [r.table for r in read]) if read else {}
    except Exception as error:  # noqa: BLE001 - each destination has errors of its own
        run.troubles.append(("the destination", f"its tables could not be counted: {innermost(error)}"))
    for reading in read:
        held = run.table_counts.get(reading.table, reading.rows)
        if held != reading.rows:
            reading.end("failed", f"{held:,} rows are in the destination, {reading.rows:,} were read")
    usages = [client.usage, *(r.usage for r in run.readings if r.name not in ("modules", "fields"))]
    run.calls = sum(usage.calls for usage in usages)
    run.credits = sum(usage.credits for usage in usages)
    run.credits_remaining = client.door.credits_remaining
    run.finished = datetime.now(timezone.utc)


def _charge_planning(ours: Sequence[Reading], planning: Usage) -> None:
    """What was asked while planning is what `modules` and `fields` hold: one call is the former's."""
    for reading in ours:
        calls = 1 if reading.name == "modules" else planning.calls - 1
        reading.usage = Usage(calls, calls)


def _table_counts(pipeline: dlt.Pipeline, tables: Sequence[str]) -> dict[str, int]:
    with pipeline.sql_client() as sql:
        counts = [f"select '{t}', count(*) from {sql.make_qualified_table_name(t)}" for t in tables]
        rows = sql.execute_sql(" union all ".join(counts)) or []
    return {str(table): int(count) for table, count in rows}


def _in_order(readings: list[Reading], found: Survey) -> list[Reading]:
    """Modules as Zoho lists them, then our own tables."""
    order = [*(m.api_name for m in found.modules), *OUR_TABLES]
    return sorted(readings, key=lambda r: (r.plan is None, order.index(r.name)))
