"""Golden reviews: a journey a file, its case and what each profile says; the diff of a change shows what it does.

``make golden`` writes them anew. Digests and sources are left out: they change with every word of a profile.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from baclofen_rules import Case, load_profile, review
from tests.baclofen_rules.cases import CASE_KEYS, case_of
from tests.tables import read_table

HERE = Path(__file__).parent
REVIEWS = HERE / "reviews"
PROFILES = ("lioresal", "us-label", "uk-smpc")
BESIDE = frozenset({"name", "says"})
JOURNEYS = read_table(HERE / "journeys.toml", "journey", CASE_KEYS | BESIDE, required=BESIDE)["journey"]


def told(journey: dict[str, Any]) -> str:
    """A journey as its golden file tells it."""
    case = Case.from_json(case_of(journey, BESIDE))
    reviews = {}
    for name in PROFILES:
        answer = review(case, load_profile(name)).to_json()
        del answer["profile"]["digest"]
        for finding in answer["findings"]:
            del finding["sources"]
        reviews[name] = answer
    return json.dumps({"says": journey["says"], "case": case.to_json(), "reviews": reviews}, indent=1) + "\n"


@pytest.mark.parametrize("journey", JOURNEYS, ids=[journey["name"] for journey in JOURNEYS])
def test_a_journey_is_reviewed_as_before(journey: dict[str, Any], request: pytest.FixtureRequest) -> None:
    path = REVIEWS / f"{journey['name']}.json"
    now = told(journey)
    if request.config.getoption("--rewrite-golden", default=False):
        path.write_text(now, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == now, "`make golden` writes it anew; read the diff"


def test_every_golden_file_has_its_journey() -> None:
    assert {path.stem for path in REVIEWS.iterdir()} == {journey["name"] for journey in JOURNEYS}


@pytest.mark.parametrize("journey", JOURNEYS, ids=[journey["name"] for journey in JOURNEYS])
def test_a_golden_case_is_a_case_of_its_own(journey: dict[str, Any]) -> None:
    kept = json.loads((REVIEWS / f"{journey['name']}.json").read_text(encoding="utf-8"))
    for name in PROFILES:
        assert review(Case.from_json(kept["case"]), load_profile(name)).outcome == kept["reviews"][name]["outcome"]
