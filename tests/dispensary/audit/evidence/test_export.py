"""Export: what leaves the database is what is in it, verifies elsewhere, streams, and is itself recorded."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from fhir.resources.R4B.auditevent import AuditEvent

from dispensary import audit
from dispensary.actions import logbook
from dispensary.actors import Actor, Role
from dispensary.audit import Event
from dispensary.audit.evidence import bundle, export, verify
from dispensary.audit.evidence.export import Scope, Shape
from dispensary.audit.sealing import notes
from dispensary.audit.sealing.merkle import CompactRange
from dispensary.errors import InvalidInput, NotAllowed, NotFound
from dispensary.models import AuditEntry, AuditLog, Pharmacy
from tests.dispensary.audit.conftest import NOW, actor_at
from tests.site import Database, Site

KEY = notes.SignerKey("x", notes.KeyKind.NOTE, bytes(range(32)))


class Filled:
    """A committed log of the real database with a checkpoint at its end, written as a sealer would."""

    def __init__(self, pharmacy: Pharmacy, write: Callable[..., UUID], database: Database, count: int = 12) -> None:
        for number in range(count):
            body = {"quantity": 84 + number, "words": 'é ≥ 5 "mg" \\ \U0001f48a \x07\n'}
            write(pharmacy, patient=f"p-{number % 3}", rule_codes=("renal", "alcohol"), body=body)
        self.pharmacy, self.database = pharmacy, database
        self.log = AuditLog.objects.get(pharmacy=pharmacy.pk)
        self.seal()

    def seal(self) -> None:
        leaves = self.leaves()
        edge = CompactRange()
        edge.extend(leaves)
        checkpoint = notes.Checkpoint(self.log.origin, edge.size, edge.root())
        signed = notes.sign_checkpoint(checkpoint, KEY.named(self.log.origin))
        with self.database.connect("sealer") as sealer:
            sealer.execute(
                "INSERT INTO audit.checkpoint (log_id, size, root, note) VALUES (%s, %s, %s, %s)",
                [self.log.log_id, edge.size, edge.root(), signed],
            )

    def leaves(self) -> list[bytes]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT leaf FROM audit.link WHERE log_id = %s ORDER BY seq", [self.log.log_id])
            return [bytes(row[0]) for row in cursor.fetchall()]

    def verify(self, path: Path) -> verify.Report:
        return verify.verify_bundle(path, keys=[verify.Key.parse(str(KEY.named(self.log.origin).verifier))])

    def entries(self, first: int = 1, last: int = 12) -> list[bundle.Entry]:
        with export.snapshot(self.log):
            return list(export.lines(self.log, first, last))


@pytest.fixture
def filled(committed_pharmacy: Pharmacy, write: Callable[..., UUID], database: Database) -> Filled:
    return Filled(committed_pharmacy, write, database)


def auditor_at(pharmacy: Pharmacy) -> Actor:
    return Actor("user:7", "Olu Auditor", Role.AUDITOR, pharmacy.pk, user_id=7)


def test_a_bundle_of_the_real_database_verifies_on_its_own(filled, tmp_path):
    out = tmp_path / "log.zip"
    call_command("audit", "export", str(out), log=filled.log.origin, last=12, reason="asked for by the inspector")
    report = filled.verify(out)
    assert (report.exit, report.entries, report.covered) == (0, 12, 12), list(report.lines())
    assert list(tmp_path.iterdir()) == [out], "nothing is left beside it"


def test_the_export_is_recorded_before_anything_leaves(filled, tmp_path):
    call_command("audit", "export", str(tmp_path / "log.csv"), log=str(filled.log.log_id), reason="asked for")
    entry = AuditEntry.objects.filter(pharmacy=filled.pharmacy.pk).order_by("-seq")[0]
    (line,) = audit.lines([entry], filled.pharmacy)
    assert (entry.action, entry.actor, entry.seq) == ("log.exported", "system:export", 13)
    recorded = {name: line.body[name] for name in ("first", "last", "shape", "reason")}
    assert recorded == {"first": 1, "last": 12, "shape": "csv", "reason": "asked for"}


def test_zip_and_folder_hold_the_same_evidence(filled, tmp_path):
    for name in ("log.zip", "log"):
        call_command("audit", "export", str(tmp_path / name), log=filled.log.origin, last=12)
    with zipfile.ZipFile(tmp_path / "log.zip") as archive:
        assert archive.read("entries.bin") == (tmp_path / "log" / "entries.bin").read_bytes()
    assert filled.verify(tmp_path / "log").exit == 0


def test_the_streamed_zip_is_the_same_bundle(filled, tmp_path):
    with export.snapshot(filled.log):
        made = export.make_bundle(filled.log, Scope(filled.log.log_id), now=NOW)
        (tmp_path / "log.zip").write_bytes(b"".join(bundle.zip_bundle(made)))
    assert filled.verify(tmp_path / "log.zip").exit == 0


def test_part_of_a_log_verifies_from_its_start(filled, tmp_path):
    call_command("audit", "export", str(tmp_path / "part.zip"), log=filled.log.origin, first=6, last=12)
    report = filled.verify(tmp_path / "part.zip")
    assert (report.exit, report.first, report.last) == (0, 6, 12)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE audit.entry SET actor = 'user:9' WHERE {this}", [("ENTRY_MODIFIED", "7")]),
        ("UPDATE audit.entry SET station = '' WHERE {this}", [("ENTRY_MODIFIED", "7")]),
        ("UPDATE audit.body SET body = '{{}}' WHERE {this}", [("BODY_MODIFIED", "7")]),
        ("DELETE FROM audit.body WHERE {this}", [("BODY_MISSING", "7")]),
        ("DELETE FROM audit.entry WHERE {this}", [("ENTRY_MISSING", "7")]),
        ("DELETE FROM audit.link WHERE {this}", [("GAP", "7")]),
    ],
    ids=["a column", "a NULL made empty", "a body", "no body", "no entry", "no link"],
)
def test_what_was_changed_in_the_database_is_found_in_the_export(filled, tmp_path, statement, expected):
    tamper(filled, statement)
    call_command("audit", "export", str(tmp_path / "log"), log=filled.log.origin, last=12)
    report = filled.verify(tmp_path / "log")
    assert report.exit == 1
    tampered = [(finding.kind, finding.position) for finding in report.findings if finding.status == verify.TAMPERED]
    assert tampered == expected


def test_a_changed_time_is_a_modified_entry_although_it_has_left_its_place(filled, tmp_path):
    earlier = "GREATEST(recorded_at - interval '1 hour', date_trunc('month', recorded_at))"  # of one partition
    tamper(filled, f"UPDATE audit.entry SET recorded_at = {earlier} WHERE {{this}}")
    call_command("audit", "export", str(tmp_path / "log"), log=filled.log.origin, last=12)
    kinds = {finding.kind for finding in filled.verify(tmp_path / "log").findings}
    assert {"ENTRY_MODIFIED", "CLOCK_BACKWARDS"} <= kinds
    assert "ENTRY_MISSING" not in kinds


def tamper(filled: Filled, statement: str) -> None:
    """As somebody who owns everything, with the guards switched off."""
    with filled.database.connect("superuser") as admin, admin.transaction():
        for table in ("entry", "body", "link"):
            for (name,) in admin.execute(
                "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relname LIKE %s",
                [f"{table}%"],
            ).fetchall():
                if not name.endswith(("_key", "_pkey")) and "idx" not in name:
                    try_disable(admin, name)
        entry_id = admin.execute(
            "SELECT entry_id FROM audit.link WHERE log_id = %s AND seq = 7", [filled.log.log_id]
        ).fetchone()[0]
        admin.execute(statement.format(this=f"entry_id = '{entry_id}'"))
        enable_all(admin)


def try_disable(admin: Any, name: str) -> None:
    kind = admin.execute("SELECT relkind FROM pg_class WHERE oid = %s::regclass", [name]).fetchone()[0]
    if kind in ("r", "p"):
        admin.execute(f"ALTER TABLE {name} DISABLE TRIGGER guard")
        has_erase = admin.execute(
            "SELECT 1 FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = 'guard_erase'", [name]
        ).fetchone()
        if has_erase:
            admin.execute(f"ALTER TABLE {name} DISABLE TRIGGER guard_erase")


def enable_all(admin: Any) -> None:
    for name, trigger in admin.execute(
        "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgname IN ('guard', 'guard_erase')"
    ).fetchall():
        admin.execute(f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER {trigger}")


# Spreadsheet.


def test_the_spreadsheet_has_one_row_an_entry_and_the_way_back(filled, tmp_path):
    call_command("audit", "export", str(tmp_path / "log.csv"), log=filled.log.origin, last=12)
    raw = (tmp_path / "log.csv").read_bytes()
    assert raw.count(b"\r\n") == 13
    rows = list(csv.DictReader(io.StringIO(raw.decode(), newline="")))
    assert [row["leaf"] for row in rows] == [leaf.hex() for leaf in filled.leaves()[:12]]
    assert [int(row["seq"]) for row in rows] == list(range(1, 13))
    assert rows[0]["rule_codes"] == "alcohol renal"


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_run_as_a_formula(first):
    header = json.dumps({"station": f'{first}HYPERLINK("http://evil","x")', "action": "x"})
    raw = b"".join(export.encode_csv(iter([bundle.Entry(1, bytes(32), header)]))).decode()
    (row,) = csv.DictReader(io.StringIO(raw, newline=""))
    assert row["station"] == f'\'{first}HYPERLINK("http://evil","x")'


@pytest.mark.parametrize("text", ["a,b", 'say "x"', "two\nlines", "plain", "é💊", "'quoted"])
def test_cells_keep_their_text(text):
    raw = b"".join(export.encode_csv(iter([bundle.Entry(1, bytes(32), json.dumps({"station": text}))]))).decode()
    (row,) = csv.DictReader(io.StringIO(raw, newline=""))
    assert row["station"] == text


# FHIR.


def test_fhir_audit_events_are_valid_r4_and_lead_back_to_the_evidence(filled, tmp_path):
    call_command("audit", "export", str(tmp_path / "log.ndjson"), log=filled.log.origin, last=12)
    events = [json.loads(line) for line in (tmp_path / "log.ndjson").read_bytes().splitlines()]
    assert len(events) == 12
    for seq, event in enumerate(events, 1):
        AuditEvent.model_validate(event)
        details = {detail["type"]: detail.get("valueString") for detail in event["entity"][0]["detail"]}
        assert details["seq"] == str(seq)
        assert event["entity"][1]["what"]["identifier"]["value"] == f"p-{(seq - 1) % 3}"


@pytest.mark.parametrize("event", list(Event))
@pytest.mark.parametrize("outcome", ["success", "refused", "failure"])
def test_every_event_has_a_valid_audit_event(event, outcome):
    from dispensary.audit.evidence import fhir

    header = {
        "action": event.value, "actor": "user:1", "actor_role": "pharmacist", "body": "00" * 32, "id": "x-1", "log": "l",
        "occurred": "2026-11-22T09:00:00.000000Z", "outcome": outcome, "recorded": "2026-11-22T09:00:01.000000Z", "seq": 1,
        "subject_id": "s", "subject_type": "dispense", "station": "desk", "second_actor": "user:2", "request_id": "r",
    }  # fmt: skip
    made = fhir.audit_event(header, leaf=bytes(32), origin="pharmacy.example/one")
    AuditEvent.model_validate(made)
    assert made["outcome"] == {"success": "0", "refused": "4", "failure": "8"}[outcome]
    assert made["action"] in "CRUE"
    assert "D" not in made["action"], "nothing is ever deleted"


# Interrupted, refused, large.


@pytest.mark.parametrize("name", ["log.csv", "log.ndjson", "log", "log.zip"])
def test_an_interrupted_export_goes_on_and_ends_the_same(filled, tmp_path, monkeypatch, name):
    whole = tmp_path / "whole" / name
    whole.parent.mkdir()
    call_command("audit", "export", str(whole), log=filled.log.origin, last=12)
    monkeypatch.setattr(export, "FETCH", 2)
    monkeypatch.setattr("dispensary.audit.evidence.files.BATCH", 2)
    real, stop = export.lines, {"after": 5}

    def breaking(*args: Any, **more: Any) -> Any:
        for number, entry in enumerate(real(*args, **more)):
            if number == stop["after"]:
                raise OSError(28, "No space left on device")
            yield entry

    monkeypatch.setattr(export, "lines", breaking)
    out = tmp_path / name
    with pytest.raises(CommandError, match="No space left"):
        call_command("audit", "export", str(out), log=filled.log.origin, last=12)
    if name == "log.csv":
        with (tmp_path / "log.csv.part").open("ab") as part:
            part.write(b"half a li")
    stop["after"] = 100
    call_command("audit", "export", str(out), log=filled.log.origin)
    assert evidence(out) == evidence(whole)
    assert not list(tmp_path.glob(".*")) and not list(tmp_path.glob("*.part"))


def evidence(path: Path) -> bytes:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return archive.read("entries.bin")
    return (path / "entries.bin").read_bytes() if path.is_dir() else path.read_bytes()


def test_a_finished_export_is_not_overwritten(filled, tmp_path):
    out = tmp_path / "log.csv"
    call_command("audit", "export", str(out), log=filled.log.origin)
    with pytest.raises(CommandError, match="exists already"):
        call_command("audit", "export", str(out), log=filled.log.origin)


@pytest.mark.parametrize(("first", "last"), [(0, None), (-1, None), (15, None), (5, 3), (1, 99)])
def test_a_range_that_is_not_in_the_log_is_refused(filled, tmp_path, first, last):
    with pytest.raises(CommandError, match="does not hold this range"):
        call_command("audit", "export", str(tmp_path / "x.csv"), log=filled.log.origin, first=first, last=last)
    assert not list(tmp_path.iterdir())


def test_an_unknown_log_is_told_with_those_there_are(filled, tmp_path):
    with pytest.raises(CommandError, match=filled.log.origin):
        call_command("audit", "export", str(tmp_path / "x.csv"), log="nowhere")


def test_only_auditors_managers_and_the_shell_export(filled):
    def ask(by: Actor) -> None:
        logbook.export(scope=Scope(filled.log.log_id), shape=Shape.CSV, by=by, now=NOW)

    with pytest.raises(NotAllowed):
        ask(actor_at(filled.pharmacy))
    ask(auditor_at(filled.pharmacy))
    with pytest.raises(NotFound):
        ask(Actor("user:7", "Olu", Role.AUDITOR, UUID(int=5), user_id=7))
    with pytest.raises(InvalidInput):
        logbook.export(scope=Scope(filled.log.log_id, 99), shape=Shape.CSV, by=auditor_at(filled.pharmacy), now=NOW)


def test_bodies_of_another_pharmacy_do_not_leave_with_this_one(filled, write, tmp_path):
    """The snapshot reads bodies of its log's pharmacy alone; outside of one, nothing."""
    assert all(entry.body for entry in filled.entries())
    assert all(entry.body is None for entry in export.lines(filled.log, 1, 12))


def test_thinning_keeps_the_last_and_the_cosigned():
    sizes = list(range(1, 10_001))
    thinned_sizes = bundle.thin_sizes(sizes, must=[7, 77, 20_000], keep=100)
    assert {7, 77, 10_000} <= set(thinned_sizes)
    assert 100 <= len(thinned_sizes) <= 103
    assert thinned_sizes == sorted(thinned_sizes)
    assert bundle.thin_sizes([3, 1, 2]) == [1, 2, 3]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_export(site: Site, database: Database, transactional_db: None, tmp_path):
    """Forty thousand entries of one log leave in a process that may use little more than for four hundred."""
    from tests.dispensary.audit.many import fill

    peaks = []
    for count in (400, 40_000):
        with database.connect("superuser") as admin:
            made = fill(admin, entries=count, pharmacies=1, months=2)
        script = (
            "import re, sys\n"
            "from django.core.management import execute_from_command_line\n"
            "execute_from_command_line(['manage.py', 'audit', 'export', *sys.argv[1:]])\n"
            "print(re.search(r'VmHWM:\\s+([0-9]+)', open('/proc/self/status').read())[1])\n"
        )
        command = [sys.executable, "-c", script, str(tmp_path / f"{count}.zip"), "--log", str(made.pharmacy)]
        done = subprocess.run(command, env=site.environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] - peaks[0] < 25 << 10
