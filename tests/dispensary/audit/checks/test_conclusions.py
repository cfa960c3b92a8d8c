"""Conclusions of findings: changed, waited or answered, once for an order and rule, from entries in the order of recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from dispensary.audit import Event
from dispensary.audit.checks.conclusions import OrderEvent, conclude, find_edits

DAILY = ("daily-maximum", "override")
EARLY = ("early-refill", "acknowledge")


def event(action: Event, order: str, *, hours: float = 0, **fields: Any) -> OrderEvent:
    at = datetime(2026, 11, 23, 9, tzinfo=UTC) + timedelta(hours=hours)
    return OrderEvent(uuid4(), at, action, "p", True, order, **fields)


def received(order: str, directions: str = "10 mg three times a day") -> OrderEvent:
    return event(Event.PRESCRIPTION_RECEIVED, order, directions=directions)


def reviewed(order: str, review: str, *findings: tuple[str, str], reason: str = "received") -> OrderEvent:
    return event(Event.REVIEW_RECORDED, order, review=review, rules=None if reason == "stop" else dict(findings))


def handed_over(order: str, review: str, hours: float = 0, action: Event = Event.DISPENSED) -> OrderEvent:
    return event(action, order, review=review, hours=hours)


def recorded_late(order: str, review: str, hours: float = 0) -> OrderEvent:
    return handed_over(order, review, hours, Event.DISPENSED_LATE)


def replaced(order: str, by: str) -> OrderEvent:
    return event(Event.PRESCRIPTION_REPLACED, order, replaced_by=by)


def cancelled(order: str, *rules: str) -> OrderEvent:
    return event(Event.PRESCRIPTION_CANCELLED, order, cause=rules)


def edited() -> OrderEvent:
    return event(Event.PATIENT_CHANGED, "p")


@pytest.mark.parametrize(
    ("events", "changed", "waited"),
    [
        pytest.param([reviewed("A", "1", DAILY), handed_over("A", "1")], [], [], id="still there, answered"),
        pytest.param(
            [reviewed("A", "1", DAILY), reviewed("A", "2"), handed_over("A", "2")], [DAILY], [], id="gone at the hand-over"
        ),
        pytest.param([reviewed("A", "1", EARLY), reviewed("A", "2"), handed_over("A", "2")], [], [EARLY], id="the day came"),
        pytest.param([reviewed("A", "1", DAILY)], [], [], id="still open"),
        pytest.param(
            [reviewed("A", "1", DAILY), handed_over("A", "1"), reviewed("A", "2"), handed_over("A", "2")],
            [], [], id="answered at the first supply, gone at the second",
        ),
        pytest.param(
            [reviewed("A", "1", DAILY), reviewed("A", "2"), handed_over("A", "2"), reviewed("A", "3", DAILY), reviewed("A", "4"),
             handed_over("A", "4")],
            [DAILY], [], id="ends once",
        ),
        pytest.param(
            [reviewed("A", "1", ("renal", "acknowledge")), reviewed("A", "2", ("renal", "override")), reviewed("A", "3"),
             handed_over("A", "3")],
            [("renal", "override")], [], id="at the highest severity",
        ),
        pytest.param([reviewed("A", "1", DAILY), reviewed("B", "2"), replaced("A", "B")], [DAILY], [], id="replaced without it"),
        pytest.param([reviewed("A", "1", DAILY), replaced("A", "B"), reviewed("B", "2")], [DAILY], [], id="replaced first"),
        pytest.param([reviewed("A", "1", DAILY), reviewed("B", "2", DAILY), replaced("A", "B")], [], [], id="replaced with it"),
        pytest.param([reviewed("A", "1", DAILY), cancelled("A", "daily-maximum")], [DAILY], [], id="cancelled because of it"),
        pytest.param([reviewed("A", "1", DAILY), cancelled("A", "renal")], [], [], id="cancelled because of another"),
        pytest.param([reviewed("A", "1", DAILY), cancelled("A")], [], [], id="cancelled, cause not said"),
        pytest.param(
            [reviewed("A", "1", DAILY), reviewed("A", "2", reason="stop"), handed_over("A", "1")], [], [], id="a review of a stop"
        ),
        pytest.param(
            [reviewed("A", "1", DAILY), reviewed("A", "2", reason="late"), recorded_late("A", "2")], [DAILY], [], id="gone at a late one"
        ),
        pytest.param(
            [reviewed("A", "1", DAILY), reviewed("A", "2", DAILY), recorded_late("A", "2"), reviewed("A", "3"), handed_over("A", "3")],
            [], [], id="stood at a late one, answered by nobody",
        ),
        pytest.param([reviewed("A", "1", DAILY), handed_over("A", "unknown")], [], [], id="the review is not there"),
    ],
)  # fmt: skip
def test_a_finding_ends_once_and_as_what_became_of_it(
    events: list[OrderEvent], changed: list[tuple[str, str]], waited: list[tuple[str, str]]
) -> None:
    conclusions = conclude(events)
    assert (conclusions.changed, conclusions.waited) == (Counter(changed), Counter(waited))


def test_an_end_before_the_time_is_not_counted_and_is_remembered() -> None:
    before = [
        replace(earlier, is_counted=False)
        for earlier in (reviewed("A", "1", DAILY), reviewed("A", "2"), handed_over("A", "2"))
    ]
    conclusions = conclude([*before, reviewed("A", "3", DAILY), reviewed("A", "4"), handed_over("A", "4")])
    assert (conclusions.changed, conclusions.handovers) == (Counter(), 1)


@pytest.mark.parametrize(
    ("second", "repeats"), [("10 mg three  times a DAY", 1), ("20 mg three times a day", 0), ("", 0)]
)
@pytest.mark.parametrize("first", [handed_over, recorded_late])
def test_a_repeat_has_the_directions_of_the_hand_over_before(
    first: Callable[[str, str], OrderEvent], second: str, repeats: int
) -> None:
    events = [
        received("A"), reviewed("A", "1"), first("A", "1"),
        received("B", second), reviewed("B", "2", EARLY), handed_over("B", "2"),
    ]  # fmt: skip
    conclusions = conclude(events)
    assert (conclusions.handovers, conclusions.repeats) == (2, repeats)
    assert conclusions.repeated == Counter([EARLY] * repeats)


RENAL = ("renal", "override")


@pytest.mark.parametrize(
    ("events", "rules"),
    [
        pytest.param(
            [reviewed("A", "1", RENAL), edited(), reviewed("A", "2"), handed_over("A", "2", hours=24)], ["renal"], id="silenced"
        ),
        pytest.param([reviewed("A", "1", RENAL), edited(), reviewed("A", "2"), recorded_late("A", "2")], ["renal"], id="recorded late"),
        pytest.param(
            [reviewed("A", "1", RENAL), edited(), reviewed("A", "2"), handed_over("A", "2", hours=24.1)], [], id="a day later"
        ),
        pytest.param([reviewed("A", "1", RENAL), edited(), reviewed("A", "2", RENAL), handed_over("A", "2")], [], id="still there"),
        pytest.param([edited(), reviewed("A", "1", RENAL), reviewed("A", "2"), handed_over("A", "2")], [], id="shown after it"),
        pytest.param(
            [reviewed("A", "1", ("alcohol", "acknowledge")), edited(), reviewed("A", "2"), handed_over("A", "2")],
            [], id="asked for no signature",
        ),
        pytest.param([reviewed("A", "1", RENAL), edited(), reviewed("B", "2"), handed_over("B", "2")], [], id="of another order"),
        pytest.param([reviewed("A", "1", RENAL), edited(), reviewed("A", "2")], [], id="not handed over"),
    ],
)  # fmt: skip
def test_a_finding_that_a_change_of_facts_silenced_before_a_hand_over_is_listed(
    events: list[OrderEvent], rules: list[str]
) -> None:
    edits = find_edits(events)
    assert [edit.rule for edit in edits] == rules
    assert all(edit.order == "A" for edit in edits)
