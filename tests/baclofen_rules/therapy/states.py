"""Random states of a patient's record: whatever a database can hold, in days around one day."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from baclofen_rules.regimen import Phase
from baclofen_rules.therapy import (
    Decision,
    DecisionKind,
    Facts,
    Order,
    OrderStatus,
    Plan,
    Product,
    Supply,
    SupplyStatus,
)
from tests.baclofen_rules.therapy.reading import habits

Choose = Callable[[Sequence[Any]], Any]
"""Returns one of some values."""
TODAY = date(2026, 12, 1)
ORDERS = ("A", "B", "C")
RECORDED = ("r1", "r2")
PRESCRIBERS = ("dr-a", "dr-a", "dr-b", None)
DOSES = [(Decimal(5),) * 3, (Decimal(10),) * 3, (Decimal(15),) * 3, (Decimal(10), Decimal(5)), (Decimal(20),) * 2]
TABLETS = [Decimal(value) for value in ("6", "0", "1.5", "12", "21", "42", "84")]
YES_OR_NO = (False, True)
ALL = "all"


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


def days(first: int, last: int) -> st.SearchStrategy[date]:
    return st.integers(first, last).map(day)


def choose_day(choose: Choose, first: int, last: int) -> date:
    return day(choose(range(first, last + 1)))


def plan(choose: Choose, constant: bool = False) -> Plan:
    """A regimen of one or two products and one to three phases."""
    strengths = choose([(10,), (10,), (10,), (5,), (25, 10)])
    lengths: list[int | None] = [choose([None, 14, 5])] if constant or choose(YES_OR_NO) else [4, 7]
    if len(lengths) > 1 and choose(YES_OR_NO):
        lengths.append(choose([None, 9]))
    doses = [choose(DOSES) for _ in lengths]
    products = [
        Product(
            Decimal(strength),
            tuple(Phase(dose, length) for dose, length in zip(doses, lengths, strict=True)),
            choose([None, Decimal(21), Decimal(42), Decimal(42)]),
        )
        for strength in strengths
    ]
    return Plan(
        products=tuple(products),
        as_needed=choose(range(6)) == 5,
        then_stop=None if constant else choose([None, None, False, True]),
    )


def order(choose: Choose, order_id: str) -> Order:
    return Order(
        id=order_id,
        plan=plan(choose),
        prescriber=choose(PRESCRIBERS),
        written_on=choose([None, day(-40), day(-40), day(-3)]),
        starts_on=choose_day(choose, -30, 20) if choose([False, False, False, True]) else None,
        status=choose([OrderStatus.ACTIVE, OrderStatus.ACTIVE, OrderStatus.COMPLETED]),
        replaces=choose([None, None, *(other for other in ORDERS if other != order_id)]),
        group=choose([None, None, None, "g"]),
        interval_days=choose([None, None, 7]),
    )


def amounts(choose: Choose, count: int) -> tuple[Decimal, ...]:
    """Tablets by product, some of at least one."""
    tablets = tuple(choose(TABLETS) for _ in range(count))
    return tablets if any(tablets) else (TABLETS[0], *tablets[1:])


def supply(choose: Choose, number: int, of: Order) -> Supply:
    """A hand-over on an order; some were cancelled, some came back, whole or in part, on a day after it or on its own."""
    on = choose_day(choose, -60, 0)
    status = choose([SupplyStatus.GIVEN] * 4 + [SupplyStatus.CANCELLED, SupplyStatus.RETURNED])
    count = len(of.plan.products)
    is_returned = status is SupplyStatus.RETURNED
    return Supply(
        id=f"s{number}",
        on=on,
        order=of.id,
        tablets=amounts(choose, count),
        status=status,
        returned_on=min(TODAY, on + timedelta(choose(range(21)))) if is_returned else None,
        returned_tablets=amounts(choose, count) if is_returned and choose([False, False, True]) else None,
        number=number,
    )


def recorded(choose: Choose, supply_id: str) -> Supply:
    """A supply recorded from elsewhere; nobody knows the dose of some."""
    return Supply(
        id=supply_id,
        on=choose_day(choose, -60, 0),
        order=None,
        plan=plan(choose, constant=True) if choose([True, True, False]) else None,
        days=choose([7, 14, 28]),
        prescriber=choose(PRESCRIBERS),
    )


def decision(choose: Choose, number: int, named: dict[str, int], others: tuple[str, ...]) -> Decision:
    """A decision about the orders of some number of products, or about supplies recorded from elsewhere."""
    pairs = [DecisionKind.REPLACES, DecisionKind.BESIDE, DecisionKind.CONTINUES]
    names = sorted({*named, *others})
    alone = [kind for kind in DecisionKind if kind not in pairs]
    kind = choose(alone if len(names) == 1 else [*pairs, *pairs, *DecisionKind])
    is_counted = kind is DecisionKind.COUNTED
    name = choose(sorted(named) if is_counted else names)
    return Decision(
        kind=kind,
        object=ALL if kind is DecisionKind.STOPPED and choose(YES_OR_NO) else name,
        on=choose_day(choose, -50, 10 if kind is DecisionKind.STOPPED else 0),
        subject=choose([other for other in names if other != name]) if kind in pairs else None,
        starts_on=choose_day(choose, -50, 10) if kind in pairs and choose([False, False, True]) else None,
        tablets=amounts(choose, named[name]) if is_counted else None,
        mg=Decimal(choose([0, 10, 60])) if kind is DecisionKind.TAKES else None,
        days=choose(range(-3, 6)) if kind is DecisionKind.MOVED else None,
        id=f"d{number}",
        corrects=choose([None, None, None, f"d{number - 1}"]),
    )


def state(choose: Choose) -> Facts:
    """The record of a patient with up to three orders, six hand-overs, two recorded supplies and three decisions."""
    written = tuple(order(choose, order_id) for order_id in ORDERS[: choose([1, 2, 3])])
    others = tuple(recorded(choose, supply_id) for supply_id in RECORDED[: choose([0, 0, 1, 2])])
    ours = tuple(supply(choose, number, choose(written)) for number in range(choose(range(7))))
    products = {row.id: len(row.plan.products) for row in written}
    names = tuple(row.id for row in others)
    decided = tuple(decision(choose, number, products, names) for number in range(choose(range(4))))
    died_on = choose_day(choose, -30, 0) if choose(range(10)) == 9 else None
    decided = tuple(replace(row, since=first_supply(choose, row, ours)) for row in decided)
    return Facts(TODAY, written, (*others, *ours), decided, habits(), died_on)


def crowded_state(choose: Choose) -> Facts:
    """The record of a patient with three or four orders of like doses, whose days meet: most begin late or replace another."""
    names = ("A", "B", "C", "D")[: choose([3, 4])]
    written = tuple(_alike(choose, name, names) for name in names)
    ours = tuple(_of_late(choose, number, choose(names)) for number in range(choose([2, 3, 4, 5])))
    decided = tuple(_pair(choose, number, names) for number in range(choose([0, 1, 2, 3])))
    return Facts(TODAY, written, ours, decided, habits())


def _alike(choose: Choose, name: str, names: Sequence[str]) -> Order:
    phases = choose([[None], [None], [None], [5], [4, None]])
    doses = [choose([(Decimal(10),) * 3, (Decimal(10),) * 3, (Decimal(15),) * 3, (Decimal(5),) * 3]) for _ in phases]
    product = Product(
        Decimal(choose([10, 10, 10, 25])),
        tuple(Phase(dose, length) for dose, length in zip(doses, phases, strict=True)),
        choose([None, Decimal(42)]),
    )
    return Order(
        id=name,
        plan=Plan((product,), as_needed=choose(range(8)) == 7, then_stop=choose([None, None, False, True])),
        prescriber=choose(PRESCRIBERS),
        written_on=choose([day(-40), day(-40), day(-3)]),
        starts_on=choose_day(choose, -6, 12) if choose(YES_OR_NO) else None,
        status=choose([OrderStatus.ACTIVE, OrderStatus.ACTIVE, OrderStatus.COMPLETED]),
        replaces=choose([None, *(other for other in names if other != name)]),
        group=choose([None, None, None, None, "g"]),
    )


def _of_late(choose: Choose, number: int, of: str) -> Supply:
    on = choose_day(choose, -24, 0)
    is_returned = choose(range(7)) == 6
    return Supply(
        id=f"s{number}",
        on=on,
        order=of,
        tablets=(Decimal(choose([12, 42, 42, 84])),),
        status=SupplyStatus.RETURNED if is_returned else SupplyStatus.GIVEN,
        returned_on=min(TODAY, on + timedelta(choose(range(9)))) if is_returned else None,
        number=number,
    )


def _pair(choose: Choose, number: int, names: Sequence[str]) -> Decision:
    about = choose(names)
    return Decision(
        kind=choose([DecisionKind.REPLACES, DecisionKind.BESIDE, DecisionKind.CONTINUES]),
        object=about,
        on=choose_day(choose, -19, 0),
        subject=choose([other for other in names if other != about]),
        starts_on=choose_day(choose, -5, 9) if choose(range(4)) == 3 else None,
        id=f"d{number}",
    )


def first_supply(choose: Choose, decided: Decision, supplies: tuple[Supply, ...]) -> str | None:
    """The first hand-over of its order that a decision is about; None for most."""
    own = [supply.id for supply in supplies if supply.order == decided.subject and supply.on <= decided.on]
    return choose([None, None, *own]) if own else None


@st.composite
def _drawn(draw: st.DrawFn) -> Facts:
    return state(lambda values: draw(st.sampled_from(values)))


def states() -> st.SearchStrategy[Facts]:
    """Return the random states; in `make test-random` each from one number, which is ten times as fast and does not shrink."""
    if settings.default is not None and settings.default.derandomize:
        return _drawn()
    return st.integers(0, 2**62).map(lambda seed: state(Random(seed).choice))
