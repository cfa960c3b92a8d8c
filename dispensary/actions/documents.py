"""Printing of labels and calendars; each print is recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial

from django.db import transaction

from dispensary import audit, policies
from dispensary.actions.summaries import follow_therapy
from dispensary.actors import Actor
from dispensary.audit import Event
from dispensary.documents import (
    DoesNotFit,
    Handover,
    LeafletLayout,
    draw_labels,
    label_pdf,
    label_png,
    label_text,
    leaflet_pdf,
    taper_calendar_pdf,
)
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.handover import printed_handover
from dispensary.models import Dispense, DispenseStatus, WorkKind, WorklistItem, WorkState

PREVIEW_PPI = 220


class Document(StrEnum):
    """A document that is printed at a hand-over."""

    LABEL = "label"
    CALENDAR = "calendar"
    LEAFLET = "leaflet"
    LEAFLET_A5 = "leaflet-a5"
    LEAFLET_LARGE = "leaflet-large"


_RENDERERS: dict[Document, Callable[..., bytes]] = {
    Document.LABEL: label_pdf,
    Document.CALENDAR: taper_calendar_pdf,
    Document.LEAFLET: leaflet_pdf,
    Document.LEAFLET_A5: partial(leaflet_pdf, layout=LeafletLayout.A5),
    Document.LEAFLET_LARGE: partial(leaflet_pdf, layout=LeafletLayout.LARGE),
}
_TRUE_PAPERS = frozenset({Document.LABEL, Document.CALENDAR})
"""Papers whose print puts right those that are no longer true."""


class NotPrintable(InvalidInput):
    """The text does not fit the paper; a label that is cut off is worse than none."""

    code = "not-printable"
    title = "This cannot be printed"
    status = 422


def print_document(*, dispense: Dispense, document: Document, by: Actor, now: datetime) -> bytes:
    """Return a document as PDF and record its print; second and later labels are reprints.

    Raises NotPrintable, and Conflict for a supply that was cancelled, came back, or is for what is not taken any more.
    """
    handover = _require_printable(dispense, document, by, now)
    try:
        content = _RENDERERS[document](handover, at=now)
    except DoesNotFit as error:
        raise not_printable(error) from None
    _record_print(dispense, document, handover, by, now)
    return content


@transaction.atomic
def print_labels(*, dispenses: Sequence[Dispense], by: Actor, now: datetime) -> list[bytes]:
    """Return the labels of dispenses as SVG for a browser to print, and record each print as `print_document` does."""
    pages = []
    for dispense in dispenses:
        handover = _require_printable(dispense, Document.LABEL, by, now)
        try:
            pages += draw_labels(handover)
        except DoesNotFit as error:
            raise not_printable(error) from None
        _record_print(dispense, Document.LABEL, handover, by, now)
    return pages


def _require_printable(dispense: Dispense, document: Document, by: Actor, now: datetime) -> Handover:
    name = "label" if document is Document.LABEL else "document"
    policies.require(policies.may_dispense(by), by, f"print a {name}", "a technician or pharmacist")
    policies.require_same_pharmacy(by, dispense.pharmacy_id)
    if dispense.status != DispenseStatus.COMPLETED:
        state = dispense.get_status_display().lower()
        problem = Problem(
            "dispense", f"one that is {state}", "one that the patient has", "Print that of the next supply."
        )
        raise Conflict(f"This supply is {state}: no {name} of it is printed.", problem)
    try:
        return printed_handover(dispense, dispense.pharmacy.local_day(now))
    except DoesNotFit as error:
        raise not_printable(error) from None


def preview_label(dispense: Dispense, *, now: datetime) -> bytes:
    """Return the first label as PNG for the screen; nothing is recorded. Raises NotPrintable."""
    try:
        return label_png(printed_handover(dispense, dispense.pharmacy.local_day(now)), ppi=PREVIEW_PPI)
    except DoesNotFit as error:
        raise not_printable(error) from None


def not_printable(error: DoesNotFit) -> NotPrintable:
    """Return the refusal of a text that does not fit its paper."""
    return NotPrintable(f"{str(error).capitalize()}.")


@transaction.atomic
def _record_print(dispense: Dispense, document: Document, handover: Handover, by: Actor, now: datetime) -> None:
    outdated = WorklistItem.objects.filter(patient=dispense.person, kind=WorkKind.PAPERS_OUTDATED)
    if document in _TRUE_PAPERS and outdated.exclude(state=WorkState.RESOLVED).update(reprinted_at=now):
        follow_therapy(patient_id=dispense.person.pk, by=by, now=now)
    event = Event.DOCUMENT_PRINTED
    body: dict[str, object] = {"document": document.value}
    if document is Document.LABEL:
        dispense = (
            Dispense.objects.select_for_update(of=("self",)).select_related("pharmacy", "patient").get(pk=dispense.pk)
        )
        dispense.label_prints += 1
        dispense.save(update_fields=["label_prints"])
        event = Event.LABEL_PRINTED if dispense.label_prints == 1 else Event.LABEL_REPRINTED
        body = {"print": dispense.label_prints, "says": label_text(handover)}
    audit.record(
        event, pharmacy=dispense.pharmacy, by=by, now=now, subject=dispense, patient=dispense.patient, body=body
    )
