"""Alerts of the staff: what opens one, who is told when, who may answer, and what the log says of it."""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dispensary import audit
from dispensary.actions import alert_contacts, log_review, overrides, pharmacies, staff_alerts, worklist
from dispensary.actions.alert_contacts import Chosen
from dispensary.actions.second_signatures import Signed, digest_waiting, find_waiting, sign_second
from dispensary.actors import Actor
from dispensary.audit import Event
from dispensary.errors import Conflict, InvalidInput, NotAllowed, NotFound
from dispensary.models import (
    AlertContact,
    AlertKind,
    AlertRank,
    AuditEntry,
    Pharmacy,
    Resolution,
    SignatureMethod,
    StaffAlert,
    StaffMember,
    StaffRole,
    WorkKind,
    WorklistItem,
)
from dispensary.reminders.work import ORDINARY_REPLY_WITHIN, open_or_add
from tests.dispensary import make
from tests.dispensary.actions.test_dispenses import ASKED, above_the_maximum
from tests.dispensary.make import NOW
from tests.dispensary.reminders.conftest import Outbox

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
ADDRESSES = ("person@example.org", "deputy@example.org", "boss@example.org")


@pytest.fixture
def shop() -> Pharmacy:
    return make.pharmacy(time_zone="UTC")


@pytest.fixture
def manager(shop: Pharmacy) -> StaffMember:
    return make.staff(shop, StaffRole.MANAGER)


@pytest.fixture
def people(shop: Pharmacy, manager: StaffMember, outbox: Outbox) -> list[StaffMember]:
    """The named person, the deputy, and a manager whose account has an address."""
    named = [make.staff(shop), make.staff(shop)]
    manager.user.email = ADDRESSES[2]
    manager.user.save()
    name(shop, manager, *((m.pk, "email", address) for m, address in zip(named, ADDRESSES, strict=False)))
    return [*named, manager]


def name(shop: Pharmacy, by: StaffMember, *chosen: tuple[int, str, str] | None) -> None:
    alert_contacts.name_contacts(
        pharmacy=shop,
        chosen={rank: Chosen(*who) for rank, who in zip(AlertRank, chosen, strict=False) if who},
        by=by.actor(),
        now=NOW,
    )


def open_one(shop: Pharmacy, kind: AlertKind = AlertKind.VERIFICATION, subject: str = "1") -> StaffAlert:
    by = Actor.system("alerts", shop.pk)
    assert staff_alerts.open_alert(kind=kind, pharmacy=shop, subject_id=subject, by=by, now=NOW)
    return StaffAlert.objects.get(subject_id=subject)


def tell(at: datetime) -> int:
    """How many rounds were told at a time."""
    return next(n for n in itertools.count() if not staff_alerts.tell_next(lambda: at))


def told(outbox: Outbox) -> list[str]:
    return [message["to"] for message in outbox.sent]


def entries(shop: Pharmacy, event: Event) -> list[dict[str, Any]]:
    rows = AuditEntry.objects.filter(pharmacy=shop.pk, action=event.value).order_by("recorded_at")
    return [line.body or {} for line in audit.lines(rows, shop.pk)]


def test_person_deputy_and_managers_are_told_in_turn_until_somebody_answers(
    shop: Pharmacy, people: list[StaffMember], outbox: Outbox
) -> None:
    alert = open_one(shop)
    assert (tell(NOW), told(outbox)) == (1, ["person@example.org"])
    assert tell(NOW + staff_alerts.DEPUTY_AFTER - MINUTE) == 0
    at = NOW + staff_alerts.DEPUTY_AFTER
    assert at <= NOW + 15 * MINUTE
    assert (tell(at), told(outbox)[1:]) == (1, ["deputy@example.org"])
    assert tell(at + staff_alerts.EVERYBODY_AFTER - MINUTE) == 0
    assert (tell(at + staff_alerts.EVERYBODY_AFTER), sorted(told(outbox)[2:])) == (1, sorted(ADDRESSES))
    staff_alerts.answer(alert_id=alert.pk, words="On it", by=people[1].actor(), now=at)
    assert tell(NOW + timedelta(days=3)) == 0
    assert [body["told"][0]["answer"] for body in entries(shop, Event.ALERT_TOLD)] == ["accepted"] * 3
    (answered,) = entries(shop, Event.ALERT_ANSWERED)
    assert (answered["words"], answered["by"]) == ("On it", people[1].display_name)


def test_nobody_answers_and_every_manager_is_told_again(
    shop: Pharmacy, people: list[StaffMember], outbox: Outbox
) -> None:
    open_one(shop)
    for hours in range(0, 24, 1):
        tell(NOW + timedelta(hours=hours))
    assert len(told(outbox)) == 1 + 1 + 3 * 6, "person, deputy, then all three at 2, 6, 10, 14, 18 and 22 h"


def test_the_deputy_is_told_at_once_where_the_person_cannot_be_reached(
    shop: Pharmacy, people: list[StaffMember], outbox: Outbox
) -> None:
    open_one(shop)
    outbox.set_faults(answer="bad-address", times=1)
    assert (tell(NOW), told(outbox)) == (2, ["deputy@example.org"])
    first, second = entries(shop, Event.ALERT_TOLD)
    assert (first["told"][0]["answer"], second["told"][0]["answer"]) == ("address-refused", "accepted")
    assert first["told"][0]["address"] == "p…@example.org", "the log knows no whole address"


def test_who_has_no_access_any_more_is_not_told(shop: Pharmacy, people: list[StaffMember], outbox: Outbox) -> None:
    pharmacies.end_access(member=people[0], by=people[2].actor(), now=NOW)
    open_one(shop)
    assert (tell(NOW), told(outbox)) == (1, ["deputy@example.org"])


def test_where_nobody_is_named_managers_are_told_and_where_there_is_none_the_log_says_so(
    shop: Pharmacy, manager: StaffMember, outbox: Outbox
) -> None:
    open_one(shop)
    assert (tell(NOW), told(outbox)) == (1, [])
    (entry,) = AuditEntry.objects.filter(pharmacy=shop.pk, action=Event.ALERT_TOLD.value)
    assert entry.outcome == "failure"
    manager.user.email = ADDRESSES[2]
    manager.user.save()
    assert (tell(NOW + timedelta(hours=4)), told(outbox)) == (1, [ADDRESSES[2]])


def test_a_notice_says_place_kind_and_page_and_no_patient(
    shop: Pharmacy, people: list[StaffMember], outbox: Outbox
) -> None:
    patient = make.patient(shop, family_name="Canary")
    flag(shop, patient, "Canary took all of it")
    staff_alerts.open_found(now=NOW)
    tell(NOW)
    (message,) = outbox.sent
    assert "Harbour Pharmacy: a message that cannot wait is unread" in message["text"]
    assert "https://pharmacy.example/" in message["text"]
    assert "Canary" not in json.dumps(message)


def test_a_channel_that_breaks_down_stops_nobody(
    shop: Pharmacy, people: list[StaffMember], outbox: Outbox, settings: Any, tmp_path: Path
) -> None:
    settings.DISPENSARY = {
        **settings.DISPENSARY,
        "channel_options": {"sink": {"file": str(tmp_path / "no" / "folder")}},
    }
    open_one(shop)
    assert tell(NOW) == 3
    assert {body["told"][0]["answer"] for body in entries(shop, Event.ALERT_TOLD)} == {"unknown"}


def flag(shop: Pharmacy, patient: Any, words: str) -> WorklistItem:
    by = Actor.system("reminders", shop.pk)
    open_or_add(
        WorkKind.RED_FLAG, pharmacy_id=shop.pk, patient_id=patient.pk, reason=words, by=by, now=NOW
    )  # fmt: skip
    return WorklistItem.objects.get(patient=patient)


def test_a_red_flag_is_an_alert_until_its_work_is_done_and_again_when_it_says_more(
    shop: Pharmacy, manager: StaffMember
) -> None:
    patient = make.patient(shop)
    item = flag(shop, patient, "The box is empty.")
    assert [staff_alerts.open_found(now=NOW) for _ in range(2)] == [1, 0]
    (alert,) = StaffAlert.objects.all()
    staff_alerts.answer(alert_id=alert.pk, words="I ring them", by=manager.actor(), now=NOW)
    assert staff_alerts.open_found(now=NOW) == 0
    flag(shop, patient, "I shake.")
    assert staff_alerts.open_found(now=NOW) == 1
    worklist.resolve_work(item_id=item.pk, resolution=Resolution.CALLED, by=manager.actor(), now=NOW)
    assert staff_alerts.open_found(now=NOW) == 0
    assert not StaffAlert.objects.filter(answered_at=None).exists()
    assert entries(shop, Event.ALERT_ANSWERED)[-1]["words"] == "The work is done or put off."


@pytest.mark.parametrize(
    ("at", "within", "count"),
    [
        ("2026-11-23T12:59", None, 0),
        ("2026-11-23T13:00", None, 1),
        ("2026-11-23T19:59", None, 1),
        ("2026-11-23T20:00", None, 0),
        ("2026-11-24T08:59", None, 0),
        ("2026-11-24T09:00", None, 1),
        ("2026-11-28T12:00", None, 0),
        ("2026-11-23T19:59", ORDINARY_REPLY_WITHIN - timedelta(hours=2), 0),
    ],
    ids=[
        "within the hour", "after an hour", "before the evening", "in the evening", "before the morning", "in the morning",
        "on a closed day", "a mere yes",
    ],
)  # fmt: skip
def test_a_message_that_nobody_reads_is_an_alert_after_an_hour_while_the_pharmacy_is_open(
    at: str, within: timedelta | None, count: int
) -> None:
    shop = make.pharmacy(time_zone="UTC", opening_days="12345")
    by, noon = Actor.system("reminders", shop.pk), datetime.fromisoformat("2026-11-23T12:00+00:00")
    open_or_add(
        WorkKind.REPLY, pharmacy_id=shop.pk, patient_id=make.patient(shop).pk, reason="I feel odd", by=by, now=noon,
        within=within,
    )  # fmt: skip
    staff_alerts.open_found(now=datetime.fromisoformat(f"{at}+00:00"))
    assert StaffAlert.objects.filter(kind=AlertKind.RED_FLAG).count() == count


@pytest.mark.parametrize(
    ("at", "count"),
    [("2026-11-23T17:59", 0), ("2026-11-23T18:00", 1), ("2026-11-25T18:00", 3)],
    ids=["before six", "at six on the next day", "three days"],
)
def test_a_day_is_signed_before_six_on_the_next_day(
    shop: Pharmacy, people: list[StaffMember], at: str, count: int
) -> None:
    now = datetime.fromisoformat(f"{at}+00:00")
    assert staff_alerts.open_found(now=now) == count
    assert staff_alerts.open_found(now=now) == 0


def test_a_day_before_a_closed_one_is_signed_on_the_next_open_day(shop: Pharmacy, people: list[StaffMember]) -> None:
    setup = Actor.system("setup", shop.pk)
    pharmacies.change_settings(pharmacy=shop, changes={"opening_days": "23456"}, by=setup, now=NOW)
    monday, tuesday = (datetime.fromisoformat(f"2026-11-{day}T18:00+00:00") for day in (23, 24))
    assert (staff_alerts.open_found(now=monday), staff_alerts.open_found(now=tuesday - MINUTE)) == (0, 0)
    assert staff_alerts.open_found(now=tuesday) == 2, "Sunday, and Monday on which it was closed"


def test_a_day_that_is_signed_late_answers_its_alert(shop: Pharmacy, people: list[StaffMember]) -> None:
    now = datetime.fromisoformat("2026-11-23T18:00+00:00")
    staff_alerts.open_found(now=now)
    log_review.sign_day(
        pharmacy=shop, day=NOW.date(), looked_at=(), words="late", by=people[2].actor(), now=now + MINUTE
    )  # fmt: skip
    staff_alerts.open_found(now=now + MINUTE)
    assert StaffAlert.objects.get().words == "The day is signed."


def test_nobody_is_told_of_unsigned_days_where_nobody_was_named(shop: Pharmacy, manager: StaffMember) -> None:
    assert staff_alerts.open_found(now=NOW + timedelta(days=5)) == 0


def test_a_second_signature_opens_an_alert_that_neither_signer_answers(shop: Pharmacy, manager: StaffMember) -> None:
    make.products()
    first, second, third = (make.staff(shop).actor() for _ in range(3))
    setup = Actor.system("setup", shop.pk)
    pharmacies.change_settings(pharmacy=shop, changes={"second_signer": True}, by=setup, now=NOW)
    shop.refresh_from_db()
    order = above_the_maximum(shop)
    overrides.sign(prescription=order, answers=[ASKED], by=first, now=NOW)
    signed = Signed(SignatureMethod.PASSWORD, digest_waiting(find_waiting(order)))
    sign_second(prescription=order, signed=signed, by=second, now=NOW)
    (alert,) = StaffAlert.objects.all()
    assert alert.kind == AlertKind.OVERRIDE
    for signer in (first, second):
        with pytest.raises(NotAllowed, match="You signed this override"):
            staff_alerts.answer(alert_id=alert.pk, words="fine", by=signer, now=NOW)
    assert staff_alerts.answer(alert_id=alert.pk, words="read it", by=third, now=NOW).answerer_name == third.display


def test_who_may_not_answer(shop: Pharmacy, manager: StaffMember) -> None:
    alert = open_one(shop)
    with pytest.raises(NotAllowed):
        staff_alerts.answer(
            alert_id=alert.pk, words="fine", by=make.staff(shop, StaffRole.TECHNICIAN).actor(), now=NOW
        )  # fmt: skip
    with pytest.raises(NotFound):
        stranger = make.staff(make.pharmacy("Elsewhere"), StaffRole.MANAGER).actor()
        staff_alerts.answer(alert_id=alert.pk, words="fine", by=stranger, now=NOW)
    with pytest.raises(InvalidInput):
        staff_alerts.answer(alert_id=alert.pk, words=" ", by=manager.actor(), now=NOW)
    staff_alerts.answer(alert_id=alert.pk, words="fine", by=manager.actor(), now=NOW)
    with pytest.raises(Conflict, match="has answered"):
        staff_alerts.answer(alert_id=alert.pk, words="fine", by=manager.actor(), now=NOW)


def test_who_is_named_may_answer_is_two_people_and_can_be_reached(
    shop: Pharmacy, manager: StaffMember, outbox: Outbox
) -> None:
    technician, pharmacist = make.staff(shop, StaffRole.TECHNICIAN), make.staff(shop)
    good = (pharmacist.pk, "email", "ada@example.org")
    for chosen, field in {
        ((technician.pk, "email", "t@example.org"),): "person.member",
        (good, good): "deputy.member",
        ((pharmacist.pk, "pigeon", "x"),): "person.medium",
        (None, (pharmacist.pk, "email", "not an address")): "deputy.address",
    }.items():
        with pytest.raises(InvalidInput) as caught:
            name(shop, manager, *chosen)
        assert [problem.field for problem in caught.value.problems] == [field]
    with pytest.raises(NotAllowed):
        name(shop, pharmacist, good)
    assert not AlertContact.objects.filter(pharmacy=shop).exists()


def test_people_change_places_at_once_and_the_log_says_so_once(shop: Pharmacy, people: list[StaffMember]) -> None:
    person, deputy, manager = people
    swapped = ((deputy.pk, "email", ADDRESSES[1]), (person.pk, "email", ADDRESSES[0]))
    name(shop, manager, *swapped)
    name(shop, manager, *swapped)
    contacts = AlertContact.objects.filter(pharmacy=shop).order_by("rank")
    assert [contact.member for contact in contacts] == [deputy, person]
    first, second = entries(shop, Event.ALERT_CONTACT_CHANGED)
    assert set(first["changed"]) == set(second["changed"]) == {"person", "deputy"}
    name(shop, manager)
    assert not AlertContact.objects.filter(pharmacy=shop).exists()
