"""The second pharmacist's page: sign what a colleague has signed first, here or from an own session; and the list of what waits."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from dispensary import policies
from dispensary.actions import patients, second_signatures
from dispensary.actions.pharmacies import possible_signers
from dispensary.actions.second_signatures import MOST_DAYS_ALONE, Signed, alone_from, digest_waiting, find_waiting
from dispensary.counter.access import at_counter
from dispensary.counter.check_view import select_prescriptions
from dispensary.counter.forms import StyledForm, posted_data
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.signing import SignatureForm
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.handover import order_number
from dispensary.models import Override, OverrideState, Prescription, StaffMember
from dispensary.proof import Proof

ALONE = "alone"
"""Value of `signer` in the address where the first signer goes on alone."""


class AloneForm(StyledForm):
    """The reason why the first signer signs alone."""

    because = forms.CharField(
        label="Alone, because",
        max_length=250,
        min_length=3,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why nobody else signs", "min_length": "Say a little more"},
    )


@require_safe
@at_counter(policies.may_override)
def waiting(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List the answers that wait for a second pharmacist, the oldest on top."""
    answers = (
        Override.objects.filter(prescription__pharmacy=visit.pharmacy, state=OverrideState.WAITING)
        .select_related("prescription__patient")
        .order_by("signed_at")[:200]
    )
    return render_page(request, visit, "second_waiting.html", {"answers": answers})


@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
@at_counter(policies.may_override)
def second(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show what a first pharmacist signed, and take the second's signature, or the reason why there is none."""
    prescription = visit.fetch(select_prescriptions(), pk)
    answers = find_waiting(prescription)
    if not answers:
        messages.info(request, "Nothing on this prescription waits for a second pharmacist.")
        return redirect("counter:check", pk)
    is_first = any(answer.signed_by == visit.by.name for answer in answers)
    colleagues = [m for m in possible_signers(visit.pharmacy) if all(m.actor().name != a.signed_by for a in answers)]
    signer = choose_signer(request, visit, colleagues, is_first=is_first)
    is_alone = is_first and request.GET.get("signer") == ALONE
    alone_at = alone_from(answers, visit.pharmacy)
    alone = AloneForm(posted_data(request)) if is_alone else None
    signature = None
    if signer is not None:
        digest = digest_waiting(answers)
        signature = SignatureForm(posted_data(request), request, visit, prescription, digest, signer=signer)
    errors: list[ErrorLine] = []
    if signer is not None and signature is not None and request.method == "POST":
        result = sign(visit, prescription, signer, signature, alone)
        if isinstance(result, HttpResponse):
            return result
        errors = result
        if not errors:
            return redirect("counter:check", pk)
    elif request.method == "GET":
        patients.record_opening(patient=prescription.patient, by=visit.by, now=visit.now)
    context = {
        "prescription": prescription,
        "patient": prescription.patient,
        "number": order_number(prescription),
        "answers": answers,
        "colleagues": colleagues if is_first else [],
        "signer": signer,
        "signature": signature,
        "alone": alone,
        "may_be_alone": is_first and alone_at <= visit.now and second_signatures.goes_on(prescription, visit.now),
        "alone_in": minutes_until(alone_at, visit.now) if is_first else 0,
        "most_days": MOST_DAYS_ALONE,
    }
    return render_page(request, visit, "second.html", context, errors=errors, status=422 if errors else 200)


def choose_signer(
    request: HttpRequest, visit: Visit, colleagues: list[StaffMember], *, is_first: bool
) -> StaffMember | None:
    """Return who signs: whoever is signed in, unless they signed first; then whom the address names, or themselves alone."""
    if not is_first or request.GET.get("signer") == ALONE:
        return visit.member
    return next((member for member in colleagues if str(member.pk) == request.GET.get("signer")), None)


def sign(
    visit: Visit, prescription: Prescription, signer: StaffMember, signature: SignatureForm, alone: AloneForm | None
) -> list[ErrorLine] | HttpResponse:
    """Sign, or return the errors, or what a passkey is asked."""
    lines = (form_error_lines(alone) if alone is not None else []) + form_error_lines(signature)
    typed = [] if lines or alone is None else [alone.cleaned_data["because"]]
    proof = signature.take_proof(lines, *typed)
    if not isinstance(proof, Proof):
        return proof
    signed = Signed(proof.method, signature.begun.shown, signature.cleaned_data["nonce"])
    by = signer.actor().at(visit.by.station, visit.by.request_id)
    try:
        if alone is None:
            second_signatures.sign_second(prescription=prescription, signed=signed, by=by, now=visit.now)
        else:
            second_signatures.sign_alone(
                prescription=prescription, signed=signed, because=typed[0], by=by, now=visit.now
            )
    except DispensaryError as error:
        return error_lines(error, {"because": "id_because"})
    return []


def minutes_until(moment: datetime, now: datetime) -> int:
    """Return the minutes until a moment, rounded up; 0 where it has passed."""
    return max(0, -(-(moment - now) // timedelta(minutes=1)))
