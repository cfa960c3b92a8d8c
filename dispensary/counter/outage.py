"""The page for a database that does not answer. What was typed stays on it, and it asks again by itself."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.template.loader import render_to_string

from dispensary.counter.pages import is_secret, page_of, typed_pairs
from dispensary.errors import DispensaryError
from dispensary.outages import DatabaseAway, OutcomeUnknown


def render_outage(request: HttpRequest, outage: DispensaryError) -> HttpResponse:
    """Render the page without the database: no session, no person.

    A form is sent again by itself where that can do nothing twice: nothing of it was written, or it has an idempotency key. One with
    a password, or whose outcome is not known, leads back to its page with what was typed.
    """
    is_form = request.method == "POST"
    pairs = typed_pairs(request) if is_form else []
    has_secret = any(value and is_secret(name) for name, value in request.POST.items())
    is_unknown = isinstance(outage, OutcomeUnknown)
    is_repeatable = not has_secret and (not is_unknown or bool(request.POST.get("key")))
    context = {
        "outage": outage,
        "is_away": isinstance(outage, DatabaseAway),
        "is_unknown": is_unknown,
        "is_form": is_form,
        "is_repeatable": is_repeatable,
        "has_secret": has_secret,
        "address": request.get_full_path(),
        "pairs": pairs,
        "page": page_of(request),
        "carried": json.dumps(pairs),
        "csrf_token": get_token(request),
    }
    response = HttpResponse(render_to_string("dispensary/outage.html", context), status=outage.status)
    response["Retry-After"] = str(outage.retry_after)
    return response
