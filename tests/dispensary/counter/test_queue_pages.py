"""The queue's pages reach every order, those due first; nothing is hidden by the length of a list."""

from __future__ import annotations

import uuid
from copy import copy
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Max
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import dispenses
from dispensary.actions.identity import write_search_keys
from dispensary.counter.keyset import ROWS
from dispensary.models import (
    Dispense,
    OrderSummary,
    Patient,
    Phase,
    Prescription,
    PrescriptionStatus,
    Review,
    StaffMember,
)
from tests.dispensary import make

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

QUEUE = reverse("counter:queue")
TENFOLD = {
    "phases": [{"dose": 50, "unit": "mg", "times_per_day": 3, "days": 28}],
    "directions": None,
    "quantity": 420,
}


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def pharmacist(now: datetime) -> StaffMember:
    make.products()
    return make.staff(make.pharmacy(now=now), now=now)


@pytest.fixture
def counter(client: Client, pharmacist: StaffMember) -> Client:
    client.force_login(pharmacist.user)
    return client


def new_row(row: Any, **changes: Any) -> Any:
    """A copy of a stored row under a key of its own."""
    row = copy(row)
    row._state = copy(row._state)
    row.pk = None if isinstance(row, Phase) else uuid.uuid4()
    for name, value in changes.items():
        setattr(row, name, value)
    return row


def fill(pattern: Prescription, count: int, **changes: Any) -> list[Prescription]:
    """As many orders like the pattern, each for a patient of its own."""
    people = [new_row(pattern.patient, identifier=f"F{uuid.uuid4().hex[:8]}") for _ in range(count)]
    orders = [new_row(pattern, patient=person, **changes) for person in people]
    Patient.objects.bulk_create(people)
    for person in people:
        write_search_keys(person)
    Prescription.objects.bulk_create(orders)
    Phase.objects.bulk_create(new_row(phase, prescription=o) for o in orders for phase in pattern.phases.all())
    summary = OrderSummary.objects.get(prescription=pattern)
    OrderSummary.objects.bulk_create(
        OrderSummary(
            prescription=order, patient=order.patient, pharmacy_id=order.pharmacy_id, state=summary.state,
            due_on=summary.due_on, earliest_on=summary.earliest_on, outcome=summary.outcome, finding=summary.finding,
            received_at=order.received_at,
        )
        for order in orders
    )  # fmt: skip
    return orders


def supply(orders: list[Prescription], like: Dispense) -> None:
    """The same supply for each of the orders, as if it had been handed over on them too."""
    reviews = [new_row(like.review, prescription=order) for order in orders]
    Review.objects.bulk_create(reviews)
    Dispense.objects.bulk_create(
        new_row(like, prescription=order, patient=order.patient, review=review, key=str(order.pk))
        for order, review in zip(orders, reviews, strict=True)
    )
    summary = OrderSummary.objects.get(prescription=like.prescription)
    OrderSummary.objects.filter(prescription__in=orders).update(state=summary.state, due_on=summary.due_on, outcome="")


def handed_over(order: Prescription, by: StaffMember, now: datetime) -> Dispense:
    done = dispenses.dispense(
        prescription=order, quantity=Decimal(42), pack=make.pack(), key=str(order.pk), by=by.actor(), now=now
    )  # fmt: skip
    assert isinstance(done, Dispense)
    return done


def follow_next(counter: Client) -> list[Any]:
    """Every page from the first to the last, by the link that each one has."""
    pages = [counter.get(QUEUE)]
    while place := pages[-1].context["page"].next:
        assert f'href="?after={place}"' in pages[-1].content.decode()
        pages.append(counter.get(QUEUE, {"after": place}))
    return pages


def keys(page: Any) -> list[uuid.UUID]:
    return [row.prescription.pk for row in page.context["rows"]]


def counted(do: Any) -> int:
    """Statements sent, savepoints not counted."""
    with CaptureQueriesContext(connection) as captured:
        do()
    return sum("SAVEPOINT" not in (query["sql"] or "") for query in captured)


def test_the_newest_order_is_on_top_when_every_older_one_is_not_due_yet(
    counter: Client, pharmacist: StaffMember, now: datetime
) -> None:
    old = make.prescription(make.patient(pharmacist.pharmacy, now=now), now=now - timedelta(hours=2), repeats=5)
    done = handed_over(old, pharmacist, now)
    supply(fill(Prescription.objects.get(pk=old.pk), 249), done)
    newest = make.prescription(make.patient(pharmacist.pharmacy, now=now, family_name="Newest"), now=now)
    page = counter.get(QUEUE)
    assert keys(page)[0] == newest.pk
    assert [row.words for row in page.context["rows"]] == ["Ready"] + ["Not due yet"] * (ROWS - 1)
    assert [(tab.words, tab.count) for tab in page.context["tabs"]] == [
        ("All", 251),
        ("Can be handed over", 1),
        ("Not due yet", 250),
    ]
    assert "1 to 50 of 251 prescriptions" in page.content.decode()


def test_the_newest_of_many_due_orders_is_named_on_the_first_page(
    counter: Client, pharmacist: StaffMember, now: datetime
) -> None:
    first = make.prescription(make.patient(pharmacist.pharmacy, now=now), now=now - timedelta(hours=2))
    fill(first, 249)
    newest = make.prescription(make.patient(pharmacist.pharmacy, now=now, family_name="Newest"), now=now)
    page = counter.get(QUEUE)
    assert page.context["newest"][0].pk == newest.pk
    assert reverse("counter:check", args=[newest.pk]) in page.content.decode()


def test_next_and_previous_reach_every_order_once_and_the_tally_counts_them_all(
    counter: Client, pharmacist: StaffMember, now: datetime
) -> None:
    due = make.prescription(make.patient(pharmacist.pharmacy, now=now), now=now, repeats=5)
    orders = fill(due, 249)  # all came in at the same moment
    supply(orders[:97], handed_over(due, pharmacist, now))
    Prescription.objects.filter(pk__in=[o.pk for o in orders[240:]]).update(
        status=PrescriptionStatus.STOPPED, ended_at=now, ended_reason="by the prescriber"
    )
    OrderSummary.objects.filter(prescription__status=PrescriptionStatus.STOPPED).delete()
    active = Prescription.objects.filter(status=PrescriptionStatus.ACTIVE)

    forward = follow_next(counter)
    order_keys = [key for page in forward for key in keys(page)]
    assert sorted(order_keys) == sorted(active.values_list("pk", flat=True))
    states = [row.state == "done" for page in forward for row in page.context["rows"]]
    assert states == sorted(states)
    assert [page.context["page"].first for page in forward] == [1, 51, 101, 151, 201]

    supplied = active.annotate(ends=Max("dispenses__run_out_on")).filter(ends__isnull=False).count()
    assert [tab.count for tab in forward[0].context["tabs"]] == [
        len(order_keys),
        len(order_keys) - supplied,
        supplied,
    ]
    assert all(page.context["tabs"] == forward[0].context["tabs"] for page in forward)

    back = [forward[-1]]
    while place := back[-1].context["page"].previous:
        back.append(counter.get(QUEUE, {"before": place}))
    assert [keys(page) for page in reversed(back)] == [keys(page) for page in forward]


def test_an_order_handed_over_meanwhile_makes_the_next_page_skip_nobody(
    counter: Client, pharmacist: StaffMember, now: datetime
) -> None:
    first = make.prescription(make.patient(pharmacist.pharmacy, now=now), now=now)
    fill(first, 120)
    pages = follow_next(counter)
    for row in pages[0].context["rows"][:3] + pages[0].context["rows"][-1:]:
        handed_over(row.prescription, pharmacist, now)
    assert keys(counter.get(QUEUE, {"after": pages[0].context["page"].next})) == keys(pages[1])


def test_a_longer_queue_costs_no_more_queries_and_shows_no_longer_a_page(
    counter: Client, pharmacist: StaffMember, now: datetime
) -> None:
    first = make.prescription(make.patient(pharmacist.pharmacy, now=now), now=now)
    fill(first, 60)
    counter.get(QUEUE)
    short = counted(lambda: counter.get(QUEUE))
    fill(make.prescription(make.patient(pharmacist.pharmacy, now=now), now=now), 190)
    assert counted(lambda: counter.get(QUEUE)) == short
    assert short <= 18
    assert len(keys(counter.get(QUEUE))) == ROWS


def test_an_address_that_no_page_gave_is_answered_with_the_way_back(counter: Client) -> None:
    for place in ("2", "0_x_y", "0_20261122T100000000000_nothex", "0_20261122T100000000000_" + "a" * 32 + "_0"):
        page = counter.get(QUEUE, {"after": place})
        assert page.status_code == 400
        assert "Start again from the queue." in page.content.decode()


def test_a_search_reaches_every_order_found(counter: Client, pharmacist: StaffMember, now: datetime) -> None:
    patient = make.patient(pharmacist.pharmacy, now=now, family_name="Featherstone")
    fill(make.prescription(patient, now=now), 119)
    page = counter.post(QUEUE, {"q": "feather"})
    assert "Search: 120 prescriptions found" in page.content.decode()
    order_keys = keys(page)
    while place := page.context["page"].next:
        assert f'name="after" value="{place}"' in page.content.decode()
        page = counter.post(QUEUE, {"q": "feather", "after": place})
        order_keys += keys(page)
    assert len(order_keys) == len(set(order_keys)) == 120


def test_next_order_passes_over_blocked_ones(counter: Client, pharmacist: StaffMember, now: datetime) -> None:
    early = now - timedelta(hours=1)
    blocked = make.prescription(make.patient(pharmacist.pharmacy, now=early), now=early, **TENFOLD)
    fill(blocked, ROWS)
    workable = make.prescription(make.patient(pharmacist.pharmacy, now=now), now=now)
    for after in ({}, {"after": str(blocked.pk)}):
        assert counter.get(reverse("counter:next"), after)["Location"] == reverse("counter:check", args=[workable.pk])
