"""Health endpoints: alive, ready, reminders, and metrics."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from deploy.metrics import render
from dispensary.clock import describe_skew, skew_of
from dispensary.outages import sqlstate_of

PROBE_SECONDS = 1.5
DISK_FULL = "53100"


class Readiness:
    """The question whether the database is ready: one at a time, however often it is asked, so that a silent one holds one thread."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "readiness")
        self._lock = threading.Lock()
        self._asked: Future[datetime] | None = None

    def ask(self) -> Future[datetime]:
        """Return the question that is under way, else ask anew."""
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked = self._executor.submit(ask_database)
            return self._asked


_readiness = Readiness()


def ask_database() -> datetime:
    """Return the database's time over a connection of its own, after it wrote and removed some megabytes on its disk.

    Raises Django's database errors.
    """
    connection = connections[DEFAULT_DB_ALIAS].copy()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET work_mem = '64kB'; SET statement_timeout = '2s'")
            # More than fits into memory: it goes to a temporary file beside the tables, and that fails on a full disk.
            cursor.execute("SELECT clock_timestamp(), count(*) FROM generate_series(1, 100000)")
            row: tuple[datetime, int] = cursor.fetchone()
        return row[0]
    finally:
        connection.close()


@require_safe
@never_cache
def live(_request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nothing else: a restart would not mend a database that is away."""
    return HttpResponse("alive\n", content_type="text/plain")


@require_safe
@never_cache
def ready(_request: HttpRequest) -> HttpResponse:
    """200 when the database takes a new connection, has room on its disk, and has our clock, else 503; within two seconds.

    The broker does not count: without it dispensing goes on and reminders wait.
    """
    try:
        skew = skew_of(_readiness.ask().result(PROBE_SECONDS))
    except TimeoutError:
        return JsonResponse({"ready": False, "database": "does not answer in time"}, status=503)
    except Error as error:
        words = "has no room on its disk" if sqlstate_of(error) == DISK_FULL else "takes no connection"
        return JsonResponse({"ready": False, "database": words}, status=503)
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
    return HttpResponse(render(), content_type=CONTENT_TYPE_LATEST)
