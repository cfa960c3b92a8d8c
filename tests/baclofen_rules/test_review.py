import json

import pytest

from baclofen_rules import Case, Outcome, Severity, all_rules, explain, load_profile, review
from tests.baclofen_rules.cases import case_of
from tests.baclofen_rules.test_case import EXAMPLE, changed

PROFILES = ("lioresal", "us-label", "uk-smpc")


def asked(obj, name="lioresal"):
    return review(Case.from_json(obj), load_profile(name))


def test_the_same_case_profile_and_version_give_the_same_bytes():
    first, second = (json.dumps(asked(EXAMPLE).to_json()) for _ in range(2))
    assert first == second


def test_findings_come_gravest_first_then_by_code():
    case = changed("prescription.phases.0.dose", 35)
    case["prescription"]["directions"] = None
    answer = asked(case)
    keys = [(-finding.severity.rank, finding.code) for finding in answer.findings]
    assert keys == sorted(keys)
    assert answer.outcome is Outcome.OVERRIDE


def test_information_alone_passes():
    calm = changed("patient.conditions", ["liver-disease"])
    calm["prescription"] |= {"phases": [{"dose": 10, "times_per_day": 3, "unit": "mg", "days": 28}], "quantity": 84}
    calm["prescription"]["directions"] = None
    calm["patient"]["medicines"] = []
    answer = asked(calm)
    assert [(finding.code, finding.severity) for finding in answer.findings] == [("hepatic", Severity.INFORMATION)]
    assert answer.outcome is Outcome.PASS


def test_route_and_unit_switch_off_every_rule_that_needs_a_dose():
    answer = asked(changed("prescription.route", "rectal"))
    assert answer.outcome is Outcome.STOP
    assert answer.course is None
    codes = {rule.code for rule in answer.not_assessed}
    assert {"daily-maximum", "titration-step", "quantity", "renal"} <= codes
    assert all(rule.missing == ("prescription.route",) for rule in answer.not_assessed)
    assert {finding.code for finding in answer.findings} >= {"route", "condition", "interaction-muscle-relaxant"}


def test_a_wrong_unit_switches_them_off_too():
    answer = asked(changed("prescription.phases.0.unit", "microgram"))
    assert answer.outcome is Outcome.STOP
    assert answer.course is None
    assert {rule.code: rule.missing for rule in answer.not_assessed}["daily-maximum"] == ("prescription.phases",)


@pytest.mark.parametrize(
    ("row", "code", "dur", "issue"),
    [
        ({"takes": ["20+20+25 for 28 days"], "patient": {"age_years": 11}}, "daily-maximum", "HD", "DOSEHINDA"),
        ({"takes": ["35+35+35 for 28 days"]}, "daily-maximum", "HD", "DOSEH"),
        ({"patient": {"age_years": 3}}, "age", "PA", "AGE"),
        ({"patient": {"age_years": 5}}, "age", "PA", "PEALRT"),
        ({"patient": {"egfr": 20}}, "renal", "DL", "DOSECOND"),
        ({"patient": {"dialysis": True}}, "renal", "MC", "DOSECOND"),
        ({"prescription": {"quantity": 1}}, "quantity", "NS", "FULFIL"),
        ({"prescription": {"quantity": 99}}, "quantity", "EX", "FULFIL"),
        ({"patient": {"medicines": [{"name": "tizanidine"}]}}, "interaction-muscle-relaxant", "TD", "DUPTHPCLS"),
        ({"patient": {"medicines": [{"name": "morphine"}]}}, "interaction-opioid", "AT", "DRG"),
    ],
)
def test_a_finding_carries_the_codes_that_others_understand(row, code, dur, issue):
    finding = next(finding for finding in asked(case_of(row)).findings if finding.code == code).to_json()
    assert (finding["dur"], finding["detected_issue"]) == (dur, issue)


def test_the_course_shows_phases_tablets_days_and_the_first_day_not_covered():
    course = asked(EXAMPLE).course.to_json()
    assert course == {
        "phases": [
            {"from_day": 1, "to_day": 3, "mg_per_day": "15", "tablets": [{"strength_mg": "10", "per_dose": "0.5"}]},
            {
                "from_day": 4,
                "to_day": 28,
                "mg_per_day": "25",
                "tablets": [
                    {"strength_mg": "10", "per_dose": "1"},
                    {"strength_mg": "10", "per_dose": "0.5"},
                    {"strength_mg": "10", "per_dose": "1"},
                ],
            },
        ],
        "tablets_needed": "67",
        "days_supply": 28,
        "run_out_on": "2026-12-20",
    }


def refill(days_left):
    """30 mg a day again, with so many days of the last supply left."""
    case = changed("history.0.days_supply", 28 + days_left)
    case["prescription"] |= {"phases": [{"dose": 10, "times_per_day": 3, "unit": "mg", "days": 28}], "quantity": 84}
    case["prescription"]["directions"] = None
    return case


def test_what_is_left_at_home_puts_off_the_day_of_running_out():
    assert asked(refill(0)).course.run_out_on.isoformat() == "2026-12-20"
    assert asked(refill(5)).course.run_out_on.isoformat() == "2026-12-25"


def test_tablets_of_another_dose_are_not_counted_on():
    case = refill(5)
    case["prescription"]["phases"][0]["doses"] = [10, 10, 15]
    del case["prescription"]["phases"][0]["dose"], case["prescription"]["phases"][0]["times_per_day"]
    case["prescription"]["quantity"] = 98
    assert asked(case).course.run_out_on.isoformat() == "2026-12-20"


def test_an_open_end_lasts_as_long_as_its_tablets():
    case = refill(0)
    case["prescription"] |= {"phases": [{"dose": 10, "times_per_day": 3, "unit": "mg"}], "quantity": 70}
    course = asked(case).course
    assert (course.tablets_needed, course.days_supply) == (None, 23)
    assert course.run_out_on.isoformat() == "2026-12-15"
    case["prescription"]["quantity"] = None
    course = asked(case).course
    assert (course.days_supply, course.run_out_on) == (None, None)


def test_directions_stand_in_where_there_are_no_phases():
    case = refill(0)
    case["prescription"] |= {"phases": None, "directions": "10 mg tid for 28 days", "quantity": 84}
    answer = asked(case)
    assert answer.course.phases[0].mg_per_day == 30
    assert "daily-maximum" not in {rule.code for rule in answer.not_assessed}


def test_without_any_dose_every_rule_that_needs_one_says_so():
    case = refill(0)
    case["prescription"] |= {"phases": None, "directions": None}
    answer = asked(case)
    missing = {rule.code: rule.missing for rule in answer.not_assessed}
    assert missing["daily-maximum"] == ("prescription.phases",)
    assert answer.course is None


@pytest.mark.parametrize("name", PROFILES)
def test_every_rule_is_explained(name):
    case, profile = Case.from_json(EXAMPLE), load_profile(name)
    explained = explain(case, profile)
    codes_found = {finding.code for finding in review(case, profile).findings}
    assert {rule.code for rule in explained if rule.state == "found"} == codes_found
    assert all(rule.words.endswith(".") and "None" not in rule.words for rule in explained)
    of_the_second_format = {rule.code for rule in all_rules() if rule.needs_record}
    assert {"abrupt-stop"} | of_the_second_format == {rule.code for rule in explained if rule.state == "not asked"}


@pytest.mark.parametrize("name", PROFILES)
def test_a_stop_order_is_asked_about_nothing_but_the_stop(name):
    order = {**EXAMPLE, "action": "discontinue", "prescription": None, "picked": None}
    answer = asked(order, name)
    assert [finding.code for finding in answer.findings] == ["abrupt-stop"]
    assert answer.not_assessed == ()
    assert answer.course is None


def test_directions_in_tablets_without_a_strength_leave_the_strength_lacking():
    row = {
        "prescription": {
            "phases": None,
            "directions": "1 tablet three times a day",
            "strength_mg": None,
            "quantity": 84,
        }
    }
    lacking = {rule.code: rule.missing for rule in asked(case_of(row)).not_assessed}
    assert lacking["daily-maximum"] == ("prescription.phases", "prescription.strength_mg")


def test_a_limit_that_the_profile_does_not_have_is_not_a_fact_to_ask_the_patient_for():
    case = Case.from_json(case_of({"patient": {"age_years": 3}}))
    words = {explained.code: explained.words for explained in explain(case, load_profile("lioresal"))}
    assert words["daily-maximum"] == "The profile has no max_mg_per_day at 3 years: ask the prescriber what holds."
