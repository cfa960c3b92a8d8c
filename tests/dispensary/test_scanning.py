from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.scanning import LONGEST_SCAN, Pack, UnreadableScan, read_scan

GTIN = "04012345678901"
FULL = Pack(GTIN, "ABC123", date(2027, 11, 30), "SER99")


@pytest.mark.parametrize(
    "typed",
    [
        f"]d201{GTIN}1727113010ABC123\u241d21SER99",
        f"]d201{GTIN}1727113010ABC123\x1d21SER99",
        f"01{GTIN}1727113010ABC123\u241d21SER99\u241d",
        f"]d201{GTIN}21SER99\u241d1727113010ABC123",
        f"  ]d201{GTIN}1727113010ABC123\u241d21SER99\r\n",
    ],
)
def test_a_full_code_is_read_whatever_its_order_and_ending(typed: str) -> None:
    assert read_scan(typed) == FULL


def test_day_zero_means_the_end_of_the_month() -> None:
    assert read_scan(f"01{GTIN}17270200").expiry == date(2027, 2, 28)


@pytest.mark.parametrize(
    ("typed", "expiry"),
    [
        (f"01{GTIN}70032711302359\u241d10ABC123", date(2027, 11, 30)),
        (f"01{GTIN}1727113070032711281200", date(2027, 11, 28)),
        (f"01{GTIN}1727112870032711301200", date(2027, 11, 28)),
    ],
)
def test_an_expiry_with_its_time_is_read_and_the_earlier_of_two_counts(typed: str, expiry: date) -> None:
    assert read_scan(typed).expiry == expiry


@pytest.mark.parametrize("typed", [GTIN, GTIN[1:], f"]C101{GTIN}"])
def test_a_linear_code_names_the_product_and_nothing_else(typed: str) -> None:
    assert read_scan(typed) == Pack(GTIN)


def test_a_number_that_also_looks_like_another_field_is_the_product() -> None:
    assert read_scan("4012345678901").gtin == GTIN


@pytest.mark.parametrize(
    "typed",
    [
        f"01{GTIN}1727113010ABC12321SER99",
        f"01{GTIN}17271130" + "21SER9910ABC123",
        f"01{GTIN}10ABC17271130",
        f"01{GTIN}10ABC70032711302359",
    ],
)
def test_a_lot_that_swallowed_another_field_is_refused(typed: str) -> None:
    with pytest.raises(UnreadableScan, match="lost the separator"):
        read_scan(typed)


def test_a_lot_that_only_happens_to_hold_the_digits_is_taken_when_the_serial_is_there() -> None:
    assert read_scan(f"01{GTIN}10A21B777\u241d21SER99").lot == "A21B777"


def test_a_lot_of_twenty_characters_is_taken() -> None:
    assert read_scan(f"01{GTIN}17271130" + "21S1\u241d10" + "A" * 20).lot == "A" * 20


def test_a_lot_over_twenty_characters_is_refused() -> None:
    with pytest.raises(UnreadableScan):
        read_scan(f"01{GTIN}17271130" + "21S1\u241d10" + "A" * 21)


def test_a_wrong_check_digit_is_said() -> None:
    with pytest.raises(UnreadableScan, match="wrong check digit"):
        read_scan("0104012345678902172711301012345")
    with pytest.raises(UnreadableScan, match="wrong check digit"):
        read_scan("4012345678902")


def test_a_code_without_a_product_is_refused() -> None:
    with pytest.raises(UnreadableScan, match="names no product"):
        read_scan("1727113010ABC")


@pytest.mark.parametrize("typed", ["", "   ", "hello", "Smith, John", "1" * (LONGEST_SCAN + 1), "]d2"])
def test_what_is_no_code_is_answered_with_a_sentence(typed: str) -> None:
    with pytest.raises(UnreadableScan, match=r"\.$"):
        read_scan(typed)


@given(st.text(max_size=400))
def test_no_text_raises_anything_but_a_sentence(typed: str) -> None:
    try:
        assert len(read_scan(typed).gtin) == 14
    except UnreadableScan as error:
        assert str(error).endswith(".")


@given(st.from_regex(r"(\]d2)?01\d{14}(17\d{6})?(10[A-Z0-9]{1,22})?(\u241d21[A-Z0-9]{1,22})?", fullmatch=True))
def test_no_code_raises_anything_but_a_sentence(typed: str) -> None:
    try:
        assert len(read_scan(typed).lot) <= 20
    except UnreadableScan as error:
        assert str(error).endswith(".")


@pytest.mark.parametrize("typed", ["]", "]d", "]C", "]d2", "[", "\x1d"])
def test_a_cut_off_symbology_prefix_is_answered_with_a_sentence(typed):
    with pytest.raises(UnreadableScan):
        read_scan(typed)


def test_a_lot_that_looks_like_another_field_is_believed_when_a_separator_came_through():
    assert read_scan("0105012345678900" + "10AB21CDEF\x1d" + "17280331").lot == "AB21CDEF"


@pytest.mark.parametrize(
    "typed",
    [
        "https://id.gs1.org/01/05012345678900/10/LOT7/21/SN42?17=281130",
        "https://example.com/some/01/05012345678900/10/LOT7/21/SN42?17=281130",
    ],
)
def test_a_digital_link_is_read(typed: str) -> None:
    assert read_scan(typed) == Pack("05012345678900", "LOT7", date(2028, 11, 30), "SN42")


def test_a_web_address_without_a_product_is_refused() -> None:
    with pytest.raises(UnreadableScan):
        read_scan("https://example.com/offers")


@pytest.mark.parametrize(
    ("typed", "country"),
    [
        ("$dé" + "à&à(à&é\"'(-è_çàà", "French"),
        ("à&à(à&é\"'(-è_çàà&è", "French"),
        ("+d20105012345678900", "German"),
    ],
)
def test_a_scanner_with_another_keyboard_is_named(typed: str, country: str) -> None:
    with pytest.raises(UnreadableScan, match=f"a {country} keyboard"):
        read_scan(typed)
