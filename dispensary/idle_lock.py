"""The lock of a session: set by the person, or after some minutes without a request."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import HttpRequest

from dispensary.conf import conf

LOCKED_KEY = "dispensary_locked"
SEEN_KEY = "dispensary_seen"
SEEN_EVERY = timedelta(seconds=30)
"""How exactly the last request is kept in the session."""


def lock_when_idle(request: HttpRequest, now: datetime, *, asks_by_itself: bool = False) -> bool:
    """Lock the session after some minutes without a request of its own, and return whether it is locked.

    `asks_by_itself`: a request that a page makes without a person, which is no sign of life.
    """
    last_seen = request.session.get(SEEN_KEY)
    since = now - datetime.fromisoformat(last_seen) if last_seen else timedelta()
    if since > timedelta(minutes=conf().idle_minutes):
        lock(request)
    elif (not last_seen or since > SEEN_EVERY) and not asks_by_itself:
        request.session[SEEN_KEY] = now.isoformat()
    return bool(request.session.get(LOCKED_KEY))


def lock(request: HttpRequest) -> None:
    """Lock the session until its person proves to be there."""
    request.session[LOCKED_KEY] = True


def unlock(request: HttpRequest) -> None:
    """Unlock the session, and count its idle time anew."""
    request.session.pop(LOCKED_KEY, None)
    request.session.pop(SEEN_KEY, None)
