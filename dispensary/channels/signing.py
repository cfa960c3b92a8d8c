"""Signatures of webhook calls: `t=<unix seconds>,v1=<hex HMAC-SHA-256 of "<t>.<body>">`, good for five minutes."""

from __future__ import annotations

import hashlib
import hmac

from dispensary.channels.base import BadSignature

HEADER = "Dispensary-Signature"
WINDOW_SECONDS = 300


def sign(secret: str, body: bytes, at: float) -> str:
    """Return the header for a body sent at a Unix time."""
    stamp = str(int(at))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


def verify(secret: str, body: bytes, header: str, now: float) -> None:
    """Verify that the header signs the body, at most five minutes before or after `now`. Raises BadSignature."""
    if not secret:
        raise BadSignature("no secret is set for this channel")
    parts = dict(part.strip().split("=", 1) for part in header.split(",") if "=" in part)
    stamp = parts.get("t", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise BadSignature("no time in the signature")
    expected = sign(secret, body, int(stamp)).rpartition("=")[2]
    if not hmac.compare_digest(expected.encode(), parts.get("v1", "").encode()):
        raise BadSignature("the signature does not fit")
    if abs(now - int(stamp)) > WINDOW_SECONDS:
        raise BadSignature("the signature is too old")
