"""After the hand-over: what was given, the papers to print, the trail in the log; and taking it back."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from dispensary import policies
from dispensary.actions import dispenses as supplies
from dispensary.actions import patients, prescriptions
from dispensary.audit import history
from dispensary.counter.check import prescriptions as orders
from dispensary.counter.door import Visit, at_counter, error_lines, page
from dispensary.counter.forms import ReasonForm, TakeBackForm, typed
from dispensary.counter.queue import number_of
from dispensary.counter.session import lines_of
from dispensary.documents import DoesNotFit
from dispensary.documents.words import how_to_take
from dispensary.errors import DispensaryError
from dispensary.models import Dispense
from dispensary.papers import course_of, dispenses, receipt_of

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
    """One hand-over: what, when, by whom, and its papers."""
    dispense = visit.own(dispenses(), pk)
    patients.opened(patient=dispense.patient, by=visit.by, now=visit.now)
    context = {
        "dispense": dispense,
        "number": number_of(dispense.prescription),
        "receipt": receipt_of(dispense),
        "how": how(dispense),
        "counsel": COUNSEL,
        "overrides": dispense.overrides.all(),
        "may_end": policies.may_end(visit.by) and dispense.status == "completed",
    }
    return page(request, visit, "dispensed.html", context)


def how(dispense: Dispense) -> list[str]:
    """The directions as they stand on the label; nothing where a label cannot say them."""
    try:
        return [f"{how_to_take(stretch)}." for stretch in course_of(dispense).stretches]
    except DoesNotFit:
        return []


@require_safe
@at_counter()
def trail(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Everything the log knows about a dispense, from the order's arrival on, oldest first."""
    dispense = visit.own(dispenses(), pk)
    patients.opened(patient=dispense.patient, by=visit.by, now=visit.now)
    subjects = [
        dispense,
        dispense.prescription,
        *dispense.prescription.reviews.all(),
        *dispense.prescription.overrides.all(),
    ]
    lines = [line for subject in subjects for line in history(subject, pharmacy=visit.pharmacy)]
    lines.sort(key=lambda line: (line.entry.recorded_at, str(line.entry.entry_id)))
    context = {
        "dispense": dispense,
        "number": number_of(dispense.prescription),
        "lines": [(line, line.entry.entry_id == dispense.audit_entry) for line in lines],
    }
    return page(request, visit, "trail.html", context)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_end)
def take_back(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Cancel a hand-over that never left the counter, or book a supply that came back."""
    dispense = visit.own(dispenses(), pk)
    form = TakeBackForm(typed(request))
    errors = lines_of(form)
    if form.is_valid():
        action = {"cancel": supplies.cancel, "return": supplies.return_}[form.cleaned_data["how"]]
        try:
            action(dispense=dispense, reason=form.cleaned_data["reason"], by=visit.by, now=visit.now)
        except DispensaryError as error:
            errors = error_lines(error, {"reason": "id_reason"})
        else:
            return redirect("counter:dispensed", pk)
    context = {
        "dispense": dispense,
        "number": number_of(dispense.prescription),
        "form": form,
    }
    return page(request, visit, "take_back.html", context, errors=errors, status=422 if errors else 200)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_end)
def cancel_prescription(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """End an order of which nothing more is to be handed over."""
    prescription = visit.own(orders(), pk)
    form = ReasonForm(typed(request))
    errors = lines_of(form)
    if form.is_valid():
        try:
            prescriptions.cancel(
                prescription=prescription, reason=form.cleaned_data["reason"], by=visit.by, now=visit.now
            )
        except DispensaryError as error:
            errors = error_lines(error, {"reason": "id_reason"})
        else:
            return redirect("counter:check", pk)
    context = {
        "prescription": prescription,
        "patient": prescription.patient,
        "number": number_of(prescription),
        "form": form,
    }
    return page(request, visit, "cancel_prescription.html", context, errors=errors, status=422 if errors else 200)
