"""A proposed taper or titration: planned for a patient, printed as a request to the prescriber, taken as the new order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from django.db import transaction

from baclofen_rules.planning import CannotPlan, Pace, Plan, TaperWishes, Wishes, plan_taper, plan_titration
from baclofen_rules.text import format_amount
from dispensary import audit, policies
from dispensary.actions.documents import not_printable
from dispensary.actions.handover_problems import BACLOFEN
from dispensary.actions.locks import lock
from dispensary.actions.prescriptions import Received, receive
from dispensary.actors import Actor
from dispensary.assessment import Assessment, assess, profile_of
from dispensary.audit import Event
from dispensary.documents import DoesNotFit, PharmacyLines, PlanRequest, RequestPhase, plan_request_pdf
from dispensary.documents.words import describe_doses, long_day, mg, times_in_words
from dispensary.errors import InvalidInput, Problem, Stale
from dispensary.handover import order_number
from dispensary.models import Pharmacy, Prescription, PrescriptionStatus, Source
from dispensary.models.prescription import OPEN_STATUSES
from dispensary.text import clean_line

OPEN_DAYS = 28
"""Days of the last dose that are supplied where it goes on. [D]"""


class Goal(StrEnum):
    """The aim of a plan."""

    NOTHING = "nothing"
    LOWER = "lower"
    ORDERED = "ordered"


@dataclass(frozen=True, slots=True)
class PlanWishes:
    """Wishes for a plan; None is no wish."""

    goal: Goal
    strengths_mg: Sequence[Decimal]
    """In stock."""
    last_mg_per_day: Decimal | None = None
    """Where a taper to a lower dose ends."""
    days: int | None = None
    step_mg: Decimal | None = None
    """The largest change of the daily dose."""
    interval_days: int = 1
    whole_tablets: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan with the tablets to be ordered for it."""

    plan: Plan
    doses_now: tuple[Decimal, ...]
    """One day's doses in mg, today; empty where nothing is taken."""
    strength_mg: Decimal
    quantity: Decimal
    """Tablets; those of `OPEN_DAYS` of the last dose among them, where that goes on."""


def propose(prescription: Prescription, wishes: PlanWishes, *, on: date) -> Proposal:
    """Return a course from what the patient takes to where the wishes lead, of tablets of one strength.

    Raises `InvalidInput` where no course keeps the rules, with the wish that is in the way.
    """
    assessment = assess(prescription, on=on)
    plan, now = _plan(assessment, wishes, prescription.pharmacy, on)
    (strength_mg,) = plan.strengths
    quantity = plan.tablets[strength_mg]
    last_phase = plan.regimen.phases[-1]
    if last_phase.days is None:
        quantity += (last_phase.mg_per_day * OPEN_DAYS / strength_mg).to_integral_value(ROUND_CEILING)
    return Proposal(plan, tuple(now), strength_mg, quantity)


def print_request(*, prescription: Prescription, wishes: PlanWishes, by: Actor, now: datetime) -> bytes:
    """Return the request to the prescriber as PDF, one page, and record its print. Raises `NotPrintable`."""
    policies.require(policies.may_receive(by), by, "print a request", "a technician or pharmacist")
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    today = prescription.pharmacy.local_day(now)
    proposal = propose(prescription, wishes, on=today)
    request = _build_request(prescription, proposal, today)
    try:
        content = plan_request_pdf(request, at=now)
    except DoesNotFit as error:
        raise not_printable(error) from None
    with transaction.atomic():
        audit.record(
            Event.PLAN_REQUESTED,
            pharmacy=prescription.pharmacy,
            by=by,
            now=now,
            subject=prescription,
            patient=prescription.patient,
            body={"plan": proposal.plan.to_json(), "reason": request.reason},
        )
    return content


def describe_phases(proposal: Proposal) -> list[RequestPhase]:
    """Return the phases of a plan in words."""
    return [
        RequestPhase(
            str(number),
            _describe_day(phase.doses),
            "goes on" if phase.days is None else str(phase.days),
            format_amount(phase.mg_per_day),
        )
        for number, phase in enumerate(proposal.plan.regimen.phases, 1)
    ]


def describe_now(proposal: Proposal) -> str:
    """Return what is taken today in words."""
    if not proposal.doses_now:
        return "no baclofen"
    return f"{mg(sum(proposal.doses_now, Decimal(0)))} a day ({_describe_day(proposal.doses_now)})"


def _describe_day(doses: Sequence[Decimal]) -> str:
    """Return the doses of a day: `20 mg three times`, or `10 mg, then 15 mg`."""
    is_even = len(set(doses)) == 1
    return describe_doses(doses, mg) + (f" {times_in_words(len(doses))}" if is_even else "")


def _build_request(prescription: Prescription, proposal: Proposal, on: date) -> PlanRequest:
    patient, pharmacy = prescription.patient, prescription.pharmacy
    replaces = f"In place of prescription No. {order_number(prescription)}."
    return PlanRequest(
        prescriber=prescription.prescriber.name,
        patient=patient.name_on_papers,
        born=f"born {long_day(patient.birth_date)}" if patient.birth_date else "",
        number=patient.identifier,
        replaces=replaces if prescription.status in OPEN_STATUSES else "",
        now=describe_now(proposal),
        sentence=proposal.plan.sentence,
        phases=describe_phases(proposal),
        tablets=f"{format_amount(proposal.quantity)} of {mg(proposal.strength_mg)}",
        rules=f"It keeps the rules of the profile {profile_of(pharmacy, on).name}.",
        reason="",
        printed=long_day(on),
        pharmacy=PharmacyLines(pharmacy.name, pharmacy.address, pharmacy.phone),
    )


@transaction.atomic
def take_plan(
    *,
    prescription: Prescription,
    wishes: PlanWishes,
    sentence: str,
    agreed_with: str,
    agreed: str,
    by: Actor,
    now: datetime,
) -> Received:
    """Take a plan that the prescriber agreed to as the new order, in place of the one it was made for.

    `sentence` is what was shown and agreed: raises `Stale` where the plan is another one by now.
    """
    policies.require(policies.may_override(by), by, "take an agreed plan as an order", "a pharmacist")
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    asked = clean_line(agreed_with, "agreed_with", longest=120)
    words = clean_line(agreed, "agreed", longest=250)
    locked = lock(prescription)
    today = locked.pharmacy.local_day(now)
    proposal = propose(locked, wishes, on=today)
    plan = proposal.plan
    if plan.sentence != sentence:
        raise Stale("The plan is another one by now. Look at it again, and ask the prescriber about this one.")
    phases = plan.to_json()["phases"]
    order = {
        "medicine": {"name": BACLOFEN},
        "route": "oral",
        "form": "tablet",
        "written_on": today.isoformat(),
        "strength_mg": proposal.strength_mg,
        "directions": plan.sentence,
        "phases": phases,
        "then_stop": bool(plan.regimen.then_stop),
        "quantity": proposal.quantity,
        "repeats": 0,
    }
    return receive(
        pharmacy=locked.pharmacy,
        patient=locked.patient,
        prescriber=locked.prescriber,
        order=order,
        source=Source.COUNTER,
        document={
            "directions": plan.sentence,
            "strength_mg": format_amount(proposal.strength_mg),
            "quantity": format_amount(proposal.quantity),
            "agreed_with": asked,
            "agreed": words,
            "instead_of": str(locked.pk),
        },
        replaces=None if locked.status == PrescriptionStatus.REPLACED else locked,
        notes=[f"Planned here and agreed with {asked}: {words}"],
        by=by,
        now=now,
    )


def plan_rise(assessment: Assessment, strength_mg: Decimal, *, pharmacy: Pharmacy, on: date) -> Plan | None:
    """Return a titration from what is taken today to the last dose of the order that was assessed.

    None where none keeps the rules, and for a patient without a record here, of whom nobody knows what is taken.
    """
    if assessment.review.standing is None:
        return None
    try:
        return _plan(assessment, PlanWishes(Goal.ORDERED, [strength_mg]), pharmacy, on)[0]
    except InvalidInput:
        return None


def _plan(assessment: Assessment, wishes: PlanWishes, pharmacy: Pharmacy, on: date) -> tuple[Plan, tuple[Decimal, ...]]:
    """Return a plan, and the doses of today from which it starts. Raises `InvalidInput` as `propose` does."""
    day = assessment.therapy.day(on)
    doses = [dose.phase.doses_together for dose in day.doses if not dose.as_needed]
    if day.mg is None or len(doses) > 1:
        raise _no_plan("doses", "several courses, or a dose that nobody knows", "one course that runs")
    now = doses[0] if doses else ()
    profile = profile_of(pharmacy, on)
    try:
        if wishes.goal is Goal.ORDERED:
            ordered = assessment.plan.phases[-1].doses_together if assessment.plan.phases else ()
            if not ordered:
                raise _no_plan("goal", "an order whose doses could not be read", "an order with doses")
            plan = plan_titration(
                ordered, wishes.strengths_mg, profile, on, before=now or None, **_common_wishes(assessment, wishes, on)
            )
        elif not now:
            raise _no_plan("goal", "a patient who takes nothing today", "a patient who takes baclofen")
        else:
            since = assessment.therapy.held_since
            held_days = None if since is None else (on - since).days
            last = wishes.last_mg_per_day if wishes.goal is Goal.LOWER else None
            taper: TaperWishes = {
                **_common_wishes(assessment, wishes, on),
                "pace": Pace.GENTLE,
                "last_mg_per_day": last,
                "held_days": held_days,
                "treated_days": held_days,
            }
            plan = plan_taper(now, wishes.strengths_mg, profile, on, **taper)
    except CannotPlan as error:
        raise _no_plan(error.field, error.given, error.expected) from error
    return plan, now


def _common_wishes(assessment: Assessment, wishes: PlanWishes, on: date) -> Wishes:
    """Return what is known of the patient and what is wished, as the planner reads it."""
    patient = assessment.case.patient
    return {
        "age_years": patient.age_on(on),
        "weight_kg": patient.weight_kg,
        "egfr": patient.egfr,
        "dialysis": bool(patient.dialysis),
        "days": wishes.days,
        "step_mg": wishes.step_mg,
        "interval_days": wishes.interval_days,
        "whole_tablets": wishes.whole_tablets,
        "together": 1,
    }


def _no_plan(field: str, given: str, expected: str) -> InvalidInput:
    problem = Problem(field, given, expected, "Wish for something else, or ask the prescriber.")
    return InvalidInput(f"No course keeps the rules with these wishes: {field} {given}.", problem)
