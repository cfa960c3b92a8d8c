"""The sealer of a site: rounds over all logs that record posture and sign."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.db import transaction

from dispensary.actors import Actor
from dispensary.audit.log.database import LogRow, open_logs, raw_connection, sealer_alias
from dispensary.audit.log.events import Event
from dispensary.audit.log.writer import Subject, record
from dispensary.audit.sealing.keys import key_file, read_keys
from dispensary.audit.sealing.notes import SignerKey
from dispensary.audit.sealing.posture import read_posture
from dispensary.audit.sealing.sealer import Sealed, Sealer, SealRefused
from dispensary.audit.sealing.state import StateFolder, StateTrouble
from dispensary.conf import conf

log = logging.getLogger(__name__)


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

    A log that must not be sealed does not stop the others.
    """
    sealed: list[Sealed] = []
    refused: list[SealRefused | StateTrouble] = []
    for open_log in open_logs(sealer.connection):
        if pharmacy not in (None, open_log.pharmacy):
            continue
        try:
            _record_posture(sealer, open_log, now)
            done = sealer.seal(open_log)
        except (SealRefused, StateTrouble) as trouble:
            log.critical("audit log is not sealed: %s", trouble)
            refused.append(trouble)
        else:
            sealed.extend([done] if done else [])
    return Round(tuple(sealed), tuple(refused))


def _record_posture(sealer: Sealer, log: LogRow, now: dt.datetime) -> None:
    if not sealer.is_heartbeat_due(log, now):
        return
    sealer.connection.execute("SELECT audit.ensure_partitions()")
    facts = read_posture(sealer.connection, now)
    alias = sealer_alias()
    with transaction.atomic(using=alias):
        record(
            Event.POSTURE,
            pharmacy=log.pharmacy,
            by=Actor.system("sealer", log.pharmacy),
            now=now,
            subject=Subject("log", str(log.log_id)),
            body=facts,
            using=alias,
        )
    sealer.record_heartbeat(log, now)


def record_rotation(old: SignerKey, new: SignerKey, now: dt.datetime) -> None:
    """Record in every log which key replaces which.

    The sealer signs that entry with both.
    """
    alias = sealer_alias()
    for log in open_logs(raw_connection(alias)):
        with transaction.atomic(using=alias):
            record(
                Event.KEY_ROTATED,
                pharmacy=log.pharmacy,
                by=Actor.system("sealer", log.pharmacy),
                now=now,
                subject=Subject("key", new.named(log.origin).verifier.key_id.hex()),
                body={"old": str(old.named(log.origin).verifier), "new": str(new.named(log.origin).verifier)},
                using=alias,
            )
