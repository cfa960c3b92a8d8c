"""Drafts of hand-overs: scanned and typed fields of a check page.

A draft is kept in the server's session, so that an error, the override page or a lock does not lose it. The hand-over
clears it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from dispensary.scanning import Pack

KEY = "dispensary_drafts"
MOST = 20


@dataclass(slots=True)
class PackDraft:
    """Unchecked text of the fields of one strength, as typed or scanned."""

    gtin: str = ""
    lot: str = ""
    expiry: str = ""
    serial: str = ""
    quantity: str = ""
    further: list[dict[str, str]] = field(default_factory=list)
    """Boxes scanned after the first: gtin, lot, expiry and serial of each."""

    def holds(self, box: Mapping[str, str]) -> bool:
        """Say whether a scanned box is among these: of its serial, or where it has none, of its lot."""
        name = "serial" if box["serial"] else "lot"
        boxes = [{"gtin": self.gtin, "lot": self.lot, "serial": self.serial}, *self.further]
        return any(scanned["gtin"] == box["gtin"] and scanned[name] == box[name] for scanned in boxes)

    def empty(self) -> None:
        """Take out what was scanned."""
        self.gtin = self.lot = self.expiry = self.serial = ""
        self.further = []

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> PackDraft:
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})


def box_of(pack: Pack) -> dict[str, str]:
    """Return a scanned pack as the fields of a page have it."""
    expiry = pack.expiry.isoformat() if pack.expiry else ""
    return {"gtin": pack.gtin, "lot": pack.lot, "expiry": expiry, "serial": pack.serial}


@dataclass(slots=True)
class Draft:
    """Unchecked text of the fields of a page."""

    packs: dict[str, PackDraft] = field(default_factory=dict)
    """By the key of the prescription, one a strength."""
    key: str = ""
    acknowledged: list[str] = field(default_factory=list)
    facts: dict[str, list[str]] = field(default_factory=dict)
    """Answers to what is asked about the patient, by the name of the field, until they are stored."""
    choice: str = ""
    """How the order stands to what is taken, as chosen; empty for what is proposed."""
    reason: dict[str, str] = field(default_factory=dict)
    """The reason for that choice, signed on the override page: reason code, words, and whom the signer asked."""

    by_hand: bool = False
    """Say whether the label cannot be printed, so that the next press hands over with one written by hand."""

    bag: str = ""
    """The bag on the page, by its key."""
    scanned_of_bag: list[str] = field(default_factory=list)
    """Keys of the prescriptions of which a pack of that bag was scanned, to check it."""
    no_label: str = ""
    """The reason why that bag has no printed label."""

    override_shown_at: str = ""
    """When the override page was first shown since its answers were last signed, ISO 8601."""

    def pack(self, prescription: UUID) -> PackDraft:
        """Return the fields of one prescription, to be read and changed."""
        return self.packs.setdefault(str(prescription), PackDraft())


def load(request: HttpRequest, prescription: UUID) -> Draft:
    """Return the draft of this order, or an empty one."""
    values = request.session.get(KEY, {}).get(str(prescription), {})
    draft = Draft(**{f.name: values[f.name] for f in fields(Draft) if f.name in values})
    draft.packs = {key: PackDraft.of(pack) for key, pack in draft.packs.items()}  # type: ignore[arg-type]  # a session has them as dicts
    return draft


def store(request: HttpRequest, prescription: UUID, draft: Draft) -> None:
    """Store the draft, and drop the oldest beyond `MOST`."""
    drafts: dict[str, Any] = request.session.get(KEY, {})
    drafts.pop(str(prescription), None)
    drafts[str(prescription)] = asdict(draft)
    for oldest in list(drafts)[:-MOST]:
        del drafts[oldest]
    request.session[KEY] = drafts


def drop_answers(request: HttpRequest) -> None:
    """Drop from every draft what a person has answered for; what was scanned and typed stays."""
    drafts: dict[str, Any] = request.session.get(KEY, {})
    answers = ("key", "acknowledged", "choice", "reason", "by_hand", "scanned_of_bag", "no_label", "override_shown_at")
    request.session[KEY] = {
        order: {name: value for name, value in draft.items() if name not in answers} for order, draft in drafts.items()
    }


def drop_ticks(request: HttpRequest, prescription: UUID) -> None:
    """Drop what was ticked on a page that was made for another step."""
    draft = load(request, prescription)
    draft.acknowledged = []
    store(request, prescription, draft)


def clear(request: HttpRequest, prescription: UUID) -> None:
    """Remove the draft after the hand-over."""
    drafts: dict[str, Any] = request.session.get(KEY, {})
    if drafts.pop(str(prescription), None) is not None:
        request.session[KEY] = drafts
