"""Health check of the reminder engine."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dispensary.reminders import health


@require_safe
@never_cache
def check_reminders(_request: HttpRequest) -> JsonResponse:
    """200 while the engine ticks and nothing stays due, else 503 with the troubles in words."""
    troubles = health.engine_state().troubles
    return JsonResponse({"healthy": not troubles, "troubles": troubles}, status=503 if troubles else 200)
