"""Prints of labels and documents: each print and reprint has its audit entry."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from dispensary import audit, policies
from dispensary.actors import Actor
from dispensary.audit import Event
from dispensary.models import Dispense


@transaction.atomic
def label_printed(*, dispense: Dispense, by: Actor, now: datetime) -> Dispense:
    """Count a print of the label. The second and later ones are reprints."""
    policies.require(policies.may_dispense(by), by, "print a label", "a technician or pharmacist")
    policies.require_same_pharmacy(by, dispense.pharmacy_id)
    locked = Dispense.objects.select_for_update(of=("self",)).select_related("pharmacy", "patient").get(pk=dispense.pk)
    locked.label_prints += 1
    locked.save(update_fields=["label_prints"])
    event = Event.LABEL_PRINTED if locked.label_prints == 1 else Event.LABEL_REPRINTED
    audit.record(
        event,
        pharmacy=locked.pharmacy,
        by=by,
        now=now,
        subject=locked,
        patient=locked.patient,
        body={"print": locked.label_prints},
    )
    return locked


@transaction.atomic
def document_printed(*, dispense: Dispense, document: str, by: Actor, now: datetime) -> None:
    """Note that a calendar or a leaflet was printed."""
    policies.require(policies.may_dispense(by), by, "print a document", "a technician or pharmacist")
    policies.require_same_pharmacy(by, dispense.pharmacy_id)
    audit.record(
        Event.DOCUMENT_PRINTED,
        pharmacy=dispense.pharmacy,
        by=by,
        now=now,
        subject=dispense,
        patient=dispense.patient,
        body={"document": document},
    )
