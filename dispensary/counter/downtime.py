"""Downtime: the form that is printed while everything works, and what was written on it typed in afterwards."""

from __future__ import annotations

import secrets
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from dispensary import policies
from dispensary.actions import patients
from dispensary.actions.downtime import MOST_DAYS, USUAL_DAYS, print_form
from dispensary.actions.handover_problems import BACLOFEN
from dispensary.actions.late_entries import MOST_DAYS_AGO, record_late
from dispensary.conf import conf
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm, posted_data
from dispensary.counter.identities import group_namesakes
from dispensary.counter.new_order import day_field
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.printing import respond_with
from dispensary.counter.queue import read_pack, search
from dispensary.counter.visit import Visit
from dispensary.documents import Paper
from dispensary.errors import DispensaryError, InvalidInput
from dispensary.handover import order_number
from dispensary.models import Dispense, Prescription, Product, StaffMember, WorkKind, WorklistItem, WorkState
from dispensary.scanning import Pack

PAPERS = ((Paper.A4.value, "A4"), (Paper.LETTER.value, "US Letter"))
MOST_SHOWN = 50
TARGETS = {
    "handed_over_at": "id_day",
    "handed_over_by": "id_handed_over_by",
    "quantity": "id_quantity",
    "pack.gtin": "id_gtin",
    "pack.lot": "id_lot",
    "words": "id_words",
}
_TYPED = {"autocomplete": "off", "spellcheck": "false"}


class PrintForm(StyledForm):
    """The days and the paper of the form."""

    days = forms.IntegerField(
        label="Patients who are due within so many days",
        min_value=1,
        max_value=MOST_DAYS,
        initial=USUAL_DAYS,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "class": "nhsuk-input--width-4"}),
        error_messages={
            "required": "Type for how many days",
            "invalid": "Type the days as a number, such as 7",
            "max_value": f"Type 1 to {MOST_DAYS} days",
            "min_value": f"Type 1 to {MOST_DAYS} days",
        },
    )
    paper = forms.ChoiceField(label="Paper", choices=PAPERS, initial=Paper.A4.value, widget=forms.RadioSelect)


class LateForm(StyledForm):
    """One line of the form, as it stands on the paper."""

    day = day_field("Day on which it was handed over", required=True, words="Type the day on the paper")
    time = forms.TimeField(
        label="Time",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        error_messages={"required": "Type the time on the paper", "invalid": "Type the time as 14:30"},
    )
    handed_over_by = forms.CharField(
        label="Handed over by",
        max_length=120,
        widget=forms.TextInput(attrs=_TYPED | {"list": "staff"}),
        error_messages={"required": "Type who handed it over"},
    )
    quantity = forms.DecimalField(
        label="Tablets",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "class": "nhsuk-input--width-4"}),
        error_messages={"required": "Type how many tablets", "invalid": "Type the tablets as a number, such as 84"},
    )
    gtin = forms.ChoiceField(label="Pack", error_messages={"required": "Choose the pack"})
    lot = forms.CharField(label="Lot", required=False, max_length=20, widget=forms.TextInput(attrs=_TYPED))
    expiry = day_field("Expiry", required=False, words="Type the expiry as a date; the last day of its month")
    words = forms.CharField(
        label="Why in spite of a limit, and who agreed, as on the paper",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, visit: Visit, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.visit = visit
        packs = Product.objects.filter(ingredient__iexact=BACLOFEN).order_by("strength_mg", "name")
        names = Counter(pack.name for pack in packs)
        choices = [(pack.gtin, pack.name if names[pack.name] == 1 else f"{pack.name}, {pack.gtin}") for pack in packs]
        self.fields["gtin"].choices = [("", "Choose"), *choices]  # type: ignore[attr-defined]  # a choice field

    def clean_quantity(self) -> Decimal:
        quantity: Decimal = self.cleaned_data["quantity"]
        if not quantity.is_finite() or quantity <= 0 or quantity > conf().max_quantity or (quantity * 2) % 1:
            raise forms.ValidationError(f"Type whole or half tablets, above 0 and at most {conf().max_quantity}")
        return quantity

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("day") and data.get("time") is not None:
            at = datetime.combine(data["day"], data["time"], tzinfo=self.visit.zone)
            if at.astimezone(UTC).astimezone(self.visit.zone).time() != data["time"]:
                self.add_error("time", "There was no such time on that day: the clocks went forward")
            data["at"] = at
        return data


@require_http_methods(["GET", "POST"])
@at_counter()
def downtime(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show what to do before and after a downtime, and find an order to record. A search is a POST: no name in an address."""
    return show_downtime(request, visit, PrintForm(), request.POST.get("q", "").strip()[:200])


@require_safe
@at_counter()
def form_pdf(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Print the form; each record on it counts as read."""
    form = PrintForm(request.GET)
    if not form.is_valid():
        return show_downtime(request, visit, form)
    data = form.cleaned_data
    content = print_form(
        pharmacy=visit.pharmacy, days=data["days"], paper=Paper(data["paper"]), by=visit.by, now=visit.now
    )
    return respond_with(content, f"downtime-{visit.today}.pdf")


def show_downtime(request: HttpRequest, visit: Visit, form: PrintForm, words: str = "") -> HttpResponse:
    """Render the page."""
    errors = form_error_lines(form)
    orders: list[Prescription] = []
    if words:
        try:
            orders = list(search(visit, words, read_pack(words)).order_by("-received_at", "-pk")[: MOST_SHOWN + 1])
        except InvalidInput as error:
            errors = [ErrorLine(f"{error.detail} {error.problems[0].next}", "q")]
        else:
            patients.record_search(pharmacy=visit.pharmacy, words=words, count=len(orders), by=visit.by, now=visit.now)
    since = visit.now - timedelta(days=MOST_DAYS_AGO)
    recorded = Dispense.objects.filter(pharmacy=visit.pharmacy, recorded_at__gte=since).select_related(
        "patient", "prescription"
    )
    to_review = WorklistItem.objects.filter(pharmacy=visit.pharmacy, kind=WorkKind.LATE_ENTRY).exclude(
        state=WorkState.RESOLVED
    )
    waiting = set(to_review.values_list("patient", flat=True))
    context = {
        "form": form,
        "q": words,
        "orders": [(order, order_number(order)) for order in orders[:MOST_SHOWN]],
        "is_cut": len(orders) > MOST_SHOWN,
        "may_record": policies.may_dispense(visit.by),
        "recorded": [(row, row.patient_id in waiting) for row in recorded.order_by("-recorded_at", "-pk")[:MOST_SHOWN]],
        "may_review": policies.may_override(visit.by),
        "most_days_ago": MOST_DAYS_AGO,
    }
    return render_page(request, visit, "downtime.html", context, errors=errors, status=422 if errors else 200)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_dispense)
def late_entry(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Record a hand-over late, with its true time."""
    orders = Prescription.objects.select_related("patient", "prescriber", "pharmacy")
    order = visit.fetch(orders, pk)
    form = LateForm(posted_data(request), visit=visit, initial={"key": secrets.token_hex(16)})
    errors = form_error_lines(form)
    if not form.is_bound:
        patients.record_opening(patient=order.patient, part=order, by=visit.by, now=visit.now)
    elif not errors:
        try:
            done = record(form, order, visit)
        except DispensaryError as error:
            errors = error_lines(error, TARGETS)
        else:
            messages.success(request, "Recorded late. A pharmacist reviews it.")
            return redirect("counter:dispensed", done.pk)
    context = {
        "order": order,
        "patient": order.patient,
        "namesakes": group_namesakes(order.patient),
        "number": order_number(order),
        "form": form,
        "staff": StaffMember.objects.filter(pharmacy=visit.pharmacy, is_service=False).values_list(
            "display_name", flat=True
        ),
        "supplies": order.dispenses.order_by("-handed_over_at")[:10],
        "left": order.remaining(),
        "most_days_ago": MOST_DAYS_AGO,
    }
    return render_page(request, visit, "late_entry.html", context, errors=errors, status=422 if errors else 200)


def record(form: LateForm, order: Prescription, visit: Visit) -> Dispense:
    """Record what was typed."""
    data = form.cleaned_data
    return record_late(
        prescription=order,
        quantity=data["quantity"],
        pack=Pack(data["gtin"], data["lot"], data["expiry"]),
        handed_over_at=data["at"],
        handed_over_by=data["handed_over_by"],
        words=data["words"],
        key=data["key"],
        by=visit.by,
        now=visit.now,
    )
