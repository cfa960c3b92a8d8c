"""Erasure of bodies, retirement of months, successors of broken logs, logs that a restore took away.

An entry of the log names what left, with its reason and the statement that two people signed; the verifier reports it as
authorised by that entry. All of it needs the owner's (or the eraser's) database role.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.db import DatabaseError, connections, transaction

from dispensary.actors import Actor
from dispensary.audit.evidence import verify
from dispensary.audit.evidence.authority import open_statement, write_statement
from dispensary.audit.log.database import LogRow, all_logs, eraser_alias, owner_alias, raw_connection
from dispensary.audit.log.events import Event
from dispensary.audit.log.links import leaves
from dispensary.audit.log.writer import REGISTER, Subject, record
from dispensary.audit.sealing.merkle import CompactRange
from dispensary.audit.sealing.sealer import find_difference
from dispensary.audit.sealing.state import State, StateFolder
from dispensary.errors import Conflict, InvalidInput, NotFound, Problem
from dispensary.models import AuditEntry


@dataclass(frozen=True, slots=True)
class Retirement:
    """One log's part of a retired month: entries up to `last` may be dropped."""

    log: LogRow
    last: int
    entry_id: UUID


def erase(authority: str, *, by: Actor, second: Actor, now: dt.datetime) -> list[UUID]:
    """Delete the bodies that a signed statement names, in all its logs or in none, and record why.

    Return the erasures' entry ids in order. Raises InvalidInput, with the database's own words, when the statement does not
    authorise it, an entry has no body that may go, or one person signs alone.
    """
    statement = open_statement(authority, Event.ERASED)
    alias = eraser_alias()
    entries = []
    try:
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            for part in statement["logs"]:
                seqs = [seq for first, last in part["ranges"] for seq in range(first, last + 1)]
                cursor.execute(
                    "SELECT audit.erase(%s, %s::bigint[], %s, %s, %s, %s, %s, %s, %s)",
                    [
                        part["log"],
                        seqs,
                        statement["basis"],
                        by.name,
                        by.role.value,
                        second.name,
                        by.display,
                        now,
                        authority,
                    ],
                )
                entries.append(cursor.fetchone()[0])
    except DatabaseError as error:
        raise _invalid_input(error, "seqs") from error
    return entries


def erasable(logs: Sequence[LogRow], patient: str) -> list[tuple[LogRow, list[int]]]:
    """Return logs with the numbers of a patient's unerased entries. Raises NotFound."""
    erased = raw_connection(owner_alias()).execute("SELECT entry_id FROM audit.erasure").fetchall()
    gone = {entry_id for (entry_id,) in erased}
    erasures = []
    for log in logs:
        entries = AuditEntry.objects.using(owner_alias()).filter(
            log_id=log.log_id, patient_ref=patient, seq__isnull=False
        )
        seqs = [seq for seq, entry_id in entries.values_list("seq", "entry_id") if entry_id not in gone]
        if seqs:
            erasures.append((log, seqs))
    if not erasures:
        raise NotFound(f"There are no details about patient {patient} that could be erased.")
    return erasures


def open_incarnation(
    log_id: UUID, *, note: str, reason: str, by: Actor, second: Actor | None, now: dt.datetime
) -> UUID:
    """Close a log and open its successor, bound to `note`, the last that was signed."""
    try:
        with transaction.atomic(using=owner_alias()), connections[owner_alias()].cursor() as cursor:
            cursor.execute(
                "SELECT audit.open_incarnation(%s, %s, %s, %s, %s, %s, %s, %s)",
                [log_id, note, reason, by.name, by.role.value, second.name if second else None, by.display, now],
            )
            entry_id: UUID = cursor.fetchone()[0]
            return entry_id
    except DatabaseError as error:
        raise _invalid_input(error, "log") from error


_IS_REGISTERED = """
    SELECT EXISTS (SELECT FROM audit.log g JOIN audit.entry e ON e.log_id = g.log_id
        WHERE g.pharmacy = %s AND e.action = 'audit.registered' AND e.subject_id = %s)"""
_REGISTERS = "SELECT log_id, closed_at FROM audit.log WHERE pharmacy = %s AND closed_at IS NOT NULL ORDER BY closed_at"


def record_lost(lost: State, states: StateFolder, *, reason: str, by: Actor, second: Actor, now: dt.datetime) -> Path:
    """Record in the register that a log is gone with a restore, and set the state of it aside; return where it is kept.

    Only what a restore leaves behind is believed: the register lacks the log's registration, and was itself continued over signed
    entries that are gone, after the log was last heard of. A log that was deleted is named by the register, or the register is
    refused (FORK). Raises Conflict, InvalidInput for one person alone.
    """
    connection = raw_connection(owner_alias())
    if by.name == second.name or not reason.strip():
        raise InvalidInput("A lost log needs a reason and two different people.")
    if connection.execute(_IS_REGISTERED, [REGISTER, lost.log_id]).fetchone() == (True,):
        raise Conflict(
            f"The register of logs names {lost.origin}: no restore took it away, it was deleted.",
            Problem("log", "gone", "the log", "Find out who did it; restore it from a backup."),
        )
    registers = connection.execute(_REGISTERS, [REGISTER]).fetchall() if lost.heartbeat_at else []
    register = next(
        (log_id for log_id, closed_at in registers if closed_at > dt.datetime.fromisoformat(lost.heartbeat_at)), None
    )
    state = states.load(register) if register else None
    if register is None or state is None or not find_difference(connection, register, state):
        raise Conflict(
            f"Nothing shows that a restore took {lost.origin} away: the register of logs lacks nothing that was signed, or was not continued.",
            Problem("log", "gone", "a restored database", "After a restore run `audit incarnation --all` first."),
        )
    with transaction.atomic(using=owner_alias()):
        record(
            Event.LOG_LOST,
            pharmacy=REGISTER,
            by=by,
            second_actor=second,
            now=now,
            subject=Subject("log", lost.log_id),
            body={
                "origin": lost.origin,
                "size": lost.size,
                "note": lost.note,
                "reason": reason,
                "last_heard_at": lost.heartbeat_at,
            },
            using=owner_alias(),
        )
    return states.set_aside(UUID(lost.log_id))


def propose_retirement(
    log: LogRow,
    month: dt.date,
    *,
    bundle: Path,
    keys: Sequence[verify.Key],
    keep_days: int,
    people: Mapping[str, str],
    basis: str,
    now: dt.datetime,
) -> str | None:
    """Verify an export and return the statement, to be signed, that entries up to a month's end may be dropped.

    `people` are the sign-in names `by` and `second`. None when the log has no entry in that month. Raises Conflict when the
    export does not verify or ends too early, or the month is younger than `keep_days`.
    """
    if people["by"] == people["second"] or not basis.strip():
        raise InvalidInput("Retirement needs a basis and two different people.")
    first, until = _month_bounds(month)
    if until + dt.timedelta(days=keep_days) > now:
        raise Conflict(f"{month:%Y-%m} must be kept for {keep_days:,} days, and they are not over.")
    connection = raw_connection(owner_alias())
    row = connection.execute(
        "SELECT max(seq) FROM audit.link WHERE log_id = %s AND recorded_at >= %s AND recorded_at < %s",
        [log.log_id, first, until],
    ).fetchone()
    if row is None or row[0] is None:
        return None
    report = verify.verify_bundle(bundle, keys=keys)
    # The end of a log that was closed over a fork was never signed; what the export holds of it is all there will be.
    exported_to = report.last if log.closed else report.covered
    if report.exit not in (verify.OK, verify.INCOMPLETE) or report.origin != log.origin or exported_to < row[0]:
        raise Conflict(
            f"The export {bundle.name} does not keep {log.origin} up to {row[0]}: {report.conclusion} It covers {exported_to}."
        )
    tree = CompactRange()
    tree.extend(leaves(connection, log.log_id, upto=row[0]))
    # What was retired before is included, since its own entry goes one day, too.
    return write_statement(
        Event.RETIRED, [(log, [[1, row[0]]])], now=now, basis=basis, **people, month=f"{month:%Y-%m}", before=until,
        keep_days=keep_days, root=tree.root(), edge=tree.hashes,
        bundle_sha256=hashlib.sha256(bundle.read_bytes()).hexdigest(),
    )  # fmt: skip


def retire(authority: str, *, by: Actor, second: Actor, now: dt.datetime) -> Retirement:
    """Record a signed statement that entries up to a month's end may be dropped. Raises InvalidInput."""
    statement = open_statement(authority, Event.RETIRED)
    (part,) = statement["logs"]
    log = next(row for row in all_logs(raw_connection(owner_alias())) if str(row.log_id) == part["log"])
    ((first, last),) = part["ranges"]
    facts = {
        name: statement[name] for name in ("basis", "month", "before", "keep_days", "root", "edge", "bundle_sha256")
    }
    with transaction.atomic(using=owner_alias()):
        entry = record(
            Event.RETIRED,
            pharmacy=log.pharmacy,
            by=by,
            second_actor=second,
            now=now,
            subject=Subject("log", str(log.log_id)),
            body={
                **facts,
                "authority": authority,
                "first": first,
                "last": last,
                "log": str(log.log_id) if log.closed else None,  # a closed log takes no entry; its successor speaks
            },
            using=owner_alias(),
        )
    return Retirement(log, last, entry)


def drop_month(month: dt.date) -> int:
    """Drop a month's partitions once every log has retired it under a checkpoint.

    Return the number of entries.
    """
    connection = raw_connection(owner_alias())
    earlier = connection.execute(
        "SELECT min(relname) FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind = 'r' "
        "AND relname ~ '^entry_[0-9]{4}_[0-9]{2}$' AND relname < %s",
        [f"entry_{month:%Y_%m}"],
    ).fetchone()
    if earlier and earlier[0]:
        raise Conflict(
            f"The oldest month goes first: {earlier[0].removeprefix('entry_').replace('_', '-')} is still there."
        )
    try:
        with transaction.atomic(using=owner_alias()), connections[owner_alias()].cursor() as cursor:
            cursor.execute("SELECT audit.drop_month(%s)", [month])
            return int(cursor.fetchone()[0])
    except DatabaseError as error:
        raise _invalid_input(error, "month") from error


def _month_bounds(month: dt.date) -> tuple[dt.datetime, dt.datetime]:
    first = dt.datetime(month.year, month.month, 1, tzinfo=dt.UTC)
    return first, (first + dt.timedelta(days=32)).replace(day=1)


def _invalid_input(error: DatabaseError, field: str) -> InvalidInput:
    diagnosis = getattr(error.__cause__, "diag", None)
    message = getattr(diagnosis, "message_primary", None) or str(error).splitlines()[0]
    if not message.startswith("audit:"):
        raise error
    words = message.removeprefix("audit: ")
    return InvalidInput(
        words[:1].upper() + words[1:] + ".", Problem(field, words, "", getattr(diagnosis, "message_hint", None) or "")
    )
