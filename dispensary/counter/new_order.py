"""A new prescription from paper: typed by keyboard, read back while typing, taken in and reviewed at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from baclofen_rules.text import format_amount
from dispensary import policies
from dispensary.actions import patients
from dispensary.actions.handover_problems import BACLOFEN
from dispensary.actions.intake import Intake, take_in
from dispensary.conf import conf
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm, posted_data
from dispensary.counter.identities import TYPED, group_namesakes
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.read_back import ReadBack, read_back
from dispensary.counter.visit import Visit
from dispensary.documents.words import mg
from dispensary.errors import DispensaryError
from dispensary.handover import order_number
from dispensary.models import Patient, Prescriber, Prescription, Product, Source
from dispensary.models.prescription import OPEN_STATUSES
from dispensary.search import find_prescribers

TYPED_HERE = "urn:dispensary:typed-at-the-counter"
"""The system of the key that makes one order of a form sent twice."""
MOST_PRESCRIBERS = 300
"""Prescribers that the field offers while typing."""
TARGETS = {
    "prescription.written_on": "id_written_on",
    "prescription.directions": "id_directions",
    "prescription.quantity": "id_quantity",
    "prescription.repeats": "id_repeats",
    "prescription.strength_mg": "id_strength_mg",
    "prescription.starts_on": "id_starts_on",
    "prescriber.identifier": "id_new_number",
    "prescriber.name": "id_new_name",
}


def day_field(label: str, *, required: bool, words: str) -> forms.DateField:
    """Return a field for a day."""
    return forms.DateField(
        label=label,
        required=required,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": words, "invalid": words},
    )


class PrescriberForm(StyledForm):
    """A prescriber: recorded here, or typed for the first time."""

    prescriber = forms.CharField(
        label="Prescriber: name or number",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=TYPED | {"list": "prescribers", "data-focus": ""}),
    )
    new_name = forms.CharField(label="Name", required=False, max_length=120, widget=forms.TextInput(attrs=TYPED))
    new_number = forms.CharField(
        label="Registration number", required=False, max_length=64, widget=forms.TextInput(attrs=TYPED)
    )
    new_phone = forms.CharField(label="Telephone", required=False, max_length=32, widget=forms.TextInput(attrs=TYPED))


class OrderForm(PrescriberForm):
    """An order as it stands on paper."""

    written_on = day_field("Written on", required=True, words="Type the date on the prescription")
    strength_mg = forms.TypedChoiceField(
        label="Baclofen tablets of",
        coerce=Decimal,
        error_messages={"required": "Choose the strength of the tablets"},
    )
    brand = forms.CharField(
        label="Brand, if it is written", required=False, max_length=200, widget=forms.TextInput(attrs=TYPED)
    )
    directions = forms.CharField(
        label="Directions, as they are written",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        error_messages={"required": "Type the directions as they are written"},
    )
    expected_days = forms.IntegerField(
        label="Days to supply, where they have no end",
        required=False,
        min_value=1,
        max_value=366,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        error_messages={"invalid": "Type the days as a number, such as 28"},
    )
    follows = forms.ChoiceField(
        label="After the last dose",
        required=False,
        choices=[("", "As the directions say"), ("continues", "The medicine goes on"), ("stops", "The medicine ends")],
    )
    quantity = forms.DecimalField(
        label="Tablets ordered",
        required=False,
        min_value=Decimal("0.5"),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"invalid": "Type the tablets as a number, such as 84"},
    )
    repeats = forms.IntegerField(
        label="Repeats",
        required=False,
        min_value=0,
        max_value=99,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        error_messages={"invalid": "Type the repeats as a number, such as 0"},
    )
    starts_on = day_field("Planned start, if it is written", required=False, words="Type the planned start as a date")
    replaces = forms.ChoiceField(label="It replaces", required=False)
    as_written = forms.BooleanField(label="Take it in as it is written; ask the prescriber later", required=False)
    key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(
        self,
        data: Mapping[str, Any] | None,
        *,
        strengths: list[Decimal],
        orders: list[Prescription],
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=dict(initial or {}) | {"key": uuid.uuid4().hex})
        self.fields["strength_mg"].choices = [("", "Choose"), *((format_amount(s), mg(s)) for s in strengths)]  # type: ignore[attr-defined]  # a choice field
        choices = [(str(order.pk), f"No. {order_number(order)}, {order.directions[:60]}") for order in orders]
        self.fields["replaces"].choices = [("", "No other order"), *choices]  # type: ignore[attr-defined]  # a choice field

    def clean_quantity(self) -> Decimal | None:
        quantity: Decimal | None = self.cleaned_data["quantity"]
        if quantity is not None and (not quantity.is_finite() or quantity > conf().max_quantity or (quantity * 2) % 1):
            raise forms.ValidationError(f"Type whole or half tablets, at most {conf().max_quantity}")
        return quantity


@dataclass(frozen=True, slots=True)
class Typed:
    """An order as far as its fields can be read."""

    order: dict[str, Any]
    back: ReadBack | None
    """None without directions."""


def read_typed(form: OrderForm, visit: Visit) -> Typed:
    """Return the order in the case format, and what it says."""
    form.is_valid()
    data = form.cleaned_data
    starts_on: date | None = data.get("starts_on")
    order: dict[str, Any] = {
        "medicine": {"name": BACLOFEN},
        "route": "oral",
        "form": "tablet",
        "written_on": data["written_on"].isoformat() if data.get("written_on") else None,
        "strength_mg": data.get("strength_mg") or None,
        "brand": data.get("brand") or None,
        "directions": data.get("directions") or None,
        "quantity": data.get("quantity"),
        "expected_days": data.get("expected_days"),
        "repeats": data.get("repeats") or 0,
        "starts_on": starts_on.isoformat() if starts_on else None,
        "then_stop": {"continues": False, "stops": True}.get(data.get("follows", "")),
    }
    order = {name: value for name, value in order.items() if value is not None}
    if "directions" not in order:
        return Typed(order, None)
    back = read_back(order, pharmacy=visit.pharmacy, on=starts_on or visit.today)
    if back.then_stop is not None:
        order.setdefault("then_stop", back.then_stop)
    return Typed(order, back)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_receive)
def new_order(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Take in a typed order, or show it again with what is missing; `read` only reads it back and names that."""
    patient = visit.fetch(Patient.objects.select_related("pharmacy"), pk)
    form = make_form(request, patient)
    typed = read_typed(form, visit) if form.is_bound else None
    errors: list[ErrorLine] = []
    missing: list[ErrorLine] = []
    if typed is None:
        patients.record_opening(patient=patient, by=visit.by, now=visit.now)
    else:
        order, errors, missing = take_typed(
            request, form, typed, visit, lambda prescriber: receive(form, typed, patient, prescriber, visit)
        )
        if order is not None:
            return redirect("counter:check", order.pk)
    context = context_of(patient, form, typed, visit) | {"missing": missing}
    return render_page(request, visit, "new_order.html", context, errors=errors, status=422 if errors else 200)


def take_typed(
    request: HttpRequest,
    form: OrderForm,
    typed: Typed,
    visit: Visit,
    take: Callable[[Prescriber | dict[str, str]], Prescription],
) -> tuple[Prescription | None, list[ErrorLine], list[ErrorLine]]:
    """Take a typed order in by `take`; return it, or what is wrong with it. `read` only reads it back: the last list says what is missing."""
    missing = missing_lines(form, typed)
    prescriber = find_prescriber(form, visit, missing)
    if "read" in request.POST:
        return None, [], missing
    errors = form_error_lines(form) + missing
    if errors or prescriber is None:
        return None, errors, []
    try:
        return take(prescriber), [], []
    except DispensaryError as error:
        return None, error_lines(error, TARGETS | {"reason": "id_reason"}), []


def context_of(patient: Patient, form: OrderForm, typed: Typed | None, visit: Visit) -> dict[str, Any]:
    """Return what the page of a typed order shows."""
    return {
        "patient": patient,
        "namesakes": group_namesakes(patient),
        "form": form,
        "back": typed.back if typed else None,
        "prescribers": Prescriber.objects.filter(pharmacy=visit.pharmacy)[:MOST_PRESCRIBERS],
        "asks_as_written": bool(typed and typed.back and typed.back.question),
    }


@require_POST
@at_counter(policies.may_receive)
def read_order(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Read the typed order back, as a part of the page."""
    patient = visit.fetch(Patient.objects.select_related("pharmacy"), pk)
    typed = read_typed(make_form(request, patient), visit)
    return render_page(request, visit, "parts/read_back.html", {"back": typed.back})


def make_form(
    request: HttpRequest,
    patient: Patient,
    form_class: type[OrderForm] = OrderForm,
    initial: Mapping[str, Any] | None = None,
    *,
    but_not: Prescription | None = None,
) -> OrderForm:
    """Return the form with the strengths that are known here, and the patient's open orders `but_not` that one."""
    orders = patient.prescriptions.filter(status__in=OPEN_STATUSES).order_by("-received_at")
    return form_class(
        posted_data(request),
        strengths=stocked_strengths(),
        orders=[order for order in orders[:20] if order != but_not],
        initial=initial,
    )


def stocked_strengths() -> list[Decimal]:
    """Return the strengths of the baclofen tablets that are known here, smallest first."""
    products = Product.objects.filter(ingredient__iexact=BACLOFEN).order_by("strength_mg")
    return list(products.values_list("strength_mg", flat=True).distinct())


def missing_lines(form: OrderForm, typed: Typed) -> list[ErrorLine]:
    """Return what the order needs beside its fields: readable directions, what follows them, and tablets."""
    back, data = typed.back, form.cleaned_data
    lines = []
    if back and back.question and not data.get("as_written"):
        words = f"The directions cannot be read without doubt at “{back.about}”. {back.question}"
        lines.append(ErrorLine(words, "id_directions"))
    if back and back.sentence and not back.ends_open and "then_stop" not in typed.order:
        lines.append(ErrorLine("Say whether the medicine goes on or ends after the last dose", "id_follows"))
    if data.get("quantity") is None and "quantity" not in form.errors:
        needed = f"; the directions need {format_amount(back.tablets_needed)}" if back and back.tablets_needed else ""
        lines.append(ErrorLine(f"Type how many tablets are ordered{needed}", "id_quantity"))
    return lines


def find_prescriber(form: PrescriberForm, visit: Visit, errors: list[ErrorLine]) -> Prescriber | dict[str, str] | None:
    """Return the prescriber as recorded, or as typed for a new one; adds to `errors` where there is none, or several."""
    data = form.cleaned_data
    if data.get("new_name") or data.get("new_number"):
        if data.get("new_name") and data.get("new_number"):
            return {"name": data["new_name"], "identifier": data["new_number"], "phone": data.get("new_phone", "")}
        errors.append(ErrorLine("Type name and registration number of the new prescriber", "id_new_name"))
        return None
    words = data.get("prescriber", "")
    name, _, number = words.rpartition(", ")
    hits = list(find_prescribers(visit.pharmacy, words)[:2]) if words else []
    exact = list(Prescriber.objects.filter(pharmacy=visit.pharmacy, name=name, identifier=number)[:2]) if name else []
    hits = exact or hits
    if len(hits) == 1:
        return hits[0]
    problem = "Type the prescriber" if not words else "Nobody here has this name or number: add the prescriber below"
    errors.append(ErrorLine("Several prescribers match: type the number as well" if hits else problem, "id_prescriber"))
    return None


def receive(
    form: OrderForm,
    typed: Typed,
    patient: Patient,
    prescriber: Prescriber | dict[str, str] | None,
    visit: Visit,
    *,
    replaces: Prescription | None = None,
    notes: Sequence[str] = (),
) -> Prescription:
    """Take the order in, in place of `replaces` or of the one that was chosen; the same form sent twice is one order."""
    assert prescriber is not None  # no errors
    data = form.cleaned_data
    done = take_in(
        Intake(
            patient=patient,
            prescriber=prescriber,
            order=typed.order,
            source=Source.COUNTER,
            document=document_of(data),
            replaces=replaces or replaced_by(data, patient),
            notes=notes,
            identifiers=[(TYPED_HERE, data["key"])],
        ),
        pharmacy=visit.pharmacy,
        by=visit.by,
        now=visit.now,
    )
    return done.prescription


def document_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Return what was typed, as it is kept with the order."""
    beside = {"key", "reason"}
    return {name: str(value) for name, value in data.items() if value not in (None, "", False) and name not in beside}


def replaced_by(data: Mapping[str, Any], patient: Patient) -> Prescription | None:
    """Return the order that the typed one replaces; None where it names none."""
    return patient.prescriptions.filter(pk=data["replaces"]).first() if data.get("replaces") else None
