"""The documents of a dispense: what the row says, in the values that are printed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dispensary import audit, policies
from dispensary.actions import documents as prints
from dispensary.assessment import local_day, regimen_of
from dispensary.counter.door import Visit, at_counter, error_page
from dispensary.counter.queue import number_of
from dispensary.documents import (
    Course,
    DoesNotFit,
    Handover,
    PharmacyLines,
    Receipt,
    Stretch,
    label_pdf,
    label_png,
    taper_calendar_pdf,
)
from dispensary.models import Dispense

WARNINGS = (
    "May make you sleepy: do not drive or use machines. No alcohol.",
    "Do not stop suddenly: only as your prescriber tells you.",
)


def dispenses() -> object:
    """Dispenses with what their pages and papers show."""
    return Dispense.objects.select_related(
        "patient", "prescription__pharmacy", "prescription__patient", "pharmacy", "product", "review"
    ).prefetch_related("prescription__phases")


def handover_of(dispense: Dispense) -> Handover:
    """A dispense in the words that are printed. Raises DoesNotFit for what no label can say."""
    receipt = receipt_of(dispense)
    name = dispense.product.brand or dispense.product.ingredient.capitalize() if dispense.product else "Baclofen"
    return Handover(
        medicine=name,
        strength_mg=dispense.strength_mg,
        quantity=dispense.quantity,
        course=course_of(dispense),
        patient_name=f"{dispense.patient.given_name} {dispense.patient.family_name}".strip(),
        dispensed_on=local_day(dispense.pharmacy, dispense.handed_over_at),
        number=number_of(dispense.prescription),
        pharmacy=PharmacyLines(dispense.pharmacy.name, dispense.pharmacy.address, dispense.pharmacy.phone),
        warnings=WARNINGS,
        receipt=Receipt(receipt.seq, receipt.leaf.hex()) if receipt else None,
        born_on=dispense.patient.birth_date,
    )


def receipt_of(dispense: Dispense) -> audit.Receipt | None:
    """The hand-over's line in the log; None while it is not linked."""
    try:
        return audit.receipt(dispense.audit_entry)
    except audit.NotLinked:
        return None


def course_of(dispense: Dispense) -> Course:
    """The order's phases from the first day of this supply."""
    regimen = regimen_of(dispense.prescription)
    if regimen is None:
        raise DoesNotFit("the order's phases could not be read, so no label can say how to take it")
    stretches = []
    for window in regimen.windows():
        doses = tuple(d * window.phase.mg_per_day / sum(window.phase.doses) for d in window.phase.doses)
        first = dispense.starts_on + timedelta(days=window.from_day - 1)
        last = dispense.starts_on + timedelta(days=window.to_day - 1) if window.to_day else None
        try:
            stretches.append(Stretch(doses, tuple(d / dispense.strength_mg for d in doses), first, last))
        except ValueError as error:
            raise DoesNotFit(str(error)) from error
    covered = dispense.run_out_on - timedelta(days=1)
    return Course(tuple(stretches), bool(dispense.prescription.then_stop), covered)


def paper(
    make: Callable[[Handover, Visit], bytes], name: str, kind: str = "application/pdf"
) -> Callable[..., HttpResponse]:
    """A view that prints one kind of paper for a dispense of the visitor's pharmacy."""

    @require_safe
    @at_counter(policies.may_see_patients)
    def view(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
        dispense = visit.own(dispenses(), pk)
        try:
            content = make(handover_of(dispense), visit)
        except DoesNotFit as trouble:
            return error_page(request, visit, 422, "This cannot be printed", f"{str(trouble).capitalize()}.")
        if name == "label.pdf":
            prints.label_printed(dispense=dispense, by=visit.by, now=visit.now)
        elif kind == "application/pdf":
            prints.document_printed(dispense=dispense, document=name, by=visit.by, now=visit.now)
        answer = HttpResponse(content, content_type=kind)
        answer["Content-Disposition"] = f'inline; filename="{number_of(dispense.prescription)}-{name}"'
        return answer

    return view


label = paper(lambda handover, visit: label_pdf(handover, at=visit.now), "label.pdf")
calendar = paper(lambda handover, visit: taper_calendar_pdf(handover, at=visit.now), "calendar.pdf")
label_picture = paper(lambda handover, visit: label_png(handover, ppi=220), "label.png", "image/png")
