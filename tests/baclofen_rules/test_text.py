"""An amount is written in one way everywhere."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baclofen_rules.text import format_amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("15.00", "15"),
        ("100", "100"),
        ("7.50", "7.5"),
        ("0.5", "0.5"),
        ("1E+2", "100"),
        ("0.000", "0"),
        ("100.5", "100.5"),
        ("10.0", "10"),
    ],
)
def test_an_amount_has_a_leading_digit_and_no_zero_at_the_end(amount: str, text: str) -> None:
    assert format_amount(Decimal(amount)) == text


@given(st.decimals(min_value=0, max_value=10**9, places=4))
def test_an_amount_reads_back_as_itself(amount: Decimal) -> None:
    text = format_amount(amount)
    assert Decimal(text) == amount
    assert "E" not in text
    assert text == "0" or not ("." in text and text.endswith("0"))
