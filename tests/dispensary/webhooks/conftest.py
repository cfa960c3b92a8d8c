"""The engine's fixtures, for what others call."""

from tests.dispensary.reminders.conftest import awake, due, outbox  # noqa: F401  (fixtures)
