"""One dispense through HTTP with everything written: how many queries, whatever came before; and how long."""

import secrets
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from dispensary.actions import patients, tokens
from dispensary.models import Dispense, Patient, Prescription, StaffMember, StaffRole
from tests.dispensary import make

MOST_QUERIES = 23
"""Sign-in, idempotency, locks, therapy, review, dispense, summaries, a plan of messages in place of another, and the log; three are this test's own."""


@pytest.fixture
def member(db: None) -> StaffMember:
    """A pharmacist at a new pharmacy, with packs on the shelf."""
    make.products()
    return make.staff(make.pharmacy(), StaffRole.PHARMACIST)


@pytest.fixture
def api(member: StaffMember) -> APIClient:
    """The API with the pharmacist's token; through every middleware."""
    client = APIClient(enforce_csrf_checks=True)
    token = tokens.issue(user=member.user, now=timezone.now())
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client


def order_for(patient: Patient, **changes: Any) -> Prescription:
    now = timezone.now()
    return make.prescription(patient, now=now, written_on=(now - timedelta(days=1)).date().isoformat(), **changes)


def new_patient(member: StaffMember) -> Patient:
    return make.patient(member.pharmacy, now=timezone.now())


def hand_over(api: APIClient, order: Prescription) -> Dispense:
    assert order.quantity is not None
    expiry = (timezone.now() + timedelta(days=700)).date()
    body = {"quantity": str(order.quantity), "pack": {"gtin": make.TEN_MG, "lot": "A1", "expiry": expiry.isoformat()}}
    body["acknowledged"] = [
        finding.code for finding in order.reviews.latest("reviewed_at").findings.filter(severity="acknowledge")
    ]
    answer = api.post(
        f"/api/v1/prescriptions/{order.pk}/dispenses/",
        body,
        format="json",
        headers={"Idempotency-Key": secrets.token_hex(8)},
    )
    assert answer.status_code == 201, answer.content
    return Dispense.objects.get(pk=answer.json()["id"])


def queries_of(api: APIClient, order: Prescription) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        hand_over(api, order)
    return len(captured)


def with_history(member: StaffMember, supplies: int) -> Patient:
    """A patient who has taken the same dose for `supplies` times 28 days, the last ending today."""
    patient, now = new_patient(member), timezone.now()
    earlier_supplies = [
        {
            "dispensed_on": (now - timedelta(days=28 * ago)).date().isoformat(),
            "dose": 5,
            "times_per_day": 3,
            "strength_mg": 10,
            "days_supply": 28,
            "dose_since": (now - timedelta(days=400)).date().isoformat(),
            "relation": "same-course",
        }
        for ago in range(1, supplies + 1)
    ]
    patients.record_history(patient=patient, supplies=earlier_supplies, by=member.actor(), now=now)
    return patient


@pytest.mark.django_db
def test_queries_of_a_dispense_do_not_grow_with_what_came_before(api: APIClient, member: StaffMember) -> None:
    counted = {supplies: queries_of(api, order_for(with_history(member, supplies))) for supplies in (1, 2, 13)}
    assert len(set(counted.values())) == 1, counted
    assert counted[1] <= MOST_QUERIES


@pytest.mark.django_db
def test_one_dispense_through_http(benchmark: Any, api: APIClient, member: StaffMember) -> None:
    def setup() -> tuple[tuple[APIClient, Prescription], dict[str, Any]]:
        return (api, order_for(new_patient(member))), {}

    done = benchmark.pedantic(hand_over, setup=setup, rounds=100, warmup_rounds=5)
    assert done.quantity == Decimal(42)
