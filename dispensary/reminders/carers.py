"""Carers' own answers, and the end of guardians' messages when a patient reaches the age of consent."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from dispensary import audit
from dispensary.actors import Actor
from dispensary.conf import conf
from dispensary.models import Carer, ConsentAnswer, ConsentSource, Patient, Pharmacy, WorkKind
from dispensary.models.contacts import GUARDIANS
from dispensary.reminders.queue import count
from dispensary.reminders.reach import settle_owed
from dispensary.reminders.work import open_work

WORK_BEFORE = timedelta(days=14)
"""The time before the age of consent at which staff are to ask the young person."""


def is_under_age(patient: Patient, today: date) -> bool:
    """Say whether guardians answer for a patient; False where the birth date is not known."""
    return patient.birth_date is not None and patient.birth_date > _born_by(today)


def answer_for_carer(carer: Carer, answer: ConsentAnswer, source: ConsentSource, *, by: Actor, now: datetime) -> None:
    """Record a carer's own answer, with its audit entry; the same again is no change. Call with the patient locked."""
    changed = Carer.objects.filter(pk=carer.pk).exclude(answer=answer)
    if not changed.update(answer=answer, answered_at=now, source=source):
        return
    if answer == ConsentAnswer.NO:
        transaction.on_commit(lambda: count({f"optout {source}": 1}))
    audit.record(
        audit.Event.CONSENT_CHANGED,
        pharmacy=carer.patient.pharmacy_id,
        by=by,
        now=now,
        subject=carer,
        patient=carer.patient_id,
        reason_code=answer.value,
        body={"carer": carer.relation, "source": source.value},
    )


def end_carer(carer: Carer, reason: str, *, by: Actor, now: datetime) -> None:
    """Use a carer's addresses no more. Call with the patient locked, and settle what is owed afterwards."""
    if not Carer.objects.filter(pk=carer.pk, ended_at=None).update(ended_at=now):
        return
    carer.contact_points.filter(retired_at=None).update(retired_at=now)
    audit.record(
        audit.Event.CONTACT_CHANGED,
        pharmacy=carer.patient.pharmacy_id,
        by=by,
        now=now,
        subject=carer,
        patient=carer.patient_id,
        reason_code=reason,
        body={"carer": carer.relation},
    )


def follow_ages(*, now: datetime) -> int:
    """Open work before patients with guardians reach the age of consent, and end the guardians on the day.

    Returns how many patients were acted on. Each is a transaction of its own.
    """
    done = 0
    for pharmacy in Pharmacy.objects.all():
        today = pharmacy.local_day(now)
        guardians = Carer.objects.filter(
            patient__pharmacy=pharmacy, patient__died_on=None, relation__in=GUARDIANS, ended_at=None
        )
        of_age = guardians.filter(patient__birth_date__lte=_born_by(today))
        soon = guardians.filter(age_work_at=None, patient__birth_date__lte=_born_by(today + WORK_BEFORE))
        ended = _patients_of(of_age)
        for patient_id in ended:
            _end_guardians(patient_id, now)
        for patient_id in _patients_of(soon):
            _announce_age(patient_id, now)
        done += len(ended)
    return done


def _born_by(day: date) -> date:
    """Return the latest birth date of who is of age on a day."""
    year = day.year - conf().consent_age
    try:
        return day.replace(year=year)
    except ValueError:  # 29 February
        return day.replace(year=year, day=28)


def _patients_of(guardians: QuerySet[Carer]) -> list[UUID]:
    return list(guardians.order_by("patient_id").values_list("patient_id", flat=True).distinct())


@transaction.atomic
def _end_guardians(patient_id: UUID, now: datetime) -> None:
    patient = Patient.objects.locked().get(pk=patient_id)
    by = Actor.system("reminders", patient.pharmacy_id)
    for carer in patient.carers.filter(relation__in=GUARDIANS, ended_at=None):
        end_carer(carer, "age-of-consent", by=by, now=now)
    _open_age_work(
        patient, "The patient is of the age of consent: guardians get no messages any more. Ask the patient.", by, now
    )
    settle_owed(patient, by, now)


@transaction.atomic
def _announce_age(patient_id: UUID, now: datetime) -> None:
    patient = Patient.objects.locked().get(pk=patient_id)
    by = Actor.system("reminders", patient.pharmacy_id)
    waiting = patient.carers.filter(relation__in=GUARDIANS, ended_at=None, age_work_at=None)
    if waiting.update(age_work_at=now):
        text = "The patient soon reaches the age of consent. Ask whether messages may go to the patient; the guardians' end that day."
        _open_age_work(patient, text, by, now)


def _open_age_work(patient: Patient, reason: str, by: Actor, now: datetime) -> None:
    open_work(
        WorkKind.CONSENT_AGE, pharmacy_id=patient.pharmacy_id, patient_id=patient.pk, reason=reason, by=by, now=now
    )
