import copy
import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baclofen_rules.case import Case, InvalidCase
from baclofen_rules.checked import parse_json
from baclofen_rules.facts import CodedCondition, Condition
from baclofen_rules.regimen import Unit

EXAMPLE = {
    "format": "baclofen-case/1",
    "on": "2026-11-22",
    "action": "dispense",
    "patient": {
        "birth_date": "1981-05-02",
        "sex": "female",
        "weight_kg": 70,
        "egfr": 95,
        "dialysis": False,
        "pregnant": False,
        "breastfeeding": False,
        "allergies": [],
        "conditions": ["epilepsy", {"system": "http://snomed.info/sct", "code": "84757009"}],
        "medicines": [{"name": "tizanidine", "atc": "M03BX02"}],
        "alcohol_use": False,
        "drives": False,
        "intrathecal_pump": False,
    },
    "prescription": {
        "medicine": "baclofen",
        "written_on": "2026-11-20",
        "route": "oral",
        "form": "tablet",
        "strength_mg": 10,
        "brand": None,
        "phases": [
            {"dose": 5, "unit": "mg", "times_per_day": 3, "days": 3},
            {"doses": [10, 5, 10], "unit": "mg", "days": 25},
        ],
        "then_stop": False,
        "directions": "5 mg three times a day for 3 days, then 10 mg, 5 mg, 10 mg",
        "quantity": 67,
        "repeats": 0,
    },
    "picked": {"strength_mg": 10, "medicine": "baclofen", "expires_on": "2027-12-31"},
    "history": [
        {
            "dispensed_on": "2026-10-25",
            "dose": 10,
            "times_per_day": 3,
            "strength_mg": 10,
            "days_supply": 28,
            "dose_since": "2026-08-01",
            "relation": "same-course",
        }
    ],
}


def changed(path, value):
    """The example with one field set; path as a.b.0.c."""
    case = copy.deepcopy(EXAMPLE)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    at = case
    for step in way:
        at = at[step]
    at[last] = value
    return case


def test_the_example_reads_as_it_is_written():
    case = Case.from_json(EXAMPLE)
    assert case.on == date(2026, 11, 22)
    assert case.patient.age_on(case.on) == 45
    assert case.patient.conditions == (Condition.EPILEPSY, CodedCondition("http://snomed.info/sct", "84757009"))
    assert [phase.doses for phase in case.order.phases] == [(5, 5, 5), (10, 5, 10)]
    assert case.history[0].mg_per_day == 30


def test_a_case_reads_back_to_itself():
    case = Case.from_json(EXAMPLE)
    assert Case.from_json(case.to_json()) == case
    assert Case.from_text(json.dumps(case.to_json())) == case


NAMED = {"name": "Baclofen 10 mg tablets", "atc": "M03BX01", "codes": [{"system": "rxnorm", "code": "197391"}]}


@pytest.mark.parametrize(
    ("path", "value", "read_back"),
    [
        ("prescription.medicine", "baclofen", {"name": "baclofen", "atc": None}),
        ("prescription.medicine", NAMED, NAMED),
        ("picked", {"strength_mg": "10", "medicine": "baclofen"}, {"strength_mg": "10", "medicine": {"name": "baclofen", "atc": None}}),
        ("picked", {"strength_mg": "10", "expires_on": "2027-12-31"}, {"strength_mg": "10", "expires_on": "2027-12-31"}),
        ("picked", {"strength_mg": "10"}, {"strength_mg": "10"}),
        ("prescription.form", "Solution for infusion", "Solution for infusion"),
    ],
)  # fmt: skip
def test_what_is_said_of_the_product_is_kept(path, value, read_back):
    case = Case.from_json(changed(path, value))
    written = case.to_json()
    for step in path.split("."):
        written = written[step]
    assert written == read_back
    assert Case.from_json(case.to_json()) == case


def test_the_day_of_a_fact_is_kept_and_left_out_where_it_is_unknown():
    assert Case.from_json(changed("patient.egfr_on", "2026-03-01")).to_json()["patient"]["egfr_on"] == "2026-03-01"
    assert "egfr_on" not in Case.from_json(EXAMPLE).to_json()["patient"]


def test_a_case_without_a_medicine_is_written_as_before():
    assert "medicine" not in Case.from_json(changed("prescription.medicine", None)).to_json()["prescription"]


def test_amounts_are_exact_however_they_are_written():
    texts = ["0.1", "0.10", '"0.1"', "1e-1"]
    doses = [Case.from_json(changed("prescription.phases.0.dose", parse_json(text))).order.phases[0] for text in texts]
    assert {dose.mg_per_day for dose in doses} == {Decimal("0.3")}
    assert Case.from_json(changed("prescription.phases.0.dose", 0.1)).order.phases[0].doses[0] == Decimal("0.1")


def test_the_day_can_be_given_beside_the_case():
    assert Case.from_json(EXAMPLE, date(2026, 12, 1)).on == date(2026, 12, 1)
    assert Case.from_json(EXAMPLE).with_day(date(2026, 12, 1)).on == date(2026, 12, 1)


@pytest.mark.parametrize("word", ["ug", "mcg", "microgram", "UG", "µg"])
def test_micrograms_have_several_spellings(word):
    assert Case.from_json(changed("prescription.phases.0.unit", word)).order.phases[0].unit is Unit.MICROGRAM


def test_a_child_of_29_february_is_a_year_older_on_1_march():
    patient = Case.from_json(changed("patient.birth_date", "2012-02-29")).patient
    assert patient.age_on(date(2025, 2, 28)) == 12
    assert patient.age_on(date(2025, 3, 1)) == 13
    assert patient.age_on(date(2024, 2, 28)) == 11
    assert patient.age_on(date(2024, 2, 29)) == 12


HUGE = 10**5000
BAD = [
    ("on", "1800-01-01", "on"),
    ("on", "2999-01-01", "on"),
    ("on", "2026-02-30", "on"),
    ("on", "20261122", "on"),
    ("on", 20261122, "on"),
    ("on", "２０２６-11-22", "on"),
    ("on", None, "on"),
    ("format", "baclofen-case/3", "format"),
    ("action", "give", "action"),
    ("action", "discontinue", "prescription"),
    ("prescription", None, "prescription"),
    ("prescription", [], "prescription"),
    ("colour", "red", "colour"),
    ("patient.birth_date", "1800-05-02", "patient.birth_date"),
    ("patient.birth_date", "2027-05-02", "patient.birth_date"),
    ("patient.age_years", 45, "patient.age_years"),
    ("patient.weight_kg", 0, "patient.weight_kg"),
    ("patient.weight_kg", -70, "patient.weight_kg"),
    ("patient.weight_kg", 7000, "patient.weight_kg"),
    ("patient.weight_kg", True, "patient.weight_kg"),
    ("patient.weight_kg", "70 kg", "patient.weight_kg"),
    ("patient.weight_kg", float("nan"), "patient.weight_kg"),
    ("patient.weight_kg", float("inf"), "patient.weight_kg"),
    ("patient.weight_kg", Decimal("NaN"), "patient.weight_kg"),
    ("patient.weight_kg", Decimal("sNaN"), "patient.weight_kg"),
    ("patient.egfr", -1, "patient.egfr"),
    ("patient.egfr_on", "2026-11-24", "patient.egfr_on"),
    ("patient.egfr_on", "yesterday", "patient.egfr_on"),
    ("patient.dialysis", 0, "patient.dialysis"),
    ("patient.dialysis", "false", "patient.dialysis"),
    ("patient.sex", "f", "patient.sex"),
    ("patient.allergies", "none", "patient.allergies"),
    ("patient.allergies", [""], "patient.allergies[0]"),
    ("patient.allergies", ["x" * 201], "patient.allergies[0]"),
    ("patient.conditions", ["epilepsi"], "patient.conditions[0]"),
    ("patient.conditions", [{"system": "x"}], "patient.conditions[0].code"),
    ("patient.medicines", [{}], "patient.medicines[0]"),
    ("patient.medicines", ["morphine"], "patient.medicines[0]"),
    ("patient.medicines", [{"name": "a", "dose": 1}], "patient.medicines[0].dose"),
    ("patient.shoe_size", 44, "patient.shoe_size"),
    ("prescription.written_on", "2026-11-23", "prescription.written_on"),
    ("prescription.form", "x" * 201, "prescription.form"),
    ("prescription.medicine", {}, "prescription.medicine"),
    ("prescription.medicine", 5, "prescription.medicine"),
    ("prescription.medicine", {"name": "baclofen", "dose": 5}, "prescription.medicine.dose"),
    ("prescription.medicine", {"codes": [{"system": "rxnorm"}]}, "prescription.medicine.codes[0].code"),
    ("prescription.strength_mg", 0, "prescription.strength_mg"),
    ("prescription.phases", [], "prescription.phases"),
    ("prescription.phases.0.dose", 0, "prescription.phases[0].dose"),
    ("prescription.phases.0.dose", -5, "prescription.phases[0].dose"),
    ("prescription.phases.0.dose", "5 mg", "prescription.phases[0].dose"),
    ("prescription.phases.0.dose", "٥", "prescription.phases[0].dose"),
    ("prescription.phases.0.dose", "1e999", "prescription.phases[0].dose"),
    ("prescription.phases.0.dose", Decimal("1E+999999"), "prescription.phases[0].dose"),
    ("prescription.phases.0.dose", Decimal("1E-999999"), "prescription.phases[0].dose"),
    ("prescription.phases.0.dose", HUGE, "prescription.phases[0].dose"),
    ("prescription.phases.0.dose", 5.0000001, "prescription.phases[0].dose"),
    ("prescription.phases.0.dose", True, "prescription.phases[0].dose"),
    ("prescription.phases.0.dose", [5], "prescription.phases[0].dose"),
    ("prescription.phases.0.doses", [5], "prescription.phases[0].dose"),
    ("prescription.phases.0.unit", "ml", "prescription.phases[0].unit"),
    ("prescription.phases.0.unit", None, "prescription.phases[0].unit"),
    ("prescription.phases.0.unit", 5, "prescription.phases[0].unit"),
    ("prescription.phases.0.times_per_day", 0, "prescription.phases[0].times_per_day"),
    ("prescription.phases.0.times_per_day", 2.5, "prescription.phases[0].times_per_day"),
    ("prescription.phases.0.times_per_day", 25, "prescription.phases[0].times_per_day"),
    ("prescription.phases.0.times_per_day", None, "prescription.phases[0].times_per_day"),
    ("prescription.phases.0.days", 0, "prescription.phases[0].days"),
    ("prescription.phases.0.days", None, "prescription.phases[0].days"),
    ("prescription.phases.0.days", 10**9, "prescription.phases[0].days"),
    ("prescription.phases.1.doses", [], "prescription.phases[1].doses"),
    ("prescription.phases.1.doses", [5] * 25, "prescription.phases[1].doses"),
    ("prescription.quantity", 10**9, "prescription.quantity"),
    ("prescription.quantity", 0, "prescription.quantity"),
    ("prescription.repeats", -1, "prescription.repeats"),
    ("prescription.directions", "x" * 2_000_000, "prescription.directions"),
    ("prescription.directions", "5 mg\x00", "prescription.directions"),
    ("prescription.directions", "\ud800", "prescription.directions"),
    ("picked.strength_mg", 0, "picked.strength_mg"),
    ("picked.medicine", "", "picked.medicine"),
    ("picked.expires_on", "12/2027", "picked.expires_on"),
    ("picked.lot", "A1", "picked.lot"),
    ("history.0.dispensed_on", "2026-11-23", "history[0].dispensed_on"),
    ("history.0.dispensed_on", "1800-01-01", "history[0].dispensed_on"),
    ("history.0.days_supply", 0, "history[0].days_supply"),
    ("history.0.days_supply", None, "history[0].days_supply"),
    ("history.0.relation", "brother", "history[0].relation"),
    ("history.0.relation", None, "history[0].relation"),
    ("history.0.dose_since", "2027-01-01", "history[0].dose_since"),
    ("history", [{}] * 1001, "history"),
]


@pytest.mark.parametrize(
    ("path", "value", "refused_at"), BAD, ids=[f"{number} {path}" for number, (path, _, _) in enumerate(BAD)]
)
def test_what_cannot_be_reviewed_is_refused_with_its_place(path, value, refused_at):
    with pytest.raises(InvalidCase) as refused:
        Case.from_json(changed(path, value))
    assert refused.value.path == refused_at
    assert refused.value.given
    assert refused.value.expected
    assert len(str(refused.value)) < 400
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("whole", [None, [], "case", 5, True, {}])
def test_a_case_is_an_object(whole):
    with pytest.raises(InvalidCase):
        Case.from_json(whole)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nonsense",
        b"\xff\xfe",
        '{"on": NaN}',
        '{"on": Infinity}',
        '{"on": "2026-11-22", "on": "2026-11-23"}',
        "[" * 100_000,
        '{"on": ' + "9" * 5000 + "}",
        " " * 2_000_001,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_text_that_is_no_case_is_refused(text):
    with pytest.raises(InvalidCase) as refused:
        Case.from_text(text)
    assert "\n" not in str(refused.value)


def test_names_may_hold_quotes_markup_and_right_to_left_marks():
    name = '\u202e<b>"O\'Neil"</b>\u200f'
    case = Case.from_json(changed("patient.medicines", [{"name": name, "atc": None}]))
    assert case.patient.medicines[0].name == name


def test_unknown_is_neither_false_nor_empty():
    bare = {"format": "baclofen-case/1", "on": "2026-11-22", "action": "dispense", "prescription": {}}
    case = Case.from_json(bare)
    assert case.history is None
    assert case.patient.allergies is None
    assert case.patient.dialysis is None
    assert case.order.phases is None
    assert Case.from_json(case.to_json()) == case


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
places = st.sampled_from(sorted({path for path, _, _ in BAD}))


@given(places, json_values)
def test_no_value_anywhere_raises_anything_but_an_invalid_case(path, value):
    try:
        case = Case.from_json(changed(path, value))
    except InvalidCase:
        return
    assert Case.from_json(case.to_json()) == case
