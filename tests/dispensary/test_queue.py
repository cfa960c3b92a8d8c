"""The next order to work on: due, neither blocked nor ready, the longest waiting first, and around again."""

from datetime import timedelta

import pytest

from dispensary.models import OrderState, OrderSummary, Pharmacy, Prescription
from dispensary.queue import find_next
from tests.dispensary import make

pytestmark = pytest.mark.django_db
TODAY = make.NOW.date()


@pytest.fixture
def orders(shop: Pharmacy) -> list[Prescription]:
    """Three orders that are due, the longest waiting first."""
    made = [make.prescription(make.patient(shop)) for _ in range(3)]
    for hours, order in enumerate(made):
        OrderSummary.objects.filter(pk=order.pk).update(
            state=OrderState.READY, due_on=TODAY, received_at=make.NOW + timedelta(hours=hours)
        )
    return made


@pytest.fixture
def shop() -> Pharmacy:
    return make.pharmacy()


def follow(shop: Pharmacy, order: Prescription | None) -> object:
    following = find_next(shop, TODAY, order and order.pk)
    return following and following.pk


def test_orders_follow_one_another_and_begin_again(shop: Pharmacy, orders: list[Prescription]) -> None:
    first, second, third = orders
    assert [follow(shop, order) for order in (None, first, second, third)] == [first.pk, second.pk, third.pk, first.pk]


@pytest.mark.parametrize(
    "changes",
    [{"state": OrderState.BLOCKED}, {"due_on": TODAY + timedelta(days=1)}, {"due_on": None}],
    ids=["blocked", "due tomorrow", "day not known"],
)
def test_what_cannot_be_worked_on_today_is_passed_over(
    shop: Pharmacy, orders: list[Prescription], changes: dict[str, object]
) -> None:
    first, second, third = orders
    OrderSummary.objects.filter(pk=second.pk).update(**changes)
    assert follow(shop, first) == third.pk


def test_an_order_that_is_the_only_one_has_none_after_it(shop: Pharmacy, orders: list[Prescription]) -> None:
    first, *others = orders
    OrderSummary.objects.filter(pk__in=[order.pk for order in others]).update(state=OrderState.BLOCKED)
    assert (follow(shop, None), follow(shop, first)) == (first.pk, None)


def test_another_pharmacys_order_is_never_next(shop: Pharmacy, orders: list[Prescription]) -> None:
    other = make.pharmacy("Hill Pharmacy")
    assert find_next(other, TODAY) is None
    assert find_next(other, TODAY, orders[0].pk) is None
