"""Keys of rows: UUIDs of version 7, and the digits of one that people read."""

import re
import secrets
import time
from uuid import UUID

SHOWN = 8
"""Digits of a key that people read: its last ones, since the first are the same for rows of one minute."""


def uuid7() -> UUID:
    """Return a UUID of version 7 (RFC 9562): Unix time in milliseconds, then 74 random bits.

    Keys grow with time, so that indexes are written at one end.
    """
    milliseconds = time.time_ns() // 1_000_000
    return UUID(int=milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62))


def short_key(key: UUID | str) -> str:
    """Return the digits of a key that people read, of a digest its beginning; a day, an address or a name as it is."""
    text = str(key)
    if len(text) == 36:
        return text[-SHOWN:]
    return text[:SHOWN] if re.fullmatch(r"[0-9a-f]{16,}", text) else text
