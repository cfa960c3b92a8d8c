"""The life of an order at the counter: hold, resume, correct, undo a cancel, take over."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from baclofen_rules.text import format_amount
from dispensary import policies
from dispensary.actions import order_states, patients, prescriptions
from dispensary.counter.access import at_counter
from dispensary.counter.check_view import select_prescriptions
from dispensary.counter.forms import ReasonForm, StyledForm, posted_data
from dispensary.counter.new_order import (
    TYPED_HERE,
    OrderForm,
    Typed,
    context_of,
    document_of,
    make_form,
    read_typed,
    receive,
    replaced_by,
    take_typed,
)
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.documents.words import mg
from dispensary.errors import Conflict, DispensaryError
from dispensary.handover import order_number
from dispensary.models import Awaited, CancelCause, Prescriber, Prescription


class HoldForm(StyledForm):
    """The reason for a hold: what the order waits for."""

    awaiting = forms.ChoiceField(
        label="What it waits for",
        choices=Awaited.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what the prescription waits for"},
    )
    reason = forms.CharField(
        label="In your words, for whoever opens it next",
        max_length=250,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class CancelForm(ReasonForm):
    """The reason for a cancel, and the kind of its cause."""

    cause = forms.ChoiceField(
        label="It ends because of", required=False, choices=[("", "Not said"), *CancelCause.choices]
    )


class ResumeForm(StyledForm):
    """How a hold was settled. It ends the hold that the page shows: a later one has another version."""

    reason = forms.CharField(
        label="How it was settled, and with whom",
        max_length=250,
        widget=forms.Textarea(attrs={"rows": 2, "data-focus": ""}),
        error_messages={"required": "Say how it was settled"},
    )
    version = forms.IntegerField(widget=forms.HiddenInput)


class CorrectionForm(OrderForm):
    """A typed order as it should have been, and why it changes."""

    reason = forms.CharField(
        label="What was wrong",
        max_length=230,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say what was wrong"},
    )


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_receive)
def hold(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Put an order on hold."""
    form = HoldForm(posted_data(request))
    not_done = change_by_form(request, visit, pk, form, action=order_states.hold, page="hold.html")
    return not_done or redirect("counter:queue")


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_receive)
def resume(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Make an order that is on hold active again, with the reason for the hold in view."""
    form = ResumeForm(posted_data(request))
    not_done = change_by_form(request, visit, pk, form, action=order_states.resume, page="resume.html")
    return not_done or redirect("counter:check", pk)


@require_POST
@at_counter(policies.may_dispense)
def take_over(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Work on an order that another person has open."""
    prescription = visit.fetch(select_prescriptions(), pk)
    order_states.claim(prescription=prescription, take_over=True, by=visit.by, now=visit.now)
    return redirect("counter:check", pk)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_end)
def cancel(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Cancel an order of which nothing more is to be handed over."""
    form = CancelForm(posted_data(request))
    not_done = change_by_form(request, visit, pk, form, action=prescriptions.cancel, page="cancel_prescription.html")
    return not_done or redirect("counter:check", pk)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_end)
def reinstate(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Undo a cancel of today."""
    form = ReasonForm(posted_data(request))
    not_done = change_by_form(request, visit, pk, form, action=order_states.reinstate, page="reinstate.html")
    return not_done or redirect("counter:check", pk)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_receive)
def correct_order(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Correct an order that was typed here, or enter one that takes the place of another; the form holds what it says."""
    prescription = visit.fetch(select_prescriptions(), pk)
    problem = order_states.correction_problem(prescription)
    is_replacement = order_states.may_be_replaced(prescription)
    if problem is not None and not is_replacement:
        raise Conflict("This prescription cannot be corrected.", problem)
    patient = prescription.patient
    initial = _fields_of(prescription) if is_replacement else _fields_as_typed(prescription)
    form = make_form(request, patient, CorrectionForm, initial, but_not=prescription)
    if is_replacement:
        del form.fields["replaces"]
        form.fields["reason"].label = "What was wrong, and with whom it was settled"
    typed = read_typed(form, visit) if form.is_bound else None
    errors: list[ErrorLine] = []
    missing: list[ErrorLine] = []
    if typed is None:
        patients.record_opening(patient=patient, by=visit.by, now=visit.now)
    else:
        take = _take_the_place if is_replacement else _correct
        new, errors, missing = take_typed(
            request, form, typed, visit, lambda prescriber: take(prescription, form, typed, prescriber, visit)
        )
        if new is not None:
            deed = "replaced" if is_replacement else "corrected"
            messages.success(request, f"No. {order_number(prescription)} is {deed}: this one takes its place.")
            return redirect("counter:check", new.pk)
    context = context_of(patient, form, typed, visit) | {
        "corrects": prescription,
        "number": order_number(prescription),
        "is_replacement": is_replacement,
        "missing": missing,
    }
    return render_page(request, visit, "new_order.html", context, errors=errors, status=422 if errors else 200)


def _fields_as_typed(prescription: Prescription) -> dict[str, Any]:
    writer = prescription.prescriber
    fields = prescription.document | {"prescriber": f"{writer.name}, {writer.identifier}"}
    return {name: value for name, value in fields.items() if name not in ("new_name", "new_number", "new_phone")}


def _fields_of(prescription: Prescription) -> dict[str, Any]:
    """Return what an order of any source says as the fields of the form; the new one has a date of its own."""
    writer = prescription.prescriber
    follows = {None: "", False: "continues", True: "stops"}[prescription.then_stop]
    amounts = {"strength_mg": prescription.strength_mg, "quantity": prescription.quantity}
    return {
        **{name: format_amount(value) for name, value in amounts.items() if value is not None},
        **{name: getattr(prescription, name) for name in ("brand", "directions", "expected_days", "repeats")},
        "prescriber": f"{writer.name}, {writer.identifier}",
        "follows": follows,
    }


def _take_the_place(
    old: Prescription, form: OrderForm, typed: Typed, prescriber: Prescriber | dict[str, str], visit: Visit
) -> Prescription:
    """Take in a typed order that replaces another, with the days between its instalments; what the form has no field for is noted."""
    interval = {} if old.interval_days is None else {"interval_days": old.interval_days}
    order = replace(typed, order=typed.order | interval)
    notes = [f"In place of No. {order_number(old)}: {form.cleaned_data['reason']}"]
    if old.as_needed:
        notes.append(f"No. {order_number(old)} was to be taken when needed.")
    if old.max_mg_per_day is not None:
        notes.append(f"No. {order_number(old)} named at most {mg(old.max_mg_per_day)} a day.")
    return receive(form, order, old.patient, prescriber, visit, replaces=old, notes=notes)


def _correct(
    wrong: Prescription, form: OrderForm, typed: Typed, prescriber: Prescriber | dict[str, str], visit: Visit
) -> Prescription:
    data = form.cleaned_data
    return order_states.correct(
        prescription=wrong,
        prescriber=prescriber,
        order=typed.order,
        document=document_of(data),
        reason=data["reason"],
        replaces=replaced_by(data, wrong.patient),
        identifiers=[(TYPED_HERE, data["key"])],
        by=visit.by,
        now=visit.now,
    ).prescription


def change_by_form(
    request: HttpRequest, visit: Visit, pk: uuid.UUID, form: forms.Form, *, action: Callable[..., Any], page: str
) -> HttpResponse | None:
    """Change an order by an action that takes the fields of a form; return the page with the form where it was not done."""
    prescription = visit.fetch(select_prescriptions(), pk)
    errors = form_error_lines(form)
    if form.is_valid():
        try:
            action(prescription=prescription, **form.cleaned_data, by=visit.by, now=visit.now)
        except DispensaryError as error:
            errors = error_lines(error, {"awaiting": "id_awaiting_0", "reason": "id_reason"})
        else:
            return None
    context = {
        "prescription": prescription,
        "patient": prescription.patient,
        "number": order_number(prescription),
        "form": form,
    }
    return render_page(request, visit, page, context, errors=errors, status=422 if errors else 200)
