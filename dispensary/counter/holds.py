"""Holds of an order in words: what it waits for, and how the last hold was settled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dispensary import audit
from dispensary.audit import Event
from dispensary.counter.pages import end_sentence
from dispensary.models import Awaited, Prescription, PrescriptionStatus


@dataclass(frozen=True, slots=True)
class Resumption:
    """The end of a hold."""

    awaited: str
    note: str
    """The words with which it was put on hold."""
    reason: str
    """How it was settled, in words."""
    by: str
    at: datetime


def held_scan_trouble(prescription: Prescription) -> str:
    """Say why a pack is not taken for an order on hold, with what it waits for and the note."""
    if not prescription.awaiting:
        return "This prescription is on hold by its sender. The pack was not taken: wait for its sender to release it."
    note = f": {prescription.ended_reason}" if prescription.ended_reason else ""
    waits = f"awaiting {Awaited(prescription.awaiting).label}{note}"
    return f"This prescription is on hold, {end_sentence(waits)} The pack was not taken: resume it before you scan."


def find_resumption(prescription: Prescription) -> Resumption | None:
    """Return the end of the last hold of an active order, from the log; None for one that was never on hold."""
    if prescription.status != PrescriptionStatus.ACTIVE or prescription.awaiting_since is None:
        return None
    events = [Event.PRESCRIPTION_RESUMED]
    line = next(iter(audit.history(prescription, pharmacy=prescription.pharmacy_id, events=events, limit=1)), None)
    if line is None or line.body is None:
        return None
    body = line.body
    waits = str(Awaited(body["awaiting"]).label)
    return Resumption(waits, body.get("note", ""), body.get("reason", ""), body["by"], line.entry.occurred_at)
