"""The page behind the stop link of a message, and its one-click form (RFC 8058)."""

from __future__ import annotations

from collections.abc import Mapping

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from dispensary.actions import consent
from dispensary.clock import read_clock
from dispensary.errors import NotFound
from dispensary.models import ConsentSource, ContactPoint
from dispensary.patient_pages.layout import page_language, render_page, wrong_person
from dispensary.reminders import links, opt_outs
from dispensary.reminders.texts import stop_page


@csrf_exempt  # RFC 8058: the mail program posts without cookies; the signed token is the proof
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def stop_messages(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks and changes nothing, since mail scanners follow links. POST stops at once, as often as it comes."""
    contact_id = links.contact_of(token)
    contact = (
        ContactPoint.objects.select_related("patient__pharmacy").filter(pk=contact_id).first() if contact_id else None
    )
    if contact is None:
        return _render(request, "gone", status=404)
    if request.method != "POST":
        return _render(request, "ask", contact)
    try:
        step = _stop(contact, _read_form(request))
    except NotFound:
        return _render(request, "gone", status=404)
    return _render(request, step, contact)


def _read_form(request: HttpRequest) -> Mapping[str, str]:
    """Return the posted fields; a body that cannot be read counts as one click, since the token is enough."""
    try:
        return request.POST
    except (MultiPartParserError, RequestDataTooBig, TooManyFieldsSent, UnreadablePostError):
        return {}


def _stop(contact: ContactPoint, form: Mapping[str, str]) -> str:
    """Stop this address and return the next step of the page; a wrong person also opens work for the pharmacy."""
    now = read_clock()
    if form.get("why") == "wrong-person":
        consent.report_wrong_person(contact=contact, by=wrong_person(contact), now=now)
        return "wrong_done"
    source = ConsentSource.PATIENT_PAGE if form.get("why") == "stop" else ConsentSource.ONE_CLICK
    opt_outs.stop_contact(contact_id=contact.pk, source=source, now=now)
    return "done"


def _render(request: HttpRequest, step: str, contact: ContactPoint | None = None, status: int = 200) -> HttpResponse:
    language = page_language(contact)
    words = stop_page(language)
    context = {"words": words, "heading": words["title" if step == "ask" else step], "step": step}
    return render_page(request, "stop.html", contact, context, language=language, status=status)
