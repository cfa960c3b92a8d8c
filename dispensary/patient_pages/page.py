"""The patient's page behind the link of a message: what is taken and until when, and the messages with what may be changed.

GET changes nothing. Each button posts, acts at once, may be pressed twice, and redirects to the page.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import partial

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from dispensary.actions import answers, carers, consent, patients
from dispensary.actions.answers import ON_PAGE
from dispensary.actors import Actor, Role
from dispensary.assessment import therapy_of
from dispensary.clock import read_clock
from dispensary.conf import conf
from dispensary.documents import DoesNotFit, LeafletLayout, leaflet_pdf, taper_calendar_pdf
from dispensary.documents.words import NB, long_day, words_in
from dispensary.emergency_numbers import emergency_number
from dispensary.errors import DispensaryError, InvalidInput
from dispensary.handover import papers_in_hand, printed_handover
from dispensary.models import (
    Answer,
    CarerRelation,
    ConsentAnswer,
    ConsentSource,
    ContactPoint,
    DetailLevel,
    Dispense,
    Language,
    Medium,
)
from dispensary.models.pharmacy import SharedNames
from dispensary.patient_pages import notifications
from dispensary.patient_pages.course import PatientCourse, Wording, describe_course
from dispensary.patient_pages.feed import render_feed
from dispensary.patient_pages.layout import keep_private, page_language, render_page, wrong_person
from dispensary.reminders import links, upcoming
from dispensary.reminders.carers import is_under_age
from dispensary.reminders.planning import manners_of
from dispensary.reminders.texts import patient_page, say_date, short_name, stop_page

OWN_NAMES = {
    Language.ENGLISH: "English",
    Language.SPANISH: "Español",
    Language.FRENCH: "Français",
    Language.ARABIC: "العربية",
}
_CONFIRMED = frozenset({"language", "plainer", "stop", "carer", "push_on", "push_off", *ON_PAGE})


@csrf_exempt  # without a session there is nothing to forge: the code is the proof, and it stands in no cookie
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def show_page(request: HttpRequest, code: str) -> HttpResponse:
    """Show the page and do what its buttons ask: 404 for a code that is not ours, 410 for an ended one, 400 for no button of the page."""
    now = read_clock()
    contact = _open(request, code, now)
    if isinstance(contact, HttpResponse):
        return contact
    if request.method != "POST":
        return _render_page(request, contact, request.GET.get("said", ""), now)
    change = _CHANGES.get(request.POST.get("do", ""))
    reader = "A carer" if contact.carer else "The patient"
    by = Actor("patient", reader, Role.PATIENT, contact.patient.pharmacy_id)
    try:
        done = change(contact, request, by, now) if change else ""
    except InvalidInput:
        done = ""
    if not done:
        return _render_page(request, contact, "", now, status=400)
    return redirect(f"{request.path}?said={done}")


@never_cache
@require_safe
def show_feed(request: HttpRequest, code: str) -> HttpResponse:
    """Return the calendar that a telephone subscribes to."""
    now = read_clock()
    contact = _open(request, code, now)
    if isinstance(contact, HttpResponse):
        return contact
    content = render_feed(
        contact.patient,
        contact.patient.pharmacy,
        page_language(contact),
        links.page_url(contact.page_code, conf().public_url),
        _today_of(contact, now),
    )
    return keep_private(HttpResponse(content, content_type="text/calendar; charset=utf-8"))


@never_cache
@require_safe
def show_paper(request: HttpRequest, code: str, pk: uuid.UUID, name: str = "calendar") -> HttpResponse:
    """Return the calendar or a leaflet of one supply as PDF, where the patient chose messages that name the medicine."""
    now = read_clock()
    contact = _open(request, code, now)
    if isinstance(contact, HttpResponse):
        return contact
    today = _today_of(contact, now)
    dispense = next((row for row in _papers(contact, today) if row.pk == pk), None)
    try:
        handover = None if dispense is None else printed_handover(dispense, today)
        render = _RENDERERS.get(name)
        content = None if handover is None or render is None else render(handover, at=now)
    except (DispensaryError, DoesNotFit):
        content = None
    if content is None:
        return _render_notice(request, contact, "no_paper", 404)
    return keep_private(HttpResponse(content, content_type="application/pdf"))


_RENDERERS: dict[str, Callable[..., bytes]] = {
    "calendar": taper_calendar_pdf,
    "leaflet": leaflet_pdf,
    "leaflet-large": partial(leaflet_pdf, layout=LeafletLayout.LARGE),
}


def _open(request: HttpRequest, code: str, now: datetime) -> ContactPoint | HttpResponse:
    """Return the address whose page a code opens; for a code that opens nothing, the notice that says so."""
    points = ContactPoint.objects.select_related("patient__pharmacy", "carer")
    contact = points.filter(page_code=code).first() if code.isprintable() and len(code) <= 16 else None
    if contact is None:
        return _render_notice(request, None, "gone", 404)
    if upcoming.is_closed(contact):
        return _render_notice(request, contact, "closed", 410)
    return _render_notice(request, contact, "old", 410) if upcoming.is_old(contact, now) else contact


def _today_of(contact: ContactPoint, now: datetime) -> date:
    """Return the day where the patient lives."""
    return now.astimezone(manners_of(contact.patient)[0]).date()


def _papers(contact: ContactPoint, today: date) -> list[Dispense]:
    """Return the supplies whose calendar may be opened here: medicine and dose stand on it."""
    return papers_in_hand(contact.patient, today) if contact.detail_level == DetailLevel.DETAILED else []


def _list_papers(contact: ContactPoint, language: str, today: date) -> Iterator[tuple[str, str]]:
    """Yield the addresses and names of the calendars, and of the leaflet of the newest supply."""
    words, rows = patient_page(language), _papers(contact, today)
    for row in rows:
        address = reverse("patient_pages:paper", args=[contact.page_code, row.pk])
        yield address, words["paper"].format(day=_day_of_supply(row, language))
    for name in ("leaflet", "leaflet-large") if rows else ():
        address = reverse("patient_pages:named-paper", args=[contact.page_code, rows[0].pk, name])
        yield address, words[name.replace("-", "_")]


def _stop_media(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    medium = request.POST.get("medium", "")
    if medium != "all" and medium not in Medium.values:
        return ""
    media = tuple(Medium) if medium == "all" else (Medium(medium),)
    if contact.carer:
        source = ConsentSource.PATIENT_PAGE
        carers.answer_carer(carer=contact.carer, answer=ConsentAnswer.NO, source=source, by=by, now=now)
        return "stop"
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
    if contact.carer:
        carers.choose_language(carer=contact.carer, language=Language(language), by=by, now=now)
    else:
        patients.choose_language(patient=contact.patient, language=language, by=by, now=now)
    return "language"


def _leave_out_medicine(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    """Leave medicine and dose out of the messages to every address of the reader."""
    points = contact.patient.contact_points.filter(carer=contact.carer, retired_at__isnull=True)
    for point in points.filter(detail_level=DetailLevel.DETAILED):
        consent.choose_detail(contact=point, detail_level=DetailLevel.PLAIN, by=by, now=now)
    return "plainer"


def _report_wrong_person(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    consent.report_wrong_person(contact=contact, by=wrong_person(contact), now=now)
    return "wrong"


def _ask_for_carer(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    """Ask that somebody else gets the messages, too; whoever is a carer names nobody further."""
    if contact.carer:
        return ""
    address = request.POST.get("address", "")[:250]
    medium = Medium.EMAIL if "@" in address else Medium.SMS
    relation = request.POST.get("relation", CarerRelation.CARER.value)
    if relation not in CarerRelation.values:
        return ""
    carers.ask_for_carer(
        contact=contact, name=request.POST.get("name", ""), relation=CarerRelation(relation), medium=medium,
        address=address, by=by, now=now,
    )  # fmt: skip
    return "carer"


def _record_answer(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    answer = Answer(request.POST["do"])
    answers.answer_on_page(patient=contact.patient, answer=answer, now=now)
    return answer.value


def _switch_on(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    """Send messages to the browser that shows the page, too."""
    if notifications.public_key() is None:
        return ""
    subscription = request.POST.get("subscription", "")
    consent.switch_on_notifications(contact=contact, subscription=subscription, by=by, now=now)
    return "push_on"


def _switch_off(contact: ContactPoint, request: HttpRequest, by: Actor, now: datetime) -> str:
    """Send no more messages to one browser of the reader's."""
    browser = next(
        (row for row in consent.select_browsers(contact) if str(row.pk) == request.POST.get("browser")), None
    )
    if browser is None:
        return ""
    consent.retire_contact(contact=browser, by=by, now=now)
    return "push_off"


_CHANGES: dict[str, Callable[[ContactPoint, HttpRequest, Actor, datetime], str]] = {
    "stop": _stop_media,
    "language": _choose_language,
    "plainer": _leave_out_medicine,
    "carer": _ask_for_carer,
    "wrong": _report_wrong_person,
    "push_on": _switch_on,
    "push_off": _switch_off,
    **dict.fromkeys(ON_PAGE, _record_answer),
}


def _render_notice(request: HttpRequest, contact: ContactPoint | None, notice: str, status: int) -> HttpResponse:
    """Render one sentence, without anything about the patient."""
    language = page_language(contact)
    words = patient_page(language)
    context = {"heading": stop_page(language)["gone"] if notice == "gone" else words[notice], "words": words}
    return render_page(request, "stop.html", contact, context, language=language, status=status)


def _render_page(
    request: HttpRequest, contact: ContactPoint, done: str, now: datetime, status: int = 200
) -> HttpResponse:
    page = upcoming.patient_page(contact=contact, now=now)
    words, paper_words = patient_page(page.language), words_in(page.language)["calendar"]
    patient, is_unclear, today = contact.patient, status == 400, _today_of(contact, now)
    pharmacy, phone = patient.pharmacy, patient.pharmacy.phone or words["us"]
    zone = manners_of(patient)[0]
    course = _describe_course(contact, page.language, today)
    change = course.next_change if course else None
    context = {
        "page": page,
        "words": words,
        "heading": words["title"],
        "course": course,
        "today_words": words["today"].format(day=say_date(today, page.language)),
        "change_words": words["from_day"].format(day=change.words) if change else "",
        "safety": {
            "title": paper_words["how_bold"],
            "how": paper_words["how"],
            "help_title": paper_words["help_bold"],
            "help": paper_words["help"].format(phone=f"\u2068{phone.replace(' ', NB)}\u2069"),
            "emergency": emergency_number(pharmacy.phone),
        },
        "days_title": paper_words["title"],
        "papers": list(_list_papers(contact, page.language, today)),
        "feed": f"webcal://{request.get_host()}{reverse('patient_pages:feed', args=[contact.page_code])}",
        "fetched": words["fetched"].format(
            day=say_date(today, page.language), hour=f"\u2066{now.astimezone(zone):%H:%M}\u2069"
        ),
        "intro": words["intro"].format(sender=pharmacy.name),
        "for_carer": words["for_carer"].format(name=_short_name(contact)) if contact.carer else "",
        "relations": [(relation.value, words[f"relation_{relation}"]) for relation in CarerRelation]
        if is_under_age(patient, pharmacy.local_day(now))
        else [],
        "notice": words["unclear"] if is_unclear else words[f"done_{done}"] if done in _CONFIRMED else "",
        "tone": "stop" if is_unclear or done == Answer.UNWELL else "ready",
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
        "push_key": notifications.public_key(),
        "browsers": [
            (row.pk, words["push_since"].format(day=say_date(row.added_at.astimezone(zone).date(), page.language)))
            for row in consent.select_browsers(contact)
        ],
        "wrong_text": words[f"wrong_text_{contact.medium}"],
        "wrong_button": words[f"wrong_button_{contact.medium}"],
        "languages": [(code, name, code == page.language) for code, name in OWN_NAMES.items()],
    }
    return render_page(request, "page.html", contact, context, language=page.language, status=status)


def _describe_course(contact: ContactPoint, language: str, today: date) -> PatientCourse | None:
    """Return what the patient takes; None where the record cannot be read, so that the page says to call."""
    try:
        therapy = therapy_of(contact.patient, today)
    except DispensaryError:
        return None
    names_medicine = contact.detail_level == DetailLevel.DETAILED
    usual_times = contact.patient.pharmacy.times_by_count
    return describe_course(therapy, Wording(language, names_medicine, usual_times))


def _short_name(contact: ContactPoint) -> str:
    patient = contact.patient
    return short_name(patient.given_name, patient.family_name, SharedNames(patient.pharmacy.shared_names))


def _day_of_supply(dispense: Dispense, language: str) -> str:
    return long_day(dispense.pharmacy.local_day(dispense.handed_over_at), language)
