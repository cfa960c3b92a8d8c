"""The proof of one entry: entry, covering checkpoint, hashes between them; and that one checkpoint continues another.

A file of a few kilobytes that `verify.py` checks without the rest of the log (format: FORMAT.md, 6).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from django.db import DEFAULT_DB_ALIAS, connections

from dispensary.audit.evidence import export
from dispensary.audit.log.canonical import canonical
from dispensary.audit.sealing import notes
from dispensary.audit.sealing.merkle import consistency_proof, inclusion_path, root
from dispensary.errors import Conflict, InvalidInput, NotFound, Problem
from dispensary.models.audit import AuditLog

FORMAT = "dispensary-audit-proof/1"
CONSISTENCY_FORMAT = "dispensary-audit-consistency/1"


def find_covering_size(log: AuditLog, seq: int, size: int | None = None, *, using: str = DEFAULT_DB_ALIAS) -> int:
    """Return `size`, or that of the smallest checkpoint that covers the entry.

    Raises Conflict when nothing signed covers the entry, NotFound when there is no checkpoint of the size asked for.
    """
    smallest = None
    with connections[using].cursor() as cursor:
        if seq:  # an entry whose transaction has not ended has no number yet
            cursor.execute(
                "SELECT min(size) FROM audit.checkpoint WHERE log_id = %s AND size >= %s AND (%s::bigint IS NULL OR size = %s)",
                [log.log_id, seq, size, size],
            )
            smallest = cursor.fetchone()[0]
    if smallest is not None:
        return int(smallest)
    if size is not None:
        problem = Problem("size", str(size), f"the size of a checkpoint that covers entry {seq}", "Leave it out.")
        raise NotFound("There is no such checkpoint.", problem)
    raise Conflict("Nothing that was signed covers this entry yet. The sealer signs every few seconds: ask again.")


def prove(log: AuditLog, seq: int, size: int, *, using: str = DEFAULT_DB_ALIAS) -> bytes:
    """Return the proof file of an entry against the checkpoint of that size.

    Reads `size` leaves, keeps few.
    """
    with export.snapshot(log, using=using):
        # Closed here: a cursor left to the garbage collector may be closed within another statement, which then waits for itself.
        with closing(export.lines(log, seq, seq, using=using)) as entries:
            entry = next(entries)
        with closing(_read_leaves(log, size, using)) as leaves:
            path = inclusion_path(leaves, seq - 1, size)
        document = {
            "checkpoint": _read_note(log, size, using),
            "entry": entry.as_json(),
            "format": FORMAT,
            "log": str(log.log_id),
            "origin": log.origin,
            "path": [sibling.hex() for sibling in path],
        }
    return canonical(document).encode() + b"\n"


def prove_consistency(old: str, new: str, *, using: str = DEFAULT_DB_ALIAS) -> bytes:
    """Return the proof file that the checkpoint `new` continues the checkpoint `old`, both notes that somebody kept.

    Raises InvalidInput for notes that are not two checkpoints of one log here, Conflict when the log as it is now gives another
    root at one of them.
    """
    try:
        first, second = sorted(
            (notes.Checkpoint.parse(notes.split(note)[0]) for note in (old, new)),
            key=lambda checkpoint: checkpoint.size,
        )
    except notes.BadNote as error:
        raise InvalidInput(f"This is no checkpoint: {error}.") from error
    if first.origin != second.origin:
        raise InvalidInput(f"These are checkpoints of two logs: {first.origin} and {second.origin}.")
    log = export.find_log_by_name(first.origin, using=using)
    with export.snapshot(log, using=using), closing(_read_leaves(log, second.size, using)) as stream:
        leaves = list(stream)
    for checkpoint in (first, second):
        if len(leaves) < checkpoint.size or root(leaves[: checkpoint.size]) != checkpoint.root:
            raise Conflict(
                f"The log does not give the root that was signed for {checkpoint.size} entries: FORK or TRUNCATED."
            )
    document = {
        "format": CONSISTENCY_FORMAT,
        "new": new if notes.Checkpoint.parse(notes.split(new)[0]) == second else old,
        "old": old if notes.Checkpoint.parse(notes.split(old)[0]) == first else new,
        "origin": log.origin,
        "path": [sibling.hex() for sibling in consistency_proof(leaves, first.size)],
    }
    return canonical(document).encode() + b"\n"


def _read_leaves(log: AuditLog, size: int, using: str) -> Generator[bytes, None, None]:
    with connections[using].chunked_cursor() as cursor:
        cursor.execute("SELECT leaf FROM audit.link WHERE log_id = %s AND seq <= %s ORDER BY seq", [log.log_id, size])
        while rows := cursor.fetchmany(export.FETCH):
            yield from (bytes(leaf) for (leaf,) in rows)


def _read_note(log: AuditLog, size: int, using: str) -> str:
    with connections[using].cursor() as cursor:
        cursor.execute(
            """SELECT c.note || coalesce((SELECT string_agg(rtrim(s.line, E'\\n') || E'\\n', '' ORDER BY s.witness)
                   FROM audit.cosignature s WHERE s.log_id = c.log_id AND s.size = c.size), '')
               FROM audit.checkpoint c WHERE c.log_id = %s AND c.size = %s""",
            [log.log_id, size],
        )
        return str(cursor.fetchone()[0])
