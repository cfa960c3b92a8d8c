"""Frequency and length of dosing: read exactly, or asked back."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.fhir import read_order
from dispensary.fhir.timing import GTS
from tests.dispensary.fhir.orders import asked, daily, days, line, mg, phases, request

TEN = Decimal(10)


def read_times_and_days(timing: dict[str, Any], **more: Any) -> tuple[int, int | None]:
    """Times a day and days, as read."""
    ((doses, _unit, length),) = phases(line(mg(10), timing, **more))
    return len(doses), length


@pytest.mark.parametrize(
    ("repeat", "times"),
    [
        ({"frequency": 3, "period": 1, "periodUnit": "d"}, 3),
        ({"frequency": 1, "period": 8, "periodUnit": "h"}, 3),
        ({"frequency": 21, "period": 1, "periodUnit": "wk"}, 3),
        ({"frequency": 6, "period": 2, "periodUnit": "d"}, 3),
        ({"period": 1, "periodUnit": "d"}, 1),
        ({"frequency": 2, "period": 1, "periodUnit": "d", "timeOfDay": ["20:00:00", "08:00:00"]}, 2),
        ({"timeOfDay": ["08:00:00", "14:00:00", "20:00:00"]}, 3),
        ({"when": ["MORN", "NOON", "HS"]}, 3),
        ({"frequency": 3, "period": 1, "periodUnit": "d", "when": ["PC"]}, 3),
        ({"frequency": 3, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}, 3),
        ({"frequency": 2, "frequencyMax": 2, "period": 1, "periodUnit": "d"}, 2),
    ],
)  # fmt: skip
def test_a_frequency_is_the_number_of_doses_each_day(repeat: dict[str, Any], times: int) -> None:
    assert read_times_and_days({"repeat": repeat}) == (times, None)


@pytest.mark.parametrize(
    "repeat",
    [
        {},
        {"frequency": 3},
        {"frequency": 0, "period": 1, "periodUnit": "d"},
        {"frequency": Decimal("1.5"), "period": 1, "periodUnit": "d"},
        {"frequency": 1, "period": 2, "periodUnit": "d"},
        {"frequency": 1, "period": 5, "periodUnit": "h"},
        {"frequency": 1, "period": 0, "periodUnit": "d"},
        {"frequency": 1, "period": 1, "periodUnit": "mo"},
        {"frequency": 2, "frequencyMax": 3, "period": 1, "periodUnit": "d"},
        {"frequency": 1, "period": 6, "periodMax": 8, "periodUnit": "h"},
        {"frequency": 1, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon", "wed"]},
        {"frequency": 3, "period": 1, "periodUnit": "d", "timeOfDay": ["08:00:00"]},
        {"frequency": 2, "period": 1, "periodUnit": "d", "when": ["MORN", "NOON", "HS"]},
        {"timeOfDay": ["8 o'clock"]},
        {"timeOfDay": ["08:00:00", "08:00:00"]},
        {"when": ["SOON"]},
        {"when": ["C"]},
        {"when": ["MORN"], "timeOfDay": ["08:00:00"]},
    ],
)
def test_what_is_not_the_same_whole_number_every_day_is_asked_back(repeat: dict[str, Any]) -> None:
    assert "timing" in asked(request(line(mg(10), {"repeat": repeat}, text="as told")))


@pytest.mark.parametrize(("code", "times"), [("QD", 1), ("BID", 2), ("TID", 3), ("QID", 4), ("Q8H", 3), ("BED", 1)])
def test_a_timing_code_is_read(code: str, times: int) -> None:
    assert read_times_and_days({"code": {"coding": [{"system": GTS, "code": code}]}}) == (times, None)


@pytest.mark.parametrize(
    ("words", "times"), [("TID", 3), ("b.i.d.", 2), ("Three times  a day", 3), ("Thrice a day", 3), ("q6h", 4)]
)
def test_a_frequency_in_words_is_read_when_it_is_one_of_the_plain_ones(words: str, times: int) -> None:
    assert read_times_and_days({"code": {"text": words}}) == (times, None)


@pytest.mark.parametrize("words", ["od", "qd", "three or four times a day", "when stiff", "every other day", "1-1-1"])
def test_any_other_words_for_a_frequency_are_asked_back(words: str) -> None:
    assert "words that are not read here" in asked(request(line(mg(10), {"code": {"text": words}})))


def test_a_code_that_contradicts_its_numbers_is_asked_back() -> None:
    assert "3 a day in numbers and 2 a day as a code" in asked(
        request(line(mg(10), daily(3) | {"code": {"text": "bid"}}))
    )


def test_single_moments_are_asked_back() -> None:
    assert "single moments" in asked(request(line(mg(10), {"event": ["2026-11-22T08:00:00Z"]})))


@pytest.mark.parametrize(
    ("bounds", "length"),
    [
        ({"boundsDuration": days(7)}, 7),
        ({"boundsDuration": {"value": 2, "unit": "weeks"}}, 14),
        ({"boundsPeriod": {"start": "2026-11-22", "end": "2026-11-28"}}, 7),
        ({"boundsPeriod": {"start": "2026-11-22"}}, None),
        ({"count": 21}, 7),
        ({"count": 21, "boundsDuration": days(7)}, 7),
        ({"boundsDuration": days(7), "duration": 1, "durationUnit": "wk"}, 7),
    ],
)
def test_the_length_of_a_phase_is_read(bounds: dict[str, Any], length: int | None) -> None:
    assert read_times_and_days(daily(3, **bounds)) == (3, length)


@pytest.mark.parametrize(
    "bounds",
    [
        {"boundsDuration": days(0)},
        {"boundsDuration": days(Decimal("2.5"))},
        {"boundsDuration": {"value": 1, "unit": "month", "code": "mo", "system": "http://unitsofmeasure.org"}},
        {"boundsDuration": days(10**9)},
        {"boundsDuration": mg(7)},
        {"boundsRange": {"low": days(7), "high": days(10)}},
        {"boundsPeriod": {"end": "2026-11-28"}},
        {"boundsPeriod": {"start": "2026-11-22", "end": "2026-11-21"}},
        {"boundsPeriod": {"start": "2026-11", "end": "2026-12"}},
        {"count": 20},
        {"count": 21, "boundsDuration": days(8)},
        {"boundsDuration": days(7), "duration": 8, "durationUnit": "d"},
        {"duration": 30, "durationUnit": "min"},
    ],
)
def test_a_length_that_is_no_whole_number_of_days_or_said_twice_is_asked_back(bounds: dict[str, Any]) -> None:
    assert "timing.repeat" in asked(request(line(mg(10), daily(3, **bounds), text="10 mg tid")))


@pytest.mark.parametrize(
    ("repeat", "read_as"),
    [
        ({"frequency": 3, "period": 1, "periodUnit": "d", "duration": 5, "durationUnit": "d"}, (3, 5)),
        ({"frequency": 3, "periodUnit": "d"}, (3, None)),
        ({"frequency": 1, "period": 1, "periodUnit": "d", "when": ["MORN", "EVE"]}, (2, None)),
    ],
)
def test_what_can_be_meant_in_two_ways_is_read_only_beside_words_that_could_contradict_it(
    repeat: dict[str, Any], read_as: tuple[int, int | None]
) -> None:
    assert read_times_and_days({"repeat": repeat}, text="words for the rule book to compare") == read_as
    assert read_order(request(line(mg(10), {"repeat": repeat}, text="words"))).notes
    assert "meant in two ways" in asked(request(line(mg(10), {"repeat": repeat})))


@given(times=st.integers(1, 24), length=st.integers(1, 3660))
def test_every_believable_frequency_and_length_comes_back_as_sent(times: int, length: int) -> None:
    assert read_times_and_days(daily(times, boundsDuration=days(length))) == (times, length)


@pytest.mark.parametrize(("offset", "is_noted"), [(30, True), (0, False)])
def test_minutes_before_or_after_an_event_are_noted(offset: int, is_noted: bool) -> None:
    order = read_order(
        request(line(mg(10), {"repeat": {"when": ["ACM"], "offset": offset, "boundsDuration": days(28)}}))
    )
    assert any("offset: is 30 minutes" in note for note in order.notes) is is_noted
