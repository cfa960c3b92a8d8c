"""The limit of requests of a signed-in person: counted in this process, so that no server that is away lifts or closes it."""

from __future__ import annotations

import threading
import time
from collections import Counter

from dispensary.conf import conf

MINUTE = 60
_lock = threading.Lock()
_requests: Counter[object] = Counter()
_minute = 0


def is_too_often(user_id: object, moment: float | None = None) -> bool:
    """Count a request of this person, and return whether they made more than the limit within this minute.

    `moment`: seconds of a clock that only goes forward, None for the machine's.
    """
    global _minute  # noqa: PLW0603  (one minute for the process)
    minute = int((time.monotonic() if moment is None else moment) // MINUTE)
    with _lock:
        if minute != _minute:
            _requests.clear()
            _minute = minute
        _requests[user_id] += 1
        return _requests[user_id] > conf().session_requests_a_minute
