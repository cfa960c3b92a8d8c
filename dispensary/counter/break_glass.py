"""The page on which a pharmacist opens the record of another pharmacy's patient in an emergency."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from dispensary import policies
from dispensary.actions.break_glass import SHORTEST_REASON, EmergencyRecord, open_records, read_emergency
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm, posted_data
from dispensary.counter.pages import error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError


class BreakGlassForm(StyledForm):
    """The person whose record is opened, and the reason."""

    family_name = forms.CharField(
        label="Family name, in full", max_length=120, error_messages={"required": "Type the family name"}
    )
    birth_date = forms.DateField(
        label="Date of birth",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": "Type the date of birth", "invalid": "Type a date, such as 1974-02-03"},
    )
    reason = forms.CharField(
        label="What the emergency is",
        max_length=250,
        min_length=SHORTEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say what the emergency is", "min_length": "Say a little more"},
    )


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_override)
def break_glass(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Ask for name, birth date and reason; then show what is known elsewhere, which nobody can change here."""
    form = BreakGlassForm(posted_data(request))
    errors = form_error_lines(form)
    records: list[EmergencyRecord] | None = None
    if form.is_valid():
        try:
            patients = open_records(**form.cleaned_data, by=visit.by, now=visit.now)
            records = [read_emergency(patient, now=visit.now) for patient in patients]
        except DispensaryError as error:
            errors = error_lines(error, {name: f"id_{name}" for name in form.fields})
    context = {"form": form, "records": records}
    return render_page(request, visit, "break_glass.html", context, errors=errors, status=422 if errors else 200)
