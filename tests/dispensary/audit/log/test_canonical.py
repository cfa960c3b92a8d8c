"""The bytes of the log have one spelling, the same as any RFC 8785 library's."""

import datetime as dt
import enum
import json
import unicodedata
import uuid
from decimal import Decimal

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from dispensary.audit.evidence import verify
from dispensary.audit.log import canonical as log

# Every character but NUL and the surrogates: controls, line separators, private use and astral planes are in it.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
whole_numbers = st.integers(-log.MAX_INTEGER, log.MAX_INTEGER)
values = st.recursive(
    texts | whole_numbers | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_canonical_text_is_that_of_rfc_8785(value):
    assert log.canonical(value).encode() == rfc8785.dumps(value)


@given(values)
def test_canonical_text_reads_back_to_the_same_value(value):
    assert verify.read_canonical(log.canonical(value)) == value


def test_keys_are_ordered_by_utf_16_units_not_by_code_points():
    astral, private = "\U00010000", "\ue000"
    assert log.canonical({private: 1, astral: 2}).index(astral) < log.canonical({private: 1, astral: 2}).index(private)


@pytest.mark.parametrize("number", [2**53 - 1, -(2**53 - 1), 0, -1])
def test_whole_numbers_up_to_2_to_the_53_are_exact(number):
    assert log.canonical([number]) == f"[{number}]"


@pytest.mark.parametrize("number", [2**53, -(2**53)])
def test_whole_numbers_from_2_to_the_53_are_refused(number):
    with pytest.raises(log.NotCanonical, match=r"\$\.n"):
        log.canonical({"n": number})


@pytest.mark.parametrize(
    "value",
    [1.0, float("nan"), "a\x00b", "\ud800", {"\udfff": 1}, {1: "a"}, None, [None], b"bytes", Decimal("1.5"), {1, 2}],
)
def test_what_has_no_single_spelling_is_refused(value):
    with pytest.raises(log.NotCanonical):
        log.canonical(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"b":1,"a":1}',
        '{"a": 1}',
        "[1.0]",
        "[1e3]",
        "[NaN]",
        "[-0]",
        "[9007199254740993]",
        '["\\u0041"]',
        '["\\ud800"]',
        '["\\/"]',
        "[null]",
        "[1]\n",
        "",
        "[" * 100_000,
        "9" * 5_000,
    ],
)
def test_another_spelling_is_not_read(text):
    with pytest.raises(verify.Malformed):
        verify.read_canonical(text)


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


def test_plain_turns_what_actions_hold_into_what_the_log_holds():
    some_id = uuid.UUID("0190f5f6-1111-7111-8111-111111111111")
    plain_body = log.plain(
        {
            "amount": Decimal("1E+2"),
            "small": Decimal("0.0000001"),
            "on": dt.date(2024, 2, 29),
            "at": dt.datetime(2026, 11, 22, 9, 0, 0, 5, tzinfo=dt.UTC),
            "id": some_id,
            "colour": Colour.RED,
            "level": Level.HIGH,
            "codes": {"b", "a"},
            "digest": b"\x01\xff",
            "unknown": None,
            Colour.RED: (1, True),
        }
    )
    assert plain_body == {
        "amount": "100",
        "small": "0.0000001",
        "on": "2024-02-29",
        "at": "2026-11-22T09:00:00.000005Z",
        "id": str(some_id),
        "colour": "red",
        "level": 3,
        "codes": ["a", "b"],
        "digest": "01ff",
        "red": [1, True],
    }
    assert json.loads(log.canonical(plain_body)) == plain_body


@given(texts)
def test_plain_text_is_nfc(text):
    assert log.plain(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "value", [0.1, Decimal("NaN"), Decimal("Infinity"), object(), {"é": 1, "e\u0301": 2}, dt.datetime(2026, 1, 1)]
)
def test_plain_refuses_what_it_would_have_to_guess(value):
    with pytest.raises(log.NotCanonical):
        log.plain({"field": value})


def test_the_path_of_a_refused_value_is_told():
    with pytest.raises(log.NotCanonical, match=r"\$\.doses\[1\]\.mg"):
        log.plain({"doses": [{"mg": Decimal(5)}, {"mg": 5.0}]})


def test_times_are_utc_with_six_digits_and_four_digit_years():
    berlin = dt.timezone(dt.timedelta(hours=1))
    assert log.timestamp(dt.datetime(2026, 11, 22, 0, 30, tzinfo=berlin)) == "2026-11-21T23:30:00.000000Z"
    assert log.timestamp(dt.datetime(476, 9, 4, tzinfo=dt.UTC)) == "0476-09-04T00:00:00.000000Z"


def test_null_columns_are_left_out_of_the_header_but_empty_ones_stay():
    with_null = log.header({"station": None, "rule_codes": []}, seq=1, prev=bytes(32))
    with_empty = log.header({"station": "", "rule_codes": []}, seq=1, prev=bytes(32))
    assert json.loads(with_null) == {"prev": "00" * 32, "rule_codes": [], "seq": 1}
    assert json.loads(with_empty)["station"] == ""


def test_a_header_is_never_beyond_64_kib():
    room = log.MAX_HEADER_BYTES - len(log.header({"actor": ""}, seq=1, prev=bytes(32)))
    log.header({"actor": "a" * room}, seq=1, prev=bytes(32))
    with pytest.raises(log.NotCanonical):
        log.header({"actor": "a" * (room + 1)}, seq=1, prev=bytes(32))


def test_a_column_that_format_1_does_not_know_is_refused():
    with pytest.raises(log.NotCanonical):
        log.header({"colour": "red"}, seq=1, prev=bytes(32))


def test_every_header_key_stands_for_one_column():
    assert len(set(log.HEADER_KEYS.values())) == len(log.HEADER_KEYS)
    assert {"seq", "prev"}.isdisjoint(log.HEADER_KEYS.values())


def test_a_commitment_needs_the_whole_salt():
    with pytest.raises(log.NotCanonical):
        log.body_commitment(b"short", "{}")
