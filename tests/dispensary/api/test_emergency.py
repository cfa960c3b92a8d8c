"""An emergency supply over REST: arranged, answered, handed over, and told in FHIR as a supply without an order."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from dispensary.models import StaffRole
from tests.dispensary import make
from tests.dispensary.api.conftest import ANSWER, Caller, case, fields, hand_over, order, today

pytestmark = pytest.mark.django_db
ASKED = {"days": 3, "strength_mg": 10}


def taken_until_yesterday(pharmacist: Caller) -> str:
    """Take in an order of somebody who got tablets elsewhere for 30 mg a day, which end today. Returns the patient's id."""
    elsewhere = {
        "dispensed_on": str(today() - timedelta(days=28)), "doses": [10, 10, 10], "strength_mg": 10, "days_supply": 28,
        "relation": "same-course",
    }  # fmt: skip
    taken_in = pharmacist.post("prescriptions/", order(case=case() | {"history": [elsewhere]}))
    assert taken_in.status_code == 201, taken_in.content
    prescription = taken_in.json()["prescription"]
    ended = pharmacist.post(f"prescriptions/{prescription['id']}/cancel/", {"reason": "in error"}, If_Match='"1"')
    assert ended.status_code == 200, ended.content
    return str(prescription["patient"]["id"])


def test_it_is_arranged_answered_and_handed_over(pharmacist: Caller) -> None:
    make.products()
    patient = taken_until_yesterday(pharmacist)
    where = f"patients/{patient}/emergency/"
    assert fields(pharmacist.post(where, ASKED), 400) == {"prescriber"}
    asked = ASKED | {"prescriber": {"identifier": "D-1"}}
    assert fields(pharmacist.post(where, asked | {"days": 30}), 400) == {"days"}
    made = pharmacist.post(where, asked, Idempotency_Key="e1")
    assert made.status_code == 201, made.content
    assert pharmacist.post(where, asked, Idempotency_Key="e1").json() == made.json()
    arranged = made.json()["prescription"]
    assert (arranged["source"], arranged["quantity"]) == ("no-order", "9")
    assert "emergency-supply" in {finding["code"] for finding in made.json()["review"]["findings"]}

    overrides = f"prescriptions/{arranged['id']}/overrides/"
    answer = ANSWER | {"finding": "emergency-supply"}
    assert fields(pharmacist.sign(overrides, answer | {"asked": ""}), 400) == {"asked"}
    assert pharmacist.sign(overrides, answer).status_code == 201
    supply = pharmacist.post(f"prescriptions/{arranged['id']}/dispenses/", hand_over(9), Idempotency_Key="d1")
    assert supply.status_code == 201, supply.content
    resource = pharmacist.get(f"fhir/MedicationDispense/{supply.json()['id']}").json()
    assert resource["type"]["coding"][0]["code"] == "EM"
    assert "authorizingPrescription" not in resource
    (work,) = [row for row in pharmacist.get("work/").json()["results"] if row["kind"] == "order-owed"]
    assert "owes the order" in work["reason"]


def test_a_technician_arranges_none(pharmacist: Caller, caller: Callable[..., Caller]) -> None:
    patient = taken_until_yesterday(pharmacist)
    assert pharmacist.member is not None
    technician = caller(pharmacist.member.pharmacy, StaffRole.TECHNICIAN)
    asked = ASKED | {"prescriber": {"identifier": "D-1"}}
    assert technician.post(f"patients/{patient}/emergency/", asked).status_code == 403
