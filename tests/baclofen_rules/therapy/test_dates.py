"""Days on which somebody is called or watched: what the worked cases do not show."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from baclofen_rules.regimen import Phase
from baclofen_rules.therapy import (
    Decision,
    DecisionKind,
    Facts,
    MessageKind,
    Order,
    OrderStatus,
    Plan,
    Product,
    RiskLevel,
    Supply,
    messages,
    risks,
    therapy,
)
from tests.baclofen_rules.therapy.reading import habits

TODAY = date(2026, 12, 1)
TEN = Decimal(10)


def order(name: str, mg: int, days: int | None = None, *, prescriber: str = "dr-a", **more: bool) -> Order:
    phase = Phase((Decimal(mg), Decimal(mg), Decimal(mg)), days)
    plan = Plan((Product(TEN, (phase,), Decimal(84)),), **more)
    return Order(name, plan, prescriber, TODAY - timedelta(days=40), status=OrderStatus.COMPLETED)


def supply(name: str, days_ago: int, tablets: int) -> Supply:
    return Supply(f"s-{name}", TODAY - timedelta(days=days_ago), name, (Decimal(tablets),))


def facts(orders: list[Order], supplies: list[Supply], *decisions: Decision) -> Facts:
    return Facts(TODAY, tuple(orders), tuple(supplies), decisions, habits())


def test_a_dose_as_needed_is_watched_by_what_is_taken_of_it_and_not_of_a_dose_beside_it() -> None:
    orders = [order("A", 10), order("P", 10, as_needed=True)]
    supplies = [supply("A", 5, 84), supply("P", 28, 84)]
    beside = Decision(DecisionKind.BESIDE, "A", TODAY, subject="P")
    assert risks(therapy(facts(orders, supplies, beside))) == []
    takes = Decision(DecisionKind.TAKES, "P", TODAY - timedelta(days=9), mg=Decimal(20))
    (row,) = risks(therapy(facts(orders, supplies, beside, takes)))
    assert (row.course, row.level) == ("P", RiskLevel.MAY_BE_OUT)


@pytest.mark.parametrize(("prescriber", "is_told"), [("dr-b", False), ("dr-a", True)])
def test_a_last_day_is_told_only_where_the_dose_is_known(prescriber: str, is_told: bool) -> None:
    taper = order("T", 5, 14, then_stop=True, prescriber=prescriber)
    other = replace(order("A", 10), written_on=taper.written_on)
    after = therapy(facts([other, taper], [supply("A", 10, 84), supply("T", 0, 21)]))
    assert (after.day(TODAY).mg is not None) is is_told
    assert (MessageKind.LAST_DAY in {message.kind for message in messages(after)}) is is_told
