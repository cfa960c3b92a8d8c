"""The engine's fixtures, for its command."""

from tests.dispensary.reminders.conftest import awake, due, outbox  # noqa: F401  (fixtures)
