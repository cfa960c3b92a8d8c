"""Checkpoints leave the site, witnesses sign what continues what they saw, and the age of the last one is known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone

from deploy.demo.attacks import Attack, unguarded
from dispensary.audit.evidence import verify
from dispensary.audit.log.database import raw_connection
from dispensary.audit.sealing import anchors, service
from dispensary.audit.sealing.notes import VerifierKey, open_checkpoint
from dispensary.audit.sealing.witnesses import CosignRefused
from dispensary.models import Pharmacy
from tests.site import Database

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "sealer"])

Write = Callable[..., UUID]


def newest(pharmacy: Pharmacy) -> anchors.Anchor:
    connection = raw_connection("sealer")
    return next(anchor for anchor in anchors.newest_anchors(connection) if anchor.log.pharmacy == pharmacy.pk)


def age(pharmacy: Pharmacy, later: dt.timedelta = dt.timedelta()) -> dt.timedelta:
    return anchors.anchor_ages(raw_connection("sealer"), timezone.now() + later)[newest(pharmacy).log.origin]


def test_a_mail_carries_the_note_itself(sealed: Pharmacy) -> None:
    call_command("audit", "anchor", mail=["superintendent@elsewhere.example"])
    (message,) = mail.outbox
    attached = {name: content for name, content, _ in message.attachments}
    mine = newest(sealed)
    assert attached[mine.file_name] == mine.note
    assert (
        open_checkpoint(attached[mine.file_name], [service.make_sealer().keys[0].named(mine.log.origin).verifier]).size
        == 13
    )


def test_a_folder_gets_one_file_a_size_and_none_is_replaced(sealed: Pharmacy, tmp_path: Path, write: Write) -> None:
    folder = tmp_path / "share"
    folder.mkdir()
    call_command("audit", "anchor", dir=[folder])
    call_command("audit", "anchor", dir=[folder])
    first = newest(sealed)
    assert (folder / first.file_name).read_text() == first.note
    write(sealed)
    service.seal_round(service.make_sealer(), timezone.now(), pharmacy=sealed.pk)
    call_command("audit", "anchor", dir=[folder])
    assert (folder / first.file_name).read_text() == first.note
    assert (folder / newest(sealed).file_name).exists()
    (folder / newest(sealed).file_name).write_text("something else\n\n")
    with pytest.raises(SystemExit):
        call_command("audit", "anchor", dir=[folder])


def test_a_sheet_shows_the_root_in_groups_and_a_line_to_sign(sealed: Pharmacy) -> None:
    out = StringIO()
    call_command("audit", "anchor", print=True, stdout=out)
    sheet = out.getvalue()
    assert newest(sealed).note in sheet
    assert "Signed by the responsible pharmacist" in sheet
    assert "Entries  13" in sheet


def test_the_age_counts_from_the_delivered_checkpoint_and_too_old_is_a_failure(
    sealed: Pharmacy, tmp_path: Path
) -> None:
    assert age(sealed, dt.timedelta(hours=30)) >= dt.timedelta(hours=30)
    call_command("audit", "anchor", print=True, stdout=StringIO())
    assert age(sealed) < dt.timedelta(minutes=1)
    assert dt.timedelta(hours=27) <= age(sealed, dt.timedelta(hours=27)) < dt.timedelta(hours=28)


def test_a_failed_delivery_does_not_count(sealed: Pharmacy, tmp_path: Path, database: Database) -> None:
    with pytest.raises(SystemExit) as end:
        call_command("audit", "anchor", dir=[tmp_path / "missing"])
    assert end.value.code == 1
    with database.connect("sealer") as connection:
        row = connection.execute(
            "SELECT ok, channel, target FROM audit.delivery WHERE log_id = %s", [newest(sealed).log.log_id]
        ).fetchone()
        assert row == (False, "folder", str(tmp_path / "missing"))
    assert age(sealed, dt.timedelta(hours=30)) >= dt.timedelta(hours=30)


def test_nothing_said_is_wrong_usage(sealed: Pharmacy) -> None:
    with pytest.raises(CommandError, match="Say where"):
        call_command("audit", "anchor")


class Paper:
    """The files that go back and forth between a log and its witness."""

    def __init__(self, folder: Path, pharmacy: Pharmacy) -> None:
        self.folder, self.pharmacy = folder, pharmacy
        self.vkey = self.run("key", str(folder / "witness-key"), "head-office")
        (folder / "witness-vkey").write_text(self.vkey)
        log = newest(pharmacy).log
        (folder / "log-vkey").write_text(str(service.make_sealer().keys[0].named(log.origin).verifier) + "\n")

    def run(self, *words: str) -> str:
        out = StringIO()
        call_command("audit", "cosign", *words, stdout=out)
        return out.getvalue()

    def ask(self, old: int) -> Path:
        path = self.folder / "request"
        path.write_text(self.run("request", "--pharmacy", str(self.pharmacy.pk), "--old", str(old)))
        return path

    def answer(self, request: Path) -> Path:
        path = self.folder / "line"
        path.write_text(
            self.run(
                "answer", str(request), "--key", str(self.folder / "witness-key"), "--log-vkey",
                str(self.folder / "log-vkey"), "--memory", str(self.folder / "memory"),
            )
        )  # fmt: skip
        return path

    def keep(self, line: Path) -> str:
        return self.run(
            "store", str(line), "--pharmacy", str(self.pharmacy.pk), "--witness-vkey", str(self.folder / "witness-vkey")
        )


def test_a_witness_signs_what_continues_what_it_saw(sealed: Pharmacy, tmp_path: Path, write: Write) -> None:
    paper = Paper(tmp_path, sealed)
    assert "first 13 entries" in paper.keep(paper.answer(paper.ask(0)))
    for _ in range(7):
        write(sealed)
    service.seal_round(service.make_sealer(), timezone.now(), pharmacy=sealed.pk)
    assert "first 20 entries" in paper.keep(paper.answer(paper.ask(13)))
    mine = newest(sealed)
    witness = VerifierKey.parse(paper.vkey)
    checkpoint = verify.open_checkpoint(
        mine.note.encode(),
        "note",
        True,
        [verify.Key.parse((tmp_path / "log-vkey").read_text().strip())],
        [verify.Key.parse(str(witness))],
    )
    assert (checkpoint.size, [name for name, _ in checkpoint.witnesses]) == (20, ["head-office"])


def test_a_witness_refuses_another_history(sealed: Pharmacy, tmp_path: Path, database: Database, write: Write) -> None:
    paper = Paper(tmp_path, sealed)
    paper.answer(paper.ask(0))
    log = newest(sealed).log
    with database.connect("superuser") as connection, unguarded(connection):
        attack = Attack(connection, log.log_id)
        attack.set_entry(3, "actor = 'user:66'")
        attack.relink(3)
        attack.append(sealed.pk, 4)
        attack.sign(service.make_sealer().keys[0].named(log.origin), log.origin, 13, 17)
    with pytest.raises(CommandError, match="not the history that I saw"):
        paper.answer(paper.ask(13))
    with pytest.raises(CommandError, match="I have seen 13"):
        paper.answer(paper.ask(0))


def test_a_line_by_somebody_else_is_not_kept(sealed: Pharmacy, tmp_path: Path) -> None:
    paper = Paper(tmp_path, sealed)
    line = paper.answer(paper.ask(0))
    other = Paper((tmp_path / "other"), sealed) if (tmp_path / "other").mkdir() is None else paper
    line.write_text(line.read_text().replace("head-office", "head-0ffice"))
    with pytest.raises(CommandError, match="not a signature"):
        paper.keep(line)
    with pytest.raises(CommandError, match="not a signature"):
        paper.keep(other.answer(other.ask(0)))


@pytest.mark.parametrize("text", ["", "old\n\n", "old x\n\nnote", "old 1\n!!\n\nnote\n", "old 1\n\nno note"])
def test_a_malformed_request_is_refused_with_a_reason(sealed: Pharmacy, tmp_path: Path, text: str) -> None:
    paper = Paper(tmp_path, sealed)
    (tmp_path / "request").write_text(text)
    with pytest.raises(CommandError):
        paper.answer(tmp_path / "request")


def test_the_log_cannot_ask_from_a_future_size(sealed: Pharmacy) -> None:
    with pytest.raises((CosignRefused, CommandError), match="has seen 99"):
        call_command("audit", "cosign", "request", "--pharmacy", str(sealed.pk), "--old", "99", stdout=StringIO())
