"""One entry, proved to a stranger: the file holds what it needs and nothing else verifies."""

from __future__ import annotations

import gc
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import GeneratorType
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from dispensary.audit.evidence import verify
from dispensary.audit.evidence.proof import prove
from dispensary.audit.log import canonical
from dispensary.audit.sealing import merkle
from dispensary.audit.sealing.service import make_sealer
from dispensary.models import AuditCheckpoint, AuditEntry, AuditLog, Pharmacy, StaffRole
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller, problem
from tests.dispensary.audit.evidence.make_vectors import proof_of
from tests.dispensary.audit.logs import SIGNER, THIEF, WITNESSES, Log
from tests.dispensary.audit.own import LONG

Write = Callable[..., UUID]
KEYS = [verify.Key.parse(str(SIGNER.verifier))]


@given(st.data(), st.integers(1, 70))
def test_a_streamed_path_is_that_of_rfc_9162(data: st.DataObject, size: int) -> None:
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_path(iter(leaves), index, size)
    assert path == merkle.inclusion_proof(leaves, index)
    assert merkle.verify_inclusion(leaves[index], index, size, path, merkle.root(leaves))


def test_there_is_no_path_without_all_the_leaves() -> None:
    with pytest.raises(ValueError, match="fewer than 5"):
        merkle.inclusion_path(iter([bytes(32)] * 4), 1, 5)
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_path(iter([bytes(32)] * 4), 4, 4)


@pytest.fixture
def log() -> Log:
    return Log.of(9, every=4)


def saved(proof: dict[str, Any], folder: Path) -> Path:
    path = folder / "proof.json"
    path.write_text(canonical.canonical(proof) + "\n")
    return path


def exit_and_kinds(proof: dict[str, Any], folder: Path, **more: Any) -> tuple[int, list[str]]:
    report = verify.verify_proof(saved(proof, folder), keys=KEYS, **more)
    return report.exit, [finding.kind for finding in report.findings]


@pytest.mark.parametrize(("seq", "size"), [(1, 4), (4, 4), (5, 8), (8, 8), (1, 9), (9, 9), (3, 8)])
def test_every_entry_is_proved_against_every_checkpoint_that_covers_it(
    log: Log, tmp_path: Path, seq: int, size: int
) -> None:
    assert exit_and_kinds(proof_of(log, seq, size), tmp_path) == (verify.OK, [])


def test_it_says_what_was_proved_in_words(log: Log, tmp_path: Path) -> None:
    words = "\n".join(verify.verify_proof(saved(proof_of(log, 3, 8), tmp_path), keys=KEYS).lines())
    assert "Entry 3: dispense.completed, success, by user:42 (pharmacist), recorded 2026-11-02T09:01:30" in words
    assert words.endswith("VERIFIED. This entry is as it was written, one of the 8 that were signed together.")


def test_another_entry_or_place_or_path_is_not_proved(log: Log, tmp_path: Path) -> None:
    proof = proof_of(log, 3, 8)
    assert exit_and_kinds(proof | {"entry": proof_of(log, 4, 8)["entry"]}, tmp_path) == (1, ["ROOT_MISMATCH"])
    assert exit_and_kinds(proof | {"path": proof["path"][:-1]}, tmp_path) == (1, ["ROOT_MISMATCH"])
    assert exit_and_kinds(proof | {"path": [*proof["path"], "00" * 32]}, tmp_path) == (1, ["ROOT_MISMATCH"])
    moved = json.loads(json.dumps(proof))
    moved["entry"]["seq"] = 4
    assert exit_and_kinds(moved, tmp_path)[0] == verify.TAMPERED
    body = json.loads(json.dumps(proof))
    body["entry"]["body"] = body["entry"]["body"].replace("84", "94")
    assert exit_and_kinds(body, tmp_path) == (1, ["BODY_MODIFIED"])
    header = json.loads(json.dumps(proof))
    header["entry"]["header"] = header["entry"]["header"].replace("user:42", "user:43")
    assert exit_and_kinds(header, tmp_path) == (1, ["ENTRY_MODIFIED"])


def test_a_checkpoint_that_the_key_did_not_sign_proves_nothing(log: Log, tmp_path: Path) -> None:
    log.seal(8, signer=THIEF)
    assert exit_and_kinds(proof_of(log, 3, 8), tmp_path) == (1, ["CKPT_BAD_SIG"])


def test_a_checkpoint_that_you_hold_is_compared(log: Log, tmp_path: Path) -> None:
    (tmp_path / "held").write_text(log.notes[8])
    proof = proof_of(log, 3, 8)
    assert exit_and_kinds(proof, tmp_path, held_checkpoints=[tmp_path / "held"]) == (verify.OK, [])
    assert exit_and_kinds(proof_of(log, 3, 4), tmp_path, held_checkpoints=[tmp_path / "held"]) == (3, ["UNCHECKED"])
    log.rows[2].columns["actor"] = "user:66"  # a rewrite, signed with the stolen key
    log.relink(3)
    log.seal(8)
    assert exit_and_kinds(proof_of(log, 3, 8), tmp_path, held_checkpoints=[tmp_path / "held"]) == (1, ["FORK"])


def test_a_witness_policy_holds_for_a_proof_as_well(log: Log, tmp_path: Path) -> None:
    witnesses = [verify.Key.parse(str(witness.verifier)) for witness in WITNESSES]
    assert exit_and_kinds(proof_of(log, 3, 8), tmp_path, witnesses=witnesses, need=1) == (3, ["UNWITNESSED"])
    log.seal(8, witnesses=2)
    assert exit_and_kinds(proof_of(log, 3, 8), tmp_path, witnesses=witnesses, need=2) == (verify.OK, [])


def test_an_erased_body_leaves_the_proof_incomplete(log: Log, tmp_path: Path) -> None:
    log.rows[2].body = log.rows[2].salt = None
    assert exit_and_kinds(proof_of(log, 3, 8), tmp_path) == (3, ["UNCHECKED"])


@pytest.mark.faults
def test_no_changed_byte_of_a_proof_verifies_and_none_ends_in_a_traceback(log: Log, tmp_path: Path) -> None:
    path = saved(proof_of(log, 3, 8), tmp_path)
    original, dice = path.read_bytes(), random.Random("proof")
    for _ in range(10_000 if LONG else 1_000):
        raw = bytearray(original)
        at = dice.randrange(len(raw))
        match dice.randrange(4):
            case 0:
                raw[at] ^= 1 << dice.randrange(8)
            case 1:
                raw[at] = dice.choice(b'0123456789abcdef"\\{}[],:\n\x00\xff -')
            case 2:
                del raw[at : at + dice.choice((1, 2, 40))]
            case _:
                raw[at:at] = raw[at : at + dice.choice((1, 7))] or b" "
        path.write_bytes(raw)
        try:
            status = verify.verify_proof(path, keys=KEYS).exit
        except verify.Malformed:
            status = verify.UNREADABLE
        if bytes(raw).rstrip(b"\n") != original.rstrip(b"\n"):
            assert status != verify.OK, bytes(raw)


# Through the doors.


@pytest.mark.django_db(transaction=True, databases=["default", "sealer"])
def test_an_auditor_proves_an_entry_over_http_and_a_stranger_checks_it_with_one_file(
    sealed: Pharmacy, tmp_path: Path
) -> None:
    entry = AuditEntry.objects.get(pharmacy=sealed.pk, seq=5)
    auditor = Caller(make.staff(sealed, StaffRole.AUDITOR))
    answer = auditor.get(f"audit/entries/{entry.entry_id}/proof/")
    assert answer.status_code == 200, answer.content
    assert answer["Content-Disposition"] == 'attachment; filename="entry-5-proof.json"'
    (tmp_path / "proof.json").write_bytes(answer.content)
    (tmp_path / "vkey").write_text(str(make_sealer().keys[0].named(entry.origin).verifier) + "\n")
    command = [
        sys.executable,
        "-I",
        "-S",
        verify.__file__,
        str(tmp_path / "proof.json"),
        "--vkey",
        str(tmp_path / "vkey"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "VERIFIED. This entry is as it was written" in done.stdout
    recorded = AuditEntry.objects.filter(pharmacy=sealed.pk, action="log.exported").latest("seq")
    assert recorded.actor == f"user:{auditor.member.user_id}" if auditor.member else False

    size = AuditCheckpoint.objects.filter(log_id=entry.log_id).latest("size").size
    assert auditor.get(f"audit/entries/{entry.entry_id}/proof/?size={size}").status_code == 200
    assert problem(auditor.get(f"audit/entries/{entry.entry_id}/proof/?size={size + 1}"), 404)["problems"]
    unsigned = AuditEntry.objects.filter(pharmacy=sealed.pk).latest("seq")
    error_body = problem(auditor.get(f"audit/entries/{unsigned.entry_id}/proof/"), 409)
    assert "ask again" in error_body["detail"]
    assert auditor.get(f"audit/entries/{entry.entry_id}/proof/?sise=4").status_code == 400


@pytest.mark.django_db(transaction=True, databases=["default", "sealer"])
def test_nobody_proves_what_is_not_theirs_to_read(sealed: Pharmacy) -> None:
    entry = AuditEntry.objects.get(pharmacy=sealed.pk, seq=5)
    address = f"audit/entries/{entry.entry_id}/proof/"
    assert Caller(None).get(address).status_code == 401
    assert Caller(make.staff(sealed, StaffRole.TECHNICIAN)).get(address).status_code == 403
    assert Caller(make.staff(make.pharmacy(), StaffRole.AUDITOR)).get(address).status_code == 404


@pytest.mark.django_db(transaction=True, databases=["default", "sealer"])
def test_the_counters_page_of_an_entry_offers_its_proof(sealed: Pharmacy, client: Client, tmp_path: Path) -> None:
    entry = AuditEntry.objects.get(pharmacy=sealed.pk, seq=5)
    client.force_login(make.staff(sealed, StaffRole.AUDITOR, now=timezone.now()).user)
    address = reverse("counter:audit-proof", args=[entry.entry_id])
    assert address in client.get(reverse("counter:audit-entry", args=[entry.entry_id])).content.decode()
    (tmp_path / "proof.json").write_bytes(client.get(address).content)
    key = verify.Key.parse(str(make_sealer().keys[0].named(entry.origin).verifier))
    assert verify.verify_proof(tmp_path / "proof.json", keys=[key]).exit == verify.OK


@pytest.mark.django_db(transaction=True, databases=["default", "sealer"])
def test_a_proof_leaves_no_cursor_to_the_garbage_collector(sealed: Pharmacy) -> None:
    """Collected within another statement of the same connection, it would close the cursor there and wait for itself."""
    log = AuditLog.objects.get(pharmacy=sealed.pk)
    size = AuditCheckpoint.objects.filter(log_id=log.log_id).latest("size").size
    gc.collect()
    gc.disable()
    try:
        prove(log, 1, size)
        generators = [item for item in gc.get_objects() if type(item) is GeneratorType and item.gi_frame is not None]
        assert not [generator for generator in generators if "audit/evidence" in generator.gi_code.co_filename]
    finally:
        gc.enable()


@pytest.mark.django_db(transaction=True, databases=["default", "sealer"])
def test_a_checkpoint_is_found_by_its_log_and_size(sealed: Pharmacy) -> None:
    note = AuditCheckpoint.objects.filter(log_id=AuditEntry.objects.filter(pharmacy=sealed.pk)[0].log_id).latest("size")
    assert AuditCheckpoint.objects.get(pk=(note.log_id, note.size)) == note
    assert note.pk == (note.log_id, note.size)


@pytest.mark.parametrize(("old", "new"), [(1, 2), (4, 8), (3, 7), (6, 11), (8, 11), (11, 11), (1, 11), (7, 8)])
def test_one_checkpoint_is_shown_to_continue_another_without_the_data(tmp_path: Path, old: int, new: int) -> None:
    log = Log.of(11, every=1)
    leaves = [row.leaf for row in log.rows[:new]]
    path = [digest.hex() for digest in merkle.consistency_proof(leaves, old)] if old < new else []
    document = {
        "format": "dispensary-audit-consistency/1", "origin": log.origin, "old": log.notes[old], "new": log.notes[new],
        "path": path,
    }  # fmt: skip
    file = tmp_path / "proof.json"
    file.write_text(canonical.canonical(document) + "\n")
    keys = [verify.Key.parse(str(SIGNER.verifier))]
    assert verify.is_consistency(file)
    assert verify.verify_consistency(file, keys=keys)[0] == verify.OK
    fork = Log.of(11, every=1, seed=2)
    for change in (
        {"new": fork.notes[new]},
        {"old": fork.notes[old]},
        {"path": [*path, "00" * 32]},
        {"path": path[:-1] or ["11" * 32]},
    ):
        file.write_text(canonical.canonical({**document, **change}) + "\n")
        assert verify.verify_consistency(file, keys=keys)[0] == verify.TAMPERED, change
    file.write_text(canonical.canonical({**document, "old": THIEF.named(log.origin).sign("x\n")}) + "\n")
    with pytest.raises(verify.Malformed):
        verify.verify_consistency(file, keys=keys)
