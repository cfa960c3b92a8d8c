"""The addresses that a message carries, each for one purpose, without anything about the patient in them.

`/u/` stops the messages, is signed and does not expire, since a mail may be opened years later. `/m/` is the patient's page:
a random code of the address that the message went to, short enough for a text message. A new code ends the old links.
"""

from __future__ import annotations

import uuid
from functools import cache

from django.conf import settings
from django.core import signing
from django.urls import NoReverseMatch, get_urlconf, reverse

from dispensary.models.contacts import PAGE_CODE_LENGTH

_STOP = "dispensary.reminders.stop"
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


@cache
def _signer(salt: str, _key: object) -> signing.Signer:
    """Made once for a purpose and a key: it signs two addresses of every letter."""
    return signing.Signer(salt=salt)


def stop_url(contact_id: uuid.UUID, public_url: str) -> str:
    """The whole address that stops; empty where the site has not said at which address it is reached."""
    return _address("patient_pages:stop", stop_token(contact_id), public_url) if public_url else ""


def page_url(page_code: str, public_url: str) -> str:
    """The whole address of the patient's page; empty where the site has not said at which address it is reached."""
    return _address("patient_pages:own-page", page_code, public_url) if public_url else ""


def sample_page_url(public_url: str) -> str:
    """An address as long as that of a patient's page, for counting what a text message costs."""
    return page_url("x" * PAGE_CODE_LENGTH, public_url)


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
