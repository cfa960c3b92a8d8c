"""What a person may do with the order of a check page."""

from __future__ import annotations

from dispensary import policies
from dispensary.actions import order_states
from dispensary.actors import Actor
from dispensary.assessment import Assessment
from dispensary.counter.check_view import CheckView
from dispensary.counter.choices import GIVEN_BY_THE_BUTTON, may_acknowledge
from dispensary.counter.visit import Visit
from dispensary.models import OrderClaim, Prescription
from dispensary.models.prescription import OPEN_STATUSES


def rights_on_check(prescription: Prescription, asked: Assessment, visit: Visit) -> dict[str, bool]:
    """Return by the name of each deed whether the person may do it with the order as it is."""
    by = visit.by
    return {
        "dispense": policies.may_dispense(by) and prescription.status == "active",
        "scan": policies.may_dispense(by) and prescription.status in OPEN_STATUSES,
        "answer_namesake": policies.may_receive(by),
        "add_product": policies.may_add_product(by),
        "override": policies.may_override(by),
        "end": policies.may_end(by) and prescription.status in OPEN_STATUSES,
        "hold": policies.may_receive(by) and prescription.status == "active",
        "plan": policies.may_receive(by) and prescription.patient.died_on is None,
        "resume": policies.may_receive(by) and bool(prescription.awaiting),
        "correct": policies.may_receive(by) and order_states.correction_problem(prescription) is None,
        "replace": policies.may_receive(by) and order_states.may_be_replaced(prescription),
        "reinstate": policies.may_end(by) and order_states.may_be_reinstated(prescription, visit.now),
        "stop": policies.may_end(by) and feeds_a_course(asked),
    }


def feeds_a_course(asked: Assessment) -> bool:
    """Say whether something of the order in question is taken, or planned."""
    courses = [asked.therapy.course(thread.last_course) for thread in asked.therapy.threads]
    return asked.ask.order in {course.source for course in courses}


def ticks(view: CheckView, by: Actor) -> set[str]:
    """Return the fingerprints of the findings that are acknowledged by a tick, not by the main button."""
    questions = [finding.question for finding in view.unanswered("acknowledge")]
    return {q.fingerprint for q in questions if q.code not in GIVEN_BY_THE_BUTTON and may_acknowledge(q, by)}


def others_claim(prescription: Prescription, visit: Visit) -> OrderClaim | None:
    """Note who works on an order that can be handed over; return the claim of another person."""
    if prescription.status != "active" or not policies.may_dispense(visit.by):
        return None
    claim = order_states.claim(prescription=prescription, by=visit.by, now=visit.now)
    return None if claim.actor == visit.by.name else claim
