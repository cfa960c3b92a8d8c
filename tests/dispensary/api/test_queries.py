"""Queries stay constant: a longer queue or history costs no more of them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dispensary.models import Pharmacy, Prescription
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller, hand_over, today


def counted(do: Callable[[], object]) -> int:
    """Statements sent, savepoints not counted."""
    with CaptureQueriesContext(connection) as captured:
        do()
    return sum("SAVEPOINT" not in (query["sql"] or "") for query in captured)  # a prepared one has no text


def fresh(shop: Pharmacy, earlier: int = 0) -> Prescription:
    """An order of a patient with a number of earlier supplies from elsewhere."""
    from dispensary.actions import patients
    from dispensary.actors import Actor

    person = make.patient(shop, now=timezone.now())
    supplies = [
        {"dispensed_on": str(today() - timedelta(days=28 * n)), "doses": [5, 5, 5], "days_supply": 28, "relation": "same-course"}
        for n in range(1, earlier + 1)
    ]  # fmt: skip
    patients.record_history(patient=person, supplies=supplies, by=Actor.system("setup", shop.pk), now=timezone.now())
    return make.prescription(person, now=timezone.now(), written_on=str(today()))


def test_the_queue_costs_the_same_for_two_rows_and_for_twenty(shop: Pharmacy, technician: Caller) -> None:
    for _ in range(2):
        fresh(shop)
    technician.get("prescriptions/")
    short = counted(lambda: technician.get("prescriptions/"))
    for _ in range(18):
        fresh(shop)
    assert counted(lambda: technician.get("prescriptions/")) == short
    assert short <= 5


def test_a_prescriptions_page_costs_the_same_whatever_its_history(shop: Pharmacy, technician: Caller) -> None:
    plain, long = fresh(shop), fresh(shop, earlier=10)
    technician.get(f"prescriptions/{plain.pk}/")
    cost = counted(lambda: technician.get(f"prescriptions/{plain.pk}/"))
    assert counted(lambda: technician.get(f"prescriptions/{long.pk}/")) == cost
    assert cost <= 5  # one more for the namesakes


def test_a_hand_over_costs_the_same_whatever_its_history(shop: Pharmacy, technician: Caller) -> None:
    def done(order: Prescription) -> None:
        body = hand_over(42, acknowledged=[])
        answer = technician.post(f"prescriptions/{order.pk}/dispenses/", body, Idempotency_Key=str(order.pk))
        assert answer.status_code == 201, answer.content

    done(fresh(shop))
    short, long = fresh(shop, earlier=1), fresh(shop, earlier=12)
    cost = counted(lambda: done(short))
    assert counted(lambda: done(long)) == cost
    assert cost <= 18


@pytest.mark.parametrize("address", ["patients/", "prescribers/", "products/"])
def test_lists_cost_the_same_whatever_their_length(shop: Pharmacy, technician: Caller, address: str) -> None:
    make.patient(shop, now=timezone.now())
    technician.get(address)
    short = counted(lambda: technician.get(address))
    for _ in range(5):
        make.patient(shop, now=timezone.now())
    assert counted(lambda: technician.get(address)) == short
