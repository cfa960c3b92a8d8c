"""The patient's page behind the link of an e-mail: coming messages, and what a patient may change about them.

GET changes nothing. Each button posts, acts at once, may be pressed twice, and redirects to the page.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from dispensary.actions import consent, patients
from dispensary.actors import Actor, Role
from dispensary.clock import read_clock
from dispensary.models import ConsentSource, ContactPoint, DetailLevel, Language, Medium
from dispensary.patient_pages.layout import page_language, render_page, wrong_person
from dispensary.reminders import links, upcoming
from dispensary.reminders.texts import patient_page, say_date, stop_page

OWN_NAMES = {
    Language.ENGLISH: "English",
    Language.SPANISH: "Español",
    Language.FRENCH: "Français",
    Language.ARABIC: "العربية",
}
_CONFIRMED = frozenset({"language", "plainer", "stop"})


@csrf_exempt  # without a session there is nothing to forge: the signed token is the proof, and it stands in no cookie
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def show_messages(request: HttpRequest, token: str) -> HttpResponse:
    """Show the page and do what its buttons ask: 404 for a forged token, 410 for an ended one, 400 for no button of the page."""
    now = read_clock()
    link = links.page_of(token, now)
    points = ContactPoint.objects.select_related("patient__pharmacy")
    contact = points.filter(pk=link.contact_id).first() if link else None
    if link is None or contact is None:
        return _render_notice(request, None, "gone", 404)
    if upcoming.is_closed(contact):
        return _render_notice(request, contact, "closed", 410)
    if link.expired:
        return _render_notice(request, contact, "old", 410)
    if request.method != "POST":
        return _render_messages(request, contact, request.GET.get("said", ""), now)
    change = _CHANGES.get(request.POST.get("do", ""))
    by = Actor("patient", "The patient", Role.PATIENT, contact.patient.pharmacy_id)
    done = change(contact, request, by, now) if change else ""
    if not done:
        return _render_messages(request, contact, "", now, status=400)
    return redirect(f"{request.path}?said={done}")


def _stop_media(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    medium = request.POST.get("medium", "")
    if medium != "all" and medium not in Medium.values:
        return ""
    media = tuple(Medium) if medium == "all" else (Medium(medium),)
    consent.stop_media(
        patient=contact.patient,
        media=media,
        source=ConsentSource.PATIENT_PAGE,
        evidence="link of a message",
        by=by,
        now=now,
    )
    return "stop"


def _choose_language(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    language = request.POST.get("language", "")
    if language not in Language.values:
        return ""
    patients.choose_language(patient=contact.patient, language=language, by=by, now=now)
    return "language"


def _leave_out_medicine(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    """Leave medicine and dose out of the messages to every address of the patient."""
    for point in contact.patient.contact_points.filter(detail_level=DetailLevel.DETAILED, retired_at__isnull=True):
        consent.choose_detail(contact=point, detail_level=DetailLevel.PLAIN, by=by, now=now)
    return "plainer"


def _report_wrong_person(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    consent.report_wrong_person(contact=contact, by=wrong_person(contact), now=now)
    return "wrong"


_CHANGES: dict[str, Callable[[ContactPoint, HttpRequest, Actor, datetime], str]] = {
    "stop": _stop_media,
    "language": _choose_language,
    "plainer": _leave_out_medicine,
    "wrong": _report_wrong_person,
}


def _render_notice(request: HttpRequest, contact: ContactPoint | None, notice: str, status: int) -> HttpResponse:
    """Render one sentence, without anything about the patient."""
    language = page_language(contact)
    words = patient_page(language)
    context = {"heading": stop_page(language)["gone"] if notice == "gone" else words[notice], "words": words}
    return render_page(request, "stop.html", contact, context, language=language, status=status)


def _render_messages(
    request: HttpRequest, contact: ContactPoint, done: str, now: datetime, status: int = 200
) -> HttpResponse:
    page = upcoming.patient_page(contact=contact, now=now)
    words = patient_page(page.language)
    is_unclear = status == 400
    context = {
        "page": page,
        "words": words,
        "heading": words["title"],
        "intro": words["intro"].format(sender=contact.patient.pharmacy.name),
        "notice": words["unclear"] if is_unclear else words[f"done_{done}"] if done in _CONFIRMED else "",
        "tone": "stop" if is_unclear else "ready",
        "coming": [
            {
                "day": say_date(message.leaves_at.date(), page.language),
                # in the patient's time zone; the template's date filter would use the site's
                "hour": f"{message.leaves_at:%H:%M}",
                "stamp": message.leaves_at.isoformat(timespec="minutes"),
                "medium": words[message.medium],
                "text": message.text,
            }
            for message in page.coming
        ],
        "stopping": [(medium.value, words[medium], words[f"stop_{medium}"], on) for medium, on in page.media],
        "some_on": any(on for _medium, on in page.media),
        "several_on": sum(on for _medium, on in page.media) > 1,
        "wrong_text": words[f"wrong_text_{contact.medium}"],
        "wrong_button": words[f"wrong_button_{contact.medium}"],
        "languages": [(code, name, code == page.language) for code, name in OWN_NAMES.items()],
    }
    return render_page(request, "messages.html", contact, context, language=page.language, status=status)
