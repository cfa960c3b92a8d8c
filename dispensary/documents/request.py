"""The request to a prescriber for a proposed course, on one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from dispensary.documents.paper import PharmacyLines
from dispensary.documents.typesetting import typeset


@dataclass(frozen=True, slots=True)
class RequestPhase:
    """One phase of the proposed course, in words."""

    number: str
    doses: str
    days: str
    mg: str


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A proposed course, in the words that are printed."""

    prescriber: str
    patient: str
    born: str
    number: str
    """The patient's number."""
    replaces: str
    """The order that it would take the place of, in a sentence."""
    now: str
    """What the patient takes today."""
    sentence: str
    phases: Sequence[RequestPhase]
    tablets: str
    rules: str
    """Which profile's rules it keeps."""
    reason: str
    printed: str
    pharmacy: PharmacyLines


def plan_request_pdf(request: PlanRequest, *, at: datetime | None = None) -> bytes:
    """Render the request as a tagged PDF. Raises DoesNotFit where it is longer than one page."""
    pharmacy = request.pharmacy
    data = asdict(request) | {
        "title": "Request to the prescriber",
        "pharmacy": pharmacy.name,
        "address": pharmacy.address,
        "phone": pharmacy.phone,
    }
    return typeset("request.typ", data, at=at)
