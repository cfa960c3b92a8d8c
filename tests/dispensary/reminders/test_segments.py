"""Segments: what a text message costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.reminders.segments import count_segments


@pytest.mark.parametrize(
    ("text", "count", "alphabet"),
    [
        ("", 1, "GSM-7"),
        ("a" * 160, 1, "GSM-7"),
        ("a" * 161, 2, "GSM-7"),
        ("a" * 306, 2, "GSM-7"),
        ("a" * 307, 3, "GSM-7"),
        ("€" * 80, 1, "GSM-7"),
        ("€" * 81, 2, "GSM-7"),
        ("’" + "a" * 69, 1, "UCS-2"),
        ("’" + "a" * 70, 2, "UCS-2"),
        ("ا" * 134, 2, "UCS-2"),
        ("ا" * 135, 3, "UCS-2"),
        ("😀" * 35, 1, "UCS-2"),
        ("😀" * 36, 2, "UCS-2"),
    ],
)
def test_the_edges_of_one_and_two_segments(text, count, alphabet):
    counted = count_segments(text)
    assert (counted.count, counted.alphabet) == (count, alphabet)


def test_a_character_of_two_units_is_not_split_over_two_segments():
    assert count_segments("a" * 152 + "€" + "a" * 152).count == 3


@given(st.text(max_size=800))
def test_longer_is_never_cheaper(text):
    assert count_segments(text + "a").count >= count_segments(text).count
