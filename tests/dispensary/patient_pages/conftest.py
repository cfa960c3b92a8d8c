"""Fixtures of the reminder engine."""

from tests.dispensary.channels.conftest import tls  # noqa: F401  (fixture)
from tests.dispensary.reminders.conftest import awake, due, outbox  # noqa: F401  (fixtures)
