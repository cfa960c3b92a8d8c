"""Fixtures of the reminder engine."""

from tests.dispensary.reminders.conftest import awake, due, outbox  # noqa: F401  (fixtures)
