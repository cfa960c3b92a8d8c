"""The page after a hand-over, its trail in the audit log, taking it back, and cancelling an order."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dispensary import policies
from dispensary.actions import consent, patients
from dispensary.actions import dispenses as dispense_actions
from dispensary.audit import history
from dispensary.audit.log.reader import recheck
from dispensary.counter.access import at_counter
from dispensary.counter.forms import TakeBackForm, posted_data
from dispensary.counter.pages import error_lines, form_error_lines, render_page
from dispensary.counter.reminders import open_item
from dispensary.counter.visit import Visit
from dispensary.documents import DoesNotFit, say_course
from dispensary.errors import DispensaryError
from dispensary.handover import (
    HandedOver,
    handed_over,
    handed_over_together,
    label_of,
    log_receipt,
    order_number,
    select_dispenses,
)
from dispensary.loading import read_record
from dispensary.models import (
    ConsentAnswer,
    ConsentSource,
    Dispense,
    Patient,
    PrescriptionStatus,
    SecondSignature,
    WorkKind,
)
from dispensary.reminders import reach
from dispensary.rows import order_id, supplies_of

COUNSEL = (
    "Take it regularly, with or after food or milk.",
    "Do not stop or run out: order in good time.",
    "No driving or machines while it makes you sleepy, and no alcohol.",
    "A missed dose: take it when remembered, unless the next is nearly due. Never two at once.",
    "Tell us, a doctor or a hospital at once about confusion, extreme sleepiness, low mood or thoughts of suicide, fits, seeing "
    "things that are not there, trouble breathing or passing urine.",
    "Tell hospital staff and the anaesthetist that you take it.",
)


@require_safe
@at_counter()
def dispensed(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show one hand-over: product, time, person, documents, directions and counselling."""
    dispense = visit.fetch(select_dispenses(), pk)
    patients.record_opening(patient=dispense.patient, by=visit.by, now=visit.now)
    person = dispense.person
    record = read_record(person.pk, person)
    made = handed_over(dispense, visit.today)
    late = dispense.is_late_entry
    context = {
        "dispense": dispense,
        "person": person,
        "late_findings": dispense.review.findings.all() if late else (),
        "to_review": open_item(visit, person, WorkKind.LATE_ENTRY) if late else None,
        "may_review": policies.may_override(visit.by),
        "stopped_on": made.stopped_on,
        "replaced_on": made.replaced_on if made.is_over else None,
        "outdated": open_item(visit, person, WorkKind.PAPERS_OUTDATED)
        if WorkKind.PAPERS_OUTDATED in record.work
        else None,
        "together": list(handed_over_together(dispense)),
        "owed": sum_owed(made) if dispense.prescription.status == PrescriptionStatus.ACTIVE else None,
        "number": order_number(dispense.prescription),
        "receipt": log_receipt(dispense),
        "how": label_directions(made, dispense),
        "counsel": COUNSEL,
        "overrides": next(row for row in supplies_of(person) if row == dispense).overrides.all(),
        "may_read_override": policies.may_read_override(visit.by),
        "may_end": policies.may_end(visit.by) and dispense.status == "completed",
        "ask": describe_consent_to_ask(person, visit) if request.GET.get("ask") != "later" else None,
    }
    return render_page(request, visit, "dispensed.html", context)


def sum_owed(made: HandedOver) -> Decimal | None:
    """Return the tablets of the fill that are still owed, as known today; None where there are none."""
    tablets = made.now.owed(order_id(made.products))
    return None if tablets is None else sum(tablets, Decimal(0))


def describe_consent_to_ask(patient: Patient, visit: Visit) -> dict[str, object] | None:
    """Return the addresses that the patient was never asked about; None where there is nothing to ask or nobody may."""
    if not policies.may_send_reminders(visit.by) or patient.died_on is not None:
        return None
    asked = set(patient.consents.values_list("medium", flat=True))
    in_use = patient.contact_points.filter(carer=None, retired_at__isnull=True, fault="")
    points = [point for point in in_use if point.medium not in asked]
    return {"points": points} if points or not asked else None


@require_POST
@at_counter(policies.may_send_reminders)
def answer_messages(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Record what the patient said, at the hand-over, about messages to the addresses that were never asked about."""
    dispense = visit.fetch(select_dispenses(), pk)
    answer = request.POST.get("answer", "")
    if answer not in {ConsentAnswer.YES, ConsentAnswer.NO}:
        return redirect(f"{reverse('counter:dispensed', args=[pk])}?ask=later")
    consent.record_answers(
        patient=dispense.person,
        media=reach.media_to_ask(dispense.person),
        answer=ConsentAnswer(answer),
        source=ConsentSource.COUNTER,
        evidence=f"supply {dispense.number} on {order_number(dispense.prescription)}",
        by=visit.by,
        now=visit.now,
    )
    messages.success(request, f"Messages: the patient said {ConsentAnswer(answer).label.lower()}.")
    return redirect("counter:dispensed", pk)


def label_directions(made: HandedOver, dispense: Dispense) -> list[str]:
    """Return the directions as a label in words has them; none where they do not fit a label."""
    try:
        return say_course(label_of(made, dispense))
    except DoesNotFit:
        return []


@require_safe
@at_counter()
def trail(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show the log's entries on a dispense, its order, reviews and answers, oldest first."""
    dispense = visit.fetch(select_dispenses(), pk)
    patients.record_opening(patient=dispense.patient, by=visit.by, now=visit.now)
    subjects = [
        dispense,
        dispense.prescription,
        *dispense.prescription.reviews.all(),
        *dispense.prescription.overrides.all(),
        *SecondSignature.objects.filter(override__prescription=dispense.prescription),
    ]
    lines = recheck(line for subject in subjects for line in history(subject, pharmacy=visit.pharmacy))
    lines.sort(key=lambda line: (line.entry.recorded_at, str(line.entry.entry_id)))
    context = {
        "dispense": dispense,
        "number": order_number(dispense.prescription),
        "lines": [(line, line.entry.entry_id == dispense.audit_entry) for line in lines],
    }
    return render_page(request, visit, "trail.html", context)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_end)
def take_back(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Cancel a hand-over that never left the counter, or record a supply that came back."""
    dispense = visit.fetch(select_dispenses(), pk)
    form = TakeBackForm(posted_data(request))
    errors = form_error_lines(form)
    if form.is_valid():
        action = {"cancel": dispense_actions.cancel, "return": dispense_actions.return_}[form.cleaned_data["how"]]
        try:
            action(dispense=dispense, reason=form.cleaned_data["reason"], by=visit.by, now=visit.now)
        except DispensaryError as error:
            errors = error_lines(error, {"reason": "id_reason"})
        else:
            return redirect("counter:dispensed", pk)
    context = {
        "dispense": dispense,
        "number": order_number(dispense.prescription),
        "form": form,
    }
    return render_page(request, visit, "take_back.html", context, errors=errors, status=422 if errors else 200)
