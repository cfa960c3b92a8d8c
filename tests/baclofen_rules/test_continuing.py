"""Findings that were answered before, for who goes on as before: what still asks, what is milder, and until when."""

from datetime import timedelta
from typing import Any

import pytest

from baclofen_rules import Case, Finding, InvalidCase, all_rules, load_profile, review
from baclofen_rules.rule import OnContinuing
from tests.baclofen_rules.cases import ON, case_of

PROFILE = load_profile("lioresal")
MORPHINE, GABAPENTIN, TIZANIDINE = {"atc": "N02AA01"}, {"atc": "N03AX12"}, {"atc": "M03BX02"}
REPEAT = {"takes": ["10+10+10 for 28 days"], "had": ["10+10+10, 28 days ago, for 28 days"]}
RISE = {"takes": ["10+10+15 for 28 days"], "had": ["10+10+10, 28 days ago, for 28 days"]}
LAST_QUARTER, LAST_HALF_YEAR = 83, 179


def document(row: dict[str, Any], answered: list[dict[str, Any]] | None = None, **facts: Any) -> dict[str, Any]:
    made = case_of({**row, "patient": facts})
    return made if answered is None else made | {"answered": answered}


def findings(made: dict[str, Any]) -> dict[str, Finding]:
    return {finding.code: finding for finding in review(Case.from_json(made), PROFILE).findings}


def answers(made: dict[str, Any], days_ago: int = 28) -> list[dict[str, Any]]:
    """Everything that a case asks, answered some days ago."""
    on = (ON - timedelta(days=days_ago)).isoformat()
    return [
        {
            "code": code,
            "fingerprint": finding.fingerprint,
            "on": on,
            "severity": finding.severity,
            "observed": finding.observed,
        }
        for code, finding in findings(made).items()
        if finding.severity != "information"
    ]


def after_answers(row: dict[str, Any], days_ago: int = 28, **facts: Any) -> dict[str, Finding]:
    return findings(document(row, answers(document(REPEAT, [], **facts), days_ago), **facts))


FACTS: dict[str, dict[str, Any]] = {
    "alcohol": {"alcohol_use": True},
    "anaesthesia": {"anaesthesia_planned": True},
    "condition": {"conditions": ["epilepsy"]},
    "interaction-gabapentinoid": {"medicines": [GABAPENTIN]},
    "interaction-opioid": {"medicines": [MORPHINE]},
    "depressant-count": {"medicines": [MORPHINE, GABAPENTIN, TIZANIDINE]},
}


@pytest.mark.parametrize("code", FACTS)
def test_what_was_answered_at_the_last_supply_is_information_that_says_when(code: str) -> None:
    asked = findings(document(REPEAT, [], **FACTS[code]))[code]
    eased = after_answers(REPEAT, **FACTS[code])[code]
    assert (asked.severity != "information", eased.severity) == (True, "information")
    assert eased.summary == asked.summary
    assert f"Answered on {ON - timedelta(days=28)}" in eased.detail


@pytest.mark.parametrize("code", FACTS)
def test_a_start_and_a_rise_ask_again(code: str) -> None:
    start: dict[str, Any] = {"takes": ["10+10+10 for 28 days"]}
    for row in (start, RISE):
        assert after_answers(row, **FACTS[code])[code].severity != "information"


@pytest.mark.parametrize("code", FACTS)
def test_what_nobody_answered_asks(code: str) -> None:
    recorded = dict.fromkeys(FACTS[code], "2026-01-01")
    assert findings(document(REPEAT, [], **FACTS[code], recorded_on=recorded))[code].severity != "information"


@pytest.mark.parametrize("code", ["alcohol", "anaesthesia"])
def test_a_fact_that_was_recorded_after_the_answer_asks(code: str) -> None:
    (fact,) = FACTS[code]
    answered = answers(document(REPEAT, [], **FACTS[code]))
    for days_ago, severity in ((28, "information"), (27, "asks")):
        days = {fact: (ON - timedelta(days=days_ago)).isoformat()}
        finding = findings(document(REPEAT, answered, **FACTS[code], recorded_on=days))[code]
        assert (finding.severity == "information") == (severity == "information"), days_ago


def test_another_medicine_of_the_class_asks_and_one_of_no_class_does_not() -> None:
    answered = answers(document(REPEAT, [], medicines=[GABAPENTIN]))
    days = {"medicines": ON.isoformat()}
    statin = document(REPEAT, answered, medicines=[GABAPENTIN, {"atc": "C10AA01"}], recorded_on=days)
    assert findings(statin)["interaction-gabapentinoid"].severity == "information"
    pregabalin = document(REPEAT, answered, medicines=[GABAPENTIN, {"atc": "N03AX16"}], recorded_on=days)
    assert findings(pregabalin)["interaction-gabapentinoid"].severity == "acknowledge"


@pytest.mark.parametrize(
    ("code", "days"), [("interaction-opioid", 180), ("renal", 180), ("alcohol", 365), ("depressant-count", 365)]
)
def test_an_override_holds_for_a_year_and_one_of_two_signatures_for_half(code: str, days: int) -> None:
    facts = FACTS[code] if code in FACTS else {"egfr": 40, "egfr_on": ON.isoformat()}
    assert after_answers(REPEAT, days - 1, **facts)[code].severity == "information"
    assert after_answers(REPEAT, days, **facts)[code].severity == "override"


def test_an_acknowledgement_holds_for_good() -> None:
    assert after_answers(REPEAT, 3000, conditions=["epilepsy"])["condition"].severity == "information"


def test_driving_is_told_while_the_dose_does_not_rise_also_where_it_is_new() -> None:
    new = {"drives": True, "recorded_on": {"drives": ON.isoformat()}}
    for row, severity in ((REPEAT, "information"), (RISE, "acknowledge"), ({}, "acknowledge")):
        assert findings(document(row, [], **new))["driving"].severity == severity
    assert findings(document(REPEAT, [], **new))["driving"].detail.endswith(
        "The dose does not rise; asked when it does."
    )


def measured(days_ago: int, egfr: str = "40") -> dict[str, Any]:
    return {"egfr": egfr, "egfr_on": (ON - timedelta(days=days_ago)).isoformat()}


@pytest.mark.parametrize(
    ("now", "severity"),
    [
        (measured(365), "information"),
        (measured(366), "override"),  # too old
        (measured(1), "information"),  # measured again
        (measured(1, "59.9"), "information"),
        (measured(1, "39.9"), "override"),
        (measured(1, "29.9"), "override"),
        (measured(1) | {"dialysis": True}, "override"),
        (measured(1) | {"recorded_on": {"egfr": ON.isoformat()}}, "information"),
    ],
)
def test_an_answer_about_the_kidneys_holds_for_an_egfr_that_is_not_below_it_nor_too_old(
    now: dict[str, Any], severity: str
) -> None:
    answered = answers(document(REPEAT, [], **measured(365)))
    assert findings(document(REPEAT, answered, **now))["renal"].severity == severity


def test_an_answer_for_a_better_egfr_says_that_it_was_given_for_another_finding() -> None:
    answered = answers(document(REPEAT, [], **measured(30)))
    detail = findings(document(REPEAT, answered, **measured(1)))["renal"].detail
    assert f"Answered on {ON - timedelta(days=28)}, when it was no milder; asked again from " in detail
    detail = findings(document(REPEAT, answered, **measured(30)))["renal"].detail
    assert f"Answered on {ON - timedelta(days=28)}; asked again from " in detail


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({}, "information"),
        ({"severity": "acknowledge"}, "override"),  # answered by one step: the limits were others
        ({"severity": None}, "override"),
        ({"observed": None}, "override"),
        ({"observed": {"egfr": "40", "mg_per_day": "30", "dialysis": None}}, "override"),
        ({"observed": {"egfr": "40", "mg_per_day": "30", "dialysis": False}}, "information"),
        ({"observed": {"egfr": "40", "mg_per_day": "29.9", "dialysis": False}}, "override"),
        ({"observed": {"egfr": "29.9", "mg_per_day": "30", "dialysis": False}}, "override"),  # of another band
        ({"observed": {"egfr": "30", "mg_per_day": "30", "dialysis": False}}, "information"),
        ({"observed": {"egfr": "NaN", "mg_per_day": "30", "dialysis": False}}, "override"),
        ({"observed": {"egfr": "forty", "mg_per_day": "30", "dialysis": False}}, "override"),
        ({"observed": {"mg_per_day": "30", "dialysis": False}}, "override"),
        ({"code": "hepatic"}, "override"),
    ],
)
def test_an_answer_about_the_kidneys_is_compared_by_its_severity_and_what_was_found(
    changes: dict[str, Any], severity: str
) -> None:
    (answer,) = answers(document(REPEAT, [], **measured(30), dialysis=False))
    answered = [answer | {"fingerprint": "f" * 64} | changes]
    assert findings(document(REPEAT, answered, **measured(1), dialysis=False))["renal"].severity == severity


def test_a_better_egfr_asks_again_at_a_rise_and_after_half_a_year() -> None:
    answered = answers(document(REPEAT, [], **measured(30)))
    assert findings(document(RISE, answered, **measured(1)))["renal"].severity == "override"
    for days, severity in ((LAST_HALF_YEAR, "information"), (LAST_HALF_YEAR + 1, "override")):
        answered = answers(document(REPEAT, [], **measured(200)), days)
        assert findings(document(REPEAT, answered, **measured(1)))["renal"].severity == severity


DIE_OF: dict[str, Any] = {"medicines": [MORPHINE], "conditions": ["sleep-apnoea"]}
"""The combination that people die of."""


@pytest.mark.parametrize(
    ("days", "severity"),
    [
        (LAST_QUARTER, "information"),
        (LAST_QUARTER + 1, "acknowledge"),
        (LAST_HALF_YEAR, "acknowledge"),
        (LAST_HALF_YEAR + 1, "override"),
    ],
)
def test_what_people_die_of_is_seen_again_after_a_quarter_and_overridden_twice_a_year(days: int, severity: str) -> None:
    assert after_answers(REPEAT, days, **DIE_OF)["opioid-breathing"].severity == severity


@pytest.mark.parametrize(
    ("days", "severity"), [(LAST_QUARTER, "information"), (LAST_QUARTER + 1, "acknowledge"), (0, "information")]
)
def test_what_was_seen_is_seen_again_after_another_quarter_and_moves_no_override(days: int, severity: str) -> None:
    answered = answers(document(REPEAT, [], **DIE_OF), LAST_HALF_YEAR)
    second_answers = answers(document(REPEAT, answered, **DIE_OF), days)
    assert [answer["code"] for answer in second_answers] == ["opioid-breathing"]
    finding = findings(document(REPEAT, answered + second_answers, **DIE_OF))["opioid-breathing"]
    assert finding.severity == severity
    old = answers(document(REPEAT, [], **DIE_OF), LAST_HALF_YEAR + 1)
    assert findings(document(REPEAT, old + second_answers, **DIE_OF))["opioid-breathing"].severity == "override"


def test_a_new_opioid_beside_a_disease_of_breathing_asks_whatever_was_seen() -> None:
    answered = answers(document(REPEAT, [], **DIE_OF))
    facts = DIE_OF | {"medicines": [MORPHINE, {"atc": "N02AX02"}]}
    assert findings(document(REPEAT, answered, **facts))["opioid-breathing"].severity == "override"


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("renal", {"egfr": 29}),
        ("renal", {"dialysis": True}),
        ("pregnancy", {"pregnant": True}),
        ("lactation", {"breastfeeding": True}),
        ("allergy", {"allergies": ["baclofen"]}),
        ("intrathecal-pump", {"intrathecal_pump": True}),
    ],
)
def test_what_protects_asks_at_each_supply(code: str, facts: dict[str, Any]) -> None:
    assert after_answers(REPEAT, **facts)[code].severity == findings(document(REPEAT, [], **facts))[code].severity


def test_a_dose_above_the_maximum_asks_at_each_supply() -> None:
    row = {"takes": ["35+35+35 for 28 days"], "had": ["35+35+35, 28 days ago, for 28 days"]}
    answered = answers(document(row, []))
    assert findings(document(row, answered))["daily-maximum"].severity == "override"


def test_single_classes_are_counted_in_the_sum_where_that_is_graver() -> None:
    medicines = [MORPHINE, GABAPENTIN, TIZANIDINE]
    asked = findings(document({}, medicines=medicines))
    assert {code: str(finding.severity) for code, finding in asked.items()} == {
        "depressant-count": "override",
        "interaction-opioid": "override",
        "interaction-gabapentinoid": "information",
        "interaction-muscle-relaxant": "information",
    }
    assert asked["interaction-gabapentinoid"].detail.endswith("Counted in depressant-count.")
    assert after_answers(REPEAT, medicines=medicines)["interaction-gabapentinoid"].severity == "information"


RISEN: dict[str, Any] = {"anaesthesia_planned": True, "conditions": ["epilepsy"], "medicines": [GABAPENTIN]}


def test_a_rise_asks_what_was_answered_before_in_one() -> None:
    eased = after_answers(RISE, **RISEN)
    assert {code: str(finding.severity) for code, finding in eased.items() if code != "titration-step"} == {
        "rise-again": "acknowledge",
        "condition": "information",
        "anaesthesia": "information",
        "interaction-gabapentinoid": "information",
    }
    day = ON - timedelta(days=28)
    assert eased["anaesthesia"].detail.endswith(f"Answered on {day}; counted in rise-again.")
    assert eased["rise-again"].observed == {"codes": ["anaesthesia", "condition", "interaction-gabapentinoid"]}


def test_a_rise_asks_one_by_one_what_is_new_and_what_is_an_override() -> None:
    answered = answers(document(REPEAT, [], **RISEN))
    facts = RISEN | {"alcohol_use": True, "medicines": [GABAPENTIN, {"atc": "N05BA01"}]}
    risen = findings(document(RISE, answered, **facts))
    asked = {code for code, finding in risen.items() if finding.severity != "information"} - {"titration-step"}
    assert asked == {"rise-again", "alcohol", "interaction-benzodiazepine"}


def test_one_answer_alone_is_asked_as_it_is() -> None:
    assert after_answers(RISE, anaesthesia_planned=True)["anaesthesia"].severity == "acknowledge"
    assert "rise-again" not in after_answers(RISE, anaesthesia_planned=True)


def test_an_answer_for_a_smaller_dose_does_not_hold_after_a_rise_elsewhere() -> None:
    row: dict[str, Any] = {
        "orders": ["A by dr-a: 20+20+20; 336 tablets of 10 mg; started 60 days ago; repeats 3"],
        "given": ["A: 168 tablets 28 days ago"],
        "elsewhere": ["r1 by dr-a: 10+10+10 for 28 days, 90 days ago"],
        "asks": "A: 168 tablets",
    }
    made = case_of(row | {"patient": {"anaesthesia_planned": True}}) | {"answered": []}
    (fingerprint,) = [finding.fingerprint for code, finding in findings(made).items() if code == "anaesthesia"]
    for days, severity in ((28, "information"), (80, "acknowledge")):
        on = (ON - timedelta(days=days)).isoformat()
        answered = [{"code": "anaesthesia", "fingerprint": fingerprint, "on": on}]
        assert findings(made | {"answered": answered})["anaesthesia"].severity == severity


def test_a_case_writes_its_answers_and_reads_them_back() -> None:
    answer = {"code": "driving", "fingerprint": "f" * 64, "on": "2026-10-25"}
    observed = {"drives": True, "medicines": ["a"], "mg_per_day": "30"}
    made = document(REPEAT, [answer, answer | {"severity": "override", "observed": observed}])
    case = Case.from_json(made)
    assert case.to_json()["answered"] == made["answered"]
    assert Case.from_json(case.to_json()) == case
    assert "answered" not in Case.from_json(document(REPEAT)).to_json()
    with pytest.raises(InvalidCase, match=r"answered\[0\]\.on"):
        Case.from_json(document(REPEAT, [{"code": "driving", "fingerprint": "f", "on": "2026-11-23"}]))
    for name, value in (("severity", "grave"), ("observed", "30"), ("observed.mg_per_day", 30), ("observed.a", [[]])):
        first, _, second = name.partition(".")
        wrong = answer | {first: {second: value} if second else value}
        with pytest.raises(InvalidCase, match=rf"answered\[0\]\.{name}"):
            Case.from_json(document(REPEAT, [wrong]))


def test_a_rule_that_is_milder_says_which_facts_it_rests_on() -> None:
    for rule in all_rules():
        if rule.on_continuing in (OnContinuing.INFORMATION, OnContinuing.MILDER):
            assert rule.rests_on, rule.code
