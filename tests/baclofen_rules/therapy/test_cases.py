"""The worked cases: what a patient takes in real situations, before and after a hand-over."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from baclofen_rules.therapy import Day, Therapy, messages, risks, therapy
from tests.baclofen_rules.therapy.reading import CASES, amounts, decision_of, facts_of

HANDED_OVER = [case for case in CASES if case.get("ask") is not None and "if_given" in case["expected"]]
ABOUT_AN_ORDER = [case for case in CASES if case["expected"].get("order") is not None]
GIVEN = "asked"


def by_case(cases: Sequence[Mapping[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: f"{case['id']} {case['title']}")


def after_hand_over(case: Mapping[str, Any]) -> Therapy:
    ask = case["ask"]
    answer = [decision_of(row) for row in ask.get("answer", [])]
    return therapy(facts_of(case)).with_hand_over(ask["order"], amounts(ask["give"]), answer, GIVEN)


def days_of(state: Therapy, case: Mapping[str, Any], first_on: date) -> list[dict[str, Any]]:
    """Return stretches of equal doses: the tablets they are made of are the label's."""
    rows: list[dict[str, Any]] = []
    for span in state.stretches(first_on, date.fromisoformat(case["window"][1])):
        row = {
            "from": span.first_on.isoformat(),
            "to": span.last_on.isoformat(),
            "mg": span.day.mg,
            "low": span.day.low,
            "high": span.day.high,
            "running": list(span.day.running),
            "uncovered": list(span.day.uncovered),
            "doses": {dose.course: [list(counts) for counts in dose.phase.doses] for dose in span.day.doses},
        }
        if rows and rows[-1] == row | {"from": rows[-1]["from"], "to": rows[-1]["to"]}:
            rows[-1]["to"] = row["to"]
        else:
            rows.append(row)
    return rows


def threads_of(state: Therapy) -> list[dict[str, Any]]:
    return [
        {
            "course": thread.course,
            "first_uncovered": _text(thread.first_uncovered),
            "ends_on": _text(thread.ends_on),
            "more_needed": thread.more_needed,
            "as_needed": thread.as_needed,
        }
        for thread in state.threads
    ]


def messages_of(state: Therapy) -> list[list[str]]:
    return [[message.kind.value, message.on.isoformat()] for message in messages(state)]


def by_time(day: Day) -> dict[str, Decimal] | None:
    """mg of the fixed doses by time of the day; None where an order does not say all times."""
    sums: dict[str, Decimal] = {}
    for dose in day.fixed_doses:
        if dose.time is None:
            return None
        sums[dose.time] = sums.get(dose.time, Decimal(0)) + dose.mg
    return sums or None


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


@by_case(CASES)
def test_every_day_has_its_dose(case: Mapping[str, Any]) -> None:
    standing = therapy(facts_of(case))
    assert days_of(standing, case, date.fromisoformat(case["window"][0])) == case["expected"]["days"]


@by_case(CASES)
def test_today_says_dose_times_and_since_when(case: Mapping[str, Any]) -> None:
    standing = therapy(facts_of(case))
    expected = case["expected"]["today"]
    day = standing.day(standing.today)
    assert {
        "mg": day.mg,
        "by_time": by_time(day),
        "held_since": _text(standing.held_since),
        "next_change": _text(standing.next_change),
    } == expected


@by_case(CASES)
def test_threads_and_ended_courses(case: Mapping[str, Any]) -> None:
    standing = therapy(facts_of(case))
    assert threads_of(standing) == case["expected"]["threads"]
    ended = [{"course": c.course, "on": c.on.isoformat(), "why": c.why.value} for c in standing.ended]
    assert ended == case["expected"]["ended"]


@by_case(CASES)
def test_messages_are_owed_on_their_days(case: Mapping[str, Any]) -> None:
    standing = therapy(facts_of(case))
    assert sorted(messages_of(standing)) == sorted(case["expected"]["reminders"])


@by_case(CASES)
def test_the_risk_list_has_its_rows(case: Mapping[str, Any]) -> None:
    standing = therapy(facts_of(case))
    rows = [
        {
            "course": risk.course,
            "level": risk.level.value,
            "first_uncovered": risk.first_uncovered.isoformat(),
            "mg": risk.mg,
        }
        for risk in risks(standing)
    ]
    assert rows == case["expected"]["risk"]


@by_case(ABOUT_AN_ORDER)
def test_the_order_in_question_stands_as_it_should(case: Mapping[str, Any]) -> None:
    standing = therapy(facts_of(case))
    expected = case["expected"]["order"]
    order = expected["order"]
    owed_tablets = standing.owed(order)
    assert (None if owed_tablets is None else list(owed_tablets)) == expected["owed_tablets"]
    relation = standing.relate(order)
    if expected["relation"] is None:
        assert relation is None
    else:
        assert relation is not None
        assert relation.relation.value == expected["relation"]
        assert (relation.how and relation.how.value) == expected["how"]
        assert list(relation.to) == expected["to"]
        assert {"low": relation.previous_low, "high": relation.previous_high} == expected["previous_mg"]
        assert standing.highest(order, amounts(case["ask"]["give"])) == expected["highest_mg"]
    due = standing.due(order)
    assert (_text(due.due_on), _text(due.earliest_on)) == (expected["due_on"], expected["earliest_on"])
    assert due.state.value in {expected["queue"], "due"}


@by_case(HANDED_OVER)
def test_after_the_hand_over_every_day_has_its_dose(case: Mapping[str, Any]) -> None:
    after = after_hand_over(case)
    assert days_of(after, case, after.today) == case["expected"]["if_given"]["days"]


@by_case(HANDED_OVER)
def test_the_hand_over_says_its_days_and_its_kind(case: Mapping[str, Any]) -> None:
    after = after_hand_over(case)
    expected = case["expected"]["if_given"]
    days = after.supply(GIVEN)
    assert {
        "starts_on": days.starts_on.isoformat(),
        "days_supply": days.days,
        "run_out_on": days.run_out_on.isoformat(),
        "fhir_type": after.supply_type(GIVEN, 0).value,
    } == {key: expected[key] for key in ("starts_on", "days_supply", "run_out_on", "fhir_type")}


@by_case(HANDED_OVER)
def test_label_and_calendar_say_the_days_of_the_therapy(case: Mapping[str, Any]) -> None:
    after = after_hand_over(case)
    expected = case["expected"]["if_given"]
    label = []
    for stretch in after.label(GIVEN):
        doses = [list(row) for row in stretch.dose.phase.doses]
        tablets = stretch.dose.tablets()
        row: dict[str, Any] = {"from": stretch.first_on.isoformat(), "to": _text(stretch.last_on)}
        row |= {"as_needed": True, "most_doses": doses} if stretch.dose.as_needed else {"doses": doses}
        label.append(row | {"tablets": [list(counts) for counts in tablets or ()]})
    assert label == expected["label"]
    calendar = after.calendar(GIVEN)
    assert sum((span.last_on - span.first_on).days + 1 for span in calendar) == expected["calendar_days"]


@by_case(HANDED_OVER)
def test_after_the_hand_over_threads_and_messages(case: Mapping[str, Any]) -> None:
    after = after_hand_over(case)
    expected = case["expected"]["if_given"]
    assert threads_of(after) == expected["threads"]
    assert sorted(messages_of(after)) == sorted(expected["reminders"])


def test_amounts_compare_as_decimals() -> None:
    assert Decimal("65.5") in amounts(CASES[2]["ask"]["give"])
