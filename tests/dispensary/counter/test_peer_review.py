"""Peer review: a sample of overrides that nobody picks, judged by somebody who did not sign, in the log."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import peer_review
from dispensary.audit import Subject, lines
from dispensary.audit.sealing import service
from dispensary.models import (
    AuditCheckpoint,
    AuditEntry,
    Override,
    Patient,
    Pharmacy,
    SecondSignature,
    StaffMember,
    StaffRole,
)
from tests.dispensary import make
from tests.dispensary.audit.conftest import own_key  # noqa: F401  (a fixture)
from tests.dispensary.audit.log.test_reader import read_often

pytestmark = [
    pytest.mark.usefixtures("own_key"),
    pytest.mark.django_db(transaction=True, databases=["default", "sealer", "owner"]),
]
SIGNED = 3


@pytest.fixture
def shop() -> Pharmacy:
    """A pharmacy where Petra signed overrides for 105 mg a day, not sealed yet."""
    make.products()
    shop = make.pharmacy(now=timezone.now())
    petra = make.staff(shop, now=timezone.now())
    for number in range(SIGNED):
        sign(make.patient(shop, family_name=f"Person {number}", now=timezone.now()), petra)
    return shop


def sign(patient: Patient, signer: StaffMember) -> None:
    """Sign the overrides of an order of 105 mg a day, and hand it over."""
    order = make.prescription(
        patient, phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="35 mg three times a day for 28 days", quantity=294, now=timezone.now(),
    )  # fmt: skip
    make.hand_over(order, signer.actor(), now=timezone.now())


def seal(shop: Pharmacy) -> None:
    service.seal_round(service.make_sealer(), timezone.now(), pharmacy=shop.pk)


@pytest.fixture
def auditor(shop: Pharmacy) -> StaffMember:
    return make.staff(shop, StaffRole.AUDITOR, now=timezone.now())


@pytest.fixture
def desk(client: Client, auditor: StaffMember) -> Client:
    client.force_login(auditor.user)
    return client


def local_day(shop: Pharmacy, days_ago: int) -> str:
    return (shop.local_day(timezone.now()) - timedelta(days=days_ago)).isoformat()


def draw(desk: Client, shop: Pharmacy, number: int = 3, since: str = "", until: str = "") -> HttpResponse:
    period = {"since": since or local_day(shop, 1), "until": until or local_day(shop, 0)}
    answer = desk.post(reverse("counter:audit-samples"), {**period, "number": number})
    assert isinstance(answer, HttpResponse)
    return answer


def judge(desk: Client, address: str, entry: object, judgement: str, words: str = "") -> HttpResponse:
    answer = desk.post(address, {"entry": str(entry), "judgement": judgement, "words": words})
    assert isinstance(answer, HttpResponse)
    return answer


def entries(action: str, shop: Pharmacy) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action, pharmacy=shop.pk).order_by("seq"))


def test_the_order_of_a_sample_can_be_computed_again_by_whoever_holds_the_log(desk: Client, shop: Pharmacy) -> None:
    seal(shop)
    assert draw(desk, shop, 3).status_code == 302
    (drawn,) = lines(entries("review.sampled", shop), shop)
    signed = entries("override.signed", shop)
    root = bytes(AuditCheckpoint.objects.get(log_id=signed[0].log_id, size=(drawn.body or {})["checkpoint"]).root)
    order = sorted((entry.entry_id for entry in signed), key=lambda key: hashlib.sha256(root + key.bytes).digest())
    assert (drawn.body or {})["overrides"] == [str(key) for key in order[:3]]
    assert (drawn.body or {})["frame"] == {"first": signed[0].seq, "last": signed[-1].seq, "entries": len(signed)}


def test_a_sample_that_was_opened_often_is_found(
    desk: Client, shop: Pharmacy, auditor: StaffMember, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal(shop)
    address = draw(desk, shop, 1)["Location"]
    (drawn,) = entries("review.sampled", shop)
    monkeypatch.setattr(peer_review, "_MOST_JUDGEMENTS", 3)
    with transaction.atomic():
        read_often(Subject("sample", drawn.subject_id), shop, auditor.actor(), times=3)
    assert desk.get(address).status_code == 200


def test_the_signer_is_named_when_the_reader_has_judged_and_every_judgement_is_in_the_log(
    desk: Client, shop: Pharmacy
) -> None:
    seal(shop)
    address = draw(desk, shop, 2)["Location"]
    page = desk.get(address)
    first, second = page.context["rows"]
    signer = first.answer.body["signer"]
    assert "105 mg a day" in page.content.decode()
    assert signer not in page.content.decode()
    assert judge(desk, address, first.sampled.line.entry.entry_id, "agreed").status_code == 302
    words = desk.get(address).content.decode()
    assert words.count(f"Signed by {signer}") == 1
    assert "1 of 2 judged" in words
    assert judge(desk, address, second.sampled.line.entry.entry_id, "discuss", "Who was asked?").status_code == 302
    assert "2 of 2 judged, 1 to discuss" in desk.get(address).content.decode()
    judged = lines(entries("review.judged", shop), shop)
    assert [(line.body or {})["judgement"] for line in judged] == ["agreed", "discuss"]
    assert judged[0].entry.patient_ref == first.sampled.line.entry.patient_ref


def test_one_to_discuss_needs_words_and_what_was_typed_stays(desk: Client, shop: Pharmacy) -> None:
    seal(shop)
    address = draw(desk, shop, 1)["Location"]
    (row,) = desk.get(address).context["rows"]
    refused = judge(desk, address, row.sampled.line.entry.entry_id, "discuss")
    assert refused.status_code == 422
    assert "Say in words what is to be discussed" in refused.content.decode()
    assert refused.context["rows"][0].chosen == "discuss"  # type: ignore[attr-defined]  # of the test client
    unanswered = judge(desk, address, row.sampled.line.entry.entry_id, "", "typed before")
    assert unanswered.status_code == 422
    assert "typed before" in unanswered.content.decode()
    assert judge(desk, address, "no-id", "agreed").status_code == 422
    assert entries("review.judged", shop) == []


def test_the_verdicts_of_a_sample_are_shares_by_rule(desk: Client, shop: Pharmacy) -> None:
    seal(shop)
    address = draw(desk, shop, 2)["Location"]
    for row, right in zip(desk.get(address).context["rows"], ("yes", "no"), strict=True):
        entry = row.sampled.line.entry.entry_id
        verdicts = {"finding_right": right, "answer_fitting": "unknown"}
        answer = desk.post(address, {"entry": str(entry), "judgement": "agreed", **verdicts})
        assert answer.status_code == 302
    today = local_day(shop, 0)
    page = desk.get(reverse("counter:audit-quality"), {"since": today, "until": today})
    shares = [(str(right), str(fitting)) for _, right, fitting in page.context["judged"]]
    assert sum(share.part for _, share, _ in page.context["judged"]) == 1
    assert {fitting for _, fitting in shares} == {"0 of 0"}
    assert "Judged in peer review" in page.content.decode()


def test_a_verdict_that_is_not_offered_is_refused(desk: Client, shop: Pharmacy) -> None:
    seal(shop)
    address = draw(desk, shop, 1)["Location"]
    (row,) = desk.get(address).context["rows"]
    words = {"entry": str(row.sampled.line.entry.entry_id), "judgement": "agreed", "finding_right": "perhaps"}
    assert desk.post(address, words).status_code == 422
    assert entries("review.judged", shop) == []


def test_nobody_judges_twice_and_a_second_reviewer_may_differ(desk: Client, shop: Pharmacy) -> None:
    seal(shop)
    address = draw(desk, shop, 1)["Location"]
    (row,) = desk.get(address).context["rows"]
    entry = row.sampled.line.entry.entry_id
    assert judge(desk, address, entry, "agreed").status_code == 302
    assert judge(desk, address, entry, "discuss", "On second thoughts").status_code == 409
    other = Client()
    other.force_login(make.staff(shop, StaffRole.AUDITOR, now=timezone.now()).user)
    assert judge(other, address, entry, "discuss", "No source is named").status_code == 302
    (row,) = other.get(address).context["rows"]
    assert [judged.judgement.value for judged in row.sampled.judged] == ["agreed", "discuss"]


def test_own_overrides_are_neither_drawn_nor_judged(shop: Pharmacy, desk: Client) -> None:
    manager = make.staff(shop, StaffRole.MANAGER, now=timezone.now())
    sign(make.patient(shop, family_name="Own", now=timezone.now()), manager)
    seal(shop)
    own = Client()
    own.force_login(manager.user)
    address = draw(own, shop, 50)["Location"]
    assert {row.sampled.line.entry.actor for row in own.get(address).context["rows"]}.isdisjoint({manager.actor().name})
    everybody = draw(desk, shop, 50)["Location"]
    mine = next(row for row in own.get(everybody).context["rows"] if row.sampled.is_own)
    assert judge(own, everybody, mine.sampled.line.entry.entry_id, "agreed").status_code == 409


def test_who_signed_second_neither_draws_nor_judges_it(shop: Pharmacy, desk: Client) -> None:
    manager = make.staff(shop, StaffRole.MANAGER, now=timezone.now())
    seconded = Override.objects.filter(prescription__pharmacy=shop, severity="override").order_by("signed_at")[0]
    SecondSignature.objects.create(
        override=seconded, signed_by=manager.actor().name, signer_name=manager.display_name, signer_role="manager",
        signature="password", signed_at=timezone.now(),
    )  # fmt: skip
    seal(shop)
    own = Client()
    own.force_login(manager.user)
    drawn = own.get(draw(own, shop, 50)["Location"]).context["rows"]
    assert str(seconded.pk) not in {row.sampled.line.entry.subject_id for row in drawn}
    everybody = draw(desk, shop, 50)["Location"]
    mine = next(
        row for row in own.get(everybody).context["rows"] if row.sampled.line.entry.subject_id == str(seconded.pk)
    )
    assert not mine.is_open
    assert judge(own, everybody, mine.sampled.line.entry.entry_id, "agreed").status_code == 409


def test_a_period_without_overrides_or_not_signed_yet_is_refused_with_what_to_do(desk: Client, shop: Pharmacy) -> None:
    earlier = local_day(shop, 9)
    for refused, words in (
        (draw(desk, shop), "not signed by the sealer yet"),
        (draw(desk, shop, since=earlier, until=earlier), "nobody else signed an override"),
        (draw(desk, shop, number=51), "less than or equal to 50"),
        (draw(desk, shop, until=earlier), "ends before it begins"),
    ):
        assert refused.status_code == 422
        assert words in refused.content.decode()
    assert entries("review.sampled", shop) == []


def test_a_sample_of_another_pharmacy_is_not_found(desk: Client, shop: Pharmacy) -> None:
    seal(shop)
    address = draw(desk, shop, 1)["Location"]
    stranger = Client()
    stranger.force_login(
        make.staff(make.pharmacy("Elsewhere", now=timezone.now()), StaffRole.AUDITOR, now=timezone.now()).user
    )
    assert stranger.get(address).status_code == 404
    assert judge(stranger, address, "00000000-0000-0000-0000-000000000000", "agreed").status_code in (404, 422)
