"""What others call. None of it needs a session; each proves itself by a signature, or reveals nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from django.core.exceptions import ImproperlyConfigured, RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dispensary.actions import consent, reminders
from dispensary.actions.reminders import tokens, watch
from dispensary.channels import BadPayload, BadSignature, Channel, channel_named
from dispensary.conf import conf
from dispensary.errors import NotFound
from dispensary.hooks.patient_page import answer, frame, stranger_at
from dispensary.models import ConsentSource, ContactPoint
from dispensary.reminding import language_for
from dispensary.reminding.words import DEFAULT_LANGUAGE, stop_page

LARGEST_CALL = 200_000  # bytes


@csrf_exempt
@require_POST
def provider_calls(request: HttpRequest, channel: str) -> HttpResponse:
    """Receipts and replies. 2xx only once they are stored; 403 (401, 503) forged, 400 unreadable, 404 no such channel.

    What is refused is a problem document (RFC 9457) that repeats nothing of what was sent.
    """
    found = _channel(channel)
    if found is None:
        return _problem(404, "There is no such channel here.")
    length = request.headers.get("Content-Length", "")
    if length and not (length.isascii() and length.isdigit()):
        return _problem(400, "Content-Length is not a number.")
    if length and (len(length) > 12 or int(length) > LARGEST_CALL):
        return _problem(413, f"A call is at most {LARGEST_CALL} bytes long. Send the events in several calls.")
    now = timezone.now()
    try:
        events = found.read_webhook(request.headers, request.body, now.timestamp())
    except BadSignature as error:
        return _problem(error.status, "The signature does not fit.")
    except BadPayload as error:
        return _problem(400, f"{str(error)[:1].upper()}{str(error)[1:]}.")
    new = reminders.keep(channel=found.name, events=events, now=now)
    reminders.act_on_events(now=now, limit=50)
    content_type, answer = found.webhook_response
    told = answer or json.dumps({"received": len(events), "new": new})
    return HttpResponse(told, status=found.webhook_status, content_type=content_type)


def _problem(status: int, detail: str) -> HttpResponse:
    told = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return HttpResponse(json.dumps(told), status=status, content_type="application/problem+json")


def _channel(name: str) -> Channel | None:
    if name not in set(conf().channels.values()):
        return None
    try:
        return channel_named(name)
    except ImproperlyConfigured:
        return None


@csrf_exempt  # RFC 8058: the mail program posts without cookies; the signed token is the proof
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def stop_messages(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a page and changes nothing, since scanners follow links. POST stops at once; twice is once."""
    contact_id = tokens.contact_of(token)
    contact = (
        ContactPoint.objects.select_related("patient__pharmacy").filter(pk=contact_id).first() if contact_id else None
    )
    if contact is None:
        return _page(request, "gone", status=404)
    if request.method != "POST":
        return _page(request, "ask", contact)
    said = _said(request)
    try:
        step = _stop(contact, said)
    except NotFound:
        return _page(request, "gone", status=404)
    return _page(request, step, contact)


def _said(request: HttpRequest) -> Mapping[str, str]:
    """The fields of the form. Whatever else a mail program posts is one click: its token has said all that matters."""
    try:
        return request.POST
    except (MultiPartParserError, RequestDataTooBig, TooManyFieldsSent, UnreadablePostError):
        return {}


def _stop(contact: ContactPoint, said: Mapping[str, str]) -> str:
    """Do what whoever holds the message asks for. An address that is another's is stopped and becomes somebody's work."""
    if said.get("why") != "wrong-person":
        on_page = said.get("why") == "stop"
        source = ConsentSource.PATIENT_PAGE if on_page else ConsentSource.ONE_CLICK
        consent.stop_contact(contact_id=contact.pk, source=source, now=timezone.now())
        return "done"
    consent.report_wrong_person(contact=contact, by=stranger_at(contact), now=timezone.now())
    return "wrong_done"


def _page(request: HttpRequest, step: str, contact: ContactPoint | None = None, status: int = 200) -> HttpResponse:
    """The sender and its telephone, which the message named too; nothing about the patient."""
    pharmacy = contact.patient.pharmacy if contact else None
    language = language_for(contact.patient.language, pharmacy.language) if contact and pharmacy else DEFAULT_LANGUAGE
    words = stop_page(language)
    context = {"words": words, "heading": words["title" if step == "ask" else step], "step": step}
    return answer(request, "stop.html", context | frame(contact, language), status)


@require_safe
@never_cache
def reminders_health(_request: HttpRequest) -> HttpResponse:
    """200 while the engine ticks and nothing due is left lying, else 503 with the trouble in words."""
    troubles = watch.engine_state().troubles
    return JsonResponse({"healthy": not troubles, "troubles": troubles}, status=503 if troubles else 200)
