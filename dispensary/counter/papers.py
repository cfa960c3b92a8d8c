"""The documents of a dispense, printed at the counter."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dispensary import policies
from dispensary.actions import documents as prints
from dispensary.counter.door import Visit, at_counter, error_page
from dispensary.documents import DoesNotFit, Handover, label_pdf, label_png, taper_calendar_pdf
from dispensary.papers import dispenses, handover_of, number_of


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
