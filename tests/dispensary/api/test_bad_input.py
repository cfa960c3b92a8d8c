"""Absurd orders, one thing wrong at a time: the field is named, and nothing is left behind."""

from typing import Any

import pytest

from dispensary.models import IdempotentRequest, Patient, Prescriber, Prescription
from tests.dispensary.api.conftest import Caller, case, fields, order, problem

PHASE = {"dose": 5, "unit": "mg", "times_per_day": 3, "days": 28}


def phase(**changes: Any) -> dict[str, Any]:
    return case(phases=[{name: value for name, value in (PHASE | changes).items() if value is not ...}])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (phase(dose=-5), "phases[0].dose"),
        (phase(dose=0), "phases[0].dose"),
        (phase(dose="NaN"), "phases[0].dose"),
        (phase(dose="Infinity"), "phases[0].dose"),
        (phase(dose="five"), "phases[0].dose"),
        (phase(dose=True), "phases[0].dose"),
        (phase(dose=None), "phases[0].dose"),
        (phase(dose=[5]), "phases[0].dose"),
        (phase(dose=10**9), "phases[0].dose"),
        (phase(dose="0.00000001"), "phases[0].dose"),
        (phase(days=0), "phases[0].days"),
        (phase(days=-1), "phases[0].days"),
        (phase(days=10**9), "phases[0].days"),
        (phase(days="28.5"), "phases[0].days"),
        (phase(unit="grain"), "phases[0].unit"),
        (phase(unit=""), "phases[0].unit"),
        (phase(unit=...), "phases[0].unit"),
        (phase(times_per_day=0), "phases[0].times_per_day"),
        (phase(times_per_day=25), "phases[0].times_per_day"),
        (phase(doses=[5, 5]), "phases[0]"),
        (phase(colour="pink"), "phases[0].colour"),
        (case(phases=[]), "phases"),
        (case(phases={}), "phases"),
        (case(phases=[PHASE] * 101), "phases"),
        (case(phases=[PHASE | {"days": None}, PHASE]), "phases[0].days"),
        (case(quantity=0), "quantity"),
        (case(quantity=-42), "quantity"),
        (case(quantity=10**9), "quantity"),
        (case(quantity=10_001), "quantity"),
        (case(quantity=...), "quantity"),
        (case(quantity="forty-two"), "quantity"),
        (case(repeats=-1), "repeats"),
        (case(repeats=1.5), "repeats"),
        (case(strength_mg=0), "strength_mg"),
        (case(strength_mg="ten"), "strength_mg"),
        (case(written_on="1800-01-01"), "written_on"),
        (case(written_on="2999-01-01"), "written_on"),
        (case(written_on="yesterday"), "written_on"),
        (case(written_on=20261120), "written_on"),
        (case(then_stop="no"), "then_stop"),
        (case(directions=["5 mg"]), "directions"),
        (case(directions="5 mg tid " * 400), "directions"),
        (case(directions="5 mg\u202e tid"), "directions"),
        (case(favourite="yes"), "favourite"),
        (case() | {"format": "baclofen-case/2"}, "case"),
        (case() | {"prescription": []}, "case"),
        (case() | {"history": {}}, "case"),
        (case() | {"history": [{"dispensed_on": "1800-01-01", "doses": [5], "days_supply": 1, "relation": "same-course"}]}, "dispensed_on"),
        (case() | {"history": [{"dispensed_on": "2999-01-01", "doses": [5], "days_supply": 1, "relation": "same-course"}]}, "dispensed_on"),
        (case() | {"patient": {"birth_date": "2999-01-01"}}, "birth_date"),
        (case() | {"patient": {"weight_kg": -70}}, "weight_kg"),
        (case() | {"extra": 1}, "case"),
        ({}, "case"),
        ([], "case"),
        (None, "case"),
        ("case", "case"),
    ],
)  # fmt: skip
def test_an_absurd_order_is_refused_by_the_name_of_what_is_wrong(technician: Caller, wrong: Any, field: str) -> None:
    response = technician.post("prescriptions/", order(case=wrong), Idempotency_Key="k")
    assert any(field in named for named in fields(response)), response.content
    for model in (Patient, Prescriber, Prescription, IdempotentRequest):
        assert not model._default_manager.exists()


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e400", "1e-400", "9" * 400, "0x10", "1_000", "01"]
)
def test_a_number_that_is_none_in_json_is_refused(technician: Caller, number: str) -> None:
    import json

    body = json.dumps(order(case=phase(dose=77777))).replace("77777", number).encode()
    assert problem(technician.call("POST", "prescriptions/", body), 400)
    assert not Patient.objects.exists()


def test_two_megabytes_of_directions_are_too_much(technician: Caller) -> None:
    assert (
        problem(technician.post("prescriptions/", order(case=case(directions="5 mg tid " * 230_000))), 413)["code"]
        == "too-large"
    )


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"1", b'"x"', b"{" * 1000, b"\x00", b"\xef\xbb\xbf{}"])
def test_a_body_without_an_order_is_refused(technician: Caller, body: bytes) -> None:
    assert problem(technician.call("POST", "prescriptions/", body), 400)


def test_markup_quotes_and_marks_in_words_are_kept_and_given_back_as_they_are(technician: Caller) -> None:
    name = 'O\'Hara "<b>\u05d3\u200f</b>" & Söhne'
    body = order(patient={"identifier": "P'; --", "family_name": name}, case=case())
    made = technician.post("prescriptions/", body).json()
    assert made["prescription"]["patient"]["family_name"] == name
    prescription = technician.get(f"prescriptions/{made['prescription']['id']}/").json()
    assert prescription["patient"]["identifier"] == "P'; --"


def test_the_first_mistake_is_explained_with_the_place_of_the_field(technician: Caller) -> None:
    whole = order()
    flat = {name: whole[name] for name in ("patient", "prescriber")} | {"prescription": whole["case"]["prescription"]}
    problems = {
        row["field"]: row["expected"] for row in problem(technician.post("prescriptions/", flat), 400)["problems"]
    }
    assert problems == {"prescription": "nothing here; it belongs into case, as case.prescription"}
    assert problem(technician.post("prescriptions/", whole | {"colour": "red"}), 400)["problems"][0]["expected"] == (
        "only patient, prescriber, case, replaces"
    )
