"""Entries in the order of their log, read from the tables as they are, for whoever recomputes them.

Nothing here trusts a function of the database: the header is built in Python from the columns, so that a replaced
`audit.header` cannot make a lie verify.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import dict_row

from dispensary.audit import canonical

COLUMNS = tuple(canonical.HEADER_KEYS)
_COLUMN_LIST = ", ".join(f"e.{name}" for name in COLUMNS)
_PAGE = f"""
    SELECT l.seq AS _seq, l.leaf AS _leaf, l.entry_id AS _linked_id, {_COLUMN_LIST}, b.salt AS _salt, b.body AS _body
    FROM (SELECT * FROM audit.link WHERE log_id = %(log)s AND seq > %(after)s ORDER BY seq LIMIT %(limit)s) l
    LEFT JOIN audit.entry e ON e.entry_id = l.entry_id AND e.recorded_at = l.recorded_at
    LEFT JOIN audit.body b ON b.entry_id = l.entry_id AND b.recorded_at = l.recorded_at
    ORDER BY l.seq"""  # noqa: S608  (names of our own columns, no input)
_BARE_PAGE = _PAGE.replace("b.salt AS _salt, b.body AS _body", "NULL AS _salt, NULL AS _body").replace(
    "    LEFT JOIN audit.body b ON b.entry_id = l.entry_id AND b.recorded_at = l.recorded_at\n", ""
)


@dataclass(frozen=True, slots=True)
class LinkedEntry:
    """One link with the entry and body that it points to; either is None when it is gone."""

    seq: int
    leaf: bytes
    entry: dict[str, Any] | None
    salt: bytes | None
    body: str | None

    def header(self, prev: bytes) -> str:
        """The header text recomputed from the columns. Raises NotCanonical when they hold what a header cannot."""
        if self.entry is None:
            raise canonical.NotCanonical("$", None, "an entry")
        return canonical.header(self.entry, seq=self.seq, prev=prev)


def linked_entries(
    connection: Connection[Any], log_id: UUID, *, after: int = 0, page: int = 2000, bodies: bool = True
) -> Iterator[LinkedEntry]:
    """All linked entries of a log with a number above `after`, in order, a page at a time."""
    with Cursor(connection, row_factory=dict_row) as cursor:  # not Django's kind, which knows no binary results
        while True:
            rows = cursor.execute(
                _PAGE if bodies else _BARE_PAGE, {"log": log_id, "after": after, "limit": page}, binary=True
            ).fetchall()
            yield from map(_linked, rows)
            if len(rows) < page:
                return
            after = rows[-1]["_seq"]


def _linked(row: dict[str, Any]) -> LinkedEntry:
    entry = None if row["entry_id"] is None else {name: row[name] for name in COLUMNS}
    return LinkedEntry(row["_seq"], bytes(row["_leaf"]), entry, row["_salt"], row["_body"])


def leaves(connection: Connection[Any], log_id: UUID, *, upto: int) -> Iterator[bytes]:
    """The stored leaves 1 to `upto`, in order; fewer when they end sooner. Raises LookupError at a gap."""
    after = 0
    while after < upto:
        rows = connection.execute(
            "SELECT seq, leaf FROM audit.link WHERE log_id = %s AND seq > %s AND seq <= %s ORDER BY seq LIMIT 10000",
            [log_id, after, upto],
        ).fetchall()
        if not rows:
            return
        for seq, leaf in rows:
            after += 1
            if seq != after:
                raise LookupError(f"number {after} is missing")
            yield bytes(leaf)
