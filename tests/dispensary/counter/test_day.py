"""The home of the day: counts with their links, and charts with every number in words and as a table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.counter.bar_chart import Bar, BarChart
from dispensary.counter.day import middle
from dispensary.models import StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.counter.test_choices import counter, order, pharmacist

__all__ = ["counter", "pharmacist"]
pytestmark = pytest.mark.django_db


def tiles(client: Client) -> dict[str, int]:
    return {tile.words: tile.count for tile in client.get(reverse("counter:day")).context["tiles"]}


def test_a_quiet_day_says_so(counter: Client) -> None:
    page = counter.get(reverse("counter:day"))
    assert "Nothing was handed over or found yet today." in page.content.decode()
    assert tiles(counter) == {"due now": 0}


def test_orders_and_hand_overs_of_today_are_counted(counter: Client, pharmacist: StaffMember) -> None:
    now = timezone.now()
    make.hand_over(order(make.patient(pharmacist.pharmacy, now=now), 5, 5, 5, quantity=42), pharmacist.actor(), now=now)
    order(make.patient(pharmacist.pharmacy, now=now, family_name="Waiting"), 35, 35, 35)
    page = counter.get(reverse("counter:day"))
    counts = tiles(counter)
    assert counts["due now"] == 1
    assert counts["to answer"] == 1
    hours, waits, findings = page.context["charts"]
    assert [(bar.name, bar.count) for bar in waits.bars] == [("under 10 minutes", 1)]
    assert sum(bar.count for bar in hours.bars) == 1
    assert {bar.name for bar in findings.bars} >= {"Daily maximum"}
    text = page.content.decode()
    assert "style=" not in text
    assert "Waiting" not in text


def test_waiting_ends_with_the_shelf_and_counts_first_supplies_alone(counter: Client, pharmacist: StaffMember) -> None:
    now = timezone.now()
    yesterday = now - timedelta(days=1)
    for received_at in (now, yesterday):
        patient = make.patient(pharmacist.pharmacy, now=yesterday, family_name=f"Row {received_at:%d}")
        prescription = order(patient, 5, 5, 5, now=received_at, quantity=42)
        make.hand_over(prescription, pharmacist.actor(), now=now)
    waits = next(chart for chart in counter.get(reverse("counter:day")).context["charts"] if chart.id == "waits")
    assert [(bar.name, bar.count) for bar in waits.bars] == [
        ("under 10 minutes", 1),
        ("came in on an earlier day", 1),
    ]
    assert "half of today\u2019s within 1\u00a0min" in waits.title


def test_who_is_without_tablets_is_counted(counter: Client, pharmacist: StaffMember) -> None:
    long_ago = timezone.now() - timedelta(days=40)
    make.hand_over(
        order(make.patient(pharmacist.pharmacy, now=long_ago), 10, 10, 10, now=long_ago),
        pharmacist.actor(),
        now=long_ago,
    )
    assert tiles(counter)["without tablets"] == 1


def test_a_technician_sees_the_day_and_an_auditor_does_not(client: Client, pharmacist: StaffMember) -> None:
    for role, status in ((StaffRole.TECHNICIAN, 200), (StaffRole.AUDITOR, 403)):
        client.force_login(make.staff(pharmacist.pharmacy, role).user)
        assert client.get(reverse("counter:day")).status_code == status


def test_it_takes_as_many_statements_with_many_orders(
    counter: Client, pharmacist: StaffMember, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        now = timezone.now()
        patient = make.patient(pharmacist.pharmacy, now=now, identifier=f"P-{number}", family_name=f"Row {number}")
        order(patient, 10, 10, 10)
    with django_assert_max_num_queries(22):
        counter.get(reverse("counter:day"))


@pytest.mark.parametrize(
    ("counts", "usual"),
    [([1, 2, 3, 4, 5], None), ([0, 1, 2, 3, 4, 9], (1, 4)), ([0, 1, 1, 2, 3, 4, 5, 20], (1, 5))],
)
def test_the_usual_range_is_the_middle_of_enough_days(counts: list[int], usual: tuple[int, int] | None) -> None:
    assert middle(counts) == usual


def test_a_chart_draws_each_count_and_says_it() -> None:
    chart = BarChart("hours", "Handed over", "Hour", [Bar("08", 0), Bar("09", 8, (2, 4))])
    (_, _, _, first), (box, usual, _, second) = chart.columns
    assert (first, second) == ("08", "09")
    assert box.y == 12 and box.y + box.height == chart.floor
    assert usual is not None and usual.y > box.y
    assert chart.description == "08: 0, 09: 8."
    assert [count for _, count in chart.grid] == [0, 2, 4, 6, 8]
