"""Documents on paper at the counter: label and calendar of a dispense, the label's picture, the record of an override."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dispensary import policies
from dispensary.actions.documents import Document, preview_label, print_document, print_labels
from dispensary.actions.letters import post_letter, print_letter
from dispensary.actions.override_records import print_override, select_overrides
from dispensary.channels import Fault
from dispensary.counter.access import at_counter
from dispensary.counter.pages import render_page
from dispensary.counter.visit import Visit
from dispensary.errors import NotFound
from dispensary.handover import handed_over_together, order_number, select_dispenses
from dispensary.reminders.explanations import FAULTS


@require_safe
@at_counter(policies.may_see_patients)
def preview(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show the label as a picture."""
    dispense = visit.fetch(select_dispenses(), pk)
    name = f"{order_number(dispense.prescription)}-label.png"
    return respond_with(preview_label(dispense, now=visit.now), name, "image/png")


def _print(document: Document) -> Callable[..., HttpResponseBase]:
    @require_safe
    @at_counter(policies.may_see_patients)
    def view(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
        dispense = visit.fetch(select_dispenses(), pk)
        content = print_document(dispense=dispense, document=document, by=visit.by, now=visit.now)
        return respond_with(content, f"{order_number(dispense.prescription)}-{document}.pdf")

    return view


def respond_with(content: bytes, name: str, content_type: str = "application/pdf") -> HttpResponse:
    """Return a document that the browser shows, under a file's name."""
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'inline; filename="{name}"'
    return response


@require_POST
@at_counter(policies.may_send_reminders)
def letter(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Print a letter about a piece of work to the address that is typed."""
    content = print_letter(item_id=pk, address=request.POST.get("address", ""), by=visit.by, now=visit.now)
    return respond_with(content, "letter.pdf")


@require_POST
@at_counter(policies.may_send_reminders)
def posted_letter(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Have a letter about a piece of work posted to the address that is typed, and say what the channel answered."""
    answer = post_letter(item_id=pk, address=request.POST.get("address", ""), by=visit.by, now=visit.now)
    if answer == "accepted":
        messages.success(request, "The letter is printed and posted. The work is done.")
    elif answer == "unknown":
        messages.warning(
            request, "Nobody knows whether the letter was taken. Try again in some minutes: it is not sent twice."
        )
    else:
        reason = FAULTS[Fault(answer)]
        messages.error(
            request, f"The letter was not taken: {reason}. Look at the address, or print it and post it yourself."
        )
    return redirect("counter:at-risk")


@require_POST
@at_counter(policies.may_dispense)
def labels(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Print the labels of a hand-over, of all its strengths, from the browser, and come back to its page."""
    dispense = visit.fetch(select_dispenses(), pk)
    pages = print_labels(dispenses=[dispense, *handed_over_together(dispense)], by=visit.by, now=visit.now)
    return show_labels(request, visit, pages, reverse("counter:dispensed", args=[pk]))


def show_labels(request: HttpRequest, visit: Visit, pages: list[bytes], back: str) -> HttpResponse:
    """Return a page that prints its labels as soon as it is there, then goes back."""
    pictures = [f"data:image/svg+xml;base64,{base64.b64encode(page).decode()}" for page in pages]
    return render_page(
        request, visit, "labels.html", {"pictures": pictures, "back": back, "layout": visit.pharmacy.label_layout}
    )


@require_safe
@at_counter(policies.may_read_override)
def override_record(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Return the record of an override; who read it stands in the log."""
    override = select_overrides().filter(pk=pk).first()
    if override is None or override.subject.patient.pharmacy_id != visit.pharmacy.pk:
        raise NotFound("There is no such answer here.")
    return respond_with(print_override(override=override, by=visit.by, now=visit.now), "override-record.pdf")


label = _print(Document.LABEL)
calendar = _print(Document.CALENDAR)
leaflet = _print(Document.LEAFLET)
leaflet_a5 = _print(Document.LEAFLET_A5)
leaflet_large = _print(Document.LEAFLET_LARGE)
