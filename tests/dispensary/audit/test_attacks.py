"""The attacks that the demo plays: found as promised, and taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.management import call_command
from django.utils import timezone

from deploy.demo import attacks, tamper
from dispensary.audit.checks import live
from dispensary.audit.evidence import verify
from dispensary.audit.log.database import LogRow, all_logs
from dispensary.audit.sealing import service
from dispensary.audit.sealing.keys import read_keys
from dispensary.models import Pharmacy
from tests.site import Database

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases=["default", "sealer", "owner"]),
]

UNSEEN = {
    "edit a stored checkpoint": 1,
    "cut the tail off": 1,
    "cut the tail off, with its checkpoints": 2,
    "rewrite history from one entry on": 1,
    "rewrite history, delete the checkpoints": 2,
    "rewrite history, sign it with the stolen key": 2,
    "restore a backup and go on, with the real key": 2,
    "remove what is not signed yet": 3,
}
"""Attack -> how many kinds of evidence, from the weakest on, do not show it. All others show in the chain alone."""


@pytest.fixture
def sealed(
    settings: Any, tmp_path: Path, committed_pharmacy: Pharmacy, write: Callable[..., UUID]
) -> Iterator[Pharmacy]:
    settings.DISPENSARY = {
        **getattr(settings, "DISPENSARY", {}), "audit_key_file": tmp_path / "keys" / "key", "audit_origin": "test.demo",
    }  # fmt: skip
    call_command("audit", "key", "--new")
    for _ in range(3):
        for _ in range(8):
            write(committed_pharmacy)
        service.seal_round(service.make_sealer(), timezone.now(), pharmacy=committed_pharmacy.pk)
    yield committed_pharmacy


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect("owner") as connection:
        yield connection


def log_of(connection: psycopg.Connection[Any], pharmacy: Pharmacy) -> LogRow:
    return all_logs(connection, pharmacy.pk)[0]


@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_each_attack_is_found_from_the_evidence_on_that_can_show_it(
    sealed: Pharmacy, owner: psycopg.Connection[Any], settings: Any, name: str
) -> None:
    log = log_of(owner, sealed)
    key = read_keys(settings.DISPENSARY["audit_key_file"])[0]
    before = owner.execute("SELECT count(*), max(seq) FROM audit.link WHERE log_id = %s", [log.log_id]).fetchone()
    played = attacks.play(owner, log, key, name)
    detected = [played.verdicts[evidence] != "-" for evidence in attacks.EVIDENCE]
    assert detected == [False] * UNSEEN.get(name, 0) + [True] * (len(attacks.EVIDENCE) - UNSEEN.get(name, 0)), played
    after = owner.execute("SELECT count(*), max(seq) FROM audit.link WHERE log_id = %s", [log.log_id]).fetchone()
    assert after == before
    assert live.check_log(owner, log, [verify.Key.parse(str(key.named(log.origin).verifier))]).exit == verify.OK
    guards = owner.execute(
        "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'guard%' AND NOT tgisinternal AND tgenabled <> 'A'"
    ).fetchone()
    assert guards == (0,)


def test_the_command_tells_the_story(sealed: Pharmacy, capsys: pytest.CaptureFixture[str]) -> None:
    assert tamper.main(["--pharmacy", str(sealed.pk), "--only", "16"]) == 0
    lines = capsys.readouterr().out
    assert "remove what is not signed yet" in lines
    assert lines.count("not detected") == 3
    assert "RECEIPT_MISSING@" in lines
    assert "Everything was taken back" in lines


def test_a_real_log_is_not_attacked(sealed: Pharmacy, settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.DISPENSARY = {**settings.DISPENSARY, "audit_origin": "pharmacy.example"}
    assert tamper.main(["--pharmacy", str(sealed.pk)]) == 2
    assert "demo's log only" in capsys.readouterr().err
