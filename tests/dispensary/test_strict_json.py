"""Bodies are read exactly or not at all."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.errors import InvalidInput
from dispensary.strict_json import MAX_DEPTH, jsonable, loads


def refused(body: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        loads(body)
    (problem,) = caught.value.problems
    return f"{problem.field}: {problem.given} -> {problem.expected}"


def test_amounts_stay_exact() -> None:
    assert loads(b'{"dose": 0.1, "times": 3}') == {"dose": Decimal("0.1"), "times": 3}
    assert isinstance(loads(b"[3]")[0], int)


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity"])
def test_what_is_no_number_is_refused(constant: bytes) -> None:
    assert "a finite number" in refused(b'{"quantity": ' + constant + b"}")


@pytest.mark.parametrize(
    "number", [b"1e13", b"1e-13", b"1e99999", b"1e9999999999999999999", b"-1e400", b"9" * 25, b"0." + b"1" * 30]
)
def test_a_number_out_of_all_proportion_is_refused(number: bytes) -> None:
    assert "numbers of at most 24 characters" in refused(b"[" + number + b"]")


@pytest.mark.parametrize("number", [b"1e12", b"1e-12", b"9" * 13, b"0.000000000001"])
def test_a_number_just_inside_is_read(number: bytes) -> None:
    assert loads(number) == Decimal(number.decode())


def test_the_same_key_twice_is_refused_at_any_depth() -> None:
    assert "'dose' twice" in refused(b'{"phases": [{"dose": 5, "days": 3, "dose": 50}]}')


def test_nesting_is_bounded_and_brackets_in_text_do_not_count() -> None:
    fine = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert loads(fine) is not None
    assert "levels" in refused(b"[" + fine + b"]")
    assert "levels" in refused(b"[" * 200_000)
    assert loads(b'["' + b"[" * 100 + b'\\"[[["]') == ["[" * 100 + '"[[[']


@pytest.mark.parametrize(
    "body", [b"{", b"nothing", b"[1,]", b"{'a': 1}", b"\xff\xfe", b'"\xed\xa0\x80"', b"[1] [2]", b'"abc']
)
def test_what_is_not_json_in_utf8_is_told_so(body: bytes) -> None:
    assert refused(body)


@pytest.mark.parametrize("escape", ["\\u0000", "\\u0007", "\\u001b", "\\ud800", "\\u202e", "\\u2066"])
def test_text_that_shows_as_something_else_is_refused_with_its_path(escape: str) -> None:
    body = f'{{"patient": {{"names": ["x", "a{escape}b"]}}}}'.encode()
    assert refused(body).startswith("patient.names[1]: the character U+")
    assert "U+" in refused(f'{{"a{escape}": 1}}'.encode())


@pytest.mark.parametrize(
    "name", ["O'Hara", 'Robert "Bob"', "<b>Ann</b>", "\u05d3\u05d5\u05d3\u200f", "Zoë\u200e", "李"]
)
def test_names_of_people_are_read_as_they_are(name: str) -> None:
    assert loads(json.dumps({"name": name}).encode()) == {"name": name}


@given(st.recursive(st.none() | st.booleans() | st.integers(-(10**11), 10**11) | st.text(st.characters(codec="ascii", min_codepoint=32, exclude_characters="\x7f")),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii", min_codepoint=32, exclude_characters="\x7f")), inner), max_leaves=20))  # fmt: skip
def test_ordinary_documents_are_read_as_python_would(document: Any) -> None:
    assert loads(json.dumps(document).encode()) == document


@given(st.binary(max_size=200))
def test_no_bytes_bring_the_reader_down(body: bytes) -> None:
    try:
        loads(body)
    except InvalidInput as error:
        assert error.problems


def test_a_stored_document_keeps_amounts_as_decimal_strings() -> None:
    assert jsonable({"a": [Decimal("67.50"), 3, None, "x"]}) == {"a": ["67.5", 3, None, "x"]}
