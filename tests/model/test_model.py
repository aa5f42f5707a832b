"""The pipeline survives whatever a company does to its CRM, and whatever befalls a run."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from .machine import Company

EXAMPLES = int(os.environ.get("ZOHO_MODEL_EXAMPLES", "2"))  # the first one of a seed is empty
SHRINK = "ZOHO_MODEL_SHRINK" in os.environ  # look for a shorter example, which takes minutes
STEPS = int(os.environ.get("ZOHO_MODEL_STEPS", "3"))  # each of up to 24 changes and a run or two
FIRST_SEED = int(os.environ.get("ZOHO_MODEL_SEED", "0"))
SHARDS = int(os.environ.get("ZOHO_MODEL_SHARDS", "1"))


@pytest.mark.parametrize("number", range(FIRST_SEED, FIRST_SEED + SHARDS))
def test_the_tables_equal_the_crm_after_every_good_run(
    number: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "zoho_crm")  # it says each of a thousand pauses
    again = f"ZOHO_MODEL_SEED={number} ZOHO_MODEL_SHARDS=1 ZOHO_MODEL_STEPS={STEPS} ZOHO_MODEL_EXAMPLES={EXAMPLES}"
    machine = seed(number)(type("Company", (Company,), {"folder": tmp_path, "again": again, "turn": number}))
    phases = (Phase.generate, Phase.shrink) if SHRINK else (Phase.generate,)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            phases=phases,
            database=None,
            derandomize=False,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
