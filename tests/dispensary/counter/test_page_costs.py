"""Statements of each page of the counter: few, and as many at twenty rows as at two."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import consent
from dispensary.models import ConsentAnswer, ConsentSource, Medium, Prescription, StaffMember
from tests.dispensary import make

pytestmark = pytest.mark.django_db
MOST_STATEMENTS = 12
FEW, MANY = 2, 9


@pytest.fixture
def pharmacist(db: None) -> StaffMember:
    make.products()
    return make.staff(make.pharmacy())


@pytest.fixture
def counter(client: Client, pharmacist: StaffMember) -> Client:
    client.force_login(pharmacist.user)
    return client


def fill(pharmacist: StaffMember, count: int) -> Prescription:
    """People with supplies and an order that waits, as many of everything as wanted. Returns the order of one of them."""
    before, now = timezone.now() - timedelta(days=60), timezone.now()
    for number in range(count):
        person = make.patient(pharmacist.pharmacy, family_name=f"Person{count}of{number}", now=before)
        for supply in range(count if number == 0 else 1):
            made_at = before + timedelta(days=supply)
            written_on = made_at.date().isoformat()
            order = make.prescription(
                person,
                now=made_at,
                written_on=written_on,
                quantity=3,
                phases=[{"dose": 5, "unit": "mg", "times_per_day": 3, "days": 2}],
                directions="5 mg three times a day for 2 days",
            )
            make.hand_over(order, pharmacist.actor(), now=made_at)
        for place in range(count if number == 0 else 1):
            address = f"reader{place}@example.org"
            consent.add_contact(patient=person, medium=Medium.EMAIL, address=address, by=pharmacist.actor(), now=now)
        consent.record_answer(
            patient=person,
            medium=Medium.EMAIL,
            answer=ConsentAnswer.YES,
            source=ConsentSource.COUNTER,
            by=pharmacist.actor(),
            now=now,
        )
        last = make.prescription(person, now=now, written_on=now.date().isoformat())
        if number == 0:
            first = last
    return first


def list_pages(order: Prescription) -> dict[str, str]:
    patient, dispense = order.patient_id, order.patient.dispenses.first()
    assert dispense is not None
    return {
        **{name: reverse(f"counter:{name}") for name in ("queue", "day", "at-risk", "reminders", "intake")},
        **{name: reverse(f"counter:{name}", args=[order.pk]) for name in ("check", "override")},
        **{name: reverse(f"counter:{name}", args=[patient]) for name in ("patient", "facts", "explain", "new-order")},
        "dispensed": reverse("counter:dispensed", args=[dispense.pk]),
    }


def read_statements(counter: Client, address: str) -> list[str]:
    """Return what a page reads and writes, the beginnings and ends of transactions left out."""
    counter.get(address)
    with CaptureQueriesContext(connection) as queries:
        page = counter.get(address)
    assert page.status_code in (200, 302), address
    statements = [str(query["sql"]) for query in queries.captured_queries]
    return [sql for sql in statements if not sql.startswith(("SAVEPOINT", "RELEASE"))]


def test_each_page_reads_little_and_no_more_for_many_rows(counter: Client, pharmacist: StaffMember) -> None:
    order = fill(pharmacist, FEW)
    few = {name: len(read_statements(counter, address)) for name, address in list_pages(order).items()}
    order = fill(pharmacist, MANY)
    many = {name: read_statements(counter, address) for name, address in list_pages(order).items()}
    assert {name: len(statements) for name, statements in many.items()} == few, many
    assert {name: count for name, count in few.items() if count > MOST_STATEMENTS} == {}
