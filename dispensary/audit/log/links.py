"""Linked entries in order, read without trusting the log's own SQL functions.

The owner could replace a function of the schema. So the header is spelled from the columns with PostgreSQL's own functions,
and a replaced `audit.header` cannot make a false entry verify.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.types.string import ByteaBinaryLoader

from dispensary.audit.log import canonical

_TIMES = {"occurred_at", "recorded_at"}
_BYTES = {"body_commit", "ruleset"}
_IDS = {"entry_id", "log_id"}
_NUMBERS = {"body_kind", "corrects_seq", "txid", "v"}
_OPTIONAL = {
    "corrects_seq", "drug_code", "engine", "patient_ref", "reason_code", "request_id", "rule_codes", "ruleset", "second_actor",
    "station",
}  # fmt: skip


def _value_sql(column: str) -> tuple[str, str]:
    """Return SQL for the canonical value of a column, and the quote around it.

    The twin of what `canonical.header` does with a value.
    """
    if column in _TIMES:
        return f"""pg_catalog.to_char(e.{column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""", '"'
    if column in _BYTES:
        return f"pg_catalog.encode(e.{column}, 'hex')", '"'
    if column in _IDS:
        return f"e.{column}", '"'
    return (f"e.{column}" if column in _NUMBERS else f"pg_catalog.to_json(e.{column})"), ""


def _header_sql(first: str, last: str) -> str:
    """SQL for the part of a header whose keys lie between these, in their order, commas before all but `action`.

    An optional column that is NULL is left out. The others are arguments of one `concat`, as `||` costs more.
    """
    parts = {"seq": """',"seq":', l.seq"""}
    for column, key in canonical.HEADER_KEYS.items():
        value, quote = _value_sql(column)
        comma = "" if key == "action" else ","
        if column in _OPTIONAL:
            parts[key] = f"""'{comma}"{key}":{quote}' || {value}::text || '{quote}'"""
        else:
            parts[key] = f"""'{comma}"{key}":{quote}', {value}, '{quote}'"""
    return "pg_catalog.concat(" + ", ".join(parts[key] for key in sorted(parts) if first < key < last) + ")"


# In a header `prev` lies between these two; the reader puts it there, as it knows what stood before.
_PAGE = f"""
    SELECT l.seq, l.leaf, e.log_id = l.log_id, {_header_sql("", "prev")}, {_header_sql("prev", "z")}, b.salt, b.body
    FROM (SELECT * FROM audit.link WHERE log_id = %(log)s AND seq > %(after)s ORDER BY seq LIMIT %(limit)s) l
    LEFT JOIN audit.entry e ON e.entry_id = l.entry_id AND e.recorded_at = l.recorded_at
    LEFT JOIN audit.body b ON b.entry_id = l.entry_id AND b.recorded_at = l.recorded_at
    ORDER BY l.seq"""  # noqa: S608  (names of our own columns, no input)
_BARE_PAGE = _PAGE.replace("b.salt, b.body", "NULL::bytea, NULL::text").replace(
    "    LEFT JOIN audit.body b ON b.entry_id = l.entry_id AND b.recorded_at = l.recorded_at\n", ""
)


# Link by link in order, each entry and body by its key: what other joins read would be sorted on disk.
_IN_ORDER = "SELECT pg_catalog.set_config(name, 'off', true) FROM pg_catalog.unnest('{enable_hashjoin,enable_mergejoin}'::text[]) AS name"
_TYPES = ("int8", "bytea", "bool", "text", "text", "bytea", "text")

PAGE = 500
"""Entries read by a prepared statement, which is planned once: most calls want no more."""
CHUNK = 10_000
"""Entries that COPY then brings at once, for half of what a row costs in a page. Planned anew each time."""


class LinkedEntry(NamedTuple):
    """One link with the entry and body that it points to; what is gone is None."""

    seq: int
    leaf: bytes
    is_in_log: bool | None
    """Whether the entry says that it is in this log; None when there is no entry."""
    before: bytes
    after: bytes
    """The header's text (UTF-8) around `prev`."""
    salt: bytes | None
    body: bytes | None

    def header(self, prev: bytes) -> bytes:
        """The header's text (UTF-8) recomputed from the columns.

        Raises NotCanonical without an entry, or when it is too long.
        """
        if self.is_in_log is None:
            raise canonical.NotCanonical("$", None, "an entry")
        header = b'{%b,"prev":"%b"%b}' % (self.before, prev.hex().encode(), self.after)
        if len(header) > canonical.MAX_HEADER_BYTES:
            raise canonical.NotCanonical("$", header[:80], f"a header of at most {canonical.MAX_HEADER_BYTES} bytes")
        return header


def linked_entries(
    connection: Connection[Any], log_id: UUID, *, after: int = 0, page: int = PAGE, bodies: bool = True
) -> Iterator[LinkedEntry]:
    """Yield the linked entries of a log with a number above `after`, in order. Nothing is left open between two of them."""
    question = _PAGE if bodies else _BARE_PAGE
    with Cursor(connection) as cursor:  # not Django's kind, which knows no binary results
        cursor.adapters.register_loader("text", ByteaBinaryLoader)  # what is hashed need not be decoded
        rows = cursor.execute(question, {"log": log_id, "after": after, "limit": page}, binary=True).fetchall()
        while rows:
            yield from map(LinkedEntry._make, rows)
            if len(rows) < page:
                return
            values, page = {"log": log_id, "after": rows[-1][0], "limit": CHUNK}, CHUNK
            with connection.transaction():
                cursor.execute(_IN_ORDER)
                with cursor.copy(f"COPY ({question}) TO STDOUT (FORMAT binary)", values) as copy:
                    copy.set_types(_TYPES)
                    rows = list(copy.rows())


def leaves(connection: Connection[Any], log_id: UUID, *, upto: int) -> Iterator[bytes]:
    """Yield the stored leaves 1 to `upto`, in order; fewer when they end sooner.

    Raises LookupError at a gap.
    """
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
