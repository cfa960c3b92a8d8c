"""The sealer signs what it recomputed itself, never two truths about one size, and nothing that goes back in time."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.management import CommandError, call_command

from deploy.demo.attacks import unguarded
from dispensary import audit
from dispensary.audit.log.database import LogRow, open_logs
from dispensary.audit.log.links import leaves
from dispensary.audit.sealing import service
from dispensary.audit.sealing.keys import KeyTrouble, make_key, read_keys
from dispensary.audit.sealing.merkle import root
from dispensary.audit.sealing.notes import open_checkpoint
from dispensary.audit.sealing.sealer import Sealer, SealRefused
from dispensary.audit.sealing.state import StateFolder, StateTrouble
from dispensary.models import AuditEntry, Pharmacy
from tests.site import Database, Site

Write = Callable[..., UUID]
SEAL = (sys.executable, "manage.py", "audit", "seal", "--pharmacy")


@pytest.fixture
def sealer(database: Database, committed_pharmacy: Pharmacy, tmp_path: Path) -> Iterator[Sealer]:
    with database.connect("sealer") as connection:
        yield Sealer(connection, [make_key(tmp_path / "key")], StateFolder(tmp_path / "state"))


@pytest.fixture
def attacker(database: Database, committed_pharmacy: Pharmacy) -> Iterator[psycopg.Connection[Any]]:
    """A superuser who has dropped the guards; they are put back afterwards."""
    with database.connect("superuser") as connection, unguarded(connection):
        yield connection


def log_of(sealer: Sealer, pharmacy: Pharmacy) -> LogRow:
    return next(open_log for open_log in open_logs(sealer.connection) if open_log.pharmacy == pharmacy.pk)


def notes(sealer: Sealer, log: LogRow) -> list[str]:
    rows = sealer.connection.execute(
        "SELECT note FROM audit.checkpoint WHERE log_id = %s ORDER BY size", [log.log_id]
    ).fetchall()
    return [note for (note,) in rows]


def test_a_checkpoint_states_size_and_root_and_is_signed_under_the_logs_name(
    sealer: Sealer, committed_pharmacy: Pharmacy, write: Write
) -> None:
    for _ in range(5):
        write(committed_pharmacy)
    log = log_of(sealer, committed_pharmacy)
    sealed = sealer.seal(log)
    assert sealed is not None
    assert (sealed.size, sealed.added) == (5, 5)
    (note,) = notes(sealer, log)
    checkpoint = open_checkpoint(note, [sealer.keys[0].named(log.origin).verifier])
    assert (checkpoint.origin, checkpoint.size) == (log.origin, 5)
    assert checkpoint.root == root(leaves(sealer.connection, log.log_id, upto=5))


def test_a_log_that_did_not_grow_gets_no_second_checkpoint(
    sealer: Sealer, committed_pharmacy: Pharmacy, write: Write
) -> None:
    write(committed_pharmacy)
    log = log_of(sealer, committed_pharmacy)
    sealer.seal(log)
    again = sealer.seal(log)
    assert again is not None
    assert again.added == 0
    assert len(notes(sealer, log)) == 1


def test_each_checkpoint_continues_the_one_before(sealer: Sealer, committed_pharmacy: Pharmacy, write: Write) -> None:
    log = None
    for size in (3, 1, 7):
        for _ in range(size):
            write(committed_pharmacy)
        log = log_of(sealer, committed_pharmacy)
        sealer.seal(log)
    assert log is not None
    vkey = sealer.keys[0].named(log.origin).verifier
    for note in notes(sealer, log):
        checkpoint = open_checkpoint(note, [vkey])
        assert checkpoint.root == root(leaves(sealer.connection, log.log_id, upto=checkpoint.size))
    assert [open_checkpoint(note, [vkey]).size for note in notes(sealer, log)] == [3, 4, 11]


def test_an_altered_leaf_is_not_signed(
    sealer: Sealer, committed_pharmacy: Pharmacy, write: Write, attacker: psycopg.Connection[Any]
) -> None:
    for _ in range(4):
        write(committed_pharmacy)
    log = log_of(sealer, committed_pharmacy)
    attacker.execute("UPDATE audit.link SET leaf = sha256('x') WHERE log_id = %s AND seq = 3", [log.log_id])
    with pytest.raises(SealRefused) as refused:
        sealer.seal(log)
    assert (refused.value.finding, refused.value.seq) == ("ENTRY_MODIFIED", 3)
    assert notes(sealer, log) == []


def test_an_altered_entry_is_not_signed(
    sealer: Sealer, committed_pharmacy: Pharmacy, write: Write, attacker: psycopg.Connection[Any]
) -> None:
    entries = [write(committed_pharmacy) for _ in range(4)]
    attacker.execute("UPDATE audit.entry SET actor = 'user:2' WHERE entry_id = %s", [entries[1]])
    with pytest.raises(SealRefused) as refused:
        sealer.seal(log_of(sealer, committed_pharmacy))
    assert (refused.value.finding, refused.value.seq) == ("ENTRY_MODIFIED", 2)


def test_a_missing_number_and_a_missing_entry_are_not_signed(
    sealer: Sealer, committed_pharmacy: Pharmacy, write: Write, attacker: psycopg.Connection[Any]
) -> None:
    entries = [write(committed_pharmacy) for _ in range(4)]
    log = log_of(sealer, committed_pharmacy)
    attacker.execute("DELETE FROM audit.entry WHERE entry_id = %s", [entries[2]])
    with pytest.raises(SealRefused, match=r"ENTRY_MISSING .* at 3"):
        sealer.seal(log)
    attacker.execute("DELETE FROM audit.link WHERE log_id = %s AND seq = 2", [log.log_id])
    with pytest.raises(SealRefused, match=r"GAP .* at 2"):
        sealer.seal(log)


def test_a_database_put_back_in_time_is_a_fork(
    sealer: Sealer, committed_pharmacy: Pharmacy, write: Write, attacker: psycopg.Connection[Any]
) -> None:
    for _ in range(6):
        write(committed_pharmacy)
    log = log_of(sealer, committed_pharmacy)
    sealer.seal(log)
    for table in ("checkpoint", "link"):
        column = "size" if table == "checkpoint" else "seq"
        attacker.execute(f"DELETE FROM audit.{table} WHERE log_id = %s AND {column} > 4", [log.log_id])
    with pytest.raises(SealRefused) as refused:
        sealer.seal(log)
    assert refused.value.finding == "FORK"
    for _ in range(3):
        write(committed_pharmacy)  # life goes on after the restore, and the numbers pass 6
    with pytest.raises(SealRefused, match="FORK") as refused:
        sealer.seal(log)
    assert refused.value.seq == 6


def test_a_rewritten_past_is_a_fork_even_where_the_last_leaf_was_kept(
    sealer: Sealer, committed_pharmacy: Pharmacy, write: Write, attacker: psycopg.Connection[Any]
) -> None:
    for _ in range(6):
        write(committed_pharmacy)
    log = log_of(sealer, committed_pharmacy)
    sealer.seal(log)
    attacker.execute("UPDATE audit.link SET leaf = sha256('x') WHERE log_id = %s AND seq = 2", [log.log_id])
    fresh = Sealer(sealer.connection, sealer.keys, sealer.states)
    with pytest.raises(SealRefused, match="FORK"):
        fresh.seal(log)


def test_a_lost_state_is_not_guessed_but_adopted_after_verification(
    sealer: Sealer, committed_pharmacy: Pharmacy, write: Write, attacker: psycopg.Connection[Any]
) -> None:
    for _ in range(3):
        write(committed_pharmacy)
    log = log_of(sealer, committed_pharmacy)
    sealer.seal(log)
    sealer.states.path(log.log_id).unlink()
    write(committed_pharmacy)
    with pytest.raises(StateTrouble, match="--adopt"):
        sealer.seal(log)
    attacker.execute("UPDATE audit.link SET leaf = sha256('x') WHERE log_id = %s AND seq = 2", [log.log_id])
    with pytest.raises(SealRefused):
        sealer.adopt(log)
    leaf = attacker.execute(
        "SELECT audit.leaf(audit.header(e, 2, p.leaf)) FROM audit.link l JOIN audit.entry e USING (entry_id) "
        "JOIN audit.link p ON p.log_id = l.log_id AND p.seq = 1 WHERE l.log_id = %s AND l.seq = 2",
        [log.log_id],
    ).fetchone()
    assert leaf is not None
    attacker.execute("UPDATE audit.link SET leaf = %s WHERE log_id = %s AND seq = 2", [leaf[0], log.log_id])
    assert sealer.adopt(log).size == 3
    sealed = sealer.seal(log)
    assert sealed is not None
    assert sealed.size == 4


def test_a_damaged_state_stops_the_sealer(sealer: Sealer, committed_pharmacy: Pharmacy, write: Write) -> None:
    write(committed_pharmacy)
    log = log_of(sealer, committed_pharmacy)
    sealer.seal(log)
    path = sealer.states.path(log.log_id)
    state = json.loads(path.read_text())
    path.write_text(path.read_text()[:40])
    with pytest.raises(StateTrouble):
        sealer.seal(log)
    path.write_text(json.dumps({**state, "root": "00" * 32}))
    with pytest.raises((StateTrouble, SealRefused)):
        Sealer(sealer.connection, sealer.keys, sealer.states).seal(log)


def test_a_crash_between_state_and_database_publishes_the_same_note_later(
    sealer: Sealer, committed_pharmacy: Pharmacy, write: Write, attacker: psycopg.Connection[Any]
) -> None:
    write(committed_pharmacy)
    log = log_of(sealer, committed_pharmacy)
    sealer.seal(log)
    before = notes(sealer, log)
    attacker.execute("DELETE FROM audit.checkpoint WHERE log_id = %s", [log.log_id])  # as if it had not got there
    sealer.seal(log)
    assert notes(sealer, log) == before


def test_only_one_sealer_at_a_time_seals_a_log(sealer: Sealer, committed_pharmacy: Pharmacy, write: Write) -> None:
    write(committed_pharmacy)
    log = log_of(sealer, committed_pharmacy)
    with StateFolder(sealer.states.folder).lock(log.log_id) as mine:
        assert mine
        assert sealer.seal(log) is None
    assert sealer.seal(log) is not None


def test_nothing_is_signed_ahead_of_the_standbys(
    database: Database, committed_pharmacy: Pharmacy, write: Write, sealer: Sealer
) -> None:
    write(committed_pharmacy)
    with database.connect("superuser") as admin:
        admin.execute(f'GRANT pg_read_all_stats TO "{database.roles.sealer.name}"')
    sealer.standbys = 1
    log = log_of(sealer, committed_pharmacy)
    assert sealer.seal(log) is None
    assert notes(sealer, log) == []


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(KeyTrouble, match="read by others"):
        read_keys(tmp_path / "key")
    with pytest.raises(KeyTrouble, match="exists"):
        make_key(tmp_path / "key")
    with pytest.raises(KeyTrouble, match="audit key"):
        read_keys(tmp_path / "none")


@pytest.mark.django_db(transaction=True, databases=["default", "sealer"])
def test_a_round_records_the_posture_once_a_day_and_signs_it(
    own_key: Path, committed_pharmacy: Pharmacy, write: Write, now: dt.datetime
) -> None:
    write(committed_pharmacy)
    sealer = service.make_sealer()
    for hours, postures in ((0, 1), (1, 1), (23, 1), (24, 2), (47, 2), (49, 3)):
        done = service.seal_round(sealer, now + dt.timedelta(hours=hours), pharmacy=committed_pharmacy.pk)
        assert [trouble for trouble in done.refused if str(committed_pharmacy.pk) in str(trouble)] == []
        posture_entries = AuditEntry.objects.filter(pharmacy=committed_pharmacy.pk, action=audit.Event.POSTURE)
        assert posture_entries.count() == postures, hours
    log = log_of(sealer, committed_pharmacy)
    assert open_checkpoint(notes(sealer, log)[-1], [sealer.keys[0].named(log.origin).verifier]).size == 4
    (line,) = audit.history(audit.Subject("log", str(log.log_id)), pharmacy=committed_pharmacy)[:1]
    assert line.body is not None
    assert line.body["split"] is True
    assert line.body["triggers"]["entry.guard"] == "A"
    assert len(line.body["functions"]["audit.refuse()"]) == 64
    assert line.entry.db_role == sealer.connection.info.user


@pytest.mark.django_db(transaction=True, databases=["default", "sealer"])
def test_a_rotated_key_signs_beside_the_old_one_until_that_is_dropped(
    own_key: Path, committed_pharmacy: Pharmacy, write: Write, now: dt.datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    write(committed_pharmacy)
    (old,) = read_keys(own_key)
    call_command("audit", "key", "--rotate")
    new, still = read_keys(own_key)
    assert still == old
    sealer = service.make_sealer()
    log = log_of(sealer, committed_pharmacy)
    sealer.seal(log)
    note = notes(sealer, log)[-1]
    for key in (old, new):
        assert open_checkpoint(note, [key.named(log.origin).verifier]).size == 2
    assert AuditEntry.objects.filter(pharmacy=committed_pharmacy.pk, action=audit.Event.KEY_ROTATED).count() == 1
    call_command("audit", "key", "--drop-old")
    assert read_keys(own_key) == [new]


@pytest.mark.faults
def test_a_sealer_killed_at_any_moment_never_signs_two_truths(
    site: Site, committed_pharmacy: Pharmacy, write: Write, tmp_path: Path
) -> None:
    """kill -9 at growing delays while entries arrive; every note that ever existed must fit the log of the end."""
    environment = site.environment(AUDIT_KEY_FILE=str(tmp_path / "key"))
    make_key(tmp_path / "key")
    signed_notes: set[str] = set()
    with site.database.connect("sealer") as connection:
        for attempt in range(8 if os.environ.get("FAULTS") == "long" else 2):
            child = subprocess.Popen([*SEAL, str(committed_pharmacy.pk), "--interval", "0.01"], env=environment)
            count_before, deadline = len(signed_notes), time.monotonic() + 30
            while len(signed_notes) < count_before + 3 and time.monotonic() < deadline:
                write(committed_pharmacy)
                for file in (tmp_path / "audit-state").glob("*.json"):
                    signed_notes.add(json.loads(file.read_text())["note"])
            time.sleep(attempt * 0.002)
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        final = Sealer(connection, read_keys(tmp_path / "key"), StateFolder(tmp_path / "audit-state"))
        log = log_of(final, committed_pharmacy)
        final.seal(log)
        vkey = [final.keys[0].named(log.origin).verifier]
        mine = {note for note in signed_notes | set(notes(final, log)) if note.startswith(log.origin + "\n")}
        assert len(mine) > 4
        for note in mine:
            checkpoint = open_checkpoint(note, vkey)
            assert checkpoint.root == root(leaves(connection, log.log_id, upto=checkpoint.size))


def test_without_a_key_the_command_says_what_to_do(settings: Any) -> None:
    settings.DISPENSARY = {**getattr(settings, "DISPENSARY", {}), "audit_key_file": None}
    with pytest.raises(CommandError, match="AUDIT_KEY_FILE"):
        call_command("audit", "key", "--show")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, databases=["default", "sealer"])
def test_a_sealer_that_loses_its_connection_finds_back(
    own_key: Path, site: Site, committed_pharmacy: Pharmacy, write: Write
) -> None:
    """Terminated by the server in the middle of its work, it connects again and goes on signing."""
    write(committed_pharmacy)
    environment = site.environment(AUDIT_KEY_FILE=str(own_key))
    child = subprocess.Popen([*SEAL, str(committed_pharmacy.pk), "--interval", "0.1"], env=environment)
    try:
        with site.database.connect("superuser") as admin:
            for size in (2, 3):
                assert sealed_size(admin, committed_pharmacy, at_least=size) >= size
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s",
                    [site.database.roles.sealer.name],
                )
                write(committed_pharmacy)
            assert sealed_size(admin, committed_pharmacy, at_least=4) >= 4
        assert child.poll() is None
        child.terminate()
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait()


def sealed_size(connection: psycopg.Connection[Any], pharmacy: Pharmacy, *, at_least: int) -> int:
    deadline = time.monotonic() + 60
    while True:
        row = connection.execute(
            "SELECT coalesce(max(size), 0) FROM audit.checkpoint JOIN audit.log USING (log_id) WHERE pharmacy = %s",
            [pharmacy.pk],
        ).fetchone()
        assert row is not None
        if row[0] >= at_least or time.monotonic() > deadline:
            return int(row[0])
        time.sleep(0.1)
