"""The look back over a history: lines of one day, whatever their order."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from baclofen_rules import Case, load_profile, review
from baclofen_rules.case import Fill, Relation
from baclofen_rules.fills import look_back
from tests.baclofen_rules.cases import case_of

ON = date(2026, 11, 22)


def line(mg: int, strength: int | None = 10, days: int = 28, ago: int = 28, **changes: Any) -> Fill:
    """A supply of three doses a day of the same course."""
    return Fill(
        dispensed_on=ON - timedelta(days=ago),
        doses=(Decimal(mg),) * 3,
        days_supply=days,
        relation=Relation.SAME_COURSE,
        strength_mg=None if strength is None else Decimal(strength),
        **changes,
    )


@pytest.mark.parametrize(
    ("lines", "low", "most", "left"),
    [
        ([line(25, 25), line(10, 10)], 105, 105, 0),
        ([line(25, 25), line(10, 10, days=30)], 105, 105, 0),
        ([line(20, 10), line(10, 10)], 30, 60, 28),
        ([line(20, None), line(10, 10)], 30, 60, 28),
        ([line(20, 10), line(20, 10)], 60, 60, 28),
        ([line(20, 10, ago=30), line(10, 10, ago=28)], 30, 30, 26),
        ([line(25, 25, ago=56), line(25, 25), line(10, 10)], 105, 105, 0),
    ],
)
def test_lines_of_one_day_are_read_alike_in_any_order(lines: list[Fill], low: int, most: int, left: int) -> None:
    answers = {look_back(order, ON, Decimal(3), Decimal(90), None) for order in permutations(lines)}
    (answer,) = {(past.previous_low_mg, past.previous_mg, past.left_days) for past in answers}
    assert answer == (low, most, left)
    assert len({past.held_days for past in answers}) == 1


def test_two_strengths_are_held_since_the_later_of_them_began() -> None:
    older, newer = date(2026, 1, 1), date(2026, 11, 1)
    past = look_back((line(25, 25, dose_since=older), line(10, dose_since=newer)), ON, Decimal(3), Decimal(90), None)
    assert past.held_days == 21


@pytest.mark.parametrize(
    ("strength", "takes", "codes"),
    [
        (25, "25+25+25 for 28 days", set()),
        (10, "10+10+10 for 28 days", set()),
        (10, "35+35+35 for 28 days", {"daily-maximum"}),
        (25, "25+25 for 28 days", {"taper-step"}),
    ],
)
def test_an_order_is_held_against_its_own_line_or_the_sum_of_both(strength: int, takes: str, codes: set[str]) -> None:
    case = case_of({"takes": [takes], "prescription": {"strength_mg": strength}})
    lines = [
        {"dispensed_on": "2026-10-25", "dose": mg, "times_per_day": 3, "strength_mg": mg, "days_supply": 28, "relation": "same-course"}
        for mg in (25, 10)
    ]  # fmt: skip
    for history in (lines, lines[::-1]):
        answer = review(Case.from_json({**case, "history": history}), load_profile("lioresal"))
        assert {finding.code for finding in answer.findings if finding.severity.rank} == codes


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (28, "30 mg a day of other tablets, for 28 days, is not ordered again"),
        (1, "30 mg a day of other tablets, for 1 day, is not ordered again"),
        (None, None),
    ],
)
def test_tablets_of_a_line_that_the_order_does_not_repeat_may_be_at_home(
    days: int | None, expected: str | None
) -> None:
    case = case_of({"takes": ["25+25+25 for 28 days"], "prescription": {"strength_mg": 25}})
    history = [
        {"dispensed_on": "2026-10-25", "dose": mg, "times_per_day": 3, "strength_mg": mg, "days_supply": lasts, "relation": "same-course"}
        for mg, lasts in ((25, 28), (10, days))
        if lasts
    ]  # fmt: skip
    for lines in (history, history[::-1]):
        answer = review(Case.from_json({**case, "history": lines}), load_profile("lioresal"))
        summaries = [finding.summary for finding in answer.findings]
        assert [words.partition(";")[0] for words in summaries] == ([expected] if expected else [])
        assert answer.outcome == "pass"
