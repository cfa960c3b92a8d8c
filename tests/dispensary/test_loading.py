"""The record of a patient, read in one statement: the same rows as the models read, and joined as they join them."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Model, Q

from dispensary.actions import patients, preparations
from dispensary.actions.handover_problems import Item
from dispensary.actors import Actor
from dispensary.assessment import therapy_of
from dispensary.loading import Record, read_record
from dispensary.models import (
    DecisionKind,
    Namesake,
    Patient,
    Pharmacy,
    Preparation,
    Prescription,
    Product,
    ReminderPlan,
    SecondSignature,
    StaffRole,
    WorkKind,
)
from dispensary.models.preparation import OPEN_STAGES
from dispensary.reminders.work import open_work
from dispensary.rows import supplies_of
from tests.dispensary import make

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def shop() -> Pharmacy:
    make.products()
    return make.pharmacy(separate_steps=True)


@pytest.fixture
def pharmacist(shop: Pharmacy) -> Actor:
    return make.staff(shop, StaffRole.PHARMACIST).actor()


@pytest.fixture
def patient(shop: Pharmacy, pharmacist: Actor) -> Patient:
    """A patient with a row of each table: an outdated order with its override, a bag, a supply from elsewhere, a decision, a namesake."""
    make.patient(shop)
    person = make.patient(shop)
    shop.separate_steps = False
    make.change_past_actions(Pharmacy.objects.filter(pk=shop.pk), separate_steps=False)
    supply = {"dispensed_on": str(make.NOW.date() - 40 * DAY), "dose": 5, "times_per_day": 3, "days_supply": 28}
    patients.record_history(
        patient=person, supplies=[supply | {"relation": "same-course"}], by=pharmacist, now=make.NOW - DAY
    )
    person = Patient.objects.get(pk=person.pk)
    first = make.prescription(person, repeats=1)
    handed_over = make.hand_over(first, pharmacist)
    answer = handed_over.overrides.first()
    if answer is not None:
        SecondSignature.objects.create(
            override=answer, signed_by="user:2", signer_name="Second", signer_role="pharmacist", signature="password",
            signed_at=make.NOW,
        )  # fmt: skip
    second = make.prescription(person, now=make.NOW + DAY)
    make.change_past_actions(Pharmacy.objects.filter(pk=shop.pk), separate_steps=True)
    second = Prescription.objects.get(pk=second.pk)
    assert second.quantity is not None
    preparations.prepare(items=[Item(second, second.quantity, make.pack())], by=pharmacist, now=make.NOW + DAY)
    open_work(
        WorkKind.REPLY, pharmacy_id=shop.pk, patient_id=person.pk, reason="a reply", by=pharmacist, now=make.NOW + DAY
    )
    return person


def values_of(rows: Any, left_out: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return every column of some rows, in their order."""
    return [
        {
            field.attname: getattr(row, field.attname)
            for field in row._meta.concrete_fields
            if field.name not in left_out
        }
        for row in rows
    ]


def test_every_row_and_column_is_as_the_models_read_it(patient: Patient) -> None:
    record, stored = read_record(patient.pk), Patient.objects.select_related("pharmacy").get(pk=patient.pk)
    assert values_of([record.patient, record.patient.pharmacy]) == values_of([stored, stored.pharmacy])
    assert values_of(supplies_of(record.patient)) == values_of(stored.dispenses.all())
    for name in ("prescriptions", "prior_supplies", "decisions"):
        rows = getattr(record.patient, name).all()
        assert values_of(rows, ("document",)) == values_of(getattr(stored, name).all(), ("document",)), name
        assert rows or name == "decisions", name
    pairs = zip(record.patient.prescriptions.all(), stored.prescriptions.all(), strict=True)
    for order, stored_order in pairs:
        assert values_of([order.prescriber]) == values_of([stored_order.prescriber])
        for name in ("phases", "overrides", "dispenses"):
            assert values_of(getattr(order, name).all()) == values_of(getattr(stored_order, name).all()), name
        for answer, stored_answer in zip(order.overrides.all(), stored_order.overrides.all(), strict=True):
            assert getattr(answer, "second", None) == getattr(stored_answer, "second", None)
        assert order.document == stored_order.document
    for dispense in supplies_of(record.patient):
        assert values_of(dispense.overrides.all()) == values_of(stored.dispenses.get(pk=dispense.pk).overrides.all())


def test_bags_plan_namesakes_and_work_are_those_stored(patient: Patient) -> None:
    record = read_record(patient.pk)
    bags = Preparation.objects.filter(prescription__patient=patient, stage__in=OPEN_STAGES)
    assert values_of(record.bags) == values_of(bags)
    assert record.bags
    assert record.plan is not None
    assert values_of([record.plan]) == values_of([ReminderPlan.objects.filter(patient=patient).latest("version")])
    assert WorkKind.REPLY in record.work
    namesakes = Namesake.objects.filter(Q(patient=patient) | Q(other=patient))
    assert values_of(record.patient.namesake_rows) == values_of(namesakes)
    assert record.patient.namesakes_to_answer() == Patient.objects.get(pk=patient.pk).namesakes_to_answer() == 1
    assert [row.patient.pk for row in record.patient.namesakes] == [
        namesakes[0].other_id if namesakes[0].patient_id == patient.pk else namesakes[0].patient_id
    ]


def everything_of(record: Record) -> list[Model]:
    """Read whatever the rules, the messages and the lists ask of a record."""
    patient = record.patient
    therapy_of(patient, make.NOW.date())
    rows: list[Model] = [patient.pharmacy]
    for order in patient.prescriptions.all():
        rows += [order.patient, order.pharmacy, order.prescriber, *order.phases.all(), *order.dispenses.all()]
        for answer in order.overrides.all():
            rows += [answer.subject, getattr(answer, "second", None) or answer, answer.dispense or answer]
    for dispense in supplies_of(patient):
        rows += [dispense.patient, dispense.pharmacy, dispense.prescription, *dispense.overrides.all()]
    rows += [row.patient for row in patient.prior_supplies.all()]
    return rows + [bag.prescription for bag in record.bags]


def test_a_record_costs_one_statement(patient: Patient, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        everything_of(read_record(patient.pk))


def test_a_row_that_the_caller_has_gets_the_record(patient: Patient, django_assert_num_queries: Any) -> None:
    patient_row = Patient.objects.select_related("pharmacy").get(pk=patient.pk)
    record = read_record(patient_row.pk, patient_row)
    assert record.patient is patient_row
    with django_assert_num_queries(0):
        assert len(patient_row.prescriptions.all()) == 2


def test_a_record_that_is_not_there_says_so(shop: Pharmacy) -> None:
    with pytest.raises(Patient.DoesNotExist):
        read_record(shop.pk)


def test_decision_rows_are_read_with_their_types(patient: Patient, pharmacist: Actor) -> None:
    from dispensary.actions.decisions import Decided
    from dispensary.actions.therapy import record_decision

    order = patient.prescriptions.earliest("received_at")
    decided = Decided(DecisionKind.COUNTED, str(order.pk), tablets=(6,), words="Counted at home.")
    record_decision(patient=patient, decided=decided, by=pharmacist, now=make.NOW + 2 * DAY)
    assert values_of(read_record(patient.pk).patient.decisions.all()) == values_of(patient.decisions.all())


def test_products_of_packs_come_with_the_record(patient: Patient) -> None:
    assert read_record(patient.pk).products == {}
    record = read_record(patient.pk, gtins=[make.TEN_MG, "00000000000000"])
    assert list(record.products) == [make.TEN_MG]
    assert values_of(record.products.values()) == values_of([Product.objects.get(pk=make.TEN_MG)])
