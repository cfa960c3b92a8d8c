"""A witness: somebody else who signs that a checkpoint continues the one they saw.

It answers requests in the form of c2sp.org/tlog-witness, over HTTP or as files. Of each log it keeps the newest checkpoint that
it signed; shown another history it refuses, and keeps refusing. Its folder is a monitoring prefix of that specification.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import fcntl
import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dispensary.audit.sealing.merkle import EMPTY_ROOT, verify_consistency
from dispensary.audit.sealing.notes import (
    BadNote,
    Checkpoint,
    SignerKey,
    VerifierKey,
    add_signature,
    open_checkpoint,
    split,
)

log = logging.getLogger(__name__)

MAX_PROOF_LINES = 63
MAX_REQUEST_BYTES = 64 * 1024
IDLE_SECONDS = 10
"""Time that a connection may say nothing."""
SIZE_TYPE = "text/x.tlog.size"
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_STORED = re.compile(r"/([0-9a-f]{64})/checkpoint", re.ASCII)


class CosignRefused(Exception):
    """The witness will not sign, or the answer is not what it claims.

    The message says why; `status` is that of c2sp.org/tlog-witness, `seen` the size that the witness saw, with CONFLICT.
    """

    def __init__(self, why: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, seen: int | None = None) -> None:
        super().__init__(why)
        self.status, self.seen = status, seen


class Witness:
    """A witness: its key, and a folder with the newest checkpoint it signed of each log, cosigned."""

    def __init__(self, key: SignerKey, folder: Path) -> None:
        self.key, self.folder = key, folder

    def answer(self, request: str, log_keys: Iterable[VerifierKey], at: dt.datetime) -> str:
        """Store the checkpoint of a request and return its cosignature line.

        Raises CosignRefused.
        """
        old_size, proof, note = _parse_request(request)
        checkpoint = _open_note(note, log_keys)
        if old_size > checkpoint.size:
            raise CosignRefused(f"the old size {old_size} is above that of the checkpoint, {checkpoint.size}")
        with self._lock_memory(checkpoint.origin):
            self._check(checkpoint, old_size, proof)
            line = self.key.cosign(checkpoint.text, at)
            self._remember(checkpoint.origin, add_signature(note, line))
        return line

    def last_seen(self, origin: str) -> Checkpoint | None:
        """Return the newest checkpoint of a log that this witness signed. Raises CosignRefused where the file is damaged."""
        path = self.path(origin)
        try:
            return Checkpoint.parse(split(path.read_text(encoding="utf-8"))[0])
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise CosignRefused(
                f"my memory of {origin} cannot be read: restore {path}", HTTPStatus.INTERNAL_SERVER_ERROR
            ) from error

    def path(self, origin: str) -> Path:
        """Return the file that holds the newest checkpoint of a log."""
        return self.folder / hashlib.sha256(origin.encode()).hexdigest() / "checkpoint"

    def _check(self, checkpoint: Checkpoint, old_size: int, proof: list[bytes]) -> None:
        newest = self.last_seen(checkpoint.origin) or Checkpoint(checkpoint.origin, 0, EMPTY_ROOT)
        if old_size != newest.size:
            why = f"I have seen {newest.size} entries of {checkpoint.origin}; ask again from there"
            raise CosignRefused(why, HTTPStatus.CONFLICT, newest.size)
        if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
            raise CosignRefused("this is not the root of no entries", HTTPStatus.UNPROCESSABLE_ENTITY)
        continues = (
            verify_consistency(newest.size, checkpoint.size, newest.root, checkpoint.root, proof)
            if newest.size
            else not proof
        )
        if not continues:
            raise CosignRefused(
                f"this is not the history that I saw: nothing shows that {checkpoint.origin} begins with the same {newest.size} entries",
                HTTPStatus.UNPROCESSABLE_ENTITY,
            )

    @contextmanager
    def _lock_memory(self, origin: str) -> Iterator[None]:
        """Lock the memory of a log; of two histories shown at once only one is signed."""
        folder = self.path(origin).parent
        if self.folder.is_file():
            raise CosignRefused(
                f"{self.folder} is a file; the memory of a witness is a folder now", HTTPStatus.INTERNAL_SERVER_ERROR
            )
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _remember(self, origin: str, note: str) -> None:
        """Write the checkpoint to the disk before it is answered: what is signed is remembered, whatever happens next."""
        path = self.path(origin)
        fresh = path.with_name(".checkpoint.new")
        with fresh.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(note)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)
        for folder in (path.parent, self.folder):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _parse_request(request: str) -> tuple[int, list[bytes], str]:
    head, gap, note = request.partition("\n\n")
    first, *steps = head.split("\n")
    old = _OLD.fullmatch(first)
    if not gap or old is None or len(steps) > MAX_PROOF_LINES:
        raise CosignRefused("this is no request: it begins with 'old SIZE', a proof, an empty line, and a checkpoint")
    try:
        proof = [base64.b64decode(step.encode("ascii"), validate=True) for step in steps]
    except (binascii.Error, UnicodeEncodeError) as error:
        raise CosignRefused("the proof is not base64") from error
    if any(len(step) != 32 for step in proof):
        raise CosignRefused("a step of the proof is not a hash of 32 bytes")
    return int(old[1]), proof, note


def _open_note(note: str, log_keys: Iterable[VerifierKey]) -> Checkpoint:
    """Return the checkpoint that a trusted key of its origin signed. Raises CosignRefused with the status of each failure."""
    try:
        checkpoint = Checkpoint.parse(split(note)[0])
    except BadNote as error:
        raise CosignRefused(f"this is no checkpoint: {error}") from error
    keys = [key for key in log_keys if key.name == checkpoint.origin]
    if not keys:
        raise CosignRefused(f"the log {checkpoint.origin} is not one that I watch", HTTPStatus.NOT_FOUND)
    try:
        return open_checkpoint(note, keys)
    except BadNote as error:
        raise CosignRefused(str(error), HTTPStatus.FORBIDDEN) from error


class WitnessServer(ThreadingHTTPServer):
    """`POST /add-checkpoint` and `GET /HASH OF THE ORIGIN/checkpoint` of c2sp.org/tlog-witness.

    Plain HTTP, for a reverse proxy with TLS before it; `read_time` gives the time that is signed.
    """

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        witness: Witness,
        log_keys: Iterable[VerifierKey],
        read_time: Callable[[], dt.datetime],
    ) -> None:
        self.witness, self.log_keys, self.read_time = witness, list(log_keys), read_time
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "witness", ""
    timeout = IDLE_SECONDS

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != "/add-checkpoint":
            return self._answer(HTTPStatus.NOT_FOUND, "POST goes to /add-checkpoint\n", close=True)
        if not length.isdecimal():
            return self._answer(HTTPStatus.LENGTH_REQUIRED, "say how long the request is\n", close=True)
        if int(length) > MAX_REQUEST_BYTES:
            return self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a request is shorter\n", close=True)
        try:
            request = self.rfile.read(int(length)).decode()
            line = self.server.witness.answer(request, self.server.log_keys, self.server.read_time())
        except UnicodeDecodeError:
            return self._answer(HTTPStatus.BAD_REQUEST, "the request is not UTF-8\n")
        except CosignRefused as refusal:
            log.warning("nothing was cosigned (%d): %s", refusal.status, refusal)
            if refusal.seen is not None:
                return self._answer(refusal.status, f"{refusal.seen}\n", SIZE_TYPE)
            return self._answer(refusal.status, f"{refusal}\n")
        except OSError:
            log.exception("nothing was cosigned: the memory cannot be written")
            return self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, "the memory of this witness cannot be written\n")
        return self._answer(HTTPStatus.OK, line)

    def do_GET(self) -> None:
        stored = _STORED.fullmatch(self.path)
        try:
            note = (self.server.witness.folder / stored[1] / "checkpoint").read_text() if stored else ""
        except OSError:
            note = ""
        if note:
            return self._answer(HTTPStatus.OK, note)
        return self._answer(HTTPStatus.NOT_FOUND, "no checkpoint of such a log was cosigned here\n")

    def log_message(self, format: str, *args: object) -> None:
        """Keep to the program's own log: refusals."""

    def _answer(
        self, status: HTTPStatus, text: str, kind: str = "text/plain; charset=utf-8", *, close: bool = False
    ) -> None:
        body = text.encode()
        self.close_connection = self.close_connection or close
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
