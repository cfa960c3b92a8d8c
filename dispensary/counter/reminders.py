"""Lists of reminders by state, the withdrawal-risk list, and the follow-up of work."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from baclofen_rules.therapy import RiskLevel
from dispensary import policies, reminders
from dispensary.actions import worklist
from dispensary.actions.owed_orders import find_owed
from dispensary.actions.reminders import send_reminder, withdraw_reminder
from dispensary.conf import conf
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm, posted_data
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError, NotFound
from dispensary.handover import papers_in_hand
from dispensary.models import (
    Dispense,
    DispenseStatus,
    Patient,
    Prescription,
    Reminder,
    ReminderState,
    Resolution,
    WorkKind,
    WorklistItem,
    WorkState,
)
from dispensary.models.reminders import NOT_SENT_YET
from dispensary.reminders.reach import find_unreachable
from dispensary.reminders.work import open_work

MOST = 100
MOST_LATE = 10
_S = ReminderState
GROUPS = {
    "owed": ("Owed", NOT_SENT_YET),
    "failed": ("Failed", (_S.FAILED, _S.PARKED, _S.EXPIRED, _S.SUPPRESSED)),
    "sent": ("Sent", (_S.SENT, _S.DELIVERED)),
    "withdrawn": ("Withdrawn", (_S.WITHDRAWN,)),
}
TONES = {
    **dict.fromkeys(GROUPS["owed"][1], "information"),
    **dict.fromkeys(GROUPS["sent"][1], "ready"),
    **dict.fromkeys(GROUPS["failed"][1], "stop"),
    _S.WITHDRAWN: "done",
}


@require_safe
@at_counter(policies.may_send_reminders)
def list_reminders(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List reminders of the pharmacy in one group of states."""
    group = _group(request.GET.get("show", ""))
    rows = Reminder.objects.filter(pharmacy=visit.pharmacy, state__in=GROUPS[group][1]).select_related(
        "patient", "reader"
    )
    if group == "sent":
        rows = rows.annotate(left_at=Max("deliveries__started_at"))
    rows = rows.order_by("due_at" if group == "owed" else "-due_at")[: MOST + 1]
    unreachable = find_unreachable(row.patient_id for row in rows) if group == "owed" else {}
    lines = [_line(row, unreachable.get(row.patient_id, "")) for row in rows]
    context = {
        "groups": [(key, words, key == group) for key, (words, _states) in GROUPS.items()],
        "group": GROUPS[group][0],
        "here": group,
        "leaves": {"owed": "Leaves", "sent": "Left"}.get(group, "Was to leave"),
        "rows": lines[:MOST],
        "changeable": group in {"owed", "failed"},
        "most": MOST if len(lines) > MOST else 0,
        "may_see_month": policies.may_change_settings(visit.by),
    }
    return render_page(request, visit, "reminders.html", context)


def _group(name: str) -> str:
    return name if name in GROUPS else "owed"


def _line(row: Reminder, unreachable: str) -> dict[str, Any]:
    """Return a reminder with the time at which it leaves or left, in the patient's time zone, and its reason.

    `unreachable` says why nothing can leave to the patient; empty where it can.
    """
    at = getattr(row, "left_at", None) or row.due_at
    return {
        "row": row,
        "tone": "stop" if unreachable else TONES[ReminderState(row.state)],
        "at": at.astimezone(ZoneInfo(row.tz_name)),
        "reason": f"will not leave: {unreachable}" if unreachable else reminders.say_reason(row),
    }


def reminder_action(
    action: Callable[..., Reminder], say: Callable[[Reminder, datetime], str]
) -> Callable[..., HttpResponseBase]:
    """Return a view that changes one reminder, confirms it, and redirects to the same list."""

    @require_POST
    @at_counter(policies.may_send_reminders)
    def view(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
        reminder = action(public_id=pk, by=visit.by, now=visit.now)
        copy = f", copy to {reminder.reader.name}" if reminder.reader else ""
        messages.success(request, f"{reminder.patient}{copy}: {say(reminder, visit.now)}")
        return redirect(f"{reverse('counter:reminders')}?show={_group(request.POST.get('show', ''))}")

    return view


send = reminder_action(send_reminder, reminders.outlook)
withdraw = reminder_action(withdraw_reminder, lambda _row, _now: "withdrawn.")


@require_safe
@at_counter(policies.may_send_reminders)
def at_risk(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List patients whose supply ends soon or has ended, worst first, and all other open work."""
    risks = reminders.withdrawal_risk(pharmacy=visit.pharmacy, now=visit.now)
    work = (
        WorklistItem.objects.filter(pharmacy=visit.pharmacy).exclude(state=WorkState.RESOLVED).select_related("patient")
    )
    risk_work = {item.patient_id: item for item in work if item.kind == WorkKind.WITHDRAWAL_RISK}
    contacts = find_last_contacts([risk.patient.pk for risk in risks], visit)
    tones = {
        RiskLevel.OVERDUE: "stop",
        RiskLevel.TODAY: "override",
        RiskLevel.SOON: "acknowledge",
        RiskLevel.MAY_BE_OUT: "acknowledge",
        RiskLevel.STOPPED: "acknowledge",
    }
    context = {
        "risks": [
            (risk, tones[risk.level], risk_work.get(risk.patient.pk), contacts.get(risk.patient.pk)) for risk in risks
        ],
        "may_arrange": policies.may_override(visit.by),
        "urgent": [item for item in work if item.kind == WorkKind.RED_FLAG],
        "replies": [item for item in work if item.kind == WorkKind.REPLY],
        "work": [
            item for item in work if item.kind not in {WorkKind.WITHDRAWAL_RISK, WorkKind.RED_FLAG, WorkKind.REPLY}
        ],
    }
    return render_page(request, visit, "at_risk.html", context)


def find_last_contacts(patient_ids: Sequence[uuid.UUID], visit: Visit) -> dict[uuid.UUID, tuple[date, str]]:
    """Return the day and kind of the last contact with each patient: spoken to, or a message that left."""
    of_these = {"patient__in": patient_ids, "pharmacy": visit.pharmacy}
    calls = WorklistItem.objects.filter(**of_these, resolution=Resolution.CALLED).values_list("patient")
    left = Reminder.objects.filter(**of_these, state__in=GROUPS["sent"][1]).values_list("patient")
    moments = [
        *((patient, at, "spoke to the patient") for patient, at in calls.annotate(at=Max("resolved_at"))),
        *((patient, at, "message") for patient, at in left.annotate(at=Max("deliveries__started_at")) if at),
    ]
    latest = sorted(moments, key=lambda contact: contact[1])
    return {patient: (visit.pharmacy.local_day(at), words) for patient, at, words in latest}


BY_LETTER = frozenset(
    {
        WorkKind.UNREACHABLE, WorkKind.FAILED, WorkKind.MAYBE_SENT, WorkKind.EXPIRED, WorkKind.WRONG_PERSON,
        WorkKind.NO_ANSWER, WorkKind.WITHDRAWAL_RISK,
    }
)  # fmt: skip
"""The work that a letter may answer."""


class DoneForm(StyledForm):
    """The outcome of a piece of work, or the day until which it is put off."""

    DONE = [(r.value, r.label) for r in Resolution if r is not Resolution.BY_EVENT]
    what = forms.ChoiceField(
        label="What was done",
        choices=[*DONE, ("put-off", "Nothing yet: put it off")],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what was done"},
    )
    until = forms.DateField(
        label="Put off until",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"invalid": "Type the day as a date, such as 2026-11-30"},
    )
    note = forms.CharField(
        label="In your own words", max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, kind: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        only_for = {Resolution.REVIEWED: (WorkKind.LATE_ENTRY,), Resolution.POSTED: BY_LETTER}
        left_out = {resolution for resolution, kinds in only_for.items() if kind not in kinds}
        what = self.fields["what"]
        what.choices = [choice for choice in what.choices if choice[0] not in left_out]  # type: ignore[attr-defined]  # a choice field


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_send_reminders)
def work(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Record the follow-up of a patient at risk, or of another piece of work."""
    patient = visit.fetch(Patient.objects.select_related("pharmacy"), pk)
    kind = request.GET.get("kind", WorkKind.WITHDRAWAL_RISK.value)
    if kind not in WorkKind.values:
        raise NotFound("There is no work of this kind.")
    risks = reminders.withdrawal_risk(pharmacy=visit.pharmacy, patient=patient, now=visit.now)
    risk = next(iter(risks), None)
    form = DoneForm(posted_data(request), kind=kind)
    errors: list[ErrorLine] = form_error_lines(form)
    if form.is_valid():
        try:
            settle(
                visit, patient, kind, f"{risk.words}. {risk.reason}." if risk else "Followed up at the counter.", form
            )
        except DispensaryError as error:
            errors = error_lines(error, {"note": "id_note", "until": "id_until"})
        else:
            return redirect("counter:at-risk")
    item = open_item(visit, patient, kind)
    context = {
        "patient": patient,
        "risk": risk if kind == WorkKind.WITHDRAWAL_RISK else None,
        "item": item,
        "withdrawn": last_withdrawn(patient)
        if kind == WorkKind.ORDER_WITHDRAWN and policies.may_end(visit.by)
        else None,
        "owed": find_owed(patient) if kind == WorkKind.ORDER_OWED else None,
        "late": Dispense.objects.filter(prescription__patient=patient, recorded_at__isnull=False).order_by(
            "-recorded_at"
        )[:MOST_LATE]
        if kind == WorkKind.LATE_ENTRY
        else (),
        "papers": papers_in_hand(patient, visit.today) if kind == WorkKind.PAPERS_OUTDATED else (),
        "form": form,
        "letter_channel": conf().letter_channel,
        "may_post": item is not None and kind in BY_LETTER and patient.died_on is None,
    }
    return render_page(request, visit, "work.html", context, errors=errors, status=422 if errors else 200)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_send_reminders)
def sender_work(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Record the follow-up of a message from a number on no record."""
    item = visit.fetch(WorklistItem.objects.filter(patient__isnull=True), pk)
    form = DoneForm(posted_data(request))
    errors: list[ErrorLine] = form_error_lines(form)
    if form.is_valid():
        try:
            follow_up(visit, item, form)
        except DispensaryError as error:
            errors = error_lines(error, {"note": "id_note", "until": "id_until"})
        else:
            return redirect("counter:at-risk")
    context = {"item": item, "form": form}
    return render_page(request, visit, "work.html", context, errors=errors, status=422 if errors else 200)


def open_item(visit: Visit, patient: Patient, kind: str) -> WorklistItem | None:
    """Return the most urgent open work of a kind for a patient."""
    items = WorklistItem.objects.filter(pharmacy=visit.pharmacy, patient=patient, kind=kind)
    return items.exclude(state=WorkState.RESOLVED).order_by("due_by").first()


def last_withdrawn(patient: Patient) -> Prescription | None:
    """Return the order that its sender took back last after a supply."""
    orders = patient.prescriptions.exclude(withdrawn_as="").filter(dispenses__status=DispenseStatus.COMPLETED)
    return orders.order_by("-ended_at").first()


@transaction.atomic
def settle(visit: Visit, patient: Patient, kind: str, reason: str, form: DoneForm) -> None:
    """Close or put off the work; work that does not exist yet is opened first, so that the call is on record."""
    item = open_item(visit, patient, kind)
    if item is None:
        open_work(
            WorkKind.WITHDRAWAL_RISK,
            pharmacy_id=visit.pharmacy.pk,
            patient_id=patient.pk,
            reason=reason[:300],
            by=visit.by,
            now=visit.now,
        )
        item = WorklistItem.objects.get(
            pharmacy=visit.pharmacy, patient=patient, kind=WorkKind.WITHDRAWAL_RISK, state=WorkState.OPEN
        )
    follow_up(visit, item, form)


def follow_up(visit: Visit, item: WorklistItem, form: DoneForm) -> None:
    """Close a piece of work or put it off."""
    data = form.cleaned_data
    if data["what"] == "put-off":
        day = data["until"] or visit.today
        until = datetime.combine(day, time(9), ZoneInfo(visit.pharmacy.time_zone))
        worklist.put_off_work(item_id=item.pk, until=until, note=data["note"], by=visit.by, now=visit.now)
    else:
        resolution = Resolution(data["what"])
        worklist.resolve_work(item_id=item.pk, resolution=resolution, note=data["note"], by=visit.by, now=visit.now)
