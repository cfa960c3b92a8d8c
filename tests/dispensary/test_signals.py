"""Signals as a host's receiver gets them: once, after the commit, never for what was rolled back, and without a patient's data."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.dispatch import Signal

from dispensary import signals
from dispensary.actions import dispenses
from dispensary.models import AuditEntry, Dispense, Override, Pharmacy, Prescription, Reminder, Review
from tests.dispensary import make

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = {signal: name for name, signal in vars(signals).items() if isinstance(signal, Signal)}
TOO_MUCH = {"phases": [{"dose": 30, "unit": "mg", "times_per_day": 3, "days": 14}], "quantity": 126}
TOO_MUCH |= {"directions": "30 mg three times a day for 14 days"}


class Receiver:
    """What a host's receiver was called with, and whether the transaction was over by then."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, signal: Signal, **facts: Any) -> None:
        assert not connection.in_atomic_block
        assert AuditEntry.objects.filter(entry_id=facts["entry"], seq__isnull=False).exists()
        self.calls.append((NAMES[signal], facts))

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def about(self, name: str) -> list[dict[str, Any]]:
        return [facts for called, facts in self.calls if called == name]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    host = Receiver()
    for signal in NAMES:
        signal.connect(host)
    yield host
    for signal in NAMES:
        signal.disconnect(host)


@pytest.fixture
def shop() -> Pharmacy:
    make.products()
    return make.pharmacy()


@pytest.fixture
def order(shop: Pharmacy) -> Prescription:
    return make.prescription(make.patient(shop))


def test_a_receipt_and_its_review_are_told_with_keys_and_codes(shop: Pharmacy, receiver: Receiver) -> None:
    person = make.patient(shop)
    order = make.prescription(person)
    assert receiver.names() == ["prescription_received", "review_completed"]
    (received,), (reviewed,) = receiver.about("prescription_received"), receiver.about("review_completed")
    assert {name: value for name, value in received.items() if name != "entry"} == {
        "sender": Prescription,
        "event": "prescription.received",
        "id": str(order.pk),
        "pharmacy": shop.pk,
        "patient": str(person.pk),
        "at": make.NOW,
        "reason": None,
        "rules": (),
    }
    review = Review.objects.get(pk=reviewed["id"])
    assert (reviewed["sender"], reviewed["reason"]) == (Review, review.outcome)
    assert not {"Okafor", "Ada", person.identifier} & {
        str(value) for _, facts in receiver.calls for value in facts.values()
    }


def test_a_hand_over_with_an_override_and_its_way_back_are_told_once_each(shop: Pharmacy, receiver: Receiver) -> None:
    by = make.staff(shop).actor()
    order = make.prescription(make.patient(shop), **TOO_MUCH)
    receiver.calls.clear()
    supply = make.hand_over(order, by)
    assert sorted(set(receiver.names())) == ["dispensed", "override_recorded", "review_completed"]
    (handed_over,), overridden = receiver.about("dispensed"), receiver.about("override_recorded")
    assert (handed_over["sender"], handed_over["id"]) == (Dispense, str(supply.pk))
    assert {facts["id"] for facts in overridden} == {
        str(row.pk) for row in Override.objects.filter(prescription=order, severity="override")
    }
    assert {facts["reason"] for facts in overridden} == {"5"}
    receiver.calls.clear()
    dispenses.cancel(dispense=supply, reason="Wrong patient", by=by, now=make.NOW)
    assert [(name, facts["event"]) for name, facts in receiver.calls] == [("taken_back", "dispense.cancelled")]


def test_a_repeated_hand_over_and_a_refused_one_are_not_told_as_hand_overs(
    order: Prescription, shop: Pharmacy, receiver: Receiver
) -> None:
    by = make.staff(shop).actor()
    same = {"prescription": order, "quantity": order.quantity, "pack": make.pack(), "by": by, "now": make.NOW}
    refused = dispenses.dispense(**{**same, "pack": make.pack(make.TWENTY_FIVE_MG)}, key="wrong")
    assert not isinstance(refused, Dispense)
    assert receiver.about("dispensed") == []
    for _ in range(2):
        assert isinstance(dispenses.dispense(**same, acknowledged=["not-assessed"], key="key"), Dispense)
    assert len(receiver.about("dispensed")) == 1


def test_what_is_rolled_back_is_never_told(order: Prescription, shop: Pharmacy, receiver: Receiver) -> None:
    by = make.staff(shop).actor()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        make.hand_over(order, by)
        raise ZeroDivisionError
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            make.hand_over(order, by)
            raise ZeroDivisionError
        make.prescriber(shop, identifier="D2")
    assert receiver.calls == []
    assert not Dispense.objects.exists()


def test_a_receiver_that_breaks_loses_nothing_and_its_words_are_not_logged(
    order: Prescription, shop: Pharmacy, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(**facts: Any) -> None:
        Reminder.objects.get(pk=-1)
        raise AssertionError("never reached")

    def complain(**facts: Any) -> None:
        raise ValueError("Ada Okafor")

    def divide(**facts: Any) -> None:
        with transaction.atomic():
            connection.cursor().execute("SELECT 1 / 0")

    for broken in (break_down, complain, divide):
        signals.dispensed.connect(broken)
    last = Receiver()
    signals.dispensed.connect(last)
    try:
        with caplog.at_level(logging.DEBUG):
            supply = make.hand_over(order, make.staff(shop).actor())
    finally:
        for broken in (break_down, complain, divide, last):
            signals.dispensed.disconnect(broken)
    assert Dispense.objects.get() == supply
    assert last.names() == receiver.names()[-1:] == ["dispensed"]
    messages = [record.getMessage() for record in caplog.records if "receiver" in record.getMessage()]
    assert [words.rpartition(" raised ")[2] for words in messages] == ["DoesNotExist.", "ValueError.", "DataError."]
    assert "test_signals" in messages[0]
    assert "Ada" not in caplog.text
    assert "Okafor" not in caplog.text
