"""The same key and the same body: the same answer, done once."""

from typing import Any

import pytest

from dispensary.models import Dispense, IdempotentRequest, Patient, Prescription
from tests.dispensary.api.conftest import Caller, fields, hand_over, order, problem


def test_a_hand_over_needs_a_key(technician: Caller, prescription: Prescription) -> None:
    address = f"prescriptions/{prescription.pk}/dispenses/"
    assert fields(technician.post(address, hand_over())) == {"Idempotency-Key"}
    for key in ("", " ", "k" * 65, "a\tb"):
        assert technician.post(address, hand_over(), Idempotency_Key=key).status_code == 400
    assert not Dispense.objects.exists()


def test_the_same_request_twice_gives_the_same_bytes(technician: Caller, prescription: Prescription) -> None:
    address = f"prescriptions/{prescription.pk}/dispenses/"
    first, again = (technician.post(address, hand_over(), Idempotency_Key="k") for _ in range(2))
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert first.status_code == 201
    assert Dispense.objects.count() == 1


def test_the_same_body_may_be_spelt_differently(technician: Caller, prescription: Prescription) -> None:
    address = f"prescriptions/{prescription.pk}/dispenses/"
    body = hand_over("42")
    first = technician.post(address, body, Idempotency_Key="k")
    again = technician.post(address, dict(reversed(body.items())), Idempotency_Key="k")
    assert first.content == again.content


def test_a_key_with_another_body_or_address_is_422(technician: Caller, prescription: Prescription) -> None:
    address = f"prescriptions/{prescription.pk}/dispenses/"
    technician.post(address, hand_over(), Idempotency_Key="k")
    document = problem(technician.post(address, hand_over(41), Idempotency_Key="k"), 422)
    assert document["code"] == "idempotency-key-reused"
    assert technician.post("patients/", {"identifier": "1", "family_name": "X"}, Idempotency_Key="k").status_code == 422
    assert Dispense.objects.count() == 1


def test_a_refusal_is_repeated_too_and_a_fault_frees_the_key(pharmacist: Caller, too_high: Prescription) -> None:
    address = f"prescriptions/{too_high.pk}/dispenses/"
    first, again = (pharmacist.post(address, hand_over(294), Idempotency_Key="k") for _ in range(2))
    assert first.status_code == again.status_code == 409
    assert first.content == again.content
    assert again["Content-Type"] == "application/problem+json"
    wrong = hand_over(294, acknowledged=["no-such-rule"])
    assert pharmacist.post(address, wrong, Idempotency_Key="free").status_code == 400
    assert not IdempotentRequest.objects.filter(key="free").exists()


@pytest.mark.parametrize("address", ["patients/", "prescribers/", "prescriptions/"])
def test_whatever_creates_takes_a_key(technician: Caller, address: str) -> None:
    bodies: dict[str, Any] = {
        "patients/": {"identifier": "P-1", "family_name": "One"},
        "prescribers/": {"identifier": "D-1", "name": "Dr One"},
        "prescriptions/": order(),
    }
    first, again = (technician.post(address, bodies[address], Idempotency_Key="k") for _ in range(2))
    assert first.status_code == 201, first.content
    assert first.content == again.content
    assert Patient.objects.count() == (0 if address == "prescribers/" else 1)


def test_keys_of_two_people_do_not_meet(technician: Caller, pharmacist: Caller) -> None:
    first = technician.post("patients/", {"identifier": "P-1", "family_name": "One"}, Idempotency_Key="k")
    two = pharmacist.post("patients/", {"identifier": "P-2", "family_name": "Two"}, Idempotency_Key="k")
    assert (first.status_code, two.status_code) == (201, 201)
