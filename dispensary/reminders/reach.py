"""Usable addresses of a patient, and reminders brought in line with them.

Whoever changes an answer, an address or a language calls this within the change's transaction: what a worker has read but
not begun loses its lease and is read again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, Subquery

from dispensary.actors import Actor
from dispensary.conf import conf
from dispensary.models import (
    Consent,
    ConsentAnswer,
    ContactPoint,
    Medium,
    Patient,
    Reminder,
    ReminderState,
    Suppression,
    SuppressionReason,
    WorkKind,
)
from dispensary.models.reminders import NO_LEASE, OWED, ReminderKind
from dispensary.reminders.quiet_hours import manners, place
from dispensary.reminders.work import close_answered, open_work

NOT_ALLOWED = "no-address-allowed"
_SOON = timedelta(minutes=5)


def settle_owed(patient: Patient, by: Actor, now: datetime) -> None:
    """Bring the patient's reminders in line with the addresses that are usable now."""
    if reachable(patient):
        take_back_leases(patient.pk)
        _plan_held_back(patient, now)
        close_answered(patient.pk, by=by, now=now)
        return
    held_back = Reminder.objects.filter(OWED, patient=patient)
    at_risk = [kind for kind in held_back.values_list("kind", flat=True) if ReminderKind(kind).matters_for_safety]
    held_back.update(state=ReminderState.SUPPRESSED, last_error=NOT_ALLOWED, **NO_LEASE)
    if at_risk:
        open_work(
            WorkKind.UNREACHABLE,
            pharmacy_id=patient.pharmacy_id,
            patient_id=patient.pk,
            reason="The patient may no longer be messaged but has changes or a run-out ahead: call instead.",
            by=by,
            now=now,
        )


def reachable(patient: Patient) -> bool:
    """Return whether the patient has an address that is allowed and takes messages."""
    return bool(usable(patient))


_ANSWERS = Consent.objects.filter(patient=OuterRef("patient"))
_SAID_YES = Exists(_ANSWERS.filter(answer=ConsentAnswer.YES))
_ALLOWED = Q(Exists(_ANSWERS.filter(medium=OuterRef("medium"), answer=ConsentAnswer.YES)), carer=None) | Q(
    _SAID_YES | ~Exists(_ANSWERS), carer__answer=ConsentAnswer.YES, carer__ended_at=None
)
"""An address of the patient by a medium with a yes; a carer's with the carer's yes, where the patient has not refused all."""

_STOPS = Suppression.objects.filter(medium=OuterRef("medium"), address_digest=OuterRef("address_digest"))


@dataclass(frozen=True, slots=True)
class Address:
    """An address in use, of the patient or of a carer, with what decides about messages to it."""

    point: ContactPoint
    is_allowed: bool
    stop: str
    """The reason for which nobody is written to there; "" without one."""
    is_shared: bool
    """A message there must say for whom it is: a carer reads it, or messages to another patient go there."""

    @property
    def is_usable(self) -> bool:
        return self.is_allowed and not self.point.fault and not self.stop


def addresses_of(patient: Patient) -> list[Address]:
    """Return all addresses of the patient and of carers, by one statement; the first is tried first."""
    points = patient.contact_points.filter(retired_at__isnull=True).select_related("carer")
    same = ContactPoint.objects.filter(address_digest=OuterRef("address_digest"), retired_at__isnull=True)
    rows = points.annotate(
        is_allowed=_ALLOWED,
        stop=Subquery(_STOPS.values("reason")[:1]),
        is_shared=Q(carer__isnull=False) | Exists(same.exclude(patient=OuterRef("patient"))),
    )
    return [
        Address(row, row.is_allowed, str(SuppressionReason(row.stop).label) if row.stop else "", row.is_shared)
        for row in rows.order_by("preference", "added_at", "medium", "id")
    ]


def usable(patient: Patient) -> list[ContactPoint]:
    """Return the addresses of the patient and of carers that are allowed and take messages; the first is tried first."""
    return [address.point for address in addresses_of(patient) if address.is_usable]


def media_offered() -> list[Medium]:
    """Return the media by which staff may record an address: e-mail and texts, and whatever else the site has a channel for."""
    return [medium for medium in Medium if medium in {Medium.EMAIL, Medium.SMS, *conf().channels}]


def media_to_ask(patient: Patient) -> list[Medium]:
    """Return the media for which the patient has an address in use and was never asked."""
    own = patient.contact_points.filter(carer=None, retired_at__isnull=True, fault="")
    in_use = own.values_list("medium", flat=True)
    asked = patient.consents.values_list("medium", flat=True)
    return [medium for medium in Medium if medium in set(in_use) - set(asked)]


def find_unreachable(patient_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return those patients to whom nothing can leave as things stand, each with the reason as half a sentence."""
    ids = set(patient_ids)
    in_use = ContactPoint.objects.filter(patient__in=ids, retired_at__isnull=True, fault="")
    reached = set(in_use.filter(_ALLOWED, ~Exists(_STOPS)).values_list("patient_id", flat=True))
    asked = set(Consent.objects.filter(patient__in=ids).values_list("patient_id", flat=True))
    return {
        patient_id: "no address that the patient has allowed" if patient_id in asked else "the patient was not asked"
        for patient_id in ids - reached
    }


def take_back_leases(patient_id: UUID) -> None:
    leased = Reminder.objects.filter(OWED, patient_id=patient_id, state=ReminderState.LEASED)
    leased.update(state=ReminderState.SCHEDULED, **NO_LEASE)


def _plan_held_back(patient: Patient, now: datetime) -> None:
    """Plan reminders again that were held back for lack of consent, as far as they will still be true."""
    pharmacy = patient.pharmacy
    zone, quiet = manners(patient.zone, pharmacy.time_zone, pharmacy.quiet_from, pharmacy.quiet_until)
    held_back = Reminder.objects.filter(
        patient=patient,
        state=ReminderState.SUPPRESSED,
        last_error=NOT_ALLOWED,
        plan__ended_at__isnull=True,
        useful_until__gt=now + _SOON,
    )
    for reminder in held_back:
        due = place(max(reminder.due_at, now), reminder.useful_until, now, zone, quiet)
        if due:
            reminder.state, reminder.due_at, reminder.last_error = ReminderState.SCHEDULED, due, ""
            reminder.save(update_fields=["state", "due_at", "last_error"])
