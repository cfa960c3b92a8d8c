"""The override page: one answer for each finding that needs a reason, and one signature for all."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from dispensary import audit, policies
from dispensary.actions import overrides
from dispensary.actions.decisions import Decided
from dispensary.actions.overrides import Answer
from dispensary.actors import Actor
from dispensary.counter import check_view, drafts
from dispensary.counter.access import at_counter
from dispensary.counter.check import past_overrides, save_choice, select_prescriptions
from dispensary.counter.check_errors import choice_error_line
from dispensary.counter.choices import Choices
from dispensary.counter.forms import (
    AnswerForm,
    ChoiceReasonForm,
    ReasonForm,
    SignatureForm,
    answer_forms,
    typed_fields,
)
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.reviewing import items_of, review_draft
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError, NotFound
from dispensary.handover import order_number
from dispensary.models import Override, OverrideState, Prescription

SETTLED_BY_CHOICE = ("supply-relation", "outdated-order")
"""Findings that a choice answers; no override is signed for them."""
CHOICE_PREFIX = "choice"


@dataclass(frozen=True, slots=True)
class Signing:
    """The forms of the page, to be signed together."""

    answers: Sequence[AnswerForm]
    choices: Choices | None
    reason: ChoiceReasonForm | None
    """None where the choice needs no reason, or has one."""
    signature: SignatureForm
    decided: Sequence[Decided]
    """What the choice stands for, without its reason."""


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
@at_counter(policies.may_override)
def override(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Ask for the answers, take a choice about what is taken, and sign all or none."""
    items = items_of(visit.fetch(select_prescriptions(), pk))
    prescription = items[0]
    draft = drafts.load(request, prescription.pk)
    is_choosing = "choose" in request.POST
    errors = save_choice(request, visit, items, draft) if is_choosing else []
    reviewed = review_draft(visit, items, draft)
    view = check_view.build_check_view(prescription, reviewed.assessment)
    choices = reviewed.choices
    is_choice_open = choices is not None and choices.is_open and choices.is_for_pharmacist
    settled = SETTLED_BY_CHOICE if choices is not None else ()  # beside nothing that runs there is no choice
    findings = [finding for finding in view.unanswered("override") if finding.question.code not in settled]
    asks_reason = is_choice_open or reviewed.needs_reason
    if not findings and not asks_reason:
        return redirect("counter:check", prescription.pk)
    data = request.POST if request.method == "POST" and not is_choosing else None
    typed = request.POST if is_choosing else None
    if not draft.override_shown_at:
        draft.override_shown_at = visit.now.isoformat()
        drafts.store(request, prescription.pk, draft)
    signing = Signing(
        answer_forms([finding.question for finding in findings], data, typed),
        choices,
        ChoiceReasonForm(data, prefix=CHOICE_PREFIX, initial=typed_fields(typed, CHOICE_PREFIX))
        if asks_reason
        else None,
        SignatureForm(data, request),
        reviewed.decided,
    )
    if data is not None:
        errors = sign_answers(request, visit, prescription, signing, draft)
        if not errors:
            return redirect("counter:check", prescription.pk)
    context = {
        "prescription": prescription,
        "patient": prescription.patient,
        "number": order_number(prescription),
        "asking": list(zip(findings, signing.answers, strict=True)),
        "count": len(findings) + asks_reason,
        "choices": choices,
        "is_choosing": is_choosing,
        "in_question": [finding for finding in view.findings if finding.question.code in settled],
        "reason": signing.reason,
        "signature": signing.signature,
        "past_overrides": past_overrides(prescription),
    }
    return render_page(request, visit, "override.html", context, errors=errors, status=422 if errors else 200)


def sign_answers(
    request: HttpRequest,
    visit: Visit,
    prescription: Prescription,
    signing: Signing,
    draft: drafts.Draft,
) -> list[ErrorLine]:
    """Sign every answer, or return the errors. The password is tried only when everything else is complete."""
    lines = []
    if signing.reason is not None:
        if signing.choices is not None and signing.choices.is_open:
            lines.append(choice_error_line(signing.choices, visit.by))
        lines += form_error_lines(signing.reason)
    lines += [line for form in signing.answers for line in form_error_lines(form)]
    lines += form_error_lines(signing.signature)
    if lines:
        return lines
    method = signing.signature.prove(visit.now)
    if signing.signature.errors:
        return form_error_lines(signing.signature)
    decided = signing.decided
    if signing.reason is not None:
        reason: dict[str, str] = {name: signing.reason.cleaned_data[name] for name in signing.reason.fields}
        decided = [
            replace(answer, words=reason["words"], mitigation=reason["mitigation"], asked=reason["asked"])
            for answer in decided
        ]
        draft.reason = reason
    try:
        seconds = int((visit.now - datetime.fromisoformat(draft.override_shown_at)).total_seconds())
        answers = [replace(form.answer(method), seconds=seconds) for form in signing.answers]
        sign_all(prescription, answers, decided, visit.by, visit.now)
    except DispensaryError as error:
        return error_lines(error, {})
    draft.override_shown_at = ""
    drafts.store(request, prescription.pk, draft)
    return []


@audit.retrying
@transaction.atomic
def sign_all(
    prescription: Prescription, answers: Sequence[Answer], decided: Sequence[Decided], by: Actor, now: datetime
) -> None:
    """Sign all answers in one transaction, as they stand under the decisions that the hand-over comes with."""
    for answer in answers:
        overrides.sign(prescription=prescription, answer=answer, decisions=decided, by=by, now=now)


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
