"""Rows for the reminders' tests: a pharmacy, a patient who may be messaged, a course and its dispense."""

import itertools
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.db import transaction

from dispensary.actions.summaries import follow_therapy
from dispensary.actors import Actor, Role
from dispensary.models import (
    Consent,
    ConsentEvent,
    ContactPoint,
    Decision,
    Dispense,
    Patient,
    Pharmacy,
    Phase,
    Prescriber,
    Prescription,
    PriorSupply,
    ReminderPlan,
    Review,
    Withdrawal,
)
from dispensary.models.sealed import address_digest

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
_count = itertools.count(1)


def pharmacy(**more):
    values = {
        "name": "City Pharmacy",
        "phone": "020 7946 0999",
        "address": "12 Mill Lane",
        "time_zone": "Europe/London",
        "opened_at": NOON,
    }
    return Pharmacy.objects.create(**{**values, **more})


def patient(of=None, **more):
    values = {"identifier": f"P{next(_count)}", "family_name": "Canary", "given_name": "Ann"}
    return Patient.objects.create(pharmacy=of or pharmacy(), **{**values, **more})


def pharmacist(of):
    return Actor("user:1", "Pat Pharmacist", Role.PHARMACIST, of.pk, user_id=1)


def reachable(person, medium="email", address=None, answer="yes", **more):
    """A contact point with an answer about its medium."""
    address = address or f"patient{next(_count)}@example.org"
    point = ContactPoint.objects.create(
        patient=person,
        medium=medium,
        address=address,
        address_digest=address_digest(medium, address),
        added_at=NOON,
        added_by="user:1",
        **more,
    )
    if answer != "not-asked" and not Consent.objects.filter(patient=person, medium=medium).exists():
        event = ConsentEvent.objects.create(
            patient=person, medium=medium, answer=answer, source="counter", said_at=NOON, recorded_by="user:1"
        )
        Consent.objects.create(patient=person, medium=medium, answer=answer, since=NOON, event=event)
    return point


def prescription(person, phases=((("10", "10", "10"), None),), then_stop=None, by="D1", **more):
    prescriber, _ = Prescriber.objects.get_or_create(
        pharmacy=person.pharmacy, identifier=by, defaults={"name": "Dr Prescriber", "phone": "020"}
    )
    order = Prescription.objects.create(
        pharmacy=person.pharmacy,
        patient=person,
        prescriber=prescriber,
        route="oral",
        form="tablet",
        strength_mg=Decimal(10),
        then_stop=then_stop,
        source="case",
        document={},
        **{"received_at": NOON, **more},
    )
    for number, (doses, days) in enumerate(phases, 1):
        Phase.objects.create(
            prescription=order, number=number, doses=[Decimal(dose) for dose in doses], days=days, unit="mg"
        )
    return order


def follow(person, now=NOON, reason=Withdrawal.NEW_DISPENSE):
    """Count the therapy and plan its messages, as an action does. Returns the plan in force."""
    with transaction.atomic():
        follow_therapy(patient_id=person.pk, reason=reason, by=pharmacist(person.pharmacy), now=now)
    return ReminderPlan.objects.filter(patient=person, ended_at=None).first()


def decide(order, kind, other, now=NOON):
    """Decide how an order stands to the course of another."""
    Decision.objects.create(
        patient=order.patient, kind=kind, order=order, course=str(other.pk), on=now.date(), decided_by="user:1",
        decider_name="Pat Pharmacist", decided_at=now,
    )  # fmt: skip


def record_elsewhere(person, *, days, at=NOON, doses=("10", "10", "10")):
    return PriorSupply.objects.create(
        patient=person, dispensed_on=at.date(), doses=[Decimal(dose) for dose in doses], strength_mg=Decimal(10),
        days_supply=days, recorded_at=at,
    )  # fmt: skip


def stop(order, now=NOON, course=None):
    """Decide that what the order feeds is stopped, as a person does."""
    Decision.objects.create(
        patient=order.patient, kind="stopped", course=course or str(order.pk), on=now.date(), decided_by="user:1",
        decider_name="Pat Pharmacist", decided_at=now,
    )  # fmt: skip


def tablets(order, days, skipped=0):
    """The tablets that an order's doses of some days take, from the day after `skipped` days of its plan."""
    doses = []
    for phase in order.phases.order_by("number"):
        doses += [sum(phase.doses)] * (phase.days or skipped + days)
    return sum(doses[skipped : skipped + days], Decimal(0)) / order.strength_mg


def dispense(order, *, days=28, at=NOON, number=1, starts_on: date | None = None, run_out_on=None, skipped=0):
    """A hand-over of the tablets for `days` days."""
    review = Review.objects.create(
        pharmacy=order.pharmacy,
        prescription=order,
        reason="dispense",
        case_text="{}",
        result_text="{}",
        outcome="pass",
        profile_name="lioresal",
        profile_digest="sha256:" + "0" * 64,
        rules_version="1",
        reviewed_at=at,
        reviewed_by="user:1",
    )
    starts_on = starts_on or at.date()
    return Dispense.objects.create(
        pharmacy=order.pharmacy,
        patient=order.patient,
        prescription=order,
        review=review,
        number=number,
        quantity=tablets(order, days, skipped),
        strength_mg=Decimal(10),
        starts_on=starts_on,
        days_supply=days,
        run_out_on=run_out_on or starts_on + timedelta(days=days),
        prepared_at=at,
        handed_over_at=at,
        dispensed_by="user:1",
        dispenser_name="Pat Pharmacist",
        key=str(uuid.uuid4()),
        audit_entry=uuid.uuid4(),
    )


TAPER = ((("10", "10", "10"), 7), (("10", "5", "10"), 7), (("5", "5", "5"), 7), (("5", "5"), 7))
