"""What was scanned and typed on a check page and not yet handed over. It lives in the server's session, so that neither an
error, nor the way to the override page, nor a lock loses it; the hand-over clears it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any
from uuid import UUID

from django.http import HttpRequest

KEY = "dispensary_drafts"
MOST = 20


@dataclass(slots=True)
class Draft:
    """Raw text of the fields, as typed or scanned."""

    gtin: str = ""
    lot: str = ""
    expiry: str = ""
    serial: str = ""
    quantity: str = ""
    key: str = ""
    acknowledged: list[str] = field(default_factory=list)


def load(request: HttpRequest, prescription: UUID) -> Draft:
    """What is there for this order, or an empty draft."""
    kept = request.session.get(KEY, {}).get(str(prescription), {})
    return Draft(**{f.name: kept[f.name] for f in fields(Draft) if f.name in kept})


def keep(request: HttpRequest, prescription: UUID, draft: Draft) -> None:
    """Keep it; of too many drafts the oldest goes."""
    kept: dict[str, Any] = request.session.get(KEY, {})
    kept.pop(str(prescription), None)
    kept[str(prescription)] = asdict(draft)
    for oldest in list(kept)[:-MOST]:
        del kept[oldest]
    request.session[KEY] = kept


def clear(request: HttpRequest, prescription: UUID) -> None:
    """Forget it: it was handed over."""
    kept: dict[str, Any] = request.session.get(KEY, {})
    if kept.pop(str(prescription), None) is not None:
        request.session[KEY] = kept
