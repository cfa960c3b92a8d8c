"""The log's side of a witness: requests for a cosignature, over HTTP or as a file, and the answers, which it stores.

Time-outs are short, redirections are not followed, little of an answer is read: a witness is somebody else's machine.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import requests
from django.core.exceptions import ImproperlyConfigured
from psycopg import Connection
from urllib3.exceptions import HTTPError

from dispensary.audit.log.links import leaves
from dispensary.audit.sealing.merkle import consistency_proof
from dispensary.audit.sealing.notes import BadNote, KeyKind, VerifierKey, add_signature, open_note
from dispensary.audit.sealing.witnesses import CosignRefused
from dispensary.conf import conf

log = logging.getLogger(__name__)

TIMEOUTS = (3, 10)
"""Seconds to connect, and between two parts of the answer."""
MAX_ANSWER_BYTES = 64 * 1024
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_WAITING = """
    SELECT g.log_id, g.origin, c.size, c.note, coalesce(s.size, 0)
    FROM audit.log g
    CROSS JOIN LATERAL (SELECT size, note FROM audit.checkpoint WHERE log_id = g.log_id ORDER BY size DESC LIMIT 1) c
    LEFT JOIN LATERAL (SELECT max(size) AS size FROM audit.cosignature
                       WHERE log_id = g.log_id AND witness = ANY (%s)) s ON true
    WHERE g.closed_at IS NULL AND c.size > coalesce(s.size, 0) ORDER BY g.origin"""


class WitnessSilent(Exception):
    """The witness cannot be reached, or fails: it is asked again later."""


@dataclass(frozen=True, slots=True)
class RemoteWitness:
    """A witness that is asked over HTTP: the submission prefix of c2sp.org/tlog-witness, and its public keys."""

    url: str
    keys: tuple[VerifierKey, ...]

    @property
    def names(self) -> list[str]:
        """The names under which its cosignatures are stored."""
        return sorted({key.name for key in self.keys})


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint of a log: its number of entries and the signed note."""

    log_id: UUID
    size: int
    note: str


def remote_witness() -> RemoteWitness | None:
    """Return the witness of the settings, None without one. Raises ImproperlyConfigured."""
    url, path = conf().audit_witness_url.rstrip("/"), conf().audit_witness_vkeys
    if not url and path is None:
        return None
    if not url or path is None:
        raise ImproperlyConfigured("audit_witness_url and audit_witness_vkeys belong together: set both, or neither.")
    parts = urlsplit(url)
    if not parts.hostname or (parts.scheme != "https" and (parts.scheme, parts.hostname in LOOPBACK) != ("http", True)):
        raise ImproperlyConfigured(
            f"audit_witness_url is {url!r}; expected https://HOST/..., or http:// on this machine."
        )
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        keys = tuple(VerifierKey.parse(line) for line in lines if line.strip() and not line.startswith("#"))
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"audit_witness_vkeys, {path}, cannot be read: {error}") from error
    if not keys or any(key.kind is not KeyKind.COSIGNATURE for key in keys):
        raise ImproperlyConfigured(f"audit_witness_vkeys, {path}, must hold keys of a witness (type 4), one a line.")
    return RemoteWitness(url, keys)


def make_request(connection: Connection[Any], submission: Submission, old_size: int) -> str:
    """Return a request for a witness that last saw `old_size` entries.

    Raises CosignRefused when the log is smaller.
    """
    size = submission.size
    if not 0 <= old_size <= size:
        raise CosignRefused(
            f"the newest checkpoint has {size} entries, the witness has seen {old_size}", HTTPStatus.CONFLICT, old_size
        )
    proof = (
        consistency_proof(list(leaves(connection, submission.log_id, upto=size)), old_size)
        if 0 < old_size < size
        else []
    )
    return (
        f"old {old_size}\n" + "".join(base64.b64encode(step).decode() + "\n" for step in proof) + "\n" + submission.note
    )


@dataclass(frozen=True, slots=True)
class WitnessAnswers:
    """A sentence for each log that a witness cosigned, and for each that it refused to sign."""

    cosigned: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def ask_witness(connection: Connection[Any], remote: RemoteWitness) -> WitnessAnswers:
    """Ask for a cosignature of each open log's newest checkpoint that has none of this witness; store the answers.

    Raises WitnessSilent when it does not answer.
    """
    answers, names = WitnessAnswers(), " and ".join(remote.names)
    for log_id, origin, size, note, old_size in connection.execute(_WAITING, [remote.names]).fetchall():
        submission = Submission(log_id, size, note)
        try:
            store_line(connection, submission, _submit(connection, remote, submission, old_size), remote.keys)
        except CosignRefused as refusal:
            answers.refused.append(f"{names} does not sign for {origin}: {refusal}")
            log.critical("audit log is not cosigned: %s", answers.refused[-1])
        else:
            answers.cosigned.append(f"{names} vouches for the first {size} entries of {origin}.")
    return answers


def _submit(connection: Connection[Any], remote: RemoteWitness, submission: Submission, old_size: int) -> str:
    """Submit a checkpoint; where the witness saw another size than the log remembers, once more from there."""
    try:
        return submit(remote.url, make_request(connection, submission, old_size))
    except CosignRefused as refusal:
        if refusal.seen is None or refusal.seen == old_size:
            raise
        return submit(remote.url, make_request(connection, submission, refusal.seen))


def submit(url: str, request: str) -> str:
    """Post a request to a witness and return the lines of its answer.

    Raises CosignRefused with what it says, WitnessSilent when it does not answer as a witness does.
    """
    try:
        with requests.post(
            f"{url}/add-checkpoint",
            data=request.encode(),
            headers={"Content-Type": "text/plain; charset=utf-8"},
            timeout=TIMEOUTS,
            allow_redirects=False,
            stream=True,
        ) as response:
            text: str = response.raw.read(MAX_ANSWER_BYTES, decode_content=True).decode("utf-8", "replace")
            status = response.status_code
    except (requests.exceptions.RequestException, HTTPError) as error:
        raise WitnessSilent(f"{url} does not answer: {type(error).__name__}") from error
    if status == HTTPStatus.OK:
        return text
    if status == HTTPStatus.CONFLICT and text.strip().isdecimal():
        seen_size = int(text.strip()[:19])
        raise CosignRefused(f"it has seen {seen_size} entries", HTTPStatus.CONFLICT, seen_size)
    if 400 <= status < 500 and status not in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS):
        raise CosignRefused(f"status {status}, {text.strip()[:200]!r}")
    raise WitnessSilent(f"{url} answers with status {status}")


def store_line(connection: Connection[Any], submission: Submission, lines: str, keys: Iterable[VerifierKey]) -> None:
    """Store those lines of an answer that known keys of a witness signed on this checkpoint. Raises CosignRefused without any."""
    keys, stored = list(keys), 0
    for line in lines.splitlines():
        try:
            _, signatures = open_note(add_signature(submission.note, f"{line}\n"), keys)
        except BadNote:
            continue
        for key in signatures:
            connection.execute(
                "INSERT INTO audit.cosignature (log_id, size, witness, line) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [submission.log_id, submission.size, key.name, f"{line}\n"],
            )
            stored += 1
    if not stored:
        names = " or ".join(sorted({key.name for key in keys}))
        raise CosignRefused(f"this is not a signature of {names} on a checkpoint of this log")


def store_answer(connection: Connection[Any], log_id: UUID, line: str, witness: VerifierKey) -> int:
    """Store a witness's line with the checkpoint that it signs, one of the newest thousand.

    Return that checkpoint's size. Raises CosignRefused.
    """
    rows = connection.execute(
        "SELECT size, note FROM audit.checkpoint WHERE log_id = %s ORDER BY size DESC LIMIT 1000", [log_id]
    ).fetchall()
    for size, note in rows:
        try:
            store_line(connection, Submission(log_id, size, note), line, [witness])
        except CosignRefused:
            continue
        return int(size)
    raise CosignRefused(f"this is not a signature of {witness.name} on a checkpoint of this log")
