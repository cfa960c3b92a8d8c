"""Stopping the medicine: what the rules say of it first, a taper that they accept, then the signature."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from dispensary import policies, reminders
from dispensary.actions import overrides
from dispensary.actions import therapy as actions
from dispensary.actions.overrides import Answer
from dispensary.actions.refusals import Refused
from dispensary.assessment import Assessment, assess_stop
from dispensary.counter.access import at_counter
from dispensary.counter.check_errors import refusal_lines
from dispensary.counter.check_view import Group, group_findings, open_answers, select_prescriptions
from dispensary.counter.choices import describe_courses
from dispensary.counter.forms import AnswerForm, StyledForm, answer_forms, posted_data
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.signing import SignatureForm, digest_shown
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.handover import order_number
from dispensary.models import Patient, Prescription
from dispensary.models.review import Reviewed
from dispensary.proof import Proof
from dispensary.templatetags.counter import day

OTHER = "other"
REASONS = (
    (OTHER, "Another reason, or the prescriber\u2019s decision"),
    ("serious-adverse-reaction", "A serious adverse reaction"),
    ("overdose", "An overdose"),
)
"""Reasons of the case format, of which the last two are exceptions to a taper."""


class StopForm(StyledForm):
    """The reason for stopping the medicine."""

    reason = forms.ChoiceField(
        label="Why it is stopped at once",
        choices=REASONS,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose why it is stopped at once"},
    )
    words = forms.CharField(
        label="In your own words, and who decided it",
        max_length=250,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why it is stopped, and who decided it"},
    )

    @property
    def code(self) -> str:
        """The reason as the case format has it; empty for another one, and for none."""
        return "" if self.errors or self.cleaned_data["reason"] == OTHER else self.cleaned_data["reason"]


@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
@at_counter(policies.may_end)
def stop(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Stop what a prescription feeds."""
    return stop_course(request, visit, visit.fetch(select_prescriptions(), pk))


@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
@at_counter(policies.may_end)
def stop_recorded(request: HttpRequest, visit: Visit, pk: uuid.UUID, supply: int) -> HttpResponse:
    """Stop what a supply recorded from elsewhere feeds."""
    patient = visit.fetch(Patient.objects.select_related("pharmacy"), pk)
    recorded = patient.prior_supplies.filter(pk=supply).first()
    if recorded is None:
        raise Http404("no such supply of this patient")
    recorded.patient = patient
    return stop_course(request, visit, recorded)


def stop_course(request: HttpRequest, visit: Visit, subject: Reviewed) -> HttpResponse:
    """Ask the rules about a stop, show a taper that they accept, and stop the medicine with the answers they want."""
    form = StopForm(posted_data(request))
    assessment = assess_stop(subject, on=visit.today, reason=form.code if form.is_valid() else "")
    groups = group_findings(assessment, open_answers(subject))
    questions = [finding.question for group in groups for finding in group.findings if finding.is_open]
    asked = [question for question in questions if question.severity == "override"]
    is_answered = "stop-it" in request.POST
    answers = answer_forms(asked, request.POST if is_answered else None)
    signature = None
    if asked and form.is_valid():
        digest = digest_shown(assessment.questions(), assessment.case_text, form.cleaned_data["words"])
        signature = SignatureForm(request.POST if is_answered else None, request, visit, subject, digest)
    errors = form_error_lines(form)
    if is_answered and not errors:
        signed: list[Answer] = []
        if signature is not None:
            result = sign_answers(visit, assessment, answers, signature)
            if isinstance(result, HttpResponse):
                return result
            signed, errors = result
        if not errors:
            acknowledged = [Answer(finding=q.fingerprint) for q in questions if q.severity == "acknowledge"]
            errors = stop_medicine(visit, subject, form, [*signed, *acknowledged])
        if not errors:
            messages.success(request, stopped_words(visit, subject, assessment))
            return redirect("counter:patient", subject.patient_id)
    context = {
        "patient": subject.patient,
        "prescription": subject if isinstance(subject, Prescription) else None,
        "prescriber": subject.prescriber if isinstance(subject, Prescription) else None,
        "source": source_words(subject),
        "form": form,
        "is_reasoned": form.is_valid(),
        "takes": takes_words(assessment),
        "groups": groups,
        "proposal": proposal_of(groups),
        "answers": list(zip(asked, answers, strict=True)),
        "signature": signature,
    }
    return render_page(request, visit, "stop.html", context, errors=errors, status=422 if errors else 200)


def sign_answers(
    visit: Visit, assessment: Assessment, forms_: Sequence[AnswerForm], signature: SignatureForm
) -> tuple[list[Answer], list[ErrorLine]] | HttpResponse:
    """Return the signed answers or the errors, or what a passkey is asked. The proof is tried only when everything else is complete."""
    lines = [line for form in forms_ for line in form_error_lines(form)] + form_error_lines(signature)
    if not lines:
        answers = [form.answer() for form in forms_]
        try:
            digest = overrides.digest_to_sign(assessment=assessment, answers=answers, by=visit.by, now=visit.now)
        except DispensaryError as error:
            lines = error_lines(error, {})
    proof = signature.take_proof(lines, *([] if lines else [digest]))
    if not isinstance(proof, Proof):
        return proof if isinstance(proof, HttpResponse) else ([], proof)
    nonce = signature.cleaned_data["nonce"]
    signed = {"signature": proof.method, "digest": digest, "nonce": nonce, "shown": signature.begun.shown}
    return [replace(answer, **signed) for answer in answers], []


def stop_medicine(visit: Visit, subject: Reviewed, form: StopForm, answers: list[Answer]) -> list[ErrorLine]:
    """Stop the medicine, or return the errors."""
    try:
        result = actions.stop(
            subject=subject,
            reason=form.code,
            words=form.cleaned_data["words"],
            answers=tuple(answers),
            by=visit.by,
            now=visit.now,
        )
    except DispensaryError as error:
        return error_lines(error, {"words": "id_words"})
    return refusal_lines(result, visit) if isinstance(result, Refused) else []


def source_words(subject: Reviewed) -> str:
    """Return the order by its number, or the recorded supply by its day."""
    if isinstance(subject, Prescription):
        return f"No. {order_number(subject)}"
    return f"supply of {day(subject.dispensed_on)} from elsewhere"


def takes_words(assessment: Assessment) -> str:
    """Return what the order or supply in question feeds: `45 mg a day`; empty where nothing of it is taken."""
    relation = assessment.therapy.relate_stop(assessment.ask.course)
    return describe_courses(assessment, relation.to) if relation.to else ""


def proposal_of(groups: Sequence[Group]) -> str:
    """Return the taper that the rules accept instead; empty where none is proposed."""
    return next((finding.proposal for group in groups for finding in group.findings if finding.proposal), "")


def stopped_words(visit: Visit, subject: Reviewed, before: Assessment) -> str:
    """Return what the stop has done."""
    risks = reminders.withdrawal_risk(pharmacy=visit.pharmacy, patient=subject.patient, now=visit.now)
    listed = f" On the withdrawal-risk list: {risks[0].words}." if risks else ""
    taken = takes_words(before) or "What was ordered"
    return f"{taken[:1].upper()}{taken[1:]} is stopped from today. Messages about it are withdrawn.{listed}"
