"""Attacks on the audit log, for the demo and the tests; each is rolled back.

The attacker has the owner's rights on the database, drops the guards, knows the format, and in some attacks holds the
stolen key as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from dispensary.audit.checks import live
from dispensary.audit.evidence import verify
from dispensary.audit.log.database import LogRow
from dispensary.audit.log.links import leaves
from dispensary.audit.sealing.merkle import root
from dispensary.audit.sealing.notes import Checkpoint, SignerKey, sign_checkpoint

_GUARDS = """
    SELECT c.oid::regclass::text, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'audit'::regnamespace AND t.tgname LIKE 'guard%' AND NOT t.tgisinternal"""


class NothingToAttack(LookupError):
    """The log is too short, or has no signed entry yet, for the attacks to show anything."""


@contextmanager
def unguarded(connection: Connection[Any]) -> Iterator[None]:
    """Switch all guards off, and on again as they were."""
    guards = connection.execute(_GUARDS).fetchall()
    for table, guard in guards:
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {guard}")
    try:
        yield
    finally:
        if not connection.broken and connection.info.transaction_status.name != "INERROR":
            for table, guard in guards:
                connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}")


class Attack:
    """Ways to falsify one log, in the current transaction of a superuser's connection.

    Every method leaves the database as this attacker would: as consistent as the knowledge at hand allows.
    """

    def __init__(self, connection: Connection[Any], log_id: UUID) -> None:
        self.connection, self.log_id = connection, log_id

    def run(self, statement: str, **values: Any) -> None:
        self.connection.execute(statement, {"log": self.log_id, **values})

    def set_entry(self, seq: int, assignment: str, **values: Any) -> None:
        """Change a column of the entry with this number."""
        self.run(
            f"UPDATE audit.entry e SET {assignment} FROM audit.link l "  # noqa: S608  (an attack, its text is ours)
            "WHERE l.log_id = %(log)s AND l.seq = %(seq)s AND e.entry_id = l.entry_id",
            seq=seq,
            **values,
        )

    def delete(self, table: str, first: int, last: int = 2**62) -> None:
        """Delete entries or bodies by the number of their link, or links and checkpoints by their own."""
        if table in ("link", "checkpoint"):
            column = "seq" if table == "link" else "size"
            for name in (table,) if table == "link" else ("delivery", "cosignature", table):
                self.run(
                    f"DELETE FROM audit.{name} WHERE log_id = %(log)s AND {column} BETWEEN %(first)s AND %(last)s",  # noqa: S608  (names of ours)
                    first=first,
                    last=last,
                )
        else:
            self.run(
                f"DELETE FROM audit.{table} t USING audit.link l WHERE l.log_id = %(log)s "  # noqa: S608  (names of ours)
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
                SELECT coalesce((SELECT leaf FROM audit.link WHERE log_id = log AND seq = start - 1), g.genesis)
                    INTO before FROM audit.log g WHERE g.log_id = log;
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
        """Append entries as the application does, and link them at once."""
        for number in range(count):
            self.run(
                "SELECT audit.append(%(pharmacy)s, 'o', 'dispense.completed', 'success', 'user:9', 'pharmacist', now(), "
                "'dispense', %(id)s, '{}')",
                pharmacy=pharmacy,
                id=f"later-{number}",
            )
        self.run("SET CONSTRAINTS audit.link_entry IMMEDIATE")
        self.run("SET CONSTRAINTS audit.link_entry DEFERRED")

    def forge_after(self, seq: int) -> None:
        """Put a copy of an entry, with another actor, behind it, and move all later ones up by one."""
        self.run(
            "CREATE TEMP TABLE forged ON COMMIT DROP AS SELECT e.* FROM audit.entry e JOIN audit.link l USING (entry_id) "
            "WHERE l.log_id = %(log)s AND l.seq = %(seq)s",
            seq=seq,
        )
        self.run("UPDATE forged SET entry_id = gen_random_uuid(), actor = 'user:66'")
        self.run("ALTER TABLE audit.entry DISABLE TRIGGER link_entry")
        self.run("INSERT INTO audit.entry SELECT * FROM forged")
        self.run(
            "INSERT INTO audit.body SELECT f.entry_id, b.recorded_at, b.salt, b.body FROM audit.body b "
            "JOIN audit.link l USING (entry_id), forged f WHERE l.log_id = %(log)s AND l.seq = %(seq)s",
            seq=seq,
        )
        self.run("UPDATE audit.link SET seq = seq + 1000000 WHERE log_id = %(log)s AND seq > %(seq)s", seq=seq)
        self.run("UPDATE audit.link SET seq = seq - 999999 WHERE log_id = %(log)s AND seq > 1000000")
        self.run(
            "INSERT INTO audit.link SELECT f.log_id, %(seq)s + 1, f.entry_id, f.recorded_at, audit.leaf(audit.header("
            "(SELECT e FROM audit.entry e WHERE e.entry_id = f.entry_id), %(seq)s + 1, l.leaf)) "
            "FROM forged f, audit.link l WHERE l.log_id = %(log)s AND l.seq = %(seq)s",
            seq=seq,
        )
        self.run("DROP TABLE forged")
        self.run("ALTER TABLE audit.entry ENABLE TRIGGER link_entry")

    def set_body(self, seq: int, body: str) -> None:
        """Replace a body's text."""
        self.run(
            "UPDATE audit.body b SET body = %(body)s FROM audit.link l "
            "WHERE l.log_id = %(log)s AND l.seq = %(seq)s AND b.entry_id = l.entry_id",
            seq=seq,
            body=body,
        )

    def swap_with_next(self, seq: int) -> None:
        """Exchange what two neighbouring numbers point to."""
        self.run(
            "CREATE TEMP TABLE pair ON COMMIT DROP AS SELECT seq, entry_id, recorded_at FROM audit.link "
            "WHERE log_id = %(log)s AND seq IN (%(seq)s, %(seq)s + 1)",
            seq=seq,
        )
        self.run(
            "UPDATE audit.link SET entry_id = gen_random_uuid() WHERE log_id = %(log)s AND seq IN (%(seq)s, %(seq)s + 1)",
            seq=seq,
        )
        self.run(
            "UPDATE audit.link l SET entry_id = p.entry_id, recorded_at = p.recorded_at FROM pair p "
            "WHERE l.log_id = %(log)s AND l.seq = 2 * %(seq)s + 1 - p.seq",
            seq=seq,
        )
        self.run("DROP TABLE pair")

    def edit_checkpoint(self, size: int) -> None:
        """Change the first letter of the root that a stored checkpoint states."""
        self.run(
            "UPDATE audit.checkpoint SET note = overlay("
            "note placing CASE substr(note, root.at, 1) WHEN 'A' THEN 'B' ELSE 'A' END from root.at) "
            "FROM (SELECT length(size::text) + 3 + position(E'\\n' || size || E'\\n' in note) AS at, log_id, size "
            "FROM audit.checkpoint) root "
            "WHERE checkpoint.log_id = %(log)s AND checkpoint.size = %(size)s "
            "AND root.log_id = checkpoint.log_id AND root.size = checkpoint.size",
            size=size,
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """A log as it stands before an attack, and what an honest auditor holds of it."""

    log: LogRow
    key: SignerKey
    target: int
    """The entry that the attacker cares about: the newest signed dispense, or one in the middle."""
    last: int
    checkpoint: tuple[int, str]
    """Size and note of the newest checkpoint, kept outside."""
    sizes: tuple[int, ...]
    receipts: tuple[tuple[int, str], ...]
    """Printed receipts, one of them of the last entry, which no checkpoint covers yet."""

    def later(self, than: int) -> tuple[int, ...]:
        """Sizes of the stored checkpoints that cover an entry."""
        return tuple(size for size in self.sizes if size >= than)


@dataclass(frozen=True, slots=True)
class Played:
    """One attack and its verdicts: evidence in hand -> what was found ("-": nothing), and the verifier's own words."""

    name: str
    verdicts: dict[str, str]
    words: str


EVIDENCE = ("the chain alone", "+ checkpoints in the database", "+ the checkpoint you hold", "+ printed receipts")


def read_scene(connection: Connection[Any], log: LogRow, key: SignerKey) -> Scene:
    """Describe a log and append two entries that are not signed yet; the caller rolls its transaction back."""
    notes = connection.execute(
        "SELECT size, note FROM audit.checkpoint WHERE log_id = %s ORDER BY size", [log.log_id]
    ).fetchall()
    if not notes or notes[-1][0] < 4:
        raise NothingToAttack(
            f"{log.origin} has no four signed entries yet; dispense something and let the sealer sign."
        )
    attack = Attack(connection, log.log_id)
    size = notes[-1][0]
    row = connection.execute(
        "SELECT max(seq) FROM audit.line WHERE log_id = %s AND action = 'dispense.completed' AND seq < %s",
        [log.log_id, size],
    ).fetchone()
    target = row[0] if row and row[0] and row[0] > 1 else size // 2
    attack.append(log.pharmacy, 2)
    receipts = connection.execute(
        "SELECT seq, encode(leaf, 'hex') FROM audit.link WHERE log_id = %s AND seq >= %s ORDER BY seq",
        [log.log_id, target],
    ).fetchall()
    printed = (receipts[0], receipts[-1])
    return Scene(
        log, key.named(log.origin), target, receipts[-1][0], notes[-1], tuple(size for size, _ in notes),
        tuple((seq, leaf[:16]) for seq, leaf in printed),
    )  # fmt: skip


def _rewrite(attack: Attack, scene: Scene) -> None:
    attack.set_entry(scene.target, "actor = 'user:66'")
    attack.relink(scene.target)


def _rewrite_and_hide(attack: Attack, scene: Scene) -> None:
    _rewrite(attack, scene)
    attack.delete("checkpoint", scene.target)


def _rewrite_and_sign(attack: Attack, scene: Scene) -> None:
    _rewrite(attack, scene)
    attack.sign(scene.key, scene.log.origin, *scene.later(scene.target))


def _truncate_and_hide(attack: Attack, scene: Scene) -> None:
    attack.cut(scene.target)
    attack.delete("checkpoint", scene.target)


def _restore(attack: Attack, scene: Scene) -> None:
    _truncate_and_hide(attack, scene)
    attack.append(scene.log.pharmacy, scene.last - scene.target + 1)
    attack.sign(scene.key, scene.log.origin, scene.checkpoint[0])


ATTACKS: dict[str, Callable[[Attack, Scene], None]] = {
    "change a column of one entry": lambda attack, scene: attack.set_entry(scene.target, "actor = 'user:66'"),
    "change the details of one entry": lambda attack, scene: attack.set_body(scene.target, '{"quantity":"1"}'),
    "date one entry back": lambda attack, scene: attack.set_entry(
        scene.target, "occurred_at = occurred_at - interval '1 day'"
    ),
    "delete one entry": lambda attack, scene: attack.cut(scene.target, scene.target),
    "delete one entry, keep its number": lambda attack, scene: attack.delete("entry", scene.target, scene.target),
    "delete the details of one entry": lambda attack, scene: attack.delete("body", scene.target, scene.target),
    "forge an entry and renumber the rest": lambda attack, scene: attack.forge_after(scene.target),
    "exchange two entries": lambda attack, scene: attack.swap_with_next(scene.target),
    "edit a stored checkpoint": lambda attack, scene: attack.edit_checkpoint(scene.checkpoint[0]),
    "cut the tail off": lambda attack, scene: attack.cut(scene.target),
    "cut the tail off, with its checkpoints": _truncate_and_hide,
    "rewrite history from one entry on": _rewrite,
    "rewrite history, delete the checkpoints": _rewrite_and_hide,
    "rewrite history, sign it with the stolen key": _rewrite_and_sign,
    "restore a backup and go on, with the real key": _restore,
    "remove what is not signed yet": lambda attack, scene: attack.cut(scene.last),
}


def play(connection: Connection[Any], log: LogRow, key: SignerKey, name: str) -> Played:
    """Play one attack, verify with each kind of evidence, and roll everything back."""
    with connection.transaction(force_rollback=True):
        scene = read_scene(connection, log, key)
        with unguarded(connection):
            ATTACKS[name](Attack(connection, log.log_id), scene)
            reports = [
                live.check_log(connection, log, [verify.Key.parse(str(scene.key.verifier))], grace=0, **evidence).report
                for evidence in _evidence(scene)
            ]
    findings = [finding for report in reports for finding in report.findings if finding.status == verify.TAMPERED]
    verdicts = dict(zip(EVIDENCE, map(tampering_in, reports), strict=True))
    return Played(name, verdicts, findings[0].sentence() if findings else "")


def tampering_in(report: verify.Report) -> str:
    """The evidence of tampering in a report, in the order of the log; a dash for none."""
    return (
        ", ".join(
            f"{finding.kind}@{finding.position}" for finding in report.findings if finding.status == verify.TAMPERED
        )
        or "-"
    )


def _evidence(scene: Scene) -> list[dict[str, Any]]:
    held_checkpoints = ((f"the checkpoint of {scene.checkpoint[0]}", scene.checkpoint[1].encode()),)
    return [
        {"stored": False},
        {},
        {"held_checkpoints": held_checkpoints},
        {"held_checkpoints": held_checkpoints, "receipts": scene.receipts},
    ]
