"""Answers for HTTP statuses and broken connections, shared by the channels that speak HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dispensary.channels.base import Answer, Fault, Refused, Unknown

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0


def answer_for_status(status: int, retry_after: str | None = None) -> Answer:
    """Map a status other than success to an answer: retry later, never, or unknown."""
    if status in {429, 502, 503, 504}:
        fault = Fault.LIMITED if status == 429 else Fault.BUSY
        return Refused(fault, permanent=False, retry_after=parse_retry_after(retry_after))
    if status >= 500 or status < 400:
        return Unknown()
    if status in {401, 403, 404}:  # our account, not this message: retry once it is set right
        return Refused(Fault.MISCONFIGURED, permanent=False)
    return Refused(Fault.REJECTED, permanent=True)


def answer_for_connection_error(error: BaseException | None) -> Answer:
    """Map a `requests` exception without a response: Refused only where no connection was made, else Unknown."""
    import requests

    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return Refused(Fault.UNREACHABLE, permanent=False)
    if isinstance(error, requests.exceptions.ConnectionError) and _is_never_connected(error):
        return Refused(Fault.UNREACHABLE, permanent=False)
    return Unknown()


def _is_never_connected(error: BaseException) -> bool:
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    reason: Any = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def parse_retry_after(header: str | None) -> timedelta | None:
    """Parse a `Retry-After` in seconds; None for a date or anything else."""
    return (
        timedelta(seconds=int(header)) if header and header.isascii() and header.isdigit() and len(header) < 7 else None
    )
