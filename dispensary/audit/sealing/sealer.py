"""The sealer: recomputes linked entries and signs size and root of each log.

It trusts its own state file more than the database. Where the two disagree, the log was rewritten or the database was put
back in time: it signs nothing and reports FORK. Only `audit incarnation` continues such a log.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from psycopg import Connection

from dispensary.audit.log.canonical import NotCanonical
from dispensary.audit.log.database import LogRow
from dispensary.audit.log.links import leaves, linked_entries
from dispensary.audit.sealing.merkle import CompactRange, leaf_hash
from dispensary.audit.sealing.notes import BadNote, Checkpoint, SignerKey, open_checkpoint, sign_checkpoint
from dispensary.audit.sealing.state import State, StateFolder, StateTrouble

BATCH = 20_000
STANDBY_WAIT = 2.0
"""Seconds to wait for standbys in one round."""


class SealRefused(Exception):
    """A log that must not be signed.

    `finding` is the class that a verifier would report, `seq` where.
    """

    def __init__(self, origin: str, finding: str, seq: int, detail: str) -> None:
        self.origin, self.finding, self.seq, self.detail = origin, finding, seq, detail
        super().__init__(f"{finding} in {origin} at {seq}: {detail}")


@dataclass(frozen=True, slots=True)
class Sealed:
    """The result of one round for one log: its signed size, and the entries added."""

    log: LogRow
    size: int
    added: int


class Sealer:
    """Signs logs over one autocommitting connection of the sealer's role.

    `standbys` is how many standby servers must have flushed an entry before it is signed.
    """

    def __init__(
        self, connection: Connection[Any], keys: Sequence[SignerKey], states: StateFolder, *, standbys: int = 0
    ) -> None:
        self.connection = connection
        self.keys = keys
        self.states = states
        self.standbys = standbys
        self._checked: set[UUID] = set()
        self._signed: dict[UUID, State] = {}
        self.refusals: dict[UUID, tuple[dt.datetime, SealRefused | StateTrouble]] = {}
        """When each refused log was last tried, and why it was refused."""

    def seal(
        self, log: LogRow, *, now: dt.datetime | None = None, record_day: Callable[[State], State] | None = None
    ) -> Sealed | None:
        """Sign everything that was linked since the last time.

        Once a day, when `now` is given, `record_day` is called first: it writes what belongs into the log and returns the state.
        None: another sealer has this log, or standbys lag.
        Raises SealRefused when the database contradicts what was signed or itself, StateTrouble when the state of what
        was signed is missing or damaged.
        """
        with self.states.lock(log.log_id) as mine:
            if not mine:
                return None
            state = self._load_state(log)  # under the lock, as every change of it is written
            if record_day and now and state.is_heartbeat_due(now):
                state = replace(record_day(state), heartbeat_at=now.isoformat())
                self.states.save(state)
                self._checked.discard(log.log_id)
            self._check_past(log, state)
            self._publish(log, state)
            return self._extend(log, state)

    def is_idle(self, log: LogRow, size: int, leaf: bytes | None, now: dt.datetime) -> bool:
        """Return whether this sealer signed the log at this size and last leaf, checked it, and owes it nothing today."""
        state = self._signed.get(log.log_id)
        return (
            state is not None
            and (state.size, state.last_leaf) == (size, (leaf or b"").hex())
            and log.log_id in self._checked
            and not state.is_heartbeat_due(now)
        )

    def adopt(self, log: LogRow) -> State:
        """Recompute the newest stored checkpoint and take it as the last one signed.

        For a sealer whose state file is truly lost. Raises SealRefused when that checkpoint does not fit the entries.
        """
        row = self.connection.execute(
            "SELECT size, note FROM audit.checkpoint WHERE log_id = %s ORDER BY size DESC LIMIT 1", [log.log_id]
        ).fetchone()
        if row is None:
            return State(str(log.log_id), log.origin)
        checkpoint = self._open_note(log, row[1])
        tree, last = self._recompute(log, CompactRange(), log.genesis, checkpoint.size)
        if tree.size != checkpoint.size or tree.root() != checkpoint.root:
            raise SealRefused(log.origin, "ROOT_MISMATCH", checkpoint.size, "the newest stored checkpoint does not fit")
        state = State(str(log.log_id), log.origin).grown(tree, last, row[1])
        self.states.save(state)
        return state

    def _load_state(self, log: LogRow) -> State:
        state = self.states.load(log.log_id)
        if state is not None and state.size:
            return state
        row = self.connection.execute(
            "SELECT max(size) FROM audit.checkpoint WHERE log_id = %s", [log.log_id]
        ).fetchone()
        if row and row[0] is not None:
            raise StateTrouble(
                f"{log.origin} has checkpoints, but {self.states.path(log.log_id)} knows of none. Restore the state from its "
                "backup; if it is truly lost, `audit seal --adopt` verifies the whole log and goes on from its newest checkpoint."
            )
        return state or State(str(log.log_id), log.origin)

    def _publish(self, log: LogRow, state: State) -> None:
        """Put the last signed note into the database.

        After a crash in between it may not be there yet.
        """
        if not state.size:
            return
        self.connection.execute(
            "INSERT INTO audit.checkpoint (log_id, size, root, note, flush_lsn) VALUES (%s, %s, %s, %s, pg_current_wal_flush_lsn())"
            " ON CONFLICT (log_id, size) DO NOTHING",
            [log.log_id, state.size, bytes.fromhex(state.root), state.note],
        )

    def _check_past(self, log: LogRow, state: State) -> None:
        """Check the last signed leaf against the database, and once a day all of them."""
        if not state.size:
            return
        if difference := find_difference(self.connection, log.log_id, state):
            raise SealRefused(log.origin, "FORK", state.size, difference)
        if log.log_id not in self._checked:
            tree = CompactRange()
            try:
                tree.extend(leaves(self.connection, log.log_id, upto=state.size))
            except LookupError as error:
                raise SealRefused(log.origin, "FORK", state.size, str(error)) from error
            if tree.root().hex() != state.root:
                raise SealRefused(log.origin, "FORK", state.size, "the root of what was signed is another one now")
            self._checked.add(log.log_id)

    def _extend(self, log: LogRow, state: State) -> Sealed | None:
        row = self.connection.execute("SELECT max(seq) FROM audit.link WHERE log_id = %s", [log.log_id]).fetchone()
        end = row[0] if row and row[0] is not None else 0
        if end > state.size and not self._have_standbys_flushed(log, state.size):
            return None
        before = state.size
        while state.size < end:
            prev = bytes.fromhex(state.last_leaf) if state.size else log.genesis
            tree, last = self._recompute(log, state.tree(), prev, min(end, state.size + BATCH))
            checkpoint = Checkpoint(log.origin, tree.size, tree.root())
            note = sign_checkpoint(checkpoint, *(key.named(log.origin) for key in self.keys))
            state = state.grown(tree, last, note)
            self.states.save(state)
            self._publish(log, state)
        self._signed[log.log_id] = state
        return Sealed(log, state.size, state.size - before)

    def _recompute(self, log: LogRow, tree: CompactRange, prev: bytes, end: int) -> tuple[CompactRange, bytes]:
        """Grow the tree to `end` by leaves computed from the columns.

        Refuse at the first that is stored otherwise.
        """
        for row in linked_entries(self.connection, log.log_id, after=tree.size, bodies=False):
            seq = tree.size + 1
            if row.seq != seq:
                raise SealRefused(log.origin, "GAP", seq, f"number {seq} is missing")
            if row.is_in_log is None:
                raise SealRefused(log.origin, "ENTRY_MISSING", seq, "the link has no entry")
            if not row.is_in_log:
                raise SealRefused(log.origin, "WRONG_LOG", seq, "the entry belongs to another log")
            try:
                computed = leaf_hash(row.header(prev))
            except NotCanonical as error:
                raise SealRefused(log.origin, "NOT_CANONICAL", seq, str(error)) from error
            if computed != row.leaf:
                raise SealRefused(log.origin, "ENTRY_MODIFIED", seq, "the stored leaf is not the hash of the entry")
            tree.append(computed)
            prev = computed
            if tree.size == end:
                break
        return tree, prev

    def _open_note(self, log: LogRow, note: str) -> Checkpoint:
        try:
            return open_checkpoint(note, [key.named(log.origin).verifier for key in self.keys])
        except BadNote as error:
            raise SealRefused(log.origin, "CKPT_BAD_SIG", 0, str(error)) from error

    def _have_standbys_flushed(self, log: LogRow, size: int) -> bool:
        """Return whether enough standbys have flushed all that is visible now.

        Wait up to STANDBY_WAIT for them.
        """
        if not self.standbys:
            return True
        role = self.connection.execute(
            "SELECT current_user, pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"
        ).fetchone()
        if role and not role[1]:  # PostgreSQL shows such a role that there are standbys, and not how far they are
            raise SealRefused(
                log.origin, "UNSEALED", size,
                f"the role {role[0]} may not see how far the standbys are; a superuser must GRANT pg_read_all_stats TO it",
            )  # fmt: skip
        row = self.connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
        deadline = time.monotonic() + STANDBY_WAIT
        while row is not None:
            have = self.connection.execute(
                "SELECT count(*) FROM pg_stat_replication WHERE flush_lsn >= %s::pg_lsn", [row[0]]
            ).fetchone()
            if have and have[0] >= self.standbys:
                return True
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        return False


def find_difference(connection: Connection[Any], log_id: UUID, state: State) -> str:
    """Return how the last signed entry differs in the database, as after a restore; "" where it is the same."""
    if not state.size:
        return ""
    row = connection.execute(
        "SELECT leaf FROM audit.link WHERE log_id = %s AND seq = %s", [log_id, state.size]
    ).fetchone()
    if row is None:
        return f"{state.size} entries were signed and the database has fewer"
    return "" if bytes(row[0]).hex() == state.last_leaf else "the last signed entry is another one now"
