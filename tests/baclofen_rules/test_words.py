from decimal import Decimal

import pytest

from baclofen_rules.regimen import Phase, Unit
from baclofen_rules.words import clip, format_doses, highest_phase, join_words


def phase(*amounts: str, unit: Unit = Unit.MG) -> Phase:
    return Phase(tuple(map(Decimal, amounts)), 7, unit)


@pytest.mark.parametrize(
    ("words", "sentence"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c", "d"], "a, b, c and d")]
)
def test_words_are_listed_as_in_a_sentence(words, sentence):
    assert join_words(words) == sentence


def test_a_long_name_is_cut_and_stays_on_one_line():
    assert clip("x" * 40) == "x" * 40
    assert clip("x" * 41) == "x" * 37 + "..."
    assert clip("x" * 31, 30) == "x" * 27 + "..."
    assert clip(" Lioresal\n 10 mg ") == "Lioresal 10 mg"


@pytest.mark.parametrize(
    ("day", "sum_of_it"),
    [
        (phase("35", "35", "35"), "35 mg x 3 = 105 mg a day"),
        (phase("10", "5", "20.50"), "10 + 5 + 20.5 = 35.5 mg a day"),
        (phase("5000", unit=Unit.MICROGRAM), "5 mg x 1 = 5 mg a day"),
    ],
)
def test_the_arithmetic_of_a_day_is_shown(day, sum_of_it):
    assert format_doses(day) == sum_of_it


def test_the_highest_day_is_found_and_of_equal_ones_the_first():
    low, high = phase("5", "5"), phase("10", "10")
    assert highest_phase([high, low]) == (1, high)
    assert highest_phase([low, high]) == (2, high)
    assert highest_phase([low, high, phase("20")]) == (2, high)
