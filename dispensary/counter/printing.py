"""The label and calendar of a dispense as PDF, and the label's picture."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from dispensary import policies
from dispensary.actions.documents import Document, preview_label, print_document
from dispensary.actions.override_records import print_override, select_overrides
from dispensary.counter.access import at_counter
from dispensary.counter.visit import Visit
from dispensary.errors import NotFound
from dispensary.handover import order_number, select_dispenses
from dispensary.models import Dispense


@require_safe
@at_counter(policies.may_see_patients)
def preview(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show the label as a picture."""
    dispense = visit.fetch(select_dispenses(), pk)
    return _respond(dispense, preview_label(dispense, now=visit.now), "label.png", "image/png")


def _print(document: Document) -> Callable[..., HttpResponseBase]:
    @require_safe
    @at_counter(policies.may_see_patients)
    def view(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
        dispense = visit.fetch(select_dispenses(), pk)
        content = print_document(dispense=dispense, document=document, by=visit.by, now=visit.now)
        return _respond(dispense, content, f"{document}.pdf", "application/pdf")

    return view


def _respond(dispense: Dispense, content: bytes, name: str, content_type: str) -> HttpResponse:
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'inline; filename="{order_number(dispense.prescription)}-{name}"'
    return response


@require_safe
@at_counter(policies.may_read_override)
def override_record(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Return the record of an override; who read it stands in the log."""
    override = select_overrides().filter(pk=pk).first()
    if override is None or override.subject.patient.pharmacy_id != visit.pharmacy.pk:
        raise NotFound("There is no such answer here.")
    response = HttpResponse(
        print_override(override=override, by=visit.by, now=visit.now), content_type="application/pdf"
    )
    response["Content-Disposition"] = 'inline; filename="override-record.pdf"'
    return response


label = _print(Document.LABEL)
calendar = _print(Document.CALENDAR)
