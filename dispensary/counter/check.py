"""The check page: one order, its computed course, its findings, the scan, and the hand-over."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dispensary import policies
from dispensary.actions import dispenses, limits, patients
from dispensary.actions.bags import find_open_bag
from dispensary.actions.handover_problems import Item
from dispensary.actions.refusals import Refused
from dispensary.counter import check_view, drafts
from dispensary.counter.access import at_counter
from dispensary.counter.asking import AskForm, save_answers, typed_answers
from dispensary.counter.bags import (
    fill_draft,
    find_other_bags,
    lines_to_scan,
    name_step,
    scan_of_bag,
    step_of,
    step_trouble,
    take_step,
)
from dispensary.counter.check_errors import (
    CHANGED,
    TARGETS,
    add_stops,
    choice_error_line,
    finding_error,
    pack_error_lines,
    refusal_lines,
    to_scan_error,
)
from dispensary.counter.check_rights import others_claim, rights_on_check, ticks
from dispensary.counter.forms import DispenseForm, PackForm
from dispensary.counter.holds import find_resumption, held_scan_trouble
from dispensary.counter.identities import group_namesakes
from dispensary.counter.label_trial import find_label_trouble
from dispensary.counter.main_button import Step, main_button
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.reviewing import (
    Line,
    describe_pack_error,
    items_of,
    lines_of,
    read_day,
    read_order,
    review_draft,
)
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError, InvalidInput
from dispensary.handover import order_number
from dispensary.models import Dispense, Preparation, Prescription, Product
from dispensary.models.prescription import OPEN_STATUSES, PrescriptionStatus
from dispensary.rows import supplies_of
from dispensary.scanning import UnreadableScan, read_scan

BY_ENTER = "enter"
"""The value of the button that Enter presses in every field: with an empty scan field the page is reviewed again."""


@require_http_methods(["GET", "POST"])
@at_counter()
def check(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show one order, read a scan, take a choice, or hand over. An order of several strengths has one page."""
    prescription = read_order(visit, pk)
    items = items_of(prescription)
    if request.method == "POST" and policies.may_dispense(visit.by):
        save_draft(request, items)
        bag = find_open_bag(items[0])
        trouble = step_trouble(request.POST.get("step", ""), bag, visit)
        if trouble:
            drafts.drop_ticks(request, items[0].pk)
            if bag is not None:
                fill_draft(request, items, bag)
            return render_check(request, visit, items, errors=[ErrorLine(trouble)], status=409)
        if "override-it" in request.POST:
            return redirect("counter:override", items[0].pk)
        return act_of(request)(request, visit, items)
    if items[0] != prescription:
        return redirect("counter:check", items[0].pk)
    patients.record_opening(patient=prescription.patient, by=visit.by, now=visit.now)
    if (bag := find_open_bag(prescription)) is not None:
        fill_draft(request, items, bag)
    return render_check(request, visit, items)


def act_of(request: HttpRequest) -> Callable[[HttpRequest, Visit, list[Prescription]], HttpResponse]:
    """Return what the pressed button does."""
    if "empty-packs" in request.POST:
        return empty_packs
    if "scan-it" in request.POST:
        return scan_pack
    if "answer" in request.POST:
        return answer_facts
    return choose if "choose" in request.POST else hand_over


def save_draft(request: HttpRequest, items: Sequence[Prescription]) -> None:
    """Save the typed fields, before anything can fail."""
    draft = drafts.load(request, items[0].pk)
    for line in lines_of(items, draft, today=None):
        for name, field in line.fields.items():
            setattr(line.draft, name, request.POST.get(field, "").strip()[:64])
    draft.key = request.POST.get("key", "").strip()[:64]
    draft.acknowledged = request.POST.getlist("acknowledged")[:100]
    draft.facts = typed_answers(request.POST.lists())
    draft.no_label = request.POST.get("no_label", "").strip()[:120]
    drafts.store(request, items[0].pk, draft)


def scan_pack(request: HttpRequest, visit: Visit, items: list[Prescription]) -> HttpResponse:
    """Copy the scan into the fields of the strength that it is of; what the code does not carry stays as typed.

    Another box stands beside those before it, while they hold too few tablets; otherwise nothing of the first one stays.
    """
    if items[0].status == PrescriptionStatus.ON_HOLD:
        return render_check(request, visit, items, errors=[ErrorLine(held_scan_trouble(items[0]))], status=409)
    draft = drafts.load(request, items[0].pk)
    lines = lines_of(items, draft, visit.today)
    text = request.POST.get("scan", "")
    if not text.strip() and request.POST["scan-it"] == BY_ENTER:
        return redirect(f"{reverse('counter:check', args=[items[0].pk])}#act")
    try:
        pack = read_scan(text)
    except UnreadableScan as error:
        return refuse_scan(request, visit, items, str(error))
    if (bag := find_open_bag(items[0])) is not None:
        trouble = scan_of_bag(request, items, bag, pack)
        if trouble:
            return refuse_scan(request, visit, items, trouble)
        return redirect("counter:check", items[0].pk)
    line = lines[0]
    if len(lines) > 1:
        product = Product.objects.filter(pk=pack.gtin).first()
        trouble = describe_pack_error(product, pack.gtin, None, items, visit.today)
        if product is None or trouble:
            return refuse_scan(request, visit, items, trouble)
        fitting = [line for line in lines if line.prescription.strength_mg in (None, product.strength_mg)]
        line = next((line for line in fitting if not line.is_scanned), fitting[0])
    scanned = line.draft
    box = drafts.box_of(pack)
    if line.is_scanned and not line.trouble and (pack.lot or pack.serial) and (line.needs_more or scanned.further):
        return add_box(request, visit, items, line, box)
    is_another_box = bool(scanned.serial) and pack.serial != scanned.serial
    is_another_lot = bool(scanned.lot and pack.lot) and pack.lot != scanned.lot
    if line.is_scanned and not line.trouble and (pack.gtin != scanned.gtin or is_another_box or is_another_lot):
        messages.info(request, "This pack takes the place of the one scanned before: put that one back.")
    if pack.gtin != scanned.gtin or is_another_box:
        scanned.lot, scanned.expiry, scanned.serial = "", "", ""
    scanned.gtin, scanned.lot, scanned.serial = pack.gtin, pack.lot or scanned.lot, pack.serial or scanned.serial
    scanned.expiry = box["expiry"] or scanned.expiry
    drafts.store(request, items[0].pk, draft)
    return redirect("counter:check", items[0].pk)  # without a fragment: the patient's name stays in view


def add_box(
    request: HttpRequest, visit: Visit, items: list[Prescription], line: Line, box: dict[str, str]
) -> HttpResponse:
    """Put another box beside those of its strength; the same one again changes nothing."""
    draft = drafts.load(request, items[0].pk)
    scanned = draft.pack(line.prescription.pk)
    product = Product.objects.filter(pk=box["gtin"]).first()
    trouble = describe_pack_error(product, box["gtin"], read_day(box["expiry"]), [line.prescription], visit.today)
    if not trouble and product is not None and line.product is not None:
        if product.strength_mg != line.product.strength_mg:
            trouble = "This pack has another strength than the first one. Put it back."
        elif not line.needs_more and not scanned.holds(box):
            trouble = "The packs scanned hold enough tablets. Put this one back, or take out what was scanned."
    if trouble:
        return render_check(request, visit, items, errors=[ErrorLine(trouble, "id_scan")], status=422)
    if scanned.holds(box):
        messages.info(request, "This pack was scanned before: nothing changes.")
    else:
        scanned.further.append(box)
        drafts.store(request, items[0].pk, draft)
    return redirect("counter:check", items[0].pk)


def empty_packs(request: HttpRequest, visit: Visit, items: list[Prescription]) -> HttpResponse:
    """Take out what was scanned."""
    draft = drafts.load(request, items[0].pk)
    for item in items:
        draft.pack(item.pk).empty()
    drafts.store(request, items[0].pk, draft)
    return redirect("counter:check", items[0].pk)


def refuse_scan(request: HttpRequest, visit: Visit, items: list[Prescription], words: str) -> HttpResponse:
    """Say why a scan was not taken over. Where every pack was scanned before, and no bag holds them, they are scanned again."""
    draft = drafts.load(request, items[0].pk)
    lines = lines_of(items, draft, visit.today)
    if find_open_bag(items[0]) is None and all(line.is_scanned for line in lines):
        for line in lines:
            line.draft.empty()
        drafts.store(request, items[0].pk, draft)
        words = f"{words} What was scanned before is taken out: scan it again."
    return render_check(request, visit, items, errors=[ErrorLine(words, "id_scan")], status=422)


def answer_facts(request: HttpRequest, visit: Visit, items: list[Prescription]) -> HttpResponse:
    """Store the answers that were given about the patient, and review again with them."""
    errors = save_facts(request, visit, items, needs_all=False)
    if errors:
        return render_check(request, visit, items, errors=errors, status=422)
    return redirect(f"{reverse('counter:check', args=[items[0].pk])}#act")


def save_facts(request: HttpRequest, visit: Visit, items: list[Prescription], *, needs_all: bool) -> list[ErrorLine]:
    """Store the answers of the draft, or return what is wrong with them; with `needs_all` also what is missing."""
    draft = drafts.load(request, items[0].pk)
    form = AskForm(review_draft(visit, items, draft).assessment.facts_to_ask(), draft.facts)
    errors = form.error_lines(needs_all=needs_all)
    if errors:
        return errors
    try:
        save_answers(form, items[0].patient, visit)
    except DispensaryError as error:
        return error_lines(error, {f"patient.{name}": form[name].id_for_label for name in form.missing})
    draft.facts = {}
    drafts.store(request, items[0].pk, draft)
    for item in items:
        item.patient.refresh_from_db()
    return []


def ask_first(request: HttpRequest, visit: Visit, items: list[Prescription]) -> HttpResponse | None:
    """Store what is asked about the patient; return a page where an answer is missing, or brought something up."""
    draft = drafts.load(request, items[0].pk)
    before = review_draft(visit, items, draft).assessment
    if not before.facts_to_ask():
        return None
    errors = save_facts(request, visit, items, needs_all=True)
    if not errors:
        settled = {question.fingerprint for question in before.questions()} | set(draft.acknowledged)
        errors = [
            finding_error(question, "Look at it before you hand over.")
            for question in review_draft(visit, items, drafts.load(request, items[0].pk)).assessment.questions()
            if question.fingerprint not in settled and question.severity != "information"
        ]
    return render_check(request, visit, items, errors=errors, status=422) if errors else None


def choose(request: HttpRequest, visit: Visit, items: list[Prescription]) -> HttpResponse:
    """Take a choice about what is taken, and review again under it."""
    draft = drafts.load(request, items[0].pk)
    errors = save_choice(request, visit, items, draft)
    if errors:
        return render_check(request, visit, items, errors=errors, status=409)
    return redirect(f"{reverse('counter:check', args=[items[0].pk])}#act")


def save_choice(request: HttpRequest, visit: Visit, items: list[Prescription], draft: drafts.Draft) -> list[ErrorLine]:
    """Save a choice that is offered, without a reason; otherwise return an error."""
    choices = review_draft(visit, items, draft).choices
    value = request.POST.get("choose", "")
    if choices is None or value not in {choice.value for choice in choices.offered}:
        return [ErrorLine(CHANGED)]
    draft.choice, draft.reason = value, {}
    drafts.store(request, items[0].pk, draft)
    return []


def hand_over(request: HttpRequest, visit: Visit, items: list[Prescription]) -> HttpResponse:
    """Dispense, or show the page again with the errors or unanswered findings."""
    bag = find_open_bag(items[0])
    is_preparing = visit.pharmacy.separate_steps and bag is None
    page = None if is_preparing else ask_first(request, visit, items)
    if page is not None:
        return page
    draft = drafts.load(request, items[0].pk)
    reviewed = review_draft(visit, items, draft)
    form = DispenseForm(request.POST, acknowledging=reviewed.assessment.questions())
    packs = [PackForm(request.POST, prefix=line.prefix or None) for line in reviewed.lines]
    is_only = len(packs) == 1
    pairs = zip(packs, reviewed.lines, strict=True)
    errors = [error for pack, line in pairs for error in pack_error_lines(pack, line, is_only=is_only)]
    errors += form_error_lines(form)
    to_scan = lines_to_scan(reviewed.lines, draft, step_of(bag, visit))
    errors += [to_scan_error(line, is_only=is_only) for line in to_scan]
    errors = add_stops(errors, reviewed, is_one_lot=bool(request.POST.get("one-lot")))
    if (
        not errors
        and not is_preparing
        and reviewed.choices is not None
        and (reviewed.choices.is_open or reviewed.needs_reason)
    ):
        errors = [choice_error_line(reviewed.choices, visit.by)]
    if errors:
        return render_check(request, visit, items, errors=errors, status=422)
    first, *also = [
        Item(line.prescription, pack.cleaned_data["quantity"], pack.pack(), tuple(line.further))
        for line, pack in zip(reviewed.lines, packs, strict=True)
    ]
    is_wrong_pack = any(line.trouble for line in reviewed.lines)  # refused below, whatever its label would say
    needs_no_label = draft.by_hand or is_preparing or is_wrong_pack
    trouble = "" if needs_no_label else find_label_trouble(reviewed, [first, *also], visit)
    if trouble:
        draft.by_hand = True
        drafts.store(request, items[0].pk, draft)
        return render_check(request, visit, items, errors=[ErrorLine(trouble, "act")], status=422)
    step: dict[str, Any] = {
        "acknowledged": check_view.without_answers(items[0], form.cleaned_data["acknowledged"]),
        "decisions": reviewed.decided,
        "by": visit.by,
        "now": visit.now,
    }
    result: Dispense | Preparation | Refused
    try:
        if visit.pharmacy.separate_steps or bag is not None:
            result = take_step([first, *also], bag=bag, no_label=draft.no_label, **step)
        else:
            result = dispenses.dispense(
                prescription=first.prescription, quantity=first.quantity, pack=first.pack, further=first.further,
                also=also, key=form.cleaned_data["key"], **step,
            )  # fmt: skip
    except InvalidInput as error:
        lines = (
            [ErrorLine(CHANGED)]
            if error.problems and error.problems[0].field == "finding"
            else error_lines(error, TARGETS)
        )
        return render_check(request, visit, items, errors=lines, status=error.status)
    except DispensaryError as error:
        return render_check(request, visit, items, errors=error_lines(error, TARGETS), status=error.status)
    if isinstance(result, Refused):
        lines = refusal_lines(result, visit)
        title = "Not handed over" if bag is None else "Not checked"
        return render_check(request, visit, items, errors=lines, title=title, status=409)
    drafts.clear(request, items[0].pk)
    return redirect("counter:bag" if isinstance(result, Preparation) else "counter:dispensed", result.pk)


def render_check(
    request: HttpRequest,
    visit: Visit,
    items: list[Prescription],
    *,
    errors: list[ErrorLine] | None = None,
    title: str = "",
    status: int = 200,
) -> HttpResponse:
    """Render the page with the draft."""
    prescription = items[0]
    draft = drafts.load(request, prescription.pk)
    if not draft.key:
        draft.key = uuid.uuid4().hex
        drafts.store(request, prescription.pk, draft)
    reviewed = review_draft(visit, items, draft)
    product = reviewed.lines[0].product
    supplies = supplies_of(prescription.patient)
    claim = others_claim(prescription, visit)
    bag = find_open_bag(prescription)
    step = step_of(bag, visit)
    to_scan = lines_to_scan(reviewed.lines, draft, step)
    others = find_other_bags(items)
    view = check_view.build_check_view(
        prescription, reviewed.assessment, strength_mg=product.strength_mg if product else None, answers=draft.facts
    )
    context = {
        "prescription": prescription,
        "claim": claim,
        "claimed_at": visit.time_of(claim.claimed_at) if claim else "",
        "patient": prescription.patient,
        "namesakes": group_namesakes(prescription.patient),
        "number": order_number(prescription),
        "view": view,
        "draft": draft,
        "lines": reviewed.lines,
        "has_ended": prescription.status not in OPEN_STATUSES,
        "handed_over": [row for row in supplies if row.prescription_id in {item.pk for item in items}],
        "is_scanned": all(line.is_scanned for line in reviewed.lines) and not to_scan,
        "to_scan": to_scan,
        "is_checking": step is Step.CHECK,
        "has_trouble": any(line.trouble for line in reviewed.lines),
        "choices": reviewed.choices,
        "earlier": supplies[:5],
        "past_overrides": check_view.past_overrides(prescription),
        "limits_checked": limits.are_checked(visit.pharmacy, visit.today),
        "main": main_button(view, reviewed, visit.by, step, by_hand=draft.by_hand, beside_bag=bool(others)),
        "bag": bag,
        "other_bags": others,
        "resumed": find_resumption(prescription),
        "step": name_step(bag, visit),
        "ticks": ticks(view, visit.by),
        "may": rights_on_check(prescription, reviewed.asked, visit),
        "errors_title": title,
    }
    return render_page(request, visit, "check.html", context, errors=errors or [], status=status)
