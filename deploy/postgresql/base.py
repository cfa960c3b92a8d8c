"""Django's backend for PostgreSQL with an end to the wait for an answer."""

from typing import Any

from django.db.backends.postgresql import base
from psycopg import Connection, IsolationLevel, OperationalError
from psycopg.abc import RV, PQGen
from psycopg.errors import _WaitTimeout

ANSWER_SECONDS = "answer_seconds"
"""The option of a database that says after how many seconds without an answer its connection is closed; None for never."""


class LimitedConnection(Connection[Any]):
    """A connection that is closed where an answer takes longer than `answer_seconds`.

    The time-outs of a server that stands still stand still too, and its kernel goes on acknowledging what is sent to it.
    """

    answer_seconds: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait as psycopg does. Raises OperationalError where the limit is reached."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_seconds)
        except _WaitTimeout:
            self.pgconn.finish()
            raise OperationalError(f"no answer within {self.answer_seconds} s; the connection was closed") from None


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, with connections of this module. Takes no pool and no other isolation level than READ COMMITTED."""

    def get_connection_params(self) -> dict[str, Any]:
        """Leave out the option that libpq does not know."""
        parameters: dict[str, Any] = super().get_connection_params()
        parameters.pop(ANSWER_SECONDS, None)
        return parameters

    def get_new_connection(self, conn_params: dict[str, Any]) -> LimitedConnection:
        """Connect, and limit what is asked from then on."""
        self.isolation_level = IsolationLevel.READ_COMMITTED
        connection = LimitedConnection.connect(**conn_params)
        connection.answer_seconds = self.settings_dict["OPTIONS"].get(ANSWER_SECONDS)
        return connection

    def is_usable(self) -> bool:
        """Say whether a kept connection answers, in the time in which a new one has to."""
        connection = self.connection
        if connection is None:
            return False
        usual, limit = connection.answer_seconds, float(self.settings_dict["OPTIONS"]["connect_timeout"])
        connection.answer_seconds = limit if limit > 0 else None  # as libpq has it
        try:
            return bool(super().is_usable())
        finally:
            connection.answer_seconds = usual
