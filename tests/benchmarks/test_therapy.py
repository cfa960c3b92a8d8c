"""The time that a therapy takes: everything counted, today's dose, the threads, and the relation of an order.

CPU time is measured, so that what else the machine does counts as little as possible.
"""

import time
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from baclofen_rules.regimen import Phase
from baclofen_rules.therapy import Facts, Order, Plan, Product, Supply, therapy
from tests.baclofen_rules.therapy.reading import habits

BARS = {12: 0.3e-3, 60: 1.5e-3}
"""Seconds by supplies that the quickest round stays under."""
FIRST_ON = date(2025, 12, 1)
pytestmark = pytest.mark.benchmark(timer=time.process_time, min_rounds=200)


def facts_of(supplies: int) -> Facts:
    """Return a supply every four weeks, and after every sixth a higher dose by a new order."""
    orders, handed_over = [], []
    for number in range(supplies):
        place, repeat = divmod(number, 6)
        mg = Decimal(5 * (place + 2))
        quantity = 28 * 3 * mg / 10
        if not repeat:
            plan = Plan((Product(Decimal(10), (Phase((mg, mg, mg), None),), quantity),))
            orders.append(Order(f"o{place}", plan, "dr-a", FIRST_ON + timedelta(28 * number), repeats=5))
        on = FIRST_ON + timedelta(28 * number)
        handed_over.append(Supply(f"s{number}", on, f"o{place}", (quantity,), number=repeat))
    return Facts(FIRST_ON + timedelta(28 * supplies), tuple(orders), tuple(handed_over), (), habits())


def ask(facts: Facts) -> Any:
    state = therapy(facts)
    return state.day(facts.today), state.threads, state.relate("o0")


@pytest.mark.parametrize("supplies", list(BARS))
def test_what_a_patient_takes(benchmark: Any, supplies: int) -> None:
    _, threads, relation = benchmark.pedantic(ask, (facts_of(supplies),), rounds=200, warmup_rounds=10)
    assert (len(threads), relation.how) == (1, "outdated")
    assert benchmark.stats.stats.min < BARS[supplies]
