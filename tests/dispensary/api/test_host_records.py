"""The site is asked for its own record of a patient before the transaction of a request opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dispensary.models import IdempotentRequest, Prescription
from tests.dispensary.api.conftest import Caller, today
from tests.dispensary.api.conftest import order as make_order
from tests.dispensary.api.test_fhir import FHIR
from tests.dispensary.api.test_fhir_bundles import bundle, order
from tests.dispensary.fhir.orders import request

claimed_keys: list[int] = []
"""How many keys of requests were claimed at each time the site was asked."""


def find(system: str, identifier: str) -> dict[str, Any]:
    """The site's own function."""
    claimed_keys.append(IdempotentRequest.objects.count())
    return {"facts": {"dialysis": False}}


@pytest.fixture(autouse=True)
def resolver(settings: Any) -> None:
    settings.DISPENSARY = {**settings.DISPENSARY, "patient_resolver": f"{__name__}.find"}
    claimed_keys.clear()


@pytest.mark.parametrize(
    ("path", "make_body", "orders"),
    [
        ("prescriptions/", make_order, 1),
        ("fhir/MedicationRequest", lambda: request(authoredOn=str(today())), 1),
        ("fhir", lambda: bundle("transaction", order("1"), order("2")), 2),
        ("fhir", lambda: bundle("batch", order("1"), order("2")), 2),
    ],
    ids=["REST", "MedicationRequest", "transaction", "batch"],
)
def test_the_site_is_asked_once_before_a_request_claims_its_key(
    technician: Caller, path: str, make_body: Callable[[], dict[str, Any]], orders: int
) -> None:
    content_type = FHIR if path.startswith("fhir") else "application/json"
    answer = technician.post(path, make_body(), content_type=content_type, Idempotency_Key="first")
    assert answer.status_code in {200, 201}, answer.content
    assert claimed_keys == [0]
    stored = Prescription.objects.select_related("patient")
    assert [row.patient.dialysis for row in stored] == [False] * orders
