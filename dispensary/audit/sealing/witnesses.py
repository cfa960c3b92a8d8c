"""Witnesses: others who sign that a checkpoint continues the one they saw.

The log makes a request (its newest checkpoint with a proof from the size that the witness saw last), the witness answers
with one line, the log stores the line. A witness that is shown two histories refuses, and keeps refusing. Request
and answer have the form of c2sp.org/tlog-witness, so the same can later go over HTTP.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import Connection

from dispensary.audit.log.links import leaves
from dispensary.audit.sealing.merkle import consistency_proof, verify_consistency
from dispensary.audit.sealing.notes import (
    BadNote,
    Checkpoint,
    SignerKey,
    VerifierKey,
    add_signature,
    open_checkpoint,
    open_note,
    split,
)


class CosignRefused(Exception):
    """The witness will not sign, or the answer is not what it claims.

    The message says why.
    """


def make_request(connection: Connection[Any], log_id: UUID, note: str, size: int, old_size: int) -> str:
    """Return a request for a witness that last saw `old_size` entries.

    Raises CosignRefused when the log is smaller.
    """
    if not 0 <= old_size <= size:
        raise CosignRefused(f"the newest checkpoint has {size} entries, the witness has seen {old_size}")
    proof = consistency_proof(list(leaves(connection, log_id, upto=size)), old_size) if old_size else []
    return f"old {old_size}\n" + "".join(base64.b64encode(step).decode() + "\n" for step in proof) + "\n" + note


@dataclass(frozen=True, slots=True)
class LastSeen:
    """The newest checkpoint of one log that a witness has signed."""

    size: int = 0
    root: str = ""


class Witness:
    """A witness: its key, and a file with the newest checkpoint it signed of each log."""

    def __init__(self, key: SignerKey, memory: Path) -> None:
        self.key, self.memory = key, memory

    def answer(self, request: str, log_keys: Iterable[VerifierKey], at: dt.datetime) -> str:
        """Store the checkpoint of a request and return its cosignature line.

        Raises CosignRefused, BadNote.
        """
        old_size, proof, note = _parse_request(request)
        checkpoint = open_checkpoint(note, log_keys)
        with self._lock_memory():
            return self._check_and_sign(checkpoint, old_size, proof, at)

    def _check_and_sign(self, checkpoint: Checkpoint, old_size: int, proof: list[bytes], at: dt.datetime) -> str:
        memory = self._load().get(checkpoint.origin, LastSeen())
        if old_size != memory.size:
            raise CosignRefused(f"I have seen {memory.size} entries of {checkpoint.origin}; ask again from there")
        if memory.size and not verify_consistency(
            memory.size, checkpoint.size, bytes.fromhex(memory.root), checkpoint.root, proof
        ):
            raise CosignRefused(
                f"this is not the history that I saw: {checkpoint.origin} no longer begins with the same {memory.size} entries"
            )
        self._remember(checkpoint.origin, LastSeen(checkpoint.size, checkpoint.root.hex()))
        return self.key.cosign(checkpoint.text, at)

    @contextmanager
    def _lock_memory(self) -> Iterator[None]:
        """Lock the memory; of two histories shown at once only one is signed."""
        with self.memory.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _load(self) -> dict[str, LastSeen]:
        if not self.memory.exists():
            return {}
        document = json.loads(self.memory.read_text(encoding="utf-8"))
        return {origin: LastSeen(**memory) for origin, memory in document.items()}

    def _remember(self, origin: str, memory: LastSeen) -> None:
        document = {
            name: {"size": remembered.size, "root": remembered.root}
            for name, remembered in {**self._load(), origin: memory}.items()
        }
        fresh = self.memory.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as stream:
            json.dump(document, stream)
            stream.flush()
            os.fsync(stream.fileno())  # what is signed must be remembered, whatever happens next
        fresh.replace(self.memory)


def store_answer(connection: Connection[Any], log_id: UUID, line: str, witness: VerifierKey) -> int:
    """Store a witness's line with the checkpoint that it signs.

    Return that checkpoint's size. Raises CosignRefused.
    """
    rows = connection.execute(
        "SELECT size, note FROM audit.checkpoint WHERE log_id = %s ORDER BY size DESC LIMIT 1000", [log_id]
    ).fetchall()
    line = line.rstrip("\n") + "\n"
    for size, note in rows:
        try:
            open_note(add_signature(note, line), [witness])
        except BadNote:
            continue
        connection.execute(
            "INSERT INTO audit.cosignature (log_id, size, witness, line) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [log_id, size, witness.name, line],
        )
        return int(size)
    raise CosignRefused(f"this is not a signature of {witness.name} on a checkpoint of this log")


def _parse_request(request: str) -> tuple[int, list[bytes], str]:
    head, gap, note = request.partition("\n\n")
    first, *steps = head.split("\n")
    if not gap or not first.startswith("old ") or not first[4:].isdecimal() or len(steps) > 63:
        raise CosignRefused("this is no request: it begins with 'old SIZE', a proof, an empty line, and a checkpoint")
    try:
        proof = [base64.b64decode(step, validate=True) for step in steps]
    except binascii.Error as error:
        raise CosignRefused("the proof is not base64") from error
    split(note)
    return int(first[4:]), proof, note
