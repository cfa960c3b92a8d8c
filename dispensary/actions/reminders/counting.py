"""What the metrics count, and whose turn it is. Both live in rows, since workers come and go."""

from __future__ import annotations

from collections.abc import Mapping

from dispensary.actions.reminders import ledger

MARK = "mark "
"""The rows of these names are places to go on from, and no counters."""
COUNT = """
INSERT INTO dispensary_engineheartbeat (name, at, count) VALUES (%s, clock_timestamp(), %s)
    ON CONFLICT (name) DO UPDATE SET at = EXCLUDED.at, count = dispensary_engineheartbeat.count + EXCLUDED.count
RETURNING at
"""

TURN = """
INSERT INTO dispensary_engineheartbeat (name, at, count) VALUES (%s, clock_timestamp(), 1)
    ON CONFLICT (name) DO UPDATE SET at = EXCLUDED.at, count = dispensary_engineheartbeat.count + 1
         WHERE dispensary_engineheartbeat.at < clock_timestamp() - %s RETURNING at
"""
"""Whose turn it is to do something that happens only so often: a row comes back to one of all who ask."""


def count(happened: Mapping[str, int]) -> None:
    """Add to the counters; what has not happened makes no row."""
    for name, times in happened.items():
        if times:
            ledger.run(COUNT, [name, times])
