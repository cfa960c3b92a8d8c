"""An earlier supply that was made elsewhere, recorded from the patient's page."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from baclofen_rules import Reading, read_directions
from baclofen_rules.text import format_amount
from dispensary import policies
from dispensary.actions import patients
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm, posted_data
from dispensary.counter.new_order import day_field, stocked_strengths
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.documents.words import long_day, mg
from dispensary.errors import DispensaryError
from dispensary.models import Patient
from dispensary.models.patient import Relation

RELATIONS = (
    (Relation.SAME_COURSE.value, "It is what the patient takes, or took"),
    (Relation.CONCURRENT.value, "It is taken beside what is recorded here"),
)
DOSED = (
    "This cannot be read as one day\u2019s dose alone: type it as on a label, such as 10 mg three times a day. "
    "Record each dose of a plan as a supply of its own."
)
TARGETS = {
    "dispensed_on": "id_dispensed_on",
    "days_supply": "id_days_supply",
    "dose_since": "id_dose_since",
    "strength_mg": "id_strength_mg",
    "doses": "id_directions",
}


class EarlierSupplyForm(StyledForm):
    """One supply: when, how it is taken, for how long."""

    dispensed_on = day_field("Handed over on", required=True, words="Type the day on which it was handed over")
    directions = forms.CharField(
        label="How it is taken",
        max_length=200,
        help_text="As on a label: 10 mg three times a day",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": "Type how it is taken"},
    )
    strength_mg = forms.TypedChoiceField(
        label="Tablets of",
        coerce=Decimal,
        empty_value=None,
        required=False,
        help_text="Needed where the directions count tablets",
    )
    days_supply = forms.IntegerField(
        label="Days that it lasts",
        min_value=1,
        max_value=366,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "class": "nhsuk-input--width-4"}),
        error_messages={"required": "Type for how many days it lasts", "invalid": "Type the days as a number"},
    )
    dose_since = day_field("At this dose since, where that is known", required=False, words="Type a date")
    relation = forms.ChoiceField(
        label="How it stands to what is recorded here",
        choices=RELATIONS,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose how it stands to what is recorded here"},
    )

    def __init__(self, *args: object, strengths: Sequence[Decimal], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "Not known"), *((format_amount(strength), mg(strength)) for strength in strengths)]
        self.fields["strength_mg"].choices = choices  # type: ignore[attr-defined]  # a choice field


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_receive)
def earlier_supply(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Record a supply that another pharmacy or a hospital made; it counts for what the patient takes."""
    patient = visit.fetch(Patient.objects.select_related("pharmacy"), pk)
    form = EarlierSupplyForm(posted_data(request), strengths=stocked_strengths())
    errors = form_error_lines(form)
    if not form.is_bound:
        patients.record_opening(patient=patient, by=visit.by, now=visit.now)
    elif not errors:
        data = form.cleaned_data
        doses = read_doses(data, visit)
        if doses is None:
            form.add_error("directions", DOSED)
            errors = form_error_lines(form)
        else:
            errors = record(patient, data, doses, visit, request)
            if not errors:
                return redirect("counter:patient", pk)
    context = {"patient": patient, "form": form}
    return render_page(request, visit, "earlier_supply.html", context, errors=errors, status=422 if errors else 200)


def read_doses(data: dict[str, Any], visit: Visit) -> Sequence[Decimal] | None:
    """Return the doses of a day in mg; None where the directions do not say one day's doses without doubt, or say more than that."""
    reading = read_directions(
        data["directions"], strength_mg=data["strength_mg"], od_means_once_daily=visit.pharmacy.od_means_once_daily
    )
    if not isinstance(reading, Reading) or reading.as_needed or reading.max_mg_per_day or len(reading.phases) != 1:
        return None
    phase = reading.phases[0]
    says_only_doses = phase.days in {None, data["days_supply"]} and not reading.then_stop
    return phase.doses if says_only_doses else None


def record(
    patient: Patient, data: dict[str, Any], doses: Sequence[Decimal], visit: Visit, request: HttpRequest
) -> list[ErrorLine]:
    """Record the supply and say what was recorded; return the errors where it was not."""
    supply = {
        "dispensed_on": data["dispensed_on"].isoformat(),
        "doses": [format_amount(dose) for dose in doses],
        "days_supply": data["days_supply"],
        "relation": data["relation"],
    }
    if data["strength_mg"] is not None:
        supply["strength_mg"] = format_amount(data["strength_mg"])
    if data["dose_since"] is not None:
        supply["dose_since"] = data["dose_since"].isoformat()
    try:
        recorded = patients.record_history(patient=patient, supplies=[supply], by=visit.by, now=visit.now)
    except DispensaryError as error:
        return error_lines(error, {f"history[0].{name}": target for name, target in TARGETS.items()})
    amount = f"{mg(sum(doses, Decimal(0)))} a day for {data['days_supply']} days from {long_day(data['dispensed_on'])}"
    if recorded:
        messages.success(request, f"Recorded: {amount}.")
    else:
        messages.info(request, f"This supply was recorded already: {amount}. Nothing changed.")
    return []
