"""Bundles at the base address of FHIR: orders with what came along, all or none in a transaction, each for itself in a batch."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import pytest

from dispensary.api.fhir.transactions import MOST_ORDERS
from dispensary.models import Patient, Prescription
from tests.dispensary.api.conftest import Caller, today
from tests.dispensary.api.test_fhir import FHIR, diagnostics, outcome
from tests.dispensary.fhir.orders import PATIENT, PRACTITIONER, daily, days, line, mg, request

PEOPLE = [PATIENT | {"id": "p"}, PRACTITIONER | {"id": "d"}]
WEIGHT = {
    "resourceType": "Observation", "id": "w", "status": "final", "subject": {"reference": "urn:uuid:p"},
    "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
    "effectiveDateTime": "2026-01-05", "valueQuantity": {"value": 71, "unit": "kg"},
}  # fmt: skip
EGFR = WEIGHT | {
    "id": "e", "code": {"coding": [{"system": "http://loinc.org", "code": "98979-8"}]},
    "valueQuantity": {"value": 48, "unit": "mL/min/{1.73_m2}"},
}  # fmt: skip


def order(value: str, **changes: Any) -> dict[str, Any]:
    """An order of the Bundle's patient by its prescriber, with a number of its own."""
    whole = {
        "id": value,
        "contained": None,
        "subject": {"reference": "urn:uuid:p"},
        "requester": {"reference": "urn:uuid:d"},
        "authoredOn": str(today()),
        "identifier": [{"system": "urn:rx", "value": value}],
    }
    return request(line(mg(5), daily(3, boundsDuration=days(14))), **whole | changes)


def bundle(kind: str, *resources: dict[str, Any], **calls: dict[str, Any]) -> dict[str, Any]:
    entries: list[dict[str, Any]] = []
    for resource in [*copy.deepcopy(PEOPLE), *resources]:
        entry = {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}
        if kind != "collection":
            entry["request"] = {"method": "POST", "url": resource["resourceType"]} | calls.get(resource["id"], {})
        entries.append(entry)
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def post(caller: Caller, body: dict[str, Any], address: str = "fhir", **headers: str) -> dict[str, Any]:
    response = caller.post(address, body, content_type=FHIR, **headers)
    assert response.status_code == 200, response.content[:3000]
    answer: dict[str, Any] = response.json()
    return answer


def statuses(answer: dict[str, Any]) -> list[str]:
    return [entry["response"]["status"] for entry in answer["entry"]]


@pytest.mark.parametrize("address", ["fhir", "fhir/"])
@pytest.mark.parametrize(
    ("kind", "answered"),
    [("transaction", "transaction-response"), ("batch", "batch-response"), ("collection", "transaction-response")],
)
def test_an_order_is_taken_in_with_what_came_along(technician: Caller, kind: str, answered: str, address: str) -> None:
    answer = post(technician, bundle(kind, WEIGHT, EGFR, order("1")), address)
    assert answer["type"] == answered
    assert statuses(answer) == ["200 OK"] * 4 + ["201 Created"]
    last = answer["entry"][-1]["response"]
    made = Prescription.objects.get()
    assert last["location"] == f"MedicationRequest/{made.pk}"
    read = technician.get(f"fhir/{last['location']}")
    assert read["ETag"] == last["etag"]
    patient = made.patient
    assert (patient.weight_kg, patient.egfr, patient.egfr_on) == (71, 48, date(2026, 1, 5))


def test_two_orders_of_one_group_are_two_orders_of_one_patient_in_that_group(technician: Caller) -> None:
    group = {"groupIdentifier": {"system": "urn:g", "value": "7"}}
    second = order("2", medicationCodeableConcept={"text": "Baclofen 25 mg tablets"}, **group)
    answer = post(technician, bundle("transaction", order("1", **group), second))
    assert statuses(answer)[2:] == ["201 Created", "201 Created"]
    assert set(Prescription.objects.values_list("group", flat=True)) == {"urn:g|7"}
    assert Patient.objects.count() == 1


@pytest.mark.parametrize(("tablets", "is_right"), [("1 tablet", True), ("2 tablets", False)])
def test_the_words_of_two_orders_of_one_group_are_each_read_with_its_own_strength(
    technician: Caller, tablets: str, is_right: bool
) -> None:
    def strength(value: int, words: str) -> dict[str, Any]:
        dosing = line(mg(value), daily(3, boundsDuration=days(14)), text=words)
        return order(
            str(value), medicationCodeableConcept={"text": f"Baclofen {value} mg tablets"}, dosageInstruction=[dosing],
            groupIdentifier={"system": "urn:g", "value": "7"}, dispenseRequest={"quantity": {"value": 42, "unit": "tablets"}},
        )  # fmt: skip

    orders = strength(10, "1 tablet three times a day"), strength(25, f"{tablets} three times a day")
    answer = post(technician, bundle("transaction", *orders))
    words = diagnostics(answer["entry"][-1]["response"]["outcome"])
    assert ("directions: The dose of the directions differs" not in words) is is_right


def test_a_transaction_with_one_order_that_cannot_be_read_takes_in_none_and_says_which(technician: Caller) -> None:
    unread = order("2", doNotPerform=True)
    for kind in ("transaction", "collection"):
        response = technician.post("fhir", bundle(kind, order("1"), unread), content_type=FHIR)
        issues = outcome(response, 400)["issue"]
        assert {issue["expression"][0].partition(".resource")[0] for issue in issues} == {"Bundle.entry[3]"}
    assert Prescription.objects.count() == 0
    assert Patient.objects.count() == 0


def test_a_transaction_that_is_refused_while_it_is_taken_in_leaves_nothing(technician: Caller) -> None:
    post(technician, bundle("transaction", order("1")))
    again = bundle("transaction", order("2"), order("1", dispenseRequest={"quantity": {"value": 7, "unit": "tablets"}}))
    issues = outcome(technician.post("fhir", again, content_type=FHIR), 409)["issue"]
    assert [issue["expression"] for issue in issues] == [["Bundle.entry[3].resource.identifier"]]
    assert Prescription.objects.count() == 1


def test_a_refusal_about_the_patient_of_one_order_names_the_entry_of_that_order(technician: Caller) -> None:
    earlier = bundle("transaction", order("1"))
    earlier["entry"][0]["resource"] = earlier["entry"][0]["resource"] | {"birthDate": "1979-01-01"}
    post(technician, earlier)
    for kind in ("transaction", "batch"):
        response = technician.post("fhir", bundle(kind, order("2")), content_type=FHIR)
        refused = response.json()["entry"][2]["response"]["outcome"] if kind == "batch" else outcome(response, 409)
        (issue,) = refused["issue"]
        assert issue["expression"] == ["Bundle.entry[2].resource"]
        assert "patient.birth_date" in issue["diagnostics"]


def test_a_batch_takes_in_what_it_can_and_answers_the_rest(technician: Caller) -> None:
    post(technician, bundle("batch", order("1")))
    unread = order("2", doNotPerform=True)
    changed = order("1", dispenseRequest={"quantity": {"value": 7, "unit": "tablets"}})
    answer = post(technician, bundle("batch", unread, order("3"), changed, order("1")))
    assert statuses(answer)[2:] == ["400 Bad Request", "201 Created", "409 Conflict", "200 OK"]
    refused = answer["entry"][2]["response"]
    assert "location" not in refused
    assert refused["outcome"]["issue"][0]["expression"][0].startswith("Bundle.entry[2]")
    assert Prescription.objects.count() == 2


def test_an_order_is_taken_back_and_made_under_a_condition_in_a_bundle(technician: Caller) -> None:
    post(technician, bundle("transaction", order("1"), order("2")))
    stopped = order("1", status="stopped")
    condition = {"4": {"ifNoneExist": "identifier=urn:rx|2"}}
    answer = post(technician, bundle("transaction", stopped, order("4", identifier=None), **condition))
    assert statuses(answer)[2:] == ["200 OK", "200 OK"]
    assert "nothing more of it can be handed over" in diagnostics(answer["entry"][2]["response"]["outcome"])
    assert "is here already" in diagnostics(answer["entry"][3]["response"]["outcome"])
    assert Prescription.objects.count() == 2


def test_a_bundle_sent_again_with_its_key_gets_the_first_answer(technician: Caller) -> None:
    body = bundle("transaction", order("1", identifier=None))
    first = post(technician, body, Idempotency_Key="b1")
    assert post(technician, body, Idempotency_Key="b1") == first
    assert Prescription.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"resourceType": "Patient"}, "resourceType"),
        ([], "resourceType"),
        (bundle("searchset", order("1")), "Bundle.type"),
        (bundle("transaction"), "Bundle.entry"),
        (bundle("transaction", *[order(str(n)) for n in range(MOST_ORDERS + 1)]), "Bundle.entry"),
        (bundle("transaction", order("1"), **{"1": {"method": "PUT"}}), "Bundle.entry[2].request.method"),
        (bundle("batch", order("1"), p={"method": "DELETE"}), "Bundle.entry[0].request.method"),
        (bundle("batch", order("1"), **{"1": {"ifMatch": 'W/"1"'}}), "Bundle.entry[2].request.ifMatch"),
        ({"resourceType": "Bundle", "type": "batch", "entry": ["x", {"resource": 7}]}, "Bundle.entry[0]"),
    ],
)  # fmt: skip
def test_what_is_no_bundle_of_orders_is_refused_by_its_place(technician: Caller, body: Any, field: str) -> None:
    refused = outcome(technician.post("fhir", body, content_type=FHIR), 400)
    assert field in {issue["expression"][0] for issue in refused["issue"]}
    assert Prescription.objects.count() == 0


def test_whoever_takes_in_no_orders_sends_no_bundles(auditor: Caller) -> None:
    outcome(Caller(None).post("fhir", bundle("batch", order("1")), content_type=FHIR), 401)
    outcome(auditor.post("fhir", bundle("batch", order("1")), content_type=FHIR), 403)


@pytest.mark.parametrize("url", ["Patient", "MedicationRequest/7", ""])
def test_an_order_at_another_address_is_asked_back(technician: Caller, url: str) -> None:
    sent = bundle("transaction", order("1"))
    next(entry for entry in sent["entry"] if entry["resource"]["resourceType"] == "MedicationRequest")["request"][
        "url"
    ] = url
    answer = outcome(technician.post("fhir", sent, content_type=FHIR), 400)
    assert any(issue["expression"][0].endswith("request.url") for issue in answer["issue"])
