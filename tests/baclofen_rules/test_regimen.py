from decimal import Decimal

import pytest

from baclofen_rules.regimen import Phase, Regimen, Unit, plain

THREE_TIMES_FIVE = Phase((Decimal(5),) * 3, 3)
UNEVEN = Phase((Decimal(10), Decimal(5), Decimal(20)), 25)


def test_an_uneven_day_counts_by_its_sum_and_its_largest_dose():
    assert (UNEVEN.mg_per_day, UNEVEN.largest_dose, UNEVEN.smallest_dose) == (35, 20, 5)
    assert UNEVEN.times_per_day == 3
    assert not UNEVEN.is_even
    assert THREE_TIMES_FIVE.is_even


def test_micrograms_are_summed_as_milligrams():
    phase = Phase((Decimal(300), Decimal(50)), None, Unit.MICROGRAM)
    assert (phase.mg_per_day, phase.largest_dose) == (Decimal("0.35"), Decimal("0.3"))


def test_days_of_a_course_are_counted_from_one():
    course = Regimen((THREE_TIMES_FIVE, UNEVEN))
    assert [(w.from_day, w.to_day) for w in course.windows()] == [(1, 3), (4, 28)]
    assert course.total_days == 28
    assert course.on_day(3) is THREE_TIMES_FIVE
    assert course.on_day(4) is UNEVEN
    assert course.on_day(28) is UNEVEN
    assert course.on_day(29) is None
    with pytest.raises(ValueError, match="counted from 1"):
        course.on_day(0)


def test_an_open_end_never_ends():
    course = Regimen((THREE_TIMES_FIVE, Phase((Decimal(10),), None)))
    assert course.total_days is None
    assert course.on_day(100_000) == Phase((Decimal(10),), None)
    assert [(w.from_day, w.to_day) for w in course.windows()] == [(1, 3), (4, None)]


@pytest.mark.parametrize(
    ("doses", "days"),
    [
        ((), 3),
        ((Decimal(0),), 3),
        ((Decimal(-5),), 3),
        ((Decimal("NaN"),), 3),
        ((Decimal("Infinity"),), 3),
        ((5,), 3),
        ((Decimal(5),), 0),
        ((Decimal(5),), -1),
        ((Decimal(5),), True),
    ],
)
def test_a_phase_that_cannot_be_taken_is_refused(doses, days):
    with pytest.raises(ValueError, match=r"phase|dose"):
        Phase(doses, days)


def test_only_the_last_phase_may_be_open():
    with pytest.raises(ValueError, match="last phase"):
        Regimen((Phase((Decimal(5),), None), THREE_TIMES_FIVE))
    with pytest.raises(ValueError, match="at least one phase"):
        Regimen(())


def test_a_course_knows_its_highest_day():
    assert Regimen((UNEVEN, THREE_TIMES_FIVE)).highest_mg_per_day == 35


@pytest.mark.parametrize(
    ("amount", "words"), [("15.00", "15"), ("100", "100"), ("7.50", "7.5"), ("1E+2", "100"), ("0.000", "0")]
)
def test_amounts_are_written_as_people_write_them(amount, words):
    assert plain(Decimal(amount)) == words
