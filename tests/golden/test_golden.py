"""Golden reviews: one file a journey with outcome, codes, severities and details of each profile.

``make golden`` writes them anew; the diff of a change of the rules shows which answers it changes.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from baclofen_rules import Case, Review, load_profile, review
from tests.baclofen_rules.cases import CASE_KEYS, case_of
from tests.tables import read_table

HERE = Path(__file__).parent
REVIEWS = HERE / "reviews"
PROFILES = ("lioresal", "us-label", "uk-smpc")
BESIDE = frozenset({"name", "says"})
JOURNEYS = read_table(HERE / "journeys.toml", "journey", CASE_KEYS | BESIDE, required=BESIDE)["journey"]


def summarise(answer: Review) -> dict[str, Any]:
    """The parts of a review that a golden file keeps, a line for each finding and each rule that lacked a fact."""
    return {
        "outcome": str(answer.outcome),
        "findings": {finding.code: f"{finding.severity}: {finding.detail}" for finding in answer.findings},
        "not_assessed": {rule.code: ", ".join(rule.missing) for rule in answer.not_assessed},
    }


def write_golden(journey: dict[str, Any]) -> str:
    """The text of a journey's golden file."""
    case = Case.from_json(case_of(journey, BESIDE))
    reviews = {name: summarise(review(case, load_profile(name))) for name in PROFILES}
    return json.dumps({"says": journey["says"], "reviews": reviews}, indent=1) + "\n"


@pytest.mark.parametrize("journey", JOURNEYS, ids=[journey["name"] for journey in JOURNEYS])
def test_a_journey_is_reviewed_as_before(journey: dict[str, Any], request: pytest.FixtureRequest) -> None:
    path = REVIEWS / f"{journey['name']}.json"
    text = write_golden(journey)
    if request.config.getoption("--rewrite-golden", default=False):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, "`make golden` writes it anew; read the diff"


def test_every_golden_file_has_its_journey() -> None:
    assert {path.stem for path in REVIEWS.iterdir()} == {journey["name"] for journey in JOURNEYS}
