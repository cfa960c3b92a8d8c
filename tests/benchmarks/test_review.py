"""The time that the rule book takes: one review once the case is parsed, reading a case, and importing the package.

CPU time is measured, so that what else the machine does counts as little as possible.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from baclofen_rules import Case, load_profile, review
from tests.baclofen_rules.cases import case_of

TYPICAL = {
    "takes": ["10+10+10 for 28 days"],
    "had": ["10+10+10, 28 days ago, for 28 days, since 200 days ago"],
    "prescription": {"directions": "1 tablet three times a day for 28 days"},
    "patient": {"conditions": ["epilepsy"], "medicines": [{"name": "ramipril", "atc": "C09AA05"}]},
}
REVIEW_BAR = 100e-6
"""Seconds, median."""
IMPORT_BAR = 60e-3
"""Seconds, median."""
pytestmark = pytest.mark.benchmark(timer=time.process_time, min_rounds=200)


def test_one_review_of_a_typical_case(benchmark: Any) -> None:
    case, profile = Case.from_json(case_of(TYPICAL)), load_profile("lioresal")
    answer = benchmark.pedantic(review, (case, profile), rounds=300, iterations=20, warmup_rounds=20)
    assert {finding.code for finding in answer.findings} == {"condition", "interaction-antihypertensive"}
    assert benchmark.stats.stats.median < REVIEW_BAR


def test_one_review_of_an_eventful_case(benchmark: Any) -> None:
    eventful = {**TYPICAL, "takes": ["35+35+40 for 28 days"], "patient": {"egfr": 40, "alcohol_use": True}}
    case, profile = Case.from_json(case_of(eventful)), load_profile("lioresal")
    answer = benchmark.pedantic(review, (case, profile), rounds=300, iterations=20, warmup_rounds=20)
    assert len(answer.findings) > 5


def test_reading_a_case(benchmark: Any) -> None:
    text = json.dumps(Case.from_json(case_of(TYPICAL)).to_json())
    assert benchmark.pedantic(Case.from_text, (text,), rounds=300, iterations=20, warmup_rounds=20).order is not None


def test_importing_the_rule_book(benchmark: Any, tmp_path: Path) -> None:
    timed = "import time; begun = time.process_time(); import baclofen_rules; print(time.process_time() - begun)"
    # As installed: with compiled files, which this environment may forbid to write beside the source.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ["PYTHONPYCACHEPREFIX"] = str(tmp_path)

    def once() -> float:
        run = subprocess.run([sys.executable, "-c", timed], capture_output=True, check=True, env=environ)
        return float(run.stdout)

    taken: list[float] = []
    benchmark.pedantic(lambda: taken.append(once()), rounds=15, iterations=1, warmup_rounds=2)
    assert statistics.median(taken[2:]) < IMPORT_BAR
