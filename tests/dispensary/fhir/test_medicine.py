"""Which product: names, codes and ingredients must agree."""

from decimal import Decimal
from typing import Any

import pytest

from dispensary.fhir import read_order
from dispensary.fhir.medicine import ATC, RXNORM
from tests.dispensary.fhir.orders import PATIENT, PRACTITIONER, UCUM, asked, daily, line, request


@pytest.mark.parametrize("status", ["inactive", "entered-in-error"])
def test_a_medication_that_is_no_longer_valid_is_asked_back(status: str) -> None:
    medication = {"resourceType": "Medication", "id": "m", "status": status, "code": {"text": "Baclofen 10 mg tablets"}}
    order = request(
        medicationCodeableConcept=None,
        medicationReference={"reference": "#m"},
        contained=[PATIENT, PRACTITIONER, medication],
    )
    assert "a medication that is no longer valid" in asked(order)
    medication["status"] = "active"
    assert read_order(order).prescription["strength_mg"] == 10


def coded(system: str, code: str, display: str = "", text: str = "") -> dict[str, Any]:
    concept: dict[str, Any] = {"coding": [{"system": system, "code": code} | ({"display": display} if display else {})]}
    return concept | ({"text": text} if text else {})


@pytest.mark.parametrize(
    ("concept", "strength"),
    [
        ({"text": "Baclofen 10 mg tablets"}, 10),
        ({"text": "LIORESAL 25MG TABLET"}, 25),
        ({"text": "baclofen 7,5 mg tab"}, "7.5"),
        (coded(RXNORM, "197391"), 10),
        (coded(RXNORM, "430902", "baclofen 5 MG Oral Tablet"), 5),
        (coded(ATC, "M03BX01", text="Baclofen tablets 10 milligrams"), 10),
        (coded(RXNORM, "8163", "Baclofen 10 MG Oral Tablet"), 10),
        ({"text": "Baclofen tablets"}, None),
        ({"text": "Baclofen 1,000 mg tablets"}, None),
    ],
)  # fmt: skip
def test_the_strength_is_read_from_code_or_name(concept: dict[str, Any], strength: int | str | None) -> None:
    read = read_order(request(medicationCodeableConcept=concept)).prescription
    assert read.get("strength_mg") == (None if strength is None else Decimal(strength))
    assert read["form"] == "tablet"


@pytest.mark.parametrize(
    ("concept", "words"),
    [
        (coded(RXNORM, "197392", "Baclofen 10 MG Oral Tablet"), "strengths that differ: 10 mg and 20 mg"),
        ({"text": "Baclofen 10 mg or 25 mg tablets"}, "strengths that differ"),
        ({"text": "Tizanidine 4 mg tablets"}, "another medicine"),
        ({"text": "Arbaclofen ER 10 mg tablets"}, "another medicine"),
        ({"text": "Baclofen 10 mg modified-release tablets"}, "another medicine"),
        (coded(ATC, "M03BX02", "Baclofen"), "another medicine"),
        (coded(RXNORM, "1"), "the code of another medicine"),
        ({"coding": []}, "no name and no known code"),
    ],
)
def test_another_medicine_or_two_strengths_are_asked_back(concept: dict[str, Any], words: str) -> None:
    assert words in asked(request(medicationCodeableConcept=concept))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("Baclofen 5 mg/5 mL oral solution", "liquid"),
        ("Baclofen 10 mg/20 mL intrathecal injection", "injection"),
        ("Baclofen 2000 micrograms/mL intrathecal solution", "injection"),
        ("Baclofen 10 mg capsules", "capsule"),
    ],
)
def test_baclofen_in_another_form_is_read_for_the_rules_to_stop_it(name: str, form: str) -> None:
    assert read_order(request(medicationCodeableConcept={"text": name})).prescription["form"] == form


def test_doses_and_quantities_of_another_form_are_noted_and_its_words_kept() -> None:
    millilitres = {"value": 10, "unit": "mL", "system": UCUM, "code": "mL"}
    order = read_order(
        request(
            line(millilitres, daily(3), text="10 mL three times a day"),
            medicationCodeableConcept={"text": "Baclofen 5 mg/5 mL oral solution"},
            dispenseRequest={"quantity": millilitres | {"value": 300}},
        )
    )
    assert order.prescription["directions"] == "10 mL three times a day"
    assert {"phases", "quantity"}.isdisjoint(order.prescription)
    assert [note for note in order.notes if "10 mL" in note and "300" not in note]
    assert [note for note in order.notes if "300 mL is no number of tablets" in note]


def test_millilitres_of_tablets_are_asked_back() -> None:
    millilitres = {"value": 10, "unit": "mL", "system": UCUM, "code": "mL"}
    assert "unit that is not known" in asked(request(line(millilitres, daily(3), text="10 mg three times a day")))


def medication(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Medication", "id": "m", "code": {"text": "Baclofen"}, "form": {"text": "Tablet"}} | more


def by_reference(thing: dict[str, Any]) -> dict[str, Any]:
    people = [PATIENT, PRACTITIONER]
    return request(medicationCodeableConcept=None, medicationReference={"reference": "#m"}, contained=[*people, thing])


def test_a_medication_resource_gives_form_and_strength_by_its_ingredient() -> None:
    ratio = {"numerator": {"value": 10, "unit": "mg"}, "denominator": {"value": 1, "unit": "tablet"}}
    ingredient = {"itemCodeableConcept": {"text": "baclofen"}, "strength": ratio}
    read = read_order(by_reference(medication(ingredient=[ingredient]))).prescription
    assert (read["strength_mg"], read["form"]) == (Decimal(10), "tablet")


def test_two_ingredients_or_a_strength_by_volume_are_asked_back() -> None:
    assert "2 ingredients" in asked(by_reference(medication(ingredient=[{}, {}])))
    by_volume = {"numerator": {"value": 10, "unit": "mg"}, "denominator": {"value": 20, "unit": "tablet"}}
    assert "another ratio" in asked(by_reference(medication(ingredient=[{"strength": by_volume}])))


def test_the_brand_is_kept() -> None:
    assert (
        read_order(request(medicationCodeableConcept={"text": "Lioresal 10 mg tablets"})).prescription["brand"]
        == "Lioresal"
    )


def test_capsules_without_words_are_read_for_the_rules_to_stop_them() -> None:
    capsules = {"value": 1, "unit": "capsule"}
    order = read_order(
        request(
            line(capsules, daily(3)),
            medicationCodeableConcept={"text": "Baclofen 10 mg capsules"},
            dispenseRequest={"quantity": capsules | {"value": 84}},
        )
    )
    assert (order.prescription["form"], "phases" in order.prescription) == ("capsule", False)
    assert any("84 capsule is no number of tablets" in note for note in order.notes)
