"""Bags at the counter: prepared and checked on the check page, then shelved, put back or handed over on their own page."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from baclofen_rules.text import format_amount
from dispensary import policies
from dispensary.actions import patients, preparations
from dispensary.actions.bags import find_open_bag, pack_bag, unpack_bag
from dispensary.actions.decisions import Decided
from dispensary.actions.handover_problems import Item
from dispensary.actions.preparations import COUNSELLING
from dispensary.actions.refusals import Refused
from dispensary.actors import Actor
from dispensary.counter import drafts
from dispensary.counter.access import at_counter
from dispensary.counter.check_errors import refusal_lines
from dispensary.counter.forms import StyledForm, posted_data
from dispensary.counter.main_button import Step
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.printing import respond_with, show_labels
from dispensary.counter.reviewing import Line
from dispensary.counter.visit import Visit
from dispensary.errors import Conflict, DispensaryError, Problem
from dispensary.handover import order_number
from dispensary.models import OPEN_STAGES, Preparation, Prescription, Product, Stage
from dispensary.models.preparation import CHECKED_STAGES
from dispensary.scanning import Pack, UnreadableScan, read_scan
from dispensary.search import find_labelled_orders

TOLD = {
    "how": "How it is taken: the label read together, and what changes",
    "change": "When the next supply is due, and not to run out",
    "driving": "Sleepiness: no driving or machines while it lasts, and no alcohol",
    "stopping": "Never to stop it suddenly",
}
"""Words of the points of counselling."""
assert TOLD.keys() == set(COUNSELLING)
BIRTH_DATE, REPRESENTATIVE = "Said name and date of birth", "Somebody else"


class ShelfForm(StyledForm):
    """The place of a bag."""

    shelf = forms.CharField(
        label="Scan or type the shelf",
        max_length=20,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "class": "nhsuk-input--width-10", "data-focus": ""}
        ),
        error_messages={"required": "Scan or type the shelf"},
    )


class PutBackForm(StyledForm):
    """The reason for which a bag is taken apart."""

    reason = forms.CharField(
        label="Why it is put back into stock",
        max_length=250,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Say why the packs are put back"},
    )


class CollectForm(StyledForm):
    """The person who collects a bag, and the counselling given."""

    who = forms.ChoiceField(
        label="Who collects it",
        choices=[
            (BIRTH_DATE, "The patient, who said name and date of birth"),
            (REPRESENTATIVE, "Somebody else, who said the patient\u2019s name and address"),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": "Ask who collects it: name and date of birth, or whom they collect it for"},
    )
    name = forms.CharField(
        label="Name of somebody else",
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    told = forms.MultipleChoiceField(
        label="Told", required=False, choices=list(TOLD.items()), widget=forms.CheckboxSelectMultiple
    )
    no_label = forms.CharField(
        label="Why it goes out without a printed label",
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """Ask for the name of somebody else."""
        data = super().clean() or {}
        if data.get("who") == REPRESENTATIVE and not data.get("name"):
            self.add_error("name", "Type the name of who collects it")
        return data

    @property
    def identified(self) -> str:
        """The way in which the person was identified, in words."""
        name = self.cleaned_data["name"]
        return f"{REPRESENTATIVE}: {name}" if self.cleaned_data["who"] == REPRESENTATIVE else BIRTH_DATE


def find_scanned_bag(visit: Visit, words: str) -> Preparation | None:
    """Return the checked bag of a label, or of a pack with a serial number; None for other words, and where it is not one bag."""
    bags = Preparation.objects.filter(pharmacy=visit.pharmacy, stage__in=CHECKED_STAGES)
    try:
        pack = read_scan(words)
    except UnreadableScan:
        bags = bags.filter(prescription__in=find_labelled_orders(visit.pharmacy, words))
    else:
        stored = {"gtin": pack.gtin, "serial": pack.serial}
        bags = bags.filter(Q(bag__contains=[{"first": stored}]) | Q(bag__contains=[{"further": [stored]}]))
        bags = bags if pack.serial else bags.none()
    rows = list(bags[:2])
    return rows[0] if len(rows) == 1 else None


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_dispense)
def bag(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show a bag, and take its next step."""
    row = visit.fetch(Preparation.objects.select_related("prescription__patient", "dispense"), pk)
    pressed = next((name for name in STEPS if name in request.POST), "")
    is_outdated = bool(pressed) and request.POST.get("state", "") != name_state(row)
    data = None if is_outdated else posted_data(request)
    shelf = ShelfForm(data if pressed == "shelve" else None)
    back = PutBackForm(data if pressed == "put-back" else None)
    collect = CollectForm(data if pressed == "collect" else None, initial={"key": uuid.uuid4().hex})
    errors: list[ErrorLine] = []
    if is_outdated:
        errors = [ErrorLine(f"This bag is now {describe_state(row)}. Nothing was recorded. Look at the page again.")]
    elif pressed:
        form = {"shelve": shelf, "put-back": back, "collect": collect}.get(pressed)
        errors = form_error_lines(form) if form is not None else []
        if not errors:
            result = take(pressed, row, (shelf, back, collect), visit)
            if isinstance(result, HttpResponse):
                return result
            errors = result
    else:
        patients.record_opening(patient=row.prescription.patient, by=visit.by, now=visit.now)
    items = unpack_bag(row, preparations.orders_of(row))
    products = Product.objects.in_bulk({pack.gtin for item in items for pack in item.packs})
    context = {
        "bag": row,
        "state": name_state(row),
        "patient": row.prescription.patient,
        "number": order_number(row.prescription),
        "items": [(item, products.get(item.pack.gtin)) for item in items],
        "is_open": row.stage in OPEN_STAGES,
        "may_check": may_check(row, visit),
        "is_unchecked": row.stage == Stage.PREPARED,
        "is_of_today": visit.pharmacy.local_day(row.prepared_at) == visit.today,
        "has_ended": row.prescription.status != "active",
        "shelf": shelf,
        "back": back,
        "collect": collect,
    }
    status = (409 if is_outdated else 422) if errors else 200
    return render_page(request, visit, "bag.html", context, errors=errors, status=status)


STEPS = ("shelve", "put-back", "uncheck", "collect")
"""Names of the buttons of a bag's page."""


def take(
    pressed: str, row: Preparation, forms_of_page: tuple[ShelfForm, PutBackForm, CollectForm], visit: Visit
) -> HttpResponse | list[ErrorLine]:
    """Take a step; return where it leads to, or the errors."""
    shelf, back, collect = forms_of_page
    step: dict[str, Any] = {"preparation": row, "by": visit.by, "now": visit.now}
    try:
        if pressed == "shelve":
            preparations.shelve(shelf=shelf.cleaned_data["shelf"], **step)
            return redirect("counter:queue")
        if pressed == "put-back":
            preparations.put_back(reason=back.cleaned_data["reason"], **step)
            return redirect("counter:check", row.prescription_id)
        if pressed == "uncheck":
            preparations.uncheck(**step)
            return redirect("counter:bag", row.pk)
        result = preparations.hand_over(
            identified=collect.identified,
            counselled=collect.cleaned_data["told"],
            no_label=collect.cleaned_data["no_label"],
            key=collect.cleaned_data["key"],
            **step,
        )
    except DispensaryError as error:
        return error_lines(error, {"shelf": "id_shelf", "reason": "id_reason", "no_label": "id_no_label"})
    if isinstance(result, Refused):
        return [*refusal_lines(result, visit), ErrorLine("Let a pharmacist check the bag again, then hand it over")]
    return redirect("counter:dispensed", result.pk)


@require_POST
@at_counter(policies.may_dispense)
def bag_labels(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Print the labels of a bag from the browser, and come back to it."""
    row = visit.fetch(Preparation.objects.select_related("prescription"), pk)
    pages = preparations.print_labels(preparation=row, by=visit.by, now=visit.now)
    return show_labels(request, visit, pages, reverse("counter:bag", args=[pk]))


@require_safe
@at_counter(policies.may_dispense)
def bag_label(request: HttpRequest, visit: Visit, pk: uuid.UUID, number: int) -> HttpResponse:
    """Print the label of one strength of a bag."""
    row = visit.fetch(Preparation.objects.select_related("prescription"), pk)
    if number >= len(row.bag):
        raise Conflict("The bag has no such strength.")
    content = preparations.print_label(preparation=row, number=number, by=visit.by, now=visit.now)
    return respond_with(content, f"{order_number(row.prescription)}-label.pdf")


def may_check(row: Preparation, visit: Visit) -> bool:
    """Say whether the person who is signed in may check a bag: a pharmacist who did not prepare it."""
    return row.stage == Stage.PREPARED and policies.may_override(visit.by) and row.prepared_by != visit.by.name


def fill_draft(request: HttpRequest, items: Sequence[Prescription], row: Preparation) -> None:
    """Put the packs of a bag into the fields of the check page. Of another bag than before, nothing is scanned to check it."""
    draft = drafts.load(request, items[0].pk)
    if draft.bag != str(row.pk):
        draft.bag, draft.scanned_of_bag, draft.no_label = str(row.pk), [], ""
    for item in unpack_bag(row, {order.pk: order for order in items}):
        pack_draft, box = draft.pack(item.prescription.pk), drafts.box_of(item.pack)
        pack_draft.gtin, pack_draft.lot, pack_draft.serial = box["gtin"], box["lot"], box["serial"]
        pack_draft.expiry, pack_draft.quantity = box["expiry"], format_amount(item.quantity)
        pack_draft.further = [drafts.box_of(counted.pack) for counted in item.further]
    drafts.store(request, items[0].pk, draft)


def scan_of_bag(request: HttpRequest, items: Sequence[Prescription], row: Preparation, scan: Pack) -> str:
    """Note that a pack of the bag was scanned to check it; say what is wrong where the bag holds no such pack."""
    draft = drafts.load(request, items[0].pk)
    bag_items = unpack_bag(row, {order.pk: order for order in items})
    fitting = [item.prescription for item in bag_items if any(_is_same_pack(pack, scan) for pack in item.packs)]
    if not fitting:
        draft.scanned_of_bag = []
        drafts.store(request, items[0].pk, draft)
        return "This pack is not that of the bag, by its number, lot or serial number. Look into the bag, and scan it again."
    order = next((order for order in fitting if str(order.pk) not in draft.scanned_of_bag), None)
    if order is not None:
        draft.scanned_of_bag.append(str(order.pk))
        drafts.store(request, items[0].pk, draft)
    return ""


def _is_same_pack(pack: Pack, scan: Pack) -> bool:
    """Say whether a scan is of a pack, as far as both say lot and serial number."""
    pairs = ((pack.lot, scan.lot), (pack.serial, scan.serial))
    return pack.gtin == scan.gtin and all(not packed or not scanned or packed == scanned for packed, scanned in pairs)


def lines_to_scan(lines: Sequence[Line], draft: drafts.Draft, step: Step) -> list[Line]:
    """Return the strengths of which a pack is still to be scanned before the bag is checked."""
    if step is not Step.CHECK:
        return []
    return [line for line in lines if str(line.prescription.pk) not in draft.scanned_of_bag]


def take_step(
    items: Sequence[Item],
    *,
    bag: Preparation | None,
    no_label: str,
    acknowledged: Sequence[str],
    decisions: Sequence[Decided],
    by: Actor,
    now: datetime,
) -> Preparation | Refused:
    """Prepare a bag, or check the open one of the order; the packs in hand must be those of the bag."""
    if bag is None:
        return preparations.prepare(items=items, by=by, now=now)
    if bag.bag != pack_bag(items):
        raise Conflict(
            "These are not the packs of the bag.",
            Problem(
                "packs", "other packs or tablets", "those that were prepared", "Put the bag back, prepare it again."
            ),
        )
    return preparations.check(
        preparation=bag, acknowledged=acknowledged, decisions=decisions, no_label=no_label, by=by, now=now
    )


def step_of(row: Preparation | None, visit: Visit) -> Step:
    """Return what the main button of the check page does: hand over, where all is one step."""
    if row is None:
        return Step.PREPARE if visit.pharmacy.separate_steps else Step.HAND_OVER
    return Step.CHECK if may_check(row, visit) else Step.OPEN_BAG


def name_step(row: Preparation | None, visit: Visit) -> str:
    """Return the step that a check page is made for, and the bag it is about, as its form carries them."""
    return f"{step_of(row, visit)} {row.pk}" if row else str(step_of(row, visit))


def step_trouble(form_step: str, row: Preparation | None, visit: Visit) -> str:
    """Say what became of the order since a check page was made for `form_step`; empty where that step is the next one.

    A form that names no step is one for a hand-over in one step.
    """
    if (form_step or Step.HAND_OVER) == name_step(row, visit):
        return ""
    state = f"now {describe_state(row)}" if row else "without a bag now"
    return f"This order is {state}. Nothing was recorded. Look at the page again, it is renewed."


def describe_state(row: Preparation) -> str:
    """Return the state of a bag and who brought it there, such as `prepared by Tess Prep`."""
    match row.stage:
        case Stage.PREPARED:
            return f"prepared by {row.preparer_name}"
        case Stage.CHECKED:
            return f"checked by {row.checker_name}"
        case Stage.SHELVED:
            return f"on shelf {row.shelf}"
    return row.get_stage_display().lower()


def name_state(row: Preparation) -> str:
    """Return the state that a bag's page is made for, as its forms carry it; another check or shelf is another state."""
    return f"{row.stage} {row.checked_at or ''} {row.shelf}"


def find_other_bags(items: Sequence[Prescription]) -> list[Preparation]:
    """Return the bags of the patient's other orders that are in the pharmacy. The record of the patient has been read."""
    others = [order for order in items[0].patient.prescriptions.all() if order not in items]
    return [bag for bag in map(find_open_bag, others) if bag is not None]
