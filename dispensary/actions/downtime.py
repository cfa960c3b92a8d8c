"""The downtime form: printed while everything works, for the hours in which nothing does; who printed it stands in the log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q

from baclofen_rules.facts import PatientFacts
from baclofen_rules.regimen import Phase, Regimen
from baclofen_rules.rulebook import rulebook
from baclofen_rules.sentences import say_directions
from baclofen_rules.shared_limits import SharedLimits
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import Day, Dose, Therapy
from dispensary import audit, policies
from dispensary.actors import Actor
from dispensary.assessment import profile_of, therapy_of
from dispensary.audit import Event
from dispensary.documents import DowntimeForm, DowntimeOrder, DowntimePatient, Paper, PharmacyLines, downtime_form_pdf
from dispensary.documents.words import birthday, hour_in_words, long_day, mg
from dispensary.errors import InvalidInput, Problem
from dispensary.handover import order_number
from dispensary.loading import OF_A_PATIENT
from dispensary.models import DispenseStatus, OrderState, OrderSummary, Patient, Pharmacy, TherapySummary
from dispensary.rows import supplies_of

USUAL_DAYS = 7
"""Days ahead for which the form is printed, where nobody says otherwise [D]."""
MOST_DAYS = 31
"""[D]"""
_DAY = timedelta(days=1)
_WAITS = frozenset({OrderState.NEEDS_ANSWER, OrderState.BLOCKED, OrderState.WAITING})
"""States of an order that something stands in the way of."""


def print_form(
    *, pharmacy: Pharmacy, days: int = USUAL_DAYS, paper: Paper = Paper.A4, by: Actor, now: datetime
) -> bytes:
    """Return the form of everybody who is due within some days, as PDF; each record on it counts as read.

    Raises `InvalidInput` for too many days.
    """
    policies.require(policies.may_see_patients(by), by, "print the downtime form", "staff of the pharmacy")
    policies.require_same_pharmacy(by, pharmacy.pk)
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInput(
            f"The form is for 1 to {MOST_DAYS} days.", Problem("days", f"{days} days", f"1 to {MOST_DAYS} days")
        )
    today = pharmacy.local_day(now)
    until = today + days * _DAY
    patients = _read_due(pharmacy, today, until)
    form = DowntimeForm(
        patients=list(_describe_patients(pharmacy, patients, today)),
        period=f"Due from {long_day(today)} to {long_day(until)}.",
        printed=f"Printed {long_day(today)}, {now.astimezone(ZoneInfo(pharmacy.time_zone)):%H:%M}, by {by.display or by.name}",
        pharmacy=PharmacyLines(pharmacy.name, pharmacy.address, pharmacy.phone),
    )
    content = downtime_form_pdf(form, paper=paper, at=now)
    with transaction.atomic():
        audit.record(
            Event.DOWNTIME_PRINTED, pharmacy=pharmacy, by=by, now=now, subject=pharmacy,
            body={"days": days, "until": until, "patients": len(patients)},
        )  # fmt: skip
        audit.record_all(
            audit.prepare(
                Event.PATIENT_OPENED, pharmacy=pharmacy, by=by, now=now, subject=patient, patient=patient,
                body={"document": "downtime form"},
            )
            for patient in patients
        )  # fmt: skip
    return content


def _read_due(pharmacy: Pharmacy, today: date, until: date) -> list[Patient]:
    """Return the patients with an order that is due, or tablets that end, up to a day, and those at risk, with their records."""
    orders = OrderSummary.objects.filter(pharmacy=pharmacy, due_on__lte=until).values_list("patient")
    ending = Q(more_needed=True, first_uncovered_on__range=(today, until))
    at_risk = Q(listed_from__lte=until, listed_until__gte=today)
    threads = TherapySummary.objects.filter(ending | at_risk, pharmacy=pharmacy).values_list("patient")
    patients = Patient.objects.filter(Q(pk__in=orders) | Q(pk__in=threads), died_on__isnull=True)
    in_order = patients.order_by("family_name", "given_name", "pk")
    return list(
        in_order.select_related("pharmacy").prefetch_related(*OF_A_PATIENT, "prescriptions__dispenses__product")
    )


def _describe_patients(pharmacy: Pharmacy, patients: Sequence[Patient], today: date) -> Iterator[DowntimePatient]:
    profile = profile_of(pharmacy, today)
    limits = rulebook(profile, profile.on or today).terms
    summaries = defaultdict[UUID, dict[UUID, OrderSummary]](dict)
    for summary in OrderSummary.objects.filter(patient__in=patients):
        summaries[summary.patient_id][summary.prescription_id] = summary
    for patient in patients:
        yield DowntimePatient(
            name=f"{patient.family_name}, {patient.given_name}".rstrip(", "),
            born=f"born {birthday(patient.birth_date)}" if patient.birth_date else "date of birth not known",
            number=patient.identifier,
            facts=[(name, words) for name, words in _describe_facts(patient, limits, profile.name, today) if words],
            orders=list(_describe_orders(patient, summaries[patient.pk])),
        )


def _describe_facts(patient: Patient, limits: SharedLimits, profile: str, today: date) -> Iterator[tuple[str, str]]:
    try:
        therapy = therapy_of(patient, today)
    except InvalidInput as error:
        yield "Not known", f"What the record says cannot be read: {error.detail}"
        return
    yield "Takes today", _say_day(therapy.day(today))
    yield "Next change", _describe_change(therapy)
    yield "Last supply", _say_last_supply(patient)
    yield "Tablets", _say_cover(therapy)
    age = PatientFacts(patient.birth_date).age_on(today)
    most = limits.max_mg_per_day.at(age)
    if most is not None and age is not None:
        yield "Limit", f"At most {mg(most)} a day at {format_amount(age)} years ({profile})"
    else:
        why = "the age is not known" if age is None else f"none at {format_amount(age)} years"
        yield "Limit", f"Daily maximum: {why}. {profile} has, in mg a day: {limits.max_mg_per_day}"


def _say_day(day: Day) -> str:
    """Return what is taken on a day. An amount that the record cannot tell is never a single number."""
    doses = "; ".join(_say_dose(dose) for dose in day.doses)
    if day.mg is None:
        most = "and nobody knows how much at most" if day.high is None else f"at most {mg(day.high)}"
        return f"The record cannot tell: at least {mg(day.low)}, {most}. {doses}".strip()
    if day.uncovered:
        return f"No tablets left by our count{f', but {doses}' if doses else ''}. Ask what is taken."
    return f"{mg(day.mg)} in all: {doses}" if doses else "Nothing that is known here"


def _say_dose(dose: Dose) -> str:
    amounts = dose.phase.doses_together
    strengths = " and ".join(mg(strength) for strength in dose.strengths if strength is not None)
    tablets = f" ({strengths} tablets)" if strengths else " (strength of the tablets not known)"
    times = dose.phase.times[0] if len(dose.phase.times) == 1 else None
    if not amounts:
        return "a dose that is not known"
    if dose.as_needed:
        most = f", at most {mg(sum(amounts, Decimal(0)))} a day"
        return f"when needed up to {len(amounts)} doses of at most {mg(max(amounts))}{most}{tablets}"
    if times and all(times) and len(times) == len(amounts):
        doses = [f"{mg(amount)} {hour_in_words(time or '')}" for amount, time in zip(amounts, times, strict=True)]
        return f"{', '.join(doses)}{tablets}"
    directions = say_directions(Regimen((Phase(amounts, None),)))
    return f"{directions.removeprefix('Take ').removesuffix('.')}{tablets}"


def _describe_change(therapy: Therapy) -> str:
    changes = therapy.announced_changes(after=therapy.today)
    if not changes:
        return "None planned while the tablets last"
    day = therapy.day(changes[0])
    return f"{long_day(changes[0])}: {mg(day.mg) if day.mg is not None else 'a dose that is not known'} a day"


def _say_last_supply(patient: Patient) -> str:
    local_day = patient.pharmacy.local_day
    supplies = [
        (
            local_day(row.handed_over_at),
            f"{format_amount(row.quantity)} tablets of {mg(row.strength_mg)}"
            f"{f', {row.product.name}' if row.product else ''}{f', lot {row.lot}' if row.lot else ''}",
        )
        for row in supplies_of(patient)
        if row.status == DispenseStatus.COMPLETED
    ]
    supplies += [
        (row.dispensed_on, f"from elsewhere, {mg(sum(row.doses, Decimal(0)))} a day for {row.days_supply} days")
        for row in patient.prior_supplies.all()
    ]
    if not supplies:
        return "None"
    last_on = max(on for on, _ in supplies)
    return f"{long_day(last_on)}: {'; '.join(words for on, words in supplies if on == last_on)}"


def _say_cover(therapy: Therapy) -> str:
    """Return until when the tablets of each course last."""
    lines = []
    for thread in therapy.threads:
        name = "As needed: " if thread.as_needed else ""
        if thread.first_uncovered is not None:
            ended = thread.first_uncovered <= therapy.today
            lines.append(f"{name}{'ended before' if ended else 'last until before'} {long_day(thread.first_uncovered)}")
        elif thread.ends_on is not None:
            lines.append(f"{name}the plan ends; first day without {long_day(thread.ends_on)}")
    return "; ".join(lines)


def _describe_orders(patient: Patient, summaries: dict[UUID, OrderSummary]) -> Iterator[DowntimeOrder]:
    for order in sorted(patient.prescriptions.all(), key=lambda row: (row.received_at, row.pk)):
        summary = summaries.get(order.pk)
        if summary is None:
            continue
        left = order.remaining()
        strength = f"{mg(order.strength_mg)} tablets. " if order.strength_mg else ""
        state = OrderState(summary.state)
        yield DowntimeOrder(
            number=order_number(order),
            what=f"{strength}{order.directions or 'No directions were sent.'}",
            left="not said" if left is None else format_amount(left),
            earliest="not known" if summary.earliest_on is None else long_day(summary.earliest_on),
            prescriber=", ".join(filter(None, [order.prescriber.name, order.prescriber.phone])),
            waits=": ".join(filter(None, [str(state.label) if state in _WAITS else "", summary.finding])),
        )
