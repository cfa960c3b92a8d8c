"""In whose time, and in which hours, a message may leave."""

from __future__ import annotations

from datetime import time
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dispensary.reminding.quiet import CAUTIOUS, QuietHours


@lru_cache(maxsize=4096)
def manners(zone_name: str, pharmacy_zone: str, quiet_from: time, quiet_until: time) -> tuple[ZoneInfo, QuietHours]:
    """The patient's zone and quiet hours; cautious ones where the zone is unknown or the window leaves no time to write."""
    zone, known = _zone(zone_name), True
    if zone is None:
        zone, known = _zone(pharmacy_zone) or ZoneInfo("UTC"), False
    try:
        quiet = QuietHours(quiet_from, quiet_until)
    except ValueError:
        return zone, CAUTIOUS
    return zone, quiet if known else CAUTIOUS


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
