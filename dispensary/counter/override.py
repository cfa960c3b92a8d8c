"""The override page: one answer for each finding that asks for a reason, and one fresh signature under them."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from dispensary import audit, policies
from dispensary.actions import overrides
from dispensary.actors import Actor
from dispensary.counter import bench as benches
from dispensary.counter.check import assessed, past_overrides, prescriptions
from dispensary.counter.door import ErrorLine, Visit, at_counter, error_lines, page
from dispensary.counter.forms import AnswerForm, ReasonForm, SignatureForm, answer_forms
from dispensary.counter.queue import number_of
from dispensary.counter.session import NOT_RECOGNISED, lines_of, password_is_right
from dispensary.errors import DispensaryError, NotFound
from dispensary.models import Override, OverrideState, Prescription


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
@at_counter(policies.may_override)
def override(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Ask for the answers; sign them all or none."""
    prescription = visit.own(prescriptions(), pk)
    assessment, product = assessed(request, visit, prescription)
    bench = benches.lay_out(prescription, assessment, strength_mg=product.strength_mg if product else None)
    asking = bench.unanswered("override")
    if not asking:
        return redirect("counter:check", pk)
    data = request.POST if request.method == "POST" else None
    forms, signature = answer_forms([s.question for s in asking], data), SignatureForm(data)
    errors = signed_or_errors(request, visit, prescription, forms, signature) if data is not None else []
    if data is not None and not errors:
        return redirect("counter:check", pk)
    context = {
        "prescription": prescription,
        "patient": prescription.patient,
        "number": number_of(prescription),
        "asking": list(zip(asking, forms, strict=True)),
        "signature": signature,
        "past_overrides": past_overrides(prescription),
    }
    return page(request, visit, "override.html", context, errors=errors, status=422 if errors else 200)


def signed_or_errors(
    request: HttpRequest, visit: Visit, prescription: Prescription, forms: list[AnswerForm], signature: SignatureForm
) -> list[ErrorLine]:
    """Sign every answer, or say what is missing. The password is only tried when everything else is complete."""
    lines = [line for form in forms for line in lines_of(form)]
    lines += lines_of(signature)
    if lines:
        return lines
    if not password_is_right(request, signature.cleaned_data["password"]):
        return [ErrorLine(NOT_RECOGNISED, "id_password")]
    try:
        sign_all(prescription, forms, visit.by, visit.now)
    except DispensaryError as error:
        return error_lines(error, {})
    return []


@audit.retrying
@transaction.atomic
def sign_all(prescription: Prescription, forms: list[AnswerForm], by: Actor, now: object) -> None:
    """All answers in one transaction: a page signed by halves would be worse than none."""
    for form in forms:
        overrides.sign(prescription=prescription, answer=form.answer(), by=by, now=now)


@require_POST
@at_counter(policies.may_override)
def withdraw(request: HttpRequest, visit: Visit, pk: uuid.UUID, answer: uuid.UUID) -> HttpResponse:
    """Take back an answer that no hand-over has used."""
    prescription = visit.own(prescriptions(), pk)
    found = Override.objects.filter(pk=answer, prescription=prescription, state=OverrideState.OPEN).first()
    if found is None:
        raise NotFound("There is no open answer of that kind.")
    form = ReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else "withdrawn at the counter"
    overrides.withdraw(override=found, reason=reason, by=visit.by, now=visit.now)
    return redirect("counter:check", pk)
