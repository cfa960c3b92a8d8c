"""The service worker that shows notifications in a patient's browser, and its word that one was opened."""

from __future__ import annotations

from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from dispensary import reminders
from dispensary.channels import Receipt, ReceiptStatus, channels_in_use
from dispensary.clock import read_clock
from dispensary.models import ContactPoint, Delivery, Medium


def public_key() -> str | None:
    """Return the key by which a browser knows the site at its push service; None where the site sends no notifications."""
    try:
        channel = channels_in_use().get(Medium.PUSH)
    except ImproperlyConfigured:  # the page is shown all the same
        return None
    return getattr(channel, "public_key", None)


@never_cache
@require_safe
def show_worker(request: HttpRequest) -> HttpResponse:
    """Return the service worker; it stands beside the pages that it opens, since its reach is its own folder."""
    return render(request, "dispensary/patient_pages/notifications.js", content_type="text/javascript; charset=utf-8")


@csrf_exempt  # the worker has no session: the code is the proof
@never_cache
@require_POST
def note_opened(request: HttpRequest, code: str) -> HttpResponse:
    """Note that a notification to this address was opened: 204, and 404 for one that is not ours. Twice is once."""
    contact = ContactPoint.objects.filter(page_code=code, medium=Medium.PUSH).first() if code.isprintable() else None
    try:
        key = UUID(request.POST.get("key", ""))
    except ValueError:
        key = None
    delivery = (
        Delivery.objects.filter(contact=contact, key=key).order_by("-attempt").first() if contact and key else None
    )
    if delivery is None:
        return HttpResponse(status=404)
    receipt = Receipt(f"opened-{key}", ReceiptStatus.DELIVERED, str(key))
    now = read_clock()
    reminders.keep(channel=delivery.channel, events=[receipt], now=now)
    reminders.act_on_events(now=now, limit=50)
    return HttpResponse(status=204)
