"""Idempotency keys: a repeated request gets the first answer and is done once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from dispensary.actions import transactions
from dispensary.actors import Actor
from dispensary.errors import InvalidInput, Problem
from dispensary.models import IdempotentRequest
from dispensary.statements import run
from dispensary.text import clean_line

_CLAIM = """
    INSERT INTO dispensary_idempotentrequest (pharmacy_id, actor, key, request_digest, status, created_at)
    VALUES (%(pharmacy)s, %(actor)s, %(key)s, %(digest)s, %(status)s, %(now)s)
    ON CONFLICT (pharmacy_id, actor, key) DO NOTHING RETURNING id"""
_ANSWER = "UPDATE dispensary_idempotentrequest SET status = %(status)s, body = %(body)s::jsonb WHERE id = %(id)s"


class KeyReused(InvalidInput):
    """The key belongs to another request."""

    code = "idempotency-key-reused"
    title = "This key was used for something else"
    status = 422


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that can be stored: HTTP status and JSON body."""

    status: int
    body: Any


def digest_of(*parts: bytes) -> str:
    """Return the SHA-256 over the parts that make two requests the same: method, path, body."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


@transactions.request()
def once(*, pharmacy_id: UUID, key: str, digest: str, by: Actor, now: datetime, do: Callable[[], Reply]) -> Reply:
    """Do the request, or return its first answer.

    A second request with the same key waits until the first has committed. If `do` raises, nothing is kept and the key is
    free again. Raises `KeyReused` when the key came with another request.
    """
    name = clean_line(key, "Idempotency-Key", longest=64)
    claimed = _claim(pharmacy_id, by, name, digest=digest, status=None, now=now)
    if claimed is None:
        row = IdempotentRequest.objects.get(pharmacy_id=pharmacy_id, actor=by.name, key=name)
        if row.request_digest != digest:
            raise KeyReused(
                "This idempotency key was sent before with a different request.",
                Problem("Idempotency-Key", "a key in use", "a new key for a new request"),
            )
        return Reply(int(row.status or 500), row.body)
    reply = do()
    run(_ANSWER, {"id": claimed, "status": reply.status, "body": json.dumps(reply.body, ensure_ascii=False)})
    return reply


def use_once(*, pharmacy_id: UUID, by: Actor, key: str, now: datetime) -> bool:
    """Use up a key of this actor; return False where it was used before. It is remembered as long as answers are."""
    return _claim(pharmacy_id, by, key, digest=key, status=200, now=now) is not None


def _claim(pharmacy_id: UUID, by: Actor, key: str, **columns: Any) -> int | None:
    """Store a key; return the id of its row, None where it is stored already. Waits for another request that is storing it."""
    rows = run(_CLAIM, {"pharmacy": pharmacy_id, "actor": by.name, "key": key, **columns})
    return rows[0][0] if rows else None


def is_answered(*, by: Actor, key: str) -> bool:
    """Return whether a request of this actor with this key has an answer already."""
    rows = IdempotentRequest.objects.filter(pharmacy_id=by.pharmacy_id, actor=by.name, key=key, status__isnull=False)
    return bool(key) and rows.exists()
