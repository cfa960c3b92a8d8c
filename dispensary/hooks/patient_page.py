"""The patient's page, behind the link of an e-mail: what will be sent, and the few things a patient may change.

GET shows and changes nothing. Each button posts, acts at once, may be pressed twice, and leads back to the page.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from dispensary.actions import consent, patients
from dispensary.actions.reminders import patient_page as shown
from dispensary.actions.reminders import tokens
from dispensary.actors import Actor, Role
from dispensary.models import ConsentSource, ContactPoint, DetailLevel, Language, Medium
from dispensary.reminding import language_for
from dispensary.reminding.words import DEFAULT_LANGUAGE, RIGHT_TO_LEFT, patient_page, say_date, stop_page

OWN_NAMES = {
    Language.ENGLISH: "English",
    Language.SPANISH: "Español",
    Language.FRENCH: "Français",
    Language.ARABIC: "العربية",
}
_SAID = frozenset({"language", "plainer", "stop"})


@csrf_exempt  # without a session there is nothing to forge: the signed token is the proof, and it stands in no cookie
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def your_messages(request: HttpRequest, token: str) -> HttpResponse:
    """404 for a token that is not ours, 410 for one that has ended; 400 for a wish that is none of the page's buttons."""
    now = timezone.now()
    told = tokens.page_of(token, now)
    points = ContactPoint.objects.select_related("patient__pharmacy")
    contact = points.filter(pk=told.contact_id).first() if told else None
    if told is None or contact is None:
        return _notice(request, None, "gone", 404)
    if shown.is_closed(contact):
        return _notice(request, contact, "closed", 410)
    if told.expired:
        return _notice(request, contact, "old", 410)
    if request.method != "POST":
        return _page(request, contact, request.GET.get("said", ""), now)
    wish = _WISHES.get(request.POST.get("do", ""))
    by = Actor("patient", "The patient", Role.PATIENT, contact.patient.pharmacy_id)
    said = wish(contact, request, by, now) if wish else ""
    if not said:
        return _page(request, contact, "unclear", now, status=400)
    return redirect(f"{request.path}?said={said}")


def _stop(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    named = request.POST.get("medium", "")
    if named != "all" and named not in Medium.values:
        return ""
    media = tuple(Medium) if named == "all" else (Medium(named),)
    consent.stop_media(
        patient=contact.patient,
        media=media,
        source=ConsentSource.PATIENT_PAGE,
        evidence="link of a message",
        by=by,
        now=now,
    )
    return "stop"


def _language(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    language = request.POST.get("language", "")
    if language not in Language.values:
        return ""
    patients.choose_language(patient=contact.patient, language=language, by=by, now=now)
    return "language"


def _plainer(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    """From one link all of the patient's addresses: who wants the medicine left out means everywhere."""
    for point in contact.patient.contact_points.filter(detail_level=DetailLevel.DETAILED, retired_at__isnull=True):
        consent.choose_detail(contact=point, detail_level=DetailLevel.PLAIN, by=by, now=now)
    return "plainer"


def _wrong(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    consent.report_wrong_person(contact=contact, by=stranger_at(contact), now=now)
    return "wrong"


def stranger_at(contact: ContactPoint) -> Actor:
    """Whoever holds a message that was not for them."""
    return Actor("patient", "Whoever got the message", Role.PATIENT, contact.patient.pharmacy_id)


_WISHES: dict[str, Callable[[ContactPoint, HttpRequest, Actor, datetime], str]] = {
    "stop": _stop,
    "language": _language,
    "plainer": _plainer,
    "wrong": _wrong,
}


def _notice(request: HttpRequest, contact: ContactPoint | None, told: str, status: int) -> HttpResponse:
    """One sentence, and nothing about the patient."""
    pharmacy = contact.patient.pharmacy if contact else None
    language = language_for(contact.patient.language, pharmacy.language) if contact and pharmacy else DEFAULT_LANGUAGE
    words = patient_page(language)
    context = {"heading": stop_page(language)["gone"] if told == "gone" else words[told], "words": words}
    return answer(request, "stop.html", context | frame(contact, language), status)


def _page(request: HttpRequest, contact: ContactPoint, said: str, now: datetime, status: int = 200) -> HttpResponse:
    found = shown.patient_page(contact=contact, now=now)
    words = patient_page(found.language)
    told = words[f"done_{said}"] if said in _SAID else words["unclear"] if said == "unclear" and status == 400 else ""
    context = {
        "page": found,
        "words": words,
        "heading": words["title"],
        "intro": words["intro"].format(sender=contact.patient.pharmacy.name),
        "told": told,
        "tone": "stop" if status == 400 else "ready",
        "coming": [
            {
                "day": say_date(each.leaves_at.date(), found.language),
                "hour": f"{each.leaves_at:%H:%M}",  # as the patient's clock shows it; a template would turn it into the site's
                "stamp": each.leaves_at.isoformat(timespec="minutes"),
                "medium": words[each.medium],
                "text": each.text,
            }
            for each in found.coming
        ],
        "stopping": [(medium.value, words[medium], words[f"stop_{medium}"], on) for medium, on in found.media],
        "some_on": any(on for _medium, on in found.media),
        "several_on": sum(on for _medium, on in found.media) > 1,
        "wrong_text": words[f"wrong_text_{contact.medium}"],
        "wrong_button": words[f"wrong_button_{contact.medium}"],
        "languages": [(code, name, code == found.language) for code, name in OWN_NAMES.items()],
    }
    return answer(request, "patient_page.html", context | frame(contact, found.language), status)


def frame(contact: ContactPoint | None, language: str) -> dict[str, object]:
    """What stands around every page that needs no session: the sender with its telephone, the language, its direction."""
    pharmacy = contact.patient.pharmacy if contact else None
    return {
        "pharmacy": pharmacy,
        "dial": "".join(sign for sign in pharmacy.phone if sign.isdigit() or sign == "+") if pharmacy else "",
        "language": language,
        "direction": "rtl" if language in RIGHT_TO_LEFT else "ltr",
    }


def answer(request: HttpRequest, template: str, context: dict[str, object], status: int) -> HttpResponse:
    """A page that tells no other site where it was, and no search engine that it is there."""
    response = render(request, f"dispensary/hooks/{template}", context, status=status)
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
