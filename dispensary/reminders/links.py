"""The addresses that a message carries: signed, each for one purpose, without anything about the patient in them.

`/u/` stops the messages and does not expire, since a mail may be opened years later. `/m/` shows what will be sent and lets
the patient change it; whoever finds an old mail must not see that, so it carries its end.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from django.conf import settings
from django.core import signing
from django.urls import NoReverseMatch, get_urlconf, reverse

_STOP = "dispensary.reminders.stop"
_PAGE = "dispensary.reminders.patient-page"
_HOUR = timedelta(hours=1)
_PLACE = "TOKEN"


def stop_token(contact_id: uuid.UUID) -> str:
    """A token that stops messages to this contact point. It does not expire."""
    return _signer(_STOP, settings.SECRET_KEY).sign(contact_id.hex)


def contact_of(token: str) -> uuid.UUID | None:
    """The contact point that a stop token is about; `None` for a token that we did not make."""
    try:
        return uuid.UUID(signing.Signer(salt=_STOP).unsign(token))
    except (signing.BadSignature, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class PageToken:
    """The content of a token of the patient's page."""

    contact_id: uuid.UUID
    expired: bool


def page_token(contact_id: uuid.UUID, ends: datetime) -> str:
    """A token that opens the patient's page from a message to this contact point, until the hour in which it ends."""
    return _signer(_PAGE, settings.SECRET_KEY).sign(f"{contact_id.hex}{_hours(ends):x}")


def page_of(token: str, now: datetime) -> PageToken | None:
    """Return the content of a page's token; `None` for one not ours or of another purpose."""
    try:
        payload = signing.Signer(salt=_PAGE).unsign(token)
        contact_id, ends = uuid.UUID(payload[:32]), int(payload[32:], 16)
    except (signing.BadSignature, ValueError):
        return None
    return PageToken(contact_id, _hours(now) > ends)


@cache
def _signer(salt: str, _key: object) -> signing.Signer:
    """Made once for a purpose and a key: it signs two addresses of every letter."""
    return signing.Signer(salt=salt)


def _hours(now: datetime) -> int:
    return int(now.timestamp() // _HOUR.total_seconds())


def stop_url(contact_id: uuid.UUID, public_url: str) -> str:
    """The whole address that stops; empty where the site has not said at which address it is reached."""
    return _address("patient_pages:stop", stop_token(contact_id), public_url) if public_url else ""


def page_url(contact_id: uuid.UUID, ends: datetime, public_url: str) -> str:
    """The whole address of the patient's page; empty where the site has not said at which address it is reached."""
    return _address("patient_pages:messages", page_token(contact_id, ends), public_url) if public_url else ""


def _address(name: str, token: str, public_url: str) -> str:
    path = _path(name, get_urlconf() or settings.ROOT_URLCONF)
    return public_url.rstrip("/") + path.replace(_PLACE, token) if path else ""


@cache
def _path(name: str, _urlconf: str) -> str:
    """The path with a place for the token, looked up once: it stands in every message. Empty: the site leaves it out."""
    try:
        return reverse(name, args=[_PLACE])
    except NoReverseMatch:
        return ""
