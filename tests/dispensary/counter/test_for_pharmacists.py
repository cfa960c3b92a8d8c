"""Acknowledgements that only a pharmacist gives, in a technician's hands: on the page and by REST."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dispensary.models import Override, Patient, Prescription, StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller
from tests.dispensary.counter.test_choices import order, page_of, patient, pharmacist, press

__all__ = ["patient", "pharmacist"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def technician(pharmacist: StaffMember) -> StaffMember:
    return make.staff(pharmacist.pharmacy, StaffRole.TECHNICIAN)


@pytest.fixture(params=["cover-gap", "course-interrupted"])
def asked(request: pytest.FixtureRequest, pharmacist: StaffMember, patient: Patient) -> tuple[Prescription, str]:
    """An order with a finding that a pharmacist acknowledges, and its code."""
    if request.param == "cover-gap":
        starts_on = timezone.now().date() + timedelta(days=10)
        return order(patient, 10, 10, 15, starts_on=starts_on.isoformat()), request.param
    before = timezone.now() - timedelta(days=16)
    somebody = make.patient(pharmacist.pharmacy, family_name="Novak", birth_date="1950-03-04", now=before)
    phases = [{"doses": [10, 10, 10], "unit": "mg", "days": 14}, {"doses": [10, 10, 15], "unit": "mg", "days": 14}]
    plan = order(somebody, 10, now=before, phases=phases, quantity=91)
    make.hand_over(plan, pharmacist.actor(), now=before, quantity=Decimal(42))
    return plan, request.param


def finding(context: Any, code: str) -> str:
    return next(f.question.fingerprint for f in context["view"].findings if f.question.code == code)


def test_the_page_says_that_a_pharmacist_acknowledges_it(
    client: Client, technician: StaffMember, asked: tuple[Prescription, str]
) -> None:
    client.force_login(technician.user)
    prescription, code = asked
    page = page_of(client, prescription)
    assert page["main"].words.endswith("a pharmacist")
    assert finding(page, code) not in {*page["main"].acknowledges, *page["ticks"]}
    refused = press(client, prescription)
    assert refused.status_code == 409
    errors = [line.words for line in refused.context["errors"]]
    assert [words for words in errors if words.endswith("A pharmacist has to acknowledge this.")]
    assert "A pharmacist acknowledges this." in refused.content.decode()
    (group,) = (group for group in page["view"].groups if group.tone == "acknowledge")
    others = [f for f in group.findings if not f.question.is_for_pharmacist]
    assert "from a pharmacist" in group.hint
    assert ("whoever hands over" in group.hint) is bool(others)


def test_a_forged_acknowledgement_is_refused_on_the_page(
    client: Client, technician: StaffMember, asked: tuple[Prescription, str]
) -> None:
    client.force_login(technician.user)
    prescription, code = asked
    questions = page_of(client, prescription)["view"].findings
    forged = [f.question.fingerprint for f in questions if f.question.severity == "acknowledge"]
    count = prescription.dispenses.count()
    refused = press(client, prescription, acknowledged=forged)
    assert refused.status_code == 403
    assert f"may not acknowledge {code}; a pharmacist may." in refused.content.decode()
    assert prescription.dispenses.count() == count
    assert not Override.objects.filter(prescription=prescription, code=code).exists()


def test_it_is_refused_by_rest_and_taken_from_a_pharmacist(
    technician: StaffMember, pharmacist: StaffMember, asked: tuple[Prescription, str]
) -> None:
    prescription, code = asked
    body = {
        "quantity": "49" if code == "course-interrupted" else "98",
        "pack": {"gtin": make.TEN_MG, "lot": "A1", "expiry": str(make.pack_expiry())},
    }
    path = f"prescriptions/{prescription.pk}/dispenses/"
    first = Caller(technician).post(path, body, Idempotency_Key="k1")
    assert first.status_code == 409, first.content
    codes = [f["code"] for f in first.json()["findings"] if f["severity"] == "acknowledge"]
    assert code in codes
    body["acknowledged"] = codes
    refused = Caller(technician).post(path, body, Idempotency_Key="k2")
    assert refused.status_code == 403
    assert refused.json()["detail"].endswith(f"may not acknowledge {code}; a pharmacist may.")
    made = Caller(pharmacist).post(path, body, Idempotency_Key="k3")
    assert made.status_code == 201, made.content
