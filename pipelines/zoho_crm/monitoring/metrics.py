"""Writes what a run did as metrics in Prometheus' text format, for node_exporter's textfile collector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from sources.zoho_crm.redaction import redact

from ..run.run_result import CommandOutcome

SUCCESS = "zoho_crm_last_success_timestamp_seconds"

OF_THE_RUN = {
    SUCCESS: "When a run of the pipeline last ended with exit code 0.",
    "zoho_crm_last_run_timestamp_seconds": "When the last run ended, well or not.",
    "zoho_crm_run_duration_seconds": "How long the last run took.",
    "zoho_crm_run_exit_code": "The exit code of the last run.",
    "zoho_crm_run_calls": "Calls of Zoho's API in the last run.",
    "zoho_crm_run_credits": "API credits that the last run spent.",
    "zoho_crm_credits_remaining": "API credits left today, where Zoho tells.",
}
OF_A_MODULE = {
    "zoho_crm_module_rows": "Rows that the last run read.",
    "zoho_crm_module_deleted_rows": "Rows that the last run removed or marked as deleted.",
    "zoho_crm_module_calls": "Calls of Zoho's API for the module.",
    "zoho_crm_module_credits": "API credits for the module.",
    "zoho_crm_module_duration_seconds": "How long the module took.",
    "zoho_crm_module_difference_rows": "Rows in the destination less the CRM's own count.",
    "zoho_crm_module_failed": "Whether the module failed: 1 or 0.",
}


def write_metrics(path: str, ending: CommandOutcome) -> str | None:
    """Replace the file in one step. Returns what went wrong.

    The time of the last success outlives the runs that fail.
    """
    samples = [
        Sample(name, {"pipeline": ending.pipeline}, value)
        for name, value in _of_the_run(ending, _last_success(path, ending.pipeline))
    ]
    samples += [
        Sample(name, {"pipeline": ending.pipeline, "module": redact(module)}, value)
        for name, module, value in _of_the_modules(ending)
    ]
    return _replace(path, samples)


def merge_metrics(path: str, files: Mapping[str, Path]) -> str | None:
    """Put the metrics of several pipelines, each from a file of its own, into one. Returns what went wrong."""
    return _replace(path, [sample for name, file in files.items() for sample in samples_of(file, name)])


def samples_of(path: str | Path, pipeline: str) -> list[Sample]:
    """What a file says of a pipeline; one that is not there, or that nobody can read, says nothing."""
    try:
        families = list(text_string_to_metric_families(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return []
    found = [sample for family in families for sample in family.samples]
    return [one for one in found if one.labels.get("pipeline") == pipeline]


def _replace(path: str, samples: list[Sample]) -> str | None:
    registry = CollectorRegistry()
    gauges = {n: Gauge(n, text, ["pipeline"], registry=registry) for n, text in OF_THE_RUN.items()}
    labels = ["pipeline", "module"]
    gauges |= {n: Gauge(n, text, labels, registry=registry) for n, text in OF_A_MODULE.items()}
    for sample in samples:
        if sample.name in gauges:
            gauges[sample.name].labels(**sample.labels).set(sample.value)
    try:
        write_to_textfile(path, registry)
    except OSError as error:
        return f"the metrics were not written: {error.strerror or type(error).__name__} ({path})"
    return None


def _of_the_run(ending: CommandOutcome, last_success: float | None) -> Iterator[tuple[str, float]]:
    end = (ending.finished or ending.started).timestamp()
    success = end if ending.code == 0 else last_success
    if success is not None:
        yield SUCCESS, success
    yield "zoho_crm_last_run_timestamp_seconds", end
    yield "zoho_crm_run_duration_seconds", ending.seconds
    yield "zoho_crm_run_exit_code", ending.code
    if ending.run is not None:
        yield "zoho_crm_run_calls", ending.run.calls
        yield "zoho_crm_run_credits", ending.run.credits
        if ending.run.credits_remaining is not None:
            yield "zoho_crm_credits_remaining", ending.run.credits_remaining


def _of_the_modules(ending: CommandOutcome) -> Iterator[tuple[str, str, float]]:
    run = ending.run
    for reading in run.readings if run else ():
        name, rows = reading.name, run.table_counts.get(reading.table) if run else None
        yield "zoho_crm_module_rows", name, reading.rows or 0
        yield "zoho_crm_module_deleted_rows", name, reading.deleted_rows
        yield "zoho_crm_module_calls", name, reading.usage.calls
        yield "zoho_crm_module_credits", name, reading.usage.credits
        yield "zoho_crm_module_duration_seconds", name, reading.seconds
        yield "zoho_crm_module_failed", name, reading.status == "failed"
        if rows is not None and reading.crm_count is not None:
            yield "zoho_crm_module_difference_rows", name, rows - reading.crm_count
    for skip in run.failures if run else ():
        yield "zoho_crm_module_failed", skip.module.api_name, 1


def _last_success(path: str, pipeline: str) -> float | None:
    """What the file says."""
    found = (sample for sample in samples_of(path, pipeline) if sample.name == SUCCESS)
    return next((float(sample.value) for sample in found), None)
