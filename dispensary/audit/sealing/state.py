"""The sealer's state outside the database: the last signed checkpoint of each log.

A database can be put back to yesterday; this file is not, so that the sealer notices. It is flushed to the disk before a
checkpoint is published, so that a crash at any moment never leads to two checkpoints of one size.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from uuid import UUID

from dispensary.audit.sealing.merkle import CompactRange

HEARTBEAT = dt.timedelta(hours=24)


class StateTrouble(Exception):
    """The state is missing or damaged; signing without it could bless a rewritten log."""


@dataclass(frozen=True, slots=True)
class State:
    """One log as the sealer last signed it. Hashes are hexadecimal; times ISO 8601."""

    log_id: str
    origin: str
    size: int = 0
    edge: tuple[str, ...] = ()
    """The compact range of the tree: enough to go on without reading the old links again."""
    last_leaf: str = ""
    """The leaf of entry `size`; since each leaf holds the one before it, it speaks for all of them."""
    root: str = ""
    note: str = ""
    heartbeat_at: str = ""
    registered: bool = False
    """Whether the register of logs names this one."""

    def is_heartbeat_due(self, now: dt.datetime) -> bool:
        """Return whether the last posture entry of this log is a day old."""
        return not self.heartbeat_at or now - dt.datetime.fromisoformat(self.heartbeat_at) >= HEARTBEAT

    def tree(self) -> CompactRange:
        """Return the tree, ready to take more leaves.

        Raises StateTrouble when it does not give the signed root.
        """
        tree = CompactRange(self.size, [bytes.fromhex(text) for text in self.edge])
        if self.size and tree.root().hex() != self.root:
            raise StateTrouble(f"the state of {self.origin} contradicts itself; restore the file from its backup")
        return tree

    def grown(self, tree: CompactRange, last_leaf: bytes, note: str) -> State:
        """Return the state after signing a larger tree."""
        edge = tuple(piece.hex() for piece in tree.hashes)
        return replace(self, size=tree.size, edge=edge, last_leaf=last_leaf.hex(), root=tree.root().hex(), note=note)


class StateFolder:
    """One JSON file a log, replaced in one step and flushed to the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, log_id: UUID) -> Path:
        """Return the path of a log's state."""
        return self.folder / f"{log_id}.json"

    def log_ids(self) -> set[UUID]:
        """Return the logs that were ever sealed here."""
        return {UUID(path.stem) for path in self.folder.glob("*-*-*-*-*.json") if "." not in path.stem}

    @contextmanager
    def lock(self, log_id: UUID) -> Iterator[bool]:
        """Lock a log for sealing until the block ends; yield whether this process got the lock.

        A file that the sealer's account alone can open: a lock of the database could be taken by any of its roles.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.folder / f".{log_id}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._unwritable(log_id, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            is_locked = False
        else:
            is_locked = True
        try:
            yield is_locked
        finally:
            os.close(descriptor)

    def load(self, log_id: UUID) -> State | None:
        """Return the state of a log, None if it was never sealed here.

        Raises StateTrouble on a damaged file.
        """
        path = self.path(log_id)
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            return State(**{**document, "edge": tuple(document["edge"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StateTrouble(f"{path} cannot be read; restore it from its backup ({error})") from error

    def save(self, state: State) -> None:
        """Write, flush, move into place, flush the folder.

        Raises StateTrouble where that is not possible (a full disk).
        """
        try:
            self._save(state)
        except OSError as error:
            raise self._unwritable(UUID(state.log_id), error) from error

    def set_aside(self, log_id: UUID) -> Path:
        """Rename the state of a log that is gone, so that it is kept and no longer looked for; return its path.

        Raises StateTrouble where that is not possible.
        """
        new_path = self.path(log_id).with_suffix(".lost.json")
        try:
            self.path(log_id).replace(new_path)
        except OSError as error:
            raise self._unwritable(log_id, error) from error
        return new_path

    def _unwritable(self, log_id: UUID, error: OSError) -> StateTrouble:
        return StateTrouble(
            f"{self.path(log_id)} cannot be written ({error.strerror}); nothing was signed. Make room, "
            "and the sealer goes on from what it signed last."
        )

    def _save(self, state: State) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.path(UUID(state.log_id))
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(asdict(state), stream)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
