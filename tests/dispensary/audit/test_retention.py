"""Retention: entries that may lawfully leave the log leave it named; a restored database goes on as a new log."""

from __future__ import annotations

import datetime as dt
import re
import shlex
import time
from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from deploy.demo.attacks import Attack, unguarded
from dispensary import audit
from dispensary.actions import dispenses
from dispensary.audit import retention
from dispensary.audit.checks import live, verification
from dispensary.audit.checks.reconcile import Kind
from dispensary.audit.evidence import verify
from dispensary.audit.log.database import LogRow, all_logs, log_of, raw_connection
from dispensary.audit.sealing import service
from dispensary.audit.sealing.state import StateFolder
from dispensary.models import AuditEntry, Dispense, LogExport, LogExportPart, Patient, Pharmacy, StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.audit.checks.test_reconcile import copy_of
from tests.dispensary.audit.signing import RETENTION, sign_file, trust_signers
from tests.site import Database

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "sealer", "owner"])

Write = Callable[..., UUID]


class SealedPharmacy:
    """A pharmacy with a sealed log, a manager and a pharmacist. `begin` writes its first entries."""

    def __init__(self, write: Write, begin: Callable[[StaffMember], None] = lambda _: None) -> None:
        self.write = write
        self.pharmacy: Pharmacy = make.pharmacy()
        self.manager: StaffMember = make.staff(self.pharmacy, StaffRole.MANAGER)
        self.pharmacist: StaffMember = make.staff(self.pharmacy, StaffRole.PHARMACIST)
        begin(self.pharmacist)
        for number in range(20):
            write(self.pharmacy, patient=f"patient-{number % 4}")
        self.seal()

    def seal(self) -> service.Round:
        return service.seal_round(service.make_sealer(), timezone.now(), pharmacy=self.pharmacy.pk)

    @property
    def row(self) -> LogRow:
        return log_of(all_logs(raw_connection("sealer")), self.pharmacy.pk)

    def check(self, row: LogRow | None = None, **more: Any) -> verify.Report:
        row = row or self.row
        keys = [verify.Key.parse(str(key.named(row.origin).verifier)) for key in service.make_sealer().keys]
        return live.check_log(raw_connection("sealer"), row, keys, retention=RETENTION, **{"grace": 0, **more}).report

    def signers(self) -> dict[str, str]:
        return {"by": self.manager.user.get_username(), "second": self.pharmacist.user.get_username()}

    def seqs(self, patient: str) -> list[int]:
        rows = AuditEntry.objects.filter(pharmacy=self.pharmacy.pk, patient_ref=patient)
        return sorted(rows.values_list("seq", flat=True))


@pytest.fixture
def sealed(own_key: Path, write: Write, settings: Any, tmp_path: Path) -> SealedPharmacy:
    trust_signers(settings, tmp_path)
    return SealedPharmacy(write)


def authorise(sealed: SealedPharmacy, step: str, *arguments: object, **options: Any) -> Path:
    """Write the statement of an erasure or retirement and let two people sign it."""
    path = service.state_folder().parent / "statement"
    people = {"pharmacy": sealed.pharmacy.pk, "basis": "GDPR Art. 17", **sealed.signers(), **options}
    words = [str(word) for name, value in people.items() for word in (f"--{name}", value)]
    call_command("audit", "authorise", step, str(path), *map(str, arguments), *words, stdout=StringIO())
    return sign_file(path)


def erase(sealed: SealedPharmacy, *, yes: bool = True, **options: Any) -> str:
    out = StringIO()
    what = ["--seq", *options.pop("seq")] if "seq" in options else ["--patient", options.pop("patient")]
    call_command("audit", "erase", str(authorise(sealed, "erase", *what, **options)), yes=yes, stdout=out)
    return out.getvalue()


def test_an_authorised_erasure_verifies_and_is_told_with_its_entry(sealed: SealedPharmacy) -> None:
    seqs = sealed.seqs("patient-2")
    erase(sealed, patient="patient-2")
    sealed.seal()
    report = sealed.check()
    assert report.exit == verify.OK
    authorised_entries = {
        (erasure.what, number) for erasure in report.authorised for number in range(erasure.first, erasure.last + 1)
    }
    assert authorised_entries == {("ERASED", seq) for seq in seqs}
    erased_by = {erasure.by for erasure in report.authorised}
    entry = AuditEntry.objects.get(pharmacy=sealed.pharmacy.pk, action=audit.Event.ERASED)
    assert erased_by == {entry.seq}
    assert (entry.actor, entry.second_actor) == (f"user:{sealed.manager.user_id}", f"user:{sealed.pharmacist.user_id}")


def test_an_erasure_removes_the_exports_of_its_pharmacy_and_of_no_other(sealed: SealedPharmacy) -> None:
    now = timezone.now()
    other = make.pharmacy()
    for pharmacy, finished_at in ((sealed.pharmacy, now), (sealed.pharmacy, None), (other, now)):
        export = LogExport.objects.create(
            pharmacy=pharmacy, requested_by="Aude Itor", requested_at=now, filters={}, finished_at=finished_at
        )
        export.parts.create(number=0, content=b"patient-2")
    erase(sealed, patient="patient-2", yes=False)
    assert LogExport.objects.count() == 3
    erase(sealed, patient="patient-2")
    assert [part.export.pharmacy for part in LogExportPart.objects.all()] == [other]
    assert [export.pharmacy for export in LogExport.objects.all()] == [other]
    entry = AuditEntry.objects.get(pharmacy=sealed.pharmacy.pk, action=audit.Event.ERASED)
    (line,) = audit.lines([entry], sealed.pharmacy)
    assert line.body and line.body["exports"] == 2


def test_the_same_bodies_deleted_without_an_entry_are_tampering(sealed: SealedPharmacy, database: Database) -> None:
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, sealed.row.log_id).delete("body", 5, 6)
    report = sealed.check()
    assert [(finding.kind, finding.position) for finding in report.findings if finding.status == 1] == [
        ("BODY_MISSING", "5-6")
    ]


def test_an_erased_body_is_gone_and_its_entry_still_tells(sealed: SealedPharmacy) -> None:
    (seq, *_) = sealed.seqs("patient-1")
    erase(sealed, seq=[seq])
    entry = AuditEntry.objects.get(pharmacy=sealed.pharmacy.pk, seq=seq)
    (line,) = audit.lines([entry], sealed.pharmacy)
    assert line.body is None
    assert line.sentence == "user:1 handed over dispense d1 to patient patient-1."


def test_erasing_asks_first(sealed: SealedPharmacy) -> None:
    assert "5 bodies" in erase(sealed, patient="patient-2", yes=False)
    assert not AuditEntry.objects.filter(pharmacy=sealed.pharmacy.pk, action=audit.Event.ERASED).exists()


@pytest.mark.parametrize(
    "change", ["nobody", "alone", "pharmacist first", "stranger", "twice", "the posture", "no such number"]
)
def test_erasing_is_refused(sealed: SealedPharmacy, change: str) -> None:
    options: dict[str, Any] = {"seq": [4]}
    if change == "nobody":
        options["by"] = "nobody"
    elif change == "alone":
        options["second"] = sealed.signers()["by"]
    elif change == "pharmacist first":
        options |= {"by": sealed.signers()["second"], "second": sealed.signers()["by"]}
    elif change == "stranger":
        options["by"] = make.staff(make.pharmacy(), StaffRole.MANAGER).user.get_username()
    elif change == "twice":
        erase(sealed, **options)
    elif change == "the posture":
        entry = AuditEntry.objects.filter(pharmacy=sealed.pharmacy.pk, action=audit.Event.POSTURE).latest("seq")
        options["seq"] = [entry.seq]
    elif change == "no such number":
        options["seq"] = [4, 4000]
    before = AuditEntry.objects.filter(pharmacy=sealed.pharmacy.pk, action=audit.Event.ERASED).count()
    with pytest.raises(CommandError):
        erase(sealed, **options)
    assert AuditEntry.objects.filter(pharmacy=sealed.pharmacy.pk, action=audit.Event.ERASED).count() == before


def test_an_erasure_and_a_deletion_beside_it_are_told_apart(sealed: SealedPharmacy, database: Database) -> None:
    erase(sealed, seq=[4])
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, sealed.row.log_id).delete("body", 5, 5)
    report = sealed.check()
    assert [(erasure.what, erasure.first, erasure.last) for erasure in report.authorised] == [("ERASED", 4, 4)]
    assert [(finding.kind, finding.position) for finding in report.findings if finding.status == 1] == [
        ("BODY_MISSING", "5")
    ]


def test_the_restore_drill_end_to_end(sealed: SealedPharmacy, database: Database) -> None:
    """Backup, more business, restore: the sealer refuses; a new incarnation goes on; both logs verify for what they are."""
    old = sealed.row
    held_notes = [("the last note on paper", note_of(sealed).encode())]
    size = sealed.check().last
    with database.connect("superuser") as connection, unguarded(connection):
        attack = Attack(
            connection, old.log_id
        )  # the restore: the last six entries and their checkpoint were never there
        attack.cut(size - 5)
        attack.delete("checkpoint", size - 5)
    for _ in range(3):
        sealed.write(sealed.pharmacy)
    refused = [str(trouble) for trouble in sealed.seal().refused]
    assert any("FORK" in trouble and old.origin in trouble for trouble in refused)

    call_command(
        "audit",
        "incarnation",
        pharmacy=sealed.pharmacy.pk,
        reason="Restored from the backup of 02:00.",
        **sealed.signers(),
        stdout=StringIO(),
    )
    new = sealed.row
    assert (new.log_id != old.log_id, new.origin) == (True, f"{old.origin}/incarnation/2")
    sealed.write(sealed.pharmacy)
    assert [str(trouble) for trouble in sealed.seal().refused if old.origin in str(trouble)] == []
    assert sealed.check().exit == verify.OK
    first = AuditEntry.objects.get(log_id=new.log_id, seq=1)
    assert first.action == audit.Event.INCARNATION_OPENED
    closed = next(row for row in all_logs(raw_connection("sealer"), sealed.pharmacy.pk) if row.closed)
    assert closed.log_id == old.log_id
    report = sealed.check(closed, held_checkpoints=held_notes)
    # What was restored away stays lost, and the old log says so to whoever holds its last note.
    assert any(finding.kind in ("TRUNCATED", "ROOT_MISMATCH", "FORK") for finding in report.findings)
    assert sealed.check(closed, stored=True).exit == verify.INCOMPLETE


def restore(sealed: SealedPharmacy, database: Database) -> None:
    """Take the last entries and their checkpoint away, as a restored backup does, and go on."""
    size = sealed.check().last
    with database.connect("superuser") as connection, unguarded(connection):
        attack = Attack(connection, sealed.row.log_id)
        attack.cut(size - 5)
        attack.delete("checkpoint", size - 5)
    for _ in range(3):
        sealed.write(sealed.pharmacy)


def words_of_the_runbook(sealed: SealedPharmacy) -> list[str]:
    """Return the command for a restored site as OPERATING.md has it, with the names of two people."""
    page = (Path(retention.__file__).parent / "OPERATING.md").read_text()
    (command,) = re.findall(r"`(audit incarnation --all [^`]+)`", page)
    people = sealed.signers()
    return shlex.split(command.replace("MANAGER", people["by"]).replace("PERSON", people["second"]))


def test_the_runbook_s_words_continue_every_restored_log_and_no_other(
    sealed: SealedPharmacy, database: Database
) -> None:
    whole = SealedPharmacy(sealed.write)
    restore(sealed, database)
    before = whole.row
    out = StringIO()
    call_command(*words_of_the_runbook(sealed), stdout=out)
    assert sealed.row.origin.endswith("/incarnation/2") and whole.row == before
    assert out.getvalue().endswith("1 logs go on in a successor.\n")
    sealed.seal()
    assert sealed.check().exit == verify.OK


def test_a_restored_log_of_a_pharmacy_without_the_two_people_is_named_and_left(
    sealed: SealedPharmacy, database: Database
) -> None:
    other = SealedPharmacy(sealed.write)
    for restored in (sealed, other):
        restore(restored, database)
    before, err = other.row, StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command(*words_of_the_runbook(sealed), stdout=StringIO(), stderr=err)
    assert ended.value.code == 1 and f"{before.origin} stays as it is" in err.getvalue()
    assert other.row == before and sealed.row.origin.endswith("/incarnation/2")


def note_of(sealed: SealedPharmacy) -> str:
    connection = raw_connection("sealer")
    row = connection.execute(
        "SELECT note FROM audit.checkpoint WHERE log_id = %s ORDER BY size DESC LIMIT 1", [sealed.row.log_id]
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_a_transaction_that_was_open_while_its_log_was_closed_fails_loudly(
    sealed: SealedPharmacy, database: Database
) -> None:
    with database.connect("app", autocommit=False) as app:
        app.execute(
            "SELECT audit.append(%s, 'o', 'a.b', 'success', 'user:1', 'pharmacist', now(), 'x', '1', '{}')",
            [sealed.pharmacy.pk],
        )
        call_command(
            "audit", "incarnation", pharmacy=sealed.pharmacy.pk, reason="Drill.", **sealed.signers(), stdout=StringIO()
        )
        with pytest.raises(Exception, match="closed meanwhile"):
            app.commit()


def test_a_retired_month_is_dropped_only_when_every_log_said_so_under_a_checkpoint(
    sealed: SealedPharmacy, database: Database, tmp_path: Path
) -> None:
    """On the month of today, since no clock is turned back here; a real month is years old."""
    with database.connect("owner", autocommit=False) as owner:
        month = timezone.now().replace(day=1).date()
        with pytest.raises(Exception, match="not retired in"):
            owner.execute("SELECT audit.drop_month(%s)", [month])
        owner.rollback()
        with pytest.raises(Exception, match="no partition"):
            owner.execute("SELECT audit.drop_month('2001-01-01')")
        owner.rollback()
        # Let every log state that it retires all it has, and a checkpoint of any size cover it; then the month may go.
        for log_id, pharmacy in owner.execute(
            "SELECT log_id, pharmacy FROM audit.log WHERE closed_at IS NULL"
        ).fetchall():
            owner.execute(
                "SELECT audit.append(%s, 'o', 'audit.retired', 'success', 'user:1', 'manager', now(), 'log', %s, "
                """format('{"first":1,"last":%%s}', (SELECT max(seq) + 1 FROM audit.link WHERE log_id = %s)))""",
                [pharmacy, str(log_id), log_id],
            )
        owner.execute("SET CONSTRAINTS audit.link_entry IMMEDIATE")
        with pytest.raises(Exception, match="not retired in"), owner.transaction():
            owner.execute("SELECT audit.drop_month(%s)", [month])
        owner.rollback()


class OldSealedPharmacy(SealedPharmacy):
    """A sealed pharmacy with its first ten entries recorded in January 2020, as a log of many years would have them."""

    def __init__(self, write: Write, database: Database, begin: Callable[[StaffMember], None] = lambda _: None) -> None:
        super().__init__(write, begin)
        with database.connect("owner") as owner:
            for parent in ("body", "entry"):
                owner.execute(
                    "SELECT audit.add_partition(%s, '2020_01', 'FOR VALUES FROM (''2020-01-01Z'') TO (''2020-02-01Z'')')",
                    [parent],
                )
        with database.connect("superuser") as connection, unguarded(connection):
            connection.execute("ALTER TABLE audit.entry DISABLE TRIGGER link_entry")
            attack = Attack(connection, self.row.log_id)
            for table in ("body", "entry"):
                attack.run(
                    f"UPDATE audit.{table} t SET recorded_at = '2020-01-15Z'::timestamptz + make_interval(secs => l.seq) "
                    "FROM audit.link l WHERE l.log_id = %(log)s AND l.seq <= 10 AND t.entry_id = l.entry_id"
                )
            attack.run(
                "UPDATE audit.link SET recorded_at = '2020-01-15Z'::timestamptz + make_interval(secs => seq) "
                "WHERE log_id = %(log)s AND seq <= 10"
            )
            attack.relink(1)
            attack.delete("checkpoint", 1)
            connection.execute("ALTER TABLE audit.entry ENABLE TRIGGER link_entry")
        StateFolder(service.state_folder()).path(self.row.log_id).unlink()
        self.seal()


def test_a_month_is_retired_after_its_export_and_the_rest_still_verifies(
    sealed: SealedPharmacy, write: Write, database: Database, tmp_path: Path
) -> None:
    old = OldSealedPharmacy(write, database)
    report = old.check()
    assert report.exit == verify.OK, list(report.lines())
    (tmp_path / "vkey").write_text(str(service.make_sealer().keys[0].named(old.row.origin).verifier) + "\n")
    call_command("audit", "export", str(tmp_path / "log.zip"), log=old.row.origin, quiet=True, stdout=StringIO())
    state = {
        "month": "2020-01", "bundle": tmp_path / "log.zip", "vkey": tmp_path / "vkey", "basis": "Six years are over.",
        "keep-days": 2190,
    }  # fmt: skip
    with pytest.raises(CommandError, match="must be kept for 9,999 days"):
        authorise(old, "retire", **{**state, "keep-days": 9999})
    authority = authorise(old, "retire", **state)
    with pytest.raises(CommandError, match="not retired in"):
        call_command("audit", "retire", "drop", "--month", "2020-01")
    call_command("audit", "retire", "state", str(authority), stdout=StringIO())
    with pytest.raises(CommandError, match="not retired in"):  # stated, but no checkpoint covers the statement yet
        call_command("audit", "retire", "drop", "--month", "2020-01")
    old.seal()
    call_command("audit", "retire", "drop", "--month", "2020-01", stdout=(out := StringIO()))
    assert out.getvalue().startswith("10 entries of 2020-01 left")
    report = old.check()
    assert report.exit == verify.OK, list(report.lines())
    entry = AuditEntry.objects.get(pharmacy=old.pharmacy.pk, action=audit.Event.RETIRED)
    assert [
        (retirement.what, retirement.first, retirement.last, retirement.by) for retirement in report.authorised
    ] == [("RETIRED", 1, 10, entry.seq)]
    old.write(old.pharmacy)
    assert [str(trouble) for trouble in old.seal().refused] == []
    # The export alone still proves what left.
    bundle_report = verify.verify_bundle(tmp_path / "log.zip", keys=verify.read_keys(tmp_path / "vkey", 1))
    assert bundle_report.exit in (verify.OK, verify.INCOMPLETE)


def retire_january(old: OldSealedPharmacy, folder: Path) -> None:
    """Export the log, let two people sign, state the retirement, and drop January 2020."""
    vkey = folder / "vkey"
    vkey.write_text(str(service.make_sealer().keys[0].named(old.row.origin).verifier) + "\n")
    authority = authorise(
        old, "retire", month="2020-01", bundle=exported(old, old.row, folder), vkey=vkey, **{"keep-days": 2190}
    )
    call_command("audit", "retire", "state", str(authority), stdout=StringIO())
    old.seal()
    call_command("audit", "retire", "drop", "--month", "2020-01", stdout=StringIO())


def test_rows_whose_entries_were_retired_are_counted_and_no_fault(
    sealed: SealedPharmacy, write: Write, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[Dispense] = []

    def dispense(by: StaffMember) -> None:
        """Make rows with the keys of January 2020."""
        january = dt.datetime(2020, 1, 15, tzinfo=dt.UTC)
        with monkeypatch.context() as patch:
            patch.setattr(time, "time_ns", lambda: int(january.timestamp()) * 10**9)
            order = make.prescription(make.patient(by.pharmacy))
            done = dispenses.dispense(
                prescription=order, quantity=Decimal(42), pack=make.pack(), key="k1", by=by.actor(), now=make.NOW
            )
        assert isinstance(done, Dispense), done
        rows.append(done)

    def faults(**more: Any) -> set[tuple[Kind, str]]:
        comparison = verification.compare_site(keep_record=False, now=timezone.now(), **more)
        retired.append(comparison.retired)
        own = {str(row.pk), str(row.review_id), str(row.patient_id), str(row.prescription_id), *map(str, newer)}
        return {(orphan.kind, orphan.table) for orphan in comparison.orphans if orphan.id in own}

    retired, newer = list[int](), list[UUID]()
    make.products()
    old = OldSealedPharmacy(write, database, dispense)
    (row,) = rows
    assert row.audit_entry in AuditEntry.objects.filter(pharmacy=old.pharmacy.pk, seq__lte=10).values_list(
        "entry_id", flat=True
    )
    assert faults() == set()
    retire_january(old, tmp_path)
    assert old.check().exit == verify.OK
    assert faults() == set()
    assert retired[1] - retired[0] == 5, "patient, order, its review and that of the dispense, dispense"

    # One signature is none, and what came later or names another's entry has no excuse.
    assert faults(retention=RETENTION[:1]) == {
        (Kind.NO_ENTRY, "patient"), (Kind.NO_ENTRY, "prescription"), (Kind.NO_ENTRY, "review"),
        (Kind.NO_ENTRY, "dispense"), (Kind.OTHER, "dispense"),
    }  # fmt: skip
    later = Patient.objects.create(pharmacy=old.pharmacy, identifier="X1", family_name="Nobody")
    newer.append(later.pk)
    assert faults() == {(Kind.NO_ENTRY, "patient")}
    newer[:] = [copy_of(row).pk]
    assert faults() == {(Kind.NO_ENTRY, "dispense"), (Kind.OTHER, "dispense")}


def test_the_oldest_month_goes_first(sealed: SealedPharmacy) -> None:
    next_month = (timezone.now().replace(day=1) + dt.timedelta(days=32)).strftime("%Y-%m")
    with pytest.raises(CommandError, match="oldest month goes first"):
        call_command("audit", "retire", "drop", "--month", next_month)


def incarnate(sealed: SealedPharmacy) -> tuple[LogRow, LogRow]:
    """Close the log, as after a restore, and give it with the one that continues it."""
    old = sealed.row
    call_command(
        "audit", "incarnation", pharmacy=sealed.pharmacy.pk, reason="Restored.", **sealed.signers(), stdout=StringIO()
    )
    sealed.write(sealed.pharmacy, patient="patient-2")
    sealed.seal()
    rows = {row.log_id: row for row in all_logs(raw_connection("sealer"), sealed.pharmacy.pk)}
    return rows[old.log_id], sealed.row


def exported(sealed: SealedPharmacy, row: LogRow, folder: Path) -> Path:
    path = folder / f"{row.origin.rpartition('/')[2]}-{len(list(folder.iterdir()))}.zip"
    call_command("audit", "export", str(path), log=row.origin, quiet=True, stdout=StringIO())
    return path


def keys_of(*rows: LogRow) -> list[verify.Key]:
    (key,) = service.make_sealer().keys
    return [verify.Key.parse(str(key.named(row.origin).verifier)) for row in rows]


def test_somebody_is_forgotten_in_a_closed_log_by_authority_of_the_one_that_continues_it(
    sealed: SealedPharmacy, tmp_path: Path, database: Database
) -> None:
    seqs = sealed.seqs("patient-2")
    closed, current = incarnate(sealed)
    output = erase(sealed, patient="patient-2")
    assert closed.origin in output
    assert current.origin in output
    sealed.seal()
    entry = AuditEntry.objects.get(log_id=current.log_id, action=audit.Event.ERASED, subject_id=str(closed.log_id))
    report = sealed.check(closed)
    assert report.exit == verify.OK, list(report.lines())
    gone = {number for erasure in report.authorised for number in range(erasure.first, erasure.last + 1)}
    assert (gone, {(erasure.by, erasure.log) for erasure in report.authorised}) == (
        set(seqs),
        {(entry.seq, current.origin)},
    )
    assert f"by entry {entry.seq} of {current.origin}" in "\n".join(report.lines())
    assert sealed.check().exit == verify.OK

    # The same for a stranger with the two exports: the closed one alone cannot tell an erasure from a deletion.
    closed_bundle, current_bundle = exported(sealed, closed, tmp_path), exported(sealed, current, tmp_path)
    sealed.seal()
    keys = keys_of(closed, current)
    assert [finding.kind for finding in verify.verify_bundle(closed_bundle, keys=keys).findings] == ["BODY_MISSING"]
    both = verify.verify_bundle(closed_bundle, keys=keys, retention=RETENTION, successors=[current_bundle])
    assert (both.exit, {erasure.by for erasure in both.authorised}) == (verify.OK, {entry.seq})

    # An entry that was changed authorises nothing, in the tables or in an export.
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, current.log_id).set_entry(entry.seq or 0, "actor = 'user:66'")
    assert [finding.kind for finding in sealed.check(closed).findings] == ["BODY_MISSING"]
    changed = exported(sealed, current, tmp_path)
    with pytest.raises(verify.Malformed, match="does not verify itself"):
        verify.verify_bundle(closed_bundle, keys=keys, successors=[changed])


def test_an_erasure_that_no_checkpoint_covers_yet_authorises_nothing_in_another_log(
    sealed: SealedPharmacy, tmp_path: Path
) -> None:
    closed, current = incarnate(sealed)
    erase(sealed, seq=[4], log=closed.origin)
    closed_bundle, current_bundle = exported(sealed, closed, tmp_path), exported(sealed, current, tmp_path)
    report = verify.verify_bundle(closed_bundle, keys=keys_of(closed, current), successors=[current_bundle])
    assert [finding.kind for finding in report.findings] == ["BODY_MISSING"]


def test_the_log_of_another_pharmacy_cannot_authorise(sealed: SealedPharmacy, write: Write) -> None:
    """Whoever may append to some log must not be able to excuse a deletion in another's."""
    closed, _ = incarnate(sealed)
    erase(sealed, seq=[4], log=closed.origin)
    stranger = make.pharmacy()
    audit_body = {"basis": "none", "count": 1, "log": str(closed.log_id), "ranges": [[5, 5]]}
    about = audit.Subject("log", str(closed.log_id))
    write(stranger, audit.Event.ERASED, subject=about, body=audit_body, using="owner")
    report = sealed.check(closed)
    assert [(erasure.first, erasure.last) for erasure in report.authorised] == [(4, 4)]


def test_a_month_of_a_closed_log_is_retired_by_the_one_that_continues_it(
    sealed: SealedPharmacy, write: Write, database: Database, tmp_path: Path
) -> None:
    old = OldSealedPharmacy(write, database)
    closed, current = incarnate(old)
    bundle, vkey = exported(old, closed, tmp_path), tmp_path / "vkey"
    vkey.write_text(
        "".join(f"{service.make_sealer().keys[0].named(row.origin).verifier}\n" for row in (closed, current))
    )
    state = {
        "month": "2020-01", "bundle": bundle, "vkey": vkey, "basis": "Six years are over.", "log": closed.origin,
        "keep-days": 2190,
    }  # fmt: skip
    authority = authorise(old, "retire", **state)
    with pytest.raises(CommandError, match="not retired in"):
        call_command("audit", "retire", "drop", "--month", "2020-01")
    call_command("audit", "retire", "state", str(authority), stdout=StringIO())
    old.seal()
    call_command("audit", "retire", "drop", "--month", "2020-01", stdout=StringIO())
    report = old.check(closed)
    assert [
        (retirement.what, retirement.first, retirement.last, retirement.log) for retirement in report.authorised
    ] == [("RETIRED", 1, 10, current.origin)]
    assert report.exit == verify.OK, list(report.lines())


def verify_command(sealed: SealedPharmacy) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("audit", "verify", pharmacy=sealed.pharmacy.pk, full=True, no_record=True, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_a_closed_log_does_not_cry_every_night_but_does_when_its_end_is_cut_off(
    sealed: SealedPharmacy, database: Database
) -> None:
    sealed.write(sealed.pharmacy)  # never signed, since the log is closed before the next round
    closed, _ = incarnate(sealed)
    status, report = verify_command(sealed)
    assert (status, "nothing is outstanding" in report) == (0, True), report
    size = sealed.check(closed).last
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, closed.log_id).cut(size)
    status, report = verify_command(sealed)
    assert status == verify.TAMPERED
    assert f"was closed with {size} entries and has {size - 1} now" in report
