"""Two people who may authorise erasure, with keys of their own."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dispensary.audit.evidence import authority, verify
from dispensary.audit.log.database import LogRow
from dispensary.audit.sealing.notes import KeyKind, SignerKey

SIGNERS = [
    SignerKey(f"retention.example/{name}", KeyKind.NOTE, bytes([code]) * 32)
    for name, code in (("ann", 71), ("ben", 72))
]
RETENTION = [verify.Key.parse(str(signer.verifier)) for signer in SIGNERS]
MADE = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)


def sign(note: str, signers: Sequence[SignerKey] = SIGNERS) -> str:
    for signer in signers:
        note = authority.add_signature(note, signer)
    return note


def statement(
    action: str, log_id: object, ranges: list[list[int]], *, signers: Sequence[SignerKey] = SIGNERS, **facts: Any
) -> str:
    """A signed statement about one log."""
    log = LogRow(uuid.UUID(str(log_id)), "o", uuid.UUID(int=0), bytes(32))
    return sign(authority.write_statement(action, [(log, ranges)], now=MADE, **{"basis": "x", **facts}), signers)


def trust_signers(settings: Any, folder: Path) -> None:
    """Make the two this site's retention keys."""
    path = folder / "retention.vkeys"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{signer.verifier}\n" for signer in SIGNERS))
    settings.DISPENSARY = {**getattr(settings, "DISPENSARY", {}), "audit_retention_vkeys": path}


def sign_file(path: Path) -> Path:
    path.write_text(sign(path.read_text(encoding="utf-8")), encoding="utf-8")
    return path
