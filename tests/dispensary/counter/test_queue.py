"""The queue says what stands in the way today, not what was true when the order came in."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dispensary.actions import answers, dispenses, namesakes, order_states, summaries, therapy
from dispensary.counter.queue import show_row, waiting_orders
from dispensary.counter.visit import Visit
from dispensary.models import Answer, StaffRole, WorkKind, WorklistItem
from dispensary.queue import LONGEST_WAITING_FIRST
from tests.baclofen_rules.therapy.reading import CASES
from tests.dispensary import make
from tests.dispensary.make import NOW
from tests.dispensary.reminders import making
from tests.dispensary.worked_cases import write_case

pytestmark = pytest.mark.django_db


@pytest.fixture
def machine_clock():
    """Not here: the queue is given the time."""


@pytest.fixture
def shop():
    make.products()
    return make.pharmacy()


@pytest.fixture
def pharmacist(shop):
    return make.staff(shop, StaffRole.PHARMACIST)


def at(member, now):
    return Visit(member=member, has_other_pharmacies=False, by=member.actor(), now=now, path="/")


def waiting(visit):
    """The rows as they stand after the tick of that moment."""
    summaries.refresh_outdated(now=visit.now)
    summary_rows = waiting_orders(visit).order_by(*LONGEST_WAITING_FIRST)
    return [show_row(summary.prescription, summary, visit) for summary in summary_rows]


def test_an_order_that_came_in_clean_and_whose_patient_ran_out_since_asks_to_be_acknowledged(shop, pharmacist):
    order = make.prescription(make.patient(shop), repeats=1)
    dispenses.dispense(
        prescription=order, quantity=order.quantity, pack=make.pack(), key="k", by=pharmacist.actor(), now=NOW
    )
    (in_time,) = waiting(at(pharmacist, NOW + timedelta(days=26)))
    assert (in_time.state, in_time.reason) == ("ready", "")
    (too_late,) = waiting(at(pharmacist, NOW + timedelta(days=30)))
    assert too_late.state == "acknowledge"
    assert "ran out 2 days ago" in too_late.reason


def test_an_order_that_the_patient_asked_for_says_so_until_it_was_handed_over(shop, pharmacist):
    order = make.prescription(make.patient(shop), repeats=1)
    supply = {"quantity": order.quantity, "pack": make.pack(), "by": pharmacist.actor()}
    dispenses.dispense(prescription=order, key="k", now=NOW, **supply)
    asked_at = NOW + timedelta(days=25)
    answers.answer_on_page(patient=order.patient, answer=Answer.ORDER, now=asked_at)
    (row,) = waiting(at(pharmacist, NOW + timedelta(days=26)))
    assert row.reason.startswith(f"Asked for by the patient on {asked_at:%d %b %Y}.")
    dispenses.dispense(prescription=order, key="k2", now=NOW + timedelta(days=26), **supply)
    assert not WorklistItem.objects.filter(kind=WorkKind.ORDER_REQUESTED).exclude(state="resolved").exists()


def test_a_refused_stop_does_not_hold_back_the_next_supply(shop, pharmacist):
    order = make.prescription(make.patient(shop), repeats=1)
    dispenses.dispense(
        prescription=order, quantity=order.quantity, pack=make.pack(), key="k", by=pharmacist.actor(), now=NOW
    )
    refused = therapy.stop(subject=order, reason="", words="asked to", by=pharmacist.actor(), now=NOW)
    assert isinstance(refused, dispenses.Refused)
    (row,) = waiting(at(pharmacist, NOW + timedelta(days=26)))
    assert row.state == "ready"


def test_a_refill_is_due_from_the_first_day_on_which_the_patient_is_called(shop, pharmacist):
    order = make.prescription(make.patient(shop), repeats=1)
    done = dispenses.dispense(
        prescription=order, quantity=order.quantity, pack=make.pack(), key="k", by=pharmacist.actor(), now=NOW
    )
    due_on = done.run_out_on - timedelta(days=shop.refill_lead_days)
    called_on = done.days_supply - shop.refill_lead_days
    (day_before,) = waiting(at(pharmacist, NOW + timedelta(days=called_on - 1)))
    assert (day_before.words, day_before.due_on) == ("Not due yet", due_on)
    (first_day,) = waiting(at(pharmacist, NOW + timedelta(days=called_on)))
    assert (first_day.words, first_day.due_on) == ("Ready", due_on)


def test_a_supply_that_was_taken_back_leaves_its_order_due(shop, pharmacist):
    order = make.prescription(make.patient(shop), repeats=1)
    done = dispenses.dispense(
        prescription=order, quantity=order.quantity, pack=make.pack(), key="k", by=pharmacist.actor(), now=NOW
    )
    (before,) = waiting(at(pharmacist, NOW))
    dispenses.cancel(dispense=done, reason="never left the counter", by=pharmacist.actor(), now=NOW)
    (after,) = waiting(at(pharmacist, NOW))
    assert (before.words, after.words, after.due_on) == ("Not due yet", "Ready", NOW.date())


def test_a_longer_queue_asks_the_database_no_more_often(shop, pharmacist):
    counts = []
    for more in (1, 4):
        for _ in range(more):
            make.prescription(make.patient(shop))
        with CaptureQueriesContext(connection) as asked:
            waiting(at(pharmacist, NOW))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_another_pharmacys_orders_are_not_in_it(shop, pharmacist):
    make.prescription(make.patient(make.pharmacy("Elsewhere")))
    assert waiting(at(pharmacist, NOW)) == []


@pytest.mark.parametrize("case", [case for case in CASES if case["expected"].get("order")], ids=lambda case: case["id"])
def test_the_worked_cases_stand_in_the_queue_on_their_day(shop, pharmacist, case):
    keys = write_case(case, make.patient(shop))
    expected = case["expected"]["order"]
    visit = at(pharmacist, datetime.combine(date.fromisoformat(case["today"]), time(12), UTC))
    making.follow(keys.patient, visit.now)
    rows = {summary.pk: summary for summary in waiting_orders(visit)}
    summary = rows.get(keys.orders[expected["order"]])
    if expected["queue"] == "done":
        assert summary is None
        return
    days = [None if day is None else day.isoformat() for day in (summary.due_on, summary.earliest_on)]
    assert days == [expected["due_on"], expected["earliest_on"]]
    asked = {"needs-answer", "to-acknowledge", "ready"}  # by the rules, as far as they ask it of an order today
    assert summary.state == expected["queue"] or {summary.state, expected["queue"]} <= asked


def test_what_is_due_stands_by_its_coming_and_what_is_not_by_its_day(shop, pharmacist):
    orders = {}
    for name, days in (("Late", 28), ("Soon", 14)):
        orders[name] = make.prescription(
            make.patient(shop, family_name=name),
            repeats=1,
            phases=[{"dose": 5, "unit": "mg", "times_per_day": 3, "days": days}],
            directions=f"5 mg three times a day for {days} days",
            quantity=days * 3 // 2,
        )
        make.hand_over(orders[name], by=pharmacist.actor())
    order_on_hold = make.prescription(make.patient(shop, family_name="Held"), now=NOW - timedelta(hours=1))
    order_states.hold(prescription=order_on_hold, awaiting="stock", by=pharmacist.actor(), now=NOW)
    for name in ("First", "Second"):
        make.prescription(make.patient(shop, family_name=name), now=NOW + timedelta(minutes=len(name)))
    names = [row.prescription.patient.family_name for row in waiting(at(pharmacist, NOW + timedelta(hours=1)))]
    assert names == ["First", "Second", "Soon", "Late", "Held"]


def test_namesakes_are_marked_also_when_they_are_known_to_be_two_people(shop, pharmacist):
    born = {"family_name": "Nguyen", "given_name": "Nam", "birth_date": "1989-04-14"}
    first, second = (make.patient(shop, **born) for _ in range(2))
    make.prescription(first)
    make.prescription(make.patient(shop, family_name="Adler"))
    namesakes.answer_namesake(patient=first, other=second.pk, answer="other", by=pharmacist.actor(), now=NOW)
    rows = {row.prescription.patient.family_name: row.prescription for row in waiting(at(pharmacist, NOW))}
    assert {name: order.has_namesake for name, order in rows.items()} == {"Nguyen": True, "Adler": False}
