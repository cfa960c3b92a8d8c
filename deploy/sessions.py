"""Sessions in the database, which end by its clock and not by that of one web server."""

from datetime import timedelta
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from dispensary.clock import clock_expression, read_clock


class SessionStore(DatabaseStore):
    """Django's sessions in the database, dated by the database."""

    def _get_session_from_db(self) -> Any:
        try:
            return self.model.objects.get(session_key=self.session_key, expire_date__gt=clock_expression())
        except self.model.DoesNotExist:
            self._session_key = None
            return None

    def create_model_instance(self, data: Any) -> Any:
        """Return the row to be stored, with the day on which it ends."""
        row = super().create_model_instance(data)
        row.expire_date = read_clock() + timedelta(seconds=self.get_expiry_age())
        return row

    @classmethod
    def clear_expired(cls) -> None:
        """Delete what has ended."""
        cls.get_model_class().objects.filter(expire_date__lt=clock_expression()).delete()
