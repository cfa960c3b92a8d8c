"""Tables of cases refuse what would be dropped in silence."""

from pathlib import Path
from typing import Any

import pytest

from baclofen_rules import Case, InvalidCase
from tests.baclofen_rules.cases import case_of
from tests.tables import check_rows, read_table


@pytest.mark.parametrize(
    "row",
    [{"order": {"route": "rectal"}}, {"taks": ["5 for 3 days"]}, {"says": "A sentence.", "pateint": {"age_years": 3}}],
)
def test_a_row_with_a_key_that_is_not_of_a_case_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is read by nothing"):
        case_of(row, beside={"says"})


@pytest.mark.parametrize(
    "row",
    [
        {"patient": {"age_year": 3}},
        {"prescription": {"rout": "oral"}},
        {"case": {"pickd": None}},
        {"unknown": ["patient.egrf"]},
        {"unknown": ["prescription.phase"]},
        {"unknown": ["histroy"]},
    ],
)
def test_a_row_with_a_misspelt_field_of_the_case_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises((InvalidCase, ValueError)):
        Case.from_json(case_of(row))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[row]]\nsays = "A."\nexpect = "clear"\norder = {}', "row 1: order is read by nothing"),
        ('rulle = "age"\n[[row]]\nsays = "A."\nexpect = "clear"', "rulle is read by nothing"),
        ('[[row]]\nsays = "A."', "row 1: expect is missing"),
        ('[[row]]\nsays = "A."\nexpect = {}', "row 1: expect is missing or empty"),
    ],
)
def test_a_table_that_would_prove_nothing_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "age.toml").write_text(text)
    with pytest.raises(ValueError, match=words):
        read_table(tmp_path / "age.toml", "row", {"says", "expect"}, required={"says", "expect"}, head={"rule"})


def test_every_row_that_fails_is_named() -> None:
    def check(dose: int, most: int) -> None:
        assert dose <= most

    with pytest.raises(ExceptionGroup, match="2 rows fail") as raised:
        check_rows(check, [(5, 10), (15, 10), (10, 10), (20, 10)])
    assert [failure.__notes__ for failure in raised.value.exceptions] == [["The row: (15, 10)"], ["The row: (20, 10)"]]
