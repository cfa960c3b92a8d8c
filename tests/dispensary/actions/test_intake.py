"""Whom an order is for: the same person, or a question; and nothing of the record is changed by an order."""

from __future__ import annotations

from typing import Any

import pytest

from dispensary import audit
from dispensary.actions import prescribers
from dispensary.actions.intake import Intake, take_in
from dispensary.actions.prescriptions import Received
from dispensary.actors import Actor
from dispensary.errors import Conflict, DispensaryError, InvalidInput
from dispensary.models import Patient, Pharmacy, Prescriber, Prescription, Source
from tests.dispensary import make
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db

JOHN = {
    "identifier": "777",
    "identifier_system": "urn:a",
    "family_name": "Twinname",
    "given_name": "John",
    "birth_date": "1968-02-17",
    "sex": "male",
}
WRITER = {"identifier": "C1", "identifier_system": "urn:register", "name": "Grace Mwangi"}


def person(**changes: Any) -> dict[str, Any]:
    """John, changed; `None` leaves a field out."""
    return {name: value for name, value in (JOHN | changes).items() if value is not None}


def take(shop: Pharmacy, by: Actor, patient: Any, **changes: Any) -> Received:
    fields = {"prescriber": WRITER, "order": make.CLEAN_ORDER, "source": Source.FHIR, "document": {}} | changes
    return take_in(Intake(patient=patient, **fields), pharmacy=shop, by=by, now=NOW)


def refusal(shop: Pharmacy, by: Actor, patient: Any, **changes: Any) -> set[str]:
    """The fields that stand in the way; nothing is stored."""
    before = Prescription.objects.count(), Patient.objects.count()
    with pytest.raises(Conflict) as caught:
        take(shop, by, patient, **changes)
    assert (Prescription.objects.count(), Patient.objects.count()) == before
    assert all(problem.next for problem in caught.value.problems)
    return {problem.field for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"given_name": "Mary"}, {"patient.given_name"}),
        ({"family_name": "Other"}, {"patient.family_name"}),
        ({"birth_date": "1968-02-18"}, {"patient.birth_date"}),
        ({"birth_date": None, "born_in": "1969"}, {"patient.birth_date"}),
        ({"birth_date": None, "born_in": "1968-03"}, {"patient.birth_date"}),
        ({"birth_date": None, "born_in": "196"}, {"patient.birth_date"}),
        ({"sex": "female"}, {"patient.sex"}),
        ({"given_name": "Mary", "sex": "female"}, {"patient.given_name", "patient.sex"}),
        ({"identifier_system": "urn:b"}, {"patient.identifier"}),
        ({"identifier_system": "urn:b", "given_name": "Mary"}, {"patient.identifier", "patient.given_name"}),
        ({"identifier_system": None, "given_name": "Mary"}, {"patient.identifier", "patient.given_name"}),
        ({"identifier_system": None, "birth_date": None}, {"patient.identifier"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
def test_another_persons_order_is_not_joined_to_the_record(
    shop: Pharmacy, technician: Actor, changes: dict[str, Any], fields: set[str]
) -> None:
    take(shop, technician, JOHN)
    before = Patient.objects.values().get()
    assert refusal(shop, technician, person(**changes)) == fields
    assert Patient.objects.values().get() == before


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"family_name": "TWINNAME", "given_name": " john "},
        {"given_name": "John Paul"},
        {"given_name": None},
        {"birth_date": None, "born_in": "1968"},
        {"birth_date": None, "born_in": "1968-02"},
        {"sex": "unknown"},
        {"birth_date": None},
        {"identifier_system": None},
    ],
    ids=str,
)
def test_the_same_person_is_joined(shop: Pharmacy, technician: Actor, changes: dict[str, Any]) -> None:
    john = take(shop, technician, JOHN).prescription.patient
    assert take(shop, technician, person(**changes)).prescription.patient_id == john.pk


@pytest.mark.parametrize(
    ("recorded", "stated", "noted"),
    [
        ({"family_name": "Nov\u00e1k"}, {"family_name": "NOVAK"}, ["patient.family_name"]),
        ({"family_name": "Novak"}, {"family_name": "Nov\u00e1k"}, ["patient.family_name"]),
        ({"family_name": "M\u00fcller"}, {"family_name": "Mueller"}, ["patient.family_name"]),
        ({"family_name": "M\u00fcller"}, {"family_name": "Muller"}, ["patient.family_name"]),
        ({"given_name": "Jos\u00e9 Luis"}, {"given_name": "Jose"}, ["patient.given_name"]),
        ({"given_name": "Anne-Marie"}, {"given_name": "Anne Marie"}, ["patient.given_name"]),
        ({"family_name": "O'Hara", "given_name": "Zo\u00eb"}, {"family_name": "Ohara", "given_name": "Zoe"}, ["patient.family_name", "patient.given_name"]),
        ({"family_name": "O'Hara"}, {"family_name": "o\u2019HARA"}, []),
    ],
)  # fmt: skip
def test_a_name_without_its_accents_is_the_same_person_and_the_record_is_kept(
    shop: Pharmacy, technician: Actor, recorded: dict[str, Any], stated: dict[str, Any], noted: list[str]
) -> None:
    patient = take(shop, technician, person(**recorded)).prescription.patient
    for system in ("urn:a", None):
        order = take(shop, technician, person(**(recorded | stated), identifier_system=system)).prescription
        assert order.patient_id == patient.pk
        assert [note.split(":")[0] for note in order.notes] == noted
    patient.refresh_from_db()
    assert {name: getattr(patient, name) for name in recorded} == recorded


@pytest.mark.parametrize(
    ("recorded", "stated"),
    [
        ({"family_name": "Muller"}, {"family_name": "Mueller"}),
        ({"family_name": "Nov\u00e1k"}, {"family_name": "Nov\u00e1kov\u00e1"}),
        ({"given_name": "Anne-Marie"}, {"given_name": "Anne"}),
        ({"given_name": "Jos\u00e9"}, {"given_name": "Josef"}),
    ],
)
def test_a_name_with_another_letter_is_asked_about(
    shop: Pharmacy, technician: Actor, recorded: dict[str, Any], stated: dict[str, Any]
) -> None:
    take(shop, technician, person(**recorded))
    (name,) = stated
    assert refusal(shop, technician, person(**(recorded | stated))) == {f"patient.{name}"}


def test_a_fact_unknown_in_the_record_stays_unknown_and_is_asked(shop: Pharmacy, technician: Actor) -> None:
    john = take(shop, technician, person(birth_date=None, sex=None)).prescription.patient
    order = take(shop, technician, JOHN).prescription
    assert order.patient_id == john.pk
    assert (order.patient.birth_date, order.patient.sex) == (None, "unknown")
    named = [note.split(":")[0] for note in order.notes]
    assert [name for name in named if name.startswith("patient")] == ["patient.birth_date", "patient.sex"]
    assert "age" in {finding.code for finding in order.reviews.get().findings.all()}


def test_a_family_name_alone_joins_nobody(shop: Pharmacy, technician: Actor) -> None:
    take(shop, technician, person(given_name=None, birth_date=None, sex=None))
    assert refusal(shop, technician, JOHN) == {"patient.given_name", "patient.birth_date"}


def test_an_order_for_a_patient_named_by_id_changes_no_identity_either(shop: Pharmacy, technician: Actor) -> None:
    recorded = make.patient(shop)
    assert refusal(shop, technician, recorded, facts={"sex": "male"}) == {"patient.sex"}
    assert refusal(shop, technician, recorded, facts={"birth_date": "2015-01-01"}) == {"patient.birth_date"}
    unknown = make.patient(shop, birth_date=None)
    facts = {"birth_date": "2015-01-01", "weight_kg": 20}
    order = take(shop, technician, unknown, facts=facts, source=Source.CASE).prescription
    unknown.refresh_from_db()
    assert (unknown.birth_date, unknown.weight_kg) == (None, 20)
    assert order.notes


def test_a_fact_that_an_order_changes_is_noted(shop: Pharmacy, technician: Actor) -> None:
    recorded = make.patient(shop, allergies=["penicillin"], egfr=None)
    facts = {"allergies": [], "egfr": 60, "weight_kg": 70}
    order = take(shop, technician, recorded, facts=facts, source=Source.CASE).prescription
    assert [note.split(":")[0] for note in order.notes] == ["patient.allergies"]
    recorded.refresh_from_db()
    assert (recorded.allergies, recorded.egfr) == ([], 60)


def test_facts_in_a_bundle_fill_what_is_unknown_and_what_differs_is_noted(shop: Pharmacy, technician: Actor) -> None:
    recorded = make.patient(shop, allergies=["penicillin"], egfr=None)
    facts = {"allergies": ["aspirin"], "egfr": 60, "weight_kg": 70}
    order = take(shop, technician, recorded, facts=facts, source=Source.FHIR).prescription
    assert [note.split(":")[0] for note in order.notes] == ["patient.allergies"]
    recorded.refresh_from_db()
    assert (recorded.allergies, recorded.egfr) == (["penicillin"], 60)


def test_an_identity_that_cannot_be_read_is_refused(shop: Pharmacy, technician: Actor) -> None:
    recorded = make.patient(shop, birth_date=None)
    with pytest.raises(InvalidInput):
        take(shop, technician, recorded, facts={"birth_date": "soon"})


def test_a_number_without_a_system_gets_its_first_when_everything_agrees(shop: Pharmacy, technician: Actor) -> None:
    recorded = make.patient(
        shop, identifier="777", family_name="Twinname", given_name="John", birth_date="1968-02-17", sex="male"
    )
    order = take(shop, technician, JOHN).prescription
    recorded.refresh_from_db()
    assert (order.patient_id, recorded.identifier_system) == (recorded.pk, "urn:a")
    changed = [line.body for line in audit.history(recorded, pharmacy=shop) if line.entry.action == "patient.changed"]
    assert [body["changed"] for body in changed] == [{"identifier_system": {"from": "", "to": "urn:a"}}]
    assert refusal(shop, technician, person(identifier_system="urn:b")) == {"patient.identifier"}


def test_somebody_else_with_the_same_number_is_registered_first(shop: Pharmacy, technician: Actor) -> None:
    john = take(shop, technician, JOHN).prescription.patient
    mary = make.patient(shop, identifier="777", family_name="Twinname", given_name="Mary", birth_date="1968-02-17")
    with pytest.raises(Conflict, match="already registered"):
        make.patient(
            shop, identifier="777", family_name="Twinname", given_name="John", birth_date="1968-02-17", sex="male"
        )
    order = take(shop, technician, person(identifier_system="urn:b", given_name="Mary", sex="female")).prescription
    assert order.patient_id == mary.pk != john.pk


def test_the_same_number_in_another_register_is_another_prescriber(shop: Pharmacy, technician: Actor) -> None:
    first = take(shop, technician, JOHN).prescription.prescriber
    again = take(shop, technician, JOHN, prescriber=WRITER | {"name": "Dr G. Mwangi"}).prescription.prescriber
    other = take(shop, technician, JOHN, prescriber=WRITER | {"identifier_system": "urn:other"}).prescription.prescriber
    assert again == first != other


@pytest.mark.parametrize(("name", "same"), [("Dr Grace Mwangi", True), ("Grace  MWANGI", True), ("John Smith", False)])
def test_a_prescriber_recorded_without_a_register_gets_it_where_the_names_agree(
    shop: Pharmacy, technician: Actor, name: str, same: bool
) -> None:
    recorded = prescribers.register_prescriber(pharmacy=shop, identifier="C1", name=name, by=technician, now=NOW)
    prescriber = take(shop, technician, JOHN).prescription.prescriber
    assert (prescriber.pk == recorded.pk) is same
    assert Prescriber.objects.get(pk=prescriber.pk).identifier_system == "urn:register"


@pytest.mark.parametrize("number", ["C-1", "c1", " C 1", "c.1"])
@pytest.mark.parametrize("register", ["urn:register", ""])
def test_a_number_written_otherwise_is_the_recorded_prescriber_where_the_names_agree(
    shop: Pharmacy, technician: Actor, number: str, register: str
) -> None:
    recorded = take(shop, technician, JOHN).prescription.prescriber
    stated = {"identifier": number, "identifier_system": register, "name": "Dr G. Mwangi"}
    order = take(shop, technician, JOHN, prescriber=stated).prescription
    assert order.prescriber == recorded == Prescriber.objects.get()
    assert order.notes == ["prescriber.identifier: the order writes the number otherwise; the record was kept"]


@pytest.mark.parametrize("number", ["C-1", "c1"])
def test_a_number_written_otherwise_under_another_name_is_asked_about(
    shop: Pharmacy, technician: Actor, number: str
) -> None:
    take(shop, technician, JOHN)
    stated = WRITER | {"identifier": number, "name": "Greta Okafor"}
    assert refusal(shop, technician, JOHN, prescriber=stated) == {"prescriber.identifier"}
    assert Prescriber.objects.count() == 1


@pytest.mark.parametrize("changes", [{"identifier": "C11"}, {"identifier": "c1", "identifier_system": "urn:other"}])
def test_another_number_and_another_register_are_another_prescriber(
    shop: Pharmacy, technician: Actor, changes: dict[str, str]
) -> None:
    take(shop, technician, JOHN)
    order = take(shop, technician, JOHN, prescriber=WRITER | changes).prescription
    assert (order.notes, Prescriber.objects.count()) == ([], 2)


def test_a_prescriber_whom_an_earlier_release_registers_is_found(shop: Pharmacy, technician: Actor) -> None:
    recorded = take(shop, technician, JOHN).prescription.prescriber
    Prescriber.objects.update(number_key="")
    assert take(shop, technician, JOHN).prescription.prescriber == recorded


def test_numbers_of_signs_alone_are_not_alike(shop: Pharmacy, technician: Actor) -> None:
    for number in ("--", "??", "--"):
        take(shop, technician, JOHN, prescriber=WRITER | {"identifier": number})
    assert sorted(Prescriber.objects.values_list("identifier", flat=True)) == ["--", "??"]


def test_another_name_with_the_same_number_is_a_note(shop: Pharmacy, technician: Actor) -> None:
    take(shop, technician, JOHN)
    order = take(shop, technician, JOHN, prescriber=WRITER | {"name": "Greta Okafor"}).prescription
    assert order.prescriber.name == "Grace Mwangi"
    assert order.notes == ["prescriber.name: the order has another name with this number; the record was kept"]


@pytest.mark.parametrize("number", ["c1", "C 1", "C-1", "C1"])
def test_a_bare_number_written_otherwise_is_the_one_prescriber_of_its_register(
    shop: Pharmacy, technician: Actor, number: str
) -> None:
    recorded = take(shop, technician, JOHN).prescription.prescriber
    order = take(
        shop, technician, JOHN, prescriber={"identifier": number, "identifier_system": "urn:register"}
    ).prescription
    assert order.prescriber == recorded
    assert ("prescriber.identifier" in " ".join(order.notes)) is (number != "C1")


def test_a_bare_number_of_another_register_is_no_prescriber(shop: Pharmacy, technician: Actor) -> None:
    take(shop, technician, JOHN)
    with pytest.raises(DispensaryError, match="no prescriber"):
        take(shop, technician, JOHN, prescriber={"identifier": "C1", "identifier_system": "urn:other"})
