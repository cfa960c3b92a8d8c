"""The record of one override on A4: what was found, why it was supplied in spite of it, and who signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from dispensary.documents.paper import PharmacyLines
from dispensary.documents.typesetting import typeset


@dataclass(frozen=True, slots=True)
class PrintedSignature:
    """One signature, in words."""

    who: str
    """Name and role."""
    meaning: str
    proof: str
    """By which factor."""
    at: str
    digest: str
    """Of what was signed, hexadecimal."""
    entry: str
    """Number and leaf of its entry in the log; that it has none yet, where it is so new."""


@dataclass(frozen=True, slots=True)
class OverrideRecord:
    """An override, in the words that are printed."""

    patient: str
    order: str
    finding: str
    rule: str
    details: Sequence[tuple[str, str]]
    """Names and values of the finding and of the answer, as they stand in the log; none is empty."""
    shown: str
    """Digest of the page that the first signer was shown; empty where there was none."""
    signatures: Sequence[PrintedSignature]
    state: str
    """What became of the answer."""
    printed: str
    pharmacy: PharmacyLines


def override_record_pdf(record: OverrideRecord, *, at: datetime | None = None) -> bytes:
    """Render the record as a tagged PDF of as many pages as it takes. Raises DoesNotFit for a letter that cannot be drawn."""
    return typeset("override.typ", asdict(record), at=at)
