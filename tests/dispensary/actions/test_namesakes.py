"""Two records of one name and birth date: a question, until a person says whether they are one person."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Q
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary import audit
from dispensary.actions import consent, patients
from dispensary.actions.carers import add_carer
from dispensary.actions.corrections import correct_identity
from dispensary.actions.decisions import Decided
from dispensary.actions.dispenses import return_
from dispensary.actions.intake import Intake, Retraction, take_back, take_in
from dispensary.actions.namesakes import answer_namesake
from dispensary.actions.prescriptions import cancel
from dispensary.actions.therapy import record_decision
from dispensary.actors import Actor
from dispensary.assessment import assess, therapy_of
from dispensary.errors import Conflict, InvalidInput, NotAllowed, NotFound
from dispensary.loading import OF_A_PATIENT, read_record
from dispensary.models import (
    CarerRelation,
    ConsentAnswer,
    ConsentSource,
    DecisionKind,
    Dispense,
    FormerIdentity,
    Language,
    Medium,
    Namesake,
    NamesakeAnswer,
    Patient,
    Pharmacy,
    PriorSupply,
    SenderStatus,
    Source,
    StaffRole,
    WorkKind,
    WorkState,
)
from dispensary.reminders.work import open_work
from dispensary.rows import decisions_of, supplies_of
from tests.dispensary import make
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db

ANN = {"family_name": "Núñez", "given_name": "Ann", "birth_date": "1968-02-17"}
BEFORE = NOW - timedelta(days=90)
SUPPLY = {
    "dispensed_on": str(NOW.date() - timedelta(days=5)),
    "dose": 10,
    "times_per_day": 3,
    "strength_mg": 10,
    "days_supply": 28,
    "relation": "same-course",
}


@pytest.fixture
def ann(shop: Pharmacy) -> Patient:
    return make.patient(shop, identifier="A1", **ANN)


def second(shop: Pharmacy, **changes: Any) -> Patient:
    return make.patient(shop, identifier="Z1", **(ANN | changes))


@pytest.fixture
def known(shop: Pharmacy) -> Patient:
    """Ann, who has come here for months."""
    return make.patient(shop, identifier="A1", now=BEFORE, **ANN)


def answer(patient: Patient, other: Patient, choice: NamesakeAnswer, by: Actor, words: str = "") -> Patient:
    return answer_namesake(patient=patient, other=other.pk, answer=choice, words=words, by=by, now=NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"family_name": "Nun\u0303ez"},
        {"family_name": "nunez", "given_name": "ANN"},
        {"given_name": "Ann Mary"},
        {"given_name": ""},
        {"family_name": "Ann", "given_name": "Nunez"},
    ],
    ids=str,
)
def test_a_second_record_of_one_name_and_birth_date_is_a_question(
    shop: Pharmacy, ann: Patient, changes: dict[str, str]
) -> None:
    other = second(shop, **changes)
    question = Namesake.objects.get()
    assert (question.patient, question.other, question.answer) == (other, ann, NamesakeAnswer.OPEN)
    assert audit.history(other, pharmacy=shop)[0].body["namesakes"] == [str(ann.pk)]


OTHER_PERSON = {"family_name": "Grey", "given_name": "Olu", "birth_date": "1990-01-02"}


@pytest.mark.parametrize("number", ["i580", "I-580", "I 580", "\uff29580"])
@pytest.mark.parametrize("systems", [("urn:a", "urn:a"), ("", ""), ("urn:a", ""), ("", "urn:a")])
def test_a_number_written_otherwise_is_a_question(shop: Pharmacy, number: str, systems: tuple[str, str]) -> None:
    first = make.patient(shop, identifier="I580", identifier_system=systems[0], **ANN)
    other = make.patient(shop, identifier=number, identifier_system=systems[1], **OTHER_PERSON)
    question = Namesake.objects.get()
    assert (question.patient, question.other, question.answer) == (other, first, NamesakeAnswer.OPEN)


def test_a_corrected_number_that_is_like_another_is_a_question_once(
    shop: Pharmacy, technician: Actor, ann: Patient
) -> None:
    other = make.patient(shop, identifier="B7", **OTHER_PERSON)
    correct_identity(
        patient=other,
        changes={"identifier": "a1"},
        words="the card",
        version=other.version,
        by=technician,
        now=NOW,
    )
    assert Namesake.objects.count() == 1
    answer(other, ann, NamesakeAnswer.OTHER, technician)
    assert patients.update_facts(patient=other, changes={"birth_date": "1990-01-03"}, by=technician, now=NOW)
    assert [row.answer for row in Namesake.objects.all()] == [NamesakeAnswer.OTHER]


@pytest.mark.parametrize(
    ("number", "system"), [("I580", "urn:b"), ("i580", "urn:b"), ("I581", "urn:a"), ("--", "urn:a")], ids=str
)
def test_another_number_is_no_question(shop: Pharmacy, number: str, system: str) -> None:
    make.patient(shop, identifier="I580", identifier_system="urn:a", **ANN)
    make.patient(shop, identifier="...", identifier_system="urn:a", family_name="Marsh", birth_date="1950-05-05")
    make.patient(shop, identifier=number, identifier_system=system, **OTHER_PERSON)
    assert not Namesake.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"birth_date": "1968-02-18"},
        {"birth_date": None},
        {"given_name": "Amy"},
        {"family_name": "Nunes"},
    ],
    ids=str,
)
def test_who_differs_is_no_question(shop: Pharmacy, ann: Patient, changes: dict[str, Any]) -> None:
    second(shop, **changes)
    assert not Namesake.objects.exists()


def test_a_namesake_of_another_pharmacy_is_nobodys_business(ann: Patient) -> None:
    second(make.pharmacy("Elsewhere"))
    assert not Namesake.objects.exists()


def test_a_former_name_is_noticed_too(shop: Pharmacy, technician: Actor, ann: Patient) -> None:
    correct_identity(patient=ann, changes={"family_name": "Married"}, reason="changed", by=technician, now=NOW)
    second(shop)
    assert Namesake.objects.get().other == ann


def test_a_birth_date_that_becomes_known_or_right_asks_then(shop: Pharmacy, technician: Actor, ann: Patient) -> None:
    other = second(shop, birth_date=None)
    patients.update_facts(patient=other, changes={"birth_date": "1968-02-17"}, by=technician, now=NOW)
    assert Namesake.objects.get().patient == other
    correct_identity(patient=other, changes={"birth_date": "1968-02-16"}, by=technician, now=NOW)
    assert not Namesake.objects.exists()
    correct_identity(patient=ann, changes={"birth_date": "1968-02-16"}, by=technician, now=NOW)
    assert Namesake.objects.get().patient == ann


def test_another_person_stays_another(shop: Pharmacy, technician: Actor, ann: Patient) -> None:
    other = second(shop)
    assert answer(other, ann, NamesakeAnswer.OTHER, technician) == other
    question = Namesake.objects.get()
    assert (question.answer, question.answered_by) == (NamesakeAnswer.OTHER, technician.name)
    correct_identity(patient=other, changes={"given_name": "Ann Mary"}, by=technician, now=NOW)
    assert Namesake.objects.get() == question
    for patient, namesake in ((ann, other), (other, ann)):
        line = next(
            line for line in audit.history(patient, pharmacy=shop) if line.entry.action == "patient.namesake_answered"
        )
        assert (line.entry.reason_code, line.body["other"]) == ("other", str(namesake.pk))


def test_the_answer_may_come_with_the_order(shop: Pharmacy, technician: Actor, ann: Patient) -> None:
    who = ANN | {"identifier": "Z1", "other_than": [ann.pk]}
    intake = Intake(
        patient=who,
        prescriber={"identifier": "C1", "name": "Grace Mwangi"},
        order=make.CLEAN_ORDER,
        source=Source.CASE,
        document={},
    )
    order = take_in(intake, pharmacy=shop, by=technician, now=NOW).prescription
    assert order.patient_id != ann.pk
    assert Namesake.objects.get().answer == NamesakeAnswer.OTHER


def test_the_same_person_has_one_record_with_everything(shop: Pharmacy, technician: Actor, ann: Patient) -> None:
    patients.record_history(patient=ann, supplies=[SUPPLY], by=technician, now=NOW)
    other = second(shop, weight_kg=64)
    order = make.prescription(other)
    patients.record_history(patient=other, supplies=[SUPPLY, SUPPLY | {"dose": 5}], by=technician, now=NOW)
    assert "early-refill" not in {finding.code for finding in order.reviews.latest("reviewed_at").findings.all()}
    assert answer(other, ann, NamesakeAnswer.SAME, technician) == ann
    order.refresh_from_db()
    other.refresh_from_db()
    assert (order.patient, other.joined_to) == (ann, ann)
    assert PriorSupply.objects.filter(patient=ann).count() == 2
    review = order.reviews.order_by("reviewed_at", "pk").last()
    assert review is not None
    assert order.reviews.count() == 2
    assert len(json.loads(review.case_text)["supplies"]) == 2
    body = next(line.body for line in audit.history(ann, pharmacy=shop) if "joined" in line.body)
    assert (body["joined"], body["prescriptions"]) == (str(other.pk), [str(order.pk)])
    former = FormerIdentity.objects.get()
    assert (former.patient, former.identifier, former.reason) == (ann, "Z1", "joined")
    assert sorted(key.key for key in ann.search_keys.filter(key__startswith="#")) == ["#a1", "#z1"]
    assert not other.search_keys.exists()


def test_orders_for_the_joined_number_come_to_the_record_that_is_kept(
    shop: Pharmacy, technician: Actor, ann: Patient
) -> None:
    other = second(shop)
    answer(other, ann, NamesakeAnswer.SAME, technician)
    other.refresh_from_db()
    writer = {"identifier": "C1", "name": "Grace Mwangi"}
    for who in (ANN | {"identifier": "Z1"}, {"identifier": "Z1", "family_name": "Nunes"}, other):
        intake = Intake(patient=who, prescriber=writer, order=make.CLEAN_ORDER, source=Source.CASE, document={})
        if isinstance(who, dict) and who["family_name"] == "Nunes":
            with pytest.raises(Conflict):
                take_in(intake, pharmacy=shop, by=technician, now=NOW)
        else:
            assert take_in(intake, pharmacy=shop, by=technician, now=NOW).prescription.patient == ann
    with pytest.raises(Conflict, match="joined"):
        patients.update_facts(patient=other, changes={"egfr": 50}, by=technician, now=NOW)
    with pytest.raises(Conflict, match="already registered"):
        second(shop)


def test_an_order_of_a_joined_record_is_taken_back_under_either_id(
    shop: Pharmacy, technician: Actor, ann: Patient
) -> None:
    other = second(shop)
    intake = Intake(
        patient=other,
        prescriber={"identifier": "C1", "name": "Grace Mwangi"},
        order=make.CLEAN_ORDER,
        source=Source.FHIR,
        document={},
        identifiers=[("urn:ehr", "RX-1")],
    )
    order = take_in(intake, pharmacy=shop, by=technician, now=NOW).prescription
    answer(other, ann, NamesakeAnswer.SAME, technician)
    retraction = Retraction([("urn:ehr", "RX-1")], SenderStatus.CANCELLED, patient=other.pk)
    assert take_back(retraction, pharmacy=shop, by=technician, now=NOW) == order
    with pytest.raises(Conflict):
        take_back(replace(retraction, patient=make.patient(shop).pk), pharmacy=shop, by=technician, now=NOW)


def test_what_was_asked_later_counts_and_what_is_known_stays(shop: Pharmacy, technician: Actor, ann: Patient) -> None:
    patients.update_facts(patient=ann, changes={"drives": True, "egfr": None}, by=technician, now=NOW)
    other = patients.register(
        pharmacy=shop,
        identifier="Z1",
        family_name="Nunez",
        given_name="Ann",
        facts={"birth_date": "1968-02-17", "egfr": 28, "weight_kg": 50},
        by=technician,
        now=NOW + timedelta(days=1),
    )
    answer(other, ann, NamesakeAnswer.SAME, technician)
    ann.refresh_from_db()
    assert (ann.egfr, ann.weight_kg, ann.drives, ann.sex) == (28, 50, True, "female")
    assert ann.facts_at == NOW + timedelta(days=1)
    assert ann.recorded_on["egfr"] == "2026-11-22"  # the day on which the records were joined


def test_the_record_with_supplies_or_addresses_is_kept(shop: Pharmacy, technician: Actor, ann: Patient) -> None:
    make.products()
    other = second(shop)
    make.hand_over(make.prescription(other), by=make.staff(shop).actor())
    assert answer(other, ann, NamesakeAnswer.SAME, technician) == other
    ann.refresh_from_db()
    assert ann.joined_to == other


def supplied(shop: Pharmacy, patient: Patient, days: int, at: datetime) -> Dispense:
    """Hand over 10 mg three times a day for some days."""
    order = make.prescription(
        patient,
        now=at,
        written_on=at.date().isoformat(),
        phases=[{"dose": 10, "unit": "mg", "times_per_day": 3, "days": days}],
        directions=f"10 mg three times a day for {days} days",
        quantity=3 * days,
    )
    return make.hand_over(order, by=make.staff(shop).actor(), now=at)


def test_two_records_with_supplies_are_one_history(shop: Pharmacy, technician: Actor, known: Patient) -> None:
    make.products()
    first = supplied(shop, known, 14, NOW - timedelta(days=20))
    other = second(shop, now=BEFORE)
    last = supplied(shop, other, 14, NOW - timedelta(days=6))
    assert answer(other, known, NamesakeAnswer.SAME, technician) == known
    assert [row.patient for row in Dispense.objects.order_by("handed_over_at")] == [known, other]
    record = read_record(known.pk).patient
    assert [row.pk for row in supplies_of(record)] == [last.pk, first.pk]
    assert [row.person for row in supplies_of(record)] == [known, known]
    listed = Patient.objects.prefetch_related(*OF_A_PATIENT).get(pk=known.pk)
    for patient in (record, listed, Patient.objects.get(pk=known.pk)):
        therapy = therapy_of(patient, NOW.date())
        assert [supply.id for supply in therapy.facts.supplies] == [str(first.pk), str(last.pk)]
        assert therapy.day(NOW.date()).mg == 30
    assert not therapy_of(Patient.objects.get(pk=other.pk), NOW.date()).threads


def test_what_was_decided_under_either_record_counts(shop: Pharmacy, technician: Actor, known: Patient) -> None:
    make.products()
    supplied(shop, known, 14, NOW - timedelta(days=20))
    other = second(shop, now=BEFORE)
    order = supplied(shop, other, 14, NOW - timedelta(days=6)).prescription
    decided = Decided(DecisionKind.COUNTED, str(order.pk), tablets=(Decimal(6),), words="Counted at home.")
    pharmacist = make.staff(shop).actor()
    decision = record_decision(patient=other, decided=decided, by=pharmacist, now=NOW)
    (before,) = therapy_of(other, NOW.date()).threads
    answer(other, known, NamesakeAnswer.SAME, technician)
    for patient in (read_record(known.pk).patient, Patient.objects.prefetch_related(*OF_A_PATIENT).get(pk=known.pk)):
        assert [row.pk for row in decisions_of(patient)] == [decision.pk]
        (thread,) = therapy_of(patient, NOW.date()).threads
        assert thread.first_uncovered == before.first_uncovered
    right = replace(decided, tablets=(Decimal(9),), corrects=decision.pk)
    record_decision(patient=known, decided=right, by=pharmacist, now=NOW + timedelta(minutes=1))
    with pytest.raises(Conflict, match="cannot be parted"):
        answer(known, other, NamesakeAnswer.OTHER, technician, "two passports")


def test_a_supply_under_a_joined_record_is_printed_and_taken_back(
    shop: Pharmacy, technician: Actor, known: Patient, client: Client
) -> None:
    make.products()
    supplied(shop, known, 14, NOW - timedelta(days=20))
    other = second(shop, now=BEFORE)
    last = supplied(shop, other, 14, NOW - timedelta(days=6))
    answer(other, known, NamesakeAnswer.SAME, technician)
    pharmacist = make.staff(shop, now=timezone.now())  # whose second factor is asked for by the clock of the machine
    client.force_login(pharmacist.user)
    for page in ("dispensed", "trail", "take-back", "label", "calendar"):
        assert client.get(reverse(f"counter:{page}", args=[last.pk])).status_code == 200, page
    returned = return_(
        dispense=Dispense.objects.get(pk=last.pk), reason="found unopened", by=pharmacist.actor(), now=NOW
    )
    assert returned.status == "returned"
    assert therapy_of(Patient.objects.get(pk=known.pk), NOW.date()).day(NOW.date()).mg == 0


def test_addresses_answers_and_work_come_with_a_joined_record(
    shop: Pharmacy, technician: Actor, known: Patient
) -> None:
    other = second(shop, now=BEFORE)
    for patient, address in ((known, "a@example.org"), (other, "a@example.org"), (other, "b@example.org")):
        consent.add_contact(patient=patient, medium=Medium.EMAIL, address=address, by=technician, now=NOW)
    for patient, reply, at in ((known, "yes", NOW), (other, "no", NOW + timedelta(minutes=1))):
        consent.record_answer(
            patient=patient, medium=Medium.EMAIL, answer=ConsentAnswer(reply), source=ConsentSource.COUNTER, by=technician,
            now=at,
        )  # fmt: skip
    for patient, kind in ((known, WorkKind.REPLY), (other, WorkKind.REPLY), (other, WorkKind.RED_FLAG)):
        open_work(kind, pharmacy_id=shop.pk, patient_id=patient.pk, reason="asked", by=technician, now=NOW)
    answer(other, known, NamesakeAnswer.SAME, technician)
    in_use = known.contact_points.filter(retired_at__isnull=True)
    assert sorted(point.address for point in in_use) == ["a@example.org", "b@example.org"]
    assert known.consents.get().answer == ConsentAnswer.NO
    is_open = ~Q(state=WorkState.RESOLVED)
    assert sorted(known.work.filter(is_open).values_list("kind", flat=True)) == [WorkKind.RED_FLAG, WorkKind.REPLY]
    assert not other.work.filter(is_open).exists()
    answer(known, other, NamesakeAnswer.OTHER, technician, "two passports")
    assert [point.address for point in known.contact_points.all()] == ["a@example.org"]
    assert [row.kind for row in other.work.filter(is_open)] == [WorkKind.RED_FLAG]


def test_a_carer_comes_with_a_joined_record(shop: Pharmacy, technician: Actor, known: Patient) -> None:
    other = second(shop, now=BEFORE)
    carer = add_carer(
        patient=other, name="Eva Nunez", relation=CarerRelation.CARER, language=Language.ENGLISH, medium=Medium.EMAIL,
        address="eva@example.org", by=technician, now=NOW,
    )  # fmt: skip
    consent.add_contact(patient=known, medium=Medium.EMAIL, address="a@example.org", by=technician, now=NOW)
    answer(other, known, NamesakeAnswer.SAME, technician)
    carer.refresh_from_db()
    assert (carer.patient, [point.patient for point in carer.contact_points.all()]) == (known, [known])
    answer(known, other, NamesakeAnswer.OTHER, technician, "two passports")
    carer.refresh_from_db()
    assert (carer.patient, [point.patient for point in carer.contact_points.all()]) == (other, [other])


def test_records_with_supplies_are_parted_again(shop: Pharmacy, technician: Actor, known: Patient) -> None:
    make.products()
    first = supplied(shop, known, 14, NOW - timedelta(days=20))
    other = second(shop, now=BEFORE)
    last = supplied(shop, other, 14, NOW - timedelta(days=6))
    answer(other, known, NamesakeAnswer.SAME, technician)
    assert answer(known, other, NamesakeAnswer.OTHER, technician, "two passports") == other
    for patient, supply in ((known, first), (other, last)):
        therapy = therapy_of(read_record(patient.pk).patient, NOW.date())
        assert [row.id for row in therapy.facts.supplies] == [str(supply.pk)]


def test_records_are_not_parted_after_an_order_that_came_has_ended(
    shop: Pharmacy, technician: Actor, known: Patient
) -> None:
    other = second(shop, now=BEFORE)
    order = make.prescription(other)
    answer(other, known, NamesakeAnswer.SAME, technician)
    order.refresh_from_db()
    cancel(
        prescription=order, reason="the prescriber asked", version=order.version, by=make.staff(shop).actor(), now=NOW
    )
    with pytest.raises(Conflict, match="cannot be parted"):
        answer(known, other, NamesakeAnswer.OTHER, technician, "two passports")


def test_only_a_question_is_answered_and_only_by_who_may(shop: Pharmacy, technician: Actor, ann: Patient) -> None:
    other = second(shop)
    third = make.patient(shop)
    with pytest.raises(NotFound):
        answer(other, third, NamesakeAnswer.OTHER, technician)
    with pytest.raises(InvalidInput):
        answer(other, ann, NamesakeAnswer.OPEN, technician)
    for by in (make.staff(shop, StaffRole.AUDITOR).actor(), make.staff(make.pharmacy("Elsewhere")).actor()):
        with pytest.raises(NotAllowed):
            answer(other, ann, NamesakeAnswer.OTHER, by)
    answer(other, ann, NamesakeAnswer.SAME, technician)
    with pytest.raises(Conflict):
        answer(ann, other, NamesakeAnswer.SAME, technician)


def columns(patient: Patient) -> dict[str, Any]:
    row = Patient.objects.filter(pk=patient.pk).values().get()
    return {name: value for name, value in row.items() if name not in {"version", "changed_at"}}


def keys(patient: Patient) -> set[str]:
    return set(patient.search_keys.values_list("key", flat=True))


def test_records_of_two_names_are_joined_with_what_it_is_known_from(
    shop: Pharmacy, technician: Actor, ann: Patient
) -> None:
    other = second(shop, family_name="Married", birth_date="1968-02-18")
    with pytest.raises(InvalidInput, match="known from"):
        answer(ann, other, NamesakeAnswer.SAME, technician)
    joined = answer(ann, other, NamesakeAnswer.SAME, technician, "marriage certificate")
    body = next(line.body for line in audit.history(joined, pharmacy=shop) if "joined" in line.body)
    assert body["words"] == "marriage certificate"
    assert {"#a1", "#z1"} <= keys(joined)


def test_parted_records_are_as_before_and_what_came_since_stays(
    shop: Pharmacy, technician: Actor, ann: Patient
) -> None:
    patients.update_facts(patient=ann, changes={"drives": True, "egfr": None}, by=technician, now=NOW)
    other = second(shop, weight_kg=64, allergies=["wheat"], given_name="Ann Mary")
    correct_identity(patient=other, changes={"family_name": "Nunes"}, reason="changed", by=technician, now=NOW)
    order = make.prescription(other)
    patients.record_history(patient=other, supplies=[SUPPLY], by=technician, now=NOW)
    before = columns(ann), columns(other), keys(ann), keys(other)
    assert answer(other, ann, NamesakeAnswer.SAME, technician) == ann
    since = make.prescription(ann, now=NOW + timedelta(minutes=1))
    patients.update_facts(patient=Patient.objects.get(pk=ann.pk), changes={"egfr": 55}, by=technician, now=NOW)
    with pytest.raises(InvalidInput, match="known from"):
        answer(ann, other, NamesakeAnswer.OTHER, technician)
    assert answer(ann, other, NamesakeAnswer.OTHER, technician, "two passports") == other
    order.refresh_from_db()
    since.refresh_from_db()
    assert (order.patient, since.patient) == (other, ann)
    assert [supply.patient for supply in PriorSupply.objects.all()] == [other]
    after = columns(ann), columns(other), keys(ann), keys(other)
    assert after[1:] == before[1:]
    learned = {"egfr", "egfr_on", "recorded_on", "facts_at"}
    assert {n: v for n, v in after[0].items() if n not in learned} == {
        n: v for n, v in before[0].items() if n not in learned
    }
    assert after[0]["egfr"] == 55
    assert [former.patient for former in FormerIdentity.objects.all()] == [other]
    question = Namesake.objects.get()
    assert (question.answer, question.moved) == (NamesakeAnswer.OTHER, {})
    for record, parted in ((ann, other), (other, ann)):
        body = next(line.body for line in audit.history(record, pharmacy=shop) if "parted" in line.body)
        assert (body["parted"], body["words"]) == (str(parted.pk), "two passports")
    assert answer(other, ann, NamesakeAnswer.SAME, technician) == ann


def test_records_are_not_parted_after_a_hand_over_on_what_came(shop: Pharmacy, technician: Actor, ann: Patient) -> None:
    make.products()
    other = second(shop)
    order = make.prescription(other)
    answer(other, ann, NamesakeAnswer.SAME, technician)
    order.refresh_from_db()
    make.hand_over(order, by=make.staff(shop).actor())
    with pytest.raises(Conflict, match="cannot be parted") as caught:
        answer(ann, other, NamesakeAnswer.OTHER, technician, "two passports")
    assert caught.value.problems[0].next
    assert Patient.objects.get(pk=other.pk).joined_to == ann


def test_a_record_of_another_pharmacy_or_none_is_not_joined(shop: Pharmacy, technician: Actor, ann: Patient) -> None:
    for other in (make.patient(make.pharmacy("Elsewhere")), ann):
        with pytest.raises(NotFound):
            answer(ann, other, NamesakeAnswer.SAME, technician, "seen")


def test_an_order_is_told_of_a_namesake_until_it_is_said_who_they_are(
    shop: Pharmacy, technician: Actor, ann: Patient
) -> None:
    other = second(shop)
    orders = make.prescription(ann), make.prescription(other)
    for order in orders:
        assert "potential-duplicate" in [q.code for q in assess(order, on=NOW.date()).questions()]
    answer(other, ann, NamesakeAnswer.OTHER, technician)
    for order in orders:
        assert "potential-duplicate" not in [q.code for q in assess(order, on=NOW.date()).questions()]
