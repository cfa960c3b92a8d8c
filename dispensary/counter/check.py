"""The check page: one order, its computed course, its findings, the scan, and the hand-over."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_http_methods

from baclofen_rules.text import format_amount
from dispensary import policies
from dispensary.actions import dispenses, patients
from dispensary.actions.handover_problems import BACLOFEN
from dispensary.actions.overrides import Refused
from dispensary.assessment import Assessment, assess, pick_document
from dispensary.counter import check_view, drafts
from dispensary.counter.access import at_counter
from dispensary.counter.check_view import CheckView
from dispensary.counter.forms import DispenseForm
from dispensary.counter.identities import group_namesakes
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.documents.words import NB
from dispensary.errors import DispensaryError, InvalidInput
from dispensary.handover import order_number
from dispensary.models import Override, Prescription, Product
from dispensary.scanning import Pack, UnreadableScan, read_scan

TARGETS = {"quantity": "id_quantity", "pack.gtin": "id_scan", "pack.expiry": "id_expiry", "pack.lot": "id_lot"}
CHANGED = "The findings have changed since you opened this page. Look at them again."


def select_prescriptions() -> Any:
    """Return orders with the rows that the page shows."""
    return Prescription.objects.select_related("patient__pharmacy", "prescriber", "pharmacy").prefetch_related("phases")


@require_http_methods(["GET", "POST"])
@at_counter()
def check(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show one order, read a scan, or hand over."""
    prescription = visit.fetch(select_prescriptions(), pk)
    if request.method == "POST" and policies.may_dispense(visit.by):
        save_draft(request, prescription)
        act = scan_pack if "scan-it" in request.POST else hand_over
        return act(request, visit, prescription)
    patients.record_opening(patient=prescription.patient, by=visit.by, now=visit.now)
    return render_check(request, visit, prescription)


def save_draft(request: HttpRequest, prescription: Prescription) -> None:
    """Save the typed fields, before anything can fail."""
    draft = drafts.load(request, prescription.pk)
    for name in ("gtin", "lot", "expiry", "serial", "quantity", "key"):
        setattr(draft, name, request.POST.get(name, "").strip()[:64])
    draft.acknowledged = request.POST.getlist("acknowledged")[:100]
    drafts.store(request, prescription.pk, draft)


def scan_pack(request: HttpRequest, visit: Visit, prescription: Prescription) -> HttpResponse:
    """Copy the scan into the draft; fields that the code does not carry stay as typed."""
    try:
        pack = read_scan(request.POST.get("scan", ""))
    except UnreadableScan as error:
        return render_check(request, visit, prescription, errors=[ErrorLine(str(error), "id_scan")], status=422)
    draft = drafts.load(request, prescription.pk)
    if pack.gtin != draft.gtin:
        draft.lot, draft.expiry, draft.serial = "", "", ""
    draft.gtin, draft.lot, draft.serial = pack.gtin, pack.lot or draft.lot, pack.serial or draft.serial
    draft.expiry = pack.expiry.isoformat() if pack.expiry else draft.expiry
    drafts.store(request, prescription.pk, draft)
    return redirect(f"{reverse('counter:check', args=[prescription.pk])}#pack")


def hand_over(request: HttpRequest, visit: Visit, prescription: Prescription) -> HttpResponse:
    """Dispense, or show the page again with the errors or unanswered findings."""
    assessment, _product = assess_draft(request, visit, prescription)
    form = DispenseForm(request.POST, acknowledging=assessment.questions())
    if not form.is_valid():
        return render_check(request, visit, prescription, errors=dispense_error_lines(form), status=422)
    data = form.cleaned_data
    try:
        result = dispenses.dispense(
            prescription=prescription,
            quantity=data["quantity"],
            pack=Pack(data["gtin"], data["lot"], data["expiry"], data["serial"]),
            acknowledged=without_answers(assessment, prescription, data["acknowledged"]),
            key=data["key"],
            by=visit.by,
            now=visit.now,
        )
    except InvalidInput as error:
        lines = (
            [ErrorLine(CHANGED)]
            if error.problems and error.problems[0].field == "finding"
            else error_lines(error, TARGETS)
        )
        return render_check(request, visit, prescription, errors=lines, status=error.status)
    except DispensaryError as error:
        return render_check(request, visit, prescription, errors=error_lines(error, TARGETS), status=error.status)
    if isinstance(result, Refused):
        return render_check(
            request, visit, prescription, errors=refusal_lines(result), title="Not handed over", status=409
        )
    drafts.clear(request, prescription.pk)
    return redirect("counter:dispensed", result.pk)


def without_answers(assessment: Assessment, prescription: Prescription, ticked: list[str]) -> tuple[str, ...]:
    """Return the ticked fingerprints that have no signed answer yet."""
    answered = check_view.open_answers(prescription)
    return tuple(fingerprint for fingerprint in ticked if fingerprint not in answered)


def assess_draft(request: HttpRequest, visit: Visit, prescription: Prescription) -> tuple[Assessment, Product | None]:
    """Return today's assessment with the pack and quantity of the draft, and the pack's product. Writes nothing."""
    draft = drafts.load(request, prescription.pk)
    product = Product.objects.filter(pk=draft.gtin).first() if draft.gtin else None
    quantity = (
        DispenseForm.base_fields["quantity"].to_python(draft.quantity) if is_valid_quantity(draft.quantity) else None
    )
    if quantity == prescription.quantity:
        quantity = None
    picked = None if product is None else pick_document(product, read_expiry(draft))
    return assess(prescription, on=visit.today, picked=picked, quantity=quantity), product


def read_expiry(draft: drafts.Draft) -> date | None:
    """Return the expiry date of the draft; None where none is typed, or what is typed is no date."""
    try:
        return parse_date(draft.expiry)
    except ValueError:
        return None


def is_valid_quantity(text: str) -> bool:
    """Return whether the draft's quantity passes the form's checks."""
    form = DispenseForm({"quantity": text})
    return "quantity" not in form.errors


def render_check(
    request: HttpRequest,
    visit: Visit,
    prescription: Prescription,
    *,
    errors: list[ErrorLine] | None = None,
    title: str = "",
    status: int = 200,
) -> HttpResponse:
    """Render the page with the draft."""
    assessment, product = assess_draft(request, visit, prescription)
    draft = drafts.load(request, prescription.pk)
    if not draft.key:
        draft.key = uuid.uuid4().hex
        drafts.store(request, prescription.pk, draft)
    view = check_view.build_check_view(prescription, assessment, strength_mg=product.strength_mg if product else None)
    remaining = prescription.remaining()
    quantity = draft.quantity or format_amount(min(prescription.quantity or 0, remaining or 0))
    context = {
        "prescription": prescription,
        "patient": prescription.patient,
        "namesakes": group_namesakes(prescription.patient),
        "number": order_number(prescription),
        "view": view,
        "draft": draft,
        "quantity": quantity,
        "product": product,
        "pack_trouble": describe_pack_error(draft, product, prescription, visit),
        "expiry": parse_date(draft.expiry) if draft.expiry else None,
        "earlier": prescription.patient.dispenses.select_related("prescription")[:5],
        "past_overrides": past_overrides(prescription),
        "remaining": remaining,
        "main": main_button_words(view, quantity),
        "may": {
            "dispense": policies.may_dispense(visit.by) and prescription.status == "active",
            "answer_namesake": policies.may_receive(visit.by),
            "override": policies.may_override(visit.by),
            "end": policies.may_end(visit.by) and prescription.status == "active",
            "read_log": policies.may_read_log(visit.by),
        },
        "errors_title": title,
    }
    return render_page(request, visit, "check.html", context, errors=errors or [], status=status)


def past_overrides(prescription: Prescription) -> Any:
    """Return the last five answers for this patient, on any order."""
    return Override.objects.filter(prescription__patient_id=prescription.patient_id, severity="override")[:5]


def describe_pack_error(draft: drafts.Draft, product: Product | None, prescription: Prescription, visit: Visit) -> str:
    """Return one sentence on a wrong pack; "" for a right one."""
    if not draft.gtin:
        return ""
    if product is None:
        return f"Nobody here knows the pack {draft.gtin}. Scan it again, or have it added to the products."
    if product.ingredient.casefold() != BACLOFEN:
        return f"This is {product.name}: another medicine. Put it back."
    expiry = read_expiry(draft)
    if expiry and expiry < visit.today:
        return "This pack has expired. Take it off the shelf."
    if prescription.strength_mg is not None and product.strength_mg != prescription.strength_mg:
        ordered, picked = format_amount(prescription.strength_mg), format_amount(product.strength_mg)
        return f"Wrong strength: {picked}{NB}mg tablets in your hand, {ordered}{NB}mg ordered."
    return ""


def main_button_words(view: CheckView, quantity: str) -> str:
    """Return the words of the main button."""
    stops, overrides = view.unanswered("stop"), view.unanswered("override")
    if stops:
        return f"Cannot dispense: {len(stops)} stop{'s' if len(stops) > 1 else ''}"
    if overrides:
        return f"{len(overrides)} finding{'s need' if len(overrides) > 1 else ' needs'} a reason"
    return f"Dispense {quantity} tablet{'' if quantity == '1' else 's'}"


def dispense_error_lines(form: DispenseForm) -> list[ErrorLine]:
    """Return the form's errors; a missing pack points at the scan field."""
    lines = form_error_lines(form)
    return [ErrorLine(line.words, "id_scan") if line.target == "id_gtin" else line for line in lines]


def refusal_lines(refused: Refused) -> list[ErrorLine]:
    """Return a line for each unanswered finding, with its anchor."""
    anchors = {question.code: f"finding-{question.fingerprint[:12]}" for question in refused.unanswered}
    return [
        ErrorLine(
            f"{problem.given}. {problem.expected[:1].upper()}{problem.expected[1:]} is needed.",
            anchors.get(problem.field, TARGETS.get(problem.field, "")),
        )
        for problem in refused.problems
    ]
