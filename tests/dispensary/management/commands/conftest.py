"""The engine's fixtures, for its command."""

from tests.dispensary.actions.reminders.conftest import awake, due, outbox  # noqa: F401  (fixtures)
