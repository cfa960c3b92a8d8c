"""The patient's page for decisions: what is taken today, and a form that records what a person says about it."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from baclofen_rules.text import format_amount
from baclofen_rules.therapy import CourseView, Therapy
from dispensary import policies
from dispensary.actions import therapy as actions
from dispensary.actions.decisions import Decided
from dispensary.assessment import therapy_of
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm, posted_data
from dispensary.counter.pages import error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.documents.words import NB, long_day
from dispensary.errors import DispensaryError
from dispensary.handover import order_number
from dispensary.models import Decision, DecisionKind, Mitigation, Patient, Prescription, PrescriptionStatus
from dispensary.models.therapy import RELATIONS
from dispensary.rows import decisions_of

KINDS = [choice for choice in DecisionKind.choices if choice[0] != DecisionKind.STOPPED]
TARGETS = {
    "object": "id_course",
    "subject": "id_order",
    "tablets": "id_amount",
    "mg": "id_amount",
    "days": "id_amount",
    "from": "id_starts_on",
    "words": "id_words",
    "mitigation": "id_mitigation",
}


class DecisionForm(StyledForm):
    """A decision about what a patient takes."""

    kind = forms.ChoiceField(
        label="What is decided",
        choices=KINDS,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what is decided"},
    )
    order = forms.ChoiceField(
        label="The prescription that replaces, continues or is taken beside it",
        required=False,
        widget=forms.Select,
    )
    course = forms.ChoiceField(
        label="What the patient takes that it is about",
        widget=forms.Select,
        error_messages={"required": "Choose what it is about"},
    )
    starts_on = forms.DateField(
        label="First day of the new dose, if not the day of the hand-over",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Type the day as a date"},
    )
    amount = forms.DecimalField(
        label="Tablets counted, mg taken a day, or days by which the dates move",
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "nhsuk-input--width-4", "autocomplete": "off"}),
        error_messages={"invalid": "Type a number"},
    )
    mitigation = forms.ChoiceField(
        label="What was done about it",
        choices=Mitigation.choices,
        widget=forms.Select,
        error_messages={"required": "Choose what was done about it"},
    )
    words = forms.CharField(
        label="In your words",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why"},
    )
    asked = forms.CharField(label="Who was asked, at the prescriber", required=False, max_length=120)

    def __init__(
        self, *args: Any, patient: Patient, therapy: Therapy, corrects: Decision | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.corrects = corrects
        orders = [
            order
            for order in patient.prescriptions.all()
            if order.status == PrescriptionStatus.ACTIVE or (corrects is not None and order.pk == corrects.order_id)
        ]
        cast("forms.ChoiceField", self.fields["order"]).choices = [
            ("", "None"),
            *((str(order.pk), order_words(order)) for order in orders),
        ]
        courses = [therapy.course(thread.course) for thread in therapy.threads]
        choices = {course.name: course_words(course) for course in courses}
        if corrects is not None:
            choices.setdefault(corrects.course, "What the wrong decision was about")
        cast("forms.ChoiceField", self.fields["course"]).choices = list(choices.items())

    def decided(self) -> Decided:
        """Return the decision for the action."""
        data = self.cleaned_data
        kind, amount = DecisionKind(data["kind"]), data["amount"]
        is_whole = amount is not None and amount == int(amount)
        return Decided(
            kind=kind,
            course=data["course"],
            starts_on=data["starts_on"],
            tablets=(amount,) if kind is DecisionKind.COUNTED and amount is not None else (),
            mg=amount if kind is DecisionKind.TAKES else None,
            days=int(amount) if kind is DecisionKind.MOVED and is_whole else None,
            words=data["words"],
            mitigation=data["mitigation"],
            asked=data["asked"],
            corrects=None if self.corrects is None else self.corrects.pk,
        )


def order_words(order: Prescription) -> str:
    """Return an order in a few words."""
    strength = "" if order.strength_mg is None else f", {format_amount(order.strength_mg)}{NB}mg tablets"
    return f"{order_number(order)}{strength}: {order.directions[:60]}"


def course_words(course: CourseView) -> str:
    """Return a course in a few words."""
    amount = "dose not known" if course.mg is None else f"{format_amount(Decimal(course.mg))}{NB}mg a day"
    most = "up to " if course.as_needed else ""
    until = "" if course.first_uncovered is None else f", no tablets from {long_day(course.first_uncovered)}"
    return f"{most}{amount} since {long_day(course.since)}{until}"


def initial_of(wrong: Decision | None) -> dict[str, Any]:
    """Return what the form about a wrong decision begins with: what that was about."""
    return {} if wrong is None else {"course": wrong.course, "order": wrong.order_id}


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_override)
def decide(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show what is taken today, and record a decision about it."""
    patient = visit.fetch(Patient.objects.select_related("pharmacy"), pk)
    therapy = therapy_of(patient, visit.today)
    decisions = sorted(decisions_of(patient), key=lambda row: row.decided_at, reverse=True)[:20]
    wrong = next((row for row in decisions if str(row.pk) == request.GET.get("corrects")), None)
    form = DecisionForm(
        posted_data(request), patient=patient, therapy=therapy, corrects=wrong, initial=initial_of(wrong)
    )
    errors = form_error_lines(form)
    orders = {str(order.pk): order for order in patient.prescriptions.all()}
    came_from = orders.get(request.GET.get("for", ""))
    if form.is_valid():
        chosen = form.cleaned_data["order"] if form.cleaned_data["kind"] in RELATIONS else ""
        order = orders[chosen] if chosen else None
        try:
            actions.record_decision(patient=patient, decided=form.decided(), order=order, by=visit.by, now=visit.now)
        except DispensaryError as error:
            errors = error_lines(error, TARGETS)
        else:
            messages.success(request, "Recorded what the patient takes.")
            return redirect("counter:check", came_from.pk) if came_from else redirect("counter:patient", pk)
    context = {
        "patient": patient,
        "came_from": came_from,
        "form": form,
        "day": therapy.day(visit.today),
        "decisions": decisions,
        "wrong": wrong,
    }
    return render_page(request, visit, "decide.html", context, errors=errors, status=422 if errors else 200)
