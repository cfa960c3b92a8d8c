"""How long to wait after a temporary failure."""

from __future__ import annotations

from datetime import timedelta

BASE = timedelta(seconds=60)
LONGEST = timedelta(hours=4)


def retry_after(attempt: int, chance: float, asked: timedelta | None = None) -> timedelta:
    """Wait before the next attempt: 60 s doubled for each attempt, at most 4 h, spread over its upper half.

    ``attempt`` counts from 1; ``chance`` is a uniform number in [0, 1), handed in so that the sum stays testable.
    What the provider ``asked`` for (``Retry-After``) wins when it is longer than nothing.
    """
    if asked is not None and asked > timedelta(0):
        return min(asked, LONGEST)
    doubled = BASE * 2 ** min(attempt, 10)
    return min(LONGEST, doubled) * (0.5 + chance / 2)
