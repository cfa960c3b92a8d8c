"""Random states of a patient's record: whatever a database can hold, in days around one day."""

from datetime import date, timedelta
from decimal import Decimal

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

TODAY = date(2026, 12, 1)
ORDERS = ("A", "B", "C")
RECORDED = ("r1", "r2")
PRESCRIBERS = ("dr-a", "dr-a", "dr-b", None)
DOSES = [(Decimal(5),) * 3, (Decimal(10),) * 3, (Decimal(15),) * 3, (Decimal(10), Decimal(5)), (Decimal(20),) * 2]
ALL = "all"


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


def days(first: int, last: int) -> st.SearchStrategy[date]:
    return st.integers(first, last).map(day)


@st.composite
def plans(draw: st.DrawFn, constant: bool = False) -> Plan:
    """A regimen of one or two products and one to three phases."""
    strengths = draw(st.sampled_from([(10,), (10,), (10,), (5,), (25, 10)]))
    lengths: list[int | None] = [draw(st.sampled_from([None, 14, 5]))] if constant or draw(st.booleans()) else [4, 7]
    if len(lengths) > 1 and draw(st.booleans()):
        lengths.append(draw(st.sampled_from([None, 9])))
    doses = [draw(st.sampled_from(DOSES)) for _ in lengths]
    products = [
        Product(
            Decimal(strength),
            tuple(Phase(dose, length) for dose, length in zip(doses, lengths, strict=True)),
            draw(st.sampled_from([None, Decimal(21), Decimal(42), Decimal(42)])),
        )
        for strength in strengths
    ]
    return Plan(
        products=tuple(products),
        as_needed=draw(st.integers(0, 5)) == 0,
        then_stop=None if constant else draw(st.sampled_from([None, None, False, True])),
    )


@st.composite
def orders(draw: st.DrawFn, order_id: str) -> Order:
    return Order(
        id=order_id,
        plan=draw(plans()),
        prescriber=draw(st.sampled_from(PRESCRIBERS)),
        written_on=draw(st.sampled_from([None, day(-40), day(-40), day(-3)])),
        starts_on=draw(st.one_of(st.none(), st.none(), st.none(), days(-30, 20))),
        status=draw(st.sampled_from([OrderStatus.ACTIVE, OrderStatus.ACTIVE, OrderStatus.COMPLETED])),
        replaces=draw(st.sampled_from([None, None, *(other for other in ORDERS if other != order_id)])),
        group=draw(st.sampled_from([None, None, None, "g"])),
        interval_days=draw(st.sampled_from([None, None, 7])),
    )


def amounts(count: int) -> st.SearchStrategy[tuple[Decimal, ...]]:
    """Tablets by product, some of at least one."""
    tablets = st.sampled_from([Decimal(value) for value in ("0", "1.5", "6", "12", "21", "42", "84")])
    return st.tuples(*[tablets] * count).filter(any)


@st.composite
def supplies(draw: st.DrawFn, number: int, order: Order) -> Supply:
    """A hand-over on an order; some were cancelled, some came back, whole or in part, on a day after it or on its own."""
    on = draw(days(-60, 0))
    status = draw(st.sampled_from([SupplyStatus.GIVEN] * 4 + [SupplyStatus.CANCELLED, SupplyStatus.RETURNED]))
    count = len(order.plan.products)
    is_returned = status is SupplyStatus.RETURNED
    return Supply(
        id=f"s{number}",
        on=on,
        order=order.id,
        tablets=draw(amounts(count)),
        status=status,
        returned_on=draw(st.integers(0, 20).map(lambda days: min(TODAY, on + timedelta(days))))
        if is_returned
        else None,
        returned_tablets=draw(st.one_of(st.none(), st.none(), amounts(count))) if is_returned else None,
        number=number,
    )


@st.composite
def recorded(draw: st.DrawFn, supply_id: str) -> Supply:
    """A supply recorded from elsewhere; nobody knows the dose of some."""
    return Supply(
        id=supply_id,
        on=draw(days(-60, 0)),
        order=None,
        plan=draw(st.one_of(plans(constant=True), plans(constant=True), st.none())),
        days=draw(st.sampled_from([7, 14, 28])),
        prescriber=draw(st.sampled_from(PRESCRIBERS)),
    )


@st.composite
def decisions(draw: st.DrawFn, number: int, named: dict[str, int], others: tuple[str, ...]) -> Decision:
    """A decision about the orders of some number of products, or about supplies recorded from elsewhere."""
    pairs = [DecisionKind.REPLACES, DecisionKind.BESIDE, DecisionKind.CONTINUES]
    names = sorted({*named, *others})
    alone = [kind for kind in DecisionKind if kind not in pairs]
    kind = draw(st.sampled_from(alone if len(names) == 1 else [*pairs, *pairs, *DecisionKind]))
    is_counted = kind is DecisionKind.COUNTED
    name = draw(st.sampled_from(sorted(named) if is_counted else names))
    return Decision(
        kind=kind,
        object=ALL if kind is DecisionKind.STOPPED and draw(st.booleans()) else name,
        on=draw(days(-50, 10 if kind is DecisionKind.STOPPED else 0)),
        subject=draw(st.sampled_from([other for other in names if other != name])) if kind in pairs else None,
        starts_on=draw(st.one_of(st.none(), st.none(), days(-50, 10))) if kind in pairs else None,
        tablets=draw(amounts(named[name])) if is_counted else None,
        mg=Decimal(draw(st.sampled_from([0, 10, 60]))) if kind is DecisionKind.TAKES else None,
        days=draw(st.integers(-3, 5)) if kind is DecisionKind.MOVED else None,
        id=f"d{number}",
        corrects=draw(st.sampled_from([None, None, None, f"d{number - 1}"])),
    )


@st.composite
def states(draw: st.DrawFn) -> Facts:
    """The record of a patient with up to three orders, six hand-overs, two recorded supplies and three decisions."""
    written = tuple(draw(orders(order_id)) for order_id in ORDERS[: draw(st.integers(1, 3))])
    others = tuple(draw(recorded(supply_id)) for supply_id in RECORDED[: draw(st.sampled_from([0, 0, 1, 2]))])
    ours = tuple(draw(supplies(number, draw(st.sampled_from(written)))) for number in range(draw(st.integers(0, 6))))
    products = {order.id: len(order.plan.products) for order in written}
    names = tuple(supply.id for supply in others)
    decided = tuple(draw(decisions(number, products, names)) for number in range(draw(st.integers(0, 3))))
    died_on = draw(st.one_of(*[st.none()] * 9, days(-30, 0)))
    return Facts(TODAY, written, (*others, *ours), decided, habits(), died_on)
