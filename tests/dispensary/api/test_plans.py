"""What the counter's pages do to an order, by REST: a plan proposed, printed and taken; a typed order corrected; a bag checked again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from dispensary import audit
from dispensary.actions import prescriptions
from dispensary.actors import Actor
from dispensary.models import AuditEntry, Pharmacy, Prescription, PrescriptionStatus, Source
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller, fields, hand_over, problem

WISHES: dict[str, Any] = {"goal": "nothing", "strengths_mg": [10]}
AGREED = {"agreed_with": "Dr Mwangi", "agreed": "by telephone"}


@pytest.fixture
def running(shop: Pharmacy, pharmacist: Caller) -> Prescription:
    """An order of 60 mg a day that is taken, with one repeat left."""
    now = timezone.now() - timedelta(days=10)
    prescription = make.prescription(
        make.patient(shop, now=now),
        now=now,
        phases=[{"dose": 20, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="20 mg three times a day for 28 days",
        quantity=168,
        repeats=1,
    )
    assert pharmacist.member is not None
    make.hand_over(prescription, pharmacist.member.actor(), now=now)
    return prescription


def test_a_taper_is_proposed_printed_and_taken_when_it_is_agreed(
    technician: Caller, pharmacist: Caller, running: Prescription
) -> None:
    address = f"prescriptions/{running.pk}/plan/"
    proposed = technician.post(address, WISHES | {"days": 21}).json()
    assert proposed["doses_now_mg"] == ["20", "20", "20"]
    assert sum(phase["days"] for phase in proposed["phases"]) == 21
    assert (proposed["then_stop"], proposed["strength_mg"]) == (True, "10")
    printed = technician.post(f"{address}request.pdf", WISHES | {"days": 21})
    assert (printed.status_code, printed.content[:4]) == (200, b"%PDF")
    assert AuditEntry.objects.filter(action=audit.Event.PLAN_REQUESTED).count() == 1
    body = WISHES | {"days": 21, "sentence": proposed["sentence"]} | AGREED
    assert problem(technician.post(f"{address}take/", body), 403)["code"] == "not-allowed"
    taken = pharmacist.post(f"{address}take/", body, Idempotency_Key="k")
    assert taken.status_code == 201, taken.content
    order = taken.json()["prescription"]
    assert order["quantity"] == proposed["quantity"]
    running.refresh_from_db()
    assert running.status == PrescriptionStatus.REPLACED
    assert pharmacist.post(f"{address}take/", body, Idempotency_Key="k").json()["prescription"]["id"] == order["id"]


def test_another_plan_than_the_agreed_one_is_not_taken(pharmacist: Caller, running: Prescription) -> None:
    body = WISHES | AGREED | {"sentence": "5 mg once a day"}
    assert problem(pharmacist.post(f"prescriptions/{running.pk}/plan/take/", body), 412)["code"] == "stale"
    running.refresh_from_db()
    assert running.status == PrescriptionStatus.ACTIVE


def test_wishes_that_cannot_be_kept_are_named(technician: Caller, running: Prescription) -> None:
    address = f"prescriptions/{running.pk}/plan/"
    assert fields(technician.post(address, WISHES | {"days": 1})) == {"days"}
    assert fields(technician.post(address, {"goal": "away", "strengths_mg": []})) == {"goal", "strengths_mg"}


def test_an_order_typed_at_the_counter_is_corrected(technician: Caller, shop: Pharmacy) -> None:
    now = timezone.now()
    typed = prescriptions.receive(
        pharmacy=shop,
        patient=make.patient(shop, now=now),
        prescriber=make.prescriber(shop, now),
        order=make.CLEAN_ORDER | {"written_on": str(now.date())},
        source=Source.COUNTER,
        document={"quantity": "84"},
        by=Actor.system("setup", shop.pk),
        now=now,
    ).prescription
    case = {"format": "baclofen-case/1", "prescription": make.CLEAN_ORDER | {"quantity": 42, "written_on": None}}
    body = {"prescriber": {"id": str(typed.prescriber_id)}, "case": case, "reason": "42 were ordered"}
    corrected = technician.post(f"prescriptions/{typed.pk}/correct/", body, Idempotency_Key="k")
    assert corrected.status_code == 201, corrected.content
    assert corrected.json()["prescription"]["quantity"] == "42"
    right = Prescription.objects.get(pk=corrected.json()["prescription"]["id"])
    history = audit.history(right, pharmacy=shop)
    line = next(line for line in history if line.entry.action == audit.Event.PRESCRIPTION_CORRECTED)
    assert line.body is not None
    assert line.body["changed"]["quantity"] == {"from": "84", "to": "42"}
    typed.refresh_from_db()
    assert typed.status == PrescriptionStatus.REPLACED


def test_an_order_of_another_system_is_corrected_by_its_sender(technician: Caller, prescription: Prescription) -> None:
    case = {"format": "baclofen-case/1", "prescription": make.CLEAN_ORDER}
    body = {"prescriber": {"id": str(prescription.prescriber_id)}, "case": case, "reason": "misread"}
    refused = problem(technician.post(f"prescriptions/{prescription.pk}/correct/", body), 409)
    assert "Ask its sender" in refused["problems"][0]["next"]
    about_patient = body | {"case": case | {"patient": {"egfr": 50}}}
    assert fields(technician.post(f"prescriptions/{prescription.pk}/correct/", about_patient)) == {"case"}


def test_a_checked_bag_is_checked_once_more(
    technician: Caller, pharmacist: Caller, shop: Pharmacy, prescription: Prescription
) -> None:
    make.change_past_actions(Pharmacy.objects.filter(pk=shop.pk), separate_steps=True)
    packed = technician.post(f"prescriptions/{prescription.pk}/bags/", hand_over())
    assert packed.status_code == 201, packed.content
    address = f"bags/{packed.json()['id']}/"
    assert fields(pharmacist.post(f"{address}check/", {}), 409) == {"no_label"}
    assert pharmacist.post(f"{address}check/", {"no_label": "by hand"}).json()["stage"] == "checked"
    again = technician.post(f"{address}uncheck/", {}).json()
    assert (again["stage"], again["checker_name"]) == ("prepared", "")
    assert technician.get(address).json() == again
    assert pharmacist.post(f"{address}check/", {"no_label": "by hand"}).json()["stage"] == "checked"
