"""What an HTTP status, or a line that broke, says about a message. Shared by the channels that use a provider's client."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dispensary.channels.base import Answer, Fault, Refused, Unknown

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0


def of_status(status: int, retry_after: str | None = None) -> Answer:
    """The meaning of a status that is no success: later, never, or nobody knows."""
    if status in {429, 502, 503, 504}:
        fault = Fault.LIMITED if status == 429 else Fault.BUSY
        return Refused(fault, permanent=False, retry_after=seconds_of(retry_after))
    if status >= 500 or status < 400:
        return Unknown()
    if status in {401, 403, 404}:  # our account, not this message: worth trying again once somebody has set it right
        return Refused(Fault.MISCONFIGURED, permanent=False)
    return Refused(Fault.REJECTED, permanent=True)


def of_broken_line(error: BaseException | None) -> Answer:
    """An exception of `requests` without an answer: refused only where the line was never there, else in doubt."""
    import requests

    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return Refused(Fault.UNREACHABLE, permanent=False)
    if isinstance(error, requests.exceptions.ConnectionError) and _never_connected(error):
        return Refused(Fault.UNREACHABLE, permanent=False)
    return Unknown()


def _never_connected(error: BaseException) -> bool:
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    reason: Any = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def seconds_of(given: str | None) -> timedelta | None:
    """A `Retry-After` in seconds; `None` for a date or for nonsense."""
    return timedelta(seconds=int(given)) if given and given.isascii() and given.isdigit() and len(given) < 7 else None
