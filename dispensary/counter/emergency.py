"""An emergency supply: what the patient takes, for a few days, without an order of a prescriber."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from baclofen_rules.text import format_amount
from dispensary import policies
from dispensary.actions import emergencies, patients
from dispensary.counter.access import at_counter
from dispensary.counter.forms import posted_data
from dispensary.counter.identities import group_namesakes
from dispensary.counter.new_order import MOST_PRESCRIBERS, PrescriberForm, find_prescriber, stocked_strengths
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.documents.words import mg
from dispensary.errors import DispensaryError, InvalidInput
from dispensary.handover import order_number
from dispensary.models import Patient, Prescriber, Prescription
from dispensary.models.prescription import OPEN_STATUSES

TARGETS = {"days": "id_days", "strength_mg": "id_strength_mg"}


class EmergencyForm(PrescriberForm):
    """For how many days, of which tablets, and who is to order them."""

    days = forms.IntegerField(
        label="Days",
        min_value=1,
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "off", "data-focus": "", "class": "nhsuk-input--width-4"}
        ),
        error_messages={"required": "Type for how many days", "invalid": "Type the days as a number, such as 3"},
    )
    strength_mg = forms.TypedChoiceField(
        label="Baclofen tablets of",
        coerce=Decimal,
        error_messages={"required": "Choose the strength of the tablets"},
    )

    def __init__(
        self, data: Mapping[str, Any] | None, *, strengths: Sequence[Decimal], initial: Mapping[str, Any]
    ) -> None:
        super().__init__(data, initial=initial)
        self.fields["prescriber"].label = "Who treats the patient and owes the order: name or number"
        self.fields["prescriber"].widget.attrs.pop("data-focus", None)
        self.fields["strength_mg"].choices = [("", "Choose"), *((format_amount(s), mg(s)) for s in strengths)]  # type: ignore[attr-defined]  # a choice field


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_override)
def emergency(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show what an emergency supply would be, and arrange it; the rules and the signature follow on the check page."""
    patient = visit.fetch(Patient.objects.select_related("pharmacy"), pk)
    most = emergencies.most_days(visit.pharmacy, visit.today)
    errors: list[ErrorLine] = []
    last_dose, form = None, None
    try:
        last_dose = emergencies.find_last_dose(patient, on=visit.today)
    except InvalidInput as error:
        errors = error_lines(error, {})
    if request.method == "GET":
        patients.record_opening(patient=patient, by=visit.by, now=visit.now)
    if last_dose is not None:
        writer = last_dose.prescriber
        form = EmergencyForm(
            posted_data(request),
            strengths=stocked_strengths(),
            initial={
                "days": most,
                "strength_mg": None if last_dose.strength_mg is None else format_amount(last_dose.strength_mg),
                "prescriber": "" if writer is None else f"{writer.name}, {writer.identifier}",
            },
        )
        if form.is_bound:
            errors = form_error_lines(form)
            prescriber = find_prescriber(form, visit, errors)
            if not errors and prescriber is not None:
                try:
                    return redirect("counter:check", arrange(form, patient, prescriber, visit).pk)
                except DispensaryError as error:
                    errors = error_lines(error, TARGETS)
    orders = patient.prescriptions.filter(status__in=OPEN_STATUSES).order_by("-received_at")
    context = {
        "patient": patient,
        "namesakes": group_namesakes(patient),
        "last_dose": last_dose,
        "form": form,
        "most": most,
        "prescribers": Prescriber.objects.filter(pharmacy=visit.pharmacy)[:MOST_PRESCRIBERS],
        "open_orders": [(order, order_number(order)) for order in orders],
    }
    return render_page(request, visit, "emergency.html", context, errors=errors, status=422 if errors else 200)


def arrange(
    form: EmergencyForm, patient: Patient, prescriber: Prescriber | Mapping[str, str], visit: Visit
) -> Prescription:
    """Take in the pharmacist's own order."""
    done = emergencies.arrange(
        patient=patient,
        days=form.cleaned_data["days"],
        strength_mg=form.cleaned_data["strength_mg"],
        prescriber=prescriber,
        by=visit.by,
        now=visit.now,
    )
    return done.prescription
