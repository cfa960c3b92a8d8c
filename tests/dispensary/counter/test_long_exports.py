"""Long exports: prepared by a worker in slices, behind a link that ends, and the same table as a short one."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary import audit
from dispensary.actions import log_exports, long_exports, retention
from dispensary.audit.log import search
from dispensary.models import AuditEntry, LogExport, LogExportPart, Override, Patient, Pharmacy, StaffMember, StaffRole
from dispensary.tasks import prepare_exports
from tests.dispensary import make
from tests.dispensary.audit.linking import flush_links

pytestmark = pytest.mark.django_db

PATIENTS = 5


@pytest.fixture
def shop() -> Pharmacy:
    """A pharmacy where five overrides were signed."""
    make.products()
    shop = make.pharmacy()
    for number in range(PATIENTS):
        sign(shop, f"Person {number}")
    return shop


def sign(shop: Pharmacy, name: str) -> None:
    """Sign the overrides of an order of 105 mg a day, and hand it over."""
    order = make.prescription(
        make.patient(shop, family_name=name), quantity=294,
        phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="35 mg three times a day for 28 days",
    )  # fmt: skip
    make.hand_over(order, make.staff(shop).actor())
    flush_links()


@pytest.fixture
def auditor(shop: Pharmacy) -> StaffMember:
    return make.staff(shop, StaffRole.AUDITOR)


@pytest.fixture
def desk(client: Client, auditor: StaffMember, monkeypatch: pytest.MonkeyPatch) -> Client:
    """An auditor at a desk where two rows are many, and a page of the worker's holds two."""
    monkeypatch.setattr(log_exports, "MOST_ROWS", 2)
    monkeypatch.setattr(search, "MAX_PAGE", 2)
    client.force_login(auditor.user)
    return client


def ask(desk: Client, **filters: str) -> Any:
    return desk.post(reverse("counter:audit-export"), {"shape": "answers", "purpose": "inspection 7"} | filters)


def table_of(content: bytes) -> tuple[list[dict[str, str]], dict[str, Any]]:
    archive = zipfile.ZipFile(io.BytesIO(content))
    table = archive.read("answers.csv")
    package: dict[str, Any] = json.loads(archive.read("datapackage.json"))
    assert package["resources"][0]["hash"] == f"sha256:{hashlib.sha256(table).hexdigest()}"
    return list(csv.DictReader(io.StringIO(table.decode()))), package


def file_of(desk: Client) -> Any:
    return desk.get(reverse("counter:audit-export-file", args=[LogExport.objects.get().pk]))


def test_a_long_export_holds_what_a_short_one_does_and_is_told_as_it_grows(
    desk: Client, shop: Pharmacy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(log_exports, "MOST_ROWS", 5000)
        whole, _ = table_of(ask(desk).content)
    pages = reverse("counter:audit-exports")
    assert ask(desk)["Location"] == pages
    assert "It waits for the worker" in desk.get(pages).content.decode()
    assert file_of(desk).status_code == 409
    rows = []
    while not long_exports.prepare_next(timezone.now, iter([False, True]).__next__):
        rows.append(LogExport.objects.get().rows)
        assert f"{rows[-1]} rows so far, back to" in desk.get(pages).content.decode()
    assert len(rows) > 2 and rows == sorted(rows)
    table, _ = table_of(b"".join(file_of(desk).streaming_content))
    assert table == whole and len(table) >= PATIENTS
    assert f"{len(table)} rows" in desk.get(pages).content.decode()
    bodies = [
        audit.lines([AuditEntry.objects.filter(pharmacy=shop.pk, action=action).latest("recorded_at")], shop)[0].body
        or {}
        for action in ("log.export_requested", "log.exported")
    ]
    assert [body["reason"] for body in bodies] == ["inspection 7"] * 2
    assert bodies[1]["rows"] == len(table) and bodies[1]["sha256"] == LogExport.objects.get().sha256
    assert AuditEntry.objects.filter(pharmacy=shop.pk, action="record.read", subject_type="logexport").count() == 1


def test_records_are_asked_for_on_the_page_and_prepared_by_the_worker(desk: Client, shop: Pharmacy) -> None:
    desk.force_login(make.staff(shop, StaffRole.MANAGER).user)
    today = timezone.localdate()
    period = {"since": str(today - timedelta(days=3000)), "until": str(today + timedelta(days=1))}
    for shape in ("orders", "dispenses", "findings"):
        assert ask(desk, shape=shape, **period)["Location"] == reverse("counter:audit-exports")
        prepare_exports()
        export = LogExport.objects.latest("requested_at")
        assert export.rows >= PATIENTS
        assert "at Harbour Pharmacy, from " in export.sentence
        sent = desk.get(reverse("counter:audit-export-file", args=[export.pk]))
        assert shape in sent["Content-Disposition"]
        archive = zipfile.ZipFile(io.BytesIO(b"".join(sent.streaming_content)))
        assert len(archive.read(f"{shape}.ndjson").splitlines()) == export.rows
    body = audit.lines(
        [AuditEntry.objects.filter(pharmacy=shop.pk, action="log.exported").latest("recorded_at")], shop
    )[0].body
    assert body is not None and (body["shape"], body["reason"]) == ("findings", "inspection 7")


def test_an_auditor_neither_asks_for_records_nor_opens_those_of_a_manager(
    desk: Client, shop: Pharmacy, auditor: StaffMember
) -> None:
    assert b"Hand-overs as a table" not in desk.get(reverse("counter:audit-export")).content
    assert ask(desk, shape="orders").status_code == 422
    desk.force_login(make.staff(shop, StaffRole.MANAGER).user)
    ask(desk, shape="orders")
    prepare_exports()
    file = reverse("counter:audit-export-file", args=[LogExport.objects.get().pk])
    assert desk.get(file).status_code == 200
    desk.force_login(auditor.user)
    assert desk.get(file).status_code == 403


def test_what_is_signed_after_it_was_asked_for_is_not_in_it(desk: Client, shop: Pharmacy) -> None:
    ask(desk)
    sign(shop, "Later")
    prepare_exports()
    table, _ = table_of(b"".join(file_of(desk).streaming_content))
    assert {row["patient_name"] for row in table} == {f"Ada Person {number}" for number in range(PATIENTS)}


def test_filters_narrow_it(desk: Client, shop: Pharmacy) -> None:
    ask(desk, rule="daily-maximum")
    prepare_exports()
    table, _ = table_of(b"".join(file_of(desk).streaming_content))
    assert {row["rule"] for row in table} == {"daily-maximum"} and len(table) == PATIENTS


def test_the_filters_stand_in_words_on_the_page_and_in_the_file(
    desk: Client, shop: Pharmacy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_exports, "MOST_ROWS", 0)
    patient = Patient.objects.get(family_name="Person 0")
    signer = StaffMember.objects.get(user_id=Override.objects.filter(prescription__patient=patient)[0].signed_by[5:])
    ask(
        desk, rule="daily-maximum", actor=f"user:{signer.user_id}", reason="5", patient=str(patient.pk), severity="both"
    )
    sentence = LogExport.objects.get().sentence
    assert sentence.startswith("Overrides and acknowledgements at Harbour Pharmacy, from ")
    assert (
        f", rule Daily maximum, reason Consulted prescriber, signed by {signer.display_name}, patient No. {patient.identifier}."
        in sentence
    )


def test_a_worker_that_died_is_followed_by_another(desk: Client, shop: Pharmacy) -> None:
    ask(desk)
    now = timezone.now()
    LogExport.objects.update(seen_at=now)
    assert not long_exports.prepare_next(lambda: now)
    assert long_exports.prepare_next(lambda: now + long_exports.ABANDONED + timedelta(seconds=1))


def test_an_export_that_an_erasure_removed_meanwhile_is_not_gone_on_with(desk: Client, shop: Pharmacy) -> None:
    ask(desk)
    export = LogExport.objects.get()

    def remove_after_a_page() -> bool:
        LogExport.objects.filter(rows__gt=0).delete()
        return False

    assert not long_exports.prepare_next(timezone.now, remove_after_a_page)
    assert not LogExport.objects.exists() and not LogExportPart.objects.exists()
    gone = desk.get(reverse("counter:audit-export-file", args=[export.pk]))
    assert gone.status_code == 404 and "removed when details in the log were erased" in gone.content.decode()


@pytest.mark.parametrize("change", ["content", "words", "digest as well"])
def test_a_file_that_is_not_what_the_log_says_is_not_sent(desk: Client, shop: Pharmacy, change: str) -> None:
    ask(desk)
    prepare_exports()
    part = LogExportPart.objects.order_by("number")[1]
    if change == "words":
        LogExport.objects.update(sentence="All overrides.")
    else:
        part.content = bytes(part.content).replace(b"105", b"100")
        part.save()
    if change == "digest as well":
        digest = hashlib.sha256(b"".join(bytes(part.content) for part in LogExportPart.objects.all())).hexdigest()
        LogExport.objects.update(sha256=digest)
    refused = file_of(desk)
    assert refused.status_code == 409
    assert "is not the one that was prepared" in refused.content.decode()


def test_one_at_a_time_and_the_next_when_it_is_finished(desk: Client, shop: Pharmacy) -> None:
    assert ask(desk).status_code == 302
    assert "wait until it is finished" in ask(desk).content.decode()
    prepare_exports()
    assert ask(desk).status_code == 302


def test_the_link_ends_after_seven_days_and_the_file_goes_later(desk: Client, shop: Pharmacy) -> None:
    ask(desk)
    prepare_exports()
    now = timezone.now()
    LogExport.objects.update(finished_at=now - long_exports.KEPT + timedelta(minutes=1))
    assert file_of(desk).status_code == 200
    LogExport.objects.update(finished_at=now - long_exports.KEPT)
    gone = file_of(desk)
    assert gone.status_code == 409 and "The file of this export is gone" in gone.content.decode()
    assert "None was prepared" in desk.get(reverse("counter:audit-exports")).content.decode()
    list(retention.delete_expired(now=now + timedelta(days=15)))
    assert not LogExport.objects.exists()


@pytest.mark.parametrize(("role", "status"), [(StaffRole.PHARMACIST, 403), (StaffRole.MANAGER, 200)])
def test_who_opens_the_file(desk: Client, shop: Pharmacy, role: StaffRole, status: int) -> None:
    ask(desk)
    prepare_exports()
    other = Client()
    other.force_login(make.staff(shop, role).user)
    assert file_of(other).status_code == status
    stranger = Client()
    stranger.force_login(make.staff(make.pharmacy("Elsewhere"), StaffRole.MANAGER).user)
    assert file_of(stranger).status_code == 404
    assert file_of(Client()).status_code == 302
