"""The worst day: somebody with every right on the database, who knows how the log is built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg

from dispensary.audit.links import leaves
from dispensary.audit.merkle import root
from dispensary.audit.note import Checkpoint, SignerKey, sign_checkpoint

_GUARDS = """
    SELECT c.oid::regclass::text, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'audit'::regnamespace AND t.tgname LIKE 'guard%' AND NOT t.tgisinternal"""


@contextmanager
def unguarded(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Switch all guards off, and on again as they were."""
    guards = connection.execute(_GUARDS).fetchall()
    for table, guard in guards:
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {guard}")
    try:
        yield
    finally:
        for table, guard in guards:
            connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}")


class Attack:
    """Ways to falsify one log, in the current transaction of a superuser's connection.

    Every method leaves the database as this attacker would: as consistent as the knowledge at hand allows.
    """

    def __init__(self, connection: psycopg.Connection[Any], log_id: UUID) -> None:
        self.connection, self.log_id = connection, log_id

    def run(self, statement: str, **values: Any) -> None:
        self.connection.execute(statement, {"log": self.log_id, **values})

    def set_entry(self, seq: int, assignment: str, **values: Any) -> None:
        """Change a column of the entry with this number."""
        self.run(
            f"UPDATE audit.entry e SET {assignment} FROM audit.link l "
            "WHERE l.log_id = %(log)s AND l.seq = %(seq)s AND e.entry_id = l.entry_id",
            seq=seq,
            **values,
        )

    def delete(self, table: str, first: int, last: int = 2**62) -> None:
        """Delete entries or bodies by the number of their link, or links and checkpoints by their own."""
        if table in ("link", "checkpoint"):
            column = "seq" if table == "link" else "size"
            self.run(
                f"DELETE FROM audit.{table} WHERE log_id = %(log)s AND {column} BETWEEN %(first)s AND %(last)s",
                first=first,
                last=last,
            )
        else:
            self.run(
                f"DELETE FROM audit.{table} t USING audit.link l WHERE l.log_id = %(log)s "
                "AND l.seq BETWEEN %(first)s AND %(last)s AND t.entry_id = l.entry_id",
                first=first,
                last=last,
            )

    def cut(self, first: int, last: int = 2**62) -> None:
        """Remove everything about these entries."""
        self.delete("body", first, last)
        self.delete("entry", first, last)
        self.delete("link", first, last)

    def relink(self, first: int) -> None:
        """Recompute the chain from here with the log's own functions, as somebody who read the code would."""
        self.run(
            """
            CREATE OR REPLACE FUNCTION pg_temp.relink(log uuid, start bigint) RETURNS void LANGUAGE plpgsql AS $$
            DECLARE l audit.link; e audit.entry; before bytea;
            BEGIN
                SELECT leaf INTO before FROM audit.link WHERE log_id = log AND seq = start - 1;
                FOR l IN SELECT * FROM audit.link WHERE log_id = log AND seq >= start ORDER BY seq LOOP
                    SELECT * INTO e FROM audit.entry WHERE entry_id = l.entry_id;
                    before := audit.leaf(audit.header(e, l.seq, before));
                    UPDATE audit.link SET leaf = before WHERE log_id = log AND seq = l.seq;
                END LOOP;
            END $$"""
        )
        self.run("SELECT pg_temp.relink(%(log)s, %(first)s)", first=first)

    def sign(self, key: SignerKey, origin: str, *sizes: int) -> None:
        """Replace the stored checkpoints of these sizes by ones that fit what is in the table now."""
        for size in sizes:
            checkpoint = Checkpoint(origin, size, root(leaves(self.connection, self.log_id, upto=size)))
            self.delete("checkpoint", size, size)
            self.run(
                "INSERT INTO audit.checkpoint (log_id, size, root, note) VALUES (%(log)s, %(size)s, %(root)s, %(note)s)",
                size=size,
                root=checkpoint.root,
                note=sign_checkpoint(checkpoint, key),
            )

    def append(self, pharmacy: UUID, count: int) -> None:
        """Let normal business go on: entries through the front door, linked at once."""
        for number in range(count):
            self.run(
                "SELECT audit.append(%(pharmacy)s, 'o', 'dispense.completed', 'success', 'user:9', 'pharmacist', now(), "
                "'dispense', %(id)s, '{}')",
                pharmacy=pharmacy,
                id=f"later-{number}",
            )
        self.run("SET CONSTRAINTS audit.link_entry IMMEDIATE")
        self.run("SET CONSTRAINTS audit.link_entry DEFERRED")
