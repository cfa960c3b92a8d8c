"""Callbacks of message providers: receipts and replies, each call signed by its provider."""

from __future__ import annotations

import json
from http import HTTPStatus

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from dispensary import reminders
from dispensary.channels import BadPayload, BadSignature, Channel, channel_named
from dispensary.clock import read_clock
from dispensary.conf import conf

LARGEST_CALL = 200_000  # bytes


@csrf_exempt
@require_POST
def receive_events(request: HttpRequest, channel: str) -> HttpResponse:
    """Store receipts and replies, and answer 2xx only once they are stored.

    403 (401 or 503 where the provider expects that) forged, 400 unreadable, 404 no such channel, 413 too large: problem
    documents (RFC 9457) that repeat nothing of what was sent.
    """
    provider = _find_channel(channel)
    if provider is None:
        return _problem(404, "There is no such channel here.")
    length = request.headers.get("Content-Length", "")
    if length and not (length.isascii() and length.isdigit()):
        return _problem(400, "Content-Length is not a number.")
    if length and (len(length) > 12 or int(length) > LARGEST_CALL):
        return _problem(413, f"A call is at most {LARGEST_CALL} bytes long. Send the events in several calls.")
    try:  # by this server's clock: a forged call must not reach the database
        events, expected_body = provider.answer_webhook(
            request.headers, request.META.get("QUERY_STRING", ""), request.body, timezone.now().timestamp()
        )
    except BadSignature as error:
        return _problem(error.status, "The signature does not fit.")
    except BadPayload as error:
        return _problem(400, f"{str(error)[:1].upper()}{str(error)[1:]}.")
    now = read_clock()
    new = reminders.keep(channel=provider.name, events=events, now=now)
    reminders.act_on_events(now=now, limit=50)
    body = expected_body or json.dumps({"received": len(events), "new": new})
    return HttpResponse(body, status=provider.webhook_status, content_type=provider.webhook_response[0])


def _problem(status: int, detail: str) -> HttpResponse:
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return HttpResponse(json.dumps(problem), status=status, content_type="application/problem+json")


def _find_channel(name: str) -> Channel | None:
    if name not in set(conf().channels.values()):
        return None
    try:
        return channel_named(name)
    except ImproperlyConfigured:
        return None
