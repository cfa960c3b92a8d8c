"""Everything that happened to a patient on one line of time: orders, supplies, answers, decisions, messages, calls, facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from django.urls import reverse

from baclofen_rules.facts import FACTS
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import Therapy
from dispensary.counter.dose_line import DoseLine, Span
from dispensary.documents.words import NB, long_day, mg
from dispensary.handover import order_number
from dispensary.models import (
    DispenseStatus,
    Finding,
    FindingSeverity,
    Override,
    Patient,
    Reminder,
    ReminderState,
    ReviewReason,
    WorkState,
)
from dispensary.rows import decisions_of, supplies_of

Row = TypeVar("Row")

MOST_OF_A_KIND = 50
MOST_SHOWN = 100
AHEAD = timedelta(days=56)
"""How far the picture of the doses looks ahead, and back."""
_Zone = Callable[[datetime], date]
"""The day of a moment where the pharmacy is."""
_LEFT = (
    ReminderState.SENT,
    ReminderState.DELIVERED,
    ReminderState.FAILED,
    ReminderState.SUPPRESSED,
    ReminderState.EXPIRED,
    ReminderState.PARKED,
)


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the timeline."""

    on: date
    at: datetime | None
    """None where only the day is known."""
    kind: str
    words: str
    address: str = ""
    by: str = ""


def list_happenings(patient: Patient) -> list[Happening]:
    """Return what happened to a patient whose record was read, newest first; of each kind the newest `MOST_OF_A_KIND`."""
    zone = patient.pharmacy.local_day
    lines = [
        *_orders(patient, zone),
        *_supplies(patient, zone),
        *_answers(patient, zone),
        *_messages(patient, zone),
        *_work(patient, zone),
        *_facts(patient),
    ]
    first = datetime.min.time()
    return sorted(
        lines, key=lambda line: (line.on, line.at.timetz().replace(tzinfo=None) if line.at else first), reverse=True
    )


def dose_line_of(therapy: Therapy) -> DoseLine | None:
    """Return the doses of the last and the next weeks on one axis; None where nothing is taken in them."""
    today = therapy.today
    before = therapy.stretches(today - AHEAD, today - timedelta(days=1))
    after = therapy.stretches(today, today + AHEAD)
    past, course = (
        [Span(s.first_on, s.last_on + timedelta(days=1), s.day.mg) for s in stretches if s.day.mg]
        for stretches in (before, after)
    )
    return DoseLine(today, course, past) if course else None


def _orders(patient: Patient, zone: _Zone) -> Iterator[Happening]:
    rows = _newest(patient.prescriptions.all(), lambda row: row.received_at)
    findings = defaultdict[UUID, list[str]](list)
    rows_of_findings = Finding.objects.filter(
        review__prescription__in=[row.pk for row in rows], review__reason=ReviewReason.RECEIVED
    ).exclude(severity=FindingSeverity.INFORMATION)
    for prescription_id, summary in rows_of_findings.order_by("review__reviewed_at", "number").values_list(
        "review__prescription_id", "summary"
    ):
        findings[prescription_id].append(summary)
    for order in rows:
        address, number = reverse("counter:check", args=[order.pk]), order_number(order)
        quantity = f"{format_amount(order.quantity)} tablets" if order.quantity else "no quantity"
        strength = f" of {mg(order.strength_mg)}" if order.strength_mg else ""
        words = f"Prescription {number} came in: {quantity}{strength}. {order.directions[:120]}"
        yield Happening(zone(order.received_at), order.received_at, "Prescription", words.strip(), address)
        if asked := findings[order.pk]:
            yield Happening(
                zone(order.received_at), order.received_at, "Findings", f"{number}: {'; '.join(asked)}", address
            )
        if order.ended_at is not None:
            words = f"Prescription {number} {order.get_status_display().lower()}"
            words += f": {order.ended_reason}" if order.ended_reason else ""
            yield Happening(zone(order.ended_at), order.ended_at, "Prescription", words, address)


def _supplies(patient: Patient, zone: _Zone) -> Iterator[Happening]:
    for dispense in _newest(supplies_of(patient), lambda row: row.handed_over_at):
        address = reverse("counter:dispensed", args=[dispense.pk])
        what = f"{format_amount(dispense.quantity)} tablets of {mg(dispense.strength_mg)}"
        lasts = f", first day not covered {long_day(dispense.run_out_on)}"
        yield Happening(
            zone(dispense.handed_over_at),
            dispense.handed_over_at,
            "Supply",
            f"Handed over{', recorded late' if dispense.is_late_entry else ''}: {what}{lasts}",
            address,
            dispense.dispenser_name,
        )
        if dispense.status != DispenseStatus.COMPLETED and dispense.ended_at is not None:
            words = f"{dispense.get_status_display()}: {what}. {dispense.ended_reason}".strip()
            yield Happening(zone(dispense.ended_at), dispense.ended_at, "Supply", words, address)
    for supply in _newest(patient.prior_supplies.all(), lambda row: row.dispensed_on):
        a_day = f"{format_amount(sum(supply.doses, Decimal(0)))}{NB}mg a day for {supply.days_supply} days"
        yield Happening(supply.dispensed_on, None, "Supply", f"From elsewhere: {a_day}")


def _answers(patient: Patient, zone: _Zone) -> Iterator[Happening]:
    answers = [answer for order in patient.prescriptions.all() for answer in order.overrides.all()]
    if supplies := patient.prior_supplies.all():
        answers += Override.objects.filter(prior_supply__in=[row.pk for row in supplies])
    for answer in _newest(answers, lambda row: row.signed_at):
        words = f"{answer.summary}. {answer.get_mitigation_display()}. {answer.words}".replace(". . ", ". ")
        address = reverse("counter:check", args=[answer.prescription_id]) if answer.prescription_id else ""
        kind = "Override" if answer.severity == "override" else "Acknowledged"
        yield Happening(zone(answer.signed_at), answer.signed_at, kind, words.strip(), address, answer.signer_name)
    for decision in _newest(decisions_of(patient), lambda row: row.decided_at):
        words = f"{decision.get_kind_display()}. {decision.words}".strip()
        yield Happening(zone(decision.decided_at), decision.decided_at, "Decision", words, by=decision.decider_name)


def _messages(patient: Patient, zone: _Zone) -> Iterator[Happening]:
    records = [patient, *patient.joined_records.all()]
    rows = Reminder.objects.filter(patient__in=records, state__in=_LEFT).order_by("-due_at")[:MOST_OF_A_KIND]
    for reminder in rows:
        words = f"{reminder.get_kind_display()}: {reminder.get_state_display().lower()}"
        yield Happening(zone(reminder.due_at), reminder.due_at, "Message", words)


def _work(patient: Patient, zone: _Zone) -> Iterator[Happening]:
    answered = [item for item in patient.work.all() if item.state != WorkState.OPEN]
    for item in _newest(answered, lambda item: item.opened_at):
        if item.resolved_at is not None:
            kind = "Call" if item.resolution == "called" else "Work"
            words = f"{item.get_kind_display()}: {item.get_resolution_display().lower()}. {item.note}".strip()
            yield Happening(zone(item.resolved_at), item.resolved_at, kind, words)
        else:
            until = "" if item.put_off_until is None else f" until {long_day(item.put_off_until)}"
            words = f"{item.get_kind_display()}: put off{until}. {item.note}".strip()
            yield Happening(zone(item.opened_at), item.opened_at, "Work", words)


def _newest(rows: Iterable[Row], moment: Callable[[Row], Any]) -> list[Row]:
    """Return the newest `MOST_OF_A_KIND` rows, newest first."""
    return sorted(rows, key=moment, reverse=True)[:MOST_OF_A_KIND]


def _facts(patient: Patient) -> Iterator[Happening]:
    by_day = defaultdict[str, list[str]](list)
    for name, on in patient.recorded_on.items():
        if name in FACTS:
            by_day[on].append(FACTS[name].label)
    for on, labels in by_day.items():
        yield Happening(date.fromisoformat(on), None, "Facts", f"In the record since: {', '.join(labels)}")
