"""A profile of another medicine: its table and its numbers stand beside each other, and the rules of every medicine are asked."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from baclofen_rules import Case, InvalidProfile, Profile, Severity, load_profile, review
from baclofen_rules.directions import Question, read_directions
from baclofen_rules.directions.doubt import Why
from baclofen_rules.planning import CannotPlan, plan_taper
from baclofen_rules.rule import EVERY_MEDICINE
from baclofen_rules.rules import all_rules
from tests.baclofen_rules.cases import case_of
from tests.baclofen_rules.profiles.tizanidine import TABLE, write_tizanidine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tizanidine(tmp_path)
    return tmp_path


@pytest.fixture
def tizanidine(folder: Path) -> Profile:
    return load_profile("tizanidine", folder=folder)


def order(medicine: str = "Tizanidine 4 mg tablets", **more: Any) -> dict[str, Any]:
    """A case of 4 mg three times a day, for who had it before."""
    prescription = {"medicine": medicine, "strength_mg": 4, "brand": None} | more.pop("prescription", {})
    row = {"takes": ["4+4+4 for 28 days"], "had": ["4+4+4, 28 days ago, for 28 days, since 90 days ago"], **more}
    case = case_of(row | {"prescription": prescription})
    case["picked"] = {"strength_mg": 4, "medicine": "Zanaflex", "expires_on": "2027-12-31"}
    return case


def findings_of(case: dict[str, Any], profile: Profile) -> dict[str, str]:
    answer = review(Case.from_json(case, own=profile.medicine), profile)
    return {finding.code: finding.severity for finding in answer.findings if finding.severity != Severity.INFORMATION}


def test_the_rules_of_every_medicine_are_asked_and_no_others(tizanidine: Profile) -> None:
    assert tizanidine.medicine.name == "tizanidine"
    serving = {rule.code for rule in all_rules() if rule.serves == EVERY_MEDICINE}
    assert set(tizanidine.sections) == serving
    assert (tizanidine.parent, tizanidine.fallbacks) == ("", ())


def test_an_ordinary_supply_passes(tizanidine: Profile) -> None:
    assert findings_of(order(prescription={"directions": "Tizanidine 4 mg tablets: 1 tablet tds"}), tizanidine) == {}


@pytest.mark.parametrize(
    ("row", "code", "severity"),
    [
        ({"takes": ["8+8+8+8+8 for 28 days"]}, "daily-maximum", "override"),
        ({"takes": ["4+4+4 for 28 days"], "prescription": {"strength_mg": 6}}, "strength", "stop"),
        ({"patient": {"allergies": ["Sirdalud"]}}, "allergy", "stop"),
        ({"prescription": {"directions": "STOP tizanidine"}}, "directions", "stop"),
        ({"prescription": {"directions": "baclofen 4 mg tds"}}, "directions", "override"),
        ({"had": ["4+4+4, 20 days ago, for 28 days"]}, "early-refill", "override"),
    ],
)
def test_its_own_numbers_and_names_are_read(row: dict[str, Any], code: str, severity: str, tizanidine: Profile) -> None:
    assert findings_of(order(**row), tizanidine)[code] == severity


def test_baclofen_is_another_medicine_there_and_it_is_another_one_here(tizanidine: Profile) -> None:
    assert findings_of(order("Baclofen 10 mg tablets"), tizanidine)["medicine"] == "stop"
    assert findings_of(order(), load_profile("lioresal"))["medicine"] == "stop"


def test_findings_name_the_medicine(tizanidine: Profile) -> None:
    answer = review(Case.from_json(order("Baclofen 10 mg tablets"), own=tizanidine.medicine), tizanidine)
    (finding,) = [finding for finding in answer.findings if finding.code == "medicine"]
    assert (
        finding.summary == "The order is of Baclofen 10 mg tablets; only plain tizanidine is dispensed by these rules"
    )
    assert finding.limit == {"medicine": "tizanidine"}


def test_directions_of_one_medicine_name_no_other(tizanidine: Profile) -> None:
    own = tizanidine.medicine
    for text in ("tizanidine 4 mg tds", "zanaflex 4 mg tablets: one tds", "Sirdalud 4 mg: 1-1-1"):
        assert not isinstance(read_directions(text, 4, own=own), Question)
        here = read_directions(text, 4)
        assert isinstance(here, Question)
    assert here.why in (Why.OTHER_MEDICINE, Why.NOT_UNDERSTOOD)
    assert isinstance(read_directions("baclofen 10 mg tds", 4, own=own), Question)


def test_a_case_that_was_read_for_another_medicine_is_refused(tizanidine: Profile) -> None:
    with pytest.raises(InvalidProfile, match=r"tizanidine.toml: medicine: given tizanidine, expected baclofen"):
        review(Case.from_json(order()), tizanidine)


def test_no_course_is_planned_for_it(tizanidine: Profile) -> None:
    with pytest.raises(CannotPlan, match="a profile of baclofen"):
        plan_taper([Decimal(4)] * 3, [Decimal(4)], tizanidine, on=date(2026, 11, 22))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ('medicine = "tizanidine"', 'medicine = "zorbaxin"'),
            "medicine: given zorbaxin, expected baclofen, or a medicine",
        ),
        (('medicine = "tizanidine"', "medicine = 3"), "medicine: given 3, expected the name of a medicine"),
        (
            ('name = "tizanidine"', 'extends = "lioresal"\nname = "tizanidine"'),
            "extends: given lioresal, expected a profile of",
        ),
        (("rules.tenfold", "rules.renal"), "rules.renal: given a rule that does not exist, or is not about tizanidine"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(folder: Path, change: tuple[str, str], message: str) -> None:
    path = folder / "tizanidine.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(InvalidProfile, match=message):
        load_profile("tizanidine", folder=folder)


def test_a_number_of_baclofen_never_stands_in(folder: Path) -> None:
    path = folder / "tizanidine.toml"
    other_lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("rules.tenfold.")
    ]
    path.write_text("\n".join(other_lines), encoding="utf-8")
    with pytest.raises(InvalidProfile, match=r"rules.tenfold"):
        load_profile("tizanidine", folder=folder)


def test_a_table_that_lacks_a_name_is_refused(folder: Path) -> None:
    path = folder / "medicines" / "tizanidine.toml"
    path.write_text(TABLE.replace('atc = "M03BX02"\n', ""), encoding="utf-8")
    with pytest.raises(InvalidProfile, match=r"a table with medicine\.atc"):
        load_profile("tizanidine", folder=folder)
