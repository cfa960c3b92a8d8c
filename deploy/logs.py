"""Log lines without patients in them: one JSON object a line, routes instead of addresses, no exception messages.

An address can carry a search word or a patient's page token, and the message of a database error can quote the row it was about. So a
request is logged by the pattern it matched, and an exception by its type and the places it passed.
"""

import re
import traceback
from typing import Any

import structlog
from django.http import HttpRequest
from django_structlog.middlewares import RequestMiddleware
from structlog.typing import EventDict, WrappedLogger

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-|$)")
_PRODUCT = re.compile(r"(?<!\S)[A-Za-z][A-Za-z-]{0,30}/[0-9.]{1,16}(?!\S)")
"""A product and its version (RFC 9110, 10.1.5), as browsers and libraries name themselves."""


class RouteLogMiddleware(RequestMiddleware):
    """django-structlog's request log, with the matched route (`api/v1/patients/<uuid>/`) in place of the full address.

    Each line of a request has `trace_id` and `parent_id` of a well-formed `traceparent` (W3C Trace Context); an ill-formed one is left out.
    """

    def prepare(self, request: HttpRequest) -> None:
        """Bind what names the request for all its lines, and write the first."""
        structlog.contextvars.clear_contextvars()  # of a request whose end was not reached
        if trace := _TRACEPARENT.match(request.headers.get("traceparent", "")):
            structlog.contextvars.bind_contextvars(trace_id=trace[1], parent_id=trace[2])
        super().prepare(request)

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        match = request.resolver_match
        return f"{request.method} {match.route if match else '-'}"


def exception_without_message(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the exception's type and its frames."""
    info: Any = event.pop("exc_info", None)
    if info is True:
        import sys

        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["exception"] = type(error).__qualname__
        frames = traceback.extract_tb(error.__traceback__)
        event["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def task_without_message(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Put an error's type in the place of its message in Celery's line about a task that failed."""
    context = event.pop("positional_args", ())
    record = event.get("_record")
    if record is not None and record.name == "celery.app.trace" and "exc" in context:
        kind = record.exc_info[0] if record.exc_info else None
        event["event"] = record.msg % {**context, "exc": kind.__qualname__ if kind else "an error"}
    return event


def shorten_user_agent(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Keep of `user_agent` the first three products with their versions: the rest is whatever a client writes there."""
    if "user_agent" in event:
        event["user_agent"] = " ".join(_PRODUCT.findall(str(event["user_agent"] or "")[:400])[:3])
    return event


SHARED_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    exception_without_message,
    shorten_user_agent,
]


def logging_config(level: str) -> dict[str, Any]:
    """Return Django's `LOGGING` for JSON lines on standard error at `level`, and set structlog up to feed it."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED_PROCESSORS,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(),
                ],
                "foreign_pre_chain": [task_without_message, *SHARED_PROCESSORS],
                "pass_foreign_args": True,  # of which task_without_message lets nothing through
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        # Django's own line for a failed request quotes the full address; RouteLogMiddleware has already written one without it.
        "loggers": {"django.request": {"level": "CRITICAL"}, "django.server": {"level": "CRITICAL"}},
    }
