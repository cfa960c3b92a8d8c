"""Verification of a log in the database, with the engine of `verify.py`.

It recomputes every header from the columns. A run can be full, or go on from where the last one ended; what
it needs for that is kept outside the database, beside the sealer's state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection

from dispensary.audit.evidence import verify
from dispensary.audit.log.canonical import NotCanonical
from dispensary.audit.log.database import LogRow
from dispensary.audit.log.links import leaves, linked_entries
from dispensary.audit.sealing.merkle import CompactRange

GRACE = 60
"""Seconds that a new entry may wait for the sealer before it counts as unsealed."""


WINDOWS = 7
"""Days in which runs that go on from the last one verify all of the past again, a part each."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The last checkpoint that verified: size, last leaf, edge of the tree."""

    size: int = 0
    leaf: str = ""
    edge: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """The report of one log, its entries without a link, the start of the next run."""

    report: verify.Report
    unlinked: int
    verified: Verified

    @property
    def exit(self) -> int:
        """0 verified, 1 tampered, 2 unreadable, 3 incomplete."""
        return verify.TAMPERED if self.unlinked else self.report.exit


def check_log(
    connection: Connection[Any],
    log: LogRow,
    keys: Sequence[verify.Key],
    *,
    witnesses: Sequence[verify.Key] = (),
    need: int = 0,
    retention: Sequence[verify.Key] = (),
    stored: bool = True,
    held_checkpoints: Iterable[tuple[str, bytes]] = (),
    receipts: Iterable[tuple[int, str]] = (),
    start: Verified | None = None,
    upto: int | None = None,
    grace: float = GRACE,
    strict: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Verify one log, from its beginning or from `start`, to its end or to entry `upto`.

    `held_checkpoints` are checkpoints (name, note) that the caller kept; `stored` says whether those in the database count as evidence
    too. `progress` is called with (entries done, entries in all). Raises verify.Malformed on a held note that is not one.
    """
    start = start or Verified()
    check = verify.Check(
        origin=log.origin,
        log=str(log.log_id),
        keys=keys,
        witnesses=witnesses,
        need=need,
        retention=retention,
        predecessor=log.predecessor_note,
        first=start.size + 1,
        start_leaf=bytes.fromhex(start.leaf) if start.size else None,
        start_hashes=[bytes.fromhex(piece) for piece in start.edge],
        strict=strict,
        granted=grants_about(connection, log, retention) if log.closed or upto else (),
    )
    for name, note in held_checkpoints:
        check.add_checkpoint(note, name, is_held=True)
    if stored:
        _add_stored(connection, log, check, after=start.size, upto=upto)
    for seq, prefix in receipts:
        check.add_receipt(seq, prefix)
    end = upto or _last_covered(connection, log, grace)
    verified = _feed_entries(connection, log, check, start, end, progress=progress)
    report = check.finish()
    return Result(
        report, _count_unlinked(connection, log), verified if report.exit in (verify.OK, verify.INCOMPLETE) else start
    )


def _feed_entries(
    connection: Connection[Any],
    log: LogRow,
    check: verify.Check,
    start: Verified,
    end: int,
    *,
    progress: Callable[[int, int], None] | None,
) -> Verified:
    """Feed all entries up to `end`.

    Return the last good checkpoint, from which a later run may go on.
    """
    verified = start
    for row in linked_entries(connection, log.log_id, after=start.size):
        if row.seq > end:
            break
        header = None
        if row.is_in_log is not None:
            try:
                # After a gap the value of `prev` is unknown; any value leads to the one finding there.
                header = row.header(check.prev or bytes(32))
            except NotCanonical:
                header = b""  # columns that no header can hold: the hash will not fit, and that is the finding
        check.feed(row.seq, row.leaf, header, row.salt, row.body)
        if check.good and check.good[-1].size == row.seq and check.whole:
            verified = Verified(row.seq, row.leaf.hex(), tuple(piece.hex() for piece in check.edge.hashes))
        if progress and row.seq % 1000 == 0:
            progress(row.seq - start.size, end - start.size)
    return verified


def _add_stored(connection: Connection[Any], log: LogRow, check: verify.Check, *, after: int, upto: int | None) -> None:
    rows = connection.execute(
        """SELECT c.size, c.note, coalesce(string_agg(s.line, '' ORDER BY s.witness), '')
           FROM audit.checkpoint c LEFT JOIN audit.cosignature s USING (log_id, size)
           WHERE c.log_id = %s AND c.size >= %s AND (%s::bigint IS NULL OR c.size <= %s)
           GROUP BY c.size, c.note ORDER BY c.size""",
        [log.log_id, after, upto, upto],
    ).fetchall()
    for size, note, lines in rows:
        name = f"stored checkpoint {size:,}"
        try:
            check.add_checkpoint((note + lines).encode(), name)
        except verify.Malformed as error:
            check.findings.add("CKPT_BAD_SIG", size, detail=str(error))


def read_closing_size(connection: Connection[Any], log: LogRow) -> int | None:
    """Return the size of a closed log as recorded by its successor's first entry.

    None without a successor.
    """
    row = connection.execute(
        """SELECT b.body::json ->> 'found_size' FROM audit.entry e
           JOIN audit.log g ON g.log_id = e.log_id AND g.pharmacy = %s
           JOIN audit.body b ON b.entry_id = e.entry_id AND b.recorded_at = e.recorded_at
           WHERE e.action = 'audit.incarnation' AND b.body::json ->> 'predecessor' = %s""",
        [log.pharmacy, log.origin],
    ).fetchone()
    return int(row[0]) if row and row[0] else None


def grants_about(connection: Connection[Any], log: LogRow, retention: Sequence[verify.Key]) -> Iterator[verify.Grant]:
    """Yield the gaps of a log that intact entries of its own or of its successors authorise."""
    rows = connection.execute(
        """SELECT g.log_id, g.origin, g.genesis, l.seq FROM audit.entry e
           JOIN audit.link l ON l.entry_id = e.entry_id JOIN audit.log g ON g.log_id = e.log_id
           WHERE e.subject_id = %s AND g.pharmacy = %s AND e.action = ANY (%s)""",
        [str(log.log_id), log.pharmacy, [verify.ERASED, verify.RETIRED]],
    ).fetchall()
    for other, origin, genesis, seq in rows:
        check = verify.Check(
            origin=origin, log=str(other), keys=[], retention=retention, first=seq, start_hashes=_empty_edge(seq - 1)
        )
        before = next(linked_entries(connection, other, after=seq - 2, page=1, bodies=False)) if seq > 1 else None
        row = next(linked_entries(connection, other, after=seq - 1, page=1))
        prev = before.leaf if before else bytes(genesis)
        check.prev = prev
        check.feed(row.seq, row.leaf, row.header(prev), row.salt, row.body)
        if not check.findings:
            grants = check.granted if other == log.log_id else check.granted_to_others
            yield from (grant for grant in grants if grant.log == str(log.log_id))


def find_window(connection: Connection[Any], log: LogRow, size: int, day: int) -> tuple[Verified, int] | None:
    """Return where the part of the past begins and ends that is verified again on a day: in WINDOWS days all of it.

    `size` is how many entries were verified before. None where there are none in that part.
    """
    first, last = (size * (day % WINDOWS + step) // WINDOWS for step in (0, 1))
    if first >= last:
        return None
    row = connection.execute(
        "SELECT min(size) FROM audit.checkpoint WHERE log_id = %s AND size BETWEEN %s AND %s", [log.log_id, last, size]
    ).fetchone()
    if first == 0:
        return Verified(), row[0] if row and row[0] else last
    tree, leaf = CompactRange(), b""
    for leaf in leaves(connection, log.log_id, upto=first):
        tree.append(leaf)
    return Verified(first, leaf.hex(), tuple(piece.hex() for piece in tree.hashes)), row[0] if row and row[0] else last


def _empty_edge(size: int) -> list[bytes]:
    """Return an edge of the right shape for checking one entry without its root."""
    return [bytes(32)] * size.bit_count()


def _last_covered(connection: Connection[Any], log: LogRow, grace: float) -> int:
    """Return the number of the last entry that the sealer has had time to cover."""
    row = connection.execute(
        """SELECT greatest(
               coalesce((SELECT max(seq) FROM audit.link WHERE log_id = %(log)s
                         AND recorded_at < clock_timestamp() - make_interval(secs => %(grace)s)), 0),
               coalesce((SELECT least(max(c.size), (SELECT max(seq) FROM audit.link WHERE log_id = %(log)s))
                         FROM audit.checkpoint c WHERE c.log_id = %(log)s), 0))""",
        {"log": log.log_id, "grace": grace},
    ).fetchone()
    return row[0] if row else 0


def _count_unlinked(connection: Connection[Any], log: LogRow) -> int:
    """Count committed entries without a link (written with the link trigger off)."""
    row = connection.execute(
        "SELECT count(*) FROM audit.entry e WHERE e.log_id = %s "
        "AND NOT EXISTS (SELECT FROM audit.link l WHERE l.entry_id = e.entry_id)",
        [log.log_id],
    ).fetchone()
    return row[0] if row else 0


def load_verified(folder: Path, log: LogRow) -> Verified:
    """Return the place where the last run ended.

    The beginning when the file is missing or damaged.
    """
    try:
        document = json.loads((folder / f"{log.log_id}.verified.json").read_text(encoding="utf-8"))
        return Verified(int(document["size"]), str(document["leaf"]), tuple(document["edge"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Verified()


def save_verified(folder: Path, log: LogRow, verified: Verified) -> None:
    """Write the place where this run ended for the next one."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    document = {"size": verified.size, "leaf": verified.leaf, "edge": verified.edge}
    fresh = folder / f"{log.log_id}.verified.new"
    fresh.write_text(json.dumps(document), encoding="utf-8")
    fresh.replace(folder / f"{log.log_id}.verified.json")
