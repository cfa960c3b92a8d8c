"""A second pharmacist signs over REST what a first one has signed."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from dispensary.actions import pharmacies
from dispensary.actors import Actor
from dispensary.models import Pharmacy, Prescription
from tests.dispensary.api.conftest import ANSWER, Caller, fields, hand_over, problem, proof_of

pytestmark = pytest.mark.django_db


def test_two_pharmacists_sign_and_both_stand_in_the_record_and_in_fhir(
    shop: Pharmacy, pharmacist: Caller, caller: Callable[..., Caller], too_high: Prescription
) -> None:
    colleague = caller(shop)
    setup = Actor.system("setup", shop.pk)
    pharmacies.change_settings(pharmacy=shop, changes={"second_signer": True}, by=setup, now=timezone.now())
    where = f"prescriptions/{too_high.pk}/"
    answer = ANSWER | {"finding": "daily-maximum"}
    first = pharmacist.sign(f"{where}overrides/", answer).json()
    assert (first["state"], first["second"]) == ("waiting", None)
    assert problem(pharmacist.sign(f"{where}overrides/", answer), 409)["code"] == "conflict"

    waits = colleague.get(f"{where}second/").json()
    assert [row["id"] for row in waits["waiting"]] == [first["id"]] and waits["passkey"] is None
    proof = proof_of(waits)
    assert pharmacist.post(f"{where}second/", {"proof": proof}).status_code == 412, "the nonce is the colleague's"
    assert fields(colleague.post(f"{where}second/", {"proof": proof | {"password": "guessed"}}), 403) == {
        "proof.password"
    }
    own = pharmacist.get(f"{where}second/").json()
    same = proof_of(own)
    assert fields(pharmacist.post(f"{where}second/", {"proof": same}), 403) == {"signer"}
    early = pharmacist.post(f"{where}second/", {"proof": same, "alone_because": "nobody came"})
    assert "wait 15 min" in problem(early, 409)["detail"]

    colleague.post(f"{where}reviews/", {}, Idempotency_Key="spent")
    spent = colleague.post(f"{where}second/", {"proof": proof | {"password": "guessed"}}, Idempotency_Key="spent")
    assert problem(spent, 422)["code"] == "idempotency-key-reused"
    assert [row["id"] for row in colleague.get("second/").json()["results"]] == [first["id"]]
    assert colleague.get(f"{where}second/").json()["waiting"]

    (done,) = colleague.post(f"{where}second/", {"proof": proof}, Idempotency_Key="seconded").json()
    assert colleague.post(f"{where}second/", {"proof": proof}, Idempotency_Key="seconded").json() == [done]
    assert colleague.member is not None
    assert (done["state"], done["second"]["signer_name"]) == ("open", colleague.member.display_name)
    supply = pharmacist.post(f"{where}dispenses/", hand_over(294), Idempotency_Key="a")
    assert supply.status_code == 201, supply.content
    resource = pharmacist.get(f"fhir/MedicationDispense/{supply.json()['id']}").json()
    (issue,) = [
        issue
        for issue in resource["contained"]
        if issue["resourceType"] == "DetectedIssue" and issue["code"]["text"] == "daily-maximum"
    ]
    assert [step["author"]["display"] for step in issue["mitigation"]] == [
        first["signer_name"],
        colleague.member.display_name,
    ]
