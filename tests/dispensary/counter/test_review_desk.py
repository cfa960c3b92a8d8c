"""The review desk: overrides of a period, a patient's and an order's file, the day, exports, checks."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from dispensary import audit
from dispensary.actions import documents, hook_cards, overrides, pharmacies
from dispensary.actions.documents import Document
from dispensary.actions.hook_cards import Feedback, SentCard
from dispensary.actions.overrides import Answer
from dispensary.actors import Actor
from dispensary.audit import Event
from dispensary.audit.evidence import answers
from dispensary.models import (
    AuditEntry,
    CardOutcome,
    LogCheck,
    Mitigation,
    Override,
    OverrideState,
    SecondSignature,
    SignatureMethod,
    StaffRole,
)
from tests.dispensary import make
from tests.dispensary.audit.linking import flush_links

pytestmark = pytest.mark.django_db

WORDS = "Dr Ames confirms 105 mg until the clinic"


class Shop:
    """A pharmacy where Ada Reed's 105 mg a day were overridden, handed over and labelled."""

    def __init__(self) -> None:
        make.products()
        self.pharmacy = make.pharmacy()
        self.pharmacist = make.staff(self.pharmacy)
        self.auditor = make.staff(self.pharmacy, StaffRole.AUDITOR)
        self.patient = make.patient(
            self.pharmacy, given_name="Ada", family_name="Reed", identifier="R-123", birth_date="1956-04-01"
        )
        self.order = make.prescription(
            self.patient,
            phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
            directions="35 mg three times a day for 28 days",
            quantity=294,
        )
        self.dispense = make.hand_over(self.order, self.pharmacist.actor())
        documents.print_document(
            dispense=self.dispense, document=Document.LABEL, by=self.pharmacist.actor(), now=make.moment()
        )
        flush_links()

    def answer(self, code: str = "daily-maximum") -> Override:
        return Override.objects.get(prescription=self.order, code=code)


@pytest.fixture
def shop(db: None) -> Shop:
    return Shop()


@pytest.fixture
def desk(client: Client, shop: Shop) -> Client:
    client.force_login(shop.auditor.user)
    return client


def rows(desk: Client, **filters: str) -> list[Any]:
    page = desk.get(reverse("counter:audit-overrides"), filters)
    assert page.status_code == 200, page.context["errors"]
    rows: list[Any] = page.context["rows"]
    return rows


def test_an_override_stands_with_who_whom_what_why_and_what_came_of_it(desk: Client, shop: Shop) -> None:
    page = desk.get(reverse("counter:audit-overrides"), {"rule": "daily-maximum"})
    (row,) = page.context["rows"]
    words = page.content.decode()
    for part in (
        shop.pharmacist.display_name, "Ada Reed", "1956", "R-123", "Daily maximum", "105 mg a day is above",
        "Consulted prescriber", "Agreed.", "294",
    ):  # fmt: skip
        assert part in words, part
    assert (row.severity, row.override) == ("override", shop.answer())
    assert "105" in row.observed
    assert "100" in row.limit


@pytest.mark.parametrize(
    ("filters", "is_listed"),
    [
        ({"then": "used"}, True),
        ({"then": "withdrawn"}, False),
        ({"only": "quick"}, False),
        ({"only": "unseconded"}, False),
        ({"then": "used", "severity": "both"}, True),
    ],
)
def test_answers_are_narrowed_to_what_came_of_them(
    desk: Client, shop: Shop, filters: dict[str, str], is_listed: bool
) -> None:
    assert bool(rows(desk, **filters)) is is_listed


@pytest.mark.parametrize(("seconds", "is_listed"), [(2, True), (3, False)])
def test_answers_that_were_signed_at_once_are_listed(desk: Client, shop: Shop, seconds: int, is_listed: bool) -> None:
    with transaction.atomic():
        audit.record(
            Event.OVERRIDE_SIGNED, pharmacy=shop.pharmacy, by=shop.pharmacist.actor(), now=make.moment(), subject=shop.answer(),
            rule_codes=["renal"], body={"summary": "Kidneys", "seconds": seconds},
        )  # fmt: skip
    assert bool(rows(desk, only="quick")) is is_listed


@pytest.mark.parametrize(
    ("is_needed", "is_alone", "is_listed"),
    [(False, None, False), (True, None, True), (True, True, True), (True, False, False)],
)
def test_a_missing_second_signature_is_listed(
    desk: Client, shop: Shop, is_needed: bool, is_alone: bool | None, is_listed: bool
) -> None:
    if is_needed:
        make.staff(shop.pharmacy)
        setup = Actor.system("setup", shop.pharmacy.pk)
        pharmacies.change_settings(pharmacy=shop.pharmacy, changes={"second_signer": True}, by=setup, now=make.moment())
    if is_alone is not None:
        SecondSignature.objects.create(
            override=shop.answer(), signed_by="user:9", signer_name="Rosa Two", signer_role="pharmacist",
            signature=SignatureMethod.PASSWORD, signed_at=make.moment(), is_alone=is_alone, because="Nobody else" if is_alone else "",
        )  # fmt: skip
    assert bool(rows(desk, only="unseconded", then="used", rule="daily-maximum")) is is_listed


def test_what_another_system_reported_stands_apart_and_says_that_it_released_nothing(desk: Client, shop: Shop) -> None:
    listed = len(rows(desk, severity="both"))
    about = {
        "service": "baclofen-sign",
        "pharmacy": shop.pharmacist.pharmacy,
        "by": shop.pharmacist.actor(),
        "now": make.NOW,
    }
    card = SentCard(uuid.uuid4(), "daily-maximum", "override", "105 mg a day is above the 100 mg daily maximum")
    hook_cards.record_cards(cards=[card], hook_instance=uuid.uuid4(), patient=shop.patient, **about)
    answer = Feedback(
        card.id, CardOutcome.OVERRIDDEN, make.NOW, reason_code="5", mitigation="5", comment="Agreed on the ward."
    )
    hook_cards.record_feedback(feedback=[answer], **about)
    page = desk.get(reverse("counter:audit-overrides"), {"severity": "elsewhere"})
    words = page.content.decode()
    for part in (
        "Daily maximum",
        "105 mg a day is above",
        "Consulted prescriber",
        "Agreed on the ward.",
        "nothing was released here",
    ):
        assert part in words, part
    assert len(rows(desk, severity="both")) == listed
    entry = AuditEntry.objects.get(action="card.answered")
    [exported] = answers.make_rows(audit.lines([entry], shop.pharmacist.pharmacy), shop.pharmacist.pharmacy)
    assert (exported["severity"], exported["state"], exported["reason_code"]) == ("elsewhere", None, "5")


def test_each_filter_narrows_the_list(desk: Client, shop: Shop) -> None:
    everything = rows(desk)
    assert len(everything) == Override.objects.filter(severity="override").count() > 1
    assert len(rows(desk, severity="both")) == Override.objects.count()
    assert len(rows(desk, rule="daily-maximum")) == 1
    assert len(rows(desk, actor=shop.pharmacist.actor().name)) == len(everything)
    assert rows(desk, actor=shop.auditor.actor().name) == []
    assert len(rows(desk, reason="5")) == len(everything)
    assert rows(desk, reason="9") == []
    assert len(rows(desk, patient=str(shop.patient.pk))) == len(everything)
    assert rows(desk, patient=str(make.patient(shop.pharmacy).pk)) == []
    assert len(rows(desk, words="agreed mwangi")) >= 1 or len(rows(desk, words="agreed")) == len(everything)
    assert rows(desk, words="nothing similar") == []
    day = (make.moment() + timedelta(days=2)).date().isoformat()
    assert rows(desk, since=day, until=day) == []


def test_what_a_list_shows_is_recorded_with_its_filters(desk: Client, shop: Shop) -> None:
    rows(desk, rule="daily-maximum")
    (entry,) = AuditEntry.objects.filter(action="log.searched", pharmacy=shop.pharmacy.pk)
    (line,) = audit.lines([entry], shop.pharmacy)
    assert line.body is not None
    assert line.body["filters"]["rule"] == "daily-maximum"


def test_a_patient_is_found_by_name_number_or_birth_date_and_no_address_holds_the_name(
    desk: Client, shop: Shop
) -> None:
    for words in ("reed", "R-123", "Reed 1956-04-01"):
        answer = desk.post(reverse("counter:audit-patients"), {"words": words})
        assert answer["Location"] == reverse("counter:audit-patient", args=[shop.patient.pk])
    make.patient(shop.pharmacy, given_name="Bo", family_name="Reed")
    page = desk.post(reverse("counter:audit-patients"), {"words": "reed"})
    assert len(page.context["people"]) == 2
    assert desk.post(reverse("counter:audit-patients"), {"words": "x"}).status_code == 422
    assert AuditEntry.objects.filter(action="patient.searched", pharmacy=shop.pharmacy.pk).count() == 4


def test_a_patients_file_tells_what_happened_and_who_looked(desk: Client, shop: Shop) -> None:
    address = reverse("counter:audit-patient", args=[shop.patient.pk])
    events = [line.line.entry.action for line in desk.get(address).context["lines"]]
    assert {"patient.registered", "override.signed", "dispense.completed", "label.printed"} <= set(events)
    assert "record.read" not in events
    looks = desk.get(address, {"looks": ""}).context["lines"]
    assert [line.line.entry.action for line in looks] == ["record.read"]
    assert shop.auditor.display_name in looks[0].sentence
    assert any(
        "signed an answer to" in line.sentence and "Ada Reed" in line.sentence
        for line in desk.get(address).context["lines"]
    )


def test_a_patients_file_says_in_words_what_a_message_was_about(desk: Client, shop: Shop) -> None:
    audit.record(
        audit.Event.REMINDER_SENT, pharmacy=shop.pharmacy, by=shop.pharmacist.actor(), now=make.moment(), patient=shop.patient,
        subject=audit.Subject("reminder", "1"), reason_code="refill_due", body={"channel": "email"},
    )  # fmt: skip
    flush_links()
    text = desk.get(reverse("counter:audit-patient", args=[shop.patient.pk])).content.decode()
    assert "Next supply due" in text
    assert "refill_due" not in text.casefold()


def test_an_orders_file_shows_what_was_shown_signed_and_printed(desk: Client, shop: Shop) -> None:
    page = desk.get(reverse("counter:audit-order", args=[shop.order.pk]))
    details_by_action = {line.line.entry.action: line.details for line in page.context["lines"]}
    assert "105 mg a day is above" in str(details_by_action["review.recorded"])
    details = {action: dict(pairs) for action, pairs in details_by_action.items()}
    assert details["override.signed"]["In words"] == "Agreed."
    assert details["dispense.completed"]["Tablets"] == "294 of 10 mg"
    assert "35 mg" in details["label.printed"]["Says"] or "tablets" in details["label.printed"]["Says"]
    assert AuditEntry.objects.filter(action="record.read", subject_id=str(shop.order.pk)).count() == 1


def test_an_entry_reads_as_a_page_for_a_person_with_its_json_folded_away(desk: Client, shop: Shop) -> None:
    entry = AuditEntry.objects.get(action="override.signed", subject_id=str(shop.answer().pk))
    words = desk.get(reverse("counter:audit-entry", args=[entry.entry_id])).content.decode()
    before, _, folded = words.partition('<details class="d-sources"><summary>The details word for word')
    assert "Ada Reed" in before
    assert "How it was worked out" in before
    assert "fingerprint" in folded
    assert "fingerprint" not in before


def test_a_day_is_counted_signed_and_cannot_be_signed_twice(desk: Client, shop: Shop, settings: Any) -> None:
    today = shop.pharmacy.local_day(make.moment())
    early = desk.post(reverse("counter:audit-day-sign"), {"day": today.isoformat()})
    assert early.status_code == 400
    yesterday = (today - timedelta(days=1)).isoformat()
    page = desk.get(reverse("counter:audit-day"), {"day": yesterday})
    assert page.context["file"].signed is None
    assert desk.post(reverse("counter:audit-day-sign"), {"day": yesterday}).status_code == 302
    page = desk.get(reverse("counter:audit-day"), {"day": yesterday})
    assert f"Signed by {shop.auditor.display_name}" in page.content.decode()
    assert desk.post(reverse("counter:audit-day-sign"), {"day": yesterday}).status_code == 422


def export(desk: Client, **data: str) -> Any:
    answer = desk.post(reverse("counter:audit-export"), {"purpose": "complaint 7", **data})
    assert answer.status_code == 200, getattr(answer, "context", {})["errors"]
    return answer


def test_the_inspectors_table_carries_words_names_and_findings_with_a_dictionary(desk: Client, shop: Shop) -> None:
    answer = export(desk, shape="answers", rule="daily-maximum", since="2000-01-01")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    (row,) = csv.DictReader(io.StringIO(archive.read("answers.csv").decode()))
    assert row["patient_name"] == "Ada Reed"
    assert row["signer"] == shop.pharmacist.display_name
    assert row["words"] == "Agreed."
    assert "105 mg a day is above" in row["finding"]
    assert (row["state"], row["quantity"], row["body_state"]) == ("used", "294", "whole")
    package = json.loads(archive.read("datapackage.json"))
    fields = package["resources"][0]["schema"]["fields"]
    assert [field["name"] for field in fields] == list(row)
    assert all(field["description"] and field["missingValueMeans"] for field in fields)
    (line,) = audit.lines(AuditEntry.objects.filter(action="log.exported", pharmacy=shop.pharmacy.pk), shop.pharmacy)
    assert line.body is not None
    assert (line.body["rows"], line.body["reason"], line.body["shape"]) == (1, "complaint 7", "answers")
    assert package["resources"][0]["hash"] == f"sha256:{line.body['sha256']}"


def test_an_export_is_narrowed_as_the_list_and_says_so(desk: Client) -> None:
    answer = export(desk, shape="answers", then="withdrawn", only="quick", since="2000-01-01")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert list(csv.DictReader(io.StringIO(archive.read("answers.csv").decode()))) == []
    assert "now withdrawn, signed in under 3 seconds" in archive.read("README.txt").decode()


def test_the_page_of_an_export_names_its_filters_in_words(desk: Client, shop: Shop) -> None:
    signer = shop.pharmacist
    query = {
        "shape": "answers", "severity": "both", "rule": "daily-maximum", "then": "withdrawn", "only": "unseconded", "reason": "5",
        "actor": signer.actor().name, "words": "clinic",
    }  # fmt: skip
    text = desk.get(reverse("counter:audit-export"), query).content.decode()
    (sentence,) = re.findall(r"narrowed as on the list that you came from: (.+?)\.</p>", text)
    assert sentence.split("; ") == [
        "Severity: Both", "Rule: Daily maximum", f"Signed by: {signer.display_name}", f"Reason: {Mitigation('5').label}",
        f"Then: {OverrideState.WITHDRAWN.label}", "Words in it: clinic", "Only: No second signature where one is needed",
    ]  # fmt: skip


def test_an_export_of_missing_signatures_says_so_where_no_rule_needs_one(desk: Client) -> None:
    answer = export(desk, shape="answers", only="unseconded", since="2000-01-01")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert list(csv.DictReader(io.StringIO(archive.read("answers.csv").decode()))) == []
    assert "without a second signature, of the rules (none needs one)" in archive.read("README.txt").decode()


def test_a_cell_that_a_spreadsheet_would_run_is_guarded(shop: Shop) -> None:
    row = dict.fromkeys((column.name for column in answers.TABLE.columns), "=1+1")
    content, _ = answers.write_zip([row], sentence="All.", now=make.NOW)
    cells = next(iter(csv.DictReader(io.StringIO(zipfile.ZipFile(io.BytesIO(content)).read("answers.csv").decode()))))
    assert set(cells.values()) == {"'=1+1"}


@pytest.mark.parametrize("shape", ["csv", "json", "fhir"])
def test_each_view_of_the_log_is_one_file(desk: Client, shop: Shop, shape: str) -> None:
    today = make.moment().date().isoformat()
    text = b"".join(export(desk, shape=shape, since=today, until=today).streaming_content).decode()
    if shape == "csv":
        assert len(list(csv.DictReader(io.StringIO(text)))) > 5
    else:
        documents_ = [json.loads(line) for line in text.splitlines()]
        assert len(documents_) > 5
        assert shape == "fhir" or {"seq", "leaf", "header", "body"} == set(documents_[0])


@pytest.mark.parametrize(
    ("data", "target"),
    [({}, "id_shape_0"), ({"shape": "csv", "purpose": "x"}, "id_since"), ({"shape": "csv"}, "id_purpose")],
)
def test_an_export_that_lacks_something_says_what(desk: Client, data: dict[str, str], target: str) -> None:
    page = desk.post(reverse("counter:audit-export"), data)
    assert page.status_code == 422
    assert target in [line.target for line in page.context["errors"]]


def test_one_check_at_a_time_is_asked_for_and_recorded(desk: Client, shop: Shop) -> None:
    address = reverse("counter:audit-checks")
    assert desk.post(address)["Location"] == address
    assert "It waits for the sealer" in desk.get(address).content.decode()
    assert desk.post(address).status_code == 409
    assert LogCheck.objects.filter(pharmacy=shop.pharmacy).count() == 1
    assert AuditEntry.objects.filter(action="log.check_requested", pharmacy=shop.pharmacy.pk).count() == 1


def test_seconds_between_page_and_signature_stand_in_the_log(shop: Shop) -> None:
    order = make.prescription(
        make.patient(shop.pharmacy), phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="35 mg three times a day for 28 days", quantity=294,
    )  # fmt: skip
    answer = Answer("daily-maximum", "5", WORDS, asked="Dr Ames", signature=SignatureMethod.PASSWORD, seconds=41)
    (signed,) = overrides.sign(prescription=order, answers=[answer], by=shop.pharmacist.actor(), now=make.moment())
    (line,) = audit.history(signed, pharmacy=shop.pharmacy)
    assert line.body is not None
    assert line.body["seconds"] == 41
