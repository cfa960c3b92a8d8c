"""Two counters in the same instant, through a real server with a connection of its own for each request."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest_django.live_server_helper import LiveServer

from dispensary.models import Dispense, IdempotentRequest, Override, Patient, Pharmacy, Prescription, Review, StaffRole
from dispensary.models.audit import AuditEntry
from tests.dispensary import make
from tests.dispensary.api.conftest import ANSWER, Caller, hand_over, order, proof_of, today

pytestmark = pytest.mark.django_db(transaction=True)

Sent = tuple[Caller, str, Any, str]


def at_once(server: LiveServer, *requests: Sent) -> list[tuple[int, bytes]]:
    """Send all requests in the same instant, each on its own connection; status and body of each, in the order sent."""
    where = urlsplit(server.url)
    gate = threading.Barrier(len(requests))
    answers: list[tuple[int, bytes]] = [(0, b"")] * len(requests)

    def send(number: int, caller: Caller, path: str, body: Any, key: str) -> None:
        connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=30)
        connection.connect()
        headers = caller.headers | {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        gate.wait()
        connection.request("POST", f"/api/v1/{path}", json.dumps(body, default=str), headers)
        response = connection.getresponse()
        answers[number] = (response.status, response.read())
        connection.close()

    threads = [threading.Thread(target=send, args=(n, *request)) for n, request in enumerate(requests)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def events(pharmacy: Pharmacy) -> Counter[str]:
    return Counter(AuditEntry.objects.filter(pharmacy=pharmacy.pk).values_list("action", flat=True))


@pytest.fixture
def two(shop: Pharmacy, caller: Callable[..., Caller]) -> tuple[Caller, Caller]:
    return caller(shop), caller(shop)


@pytest.mark.parametrize("turn", range(3))
def test_one_order_asked_for_twice_is_handed_over_once_and_refused_once(
    live_server: LiveServer, shop: Pharmacy, two: tuple[Caller, Caller], prescription: Prescription, turn: int
) -> None:
    address = f"prescriptions/{prescription.pk}/dispenses/"
    answers = at_once(live_server, *((caller, address, hand_over(), f"key-{n}") for n, caller in enumerate(two)))
    assert sorted(status for status, _ in answers) == [201, 409]
    refused = json.loads(next(body for status, body in answers if status == 409))
    (problem,) = refused["problems"]
    dispense = Dispense.objects.get()
    assert "42 tablets were handed over" in problem["given"]
    assert dispense.dispenser_name in problem["given"]
    assert "nothing is left" in problem["given"]
    prescription.refresh_from_db()
    assert (prescription.status, prescription.remaining()) == ("completed", 0)
    recorded = events(shop)
    assert (recorded["dispense.completed"], recorded["dispense.refused"]) == (1, 1)


def test_parts_asked_for_at_once_never_exceed_the_whole(
    live_server: LiveServer, shop: Pharmacy, two: tuple[Caller, Caller], patient: Patient
) -> None:
    open_end = make.prescription(
        patient, phases=[{"dose": 5, "unit": "mg", "times_per_day": 3, "days": None}], directions="5 mg three times a day",
        quantity=42, written_on=str(today()),
    )  # fmt: skip
    address = f"prescriptions/{open_end.pk}/dispenses/"
    answers = at_once(live_server, *((two[n % 2], address, hand_over(30), f"key-{n}") for n in range(4)))
    assert Counter(status for status, _ in answers) == {201: 1, 409: 3}
    assert open_end.remaining() == 12
    assert events(shop)["dispense.refused"] == 3


def test_the_same_key_sent_twice_at_once_is_one_dispense_and_one_answer(
    live_server: LiveServer, shop: Pharmacy, two: tuple[Caller, Caller], prescription: Prescription
) -> None:
    address = f"prescriptions/{prescription.pk}/dispenses/"
    answers = at_once(live_server, *[(two[0], address, hand_over(), "the-key")] * 4)
    assert {status for status, _ in answers} == {201}, answers
    assert len({body for _, body in answers}) == 1
    assert Dispense.objects.count() == 1
    assert IdempotentRequest.objects.count() == 1
    assert events(shop)["dispense.completed"] == 1


def test_one_key_with_two_bodies_at_once_is_done_once(
    live_server: LiveServer, two: tuple[Caller, Caller], prescription: Prescription
) -> None:
    address = f"prescriptions/{prescription.pk}/dispenses/"
    answers = at_once(live_server, (two[0], address, hand_over(42), "k"), (two[0], address, hand_over(43), "k"))
    assert sorted(status for status, _ in answers)[-1] == 422
    assert Dispense.objects.count() <= 1


def test_two_pharmacists_answer_one_finding_once(
    live_server: LiveServer, two: tuple[Caller, Caller], too_high: Prescription
) -> None:
    address = f"prescriptions/{too_high.pk}/overrides/"
    answer = ANSWER | {"finding": "daily-maximum"}
    begun = [caller.post(f"prescriptions/{too_high.pk}/signatures/", {"overrides": [answer]}).json() for caller in two]
    signed = [answer | {"proof": proof_of(signature)} for signature in begun]
    answers = at_once(live_server, *((caller, address, body, "") for caller, body in zip(two, signed, strict=True)))
    assert sorted(status for status, _ in answers) == [201, 409]
    assert Override.objects.count() == 1


def test_one_new_patient_in_two_orders_at_once_is_registered_once(
    live_server: LiveServer, shop: Pharmacy, two: tuple[Caller, Caller]
) -> None:
    answers = at_once(live_server, *((caller, "prescriptions/", order(), f"key-{n}") for n, caller in enumerate(two)))
    assert all(status in {201, 409} for status, _ in answers), answers
    assert 201 in {status for status, _ in answers}
    assert Patient.objects.count() == 1
    assert Prescription.objects.count() == sum(status == 201 for status, _ in answers)


def test_a_cancellation_and_a_hand_over_at_once_leave_no_doubt(
    live_server: LiveServer, two: tuple[Caller, Caller], prescription: Prescription
) -> None:
    two[0].headers["If-Match"] = "*"
    where = f"prescriptions/{prescription.pk}"
    answers = at_once(
        live_server,
        (two[0], f"{where}/cancel/", {"reason": "in error"}, ""),
        (two[1], f"{where}/dispenses/", hand_over(), "k"),
    )
    assert sorted(status for status, _ in answers) in ([200, 409], [201, 409])
    prescription.refresh_from_db()
    assert (prescription.status, Dispense.objects.count()) in {("cancelled", 0), ("completed", 1)}
    assert Review.objects.exists()


@pytest.mark.parametrize("turn", range(3))
def test_a_day_is_signed_by_one_of_two_auditors(
    live_server: LiveServer, shop: Pharmacy, caller: Callable[..., Caller], turn: int
) -> None:
    auditors = [caller(shop, StaffRole.AUDITOR) for _ in range(2)]
    address = f"audit/days/{today() - timedelta(days=2)}/sign/"
    answers = at_once(live_server, *((auditor, address, {}, "") for auditor in auditors))
    assert sorted(status for status, _ in answers) == [200, 409]
    assert events(shop)["day.signed"] == 1


@pytest.mark.parametrize("turn", range(3))
def test_a_name_is_given_to_one_of_two_new_people(
    live_server: LiveServer, shop: Pharmacy, caller: Callable[..., Caller], turn: int
) -> None:
    managers = [caller(shop, StaffRole.MANAGER) for _ in range(2)]
    new = {"username": "nia", "display_name": "Nia", "role": "technician", "proof": {"password": make.PASSWORD}}
    answers = at_once(live_server, *((manager, "people/", new, "") for manager in managers))
    assert sorted(status for status, _ in answers) == [201, 409], answers
    assert shop.staff.filter(display_name="Nia").count() == 1


@pytest.mark.parametrize("turn", range(3))
def test_a_pack_is_added_once_by_two_people(
    live_server: LiveServer, shop: Pharmacy, two: tuple[Caller, Caller], turn: int
) -> None:
    pack = {"gtin": "04012345678901", "name": "Baclofen 5 mg tablets", "strength_mg": "5", "pack_size": 84}
    sizes = [pack | {"pack_size": size, "proof": {"password": make.PASSWORD}} for size in (84, 100)]
    answers = at_once(live_server, *((caller, "products/", body, "") for caller, body in zip(two, sizes, strict=True)))
    assert sorted(status for status, _ in answers) == [201, 409], answers
