"""Sessions in the database, which end by its clock and not by that of one web server, and where people are signed in."""

import time
from datetime import timedelta
from typing import Any

from allauth.usersessions.middleware import UserSessionsMiddleware
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.http import HttpRequest, HttpResponseBase

from dispensary.clock import clock_expression, read_clock

TRACKED_EVERY = 60.0
"""Seconds in which one process notes the last sign of life of a session once."""
MOST_TRACKED = 10_000


class SessionStore(DatabaseStore):
    """Django's sessions in the database, dated by the database."""

    def _get_session_from_db(self) -> Any:
        try:
            return self.model.objects.get(session_key=self.session_key, expire_date__gt=clock_expression())
        except self.model.DoesNotExist:
            self._session_key = None
            return None

    def create_model_instance(self, data: Any) -> Any:
        """Return the row to be stored, with the time at which it ends: one shift after the sign-in, however much it is used."""
        row = super().create_model_instance(data)
        ends_at = self.model.objects.filter(session_key=row.session_key).values_list("expire_date", flat=True).first()
        row.expire_date = ends_at or read_clock() + timedelta(seconds=self.get_expiry_age())
        return row

    @classmethod
    def clear_expired(cls) -> None:
        """Delete what has ended."""
        cls.get_model_class().objects.filter(expire_date__lt=clock_expression()).delete()


class ActivityMiddleware(UserSessionsMiddleware):  # type: ignore[misc]  # its library has no types
    """Notes where somebody is signed in, once a minute and not with each page: that takes five statements."""

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self._tracked_at: dict[tuple[str | None, object], float] = {}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        sign_in, now = (request.session.session_key, request.user.pk), time.monotonic()
        if now - self._tracked_at.get(sign_in, -TRACKED_EVERY) < TRACKED_EVERY:
            answer: HttpResponseBase = self.get_response(request)
            return answer
        if len(self._tracked_at) >= MOST_TRACKED:
            self._tracked_at.clear()
        self._tracked_at[sign_in] = now
        tracked: HttpResponseBase = super().__call__(request)
        return tracked
