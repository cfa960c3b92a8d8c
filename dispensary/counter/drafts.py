"""Drafts of hand-overs: scanned and typed fields of a check page.

A draft is drafts in the server's session, so that an error, the override page or a lock does not lose it. The hand-over
clears it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any
from uuid import UUID

from django.http import HttpRequest

KEY = "dispensary_drafts"
MOST = 20


@dataclass(slots=True)
class Draft:
    """Unchecked text of the fields, as typed or scanned."""

    gtin: str = ""
    lot: str = ""
    expiry: str = ""
    serial: str = ""
    quantity: str = ""
    key: str = ""
    acknowledged: list[str] = field(default_factory=list)


def load(request: HttpRequest, prescription: UUID) -> Draft:
    """Return the draft of this order, or an empty one."""
    values = request.session.get(KEY, {}).get(str(prescription), {})
    return Draft(**{f.name: values[f.name] for f in fields(Draft) if f.name in values})


def store(request: HttpRequest, prescription: UUID, draft: Draft) -> None:
    """Store the draft, and drop the oldest beyond `MOST`."""
    drafts: dict[str, Any] = request.session.get(KEY, {})
    drafts.pop(str(prescription), None)
    drafts[str(prescription)] = asdict(draft)
    for oldest in list(drafts)[:-MOST]:
        del drafts[oldest]
    request.session[KEY] = drafts


def clear(request: HttpRequest, prescription: UUID) -> None:
    """Remove the draft after the hand-over."""
    drafts: dict[str, Any] = request.session.get(KEY, {})
    if drafts.pop(str(prescription), None) is not None:
        request.session[KEY] = drafts
