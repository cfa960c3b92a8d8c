"""Health endpoints: alive, ready, reminders, and metrics."""

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView

from deploy.metrics import register
from dispensary.clock import describe_skew, read_clock, skew_of


@require_safe
@never_cache
def live(_request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nothing else: a restart would not mend a database that is away."""
    return HttpResponse("alive\n", content_type="text/plain")


@require_safe
@never_cache
def ready(_request: HttpRequest) -> HttpResponse:
    """200 when the database answers and its clock is ours, else 503.

    The broker does not count: without it dispensing goes on and reminders wait.
    """
    try:
        skew = skew_of(read_clock())
    except Error:
        return JsonResponse({"ready": False, "database": "does not answer"}, status=503)
    if skew:
        return JsonResponse({"ready": False, "clock": describe_skew(skew)}, status=503)
    return JsonResponse({"ready": True})


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics for the holder of `METRICS_TOKEN`; 404 for everybody else, and when no token is set."""
    token = settings.METRICS_TOKEN
    sent_token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not token or not constant_time_compare(sent_token, token):
        return HttpResponseNotFound("not found\n", content_type="text/plain")
    register()
    response: HttpResponse = ExportToDjangoView(request)
    return response
