"""Signed calls: `t=<unix seconds>,v1=<hex HMAC-SHA-256 of "<t>.<body>">`, good for five minutes."""

from __future__ import annotations

import hashlib
import hmac

from dispensary.channels.base import BadSignature

HEADER = "Dispensary-Signature"
WINDOW_SECONDS = 300


def sign(secret: str, body: bytes, at: float) -> str:
    """The header's value for a body sent at a time."""
    stamp = str(int(at))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


def check(secret: str, body: bytes, given: str, now: float) -> None:
    """Raise BadSignature unless the header fits the body and is at most five minutes old or ahead."""
    if not secret:
        raise BadSignature("no secret is set for this channel")
    parts = dict(part.strip().split("=", 1) for part in given.split(",") if "=" in part)
    stamp = parts.get("t", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise BadSignature("no time in the signature")
    expected = sign(secret, body, int(stamp)).rpartition("=")[2]
    if not hmac.compare_digest(expected.encode(), parts.get("v1", "").encode()):
        raise BadSignature("the signature does not fit")
    if abs(now - int(stamp)) > WINDOW_SECONDS:
        raise BadSignature("the signature is too old")
