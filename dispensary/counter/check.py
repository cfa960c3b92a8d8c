"""Check and dispense: the order, its arithmetic, its findings, and the hand-over, on one page."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_http_methods

from baclofen_rules.text import format_amount
from dispensary import policies
from dispensary.actions import dispenses, patients
from dispensary.actions.overrides import Refused
from dispensary.assessment import Assessment, assess
from dispensary.counter import bench as benches
from dispensary.counter import drafts
from dispensary.counter.bench import Bench
from dispensary.counter.door import ErrorLine, Visit, at_counter, error_lines, page
from dispensary.counter.forms import DispenseForm
from dispensary.counter.queue import number_of
from dispensary.counter.session import lines_of
from dispensary.documents.words import NB
from dispensary.errors import DispensaryError, InvalidInput
from dispensary.models import Prescription, Product
from dispensary.scanning import UnreadableScan, read_scan

TARGETS = {"quantity": "id_quantity", "pack.gtin": "id_scan", "pack.expiry": "id_expiry", "pack.lot": "id_lot"}
CHANGED = "The findings have changed since you opened this page. Look at them again."


def prescriptions() -> Any:
    """Orders with what the page shows of them."""
    return Prescription.objects.select_related("patient__pharmacy", "prescriber", "pharmacy").prefetch_related("phases")


@require_http_methods(["GET", "POST"])
@at_counter()
def check(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show one order; take a scan; hand over."""
    prescription = visit.own(prescriptions(), pk)
    if request.method == "POST" and policies.may_dispense(visit.by):
        keep(request, prescription)
        return (
            scan(request, visit, prescription) if "scan-it" in request.POST else hand_over(request, visit, prescription)
        )
    patients.opened(patient=prescription.patient, by=visit.by, now=visit.now)
    return show(request, visit, prescription)


def keep(request: HttpRequest, prescription: Prescription) -> None:
    """Remember what was typed, whatever happens to it."""
    draft = drafts.load(request, prescription.pk)
    for name in ("gtin", "lot", "expiry", "serial", "quantity", "key"):
        setattr(draft, name, request.POST.get(name, "").strip()[:64])
    draft.acknowledged = request.POST.getlist("acknowledged")[:100]
    drafts.keep(request, prescription.pk, draft)


def scan(request: HttpRequest, visit: Visit, prescription: Prescription) -> HttpResponse:
    """Take what the scanner read into the draft; what it does not carry stays as it was typed."""
    try:
        read = read_scan(request.POST.get("scan", ""))
    except UnreadableScan as trouble:
        return show(request, visit, prescription, errors=[ErrorLine(str(trouble), "id_scan")], status=422)
    draft = drafts.load(request, prescription.pk)
    if read.gtin != draft.gtin:
        draft.lot, draft.expiry, draft.serial = "", "", ""
    draft.gtin, draft.lot, draft.serial = read.gtin, read.lot or draft.lot, read.serial or draft.serial
    draft.expiry = read.expiry.isoformat() if read.expiry else draft.expiry
    drafts.keep(request, prescription.pk, draft)
    return redirect(f"{reverse('counter:check', args=[prescription.pk])}#pack")


def hand_over(request: HttpRequest, visit: Visit, prescription: Prescription) -> HttpResponse:
    """Dispense, or the same page with what stands in the way."""
    assessment, _product = assessed(request, visit, prescription)
    form = DispenseForm(request.POST, acknowledging=assessment.questions())
    if not form.is_valid():
        return show(request, visit, prescription, errors=form_errors(form), status=422)
    data = form.cleaned_data
    try:
        result = dispenses.dispense(
            prescription=prescription,
            quantity=data["quantity"],
            pack=dispenses.Pack(data["gtin"], data["lot"], data["expiry"], data["serial"]),
            acknowledged=still_open(assessment, prescription, data["acknowledged"]),
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
        return show(request, visit, prescription, errors=lines, status=error.status)
    except DispensaryError as error:
        return show(request, visit, prescription, errors=error_lines(error, TARGETS), status=error.status)
    if isinstance(result, Refused):
        return show(request, visit, prescription, errors=refusal_lines(result), title="Not handed over", status=409)
    drafts.clear(request, prescription.pk)
    return redirect("counter:dispensed", result.pk)


def still_open(assessment: Assessment, prescription: Prescription, ticked: list[str]) -> tuple[str, ...]:
    """Ticks that no signed answer stands for already."""
    answered = benches.answers_of(prescription)
    return tuple(fingerprint for fingerprint in ticked if fingerprint not in answered)


def assessed(request: HttpRequest, visit: Visit, prescription: Prescription) -> tuple[Assessment, Product | None]:
    """Today's assessment with the pack and quantity of the draft; nothing is written."""
    draft = drafts.load(request, prescription.pk)
    product = Product.objects.filter(pk=draft.gtin).first() if draft.gtin else None
    quantity = DispenseForm.base_fields["quantity"].to_python(draft.quantity) if is_amount(draft.quantity) else None
    if quantity == prescription.quantity:
        quantity = None
    picked = product.strength_mg if product and product.ingredient.casefold() == dispenses.BACLOFEN else None
    return assess(prescription, on=visit.today, picked_mg=picked, quantity=quantity), product


def is_amount(text: str) -> bool:
    """Whether the draft's quantity is one that the rule book can be asked about."""
    form = DispenseForm({"quantity": text})
    return "quantity" not in form.errors


def show(
    request: HttpRequest,
    visit: Visit,
    prescription: Prescription,
    *,
    errors: list[ErrorLine] | None = None,
    title: str = "",
    status: int = 200,
) -> HttpResponse:
    """The page, with everything that was typed or scanned so far."""
    assessment, product = assessed(request, visit, prescription)
    draft = drafts.load(request, prescription.pk)
    if not draft.key:
        draft.key = uuid.uuid4().hex
        drafts.keep(request, prescription.pk, draft)
    bench = benches.lay_out(prescription, assessment, strength_mg=product.strength_mg if product else None)
    supply = prescription.remaining()
    quantity = draft.quantity or format_amount(min(prescription.quantity or 0, supply or 0))
    context = {
        "prescription": prescription,
        "patient": prescription.patient,
        "number": number_of(prescription),
        "bench": bench,
        "draft": draft,
        "quantity": quantity,
        "product": product,
        "pack_trouble": pack_trouble(draft, product, prescription, visit),
        "expiry": parse_date(draft.expiry) if draft.expiry else None,
        "earlier": prescription.patient.dispenses.select_related("prescription")[:5],
        "past_overrides": past_overrides(prescription),
        "remaining": supply,
        "main": main_button(bench, quantity),
        "may": {
            "dispense": policies.may_dispense(visit.by) and prescription.status == "active",
            "override": policies.may_override(visit.by),
            "end": policies.may_end(visit.by) and prescription.status == "active",
            "read_log": policies.may_read_log(visit.by),
        },
        "errors_title": title,
    }
    return page(request, visit, "check.html", context, errors=errors or [], status=status)


def past_overrides(prescription: Prescription) -> Any:
    """The last answers given for this patient, whatever the order."""
    from dispensary.models import Override

    return Override.objects.filter(prescription__patient_id=prescription.patient_id, severity="override")[:5]


def pack_trouble(draft: drafts.Draft, product: Product | None, prescription: Prescription, visit: Visit) -> str:
    """What is wrong with the pack in hand, in one sentence of its own; empty when nothing is."""
    if not draft.gtin:
        return ""
    if product is None:
        return f"Nobody here knows the pack {draft.gtin}. Scan it again, or have it added to the products."
    if product.ingredient.casefold() != dispenses.BACLOFEN:
        return f"This is {product.name}: another medicine. Put it back."
    expiry = parse_date(draft.expiry) if draft.expiry else None
    if expiry and expiry < visit.today:
        return "This pack has expired. Take it off the shelf."
    if prescription.strength_mg is not None and product.strength_mg != prescription.strength_mg:
        ordered, picked = format_amount(prescription.strength_mg), format_amount(product.strength_mg)
        return f"Wrong strength: {picked}{NB}mg tablets in your hand, {ordered}{NB}mg ordered."
    return ""


def main_button(bench: Bench, quantity: str) -> str:
    """What the main button will do, in words."""
    stops, overrides = bench.unanswered("stop"), bench.unanswered("override")
    if stops:
        return f"Cannot dispense: {len(stops)} stop{'s' if len(stops) > 1 else ''}"
    if overrides:
        return f"{len(overrides)} finding{'s need' if len(overrides) > 1 else ' needs'} a reason"
    return f"Dispense {quantity} tablet{'' if quantity == '1' else 's'}"


def form_errors(form: DispenseForm) -> list[ErrorLine]:
    """The form's errors; a missing pack points at the scan field."""
    found = lines_of(form)
    return [ErrorLine(line.words, "id_scan") if line.target == "id_gtin" else line for line in found]


def refusal_lines(refused: Refused) -> list[ErrorLine]:
    """Why it was refused, each with the finding it belongs to."""
    anchors = {q.code: f"finding-{q.fingerprint[:12]}" for q in refused.unanswered}
    return [
        ErrorLine(
            f"{p.given}. {p.expected[:1].upper()}{p.expected[1:]} is needed.",
            anchors.get(p.field, TARGETS.get(p.field, "")),
        )
        for p in refused.problems
    ]
