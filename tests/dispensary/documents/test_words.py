from datetime import date
from decimal import Decimal

import pytest

from dispensary.documents.paper import Course, Stretch
from dispensary.documents.words import how_to_take, long_day, mg, short_day, tablets_in_words, when
from tests.dispensary.documents.samples import SUNDAY, stretch


@pytest.mark.parametrize(
    ("tablets", "expected"),
    [
        ("0.5", "HALF a tablet"),
        ("1", "ONE tablet"),
        ("1.5", "ONE AND A HALF tablets"),
        ("2", "TWO tablets"),
        ("12.5", "TWELVE AND A HALF tablets"),
        ("13", "13 tablets"),
    ],
)
def test_tablets_are_said_in_words(tablets: str, expected: str) -> None:
    assert tablets_in_words(Decimal(tablets)) == expected


def test_a_dose_never_breaks_between_number_and_unit() -> None:
    assert mg(Decimal("7.5")) == "7.5\u00a0mg"


def test_equal_doses_make_one_short_sentence() -> None:
    assert how_to_take(stretch("15", "15", "15")).replace("\u00a0", " ") == (
        "Take ONE AND A HALF tablets (15 mg) three times a day"
    )


def test_one_dose_is_once_and_two_are_twice_a_day() -> None:
    assert how_to_take(stretch("10")).endswith("once a day")
    assert how_to_take(stretch("10", "10")).endswith("twice a day")


def test_uneven_doses_are_named_in_their_order() -> None:
    assert how_to_take(stretch("10", "5", "20")).replace("\u00a0", " ") == (
        "Each day take ONE tablet (10 mg), then HALF a tablet (5 mg), then TWO tablets (20 mg)"
    )


def test_days_carry_their_weekday() -> None:
    assert short_day(date(2026, 11, 24)) == "Tue\u00a024\u00a0Nov"
    assert long_day(date(2027, 1, 1)) == "Fri\u00a01\u00a0Jan\u00a02027"


def test_a_stretch_says_when_it_is() -> None:
    assert when(stretch("5")).startswith("From ")
    assert when(stretch("5", days=1)).endswith(" only")
    assert " to " in when(stretch("5", days=2))


@pytest.mark.parametrize("count", ["0", "-1", "0.25", "1.3"])
def test_a_quarter_or_nothing_is_no_number_of_tablets(count: str) -> None:
    with pytest.raises(ValueError, match="whole or half tablets"):
        Stretch((Decimal(5),), (Decimal(count),), SUNDAY, None)


def test_a_course_has_no_day_twice() -> None:
    with pytest.raises(ValueError, match="must begin after"):
        Course((stretch("5"), stretch("10", first_on=date(2026, 11, 26))))
    with pytest.raises(ValueError, match="must begin after"):
        Course((stretch("5", days=3), stretch("10", first_on=date(2026, 11, 24))))


def test_a_course_goes_on_the_next_day_or_after_days_without_tablets() -> None:
    assert len(Course((stretch("5", days=3), stretch("10", first_on=date(2026, 11, 25)))).stretches) == 2
    assert len(Course((stretch("5", days=3), stretch("10", first_on=date(2026, 11, 26)))).stretches) == 2
