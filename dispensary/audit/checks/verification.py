"""Verification of every log of this site, recorded in the logs themselves."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from psycopg import Connection

from dispensary.actors import Actor
from dispensary.audit.checks.addresses import compare_addresses
from dispensary.audit.checks.catalogue import compare_catalogue, find_unreleased
from dispensary.audit.checks.counts import compare_counts
from dispensary.audit.checks.live import (
    Result,
    Verified,
    check_log,
    find_window,
    load_verified,
    read_closing_size,
    save_verified,
)
from dispensary.audit.checks.reconcile import Kind, Orphan, reconcile
from dispensary.audit.checks.retired import read_retired
from dispensary.audit.evidence import verify
from dispensary.audit.evidence.authority import retention_keys
from dispensary.audit.log.database import LogRow, all_logs, raw_connection, sealer_alias
from dispensary.audit.log.events import Event, Outcome
from dispensary.audit.log.reader import COMPARED, NOT_MEASURED
from dispensary.audit.log.writer import REGISTER, SITE, Subject, record
from dispensary.audit.sealing.keys import key_file, public_keys
from dispensary.audit.sealing.service import lost_states, state_folder
from dispensary.audit.sealing.state import StateFolder

_REGISTERED_AND_GONE = """
    SELECT b.body::json ->> 'log', b.body::json ->> 'origin' FROM audit.entry e
    JOIN audit.log g ON g.log_id = e.log_id AND g.pharmacy = %s
    JOIN audit.body b ON b.entry_id = e.entry_id AND b.recorded_at = e.recorded_at
    WHERE e.action = 'audit.registered' AND NOT EXISTS (
        SELECT FROM audit.log WHERE log_id::text = b.body::json ->> 'log') ORDER BY 2"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence of an auditor, trusted more than the database's own."""

    vkeys: Path | None = None
    """File with the logs' public keys; without one, this machine's own key is believed."""
    checkpoints: Sequence[tuple[str, bytes]] = ()
    """Name and note of each checkpoint that was kept elsewhere."""
    witnesses: Sequence[verify.Key] = ()
    need: int = 0
    """Cosignatures that a checkpoint needs to count."""
    retention: Sequence[verify.Key] = ()
    """Keys of the people who may authorise erasure; without any those of this site's settings count."""
    receipts: Sequence[tuple[int, str]] = ()
    """Number and beginning of the leaf (hexadecimal) of printed receipts."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The result for one log; `closing` is a sentence about a closed log's end, or ""."""

    log: LogRow
    result: Result
    status: int
    closing: str


def verify_logs(
    evidence: Evidence,
    *,
    pharmacy: UUID | None,
    full: bool,
    grace: float,
    keep_record: bool,
    now: dt.datetime,
    progress: Callable[[str], Callable[[int, int], None] | None] | None = None,
) -> Iterator[Checked]:
    """Verify all logs, or those of one pharmacy.

    Remember how far, and record the result where `keep_record` says so.
    `progress` makes, from a log's origin, the function that is called with (entries done, entries in all). Raises
    verify.Malformed on evidence that cannot be read, or that may belong to several logs; KeyTrouble without a key.
    """
    connection = raw_connection(sealer_alias())
    logs = all_logs(connection, pharmacy)
    if (evidence.checkpoints or evidence.receipts) and not pharmacy and sum(not log.closed for log in logs) > 1:
        raise verify.Malformed("Checkpoints and receipts belong to one log: say which with --pharmacy.")
    notes = [(name, verify.normalise_note(note)) for name, note in evidence.checkpoints]
    for name, note in notes:
        if not any(note.startswith(f"{log.origin}\n".encode()) for log in logs):
            raise verify.Malformed(f"{name} is a checkpoint of no log that is checked here; it was not used.")
    gone = list(_missing_logs(connection, pharmacy))
    if not logs and not gone:
        raise verify.Malformed("There is no log to verify.")
    for checked in gone:
        yield checked
        if keep_record:
            record_verification(
                replace(checked.log, pharmacy=SITE), checked.result, Actor.system("verifier", SITE), now
            )
    for log in logs:
        held_checkpoints = [(name, note) for name, note in notes if note.startswith(f"{log.origin}\n".encode())]
        keys = (
            verify.read_keys(evidence.vkeys, 1)
            if evidence.vkeys
            else [verify.Key.parse(str(key)) for key in public_keys(key_file(), log.origin)]
        )
        from_start = full or held_checkpoints or evidence.receipts
        start = Verified() if from_start else load_verified(state_folder(), log)
        retention = evidence.retention or retention_keys()
        result = check_log(
            connection,
            log,
            keys,
            witnesses=evidence.witnesses,
            need=evidence.need,
            retention=retention,
            held_checkpoints=held_checkpoints,
            receipts=[] if log.closed else evidence.receipts,
            start=start,
            grace=0 if log.closed else grace,
            progress=progress(log.origin) if progress else None,
        )
        yield Checked(log, result, *_status_at_closing(connection, log, result))
        if start.size and not log.closed:
            yield from _check_window(connection, log, start.size, keys, retention, keep_record=keep_record, now=now)
        if result.exit in (verify.OK, verify.INCOMPLETE) and not evidence.vkeys:
            save_verified(state_folder(), log, result.verified)
        if keep_record:
            record_verification(log, result, Actor.system("verifier", log.pharmacy), now)


def _check_window(
    connection: Connection[Any], log: LogRow, size: int, keys: Sequence[verify.Key], retention: Sequence[verify.Key],
    *, keep_record: bool, now: dt.datetime,
) -> Iterator[Checked]:  # fmt: skip
    """Verify a part of the past again, another each day; record what was tampered with."""
    window = find_window(connection, log, size, now.toordinal())
    if window is None:
        return
    begin, end = window
    result = check_log(connection, log, keys, retention=retention, start=begin, upto=end)
    yield Checked(
        log, result, result.exit, f"{log.origin}: entries {begin.size + 1:,} to {end:,} of the past verified again."
    )
    if keep_record and result.exit == verify.TAMPERED:
        record_verification(log, result, Actor.system("verifier", log.pharmacy), now)


def _missing_logs(connection: Connection[Any], pharmacy: UUID | None) -> Iterator[Checked]:
    """Yield a result for each log that the sealer's state or the register names, and that the database no longer has."""
    names = {
        UUID(state.log_id): (state.origin, state.size, "the sealer signed it")
        for state in lost_states(connection, StateFolder(state_folder()))
    }
    for log_id, origin in connection.execute(_REGISTERED_AND_GONE, [REGISTER]).fetchall():
        names.setdefault(UUID(log_id), (origin, 1, "the register names it"))
    for log_id, (origin, size, why) in names.items():
        if pharmacy is None or f"/{pharmacy}" in origin:
            check = verify.Check(origin=origin, log=str(log_id), keys=[])
            check.findings.add("TRUNCATED", 1, size, detail=f"{why}, and the database has no such log")
            result = Result(check.finish(), 0, Verified())
            yield Checked(LogRow(log_id, origin, SITE, b"", closed=True), result, result.exit, "")


def read_receipts(path: Path) -> list[tuple[int, str]]:
    """Return number and leaf of each receipt in a CSV file. Raises verify.Malformed."""
    with path.open(newline="", encoding="utf-8") as stream:
        try:
            return [(int(row["seq"]), row["leaf"].strip().lower()) for row in csv.DictReader(stream)]
        except (KeyError, ValueError, AttributeError) as error:
            raise verify.Malformed(
                f"{path} is no list of receipts: a header line seq,leaf and one line each"
            ) from error


def record_verification(log_row: LogRow, result: Result, by: Actor, now: dt.datetime) -> None:
    """Record a result in the pharmacy's log: a verification or an interference."""
    alias = sealer_alias()
    is_tampered = result.exit == verify.TAMPERED
    with transaction.atomic(using=alias):
        record(
            Event.INTERFERENCE if is_tampered else Event.LOG_VERIFIED,
            pharmacy=log_row.pharmacy,
            by=by,
            now=now,
            subject=Subject("log", str(log_row.log_id)),
            outcome=Outcome.FAILURE if is_tampered else Outcome.SUCCESS,
            body={
                "first": result.report.first,
                "last": result.report.last,
                "covered": result.report.covered,
                "unlinked": result.unlinked,
                "findings": [
                    {"class": finding.kind, "position": finding.position, "count": finding.count}
                    for finding in result.report.findings
                ],
            },
            using=alias,
        )


MOST_NAMED = 100
"""Differences that the entry about a comparison names; all of them are counted."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences between the tables and the log, and between the log's objects and those of the release."""

    orphans: tuple[Orphan, ...]
    objects: tuple[str, ...]
    unreleased: str
    """In words that the objects were compared with nothing; "" where they were."""
    retired: int = 0
    """Rows whose entries left the log by a retirement that two people signed: compared with nothing, and no difference."""

    @property
    def status(self) -> int:
        """0 no difference, 1 tampered, 3 the objects were compared with nothing."""
        if self.orphans or self.objects:
            return verify.TAMPERED
        return verify.INCOMPLETE if self.unreleased else verify.OK


def compare_site(*, retention: Sequence[verify.Key] = (), keep_record: bool, now: dt.datetime) -> Comparison:
    """Compare rows with entries and the log's objects with the release; record the result in the log of the site.

    `retention`: keys of the people who may retire entries; without any those of this site's settings count.
    """
    connection = raw_connection(sealer_alias())
    ranges = list(read_retired(connection, all_logs(connection), retention or retention_keys()))
    orphans = [*reconcile(retired=ranges), *compare_addresses(), *compare_counts(now.date())]
    comparison = Comparison(
        tuple(orphan for orphan in orphans if orphan.kind is not Kind.RETIRED),
        tuple(compare_catalogue(connection)),
        find_unreleased(connection),
        len({(orphan.table, orphan.id) for orphan in orphans if orphan.kind is Kind.RETIRED}),
    )
    if keep_record:
        _record_comparison(comparison, now)
    return comparison


def _record_comparison(comparison: Comparison, now: dt.datetime) -> None:
    """Record a comparison. Rows are named by table and key alone: their values belong into no other pharmacy's log."""
    alias = sealer_alias()
    is_tampered = comparison.status == verify.TAMPERED
    rows = [f"{orphan.kind.value}: {orphan.table} {orphan.id}" for orphan in comparison.orphans]
    with transaction.atomic(using=alias):
        record(
            Event.INTERFERENCE if is_tampered else Event.LOG_VERIFIED,
            pharmacy=SITE,
            by=Actor.system("verifier", SITE),
            now=now,
            subject=COMPARED,
            outcome=Outcome.FAILURE if is_tampered else Outcome.SUCCESS,
            reason_code=NOT_MEASURED if comparison.unreleased else None,
            body={
                "differing_rows": len(rows), "rows": rows[:MOST_NAMED], "objects": comparison.objects[:MOST_NAMED],
                "retired_rows": comparison.retired or None, "unreleased": comparison.unreleased or None,
            },
            using=alias,
        )  # fmt: skip


def _status_at_closing(connection: Connection[Any], log: LogRow, result: Result) -> tuple[int, str]:
    """Return status and sentence; a closed log is good whose end was never signed."""
    size = read_closing_size(connection, log) if log.closed else None
    if size is None or result.exit not in (verify.OK, verify.INCOMPLETE):
        return result.exit, ""
    if result.report.last != size:
        return verify.TAMPERED, f"{log.origin} was closed with {size} entries and has {result.report.last} now."
    if {finding.kind for finding in result.report.findings} <= {"UNSEALED"}:
        sentence = f"{log.origin} was closed with these {size} entries, says the log that continues it; nothing is outstanding."
        return verify.OK, sentence
    return result.exit, ""
