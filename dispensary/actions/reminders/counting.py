"""What the metrics count. The counters live in rows, since workers come and go."""

from __future__ import annotations

from collections.abc import Mapping

from dispensary.actions.reminders import ledger

COUNT = """
INSERT INTO dispensary_engineheartbeat (name, at, count) VALUES (%s, clock_timestamp(), %s)
    ON CONFLICT (name) DO UPDATE SET at = EXCLUDED.at, count = dispensary_engineheartbeat.count + EXCLUDED.count
RETURNING at
"""


def count(happened: Mapping[str, int]) -> None:
    """Add to the counters; what has not happened makes no row."""
    for name, times in happened.items():
        if times:
            ledger.run(COUNT, [name, times])
