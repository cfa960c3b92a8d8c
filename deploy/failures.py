"""The answer to an error that no view caught: 503 while the database is away, else the page that something went wrong."""

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import server_error
from rest_framework.permissions import SAFE_METHODS

from dispensary.api.problems import problem_document
from dispensary.api.views.base import BaseView
from dispensary.api.wire import PROBLEM_JSON
from dispensary.counter.outage import render_outage
from dispensary.outages import find_outage


def answer_failure(request: HttpRequest) -> HttpResponse:
    """Answer an error of a view or of a middleware around it."""
    error = sys.exception()
    outage = find_outage(error, writes=request.method not in SAFE_METHODS) if error else None
    if outage is None:
        return server_error(request)
    view = getattr(request.resolver_match and request.resolver_match.func, "cls", object)
    if not issubclass(view, BaseView):
        return render_outage(request, outage)
    problem = problem_document(outage.status, outage.code, outage.title, outage.detail)
    headers = {"Retry-After": str(outage.retry_after)}
    return JsonResponse(problem, status=outage.status, content_type=PROBLEM_JSON, headers=headers)
