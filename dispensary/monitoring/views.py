"""Health checks of the reminder engine and of the audit log's sealer."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import Error
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dispensary.audit.log.reader import UNSIGNED_TOO_LONG, unsigned_since
from dispensary.clock import read_clock
from dispensary.reminders import health

NO_ANSWER = "the database does not answer"


@require_safe
@never_cache
def check_reminders(_request: HttpRequest) -> JsonResponse:
    """200 while the engine ticks and nothing stays due, else 503 with the troubles in words."""
    try:
        troubles: Sequence[str] = health.engine_state().troubles
    except Error:
        troubles = [NO_ANSWER]
    return JsonResponse({"healthy": not troubles, "troubles": troubles}, status=503 if troubles else 200)


@require_safe
@never_cache
def check_audit(_request: HttpRequest) -> JsonResponse:
    """200 while every log is signed, else 503 with how many wait: an entry is signed within seconds."""
    try:
        now = read_clock()
        late = [since for since in unsigned_since().values() if now - since > UNSIGNED_TOO_LONG]
    except Error:
        return JsonResponse({"healthy": False, "troubles": [NO_ANSWER]}, status=503)
    troubles = (
        [f"{len(late)} logs have entries that nobody signed since {min(late):%Y-%m-%d %H:%M} UTC"] if late else []
    )
    return JsonResponse({"healthy": not troubles, "troubles": troubles}, status=503 if troubles else 200)
