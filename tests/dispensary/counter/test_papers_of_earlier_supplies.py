"""The papers of an earlier supply after each kind of decision and what was handed over since, everywhere they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions.decisions import Decided
from dispensary.actions.therapy import record_decision
from dispensary.documents.words import long_day
from dispensary.handover import papers_in_hand
from dispensary.models import DecisionKind, Dispense, Patient, Prescription, StaffMember, WorkKind, WorklistItem
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller, problem
from tests.dispensary.counter.test_choices import another_prescriber, counter, order, patient, pharmacist
from tests.dispensary.counter.test_stop import answered
from tests.journeys.test_histories import read_calendar, text_of

__all__ = ["counter", "patient", "pharmacist"]
pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
AS_IT_WAS = "Take ONE tablet (10 mg) three times a day: morning, midday, evening."


@dataclass(frozen=True)
class Desk:
    """Somebody who takes 30 mg a day, with tablets for eight more days, at the counter today."""

    counter: Client
    patient: Patient
    member: StaffMember
    first: Dispense

    @property
    def today(self) -> date:
        return self.patient.pharmacy.local_day(timezone.now())

    @property
    def course(self) -> str:
        return str(self.first.prescription_id)

    def give(self, new: Prescription, kind: DecisionKind | None = None, starts_on: date | None = None) -> Dispense:
        """Hand over an order, with a decision about how it stands to the 30 mg."""
        answer = [] if kind is None else [self.say(kind, starts_on=starts_on)]
        return make.hand_over(new, self.member.actor(), timezone.now(), decisions=answer)

    def say(self, kind: DecisionKind, **more: Any) -> Decided:
        return Decided(kind, self.course, words="Said so.", mitigation="5", **more)

    def record(self, kind: DecisionKind, **more: object) -> None:
        record_decision(
            patient=self.patient, decided=self.say(kind, **more), by=self.member.actor(), now=timezone.now()
        )


def of_another(desk: Desk, *doses: int) -> Prescription:
    return order(desk.patient, *doses, ordered_by=another_prescriber(desk.patient))


def correct(desk: Desk, kind: DecisionKind) -> None:
    """Put right the decision that was made with the last hand-over."""
    wrong = desk.patient.decisions.get()
    decision = desk.say(kind, corrects=wrong.pk)
    by, now = desk.member.actor(), timezone.now()
    record_decision(patient=desk.patient, decided=decision, order=wrong.order, by=by, now=now)


def replaced_then_beside(desk: Desk) -> None:
    desk.give(of_another(desk, 5), DecisionKind.REPLACES)
    correct(desk, DecisionKind.BESIDE)


def beside_then_replaced(desk: Desk) -> None:
    desk.give(of_another(desk, 5), DecisionKind.BESIDE)
    correct(desk, DecisionKind.REPLACES)


def stopped(desk: Desk) -> None:
    answered(desk.counter, desk.first.prescription)


@dataclass(frozen=True)
class Row:
    """An event, and the papers of the earlier supply after it."""

    happens: Callable[[Desk], object]
    refused: str = ""
    label: str = AS_IT_WAS
    days: dict[int, int | None] = field(default_factory=lambda: {0: 30, 3: 30, 7: 30, 8: None})
    """mg of days from today in its calendar; None where it has no such day."""
    is_work: bool = False


def until(desk: Desk, days: int) -> str:
    last_on = desk.today + days * DAY
    return f"to {last_on:%a} {last_on.day} {last_on:%b}: {AS_IT_WAS}"


ROWS = {
    "nothing": Row(lambda desk: None),
    "replaces": Row(lambda desk: desk.give(order(desk.patient, 10, 10, 15)), refused="replaced by another dose"),
    "replaces, of another prescriber": Row(
        lambda desk: desk.give(of_another(desk, 10, 10, 5), DecisionKind.REPLACES), refused="replaced by another dose"
    ),
    "replaces from a later day": Row(
        lambda desk: desk.give(order(desk.patient, 10, 10, 15), DecisionKind.REPLACES, desk.today + 3 * DAY),
        label="{until 2}",
        days={0: 30, 2: 30, 3: None},
    ),
    "beside": Row(
        lambda desk: desk.give(of_another(desk, 5, 5, 5), DecisionKind.BESIDE), days={-1: 30, 0: 45, 7: 45, 8: None}
    ),
    "continues": Row(lambda desk: desk.give(of_another(desk, 10, 10, 10), DecisionKind.CONTINUES)),
    "stopped": Row(stopped, refused="stopped", is_work=True),
    "counted": Row(
        lambda desk: desk.record(DecisionKind.COUNTED, tablets=(Decimal(9),)), days={2: 30, 3: None}, is_work=True
    ),
    "takes": Row(lambda desk: desk.record(DecisionKind.TAKES, mg=Decimal(15))),
    "moved": Row(lambda desk: desk.record(DecisionKind.MOVED, days=3)),
    "replaces, put right to beside": Row(replaced_then_beside, days={0: 35, 7: 35, 8: None}, is_work=True),
    "beside, put right to replaces": Row(beside_then_replaced, refused="replaced by another dose", is_work=True),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_papers_of_an_earlier_supply_say_what_is_true_today_or_are_refused(
    counter: Client, patient: Patient, pharmacist: StaffMember, row: Row
) -> None:
    first = patient.dispenses.get()
    desk = Desk(counter, patient, pharmacist, first)
    row.happens(desk)
    assert WorklistItem.objects.filter(kind=WorkKind.PAPERS_OUTDATED).exists() == row.is_work
    page_text = counter.get(reverse("counter:dispensed", args=[first.pk])).content.decode()
    pages = {name: counter.get(reverse(f"counter:{name}", args=[first.pk])) for name in ("label", "calendar")}
    picture = counter.get(reverse("counter:label-picture", args=[first.pk]))
    caller = Caller(pharmacist)
    if row.refused:
        sentence = f"What this supply was for was {row.refused} on {desk.today:%d %b %Y}"
        for page in (*pages.values(), picture):
            assert (page.status_code, sentence in page.content.decode()) == (409, True)
        for name in pages:
            assert sentence in problem(caller.get(f"dispenses/{first.pk}/{name}.pdf"), 409)["detail"]
        assert "no label and no calendar of it are printed any more" in page_text
        assert reverse("counter:label", args=[first.pk]) not in page_text
        return
    assert (picture.status_code, reverse("counter:label", args=[first.pk]) in page_text) == (200, True)
    texts = {
        name: [text_of(page.content), text_of(caller.get(f"dispenses/{first.pk}/{name}.pdf").content)]
        for name, page in pages.items()
    }
    for text in texts["label"]:
        assert row.label.replace("{until 2}", until(desk, 2)) in text
    for text in texts["calendar"]:
        calendar = read_calendar(text)
        assert {days: calendar.get(desk.today + days * DAY) for days in row.days} == row.days


def test_a_supply_that_another_dose_comes_before_has_a_page_and_no_papers(
    counter: Client, patient: Patient, pharmacist: StaffMember
) -> None:
    desk = Desk(counter, patient, pharmacist, patient.dispenses.get())
    more = desk.give(of_another(desk, 10, 10, 10), DecisionKind.CONTINUES)
    starts_on = desk.today + 3 * DAY
    desk.give(order(patient, 10, 10, 15), DecisionKind.REPLACES, starts_on)
    page_text = counter.get(reverse("counter:dispensed", args=[more.pk])).content.decode()
    assert f"Another dose takes its place on {long_day(starts_on)}, before any of it" in page_text
    assert reverse("counter:label", args=[more.pk]) not in page_text
    assert more not in papers_in_hand(patient, desk.today)
    sentence = (
        f"What this supply is for is replaced by another dose on {starts_on:%d %b %Y}, before any of it would be taken"
    )
    for name in ("label", "calendar"):
        assert sentence in counter.get(reverse(f"counter:{name}", args=[more.pk])).content.decode()
        assert sentence in problem(Caller(pharmacist).get(f"dispenses/{more.pk}/{name}.pdf"), 409)["detail"]
