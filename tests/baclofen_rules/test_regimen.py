from decimal import Decimal

import pytest

from baclofen_rules.regimen import Phase, Regimen, Unit

THREE_TIMES_FIVE = Phase((Decimal(5),) * 3, 3)
UNEVEN = Phase((Decimal(10), Decimal(5), Decimal(20)), 25)


def test_an_uneven_day_counts_by_its_sum_and_its_largest_dose():
    assert (UNEVEN.mg_per_day, UNEVEN.largest_dose, UNEVEN.smallest_dose) == (35, 20, 5)
    assert UNEVEN.times_per_day == 3
    assert not UNEVEN.is_even
    assert THREE_TIMES_FIVE.is_even


def test_a_day_is_summed_in_milligrams():
    phase = Phase((Decimal(10), Decimal(5), Decimal(20)), 25)
    assert (phase.mg_per_day, phase.largest_dose, phase.smallest_dose) == (35, 20, 5)
    assert not phase.is_even
    assert Phase((Decimal(10), Decimal("10.0")), 25).is_even


def test_micrograms_are_summed_as_milligrams():
    phase = Phase((Decimal(300), Decimal(50)), None, Unit.MICROGRAM)
    assert (phase.mg_per_day, phase.largest_dose) == (Decimal("0.35"), Decimal("0.3"))
    assert phase.smallest_dose == Decimal("0.05")


def test_days_of_a_course_are_counted_from_one():
    course = Regimen((THREE_TIMES_FIVE, UNEVEN))
    assert [(w.from_day, w.to_day) for w in course.windows()] == [(1, 3), (4, 28)]
    assert course.total_days == 28
    assert course.on_day(1) is THREE_TIMES_FIVE
    assert course.on_day(3) is THREE_TIMES_FIVE
    assert course.on_day(4) is UNEVEN
    assert course.on_day(28) is UNEVEN
    assert course.on_day(29) is None
    with pytest.raises(ValueError, match=r"^days of a course are counted from 1$"):
        course.on_day(0)


def test_an_open_end_never_ends():
    course = Regimen((THREE_TIMES_FIVE, Phase((Decimal(10),), None)))
    assert course.total_days is None
    assert course.on_day(100_000) == Phase((Decimal(10),), None)
    assert [(w.from_day, w.to_day) for w in course.windows()] == [(1, 3), (4, None)]


NO_DOSE, NO_AMOUNT, NO_DAY = (
    "a phase has at least one dose a day",
    "a dose is a Decimal above zero",
    "a phase lasts at least one day",
)


@pytest.mark.parametrize(
    ("doses", "days", "words"),
    [
        ((), 3, NO_DOSE),
        ((Decimal(0),), 3, NO_AMOUNT),
        ((Decimal(-5),), 3, NO_AMOUNT),
        ((Decimal(5), Decimal("NaN")), 3, NO_AMOUNT),
        ((Decimal("Infinity"),), 3, NO_AMOUNT),
        ((5,), 3, NO_AMOUNT),
        ((Decimal(5),), 0, NO_DAY),
        ((Decimal(5),), -1, NO_DAY),
        ((Decimal(5),), True, NO_DAY),
    ],
)
def test_a_phase_that_cannot_be_taken_is_refused(doses, days, words):
    with pytest.raises(ValueError, match=f"^{words}$"):
        Phase(doses, days)


def test_the_shortest_phase_is_one_day():
    assert Phase((Decimal("0.001"),), 1).days == 1


def test_only_the_last_phase_may_be_open():
    open_end = Phase((Decimal(5),), None)
    for phases in ((open_end, THREE_TIMES_FIVE), (THREE_TIMES_FIVE, open_end, THREE_TIMES_FIVE)):
        with pytest.raises(ValueError, match=r"^only the last phase may have an open end$"):
            Regimen(phases)
    with pytest.raises(ValueError, match=r"^a regimen has at least one phase$"):
        Regimen(())


def test_a_course_knows_its_highest_day():
    assert Regimen((UNEVEN, THREE_TIMES_FIVE)).highest_mg_per_day == 35
