"""The tampering matrix, on the real database, by a superuser who has dropped the guards and knows the format.

Rows are attacks on entry 700 of 2,010 (checkpoints at every 250, the last ten unsealed) unless said otherwise; columns are
what the verifier has in hand. A dash means "not detected", and is asserted as such: nobody shall promise more later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from pytest_django import DjangoDbBlocker

from deploy.demo.attacks import Attack, tampering_in, unguarded
from dispensary.audit.checks import live
from dispensary.audit.evidence import verify
from dispensary.audit.log.database import LogRow, open_logs
from dispensary.audit.sealing.keys import make_key
from dispensary.audit.sealing.notes import SignerKey
from dispensary.audit.sealing.sealer import Sealer
from dispensary.audit.sealing.state import StateFolder
from tests.site import Database

pytestmark = pytest.mark.slow

SIZE, EVERY, SEALED = 2010, 250, 2000
RECEIPTS = (1203, 1707, 2007)
COLUMNS = ("chain only", "+ stored checkpoints", "+ held 1000", "+ held 2000", "+ receipts")

APPEND = """
    SELECT audit.append(%(pharmacy)s, 'tampering.example/' || %(pharmacy)s::text, 'dispense.completed', 'success', 'user:' || n %% 7,
        'pharmacist', now(), 'dispense', 'd' || n, '{"quantity":"' || n || '"}', p_patient_ref => 'p' || n %% 50)
    FROM generate_series(%(first)s::int, %(last)s::int) AS n"""


@dataclass(frozen=True)
class Victim:
    """A healthy log, and what an auditor kept of it."""

    log: LogRow
    key: SignerKey
    notes: dict[int, str]
    leaves: dict[int, str]


@pytest.fixture(scope="module")
def victim(
    django_db_setup: None,
    database: Database,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Victim:
    folder: Path = tmp_path_factory.mktemp("victim")
    pharmacy = uuid4()
    key = make_key(folder / "key")
    with database.connect("app") as app, database.connect("sealer") as connection:
        sealer = Sealer(connection, [key], StateFolder(folder / "state"))
        for first in range(1, SEALED + 1, EVERY):
            app.execute(APPEND, {"pharmacy": pharmacy, "first": first, "last": first + EVERY - 1})
            log = next(open_log for open_log in open_logs(connection) if open_log.pharmacy == pharmacy)
            sealer.seal(log)
        app.execute(APPEND, {"pharmacy": pharmacy, "first": SEALED + 1, "last": SIZE})
        notes = dict(
            connection.execute("SELECT size, note FROM audit.checkpoint WHERE log_id = %s", [log.log_id]).fetchall()
        )
        printed = connection.execute(
            "SELECT seq, encode(leaf, 'hex') FROM audit.link WHERE log_id = %s AND seq = ANY (%s)",
            [log.log_id, list(RECEIPTS)],
        ).fetchall()
    assert sorted(notes) == list(range(EVERY, SEALED + 1, EVERY))
    return Victim(log, key.named(log.origin), notes, {seq: leaf[:16] for seq, leaf in printed})


@pytest.fixture
def superuser(database: Database, victim: Victim) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's transaction without guards; rolled back, so that the next attack finds the log whole."""
    with database.connect("superuser", autocommit=False) as connection, unguarded(connection):
        yield connection
        connection.rollback()
        connection.execute("SELECT 1")


def verdicts(connection: psycopg.Connection[Any], victim: Victim) -> list[verify.Report]:
    """The report of each column of the matrix."""
    row = victim.log
    held_1000, held_2000 = (("held 1000", victim.notes[1000].encode()),), (("held 2000", victim.notes[2000].encode()),)
    keys = [verify.Key.parse(str(victim.key.verifier))]
    evidence: list[dict[str, Any]] = [
        {"stored": False},
        {},
        {"held_checkpoints": held_1000},
        {"held_checkpoints": held_1000 + held_2000},
        {"held_checkpoints": held_1000 + held_2000, "receipts": victim.leaves.items()},
    ]
    return [live.check_log(connection, row, keys, grace=0, **options).report for options in evidence]


def modify_column(attack: Attack, victim: Victim) -> None:
    attack.set_entry(700, "actor = 'user:66'")


def modify_body(attack: Attack, victim: Victim) -> None:
    attack.set_body(700, '{"quantity":"1"}')


def modify_salt(attack: Attack, victim: Victim) -> None:
    attack.run(
        "UPDATE audit.body b SET salt = sha256('x') FROM audit.link l "
        "WHERE l.log_id = %(log)s AND l.seq = 700 AND b.entry_id = l.entry_id"
    )


def modify_timestamp(attack: Attack, victim: Victim) -> None:
    attack.set_entry(700, "occurred_at = occurred_at - interval '1 day'")


def delete_entry_and_link(attack: Attack, victim: Victim) -> None:
    attack.cut(700, 700)


def delete_entry_keep_link(attack: Attack, victim: Victim) -> None:
    attack.delete("entry", 700, 700)


def delete_body_only(attack: Attack, victim: Victim) -> None:
    attack.delete("body", 700, 700)


def insert_forged_and_renumber(attack: Attack, victim: Victim) -> None:
    attack.forge_after(700)


def swap_two_entries(attack: Attack, victim: Victim) -> None:
    attack.swap_with_next(700)


def edit_stored_checkpoint(attack: Attack, victim: Victim) -> None:
    attack.edit_checkpoint(750)


def truncate_tail(attack: Attack, victim: Victim) -> None:
    attack.cut(1900)


def truncate_tail_and_checkpoints(attack: Attack, victim: Victim) -> None:
    attack.cut(1900)
    attack.delete("checkpoint", 1900)


def rewrite(attack: Attack, victim: Victim) -> None:
    attack.set_entry(700, "actor = 'user:66'")
    attack.relink(700)


def rewrite_and_delete_checkpoints(attack: Attack, victim: Victim) -> None:
    rewrite(attack, victim)
    attack.delete("checkpoint", 700)


def rewrite_and_sign(attack: Attack, victim: Victim) -> None:
    rewrite(attack, victim)
    attack.sign(victim.key, victim.log.origin, *range(750, SEALED + 1, EVERY))


def truncate_and_sign(attack: Attack, victim: Victim) -> None:
    truncate_tail_and_checkpoints(attack, victim)
    attack.sign(victim.key, victim.log.origin, 1899)


def restore_and_go_on(attack: Attack, victim: Victim) -> None:
    attack.cut(1501)
    attack.delete("checkpoint", 1501)
    attack.append(victim.log.pharmacy, SIZE - 1500)
    attack.sign(victim.key, victim.log.origin, 1750, 2000)


def remove_unsealed_tail(attack: Attack, victim: Victim) -> None:
    attack.cut(2005)


def drop_the_trigger_and_write(attack: Attack, victim: Victim) -> None:
    attack.run("ALTER TABLE audit.entry DISABLE TRIGGER link_entry")
    attack.run("SELECT audit.append(%(pharmacy)s, 'o', 'x.y', 'success', 'user:66', 'pharmacist', now(), 'x', '1', '{}')",
               pharmacy=victim.log.pharmacy)  # fmt: skip
    attack.run("ALTER TABLE audit.entry ENABLE TRIGGER link_entry")


SAME_700 = ("ENTRY_MODIFIED@700",) * 5
MATRIX: dict[Callable[[Attack, Victim], None], tuple[str, str, str, str, str]] = {
    modify_column: SAME_700,
    modify_body: ("BODY_MODIFIED@700",) * 5,
    modify_salt: ("BODY_MODIFIED@700",) * 5,
    modify_timestamp: SAME_700,
    delete_entry_and_link: ("GAP@700",) * 5,
    delete_entry_keep_link: ("ENTRY_MISSING@700",) * 5,
    delete_body_only: ("BODY_MISSING@700",) * 5,
    insert_forged_and_renumber: (
        *(("ENTRY_MODIFIED@702-2011",) * 4),
        "ENTRY_MODIFIED@702-2011, RECEIPT_MISMATCH@1203, 1707, 2007",
    ),
    swap_two_entries: ("ENTRY_MODIFIED@700-701",) * 5,
    edit_stored_checkpoint: ("-", *(("CKPT_BAD_SIG@750",) * 4)),
    truncate_tail: ("-", *(("TRUNCATED@1900-2000",) * 3), "TRUNCATED@1900-2000, RECEIPT_MISSING@2007"),
    truncate_tail_and_checkpoints: ("-", "-", "-", "TRUNCATED@1900-2000", "TRUNCATED@1900-2000, RECEIPT_MISSING@2007"),
    rewrite: (
        "-",
        *(("ROOT_MISMATCH@(500, 750]",) * 3),
        "ROOT_MISMATCH@(500, 750], RECEIPT_MISMATCH@1203, 1707, 2007",
    ),
    rewrite_and_delete_checkpoints: (
        "-",
        "-",
        "ROOT_MISMATCH@(500, 1000]",
        "ROOT_MISMATCH@(500, 1000]",
        "ROOT_MISMATCH@(500, 1000], RECEIPT_MISMATCH@1203, 1707, 2007",
    ),
    rewrite_and_sign: (
        "-",
        "-",
        "FORK@(0, 1000]",
        "FORK@(0, 1000]",
        "FORK@(0, 1000], RECEIPT_MISMATCH@1203, 1707, 2007",
    ),
    truncate_and_sign: ("-", "-", "-", "TRUNCATED@1900-2000", "TRUNCATED@1900-2000, RECEIPT_MISSING@2007"),
    restore_and_go_on: ("-", "-", "-", "FORK@(1000, 2000]", "RECEIPT_MISMATCH@1707, 2007, FORK@(1000, 2000]"),
    remove_unsealed_tail: ("-", "-", "-", "-", "RECEIPT_MISSING@2007"),
}


def test_the_healthy_log_verifies_in_every_column(superuser: psycopg.Connection[Any], victim: Victim) -> None:
    reports = verdicts(superuser, victim)
    assert [tampering_in(report) for report in reports] == ["-"] * 5
    assert [(report.entries, report.covered) for report in reports] == [(SIZE, 0), *[(SIZE, SEALED)] * 4]


@pytest.mark.parametrize("attack", MATRIX, ids=lambda attack: attack.__name__)
def test_an_attack_is_found_where_the_matrix_says_and_not_elsewhere(
    superuser: psycopg.Connection[Any], victim: Victim, attack: Callable[[Attack, Victim], None]
) -> None:
    attack(Attack(superuser, victim.log.log_id), victim)
    assert dict(zip(COLUMNS, map(tampering_in, verdicts(superuser, victim)), strict=True)) == dict(
        zip(COLUMNS, MATRIX[attack], strict=True)
    )


def test_no_finding_of_the_middle_is_more_than_two_entries_off() -> None:
    """The promise behind the table: middle edits are located, not only noticed."""
    for attack, cells in MATRIX.items():
        if cells[0] != "-":
            position = re.search(r"@(\d+)", cells[0])
            assert position is not None
            assert 700 <= int(position[1]) <= 702, attack.__name__


def test_an_entry_written_past_a_dropped_trigger_has_no_link_and_is_found(
    superuser: psycopg.Connection[Any], victim: Victim
) -> None:
    drop_the_trigger_and_write(Attack(superuser, victim.log.log_id), victim)
    row = victim.log
    result = live.check_log(superuser, row, [verify.Key.parse(str(victim.key.verifier))], grace=0)
    assert (result.unlinked, result.exit) == (1, verify.TAMPERED)


def test_a_replaced_header_function_does_not_deceive_the_verifier(
    superuser: psycopg.Connection[Any], victim: Victim
) -> None:
    """The verifier never asks the database what a header is."""
    Attack(superuser, victim.log.log_id).set_entry(700, "actor = 'user:66'")
    superuser.execute(
        "CREATE OR REPLACE FUNCTION audit.leaf(header text) RETURNS bytea LANGUAGE sql AS 'SELECT sha256(''x'')'"
    )
    assert tampering_in(verdicts(superuser, victim)[0]) == "ENTRY_MODIFIED@700"


def test_an_incremental_run_goes_on_from_the_last_good_checkpoint(
    superuser: psycopg.Connection[Any], victim: Victim, tmp_path: Path
) -> None:
    row = victim.log
    keys = [verify.Key.parse(str(victim.key.verifier))]
    first = live.check_log(superuser, row, keys, grace=0)
    assert first.verified.size == SEALED
    live.save_verified(tmp_path, row, first.verified)
    start = live.load_verified(tmp_path, row)
    assert start == first.verified
    Attack(superuser, victim.log.log_id).append(victim.log.pharmacy, 5)
    again = live.check_log(superuser, row, keys, start=start, grace=0)
    assert (again.report.first, again.report.entries) == (SEALED + 1, SIZE - SEALED + 5)
    assert tampering_in(again.report) == "-"
    Attack(superuser, victim.log.log_id).set_entry(2003, "actor = 'user:66'")
    assert tampering_in(live.check_log(superuser, row, keys, start=start, grace=0).report) == "ENTRY_MODIFIED@2003"


def test_a_damaged_memory_of_the_verifier_only_costs_a_full_run(victim: Victim, tmp_path: Path) -> None:
    row = LogRow(UUID(int=1), "o", UUID(int=2), bytes(32))
    assert live.load_verified(tmp_path, row) == live.Verified()
    (tmp_path / f"{row.log_id}.verified.json").write_text("{")
    assert live.load_verified(tmp_path, row) == live.Verified()
