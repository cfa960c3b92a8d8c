"""The address behind "stop these messages": signed, about one contact point, without anything about the patient."""

from __future__ import annotations

import uuid

from django.core import signing
from django.urls import NoReverseMatch, reverse

_SALT = "dispensary.reminders.stop"


def stop_token(contact_id: uuid.UUID) -> str:
    """A token that stops messages to this contact point. It does not expire: a mail may be opened years later."""
    return signing.Signer(salt=_SALT).sign(contact_id.hex)


def contact_of(token: str) -> uuid.UUID | None:
    """The contact point that a token is about; `None` for a token that we did not make."""
    try:
        return uuid.UUID(signing.Signer(salt=_SALT).unsign(token))
    except (signing.BadSignature, ValueError):
        return None


def stop_url(contact_id: uuid.UUID, public_url: str) -> str:
    """The whole address; empty where the site has not said at which address it is reached."""
    if not public_url:
        return ""
    try:
        path = reverse("hooks:stop-messages", args=[stop_token(contact_id)])
    except NoReverseMatch:  # the site leaves these pages out
        return ""
    return public_url.rstrip("/") + path
