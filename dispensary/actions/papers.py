"""The work of papers that are no longer true: labels and calendars in a patient's hands, printed on what has changed since."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from baclofen_rules.therapy import Dose, Therapy
from dispensary.actors import Actor
from dispensary.handover import handed_over, select_dispenses
from dispensary.models import Decision, DecisionKind, Dispense, DispenseStatus, Patient, WorkKind
from dispensary.reminders.work import open_or_add

Change = tuple[date, tuple[Dose, ...]]
_DECIDED = (
    "A decision changed what the patient takes: label and calendar of the last supply are no longer true. "
    "Print them again, and tell the patient."
)
_STOPPED = (
    "The medicine was stopped: label and calendar of the supply in the patient's hands are no longer true. "
    "Tell the patient, and ask for the tablets back."
)
_TAKEN_BACK = (
    "A supply was taken back: label and calendar of another one in the patient's hands are no longer true. "
    "Tell the patient what to take on which day."
)

_RECORDED_LATE = (
    "A hand-over was recorded late: label and calendar of a supply that came after it are no longer true. "
    "Print them again, and tell the patient."
)


def open_work_on_decision(decision: Decision, before: Therapy, after: Therapy, by: Actor, now: datetime) -> None:
    """Open work where a decision changed days for which papers were printed."""
    on, patient = before.today, decision.patient
    ahead = max(
        Dispense.objects.filter(prescription__patient=patient).completed().values_list("run_out_on", flat=True),
        default=on,
    )
    end = ahead + timedelta(days=1)  # the first day without tablets, too
    if ahead > on and _list_doses(before, on, end) != _list_doses(after, on, end):
        _open(_STOPPED if decision.kind == DecisionKind.STOPPED else _DECIDED, patient, by, now)


def open_work_on_return(patient: Patient, before: Therapy, after: Therapy, by: Actor, now: datetime) -> None:
    """Open work where papers of another supply were true until one was taken back, and are not any more."""
    on = before.today
    in_hand = select_dispenses().filter(
        prescription__patient=patient, status=DispenseStatus.COMPLETED, run_out_on__gt=on
    )
    for dispense in in_hand:
        made = handed_over(dispense, on)
        printed = _list_doses(made.therapy, on, made.run_out_on)
        was, now_is = (_list_doses(therapy, on, made.run_out_on) for therapy in (before, after))
        if printed == was != now_is:
            _open(_TAKEN_BACK, patient, by, now)
            return


def open_work_on_late_entry(dispense: Dispense, before: Therapy, after: Therapy, by: Actor, now: datetime) -> None:
    """Open work where a hand-over that was recorded late changes days for which papers were printed after it."""
    on = before.today
    later = Dispense.objects.completed().filter(
        prescription__patient=dispense.patient_id, run_out_on__gt=on, handed_over_at__gt=dispense.handed_over_at
    )
    for run_out_on in later.values_list("run_out_on", flat=True):
        if _list_doses(before, on, run_out_on) != _list_doses(after, on, run_out_on):
            _open(_RECORDED_LATE, dispense.patient, by, now)
            return


def _list_doses(therapy: Therapy, first_on: date, end: date) -> list[Change]:
    """Return the doses of the days before `end` as papers say them, each change with its first day.

    What a patient says to take instead is not among them.
    """
    changes: list[Change] = []
    for stretch in therapy.stretches(first_on, end - timedelta(days=1)):
        if not changes or changes[-1][1] != stretch.day.doses:
            changes.append((stretch.first_on, stretch.day.doses))
    return changes


def _open(reason: str, patient: Patient, by: Actor, now: datetime) -> None:
    open_or_add(
        WorkKind.PAPERS_OUTDATED,
        pharmacy_id=patient.pharmacy_id,
        patient_id=patient.pk,
        reason=reason,
        by=by,
        now=now,
    )
