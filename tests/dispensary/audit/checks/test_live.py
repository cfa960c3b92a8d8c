"""`manage.py audit verify`: what it says, with which exit status, and that it remembers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.utils import timezone

from deploy.demo.attacks import Attack, unguarded
from dispensary import audit
from dispensary.audit.sealing import anchors, service
from dispensary.models import AuditEntry, Pharmacy
from tests.site import Database

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "sealer"])

Write = Callable[..., UUID]


def run(pharmacy: Pharmacy, capsys: pytest.CaptureFixture[str], **options: Any) -> tuple[int, str]:
    try:
        call_command("audit", "verify", pharmacy=pharmacy.pk, **options)
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    return status, capsys.readouterr().out


def test_a_healthy_log_verifies_and_the_log_says_so(sealed: Pharmacy, capsys: pytest.CaptureFixture[str]) -> None:
    status, report = run(sealed, capsys)
    assert status == 0
    assert "VERIFIED. Every entry is as it was written and signed." in report
    assert "13 entries (1 to 13)" in report
    assert (
        AuditEntry.objects.filter(pharmacy=sealed.pk, action=audit.Event.LOG_VERIFIED, outcome="success").count() == 1
    )


def test_the_second_run_goes_on_where_the_first_ended_and_full_begins_again(
    sealed: Pharmacy, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    run(sealed, capsys)
    write(sealed)
    service.seal_round(service.make_sealer(), timezone.now(), pharmacy=sealed.pk)
    status, report = run(sealed, capsys, json=True)
    assert (status, next(json.loads(line)["first"] for line in report.splitlines())) == (0, 14)
    status, report = run(sealed, capsys, json=True, full=True)
    assert (status, json.loads(report)["first"]) == (0, 1)


def test_an_altered_row_is_named_and_recorded_as_interference(
    sealed: Pharmacy, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    log_id = AuditEntry.objects.filter(pharmacy=sealed.pk)[0].log_id
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, log_id).set_entry(7, "actor = 'user:66'")
    status, report = run(sealed, capsys)
    assert status == 1
    assert "ENTRY_MODIFIED at 7" in report
    assert "TAMPERED" in report
    (line,) = audit.history(audit.Subject("log", str(log_id)), pharmacy=sealed)[:1]
    assert line.entry.action == audit.Event.INTERFERENCE
    assert line.body is not None
    assert line.body["findings"] == [{"class": "ENTRY_MODIFIED", "position": "7", "count": 1}]


def test_a_tail_without_a_checkpoint_is_incomplete_once_the_grace_is_over(
    sealed: Pharmacy, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(sealed)
    assert run(sealed, capsys, no_record=True)[0] == 0
    status, report = run(sealed, capsys, no_record=True, grace=0)
    assert status == 3
    assert "UNSEALED at 14" in report


def test_what_the_auditor_holds_counts(
    sealed: Pharmacy, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], write: Write
) -> None:
    sealer = service.make_sealer()
    newest = next(anchor for anchor in anchors.newest_anchors(sealer.connection) if anchor.log.pharmacy == sealed.pk)
    log, size, note = newest.log, newest.size, newest.note
    (tmp_path / "vkey").write_text(str(sealer.keys[0].named(log.origin).verifier) + "\n")
    (tmp_path / "held").write_text(note)
    options = {"vkey": tmp_path / "vkey", "checkpoint": [tmp_path / "held"], "no_record": True, "full": True}
    assert run(sealed, capsys, **options)[0] == 0
    with database.connect("superuser") as connection, unguarded(connection):
        attack = Attack(connection, log.log_id)
        attack.cut(10)
        attack.delete("checkpoint", 10)
    assert (
        run(sealed, capsys, full=True, no_record=True, grace=0)[0] == 3
    )  # nothing left in the database contradicts it
    status, report = run(sealed, capsys, **options)
    assert status == 1
    assert f"TRUNCATED at 10-{size}" in report


def test_a_key_file_that_is_none_is_wrong_usage(
    sealed: Pharmacy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from django.core.management import CommandError

    (tmp_path / "vkey").write_text("no key\n")
    with pytest.raises(CommandError) as error:
        call_command("audit", "verify", pharmacy=sealed.pk, vkey=tmp_path / "vkey")
    assert error.value.returncode == 2
