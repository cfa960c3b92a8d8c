"""The log through HTTP: search, one entry, checkpoints, export; for auditors and managers, and recorded."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.db import connections, transaction
from django.utils import timezone

from dispensary import audit
from dispensary.actors import Actor
from dispensary.audit import Event, Subject
from dispensary.audit.evidence import verify
from dispensary.audit.sealing import notes
from dispensary.audit.sealing.merkle import CompactRange
from dispensary.models import AuditEntry, AuditLog, Pharmacy, StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller, fields, problem
from tests.site import Database

KEY = notes.SignerKey("x", notes.KeyKind.NOTE, bytes(range(32)))


@pytest.fixture
def shop(transactional_db: None) -> Pharmacy:
    """A pharmacy whose log is committed: numbers and leaves are there."""
    return make.pharmacy(now=timezone.now(), time_zone="UTC")


def write(shop: Pharmacy, event: Event = Event.DISPENSED, **more: Any) -> Any:
    by = Actor.system("test", shop.pk)
    event_fields = {
        "subject": Subject("dispense", "d-1"),
        "body": {"reason": "prescriber confirmed by telephone"},
    } | more
    with transaction.atomic():
        return audit.record(event, pharmacy=shop, by=by, now=timezone.now(), **event_fields)


def search(caller: Caller, **parameters: Any) -> dict[str, Any]:
    response = caller.get(f"audit/entries/?{urlencode(parameters, doseq=True)}")
    assert response.status_code == 200, response.content
    return response.json()


def newest(shop: Pharmacy) -> AuditEntry:
    return AuditEntry.objects.filter(pharmacy=shop.pk).order_by("-seq")[0]


def test_a_search_shows_sentences_with_the_way_back_and_is_recorded(shop: Pharmacy, auditor: Caller) -> None:
    entry_id = write(shop, patient="p-1", rule_codes=("renal",), reason_code="5")
    answer = search(auditor, patient="p-1", counted="true")
    (entry,) = answer["results"]
    written = AuditEntry.objects.get(entry_id=entry_id)
    assert entry["id"] == str(entry_id)
    assert entry["sentence"] == "Dispensary (test) handed over dispense d-1 to patient p-1."
    assert entry["receipt"] == f"{written.seq} · {bytes(written.leaf).hex()[:16]}"
    assert entry["leaf"].startswith(entry["receipt"].split()[-1])
    assert (answer["next"], answer["count"]) == (None, {"value": 1, "capped": False})
    assert "body" not in entry
    line = audit.lines([newest(shop)], shop)[0]
    assert line.entry.action == "log.searched"
    assert line.entry.actor == f"user:{auditor.member.user_id}"
    assert line.body["filters"] == {"patient": "p-1"}


def test_pages_follow_each_other_to_the_end_without_gap_or_repeat(shop: Pharmacy, auditor: Caller) -> None:
    written = [str(write(shop)) for _ in range(7)]
    entry_ids, address = [], "audit/entries/?action=dispense.completed&limit=3"
    while address:
        page = auditor.get(address).json()
        entry_ids += [entry["id"] for entry in page["results"]]
        address = (page["next"] or "").removeprefix("http://testserver")
    assert entry_ids == written[::-1]


def test_words_are_found_within_a_window(shop: Pharmacy, auditor: Caller) -> None:
    hit = write(shop)
    write(shop, body={"reason": "something else"})
    window = {
        "since": (timezone.now() - timedelta(days=1)).isoformat(),
        "until": (timezone.now() + timedelta(days=1)).isoformat(),
    }
    answer = search(auditor, text="telephone PRESCRIBER", **window)
    assert [entry["id"] for entry in answer["results"]] == [str(hit)]
    assert fields(auditor.get("audit/entries/?text=telephone")) == {"text"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("patiant=p-1", "patiant"),
        ("since=yesterday", "since"),
        ("action=no.such", "action"),
        ("outcome=maybe", "outcome"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("since=0001-01-01T00:00:00Z", "since"),
        ("until=9999-12-31T23:59:59Z", "until"),
        ("cursor=made-up", "cursor"),
        ("subject_id=x", "subject_type"),
        ("patient=" + "x" * 65, "patient"),
        ("actor=a%00b", "actor"),
        ("since=2026-11-22T00:00:00Z&until=2026-11-21T00:00:00Z", "until"),
    ],
)
def test_a_search_that_cannot_be_answered_names_the_field(
    shop: Pharmacy, auditor: Caller, query: str, field: str
) -> None:
    assert field in fields(auditor.get(f"audit/entries/?{query}"))


def test_one_entry_shows_its_details_and_reading_it_is_recorded(shop: Pharmacy, auditor: Caller) -> None:
    entry_id = write(shop, patient="p-1")
    entry = auditor.get(f"audit/entries/{entry_id}/").json()
    assert entry["body"] == {"by": "Dispensary (test)", "reason": "prescriber confirmed by telephone"}
    assert (newest(shop).action, newest(shop).patient_ref) == ("record.read", "p-1")


def test_an_auditor_of_two_pharmacies_reads_both_logs_and_leaves_a_line_in_each(
    shop: Pharmacy, auditor: Caller
) -> None:
    other = make.pharmacy("Hill Pharmacy", now=timezone.now(), time_zone="UTC")
    StaffMember.objects.create(
        user=auditor.member.user, pharmacy=other, role=StaffRole.AUDITOR, display_name="Olu Auditor"
    )
    written = {str(write(shop)), str(write(other))}
    assert {entry["id"] for entry in search(auditor, action="dispense.completed")["results"]} == written
    assert {newest(shop).action, newest(other).action} == {"log.searched"}
    only = auditor.get("audit/entries/?action=dispense.completed", X_Pharmacy=str(other.pk)).json()
    assert [entry["pharmacy"] for entry in only["results"]] == [str(other.pk)]
    assert len(auditor.get("audit/logs/").json()) == 2


def test_where_one_is_no_auditor_one_reads_nothing(shop: Pharmacy, auditor: Caller) -> None:
    """Auditor here and technician there: the search covers here."""
    other = make.pharmacy("Hill Pharmacy", now=timezone.now(), time_zone="UTC")
    StaffMember.objects.create(
        user=auditor.member.user, pharmacy=other, role=StaffRole.TECHNICIAN, display_name="Olu Technician"
    )
    theirs = write(other)
    write(shop)
    assert {entry["pharmacy"] for entry in search(auditor)["results"]} == {str(shop.pk)}
    assert auditor.get(f"audit/entries/{theirs}/").status_code == 404
    log = AuditLog.objects.get(pharmacy=other.pk)
    assert auditor.get(f"audit/logs/{log.log_id}/export/").status_code == 404
    refused = auditor.get("audit/entries/", X_Pharmacy=str(other.pk))
    assert problem(refused, 403)["code"] == "not-allowed"
    assert newest(other).action == "access.refused"


# Checkpoints and export.


def seal(shop: Pharmacy, database: Database) -> verify.Key:
    """Sign the log as it is, as a sealer would; gives the key that an auditor holds."""
    log = AuditLog.objects.get(pharmacy=shop.pk)
    signer = KEY.named(log.origin)
    with database.connect("sealer") as sealer:
        leaves = sealer.execute("SELECT leaf FROM audit.link WHERE log_id = %s ORDER BY seq", [log.log_id]).fetchall()
        edge = CompactRange()
        edge.extend(bytes(leaf) for (leaf,) in leaves)
        signed = notes.sign_checkpoint(notes.Checkpoint(log.origin, edge.size, edge.root()), signer)
        sealer.execute(
            "INSERT INTO audit.checkpoint (log_id, size, root, note) VALUES (%s, %s, %s, %s)",
            [log.log_id, edge.size, edge.root(), signed],
        )
    return verify.Key.parse(str(signer.verifier))


def test_logs_tell_their_newest_checkpoint_to_keep(shop: Pharmacy, auditor: Caller, database: Database) -> None:
    write(shop)
    log = AuditLog.objects.get(pharmacy=shop.pk)
    assert auditor.get("audit/logs/").json()[0]["checkpoint"] is None
    seal(shop, database)
    (summary,) = auditor.get("audit/logs/").json()
    assert (summary["id"], summary["origin"]) == (str(log.log_id), log.origin)
    assert summary["entries"] == summary["checkpoint"]["size"] == newest(shop).seq
    (only,) = auditor.get(f"audit/logs/{log.log_id}/checkpoints/").json()
    assert only["note"] == summary["checkpoint"]["note"]
    assert auditor.get(f"audit/logs/{log.log_id}/checkpoints/?after={only['size']}").json() == []


def exported(caller: Caller, shop: Pharmacy, **parameters: Any) -> Any:
    log = AuditLog.objects.get(pharmacy=shop.pk)
    response = caller.get(f"audit/logs/{log.log_id}/export/?{urlencode(parameters)}")
    assert response.status_code == 200, response.content
    return response


def test_the_bundle_that_is_downloaded_verifies_against_the_auditors_own_key(
    shop: Pharmacy, auditor: Caller, database: Database, tmp_path: Any
) -> None:
    for _ in range(5):
        write(shop)
    key, last = seal(shop, database), newest(shop).seq
    response = exported(auditor, shop, last=last, reason="inspection")
    assert response.streaming
    assert (response["Content-Type"], response["Cache-Control"]) == ("application/zip", "no-store, private")
    assert f'filename="audit-1-{last}.zip"' in response["Content-Disposition"]
    path = tmp_path / "log.zip"
    path.write_bytes(b"".join(response.streaming_content))
    report = verify.verify_bundle(path, keys=[key])
    assert (report.exit, report.covered) == (0, last)
    assert newest(shop).action == "log.exported"
    assert audit.lines([newest(shop)], shop)[0].body["reason"] == "inspection"


def test_csv_and_fhir_are_streamed_with_their_own_kinds(shop: Pharmacy, auditor: Caller) -> None:
    write(shop, body={"x": "=1+1"}, patient="=cmd")
    response = exported(auditor, shop, shape="csv", first=newest(shop).seq, last=newest(shop).seq)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode(), newline=""))
    assert row["patient_ref"] == "'=cmd"
    response = exported(auditor, shop, shape="fhir", last=1)
    assert response["Content-Type"] == "application/fhir+ndjson"
    (event,) = b"".join(response.streaming_content).splitlines()
    assert json.loads(event)["resourceType"] == "AuditEvent"


@pytest.mark.parametrize(
    ("query", "field"), [("shape=xls", "shape"), ("first=0", "first"), ("first=999", "first"), ("lst=5", "lst")]
)
def test_an_export_that_cannot_be_made_is_refused_before_it_begins(
    shop: Pharmacy, auditor: Caller, query: str, field: str
) -> None:
    write(shop)
    log = AuditLog.objects.get(pharmacy=shop.pk)
    assert field in fields(auditor.get(f"audit/logs/{log.log_id}/export/?{query}"))
    assert newest(shop).action != "log.exported"


def test_a_download_that_is_broken_off_leaves_no_open_transaction(shop: Pharmacy, auditor: Caller) -> None:
    for _ in range(3):
        write(shop)
    response = exported(auditor, shop, shape="csv")
    next(iter(response.streaming_content), None)
    response.close()
    assert not connections["default"].in_atomic_block


def test_a_stranger_and_an_unknown_log_look_the_same(shop: Pharmacy, caller: Callable[..., Caller]) -> None:
    write(shop)
    elsewhere = make.pharmacy("Hill Pharmacy", now=timezone.now(), time_zone="UTC")
    stranger = caller(elsewhere, StaffRole.MANAGER)
    log = AuditLog.objects.get(pharmacy=shop.pk)
    theirs = stranger.get(f"audit/logs/{log.log_id}/export/")
    assert theirs.json() == stranger.get(f"audit/logs/{uuid4()}/export/").json()
    assert theirs.status_code == 404
