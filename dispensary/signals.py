"""Signals of what was done, for the site that this app is part of. `EXTENDING.md` describes them.

Each is sent after the transaction has committed, once, by the process that did it, and never for what was rolled back. A receiver gets keys and codes, no
name and no clinical fact; an exception in it changes nothing and is logged by its type alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.dispatch import Signal

log = logging.getLogger(__name__)


class DoneSignal(Signal):
    """A signal of something that is in the database and in the audit log.

    Keyword arguments of a receiver: `sender` (the model's class), `event` (as in the audit log), `id` (the row's key; of a reminder its `public_id`), `pharmacy`
    (UUID), `patient` (key as text), `at` (by the database's clock), `reason` (a code, or None), `rules` (codes), `entry` (UUID of the audit entry).
    """

    def _log_robust_failure(self, receiver: Callable[..., Any], err: Exception) -> None:
        """Log which receiver failed; Django's own logs the exception, whose text may hold a patient's data."""
        name = f"{receiver.__module__}.{getattr(receiver, '__qualname__', type(receiver).__qualname__)}"
        log.error("The receiver %s raised %s.", name, type(err).__name__)


prescription_received = DoneSignal()
"""An order was taken in, by whichever interface."""
review_completed = DoneSignal()
"""The rules were asked at a receipt, a hand-over or by somebody, and the review is stored; `reason` is its outcome."""
override_recorded = DoneSignal()
"""A pharmacist answered findings that need a reason; `reason` is the mitigation. It may wait for a second signature."""
dispensed = DoneSignal()
"""A supply was handed over, or recorded late; one for each row of the hand-over."""
taken_back = DoneSignal()
"""A supply was cancelled at the counter or brought back: see `event`."""
reminder_sent = DoneSignal()
"""A provider took a message; `reason` is the kind of the reminder."""
reminder_failed = DoneSignal()
"""A reminder will not be sent any more by itself; `reason` says why."""
