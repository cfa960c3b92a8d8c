"""Frame and response headers of the pages that need no session."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dispensary.actors import Actor, Role
from dispensary.models import ContactPoint
from dispensary.reminders.texts import DEFAULT_LANGUAGE, RIGHT_TO_LEFT, language_for


def page_language(contact: ContactPoint | None) -> str:
    """Return the reader's language, else the pharmacy's, else English."""
    if contact is None:
        return DEFAULT_LANGUAGE
    return language_for(contact.language, contact.patient.pharmacy.language)


def wrong_person(contact: ContactPoint) -> Actor:
    """Return the actor for a message that reached somebody else than its patient."""
    return Actor("patient", "Whoever got the message", Role.PATIENT, contact.patient.pharmacy_id)


def render_page(
    request: HttpRequest,
    template: str,
    contact: ContactPoint | None,
    context: Mapping[str, object],
    *,
    language: str,
    status: int,
) -> HttpResponse:
    """Render a page with the sender's name and telephone, without referrer and not for search engines."""
    pharmacy = contact.patient.pharmacy if contact else None
    sender = {
        "pharmacy": pharmacy,
        "dial": "".join(sign for sign in pharmacy.phone if sign.isdigit() or sign == "+") if pharmacy else "",
        "language": language,
        "direction": "rtl" if language in RIGHT_TO_LEFT else "ltr",
    }
    response = render(request, f"dispensary/patient_pages/{template}", {**context, **sender}, status=status)
    return keep_private(response)


def keep_private(response: HttpResponse) -> HttpResponse:
    """Add the headers that keep an address out of other sites' logs and of search engines."""
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
