"""The taper that a review proposes where it questions how a dose falls or ends."""

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from baclofen_rules import Case, load_profile, profiles, review

PROFILES = {name: load_profile(name) for name in ("lioresal", "us-label", "uk-smpc")}
LONG_AGO = {"dispensed_on": "2026-10-25", "relation": "same-course", "dose": 20, "times_per_day": 3, "days_supply": 28}
"""60 mg a day, for weeks."""


def phase(dose: int, times: int, days: int | None) -> dict[str, Any]:
    return {"dose": dose, "times_per_day": times, "unit": "mg", "days": days}


def steep(action: str = "dispense", had: dict[str, Any] | None = LONG_AGO, **prescription: Any) -> Case:
    """60 mg a day for weeks, and now down to 15 mg a day, or off."""
    order = {"route": "oral", "form": "tablet", "strength_mg": 10, "then_stop": False, **prescription}
    order.setdefault("phases", [phase(5, 3, 28)])
    return Case.from_json(
        {
            "format": "baclofen-case/1",
            "on": "2026-11-22",
            "action": action,
            "patient": {"age_years": 45},
            "prescription": order if action == "dispense" else None,
            "history": [] if had is None else [had],
        }
    )


def suggestions(case: Case, name: str = "lioresal") -> dict[str, Any]:
    findings = review(case, PROFILES[name]).findings
    return {finding.code: finding.to_json()["suggestion"] for finding in findings if finding.suggestion is not None}


def taper(case: Case, code: str = "taper-step", name: str = "lioresal") -> Any:
    return suggestions(case, name)[code]["taper"]


def test_a_fall_that_is_too_steep_comes_with_a_taper_that_is_not() -> None:
    levels = [sum(map(int, phase["doses"])) for phase in taper(steep())["phases"]]
    assert levels[-1] == 15
    assert all(before - after <= 10 for before, after in pairwise([60, *levels]))


def test_a_stop_comes_with_a_taper_to_nothing() -> None:
    planned = taper(steep("discontinue"), "abrupt-stop")
    assert planned["sentence"].endswith("then 5 mg once a day for 2 days, then stop.")
    assert planned["days"] == 14
    long_treated = taper(steep("discontinue", {**LONG_AGO, "dose_since": "2026-06-01"}), "abrupt-stop")
    assert long_treated["days"] == 21


def test_a_course_that_falls_to_nothing_too_fast_comes_with_one_that_does_not() -> None:
    planned = taper(steep(then_stop=True))
    assert planned["then_stop"] is True
    assert planned["phases"][0]["doses"] == ["15", "15", "20"]


def test_a_dose_that_was_changed_yesterday_is_first_held() -> None:
    planned = taper(steep(had={**LONG_AGO, "dose_since": "2026-11-21"}))
    assert planned["sentence"].startswith(
        "Take 20 mg three times a day for 2 days, then 3 doses a day (15 mg, 15 mg, 20 mg)"
    )
    plan = taper(steep(had={**LONG_AGO, "dose_since": "2026-11-20"}))
    assert plan["sentence"].startswith("Take 3 doses a day (15 mg, 15 mg, 20 mg) for 2 days")


FALLS_LATER = [phase(15, 3, 7), phase(5, 3, 28)]


@pytest.mark.parametrize("had", [None, {**LONG_AGO, "dispensed_on": "2026-10-01"}])
def test_who_is_not_continuing_comes_down_from_the_first_phase(had: dict[str, Any] | None) -> None:
    planned = taper(steep(had=had, phases=FALLS_LATER))
    assert planned["sentence"] == (
        "Take 3 doses a day (10 mg, 10 mg, 15 mg) for 2 days, then 10 mg three times a day for 2 days, "
        "then 3 doses a day (5 mg, 5 mg, 10 mg) for 2 days, then 5 mg three times a day."
    )


@pytest.mark.parametrize(
    ("days", "begins"),
    [(1, "Take 15 mg three times a day for 2 days, then"), (2, "Take 3 doses a day (10 mg, 10 mg, 15 mg)")],
)
def test_a_first_phase_of_a_single_day_is_first_held(days: int, begins: str) -> None:
    planned = taper(steep(had=None, phases=[phase(15, 3, days), phase(5, 3, 28)]))
    assert planned["sentence"].startswith(begins)


def test_a_prescribed_strength_is_kept_where_it_can_be() -> None:
    assert taper(steep(strength_mg=5), name="us-label")["tablets"][0]["strength_mg"] == "5"
    assert taper(steep(strength_mg=None), name="us-label")["tablets"][0]["strength_mg"] == "10"


def test_a_stop_keeps_the_strength_of_the_last_supply() -> None:
    for strength, expected_strength in ((5, "5"), (None, "10")):
        planned = taper(steep("discontinue", {**LONG_AGO, "strength_mg": strength}), "abrupt-stop", "us-label")
        assert planned["tablets"][0]["strength_mg"] == expected_strength


def test_a_prescribed_strength_that_cannot_taper_is_replaced_by_one_that_can() -> None:
    planned = taper(steep(strength_mg=25, phases=[phase(25, 1, 28)]))
    assert planned["tablets"][0]["strength_mg"] == "10"


def test_one_strength_is_proposed_even_where_two_would_save_a_change() -> None:
    source = (Path(profiles.__file__).parent / "lioresal.toml").read_text(encoding="utf-8")
    halves = source.index("value = [10]", source.index("[[rules.measurable-dose.halvable_mg]]"))
    source = source[:halves] + source[halves:].replace("[10]", "[25]", 1)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "house.toml").write_text(
            source.replace('name = "lioresal"', 'name = "house"', 1), encoding="utf-8"
        )
        house = load_profile("house", folder=folder)
    finding = review(steep("discontinue", {**LONG_AGO, "dose": 35, "times_per_day": 2}), house).findings[0]
    planned = finding.to_json()["suggestion"]["taper"]
    assert [tablet["strength_mg"] for tablet in planned["tablets"]] == ["10"]


def test_a_course_that_ends_where_it_began_gets_none() -> None:
    assert suggestions(steep(phases=[phase(20, 3, 7), phase(5, 3, 7), phase(20, 3, 14)])) == {}


def test_a_course_that_is_not_questioned_is_not_planned_for() -> None:
    assert "taper-step" not in suggestions(steep(phases=[phase(15, 3, 28)]))
