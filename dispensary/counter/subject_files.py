"""Patients' files for the patients: requests, the reading and the decision of a second manager, and the released file."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from dispensary import policies
from dispensary.actions import subject_files
from dispensary.actions.long_exports import KEPT
from dispensary.actions.person_records import event_label, is_look
from dispensary.actions.subject_files import Prepared
from dispensary.counter.access import at_counter
from dispensary.counter.audit_desk import OF_A_LOG, format_value
from dispensary.counter.forms import StyledForm
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.models import Patient, SubjectRequest, SubjectRequestState

SOON = timedelta(days=7)
"""A request that is due within so many days is marked [D]."""


class RequestForm(StyledForm):
    """A patient's request for what is recorded about them."""

    received_on = forms.DateField(
        label="Asked for on",
        validators=OF_A_LOG,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": "Say on which day the patient asked"},
    )
    identity = forms.CharField(
        label="How you checked who asks",
        max_length=250,
        help_text="Such as: passport seen at the counter; letter of their solicitor.",
        error_messages={"required": "Say how you checked who asks"},
    )


class DecisionForm(StyledForm):
    """The decision of the second manager."""

    sha256 = forms.CharField(widget=forms.HiddenInput, required=False)
    names_staff = forms.BooleanField(label="Name who only looked", required=False)
    words = forms.CharField(
        label="Reason",
        required=False,
        max_length=500,
        help_text="Needed to refuse, to leave out details, and to name who only looked. The patient is told it.",
    )


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_decide_file)
def request_file(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Ask for a patient's file to be prepared."""
    patient = visit.fetch(Patient.objects.all(), pk)
    form = RequestForm(request.POST if request.method == "POST" else None, initial={"received_on": visit.today})
    errors: list[ErrorLine] = []
    if request.method == "POST":
        errors = form_error_lines(form) if not form.is_valid() else []
        if not errors:
            try:
                asked = subject_files.request_file(patient_id=pk, **form.cleaned_data, by=visit.by, now=visit.now)
            except DispensaryError as error:
                errors = error_lines(error, {name: f"id_{name}" for name in form.fields})
            else:
                return redirect("counter:audit-file", asked.pk)
    context = {"form": form, "patient": patient}
    return render_page(request, visit, "audit_file_request.html", context, errors=errors, status=422 if errors else 200)


@require_safe
@at_counter(policies.may_read_log)
def list_files(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List the requests for patients' files: those that wait by the day on which they are due, then the others."""
    rows = list(subject_files.list_requests(visit.by))
    waiting = sorted((row for row in rows if row.decided_at is None), key=lambda row: row.answer_by)
    context = {
        "waiting": [(row, row.answer_by < visit.today, row.answer_by <= visit.today + SOON) for row in waiting],
        "decided": [row for row in rows if row.decided_at is not None],
    }
    return render_page(request, visit, "audit_files.html", context)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_read_log)
def show_file(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show a request, and to managers while it waits what was prepared; take the decision."""
    asked = subject_files.find_request(request_id=pk, by=visit.by)
    errors: list[ErrorLine] = []
    status = 200
    form = DecisionForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        try:
            asked = _decide(request, visit, asked, form)
        except DispensaryError as error:
            errors = error_lines(error, {"words": "id_words"})
            status = error.status
        else:
            messages.success(request, "The decision stands in the log.")
            return redirect("counter:audit-file", asked.pk)
    prepared: Prepared | None = None
    trouble = ""
    is_open = asked.state == SubjectRequestState.WAITING
    if is_open and policies.may_decide_file(visit.by):
        try:
            prepared = subject_files.read_prepared(request_id=pk, by=visit.by, now=visit.now)
        except DispensaryError as error:
            trouble = str(error.detail)
    context: dict[str, Any] = {
        "asked": asked, "form": form, "prepared": prepared, "trouble": trouble, "is_open": is_open,
        "is_own": asked.requested_by == visit.by.name, "may_decide": policies.may_decide_file(visit.by),
        "facts": _pairs(prepared.facts) if prepared else [],
        "events": [_with_words(line) for line in prepared.lines if not is_look(line)] if prepared else [],
        "looks": [_with_words(line) for line in prepared.lines if is_look(line)] if prepared else [],
        "withheld": request.POST.getlist("withheld"),
        "gone_at": asked.decided_at and asked.decided_at + KEPT,
        "is_gone": asked.decided_at is not None and asked.decided_at <= visit.now - KEPT,
        "readings": subject_files.list_readings(asked),
    }  # fmt: skip
    return render_page(request, visit, "audit_file.html", context, errors=errors, status=status)


@require_safe
@at_counter(policies.may_read_file)
def open_file(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Send a released file."""
    content = subject_files.open_file(request_id=pk, by=visit.by, now=visit.now)
    response = HttpResponse(content, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="person-{pk}.zip"'
    return response


def _with_words(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line with what a page needs."""
    return line | {
        "moment": datetime.fromisoformat(line["at"]),
        "label": event_label(line["action"]),
        "pairs": _pairs(line["details"] or {}),
    }


def _pairs(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, format_value(value)) for name, value in values.items()]


def _decide(request: HttpRequest, visit: Visit, asked: SubjectRequest, form: DecisionForm) -> SubjectRequest:
    form.full_clean()
    data = form.cleaned_data
    common: dict[str, Any] = {"request_id": asked.pk, "words": data.get("words", ""), "by": visit.by, "now": visit.now}
    if request.POST.get("do") == "refuse":
        return subject_files.refuse_file(**common)
    numbers = [int(text) for text in request.POST.getlist("withheld") if text.isdecimal() and len(text) < 19]
    return subject_files.release_file(
        sha256=data["sha256"], withheld=numbers, names_staff=data["names_staff"], **common
    )
