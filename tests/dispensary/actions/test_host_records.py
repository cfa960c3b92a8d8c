"""What the site's own record of a person adds to an order, and what it cannot do."""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from dispensary.actions import patients
from dispensary.actions.corrections import correct_identity
from dispensary.actions.intake import Intake, take_all, take_in
from dispensary.actions.prescriptions import Received
from dispensary.actors import Actor
from dispensary.checks import site_extensions
from dispensary.errors import Conflict, InvalidInput
from dispensary.models import CorrectionReason, Patient, Pharmacy, Source
from tests.dispensary import make
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db

RUI = {"family_name": "Duarte", "given_name": "Rui", "birth_date": "1969-03-14", "sex": "male"}
KIDNEYS = {"egfr": Decimal(55), "dialysis": False}
NUMBER = {"identifier": "88", "identifier_system": "https://host.example/clients"}
records: dict[str, Any] = {}
"""The site's own records by number, each an answer or what goes wrong."""
asked_numbers: list[str] = []
locks: list[int] = []
"""How many locks of numbers and identifiers the order held at each time the site was asked."""


def count_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'")
        return int(cursor.fetchone()[0])


def find(system: str, identifier: str) -> Any:
    """The site's own function."""
    asked_numbers.append(identifier)
    locks.append(count_locks())
    answer = records.get(f"{system}/{identifier}")
    if isinstance(answer, Exception):
        raise answer
    if answer == "broken statement":
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
    return answer


@pytest.fixture(autouse=True)
def resolver(settings: Any) -> None:
    settings.DISPENSARY = {**settings.DISPENSARY, "patient_resolver": f"{__name__}.find"}
    records.clear()
    asked_numbers.clear()
    locks.clear()


def order_for(patient: Any, facts: dict[str, Any] | None = None) -> Intake:
    return Intake(
        patient=patient,
        prescriber={"identifier": "C1", "name": "Grace Mwangi"},
        order=make.CLEAN_ORDER,
        source=Source.CASE,
        document={},
        facts=facts or {},
    )


def take(shop: Pharmacy, by: Actor, patient: Any, facts: dict[str, Any] | None = None) -> Received:
    return take_in(order_for(patient, facts), pharmacy=shop, by=by, now=NOW)


def set_record(answer: Any) -> None:
    records[f"{NUMBER['identifier_system']}/{NUMBER['identifier']}"] = answer


def test_a_number_alone_is_enough_where_the_site_knows_whose_it_is(shop: Pharmacy, technician: Actor) -> None:
    set_record(RUI | {"facts": KIDNEYS, "language": "es"})
    taken = take(shop, technician, NUMBER, {"weight_kg": 70})
    person = Patient.objects.get()
    assert (person.family_name, str(person.birth_date), person.sex, person.language) == (
        "Duarte",
        "1969-03-14",
        "male",
        "es",
    )
    assert (person.egfr, person.dialysis, person.weight_kg) == (55, False, 70)
    assert taken.prescription.notes == []
    assert "patient.egfr" not in taken.review.result_text


def test_a_number_that_the_site_does_not_know_needs_a_name(shop: Pharmacy, technician: Actor) -> None:
    with pytest.raises(InvalidInput, match="no patient with this number"):
        take(shop, technician, NUMBER)


def test_what_the_order_or_the_record_says_stays_and_the_difference_is_a_note(
    shop: Pharmacy, technician: Actor
) -> None:
    set_record(RUI | {"facts": KIDNEYS | {"drives": True}})
    taken = take(shop, technician, NUMBER | RUI, {"egfr": 90})
    person = Patient.objects.get()
    assert (person.egfr, person.dialysis, person.drives) == (90, False, True)
    assert taken.prescription.notes == [
        "patient.egfr: the site's own record says something else than the record, which was kept; ask the patient"
    ]


@pytest.mark.parametrize("changes", [{"family_name": "Other"}, {"birth_date": "1970-03-14"}, {"sex": "female"}])
def test_an_order_for_somebody_else_under_this_number_is_refused(
    shop: Pharmacy, technician: Actor, changes: dict[str, str]
) -> None:
    set_record(RUI | {"facts": KIDNEYS})
    with pytest.raises(Conflict, match="another person's in the site's own record"):
        take(shop, technician, NUMBER | RUI | changes)
    assert not Patient.objects.exists()


@pytest.mark.parametrize("ordered", ["Duarte", "Silva"])
@pytest.mark.parametrize("of_the_site", ["Duarte", "Silva"])
def test_a_patient_whose_name_has_changed_keeps_the_facts_of_the_site(
    ordered: str, of_the_site: str, shop: Pharmacy, technician: Actor
) -> None:
    before = {name: value for name, value in RUI.items() if name.endswith("_name")}
    person = patients.register(
        pharmacy=shop, **NUMBER, **before, facts={"birth_date": RUI["birth_date"]}, by=technician, now=NOW
    )
    correct_identity(
        patient=person, changes={"family_name": "Silva"}, reason=CorrectionReason.CHANGED, by=technician, now=NOW
    )
    set_record(RUI | {"family_name": of_the_site, "facts": KIDNEYS})
    taken = take(shop, technician, NUMBER | RUI | {"family_name": ordered})
    person = Patient.objects.get()
    assert (person.family_name, person.egfr) == ("Silva", 55)
    assert not any("another person" in note for note in taken.prescription.notes)


def test_a_name_that_the_patient_never_had_is_another_persons(shop: Pharmacy, technician: Actor) -> None:
    names = {"family_name": "Silva", "given_name": "Rui"}
    patients.register(pharmacy=shop, **NUMBER, **names, facts={}, by=technician, now=NOW)
    set_record(RUI | {"facts": KIDNEYS})
    with pytest.raises(Conflict, match="another person's in the site's own record"):
        take(shop, technician, NUMBER | names)
    assert Patient.objects.get().egfr is None


def test_nothing_is_taken_for_a_patient_of_ours_who_is_somebody_else(shop: Pharmacy, technician: Actor) -> None:
    set_record(RUI | {"facts": KIDNEYS})
    names = {"family_name": "Other", "given_name": "Ann"}
    person = patients.register(pharmacy=shop, **NUMBER, **names, facts={}, by=technician, now=NOW)
    taken = take(shop, technician, person)
    assert Patient.objects.get().egfr is None
    assert ["another person under this number" in note for note in taken.prescription.notes] == [True]


def test_the_site_is_asked_once_for_each_patient_of_several_orders(shop: Pharmacy, technician: Actor) -> None:
    set_record(RUI | {"facts": KIDNEYS})
    recorded = patients.register(pharmacy=shop, identifier="7", family_name="Other", facts={}, by=technician, now=NOW)
    orders = [order_for(patient) for patient in (NUMBER, NUMBER | RUI, recorded, NUMBER, recorded)]
    taken = take_all(orders, pharmacy=shop, by=technician, now=NOW)
    assert asked_numbers == ["88", "7"]
    assert len({order.prescription.pk for order in taken if isinstance(order, Received)}) == len(orders)
    take_all(orders[:1], pharmacy=shop, by=technician, now=NOW)
    assert asked_numbers == ["88", "7", "88"]


def test_the_site_is_asked_before_anything_is_locked(shop: Pharmacy, technician: Actor) -> None:
    set_record(RUI | {"facts": KIDNEYS})
    orders = [
        replace(order_for(patient), identifiers=[("urn:sender", patient["identifier"])])
        for patient in (NUMBER, NUMBER | RUI | {"identifier": "99"})
    ]
    before = count_locks()
    take_all(orders, pharmacy=shop, by=technician, now=NOW)
    assert (asked_numbers, locks) == (["88", "99"], [before, before])
    assert count_locks() > before


def test_the_site_is_asked_for_one_order_before_anything_is_locked(shop: Pharmacy, technician: Actor) -> None:
    before = count_locks()
    order = replace(order_for(NUMBER | RUI), identifiers=[("urn:sender", "1")])
    take_in(order, pharmacy=shop, by=technician, now=NOW)
    assert locks == [before]
    assert count_locks() > before


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (RuntimeError("Rui Duarte is not there"), "did not answer"),
        ("broken statement", "did not answer"),
        (RUI | {"facts": {"egfr": "Rui"}}, "patient.egfr: the site's own record has it in a form that cannot be read"),
        (RUI | {"facts": {"shoe_size": 42}}, "patient.shoe_size"),
        (RUI | {"shoe_size": 42}, "did not answer"),
        (RUI | {"facts": [1]}, "did not answer"),
        (7, "did not answer"),
    ],
)
def test_a_resolver_that_breaks_loses_no_order_and_the_order_says_so(
    shop: Pharmacy, technician: Actor, answer: Any, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    set_record(answer)
    with caplog.at_level(logging.DEBUG):
        taken = take(shop, technician, NUMBER | RUI)
    assert [words in note for note in taken.prescription.notes] == [True]
    assert Patient.objects.get().egfr is None
    assert "patient_resolver" in caplog.text
    assert "Rui" not in caplog.text


@pytest.mark.parametrize(
    ("name", "is_right"),
    [
        (f"{__name__}.find", True),
        (f"{__name__}.lookup", False),
        (f"{__name__}.set_record", False),
        (f"{__name__}.NUMBER", False),
    ],
)
def test_a_resolver_that_cannot_be_called_is_an_error(name: str, is_right: bool, settings: Any) -> None:
    settings.DISPENSARY = {**settings.DISPENSARY, "patient_resolver": name}
    assert [message.id for message in site_extensions()] == ([] if is_right else ["dispensary.E012"])
