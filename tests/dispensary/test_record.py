"""From rows to a therapy: what was handed over, recorded and decided, as the rule book counts it."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import prefetch_related_objects

from baclofen_rules.therapy import HAND_OVER
from dispensary.actions import dispenses, patients
from dispensary.actions.reviews import freeze
from dispensary.actors import Actor
from dispensary.assessment import Part, assess, therapy_of
from dispensary.errors import NotAllowed
from dispensary.loading import OF_A_PATIENT, read_record
from dispensary.models import (
    Decision,
    DecisionKind,
    Dispense,
    Patient,
    Pharmacy,
    Prescription,
    ReviewReason,
)
from dispensary.record import record_document
from dispensary.rows import select_rows
from tests.dispensary import make

pytestmark = pytest.mark.django_db
TODAY = make.NOW.date()
DAY = timedelta(days=1)


@pytest.fixture
def shop() -> Pharmacy:
    make.products()
    return make.pharmacy()


@pytest.fixture
def pharmacist(shop: Pharmacy) -> Actor:
    return make.staff(shop).actor()


@pytest.fixture
def patient(shop: Pharmacy) -> Patient:
    return make.patient(shop)


def decide(patient: Patient, kind: DecisionKind, course: str, **fields: object) -> Decision:
    made: dict[str, object] = {"on": TODAY + DAY, "decided_at": make.NOW + DAY}
    return Decision.objects.create(
        patient=patient, kind=kind, course=course, decided_by="test", decider_name="Test", **made | fields
    )


def test_nothing_is_taken_before_a_hand_over(patient: Patient) -> None:
    make.prescription(patient)
    assert therapy_of(patient, TODAY).day(TODAY).mg == 0


def test_a_hand_over_is_taken_from_its_day_until_its_tablets_end(patient: Patient, pharmacist: Actor) -> None:
    order = make.prescription(patient)
    make.hand_over(order, pharmacist)
    therapy = therapy_of(patient, TODAY)
    assert therapy.day(TODAY).mg == 15
    assert therapy.day(TODAY + 27 * DAY).mg == 15
    (thread,) = therapy.threads
    assert (thread.course, thread.first_uncovered) == (str(order.pk), TODAY + 28 * DAY)


def test_the_hand_overs_of_a_day_have_their_places_by_their_times(patient: Patient, pharmacist: Actor) -> None:
    first, second = make.prescription(patient, repeats=2), make.prescription(patient)
    hour = timedelta(hours=1)
    made = [
        make.hand_over(first, pharmacist, make.NOW),
        make.hand_over(second, pharmacist, make.NOW + hour),
        make.hand_over(first, pharmacist, make.NOW + 2 * hour),
        make.hand_over(first, pharmacist, make.NOW + DAY),
    ]
    supplies = {supply.id: supply.number_of_day for supply in therapy_of(patient, TODAY + DAY).facts.supplies}
    assert [supplies[str(dispense.pk)] for dispense in made] == [1, 2, 3, 1]


def test_a_cancelled_hand_over_is_as_if_it_never_was(patient: Patient, pharmacist: Actor) -> None:
    dispense = make.hand_over(make.prescription(patient), pharmacist)
    dispenses.cancel(dispense=dispense, reason="left on the counter", by=pharmacist, now=make.NOW)
    assert therapy_of(patient, TODAY).threads == ()


def test_a_returned_supply_ends_on_the_day_it_came_back(patient: Patient, pharmacist: Actor) -> None:
    dispense = make.hand_over(make.prescription(patient), pharmacist)
    dispenses.return_(dispense=dispense, reason="not tolerated", by=pharmacist, now=make.NOW + 3 * DAY)
    therapy = therapy_of(patient, TODAY + 3 * DAY)
    assert [therapy.day(TODAY + n * DAY).mg for n in (2, 3)] == [15, 0]
    assert therapy_of(patient, TODAY + 2 * DAY).day(TODAY + 3 * DAY).mg == 15


def test_a_supply_from_elsewhere_is_a_course_of_its_own(patient: Patient, pharmacist: Actor) -> None:
    supply = {"dispensed_on": str(TODAY - 10 * DAY), "dose": 10, "times_per_day": 3, "days_supply": 14}
    (row,) = patients.record_history(
        patient=patient, supplies=[supply | {"relation": "same-course"}], by=pharmacist, now=make.NOW
    )
    (thread,) = therapy_of(patient, TODAY).threads
    assert (thread.course, thread.first_uncovered, thread.mg) == (str(row.pk), TODAY + 4 * DAY, 30)


def test_the_dead_take_nothing(patient: Patient, pharmacist: Actor) -> None:
    make.hand_over(make.prescription(patient), pharmacist)
    patient = patients.record_death(patient=patient, died_on=TODAY, by=pharmacist, now=make.NOW)
    assert therapy_of(patient, TODAY + DAY).threads == ()


def two_strengths(patient: Patient, **changes: object) -> tuple[Prescription, Prescription]:
    """35 mg a day three times, as 25 and 10 mg tablets of one group."""
    phases = [{"doses": [25, 25], "unit": "mg"}], [{"doses": [10, 10], "unit": "mg"}]
    written = {"group": "urn:group|7", "quantity": 28, "directions": None} | changes
    return (
        make.prescription(patient, strength_mg=25, phases=phases[0], **written),
        make.prescription(patient, strength_mg=10, phases=phases[1], **written),
    )


def test_prescriptions_of_one_group_are_products_of_one_order(patient: Patient) -> None:
    first, _ = two_strengths(patient)
    (order,) = therapy_of(patient, TODAY).facts.orders
    assert order.id == str(first.pk)
    assert [(product.strength_mg, product.quantity) for product in order.plan.products] == [(25, 28), (10, 28)]


@pytest.mark.parametrize("has_words", [False, True])
@pytest.mark.parametrize(("tablets", "is_compared"), [(28, True), (14, False)])
def test_days_that_are_expected_say_nothing_of_a_part_of_two_strengths(
    patient: Patient, has_words: bool, tablets: int, is_compared: bool
) -> None:
    directions = "1 tablet twice a day" if has_words else None
    first, second = two_strengths(patient, directions=directions, expected_days=7)
    also = [Part(second, Decimal(28), None)]
    questions = assess(first, on=TODAY, quantity=Decimal(tablets), also=also).questions()
    assert ("directions" in {question.code for question in questions}) is (is_compared and has_words)


def test_prescriptions_of_two_groups_are_two_orders(patient: Patient) -> None:
    two_strengths(patient)
    make.prescription(patient, group="urn:group|8")
    assert len(therapy_of(patient, TODAY).facts.orders) == 2


def test_the_strength_of_an_order_that_names_none_is_that_of_the_pack(patient: Patient, pharmacist: Actor) -> None:
    order = make.prescription(patient)
    make.hand_over(order, pharmacist)
    make.change_past_actions(Prescription.objects.filter(pk=order.pk), strength_mg=None)
    (thread,) = therapy_of(patient, TODAY).threads
    assert thread.first_uncovered == TODAY + 28 * DAY


def test_a_decision_counts(patient: Patient, pharmacist: Actor) -> None:
    order = make.prescription(patient)
    make.hand_over(order, pharmacist)
    decide(patient, DecisionKind.COUNTED, str(order.pk), tablets=[Decimal(6)])
    assert therapy_of(patient, TODAY + DAY).threads[0].first_uncovered == TODAY + 5 * DAY


def test_a_decision_that_was_corrected_does_not_count(patient: Patient, pharmacist: Actor) -> None:
    order = make.prescription(patient)
    make.hand_over(order, pharmacist)
    wrong = decide(patient, DecisionKind.COUNTED, str(order.pk), tablets=[Decimal(6)])
    decide(patient, DecisionKind.COUNTED, str(order.pk), tablets=[Decimal(12)], corrects=wrong)
    assert therapy_of(patient, TODAY + DAY).threads[0].first_uncovered == TODAY + 9 * DAY


@pytest.mark.parametrize(
    ("hours", "is_checked", "about"),
    [(-1, False, 0), (0, False, 1), (1, False, 1), (-1, True, 1), (1, True, HAND_OVER)],
    ids=["before it", "with it", "after it", "with the check of its bag", "with the check of the next bag"],
)
def test_an_answer_is_about_the_hand_over_that_it_was_given_for(
    patient: Patient,
    pharmacist: Actor,
    django_assert_num_queries: Any,
    hours: int,
    is_checked: bool,
    about: int | str,
) -> None:
    order = make.prescription(patient)
    second = make.NOW + 3 * DAY
    supplies = [make.hand_over(order, pharmacist, now, Decimal(21)) for now in (make.NOW, second)]
    answered_at = second + timedelta(hours=hours)
    if is_checked:
        assessment = assess(order, on=TODAY)
        freeze(subject=order, assessment=assessment, reason=ReviewReason.CHECKED, by=pharmacist, now=answered_at)
    decide(patient, DecisionKind.BESIDE, "other", order=order, on=second.date(), decided_at=answered_at)
    with django_assert_num_queries(1):
        of_record = record_document(select_rows(read_record(patient.pk).patient, second.date()), second.date())
    since = supplies[about].pk if isinstance(about, int) else about
    for document in (of_record, record_document(select_rows(patient, second.date()), second.date())):
        assert [row.get("since") for row in document["decisions"]] == [str(since)]


def test_a_decision_is_neither_changed_nor_deleted(patient: Patient) -> None:
    decision = decide(patient, DecisionKind.STOPPED, "all")
    for change in (decision.save, decision.delete, Decision.objects.all().delete):
        with pytest.raises(NotAllowed):
            change()
    with pytest.raises(NotAllowed):
        Decision.objects.update(words="something else")


@pytest.mark.parametrize("statement", ["UPDATE dispensary_decision SET words = 'x'", "DELETE FROM dispensary_decision"])
def test_the_database_refuses_to_change_a_decision(patient: Patient, statement: str) -> None:
    decide(patient, DecisionKind.STOPPED, "all")
    with pytest.raises(DatabaseError, match="stays as it was made"), transaction.atomic():
        connection.cursor().execute(statement)


def test_many_patients_are_read_in_few_queries(
    shop: Pharmacy, pharmacist: Actor, django_assert_max_num_queries: Any
) -> None:
    people = [make.patient(shop) for _ in range(3)]
    for person in people:
        make.hand_over(make.prescription(person), pharmacist)
    people = list(Patient.objects.filter(pk__in=[person.pk for person in people]).select_related("pharmacy"))
    with django_assert_max_num_queries(7):
        prefetch_related_objects(people, *OF_A_PATIENT)
        ends = {therapy_of(person, TODAY).threads[0].first_uncovered for person in people}
    assert ends == {TODAY + 28 * DAY}


def test_the_days_of_the_calls_are_the_pharmacys_own(pharmacist: Actor, shop: Pharmacy) -> None:
    make.change_past_actions(Pharmacy.objects.filter(pk=shop.pk), refill_lead_days=3)
    person = Patient.objects.select_related("pharmacy").get(pk=make.patient(shop).pk)
    make.hand_over(make.prescription(person), pharmacist)
    assert therapy_of(person, TODAY).threads[0].refill_due_on == TODAY + 25 * DAY
    assert isinstance(Dispense.objects.get().run_out_on, date)
