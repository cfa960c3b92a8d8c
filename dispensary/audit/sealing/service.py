"""The sealer of a site: rounds over all logs that record posture and sign."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from psycopg import Connection

from dispensary.actors import Actor
from dispensary.audit.log.database import LogRow, all_logs, open_logs, raw_connection, sealer_alias
from dispensary.audit.log.events import Event
from dispensary.audit.log.writer import REGISTER, Subject, record
from dispensary.audit.sealing.keys import key_file, read_keys
from dispensary.audit.sealing.notes import SignerKey
from dispensary.audit.sealing.posture import read_posture
from dispensary.audit.sealing.sealer import Sealed, Sealer, SealRefused
from dispensary.audit.sealing.state import State, StateFolder, StateTrouble
from dispensary.conf import conf

log = logging.getLogger(__name__)

RETRY = dt.timedelta(minutes=1)
"""Time between two attempts to seal a log that was refused."""
# All open logs and their ends in one statement: a round in which nothing happened asks nothing else.
_TAILS = """
    SELECT g.log_id, g.origin, g.pharmacy, g.genesis, coalesce(g.predecessor_note, ''), false, coalesce(t.seq, 0), t.leaf
    FROM audit.log g LEFT JOIN LATERAL (
        SELECT seq, leaf FROM audit.link l WHERE l.log_id = g.log_id ORDER BY seq DESC LIMIT 1) t ON true
    WHERE g.closed_at IS NULL AND (g.pharmacy = %s) = %s ORDER BY g.origin"""


@dataclass(frozen=True, slots=True)
class Round:
    """The result of one round: logs that were sealed, and reasons why others were not."""

    sealed: tuple[Sealed, ...]
    refused: tuple[SealRefused | StateTrouble, ...]


def state_folder() -> Path:
    """Return the folder of the sealer's state.

    Beside the key unless a setting names another.
    """
    return Path(conf().audit_state_folder or key_file().parent / "audit-state")


def make_sealer() -> Sealer:
    """Return the sealer of this site.

    Raises KeyTrouble when the key is missing or open to others.
    """
    return Sealer(
        raw_connection(sealer_alias()),
        read_keys(key_file()),
        StateFolder(state_folder()),
        standbys=conf().audit_seal_standbys,
    )


def seal_round(sealer: Sealer, now: dt.datetime, *, pharmacy: UUID | None = None) -> Round:
    """Seal every open log, or that of one pharmacy.

    A log that must not be sealed does not stop the others; it is tried again after RETRY. A round over all logs enters new
    ones into the register, and reports those that are gone.
    """
    sealed: list[Sealed] = []
    refused: list[SealRefused | StateTrouble] = []
    if pharmacy is None:
        for state in lost_states(sealer.connection, sealer.states):
            words = f"{state.size} entries were signed and the whole log is gone"
            refused.append(_alarm(sealer, UUID(state.log_id), SealRefused(state.origin, "TRUNCATED", 1, words), now))
    for is_register in (False, True):  # the register last, whole with what this round wrote into it
        for *columns, size, leaf in sealer.connection.execute(_TAILS, [REGISTER, is_register]).fetchall():
            row = LogRow(*columns)
            if pharmacy not in (None, row.pharmacy):
                continue
            if sealer.is_idle(row, size, leaf, now):
                sealed.append(Sealed(row, size, 0))
                continue
            try:
                done = _seal_log(sealer, row, now, names_log=pharmacy is None)
            except (SealRefused, StateTrouble) as trouble:
                refused.append(_alarm(sealer, row.log_id, trouble, now))
            else:
                sealed.extend([done] if done else [])
    return Round(tuple(sealed), tuple(refused))


def _alarm(
    sealer: Sealer, log_id: UUID, trouble: SealRefused | StateTrouble, now: dt.datetime
) -> SealRefused | StateTrouble:
    """Write a refusal into the log of the program, once in RETRY, and remember it."""
    tried_at, _ = sealer.refusals.get(log_id, (None, None))
    if tried_at is None or now - tried_at >= RETRY:
        log.critical("audit log is not sealed: %s", trouble)
        sealer.refusals[log_id] = now, trouble
    return trouble


def lost_states(connection: Connection[Any], states: StateFolder) -> list[State]:
    """Return the states of logs that were signed and that the database no longer has, by origin."""
    gone = states.log_ids() - {row.log_id for row in all_logs(connection)}
    lost = [state for state in map(states.load, gone) if state is not None and state.size]
    return sorted(lost, key=lambda state: state.origin)


def _seal_log(sealer: Sealer, row: LogRow, now: dt.datetime, *, names_log: bool) -> Sealed | None:
    tried_at, trouble = sealer.refusals.get(row.log_id, (now, None))
    if isinstance(trouble, SealRefused) and now - tried_at < RETRY:
        raise trouble  # known, and dear to find out again: it may take every leaf

    def record_day(state: State) -> State:
        """Record the posture in the log, and the log in the register when it is new there."""
        sealer.connection.execute("SELECT audit.ensure_partitions()")
        about = Subject("log", str(row.log_id))
        vkeys = [str(key.named(row.origin).verifier) for key in sealer.keys]
        _record(Event.POSTURE, row.pharmacy, about, {**read_posture(sealer.connection, now), "vkeys": vkeys}, now)
        if state.registered or not names_log:
            return state
        facts = {"log": row.log_id, "origin": row.origin, "genesis": row.genesis, "pharmacy": row.pharmacy}
        _record(Event.LOG_REGISTERED, REGISTER, about, facts, now)
        return replace(state, registered=True)

    done = sealer.seal(row, now=now, record_day=record_day)
    sealer.refusals.pop(row.log_id, None)
    return done


def _record(event: Event, pharmacy: UUID, subject: Subject, body: dict[str, Any], now: dt.datetime) -> None:
    alias = sealer_alias()
    by = Actor.system("sealer", pharmacy)
    with transaction.atomic(using=alias):
        record(event, pharmacy=pharmacy, by=by, now=now, subject=subject, body=body, using=alias)


def record_rotation(old: SignerKey, new: SignerKey, now: dt.datetime) -> None:
    """Record in every log which key replaces which.

    The sealer signs that entry with both.
    """
    for row in open_logs(raw_connection(sealer_alias())):
        subject = Subject("key", new.named(row.origin).verifier.key_id.hex())
        facts = {name: str(key.named(row.origin).verifier) for name, key in (("old", old), ("new", new))}
        _record(Event.KEY_ROTATED, row.pharmacy, subject, facts, now)
