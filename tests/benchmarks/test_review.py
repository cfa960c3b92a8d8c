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
FIRST_TEXT_BAR = 50e-3
"""Seconds, median, of the first directions that a process reads, or asks about."""
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


IMPORTING = ("", "import baclofen_rules", IMPORT_BAR)
READING = (
    "import baclofen_rules",
    "baclofen_rules.read_directions('10 mg three times a day for 28 days')",
    FIRST_TEXT_BAR,
)
ASKING = ("import baclofen_rules", "baclofen_rules.read_directions('take as per clinic letter 40 mg')", FIRST_TEXT_BAR)


@pytest.mark.parametrize(
    ("before", "timed", "bar"), [IMPORTING, READING, ASKING], ids=["import", "first-reading", "first-question"]
)
def test_the_first_of_a_process(benchmark: Any, tmp_path: Path, before: str, timed: str, bar: float) -> None:
    code = f"import time; {before}\nbegun = time.process_time(); {timed}\nprint(time.process_time() - begun)"
    # As installed: with compiled files, which this environment may forbid to write beside the source.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ["PYTHONPYCACHEPREFIX"] = str(tmp_path)

    def once() -> float:
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environ)
        return float(run.stdout)

    taken: list[float] = []
    benchmark.pedantic(lambda: taken.append(once()), rounds=15, iterations=1, warmup_rounds=2)
    assert statistics.median(taken[2:]) < bar
