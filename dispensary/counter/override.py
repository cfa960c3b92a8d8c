"""The override page: one answer for each finding that needs a reason, and one signature for all."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from dispensary import policies
from dispensary.actions import overrides, signatures
from dispensary.actions.decisions import Decided
from dispensary.actions.second_signatures import find_waiting
from dispensary.counter import check_view, drafts
from dispensary.counter.access import at_counter
from dispensary.counter.check import save_choice
from dispensary.counter.check_errors import choice_error_line
from dispensary.counter.choices import Choices
from dispensary.counter.forms import (
    AnswerForm,
    ChoiceReasonForm,
    ReasonForm,
    answer_forms,
    typed_fields,
)
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.reviewing import items_of, read_order, review_draft
from dispensary.counter.signing import SignatureForm, digest_shown
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError, NotFound
from dispensary.handover import order_number
from dispensary.models import UNUSED_STATES, Override, Prescription
from dispensary.proof import Proof

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


@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
@at_counter(policies.may_override)
def override(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Ask for the answers, take a choice about what is taken, and sign all or none."""
    items = items_of(read_order(visit, pk))
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
        return redirect_onward(prescription)
    data = request.POST if request.method == "POST" and not is_choosing else None
    typed = request.POST if is_choosing else None
    if not draft.override_shown_at:
        draft.override_shown_at = visit.now.isoformat()
        drafts.store(request, prescription.pk, draft)
    digest = digest_shown(reviewed.assessment.questions(), reviewed.asked.case_text, draft.choice)
    signing = Signing(
        answer_forms([finding.question for finding in findings], data, typed),
        choices,
        ChoiceReasonForm(data, prefix=CHOICE_PREFIX, initial=typed_fields(typed, CHOICE_PREFIX))
        if asks_reason
        else None,
        SignatureForm(data, request, visit, prescription, digest),
        reviewed.decided,
    )
    if data is not None:
        result = sign_answers(visit, prescription, signing, draft)
        if isinstance(result, HttpResponse):
            return result
        errors = result
        if not errors:
            drafts.store(request, prescription.pk, draft)
            return redirect_onward(prescription)
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
        "past_overrides": check_view.past_overrides(prescription),
    }
    return render_page(request, visit, "override.html", context, errors=errors, status=422 if errors else 200)


def redirect_onward(prescription: Prescription) -> HttpResponse:
    """Redirect to the second signature where one is needed, else back to the check."""
    return redirect("counter:second" if find_waiting(prescription) else "counter:check", prescription.pk)


def sign_answers(
    visit: Visit, prescription: Prescription, signing: Signing, draft: drafts.Draft
) -> list[ErrorLine] | HttpResponse:
    """Sign every answer, or return the errors, or what a passkey is asked. The proof is tried only when everything else is complete."""
    lines = []
    if signing.reason is not None:
        if signing.choices is not None and signing.choices.is_open:
            lines.append(choice_error_line(signing.choices, visit.by))
        lines += form_error_lines(signing.reason)
    lines += [line for form in signing.answers for line in form_error_lines(form)]
    lines += form_error_lines(signing.signature)
    if lines:
        return signing.signature.refuse(lines)
    reason: dict[str, str] = {}
    decided = signing.decided
    if signing.reason is not None:
        reason = {name: signing.reason.cleaned_data[name] for name in signing.reason.fields}
        decided = [
            replace(answer, words=reason["words"], mitigation=reason["mitigation"], asked=reason["asked"])
            for answer in decided
        ]
    order: dict[str, Any] = {"prescription": prescription, "decisions": decided, "by": visit.by, "now": visit.now}
    try:
        digest = overrides.digest_to_sign(
            assessment=overrides.assess_under(decided, prescription=prescription, by=visit.by, now=visit.now),
            answers=[form.answer() for form in signing.answers],
            by=visit.by,
            now=visit.now,
        )
        proof = signing.signature.take_proof([], digest, json.dumps(reason, sort_keys=True))
        if not isinstance(proof, Proof):
            return proof
        begun = signing.signature.begun
        seconds = int((visit.now - datetime.fromisoformat(draft.override_shown_at)).total_seconds())
        signed = {"digest": digest, "nonce": signing.signature.cleaned_data["nonce"], "shown": begun.shown}
        answers = [replace(form.answer(proof.method), seconds=seconds, **signed) for form in signing.answers]
        if answers:
            overrides.sign(answers=answers, **order)
        else:  # the reason of a choice alone, which is stored with the hand-over
            signatures.use(nonce=signed["nonce"], by=visit.by, now=visit.now)
    except DispensaryError as error:
        return error_lines(error, {})
    if reason:
        draft.reason = reason
    draft.override_shown_at = ""
    return []


@require_POST
@at_counter(policies.may_override)
def withdraw(request: HttpRequest, visit: Visit, pk: uuid.UUID, answer: uuid.UUID) -> HttpResponse:
    """Withdraw an answer that no hand-over has used."""
    prescription = visit.fetch(check_view.select_prescriptions(), pk)
    open_answer = Override.objects.filter(pk=answer, prescription=prescription, state__in=UNUSED_STATES).first()
    if open_answer is None:
        raise NotFound("There is no open answer of that kind.")
    form = ReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else "withdrawn at the counter"
    overrides.withdraw(override=open_answer, reason=reason, by=visit.by, now=visit.now)
    return redirect("counter:check", pk)
