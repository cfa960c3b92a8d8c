"""Phases that name their first day, and the arithmetic that a directions finding shows."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from baclofen_rules import Case, Finding, Severity, load_profile, review
from baclofen_rules.findings import Found
from baclofen_rules.rulebook import rulebook
from baclofen_rules.rules import directions
from baclofen_rules.terms import Terms

LIORESAL = load_profile("lioresal")
BOOK = rulebook(LIORESAL, date(2026, 11, 22))


def case_with(prescription: dict[str, Any]) -> Case:
    case = {
        "format": "baclofen-case/1",
        "on": "2026-11-22",
        "action": "dispense",
        "patient": {"age_years": 45},
        "prescription": {"route": "oral", "form": "tablet", "strength_mg": 10, "repeats": 0, **prescription},
        "history": [],
    }
    return Case.from_json(case)


def findings_of(prescription: dict[str, Any]) -> list[Finding]:
    return [finding for finding in review(case_with(prescription), LIORESAL).findings if finding.code == "directions"]


def severities(prescription: dict[str, Any], **own: Severity) -> list[Severity]:
    """Return the severities of the rule under a profile that sets some of them otherwise."""
    bound = next(rule for rules in BOOK.rules.values() for rule in rules if rule.rule.code == "directions")
    answer = directions.check(Terms(case_with(prescription), BOOK.terms), replace(bound.limits, **own))
    return [outcome.severity for outcome in answer if isinstance(outcome, Found)]


def phase(times: int, dose: int, days: int, from_day: int | None = None) -> dict[str, Any]:
    return {"dose": Decimal(dose), "times_per_day": times, "unit": "mg", "days": days, "from_day": from_day}


@pytest.mark.parametrize(
    ("starts", "summary"),
    [
        ((None, None), None),
        ((1, 4), None),
        ((None, 4), None),
        ((1, 5), "1 day is left out before phase 2: it begins on day 5, not on day 4"),
        ((1, 8), "4 days are left out before phase 2: it begins on day 8, not on day 4"),
        ((1, 3), "1 day is named twice before phase 2: it begins on day 3, not on day 4"),
        ((3, None), "2 days are left out before phase 1: it begins on day 3, not on day 1"),
    ],
)
def test_a_gap_or_an_overlap_between_phases_asks_for_an_override(
    starts: tuple[int | None, int | None], summary: str | None
) -> None:
    phases = [phase(3, 5, 3, starts[0]), phase(3, 10, 25, starts[1])]
    findings = findings_of({"phases": phases})
    assert [(str(finding.severity), finding.summary) for finding in findings] == (
        [("override", summary)] if summary else []
    )


@pytest.mark.parametrize(
    ("text", "starts", "severity"),
    [
        ("days 1-3: 5 mg tid; days 5-9: 10 mg tid", None, Severity.ACKNOWLEDGE),
        ("days 1-3: 5 mg tid; days 3-8: 10 mg tid", None, Severity.OVERRIDE),
        (None, 5, Severity.ACKNOWLEDGE),
        (None, 3, Severity.OVERRIDE),
    ],
)
def test_a_gap_and_an_overlap_have_each_the_severity_that_the_profile_gives_them(
    text: str | None, starts: int | None, severity: Severity
) -> None:
    order = {"phases": [phase(3, 5, 3), phase(3, 10, 5, starts)], "directions": text}
    assert severities(order, gap=Severity.ACKNOWLEDGE, overlap=Severity.OVERRIDE) == [severity]


def test_the_arithmetic_of_all_three_witnesses_is_shown() -> None:
    # Published examples disagree with themselves in just this way: 43 structured, 49 in the text, 51 ordered.
    findings = findings_of(
        {
            "phases": [phase(3, 10, 7), phase(2, 10, 7), phase(1, 10, 8)],
            "directions": "10 mg tid for 7 days, then 10 mg bd for 7 days, then 10 mg nocte for 14 days",
            "quantity": 51,
            "then_stop": None,
        }
    )
    assert findings[0].detail == (
        "Directions: 10 mg x 3 = 30 mg a day for 7 days; then 10 mg x 2 = 20 mg a day for 7 days; "
        "then 10 mg x 1 = 10 mg a day for 14 days = 49 tablets. "
        "Phases: 10 mg x 3 = 30 mg a day for 7 days; then 10 mg x 2 = 20 mg a day for 7 days; "
        "then 10 mg x 1 = 10 mg a day for 8 days = 43 tablets. Quantity: 51 tablets."
    )
    assert findings[0].summary.endswith("the quantity agrees with neither")


def test_every_summary_is_a_short_sentence() -> None:
    long = findings_of({"directions": "take some of the little white ones " * 25, "phases": None})
    assert [len(finding.summary) < 140 for finding in long] == [True]


def test_a_gap_in_the_directions_hides_no_other_finding() -> None:
    answer = review(
        case_with({"directions": "Week 1: 10 mg tds. Week 3: 50 mg tds", "quantity": 84, "then_stop": False}), LIORESAL
    )
    severity = {finding.code: finding.severity for finding in answer.findings}
    assert severity["directions"] is Severity.STOP
    assert severity["starting-dose"] is severity["daily-maximum"] is severity["single-dose"] is Severity.OVERRIDE


@pytest.mark.parametrize(
    ("words", "then_stop", "is_missing", "stops"),
    [
        ("20 mg tds for 28 days", None, True, False),
        ("20 mg tds for 28 days", False, False, False),
        ("20 mg tds for 28 days", True, False, True),
        ("20 mg tds for 28 days, then stop", False, False, True),
    ],
)
def test_a_field_says_what_follows_where_the_words_do_not(
    words: str, then_stop: bool | None, is_missing: bool, stops: bool
) -> None:
    answer = review(case_with({"directions": words, "phases": None, "quantity": 168, "then_stop": then_stop}), LIORESAL)
    missing = {fact for rule in answer.not_assessed for fact in rule.missing}
    assert ("prescription.then_stop" in missing) is is_missing
    assert ("taper-duration" in {finding.code for finding in answer.findings}) is stops
