"""The identity of a patient: the correction of name, number and birth date, and the answer about a namesake."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods, require_POST

from dispensary import policies
from dispensary.actions import corrections, namesakes, patients
from dispensary.assessment import therapy_of
from dispensary.counter.access import at_counter
from dispensary.counter.decisions import course_words
from dispensary.counter.forms import StyledForm, posted_data
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError, InvalidInput, NotFound
from dispensary.handover import order_number
from dispensary.loading import read_record
from dispensary.models import CorrectionReason, Namesake, NamesakeAnswer, Patient
from dispensary.search import find_patients
from dispensary.templatetags.counter import born

MOST_SHOWN = 20
MOST_COMPARED = 5
"""Prescriptions that are named of each record."""
JOINED = 'The two records are one now, under the number {}. Wrong? <a href="{}">Part them again</a>.'
TYPED = {"autocomplete": "off", "spellcheck": "false"}


class IdentityForm(StyledForm):
    """Name, number and birth date of a patient, and why they change."""

    family_name = forms.CharField(
        label="Family name",
        max_length=120,
        widget=forms.TextInput(attrs=TYPED),
        error_messages={"required": "Type the family name"},
    )
    given_name = forms.CharField(
        label="Given names", max_length=120, required=False, widget=forms.TextInput(attrs=TYPED)
    )
    printed_name = forms.CharField(
        label="Name as printed, where it differs",
        max_length=80,
        required=False,
        help_text="For a name whose letters no font here has: in letters that can be printed, as in a passport",
        widget=forms.TextInput(attrs=TYPED),
    )
    birth_date = forms.DateField(
        label="Date of birth",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Type the date of birth as a date"},
    )
    identifier = forms.CharField(
        label="Patient's number",
        max_length=64,
        widget=forms.TextInput(attrs=TYPED),
        error_messages={"required": "Type the number"},
    )
    reason = forms.ChoiceField(
        label="Why it changes",
        choices=CorrectionReason.choices[:2],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose why it changes"},
    )
    words = forms.CharField(
        label="In your words",
        required=False,
        max_length=250,
        help_text="What you saw or were told: a passport, a marriage certificate",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    version = forms.IntegerField(widget=forms.HiddenInput)


def group_namesakes(patient: Patient) -> dict[str, list[Patient]]:
    """Return the other records that may be of the patient: those asked about, and those of other people."""
    records = patient.namesakes
    return {
        "asked": [record.patient for record in records if record.is_open],
        "others": [record.patient for record in records if not record.is_open],
    }


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_receive)
def correct(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Correct who a patient is; the old and the new value are recorded with the reason."""
    patient = visit.fetch(Patient.objects.select_related("pharmacy"), pk)
    initial = {name: getattr(patient, name) for name in (*corrections.IDENTITY, "version")}
    form = IdentityForm(posted_data(request), initial=initial)
    errors = form_error_lines(form)
    if form.is_valid():
        data: dict[str, Any] = form.cleaned_data
        changes = {name: data[name] for name in corrections.IDENTITY if name in data}
        if patient.birth_date is None and changes["birth_date"] is None:
            del changes["birth_date"]
        try:
            corrections.correct_identity(
                patient=patient,
                changes=changes,
                reason=data["reason"],
                words=" ".join(data["words"].split()),
                version=data["version"],
                by=visit.by,
                now=visit.now,
            )
        except DispensaryError as error:
            errors = error_lines(error, {f"patient.{name}": f"id_{name}" for name in form.fields})
        else:
            return redirect("counter:patient", pk)
    return render_page(
        request, visit, "correct.html", {"patient": patient, "form": form}, errors=errors, status=422 if errors else 200
    )


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_receive)
def find_same(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Find another record of a patient by name or number. Names are posted, so that none is in an address."""
    patient = visit.fetch(Patient.objects.select_related("pharmacy"), pk)
    words = request.POST.get("q", "").strip()[:200]
    context: dict[str, Any] = {"patient": patient, "q": words}
    errors: list[ErrorLine] = []
    if words:
        try:
            hits = [record for record in find_patients(visit.pharmacy, words)[: MOST_SHOWN + 1] if record != patient]
        except InvalidInput as error:
            errors = error_lines(error, {"words": "q"})
        else:
            patients.record_search(pharmacy=visit.pharmacy, words=words, count=len(hits), by=visit.by, now=visit.now)
            context |= {"searched": True, "hits": hits[:MOST_SHOWN], "has_more": len(hits) > MOST_SHOWN}
    return render_page(request, visit, "same_person.html", context, errors=errors, status=422 if errors else 200)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_receive)
def join_records(request: HttpRequest, visit: Visit, pk: uuid.UUID, other: uuid.UUID) -> HttpResponse:
    """Show two records side by side, and join them when somebody confirms that they are of one person."""
    if pk == other:
        raise NotFound("A record is not joined to itself.")
    rows = Patient.objects.select_related("pharmacy", "joined_to")
    records = [visit.fetch(rows, key) for key in (pk, other)]
    order, words = _read_order(request.GET), " ".join(request.POST.get("words", "").split())
    errors: list[ErrorLine] = []
    if request.method == "POST":
        try:
            record = namesakes.answer_namesake(
                patient=records[0], other=other, answer=NamesakeAnswer.SAME, words=words, by=visit.by, now=visit.now
            )
        except DispensaryError as error:
            errors = error_lines(error, {"words": "words"})
        else:
            joined = next(row.pk for row in records if row != record)
            part = f"{reverse('counter:patient', args=[joined])}#part"
            messages.success(request, format_html(JOINED, record.identifier, part))
            return _redirect_back(order, record)
    else:
        for row in records:
            patients.record_opening(patient=row, by=visit.by, now=visit.now)
    is_asked = Namesake.objects.filter(Q(patient=pk, other=other) | Q(patient=other, other=pk)).exists()
    context = {
        "patient": records[0],
        "order": order,
        "words": words,
        "must_explain": not is_asked,
        "compared": [
            ("Name", [str(row) for row in records]),
            ("Born", [born(row.birth_date) if row.birth_date else "not known" for row in records]),
            ("Sex", [row.get_sex_display().lower() for row in records]),
            ("Number", [row.identifier for row in records]),
            ("Takes", [_describe_therapy(row, visit) for row in records]),
            ("Prescriptions", [_describe_orders(row) for row in records]),
        ],
    }
    return render_page(request, visit, "join_records.html", context, errors=errors, status=422 if errors else 200)


def _describe_therapy(patient: Patient, visit: Visit) -> str:
    read_record(patient.pk, patient)
    therapy = therapy_of(patient, visit.today)
    courses = [course_words(therapy.course(thread.last_course)) for thread in therapy.threads]
    return "; ".join(courses) or "no baclofen that is known here"


def _describe_orders(patient: Patient) -> str:
    orders = sorted(patient.prescriptions.all(), key=lambda order: order.received_at, reverse=True)
    words = [f"{order_number(order)} ({order.get_status_display().lower()})" for order in orders[:MOST_COMPARED]]
    if len(orders) > MOST_COMPARED:
        words.append(f"{len(orders) - MOST_COMPARED} earlier")
    return ", ".join(words) or "none"


def _read_order(data: QueryDict) -> uuid.UUID | None:
    """Return the order that an answer comes from; None where it comes from a patient's record."""
    try:
        return uuid.UUID(data.get("order", ""))
    except ValueError:
        return None


def _redirect_back(order: uuid.UUID | None, patient: Patient) -> HttpResponse:
    return redirect("counter:patient", patient.pk) if order is None else redirect("counter:check", order)


@require_POST
@at_counter(policies.may_receive)
def answer_namesake(request: HttpRequest, visit: Visit, pk: uuid.UUID, other: uuid.UUID) -> HttpResponse:
    """Record that two records are of two people, and return to the order or the record that the answer came from.

    That they are of one person is confirmed on a page that shows both.
    """
    patient = visit.fetch(Patient.objects.select_related("pharmacy", "joined_to"), pk)
    answer, words = request.POST.get("answer", ""), " ".join(request.POST.get("words", "").split())
    if answer == NamesakeAnswer.SAME:
        return redirect("counter:join-records", pk, other)
    try:
        record = namesakes.answer_namesake(
            patient=patient, other=other, answer=answer, words=words, by=visit.by, now=visit.now
        )
    except InvalidInput as error:
        if patient.joined_to is None:
            raise
        messages.error(request, f"{error_lines(error, {})[0].words} Nothing was changed.")
        return redirect("counter:patient", patient.pk)
    if patient.joined_to:
        messages.success(request, "The two records are of two people again.")
    return _redirect_back(_read_order(request.POST), record)
