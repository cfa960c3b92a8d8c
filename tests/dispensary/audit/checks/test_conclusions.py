"""Conclusions of findings: changed, waited or answered, once for an order and rule, from entries in the order of recording."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from dispensary.audit import Event
from dispensary.audit.checks.conclusions import OrderEvent, conclude

DAILY = ("daily-maximum", "override")
EARLY = ("early-refill", "acknowledge")


def received(order: str, directions: str = "10 mg three times a day") -> OrderEvent:
    return OrderEvent(Event.PRESCRIPTION_RECEIVED, "p", True, order, directions=directions)


def reviewed(order: str, review: str, *findings: tuple[str, str], reason: str = "received") -> OrderEvent:
    rules = None if reason == "stop" else dict(findings)
    return OrderEvent(Event.REVIEW_RECORDED, "p", True, order, review, rules=rules)


def handed_over(order: str, review: str) -> OrderEvent:
    return OrderEvent(Event.DISPENSED, "p", True, order, review)


def replaced(order: str, by: str) -> OrderEvent:
    return OrderEvent(Event.PRESCRIPTION_REPLACED, "p", True, order, replaced_by=by)


def cancelled(order: str, *rules: str) -> OrderEvent:
    return OrderEvent(Event.PRESCRIPTION_CANCELLED, "p", True, order, cause=rules)


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
        replace(event, is_counted=False)
        for event in (reviewed("A", "1", DAILY), reviewed("A", "2"), handed_over("A", "2"))
    ]
    conclusions = conclude([*before, reviewed("A", "3", DAILY), reviewed("A", "4"), handed_over("A", "4")])
    assert (conclusions.changed, conclusions.handovers) == (Counter(), 1)


@pytest.mark.parametrize(
    ("second", "repeats"), [("10 mg three  times a DAY", 1), ("20 mg three times a day", 0), ("", 0)]
)
def test_a_repeat_has_the_directions_of_the_hand_over_before(second: str, repeats: int) -> None:
    events = [
        received("A"), reviewed("A", "1"), handed_over("A", "1"),
        received("B", second), reviewed("B", "2", EARLY), handed_over("B", "2"),
    ]  # fmt: skip
    conclusions = conclude(events)
    assert (conclusions.handovers, conclusions.repeats) == (2, repeats)
    assert conclusions.repeated == Counter([EARLY] * repeats)
