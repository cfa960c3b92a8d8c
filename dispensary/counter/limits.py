"""The page of the pharmacy's limits: every number with mark and source, to be printed, read and signed line by line."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from dispensary import policies
from dispensary.actions import limits as actions
from dispensary.actions.settings_changes import find_waiting
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm, posted_data
from dispensary.counter.log_lines import limit_value, place_title
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.settings import LABELS
from dispensary.counter.signing import SignatureForm
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.proof import Proof


class LimitsForm(StyledForm):
    """The lines that were read, and when they are to be read again."""

    lines = forms.MultipleChoiceField(
        error_messages={
            "required": "Tick the lines that you have read",
            "invalid_choice": "The limits have changed since you opened this page. Look at them again.",
        }
    )
    review_on = forms.DateField(
        label="To be read again on",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": "Say when they are to be read again", "invalid": "Type a date, such as 2027-11-30"},
    )


@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
@at_counter(policies.may_see_patients)
def limits(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show the limits to everybody at the counter; a pharmacist signs the lines that they have read."""
    lines = actions.lines_of(visit.pharmacy, visit.today)
    signed = actions.signed_lines(visit.pharmacy, visit.today)
    may_sign = policies.may_override(visit.by)
    form = LimitsForm(posted_data(request), initial={"review_on": visit.today + timedelta(days=365)})
    form.fields["lines"].choices = [(line.digest, place_title(line.place)) for line in lines]  # type: ignore[attr-defined]  # a choice field
    errors: list[ErrorLine] = []
    signature = None
    if may_sign:
        digest = actions.digest_of(line.digest for line in lines)
        signature = SignatureForm(posted_data(request), request, visit, None, digest)
        if request.method == "POST":
            result = sign(visit, form, signature)
            if isinstance(result, HttpResponse):
                return result
            errors = result
            if not errors:
                messages.success(request, "The lines are signed.")
                return redirect("counter:limits")
    context = {
        "waiting": find_waiting(visit.pharmacy),
        "labels": LABELS,
        "rows": [
            (place_title(line.place), limit_value(line.value, line.unit), line, signed.get(line.digest))
            for line in lines
        ],
        "open": sum(line.digest not in signed for line in lines),
        "form": form,
        "signature": signature,
        "ticked": request.POST.getlist("lines"),
    }
    return render_page(request, visit, "limits.html", context, errors=errors, status=422 if errors else 200)


def sign(visit: Visit, form: LimitsForm, signature: SignatureForm) -> list[ErrorLine] | HttpResponse:
    """Sign the ticked lines, or return the errors, or what a passkey is asked."""
    errors = [
        ErrorLine(line.words, "limits" if line.target.startswith("id_lines") else line.target)
        for line in form_error_lines(form)
    ]
    errors += form_error_lines(signature)
    typed = () if errors else (*sorted(form.cleaned_data["lines"]), form.cleaned_data["review_on"].isoformat())
    proof = signature.take_proof(errors, *typed)
    if not isinstance(proof, Proof):
        return proof
    try:
        actions.sign_limits(
            pharmacy=visit.pharmacy,
            digests=form.cleaned_data["lines"],
            review_on=form.cleaned_data["review_on"],
            method=proof.method,
            nonce=signature.cleaned_data["nonce"],
            by=visit.by,
            now=visit.now,
        )
    except DispensaryError as error:
        return error_lines(error, {"review_on": "id_review_on", "lines": "limits"})
    return []
