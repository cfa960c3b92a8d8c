"""A log made in memory by the writer's arithmetic, to be exported, broken and checked."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dispensary.audit.evidence import bundle
from dispensary.audit.log import canonical
from dispensary.audit.sealing import merkle, notes

LOG_ID = uuid.UUID("0190f5f6-0000-7000-8000-000000000001")
ORIGIN = "pharmacy.example/one"
SIGNER = notes.SignerKey(ORIGIN, notes.KeyKind.NOTE, bytes(range(32)))
THIEF = notes.SignerKey(ORIGIN, notes.KeyKind.NOTE, bytes(reversed(range(32))))
WITNESSES = [notes.SignerKey(f"witness.example/{n}", notes.KeyKind.COSIGNATURE, bytes([n]) * 32) for n in (1, 2, 3)]
BEGAN = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
MADE = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)


@dataclass
class Written:
    """One entry as the database holds it: columns, salt and body (both may be gone), and its link's leaf."""

    columns: dict[str, Any] | None
    salt: bytes | None
    body: str | None
    leaf: bytes = b""


@dataclass
class Log:
    """A log of our own making. Rows may be changed afterwards, as an attacker would; nothing is recomputed by itself."""

    rows: list[Written] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)
    log_id: uuid.UUID = LOG_ID
    origin: str = ORIGIN
    predecessor: str = ""
    seed: int = 1

    @classmethod
    def of(cls, count: int, *, every: int = 0, **options: Any) -> Log:
        """A log of so many entries with a checkpoint after each ``every`` and at the end."""
        log = cls(**options)
        for number in range(1, count + 1):
            log.write()
            if every and (number % every == 0 or number == count):
                log.seal()
        return log

    def write(self, body: dict[str, Any] | None = None, **columns: Any) -> Written:
        """Add the next entry, linked."""
        number = len(self.rows) + 1
        random_ = random.Random(f"{self.seed}/{number}")
        event_body = body if body is not None else {"by": "Ann Example", "quantity": "84", "number": number}
        salt, text = random_.randbytes(32), canonical.canonical(canonical.plain(event_body))
        at = BEGAN + dt.timedelta(seconds=30 * number)
        row = Written(
            {
                "action": "dispense.completed",
                "actor": "user:42",
                "actor_role": "pharmacist",
                "body_commit": canonical.body_commitment(salt, text),
                "body_kind": canonical.BODY_PLAIN,
                "db_role": "dispensary_app",
                "entry_id": uuid.UUID(bytes=random_.randbytes(16), version=4),
                "log_id": self.log_id,
                "occurred_at": at,
                "outcome": "success",
                "patient_ref": "p-7",
                "recorded_at": at,
                "station": "counter 2",
                "subject_id": f"d-{number}",
                "subject_type": "dispense",
                "txid": 1000 + number,
                "v": 1,
                **columns,
            },
            salt,
            text,
        )
        self.rows.append(row)
        row.leaf = self.leaf(number)
        return row

    def prev(self, seq: int) -> bytes:
        return self.rows[seq - 2].leaf if seq > 1 else canonical.genesis(self.log_id, self.predecessor)

    def header(self, seq: int) -> str | None:
        """The header as an export builds it: from the columns as they are now and the leaf that is stored before."""
        row = self.rows[seq - 1]
        return None if row.columns is None else canonical.header(row.columns, seq=seq, prev=self.prev(seq))

    def leaf(self, seq: int) -> bytes:
        header = self.header(seq)
        assert header is not None
        return canonical.leaf(header)

    def checkpoint(self, size: int | None = None) -> notes.Checkpoint:
        size = len(self.rows) if size is None else size
        return notes.Checkpoint(self.origin, size, merkle.root(row.leaf for row in self.rows[:size]))

    def seal(self, size: int | None = None, signer: notes.SignerKey = SIGNER, witnesses: int = 0) -> str:
        """Sign the root of the first ``size`` entries, store the note and give it."""
        checkpoint = self.checkpoint(size)
        signed = notes.sign_checkpoint(checkpoint, signer.named(self.origin))
        for witness in WITNESSES[:witnesses]:
            signed = notes.add_signature(signed, witness.cosign(checkpoint.text, BEGAN + dt.timedelta(days=2)))
        self.notes[checkpoint.size] = signed
        return signed

    def relink(self, first: int) -> None:
        """Recompute every leaf from ``first`` on, as somebody with the owner's rights can."""
        for seq in range(first, len(self.rows) + 1):
            self.rows[seq - 1].leaf = self.leaf(seq)

    def entries(self, first: int = 1, last: int | None = None) -> list[bundle.Entry]:
        """The lines of an export."""
        last = len(self.rows) if last is None else last
        return [
            bundle.Entry(seq, row.leaf, self.header(seq), row.salt, row.body)
            for seq, row in enumerate(self.rows, 1)
            if first <= seq <= last
        ]

    def bundle(self, entries: list[bundle.Entry] | None = None, *, first: int = 1) -> bundle.Bundle:
        """The export bundle of the log as it is now."""
        lines = self.entries(first) if entries is None else entries
        start = None
        if first > 1:
            edge = merkle.CompactRange()
            edge.extend(row.leaf for row in self.rows[: first - 1])
            start = bundle.Start(self.rows[first - 2].leaf, tuple(edge.hashes))
        span = bundle.Range(
            self.origin, self.log_id, first, lines[-1].seq if lines else first - 1, self.predecessor, start
        )
        vkeys = [str(SIGNER.named(self.origin).verifier)]
        return bundle.Bundle(span, lines, sorted(self.notes.items()), MADE, "test", vkeys)

    def export(
        self, path: Path, entries: list[bundle.Entry] | None = None, *, first: int = 1, as_lines: bool = False
    ) -> Path:
        """Write the bundle: a zip file if the name ends so, else a folder, which may be one of lines (format 1)."""
        made = self.bundle(entries, first=first)
        if path.suffix == ".zip":
            path.write_bytes(b"".join(bundle.zip_bundle(made)))
        else:
            bundle.write_to_folder(made, path)
        if as_lines:
            turn_into_lines(path, made.entries)
        return path


def line_of(entry: bundle.Entry) -> bytes:
    """An entry as a line of format 1 of the bundle, which is read for ever and not written any more."""
    return canonical.canonical(entry.as_json()).encode() + b"\n"


def turn_into_lines(folder: Path, entries: Iterable[bundle.Entry]) -> None:
    """Turn a folder into a bundle of format 1."""
    (folder / "entries.bin").unlink()
    (folder / "entries.jsonl").write_bytes(b"".join(map(line_of, entries)))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["format"] = "dispensary-audit-bundle/1"
    manifest["files"]["entries.jsonl"] = manifest["files"].pop("entries.bin")
    (folder / "manifest.json").write_bytes(canonical.canonical(manifest).encode() + b"\n")
    seal_again(folder)


def seal_again(folder: Path) -> None:
    """Bring the manifest of a changed folder up to date, as an attacker would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in manifest["files"]:
        raw = (folder / name).read_bytes()
        manifest["files"][name] = {"bytes": len(raw)}
        if name != bundle.ENTRIES:
            manifest["files"][name]["sha256"] = hashlib.sha256(raw).hexdigest()
    (folder / "manifest.json").write_bytes(canonical.canonical(manifest).encode() + b"\n")
