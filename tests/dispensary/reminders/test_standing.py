"""What stands is told once while it lasts: an order that waits, papers that are no longer true."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from dispensary.actions import documents, order_states, worklist
from dispensary.actions.decisions import Decided
from dispensary.actions.documents import Document
from dispensary.actions.therapy import record_decision
from dispensary.actors import Actor
from dispensary.errors import Conflict, InvalidInput
from dispensary.models import (
    DecisionKind,
    Dispense,
    Pharmacy,
    Reminder,
    ReminderState,
    Resolution,
    WorkKind,
    WorklistItem,
)
from dispensary.models.reminders import ReminderKind
from tests.dispensary import make
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db
MORNING = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def shop() -> Pharmacy:
    make.products()
    return make.pharmacy(now=MORNING, time_zone="UTC")


@pytest.fixture
def pharmacist(shop: Pharmacy) -> Actor:
    return make.staff(shop, now=MORNING).actor()


def told(kind: ReminderKind) -> list[Reminder]:
    return list(Reminder.objects.filter(kind=kind).order_by("id"))


@pytest.mark.parametrize(
    ("awaiting", "kind"), [("prescriber", ReminderKind.PRESCRIBER_ASKED), ("stock", ReminderKind.SUPPLY_SHORT)]
)
def test_who_waits_for_the_prescriber_or_for_stock_hears_it_in_half_an_hour_and_not_when_it_is_there(
    shop: Pharmacy, pharmacist: Actor, awaiting: str, kind: ReminderKind
) -> None:
    patient = make.patient(shop, now=MORNING)
    making.reachable(patient)
    order = make.prescription(patient, now=MORNING)
    order_states.hold(prescription=order, awaiting=awaiting, by=pharmacist, now=MORNING + HOUR)
    (message,) = told(kind)
    assert (message.due_at, message.state) == (MORNING + HOUR + HOUR / 2, ReminderState.SCHEDULED)
    order.refresh_from_db()
    order_states.resume(prescription=order, by=pharmacist, now=MORNING + 2 * HOUR)
    message.refresh_from_db()
    assert message.state == ReminderState.WITHDRAWN


def test_who_waits_for_the_patient_is_told_nothing(shop: Pharmacy, pharmacist: Actor) -> None:
    order = make.prescription(make.patient(shop, now=MORNING), now=MORNING)
    order_states.hold(prescription=order, awaiting="patient", by=pharmacist, now=MORNING + HOUR)
    assert not Reminder.objects.exists()


COUNTED_AT = MORNING + 7 * DAY


@pytest.fixture
def supply(shop: Pharmacy, pharmacist: Actor) -> Dispense:
    """A supply whose papers are not true since its tablets were counted at home."""
    patient = make.patient(shop, now=MORNING)
    making.reachable(patient)
    order = make.prescription(patient, now=MORNING)
    supply = make.hand_over(order, pharmacist, MORNING)
    count_at_home(supply, pharmacist, "14", COUNTED_AT)
    return Dispense.objects.get(pk=supply.pk)


def count_at_home(supply: Dispense, by: Actor, tablets: str, now: datetime) -> None:
    decided = Decided(
        DecisionKind.COUNTED, str(supply.prescription_id), mitigation="5", words="Said so.", tablets=(Decimal(tablets),)
    )
    record_decision(patient=supply.patient, decided=decided, by=by, now=now)


def work() -> WorklistItem:
    return WorklistItem.objects.get(kind=WorkKind.PAPERS_OUTDATED)


def close(by: Actor, now: datetime, resolution: Resolution = Resolution.CALLED) -> None:
    worklist.resolve_work(item_id=work().pk, resolution=resolution, by=by, now=now)


def test_who_goes_by_wrong_papers_is_told_which_when_nobody_has_reprinted_them(supply: Dispense) -> None:
    (message,) = told(ReminderKind.PAPERS_CHANGED)
    assert message.params == {"date": "2026-11-23", "since": "2026-11-30"}
    assert message.due_at == COUNTED_AT + timedelta(minutes=30)


def test_new_papers_printed_at_once_make_the_message_needless(supply: Dispense, pharmacist: Actor) -> None:
    documents.print_document(dispense=supply, document=Document.CALENDAR, by=pharmacist, now=COUNTED_AT + HOUR / 6)
    (message,) = told(ReminderKind.PAPERS_CHANGED)
    assert message.state == ReminderState.WITHDRAWN
    assert work().state == "open", "the patient has not been spoken to"


def test_the_work_closes_only_when_papers_were_printed_again_and_the_patient_was_spoken_to(
    supply: Dispense, pharmacist: Actor
) -> None:
    with pytest.raises(Conflict, match="Print the label or the calendar again first"):
        close(pharmacist, COUNTED_AT + HOUR)
    documents.print_document(dispense=supply, document=Document.LABEL, by=pharmacist, now=COUNTED_AT + HOUR)
    for resolution in (Resolution.NOT_NEEDED, Resolution.SENT_AGAIN):
        with pytest.raises(InvalidInput, match="until somebody has spoken to them"):
            close(pharmacist, COUNTED_AT + 2 * HOUR, resolution)
    close(pharmacist, COUNTED_AT + 2 * HOUR)
    assert work().resolution == Resolution.CALLED


def test_what_was_printed_before_the_next_change_does_not_close_the_work(supply: Dispense, pharmacist: Actor) -> None:
    documents.print_document(dispense=supply, document=Document.LABEL, by=pharmacist, now=COUNTED_AT + HOUR)
    count_at_home(supply, pharmacist, "20", COUNTED_AT + DAY)
    with pytest.raises(Conflict, match="Print the label"):
        close(pharmacist, COUNTED_AT + DAY + HOUR)
    assert [row.state for row in told(ReminderKind.PAPERS_CHANGED)] == [
        ReminderState.WITHDRAWN,
        ReminderState.SCHEDULED,
    ]
