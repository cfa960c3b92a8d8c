"""The rows of the tampering matrix around the chain: by the application's role, the owner, an outsider.

The chain itself is attacked in `test_tampering.py`. Each attack succeeded once; what is still not shown is asserted as such.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from deploy.demo.attacks import Attack, unguarded
from dispensary.actions import tokens
from dispensary.actors import Actor
from dispensary.audit import Event, Subject
from dispensary.audit.checks import catalogue, live, system, verification
from dispensary.audit.evidence import verify
from dispensary.audit.log import reader
from dispensary.audit.log.database import LogRow, all_logs, raw_connection
from dispensary.audit.log.writer import REGISTER
from dispensary.audit.sealing import service
from dispensary.audit.sealing.state import State
from dispensary.counter.log_standing import read_standing
from dispensary.models import AuditEntry, Pharmacy, StaffRole
from tests.dispensary import make
from tests.dispensary.audit.signing import RETENTION, statement, trust_signers
from tests.site import Database

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "sealer", "owner"])

APPEND = "SELECT audit.append(%s, 'o', %s, 'success', 'user:1', 'pharmacist', now(), 'log', 'l', %s)"
PRIVILEGED = (
    "audit.erased", "audit.retired", "audit.incarnation", "audit.lost", "audit.posture", "audit.interference", "audit.anything",
    "key.rotated", "log.verified",
)  # fmt: skip


def log_of(pharmacy: Pharmacy) -> LogRow:
    return all_logs(raw_connection("sealer"), pharmacy.pk)[0]


def check(pharmacy: Pharmacy, **options: Any) -> verify.Report:
    row = log_of(pharmacy)
    keys = [verify.Key.parse(str(key.named(row.origin).verifier)) for key in service.make_sealer().keys]
    return live.check_log(raw_connection("sealer"), row, keys, **{"grace": 0, "retention": RETENTION, **options}).report


def seal(pharmacy: Pharmacy) -> service.Round:
    return service.seal_round(service.make_sealer(), timezone.now(), pharmacy=pharmacy.pk)


def places(report: verify.Report) -> list[tuple[str, str]]:
    return [(finding.kind, finding.position) for finding in report.findings]


# Who may authorise a gap.


@pytest.mark.parametrize("action", PRIVILEGED)
def test_the_application_cannot_speak_for_the_log_itself(sealed: Pharmacy, database: Database, action: str) -> None:
    with (
        database.connect("app") as app,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="not the application's"),
    ):
        app.execute(APPEND, [sealed.pk, action, "{}"])
    with database.connect("app") as app:
        app.execute(APPEND, [sealed.pk, "log.reviewed", "{}"])


@pytest.mark.parametrize(
    ("action", "body", "table"),
    [
        ("audit.retired", '{"basis":"x","first":5,"last":5}', "entry"),
        ("audit.retired", '{"basis":"x","first":1,"last":12}', "entry"),
        ("audit.erased", '{"basis":"x","ranges":[[5,5]]}', "body"),
    ],
)
def test_a_gap_that_the_owner_authorises_alone_is_the_logs_own_word(
    sealed: Pharmacy, database: Database, action: str, body: str, table: str
) -> None:
    """The owner can write the entry, have it signed and remove the lines: what is missing are two people's keys."""
    with database.connect("owner") as owner:
        owner.execute(APPEND, [sealed.pk, action, body])
    seal(sealed)
    first, last = (1, 12) if '"last":12' in body else (5, 5)
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, log_of(sealed).log_id).delete(table, first, last)
    report = check(sealed)
    assert (report.exit, report.authorised) == (verify.INCOMPLETE, [])
    assert places(report) == [("OWN_WORD", f"{first}-{last}" if last > first else "5")]


# The sealer.


def test_no_lock_of_the_application_stops_the_sealer(
    sealed: Pharmacy, database: Database, write: Callable[..., UUID]
) -> None:
    log = log_of(sealed)
    with database.connect("app") as app:
        app.execute("SELECT pg_advisory_lock(%s)", [int.from_bytes(log.log_id.bytes[:8], "big", signed=True)])
        write(sealed)
        assert [done.added for done in seal(sealed).sealed] == [1]


def test_two_sealers_at_once_on_new_logs_forget_none(
    own_key: Path, transactional_db: None, database: Database, write: Callable[..., UUID]
) -> None:
    """The state is read and written under the lock, the day's posture too."""
    pharmacies = [Pharmacy.objects.create(name=f"High Street {n}", opened_at=timezone.now()) for n in range(12)]
    for pharmacy in pharmacies:
        write(pharmacy)
    rounds: list[service.Round] = []

    def work() -> None:
        for pharmacy in pharmacies:
            rounds.append(seal(pharmacy))
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [str(trouble) for done in rounds for trouble in done.refused] == []
    states = service.make_sealer().states
    sizes = {pharmacy.pk: getattr(states.load(log_of(pharmacy).log_id), "size", 0) for pharmacy in pharmacies}
    assert set(sizes.values()) == {2}  # the entry and one posture


def test_one_refused_log_stops_no_other_and_is_not_read_again_at_once(
    sealed: Pharmacy, database: Database, write: Callable[..., UUID]
) -> None:
    sealer, now = service.make_sealer(), timezone.now()
    write(sealed)
    service.seal_round(sealer, now, pharmacy=sealed.pk)
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, log_of(sealed).log_id).cut(10)
    first = service.seal_round(sealer, now, pharmacy=sealed.pk).refused
    assert [getattr(trouble, "finding", "") for trouble in first] == ["FORK"]
    assert service.seal_round(sealer, now + service.RETRY / 2, pharmacy=sealed.pk).refused == first
    assert service.seal_round(sealer, now + service.RETRY, pharmacy=sealed.pk).refused != first


# Whole logs.


def delete_log(database: Database, pharmacy: Pharmacy) -> LogRow:
    row = log_of(pharmacy)
    with database.connect("superuser") as connection, unguarded(connection):
        connection.execute("ALTER TABLE audit.entry DISABLE TRIGGER link_entry")
        for table in ("delivery", "cosignature", "checkpoint", "body", "entry", "link", "head", "log"):
            about = (
                "entry_id IN (SELECT entry_id FROM audit.link WHERE log_id = %s)" if table == "body" else "log_id = %s"
            )
            connection.execute(f"DELETE FROM audit.{table} WHERE {about}", [row.log_id])
        connection.execute("ALTER TABLE audit.entry ENABLE TRIGGER link_entry")
    return row


def run_verify(*words: object) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("audit", "verify", "--no-record", "--no-reconcile", *map(str, words), stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


def test_a_log_that_is_gone_is_named_by_the_sealer_and_by_verify(sealed: Pharmacy, database: Database) -> None:
    held_folder = service.make_sealer().states.folder.parent / "held"
    held_folder.write_text(service.make_sealer().states.load(log_of(sealed).log_id).note)  # type: ignore[union-attr]  # sealed before, so there is a state
    row = delete_log(database, sealed)
    lost = service.lost_states(raw_connection("sealer"), service.make_sealer().states)
    assert [(state.origin, state.size) for state in lost] == [(row.origin, 13)]
    status, text = run_verify("--pharmacy", sealed.pk)
    assert (status, "TRUNCATED at 1-13" in text, row.origin in text) == (verify.TAMPERED, True, True)
    status, text = run_verify("--pharmacy", sealed.pk, "--checkpoint", held_folder)
    assert (status, "no log" in text) == (verify.UNREADABLE, True)


def run_lost(sealed: Pharmacy, *words: str) -> tuple[int, str]:
    """Exit status and words of `audit lost` by two people."""
    by, second = (make.staff(sealed, StaffRole.MANAGER, now=timezone.now()).user.username for _ in range(2))
    out = StringIO()
    people = ("--by", by, "--second", by if "alone" in words else second)
    try:
        call_command(
            "audit", "lost", "--reason", "Restored.", *people, *(word for word in words if word != "alone"), stdout=out, stderr=out
        )  # fmt: skip
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def continue_register(sealed: Pharmacy, write: Callable[..., UUID], *, is_short: bool) -> None:
    """Continue the register of logs over its end; `is_short`: the last entries that were signed are gone, as after a restore."""
    write(REGISTER)
    connection, states = raw_connection("owner"), service.make_sealer().states
    row = log_of_register()
    size, leaf = connection.execute(
        "SELECT seq, leaf FROM audit.link WHERE log_id = %s ORDER BY seq DESC LIMIT 1", [row.log_id]
    ).fetchone() or (0, b"")
    states.save(State(str(row.log_id), row.origin, size=size + 5 * is_short, last_leaf=bytes(leaf).hex()))
    people = {
        name: make.staff(sealed, StaffRole.MANAGER, now=timezone.now()).user.username for name in ("by", "second")
    }
    call_command("audit", "incarnation", pharmacy=REGISTER, reason="Restored.", **people, stdout=StringIO())


def log_of_register() -> LogRow:
    return next(row for row in all_logs(raw_connection("owner"), REGISTER) if not row.closed)


def lost_origins() -> list[str]:
    return [state.origin for state in service.lost_states(raw_connection("sealer"), service.make_sealer().states)]


def test_a_log_that_a_restore_took_away_is_settled_by_two_people_in_the_register(
    sealed: Pharmacy, database: Database, write: Callable[..., UUID]
) -> None:
    row = delete_log(database, sealed)
    continue_register(sealed, write, is_short=True)
    status, text = run_lost(sealed, "--log", row.origin)
    assert (status, "With --yes" in text, row.origin in lost_origins()) == (0, True, True)
    status, text = run_lost(sealed, "--log", row.origin, "--yes")
    assert (status, "recorded in the register" in text, row.origin in lost_origins()) == (0, True, False)
    (entry,) = AuditEntry.objects.filter(action="audit.lost", subject_id=str(row.log_id))
    assert entry.log_id == log_of_register().log_id and entry.second_actor != entry.actor
    (kept,) = service.make_sealer().states.folder.glob("*.lost.json")
    assert row.origin in kept.read_text()
    assert row.origin not in "".join(map(str, service.seal_round(service.make_sealer(), timezone.now()).refused))
    assert run_lost(sealed, "--log", row.origin, "--yes")[1] == "No log that was signed is gone.\n"


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        ("the register was not continued", "Nothing shows"),
        ("the register lacks nothing", "Nothing shows"),
        ("the register names the log", "it was deleted"),
        ("the log was sealed since", "Nothing shows"),
        ("the state says nothing of when", "Nothing shows"),
        ("alone", "two different people"),
    ],
)
def test_a_log_that_was_deleted_is_not_settled_as_lost_with_a_restore(
    sealed: Pharmacy, database: Database, write: Callable[..., UUID], attack: str, words: str
) -> None:
    row = log_of(sealed)
    states = service.make_sealer().states
    if attack == "the register names the log":
        body = {"log": row.log_id, "origin": row.origin}
        write(REGISTER, Event.LOG_REGISTERED, subject=Subject("log", str(row.log_id)), body=body, using="owner")
    delete_log(database, sealed)
    if attack != "the register was not continued":
        continue_register(sealed, write, is_short=attack != "the register lacks nothing")
    state = states.load(row.log_id)
    assert state is not None
    if attack == "the log was sealed since":
        states.save(replace(state, heartbeat_at=(timezone.now() + timedelta(minutes=1)).isoformat()))
    if attack == "the state says nothing of when":
        states.save(replace(state, heartbeat_at=""))
    status, text = run_lost(sealed, "--log", row.origin, "--yes", *(["alone"] if attack == "alone" else []))
    assert (status, words in text) == (1, True), text
    assert row.origin in lost_origins()
    assert not AuditEntry.objects.filter(action="audit.lost", subject_id=str(row.log_id)).exists()


def test_a_log_that_the_register_names_and_that_is_gone_is_truncated(
    sealed: Pharmacy, database: Database, write: Callable[..., UUID]
) -> None:
    """Without the sealer's state; the entry is one that a round over all logs writes."""
    row = log_of(sealed)
    body = {"log": row.log_id, "origin": row.origin, "genesis": row.genesis, "pharmacy": row.pharmacy}
    write(REGISTER, Event.LOG_REGISTERED, subject=Subject("log", str(row.log_id)), body=body, using="sealer")
    delete_log(database, sealed)
    for path in service.state_folder().glob("*"):
        path.unlink()
    status, text = run_verify("--pharmacy", sealed.pk)
    assert (status, "the register names it" in text) == (verify.TAMPERED, True)


def test_a_pharmacy_without_a_log_is_unusable_not_good(sealed: Pharmacy) -> None:
    assert run_verify("--pharmacy", UUID(int=5))[0] == verify.UNREADABLE


@pytest.mark.parametrize("change", ["as it is", "CRLF", "BOM", "garbage", "of another log"])
def test_a_held_checkpoint_is_used_or_refused_never_ignored(sealed: Pharmacy, tmp_path: Path, change: str) -> None:
    states = service.make_sealer().states
    note = getattr(states.load(log_of(sealed).log_id), "note", "").encode()
    held_folder = tmp_path / "held"
    held_folder.write_bytes({
        "as it is": note, "CRLF": note.replace(b"\n", b"\r\n"), "BOM": b"\xef\xbb\xbf" + note, "garbage": b"# Readme\n",
        "of another log": note.replace(str(sealed.pk).encode(), b"elsewhere"),
    }[change])  # fmt: skip
    status, text = run_verify("--pharmacy", sealed.pk, "--checkpoint", held_folder, "--grace", 0)
    if change in ("garbage", "of another log"):
        assert status == verify.UNREADABLE
    else:
        assert (status, "1 of them yours" in text) == (verify.OK, True)


def test_an_export_after_the_end_was_cut_off_carries_the_checkpoints_that_show_it(
    sealed: Pharmacy, database: Database, tmp_path: Path
) -> None:
    row = log_of(sealed)
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, row.log_id).cut(13)
    call_command("audit", "export", str(tmp_path / "log.zip"), log=row.origin, quiet=True, stdout=StringIO())
    key = service.make_sealer().keys[0].named(row.origin).verifier
    report = verify.verify_bundle(tmp_path / "log.zip", keys=[verify.Key.parse(str(key))])
    assert (report.exit, places(report)[0]) == (verify.TAMPERED, ("TRUNCATED", "13"))
    call_command(
        "audit", "export", str(tmp_path / "part.zip"), "--to", "5", log=row.origin, quiet=True, stdout=StringIO()
    )
    report = verify.verify_bundle(tmp_path / "part.zip", keys=[verify.Key.parse(str(key))])
    assert report.exit == verify.INCOMPLETE


# What is around the tables, and the past.


def test_an_older_entry_that_was_changed_is_found_within_a_week_by_the_nightly_runs(
    sealed: Pharmacy, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_verify("--pharmacy", sealed.pk)[0] == verify.OK
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, log_of(sealed).log_id).set_entry(5, "actor = 'user:66'")
    today, statuses = timezone.now(), []
    for day in range(live.WINDOWS):
        monkeypatch.setattr(timezone, "now", lambda day=day: today + timedelta(days=day))
        status, text = run_verify("--pharmacy", sealed.pk)
        assert "of the past verified again" in text
        statuses.append((status, "ENTRY_MODIFIED at 5" in text))
    assert (verify.TAMPERED, True) in statuses


def test_erased_bodies_of_the_past_stay_authorised_in_the_nightly_runs(
    sealed: Pharmacy, database: Database, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    trust_signers(settings, tmp_path)
    assert run_verify("--pharmacy", sealed.pk)[0] == verify.OK
    log = log_of(sealed)
    with database.connect("owner") as owner:
        note = statement("audit.erased", log.log_id, [[2, 9]])
        owner.execute(
            "SELECT audit.erase(%s, '{2,3,4,5,6,7,8,9}', 'x', 'user:1', 'manager', 'user:2', 'Ann', now(), %s)",
            [log.log_id, note],
        )
    seal(sealed)
    today = timezone.now()
    for day in range(live.WINDOWS):
        monkeypatch.setattr(timezone, "now", lambda day=day: today + timedelta(days=day))
        status, text = run_verify("--pharmacy", sealed.pk)
        assert status == verify.OK, text


def test_the_catalogue_is_that_of_this_release(database: Database, db: None) -> None:
    """With `REWRITE_CATALOGUE=1` this test writes it anew, after a migration that changes the objects of the log."""
    with database.connect("sealer") as connection:
        if os.environ.get("REWRITE_CATALOGUE"):
            released = json.loads(catalogue.RELEASED.read_text()) if catalogue.RELEASED.exists() else {}
            released[str(connection.info.server_version // 10000)] = catalogue.read_catalogue(connection)
            catalogue.RELEASED.write_text(json.dumps(released, indent=1, sort_keys=True) + "\n")
        assert list(catalogue.compare_catalogue(connection)) == []


CHANGES = {
    "CREATE RULE mine AS ON INSERT TO audit.entry WHERE NEW.actor = 'user:66' DO INSTEAD NOTHING": "rule mine on entry is not part",
    "CREATE OR REPLACE VIEW audit.line AS SELECT e.entry_id, e.log_id, g.pharmacy, g.origin, l.seq, l.leaf, e.recorded_at, "
    "e.occurred_at, e.txid, e.db_role, 'user:1'::text AS actor, e.actor_role, e.second_actor, e.station, e.request_id, e.action, "
    "e.outcome, e.reason_code, e.subject_type, e.subject_id, e.patient_ref, e.drug_code, e.rule_codes, e.ruleset, e.engine, "
    "e.corrects_seq, e.body_commit, e.body_kind, e.v FROM audit.entry e JOIN audit.log g USING (log_id) "
    "LEFT JOIN audit.link l ON l.entry_id = e.entry_id": "view line is not that of this release",
    "GRANT UPDATE ON audit.entry TO {app}": "has UPDATE on audit.entry",
    "GRANT INSERT ON audit.checkpoint TO {app}": "has INSERT on audit.checkpoint",
    "GRANT EXECUTE ON FUNCTION audit.guard(regclass) TO PUBLIC": "has EXECUTE on audit.guard",
    "DROP TRIGGER guard ON audit.entry": "trigger guard on entry is missing",
    "ALTER TABLE audit.entry DISABLE TRIGGER guard": "trigger guard on entry is not that",
    "DROP TRIGGER signed ON dispensary_override": "trigger signed on dispensary_override is missing",
    "ALTER TABLE audit.entry ENABLE ROW LEVEL SECURITY": "table entry is not that",
    "CREATE POLICY p ON audit.entry USING (actor <> 'user:66')": "policy p on entry is not part",
    "CREATE OR REPLACE FUNCTION audit.may_write(p_action text) RETURNS boolean LANGUAGE sql RETURN true": "function audit.may_write(text) is not that",
    "ALTER TABLE audit.link DROP CONSTRAINT link_entry_id_key": "constraint link_entry_id_key on link is missing",
    "GRANT UPDATE (actor) ON audit.entry TO {app}": "{app} has UPDATE on audit.entry.actor",
    "ALTER TABLE audit.delivery SET UNLOGGED": "table delivery is not that",
    "ALTER TABLE dispensary_override ENABLE ROW LEVEL SECURITY": "table dispensary_override is not that",
    "CREATE POLICY p ON dispensary_override TO {app} USING (words <> 'x')": "policy p on dispensary_override is not part",
    "CREATE RULE mine AS ON INSERT TO dispensary_override WHERE NEW.words = 'x' DO INSTEAD NOTHING": "rule mine on dispensary_override is not part",
    "CREATE TRIGGER mine BEFORE INSERT ON dispensary_override FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()":
    "trigger mine on dispensary_override is not part",
    "CREATE TRIGGER mine BEFORE INSERT ON dispensary_reminder FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()":
    "trigger mine on dispensary_reminder is not part",
    "CREATE RULE mine AS ON INSERT TO dispensary_worklistitem DO INSTEAD NOTHING": "rule mine on dispensary_worklistitem is not part",
    "ALTER TABLE dispensary_worklistitem DISABLE TRIGGER changed": "trigger changed on dispensary_worklistitem is not that",
    "CREATE OR REPLACE FUNCTION dispensary_set_changed_at() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'":
    "function public.dispensary_set_changed_at() is not that",
    "CREATE TABLE more () INHERITS (dispensary_override)": "table public.more below dispensary_override is not part",
    "GRANT TRIGGER ON dispensary_override TO {app}": "{app} has TRIGGER on dispensary_override",
    "GRANT UPDATE (words) ON dispensary_override TO {app}": "{app} has UPDATE on dispensary_override.words",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT INSERT ON TABLES TO {app}": "{app} has INSERT on every new table of the schema audit",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {app}": "{app} has SELECT on every new table of the schema audit",
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_owner_changes_of_the_logs_objects_is_named(database: Database, db: None, change: str) -> None:
    app = database.roles.app.name
    with database.connect("owner", autocommit=False) as owner:
        owner.execute(change.replace("{app}", f'"{app}"'))
        differences = list(catalogue.compare_catalogue(owner))
        assert [CHANGES[change].replace("{app}", app) in difference for difference in differences] == [True], (
            differences
        )
        owner.rollback()


POWERS = {
    "GRANT {owner} TO {app}": "{app} is a member of the role that owns the log",
    "GRANT {sealer} TO {app}": "{app} is a member of {sealer}",
    "GRANT pg_write_all_data TO {app}": "{app} may write every table",
    "GRANT pg_write_server_files TO {app}": "{app} may write the files of the server",
    "GRANT pg_execute_server_program TO {app}": "{app} may run programs on the server",
    "GRANT CREATE ON SCHEMA public TO {app}": "{app} may make objects in the schema public",
    "ALTER ROLE {app} SUPERUSER": "{app} is a superuser",
    "ALTER ROLE {app} BYPASSRLS": "{app} passes by row security",
    "ALTER ROLE {app} CREATEROLE": "{app} may make itself a member of other roles",
    "ALTER ROLE {app} SET search_path = mine, public": "{app} is started with search_path=mine, public",
    "ALTER ROLE {sealer} SET search_path = public, pg_catalog": "{sealer} is started with search_path=public, pg_catalog",
    "ALTER DATABASE {database} SET session_replication_role = replica": "every role is started with session_replication_role=replica",
    "ALTER TABLE dispensary_override OWNER TO {app}": "{app} owns dispensary_override",
    "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION public.mine()": "event trigger mine is not part of this release",
    "CREATE OR REPLACE FUNCTION pg_catalog.sha256(bytea) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'sha224_bytea'":
    "PostgreSQL's own function sha256 is not that of this release",
}  # fmt: skip


@pytest.mark.parametrize("change", POWERS)
def test_what_a_superuser_changes_around_the_log_is_named(database: Database, db: None, change: str) -> None:
    kinds = ("app", "owner", "sealer")
    names = {kind: getattr(database.roles, kind).name for kind in kinds} | {"database": database.name}
    with database.connect("superuser", autocommit=False) as admin:
        if "EVENT TRIGGER" in change:
            admin.execute("CREATE FUNCTION public.mine() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'")
        admin.execute(change.format_map({kind: f'"{name}"' for kind, name in names.items()}))
        assert list(catalogue.compare_catalogue(admin)) == [POWERS[change].format_map(names)]
        admin.rollback()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("CREATE ROLE stranger LOGIN IN ROLE {owner}", id="a new login in the owner's role"),
        pytest.param("ALTER TABLE dispensary_override ALTER words SET DEFAULT 'x'", id="a default of a signed column"),
        pytest.param("GRANT CREATE ON SCHEMA public TO PUBLIC", id="everybody makes objects in the schema public"),
    ],
)
def test_what_may_be_so_on_an_honest_site_is_not_named(database: Database, db: None, change: str) -> None:
    """PROMISES.md says what each is worth to an attacker, and what shows its use."""
    with database.connect("superuser", autocommit=False) as admin:
        admin.execute(change.format(owner=f'"{database.roles.owner.name}"'))
        assert list(catalogue.compare_catalogue(admin)) == []
        admin.rollback()


def test_no_month_of_the_log_is_a_table_of_another_server(database: Database, db: None) -> None:
    with database.connect("superuser", autocommit=False) as admin:
        admin.execute("CREATE FOREIGN DATA WRAPPER elsewhere")
        admin.execute("CREATE SERVER elsewhere FOREIGN DATA WRAPPER elsewhere")
        with pytest.raises(psycopg.errors.WrongObjectType, match="unique"):
            admin.execute(
                "CREATE FOREIGN TABLE audit.entry_2090_01 PARTITION OF audit.entry FOR VALUES FROM ('2090-01-01') TO ('2090-02-01')"
                " SERVER elsewhere"
            )
        admin.rollback()


# What the desk and the monitors say.


def standing_of(visit: SimpleNamespace) -> tuple[str, str]:
    """Tone and words of the desk's banner."""
    standing = read_standing(visit)  # type: ignore[arg-type]  # a visit as far as the banner reads it
    return standing.tone, standing.words


def compare_here(**changes: Any) -> None:
    """Record a comparison of the site that found nothing but `changes`: other tests' rows are none of this test's."""
    comparison = verification.Comparison((), (), "")
    verification._record_comparison(replace(comparison, **changes), timezone.now())


def test_what_a_comparison_finds_turns_the_banner_red_until_one_finds_nothing(sealed: Pharmacy) -> None:
    verification.record_verification(
        log_of(sealed), live.check_log(raw_connection("sealer"), log_of(sealed), [], stored=False),
        Actor.system("verifier", sealed.pk), timezone.now(),
    )  # fmt: skip
    seal(sealed)
    visit = SimpleNamespace(pharmacy=sealed, now=timezone.now())
    compare_here(objects=("function may_write(text) is not that of this release",))
    assert standing_of(visit)[0] == "stop"
    assert "database objects" in standing_of(visit)[1]
    compare_here()
    assert standing_of(visit)[0] == "ready"


def test_a_postgresql_that_the_release_does_not_know_is_said_wherever_somebody_asks(
    sealed: Pharmacy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    verification.record_verification(
        log_of(sealed), live.check_log(raw_connection("sealer"), log_of(sealed), [], stored=False),
        Actor.system("verifier", sealed.pk), timezone.now(),
    )  # fmt: skip
    seal(sealed)
    (tmp_path / "released.json").write_text("{}")
    monkeypatch.setattr(catalogue, "RELEASED", tmp_path / "released.json")
    comparison = verification.compare_site(keep_record=False, now=timezone.now())
    assert "compared with nothing" in comparison.unreleased
    assert replace(comparison, orphans=()).status == verify.INCOMPLETE
    assert "dispensary.W008" in [message.id for message in system.check_database(["default"], timezone.now())]
    compare_here(unreleased=comparison.unreleased)
    tone, words = standing_of(SimpleNamespace(pharmacy=sealed, now=timezone.now()))
    assert tone == "acknowledge"
    assert "does not know this version of PostgreSQL" in words


@pytest.mark.parametrize("writer", ["app", "owner", "superuser"])
def test_the_desk_believes_the_sealers_role_only_and_ages(sealed: Pharmacy, database: Database, writer: str) -> None:
    """An entry of before the application's role was refused such words is still there; an owner may write one today."""
    with database.connect("superuser") as connection, unguarded(connection):
        forger = connection.info.user if writer == "superuser" else getattr(database.roles, writer).name
        connection.execute(APPEND, [sealed.pk, "log.verified", "{}"])
        attack = Attack(connection, log_of(sealed).log_id)
        attack.set_entry(14, "db_role = %(role)s", role=forger)
        attack.relink(14)
    assert reader.last_check(sealed.pk) is None
    verification.record_verification(
        log_of(sealed), live.check_log(raw_connection("sealer"), log_of(sealed), [], stored=False),
        Actor.system("verifier", sealed.pk), timezone.now(),
    )  # fmt: skip
    newest = reader.last_check(sealed.pk)
    assert newest is not None
    assert newest.db_role == database.roles.sealer.name
    seal(sealed)
    visit = SimpleNamespace(pharmacy=sealed, now=newest.recorded_at + timedelta(hours=25))
    compare_here()
    assert standing_of(visit)[0] == "ready"
    visit.now += timedelta(hours=2)
    assert standing_of(visit)[0] == "stop"
    assert "more than 26 hours" in standing_of(visit)[1]


def test_an_entry_that_nobody_signs_is_told_at_the_desk_in_health_and_by_the_check(
    sealed: Pharmacy, write: Callable[..., UUID], client: Client
) -> None:
    write(sealed)
    (since,) = reader.unsigned_since(sealed.pk).values()
    visit = SimpleNamespace(pharmacy=sealed, now=since + timedelta(seconds=30))
    assert "not being signed" not in standing_of(visit)[1]
    visit.now += timedelta(minutes=1)
    assert standing_of(visit)[0] == "stop"
    later = since + timedelta(minutes=2)
    assert "dispensary.W007" in [message.id for message in system.check_database(["default"], later)]
    assert set(client.get("/health/audit").json()) == {"healthy", "troubles"}


FORGE = """
    INSERT INTO audit.erasure (entry_id, recorded_at, erasure_entry_id)
    SELECT entry_id, recorded_at, %s FROM audit.link WHERE log_id = %s AND seq = 5"""


@pytest.mark.parametrize("named", ["no erasure", "an erasure of another number"])
def test_details_that_are_gone_are_not_called_erased_by_a_row_that_was_put_in(
    sealed: Pharmacy, database: Database, named: str
) -> None:
    log = log_of(sealed)
    with database.connect("owner") as owner:
        (erased,) = owner.execute(
            "SELECT audit.erase(%s, '{6}', 'x', 'user:1', 'manager', 'user:2', 'Ann', now(), NULL)", [log.log_id]
        ).fetchone() or (None,)
    other = AuditEntry.objects.get(log_id=log.log_id, seq=2).entry_id
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, log.log_id).delete("body", 5, 5)
        connection.execute(FORGE, [other if named == "no erasure" else erased, log.log_id])
    (line,) = reader.recheck(reader.lines(AuditEntry.objects.filter(log_id=log.log_id, seq=5), sealed))
    assert (line.erased_by, "nothing in the log authorises it" in line.doubt) == (None, True)


@pytest.mark.parametrize("attack", ["column", "body", "gone", "erased", "whole"])
def test_the_desk_hashes_again_what_it_shows(sealed: Pharmacy, database: Database, attack: str) -> None:
    log = log_of(sealed)
    if attack == "erased":
        with database.connect("owner") as owner:
            owner.execute(
                "SELECT audit.erase(%s, '{5}', 'x', 'user:1', 'manager', 'user:2', 'Ann', now(), NULL)", [log.log_id]
            )
    else:
        with database.connect("superuser") as connection, unguarded(connection):
            change = Attack(connection, log.log_id)
            {
                "column": lambda: change.set_entry(5, "actor = 'user:66'"), "body": lambda: change.set_body(5, "{}"),
                "gone": lambda: change.delete("body", 5, 5), "whole": lambda: None,
            }[attack]()  # fmt: skip
    entries = AuditEntry.objects.filter(log_id=log.log_id, seq__lte=12).order_by("seq")
    lines = reader.recheck(reader.lines(entries, sealed))
    doubts = {line.entry.seq: line.doubt for line in lines if line.doubt}
    words = {
        "column": "does not fit its hash",
        "body": "details do not fit",
        "gone": "nothing in the log authorises it",
    }
    if attack in words:
        assert list(doubts) == [5]
        assert words[attack] in doubts[5]
    else:
        assert doubts == {}
    assert (lines[4].erased_by is not None) is (attack == "erased")


def test_the_pages_of_a_sample_and_of_a_day_and_the_api_say_what_was_altered(
    sealed: Pharmacy, database: Database, write: Callable[..., UUID], client: Client
) -> None:
    auditor = make.staff(sealed, StaffRole.AUDITOR)
    client.force_login(auditor.user)
    sample, day, override = str(uuid4()), sealed.local_day(timezone.now()) - timedelta(days=1), str(uuid4())
    answer = write(sealed, Event.OVERRIDE_SIGNED, subject=Subject("override", override), body={"signer": "Ann"})
    drawn = {"since": day.isoformat(), "until": day.isoformat(), "frame": {"entries": 1}, "overrides": [str(answer)]}
    write(sealed, Event.REVIEW_SAMPLED, subject=Subject("sample", sample), body=drawn)
    judged = {"override": str(answer), "judgement": "agreed", "words": "Rightly so."}
    write(sealed, Event.REVIEW_JUDGED, subject=Subject("sample", sample), body=judged)
    write(sealed, Event.DAY_SIGNED, subject=Subject("day", day.isoformat()), body={"words": "All looked at."})
    log = log_of(sealed)
    with database.connect("superuser") as connection, unguarded(connection):
        for action in (Event.REVIEW_JUDGED, Event.DAY_SIGNED, Event.OVERRIDE_SIGNED):
            entry = AuditEntry.objects.get(log_id=log.log_id, action=action.value)
            Attack(connection, log.log_id).set_body(
                entry.seq or 0, json.dumps(judged | {"by": "Mallory", "words": "No."})
            )
    altered = "details do not fit their hash"
    for page in (reverse("counter:audit-sample", args=[sample]), f"{reverse('counter:audit-day')}?day={day}"):
        words = client.get(page).content.decode()
        assert altered in words
        assert "This log was altered" in words
        assert "No." not in words
    token = tokens.issue(user=auditor.user, now=timezone.now())
    signed_in = {"Authorization": f"Bearer {token}"}
    entries = client.get("/api/v1/audit/entries/", {"action": "override.signed"}, headers=signed_in).json()["results"]
    assert [altered in entry["doubt"] for entry in entries] == [True]
    entry = client.get(f"/api/v1/audit/entries/{answer}/", headers=signed_in).json()
    assert altered in entry["doubt"]


def test_two_kept_checkpoints_of_the_log_are_proved_to_be_one_history(
    sealed: Pharmacy, database: Database, write: Callable[..., UUID], tmp_path: Path
) -> None:
    states, row = service.make_sealer().states, log_of(sealed)
    for name in ("old", "new"):
        (tmp_path / name).write_text(getattr(states.load(row.log_id), "note", ""))
        write(sealed)
        seal(sealed)
    (tmp_path / "vkey").write_text(f"{service.make_sealer().keys[0].named(row.origin).verifier}\n")

    def prove() -> int:
        out = StringIO()
        call_command("audit", "consistency", str(tmp_path / "old"), str(tmp_path / "new"), stdout=out)
        (tmp_path / "proof.json").write_text(out.getvalue())
        return verify.main([str(tmp_path / "proof.json"), "--vkey", str(tmp_path / "vkey")])

    assert prove() == verify.OK
    with database.connect("superuser") as connection, unguarded(connection):
        attack = Attack(connection, row.log_id)
        attack.set_entry(5, "actor = 'user:66'")
        attack.relink(5)
    with pytest.raises(CommandError, match="FORK"):
        prove()
