"""The override page: one answer for each finding that needs a reason, and one signature for all."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from dispensary import audit, policies
from dispensary.actions import overrides
from dispensary.actors import Actor
from dispensary.counter import check_view
from dispensary.counter.access import at_counter
from dispensary.counter.check import assess_draft, past_overrides, select_prescriptions
from dispensary.counter.forms import AnswerForm, ReasonForm, SignatureForm, answer_forms
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.session import NOT_RECOGNISED, is_own_password
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError, NotFound
from dispensary.handover import order_number
from dispensary.models import Override, OverrideState, Prescription


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
@at_counter(policies.may_override)
def override(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Ask for the answers, and sign all or none."""
    prescription = visit.fetch(select_prescriptions(), pk)
    assessment, product = assess_draft(request, visit, prescription)
    view = check_view.build_check_view(prescription, assessment, strength_mg=product.strength_mg if product else None)
    findings = view.unanswered("override")
    if not findings:
        return redirect("counter:check", pk)
    data = request.POST if request.method == "POST" else None
    forms, signature = answer_forms([finding.question for finding in findings], data), SignatureForm(data)
    errors = sign_answers(request, visit, prescription, forms, signature) if data is not None else []
    if data is not None and not errors:
        return redirect("counter:check", pk)
    context = {
        "prescription": prescription,
        "patient": prescription.patient,
        "number": order_number(prescription),
        "asking": list(zip(findings, forms, strict=True)),
        "signature": signature,
        "past_overrides": past_overrides(prescription),
    }
    return render_page(request, visit, "override.html", context, errors=errors, status=422 if errors else 200)


def sign_answers(
    request: HttpRequest, visit: Visit, prescription: Prescription, forms: list[AnswerForm], signature: SignatureForm
) -> list[ErrorLine]:
    """Sign every answer, or return the errors. The password is tried only when everything else is complete."""
    lines = [line for form in forms for line in form_error_lines(form)]
    lines += form_error_lines(signature)
    if lines:
        return lines
    if not is_own_password(request, signature.cleaned_data["password"]):
        return [ErrorLine(NOT_RECOGNISED, "id_password")]
    try:
        sign_all(prescription, forms, visit.by, visit.now)
    except DispensaryError as error:
        return error_lines(error, {})
    return []


@audit.retrying
@transaction.atomic
def sign_all(prescription: Prescription, forms: list[AnswerForm], by: Actor, now: datetime) -> None:
    """Sign all answers in one transaction."""
    for form in forms:
        overrides.sign(prescription=prescription, answer=form.answer(), by=by, now=now)


@require_POST
@at_counter(policies.may_override)
def withdraw(request: HttpRequest, visit: Visit, pk: uuid.UUID, answer: uuid.UUID) -> HttpResponse:
    """Withdraw an answer that no hand-over has used."""
    prescription = visit.fetch(select_prescriptions(), pk)
    open_answer = Override.objects.filter(pk=answer, prescription=prescription, state=OverrideState.OPEN).first()
    if open_answer is None:
        raise NotFound("There is no open answer of that kind.")
    form = ReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else "withdrawn at the counter"
    overrides.withdraw(override=open_answer, reason=reason, by=visit.by, now=visit.now)
    return redirect("counter:check", pk)
