"""FHIR through HTTP: orders in, dispenses out, errors as OperationOutcomes."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.medicationdispense import MedicationDispense
from fhir.resources.R4B.medicationrequest import MedicationRequest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from dispensary.models import (
    AuditEntry,
    Patient,
    Prescription,
    Reminder,
    ReminderState,
    WorkKind,
    WorklistItem,
)
from tests.dispensary.api.conftest import ANSWER, Caller, hand_over, today
from tests.dispensary.fhir.orders import PATIENT, PRACTITIONER, SNOMED, daily, days, line, mg, request

FHIR = "application/fhir+json"
ADDRESS = "fhir/MedicationRequest"


def outcome(response: Any, status: int) -> dict[str, Any]:
    """The OperationOutcome of an answer, valid FHIR."""
    assert response.status_code == status, response.content[:2000]
    assert response["Content-Type"].startswith(FHIR)
    resource: dict[str, Any] = response.json()
    OperationOutcome.model_validate(resource)
    return resource


def new_start(**changes: Any) -> dict[str, Any]:
    """5 mg three times a day for 28 days: half a tablet each time, 42 tablets."""
    dosage = line(mg(5), daily(3, boundsDuration=days(28)), text="5 mg three times a day for 28 days")
    return request(
        dosage,
        **({"authoredOn": str(today()), "dispenseRequest": {"quantity": {"value": 42, "unit": "tablets"}}} | changes),
    )


def diagnostics(outcome: dict[str, Any]) -> str:
    return " | ".join(issue["diagnostics"] for issue in outcome["issue"])


def test_an_order_comes_in_as_fhir_and_is_reviewed(technician: Caller) -> None:
    resource = new_start()
    MedicationRequest.model_validate(resource)
    answer = outcome(technician.post(ADDRESS, resource, content_type=FHIR), 201)
    prescription = Prescription.objects.get()
    assert f"MedicationRequest/{prescription.pk}" in diagnostics(answer)
    assert prescription.source == "fhir"
    assert prescription.document["resourceType"] == "MedicationRequest"
    assert (prescription.quantity, prescription.strength_mg) == (42, 10)
    assert Patient.objects.get().family_name == "O'Hara"
    assert "not-assessed" not in diagnostics(answer)


def test_how_something_unusual_was_read_stays_with_the_order_for_both_doors(technician: Caller) -> None:
    made = outcome(technician.post(ADDRESS, new_start(note=[{"text": "ring before supply"}]), content_type=FHIR), 201)
    notes = technician.get(f"prescriptions/{made['id']}/").json()["notes"]
    assert any(note.startswith("MedicationRequest.note") for note in notes)
    assert any("read as oral" in note for note in notes)
    assert technician.member is not None
    technician.client.force_login(technician.member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    page = technician.client.get(reverse("counter:check", args=[made["id"]])).content.decode()
    assert "Note: was not read by the rules" in page


@pytest.mark.parametrize(
    ("reason", "indication", "notes"),
    [
        ({"reasonCode": [{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "F10.2"}]}]}, "alcohol-dependence", ["F10.2"]),
        ({"reasonCode": [{"coding": [{"system": SNOMED, "code": "7200002"}]}]}, "alcohol-dependence", ["7200002"]),
        ({"reasonCode": [{"text": "Alcohol dependence"}]}, "alcohol-dependence", ["Alcohol dependence"]),
        ({"reasonCode": [{"text": "spasticity in MS"}]}, "spasticity", []),
        ({"reasonCode": [{"text": "spasticity"}, {"text": "anxiety"}]}, "spasticity", ["read as the use other: anxiety"]),
        ({"reasonCode": [{"text": "as we discussed"}]}, None, ["was not read by the rules: as we discussed"]),
        ({"reasonReference": [{"reference": "Condition/7", "display": "seen in clinic"}]}, None, ["seen in clinic"]),
        ({"reasonReference": [{"reference": "#why"}]}, "alcohol-dependence", ["read as the use alcohol-dependence: drinking"]),
        ({}, None, []),
    ],
)  # fmt: skip
def test_what_the_order_says_that_it_is_for_becomes_the_indication(
    technician: Caller, reason: dict[str, Any], indication: str | None, notes: list[str]
) -> None:
    code = {"coding": [{"system": SNOMED, "code": "66590003"}], "text": "drinking"}
    condition = {"resourceType": "Condition", "id": "why", "subject": {"reference": "#p"}, "code": code}
    resource = new_start(**reason)
    resource["contained"].append(condition)
    answer = outcome(technician.post(ADDRESS, resource, content_type=FHIR), 201)
    patient = Patient.objects.get()
    assert (patient.indication or None) == indication
    noted = [note for note in technician.get(f"prescriptions/{answer['id']}/").json()["notes"] if ".reason" in note]
    assert len(noted) == len(notes)
    assert all(words in note for words, note in zip(notes, noted, strict=True))
    findings = {issue["details"]["coding"][0]["code"] for issue in answer["issue"] if "details" in issue}
    assert ("indication" in findings) is (indication == "alcohol-dependence")
    asked = outcome(technician.post("fhir/MedicationRequest/$review", resource, content_type=FHIR), 200)
    assert ("label does not name it" in diagnostics(asked)) is (indication == "alcohol-dependence")


def test_another_use_than_the_record_has_is_noted_and_the_record_kept(technician: Caller) -> None:
    outcome(technician.post(ADDRESS, new_start(reasonCode=[{"text": "spasticity"}]), content_type=FHIR), 201)
    later = new_start(reasonCode=[{"text": "alcoholism"}], identifier=[{"value": "second"}])
    answer = outcome(technician.post(ADDRESS, later, content_type=FHIR), 201)
    assert "patient.indication: the order says something else than the record" in diagnostics(answer)
    assert "read as the use alcohol-dependence: alcoholism" in diagnostics(answer)
    assert Patient.objects.get().indication == "spasticity"


def test_a_bundle_comes_in_too_and_plain_json_is_understood(technician: Caller) -> None:
    order = new_start(contained=None, subject={"reference": "Patient/p"}, requester={"reference": "Practitioner/d"})
    entries = [{"fullUrl": f"urn:uuid:{n}", "resource": r} for n, r in enumerate((order, PATIENT, PRACTITIONER))]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    Bundle.model_validate(bundle)
    assert outcome(technician.post(ADDRESS, bundle), 201)


def test_what_the_rules_say_is_in_the_answer(technician: Caller) -> None:
    high = line(mg(50), daily(3, boundsDuration=days(28)), text="50 mg three times a day for 28 days")
    answer = outcome(technician.post(ADDRESS, request(high, authoredOn=str(today())), content_type=FHIR), 201)
    assert any(issue["severity"] == "error" and "tenfold" in issue["diagnostics"] for issue in answer["issue"])


def test_what_cannot_be_read_is_asked_back_with_its_path_and_nothing_is_stored(technician: Caller) -> None:
    answer = outcome(technician.post(ADDRESS, new_start(status="draft", intent="plan"), content_type=FHIR), 400)
    assert [issue["expression"] for issue in answer["issue"]] == [
        ["MedicationRequest.status"],
        ["MedicationRequest.intent"],
    ]
    assert not Patient.objects.exists()


def test_what_the_rule_book_cannot_read_leaves_nothing_behind_either(technician: Caller) -> None:
    response = technician.post(
        ADDRESS, new_start(dispenseRequest={"quantity": {"value": 10**9, "unit": "tablets"}}), content_type=FHIR
    )
    assert "quantity" in str(outcome(response, 400)["issue"])
    assert not Patient.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"", 400), (b"[]", 400), (b'{"resourceType": NaN}', 400), (b" " * 300_000, 413)]
)
def test_errors_are_operation_outcomes(technician: Caller, body: bytes, status: int) -> None:
    assert outcome(technician.call("POST", ADDRESS, body, content_type=FHIR), status)["issue"][0]["severity"] == "error"


def test_who_may_not_is_told_in_fhir_as_well(auditor: Caller) -> None:
    assert outcome(Caller(None).post(ADDRESS, new_start(), content_type=FHIR), 401)["issue"][0]["code"] == "login"
    assert outcome(auditor.post(ADDRESS, new_start(), content_type=FHIR), 403)["issue"][0]["code"] == "forbidden"
    assert outcome(auditor.call("PUT", ADDRESS, new_start(), content_type=FHIR), 405)


def test_fhir_in_xml_is_not_understood(technician: Caller) -> None:
    assert outcome(technician.call("POST", ADDRESS, b"<xml/>", content_type="application/fhir+xml"), 415)


def test_an_order_that_is_no_longer_valid_is_refused(technician: Caller) -> None:
    supply = {"quantity": {"value": 42, "unit": "tablets"}, "validityPeriod": {"end": "2026-01-31"}}
    answer = outcome(technician.post(ADDRESS, new_start(dispenseRequest=supply), content_type=FHIR), 400)
    assert answer["issue"][0]["expression"] == ["valid_until"]
    assert "2026-01-31 given" in diagnostics(answer)
    assert not Prescription.objects.exists()


def test_a_prior_order_is_replaced_and_one_that_is_unknown_is_noted(technician: Caller) -> None:
    first = outcome(technician.post(ADDRESS, new_start(), content_type=FHIR), 201)["id"]
    second = new_start(priorPrescription={"reference": f"MedicationRequest/{first}"})
    assert outcome(technician.post(ADDRESS, second, content_type=FHIR), 201)
    assert Prescription.objects.get(pk=first).status == "replaced"
    unknown = new_start(priorPrescription={"reference": "MedicationRequest/0b7e1cf0-6b0e-4f0e-9d5b-0d6f6f0d7f11"})
    answer = outcome(technician.post(ADDRESS, unknown, content_type=FHIR), 201)
    assert "priorPrescription: names an order that is not known here" in diagnostics(answer)


def test_a_prior_order_is_found_by_its_own_identifier(technician: Caller) -> None:
    first = outcome(send(technician), 201)["id"]
    outcome(technician.post(ADDRESS, new_start(priorPrescription={"identifier": RX[0]}), content_type=FHIR), 201)
    assert Prescription.objects.get(pk=first).status == "replaced"


def test_every_finding_and_every_rule_not_assessed_is_an_issue_with_its_code(technician: Caller) -> None:
    high = line(mg(50), daily(3, boundsDuration=days(28)), text="50 mg three times a day for 28 days")
    answer = outcome(technician.post(ADDRESS, request(high, authoredOn=str(today())), content_type=FHIR), 201)
    review = Prescription.objects.get().reviews.get()
    coded = {
        (issue["details"]["coding"][0]["code"], issue["severity"]): issue
        for issue in answer["issue"]
        if "details" in issue
    }
    assert {code for code, _ in coded} == {
        *review.findings.values_list("code", flat=True),
        *(rule["code"] for rule in json.loads(review.result_text)["not_assessed"]),
    } - {"pick"}
    assert coded["tenfold", "error"]["expression"] == ["MedicationRequest.dosageInstruction.doseAndRate"]
    assert coded["renal", "warning"]["code"] == "required"
    assert "patient.egfr" in coded["renal", "warning"]["details"]["text"]


def test_an_order_of_a_liquid_for_the_pump_is_kept_and_stopped_in_clinical_words(technician: Caller) -> None:
    micrograms = {"value": 300, "unit": "ug", "system": "http://unitsofmeasure.org", "code": "ug"}
    answer = outcome(
        technician.post(
            ADDRESS,
            request(
                line(micrograms, daily(1), text="Continuous intrathecal infusion 300 micrograms per day"),
                medicationCodeableConcept={"text": "Baclofen 2000 micrograms/mL intrathecal solution"},
                dispenseRequest={"quantity": {"value": 1, "unit": "vial"}},
                authoredOn=str(today()),
            ),
            content_type=FHIR,
        ),
        201,
    )
    codes = {issue["details"]["coding"][0]["code"] for issue in answer["issue"] if "details" in issue}
    assert {"route", "form"} <= codes
    assert AuditEntry.objects.filter(action="prescription.received").exists()


def test_questions_come_with_what_the_witnesses_say_of_each_other(technician: Caller) -> None:
    wrong = line(mg(5), daily(3, boundsDuration=days(28)), text="50 mg three times a day for 28 days")
    texts = diagnostics(
        outcome(technician.post(ADDRESS, new_start(status="draft", dosageInstruction=[wrong]), content_type=FHIR), 400)
    )
    assert "another status" in texts
    assert "The dose of the directions differs" in texts


def person(**changes: Any) -> list[dict[str, Any]]:
    """Return the contained resources of an order for a patient who differs."""
    return [PATIENT | changes, PRACTITIONER]


def test_a_twin_with_the_same_number_is_asked_about_field_by_field(technician: Caller) -> None:
    made = outcome(technician.post(ADDRESS, new_start(), content_type=FHIR), 201)
    for changes, path in (
        ({"name": [{"family": "O'Hara", "given": ["Mary"]}]}, "patient.given_name"),
        ({"gender": "male"}, "patient.sex"),
        ({"identifier": [{"system": "urn:b", "value": "P-1"}], "birthDate": "1980-03-01"}, "patient.identifier"),
    ):
        response = technician.post(ADDRESS, new_start(contained=person(**changes)), content_type=FHIR)
        assert [path] in [issue["expression"] for issue in outcome(response, 409)["issue"]]
    assert Prescription.objects.get().pk.hex == made["id"].replace("-", "")
    assert Patient.objects.get().sex == "female"


def test_a_name_in_another_spelling_is_the_same_name(technician: Caller) -> None:
    outcome(technician.post(ADDRESS, new_start(), content_type=FHIR), 201)
    spelled = new_start(contained=person(name=[{"family": "O\u2019HARA", "given": ["jo"]}]))
    outcome(technician.post(ADDRESS, spelled, content_type=FHIR), 201)
    assert Patient.objects.count() == 1


def test_a_name_without_its_apostrophe_is_the_same_person_and_noted(technician: Caller) -> None:
    outcome(technician.post(ADDRESS, new_start(), content_type=FHIR), 201)
    spelled = new_start(contained=person(name=[{"family": "OHARA", "given": ["J\u00f3"]}]))
    answer = outcome(technician.post(ADDRESS, spelled, content_type=FHIR), 201)
    assert "patient.family_name: the order has other accents, hyphens or apostrophes" in diagnostics(answer)
    assert "patient.given_name: the order has other accents" in diagnostics(answer)
    assert (Patient.objects.get().family_name, Patient.objects.get().given_name) == ("O'Hara", "Jo Ann")


def test_a_second_number_of_one_name_and_birth_date_is_asked_about(technician: Caller) -> None:
    outcome(technician.post(ADDRESS, new_start(), content_type=FHIR), 201)
    first = Patient.objects.get()
    other = new_start(contained=person(identifier=[{"value": "P-2"}]))
    issues = outcome(technician.post(ADDRESS, other, content_type=FHIR), 201)["issue"]
    assert [i["severity"] for i in issues if f"Patient/{first.pk}" in i["diagnostics"]] == ["warning"]


RX = [{"system": "urn:ehr", "value": "RX-1"}]


def send(caller: Caller, **changes: Any) -> Any:
    return caller.post(ADDRESS, new_start(**({"identifier": RX} | changes)), content_type=FHIR)


def test_the_same_order_twice_is_one_order(technician: Caller) -> None:
    made = outcome(send(technician), 201)
    again = outcome(send(technician, id="another", meta={"lastUpdated": "2026-11-29T06:00:00Z"}), 200)
    assert again["id"] == made["id"]
    assert "is here already" in diagnostics(again)
    assert Prescription.objects.count() == 1


def test_the_same_order_in_a_bundle_with_new_addresses_is_one_order(technician: Caller) -> None:
    def bundle(name: str) -> dict[str, Any]:
        request = new_start(
            identifier=RX,
            contained=None,
            subject={"reference": f"urn:uuid:{name}p"},
            requester={"reference": f"urn:uuid:{name}d"},
        )
        resources = {"r": request, "p": PATIENT, "d": PRACTITIONER}
        entries = [{"fullUrl": f"urn:uuid:{name}{part}", "resource": thing} for part, thing in resources.items()]
        return {"resourceType": "Bundle", "type": "collection", "entry": entries}

    made = outcome(technician.post(ADDRESS, bundle("a"), content_type=FHIR), 201)
    assert outcome(technician.post(ADDRESS, bundle("b"), content_type=FHIR), 200)["id"] == made["id"]


@pytest.mark.parametrize(
    ("changes", "element"),
    [
        ({"dispenseRequest": {"quantity": {"value": 43, "unit": "tablets"}}}, "dispenseRequest"),
        ({"contained": [PATIENT | {"gender": "male"}, PRACTITIONER]}, "subject"),
        ({"medicationCodeableConcept": {"text": "Baclofen 25 mg tablets"}}, "medication"),
        ({"note": [{"text": "ring before supply"}]}, "note"),
    ],
)
def test_another_order_under_the_same_identifier_is_refused_with_both(
    technician: Caller, changes: dict[str, Any], element: str
) -> None:
    made = outcome(send(technician), 201)
    (issue,) = outcome(send(technician, **changes), 409)["issue"]
    assert made["id"] in issue["diagnostics"]
    assert element in issue["diagnostics"]
    assert (Prescription.objects.count(), Patient.objects.get().sex) == (1, "female")


def test_the_same_value_in_another_system_is_another_order(technician: Caller) -> None:
    outcome(send(technician), 201)
    outcome(send(technician, identifier=[{"system": "urn:other", "value": "RX-1"}]), 201)
    assert Prescription.objects.count() == 2


@pytest.mark.parametrize("status", ["cancelled", "stopped", "entered-in-error"])
def test_an_order_that_its_sender_withdraws_cannot_be_handed_over(
    technician: Caller, pharmacist: Caller, status: str
) -> None:
    made = outcome(send(technician), 201)
    answer = outcome(send(technician, status=status, statusReason={"text": "allergy found"}), 200)
    assert (answer["id"], status in diagnostics(answer)) == (made["id"], True)
    order = Prescription.objects.get()
    assert (order.status, order.withdrawn_as) == ("cancelled", status)
    assert "allergy found" in order.ended_reason
    assert pharmacist.post(f"prescriptions/{order.pk}/dispenses/", hand_over(), Idempotency_Key="k").status_code == 409
    assert not WorklistItem.objects.exists()
    assert send(technician, status=status).content == send(technician, status=status).content
    assert AuditEntry.objects.filter(action="prescription.withdrawn").count() == 1
    assert "is cancelled" in diagnostics(outcome(send(technician), 200))


def test_an_order_without_an_identifier_that_says_the_same_is_a_finding(technician: Caller) -> None:
    outcome(technician.post(ADDRESS, new_start(), content_type=FHIR), 201)
    again = outcome(technician.post(ADDRESS, new_start(), content_type=FHIR), 201)
    assert "The same order waits a second time; was it sent twice?" in diagnostics(again)
    other = new_start(dispenseRequest={"quantity": {"value": 84, "unit": "tablets"}})
    assert "sent twice" not in diagnostics(outcome(technician.post(ADDRESS, other, content_type=FHIR), 201))


def test_an_order_on_hold_waits_until_it_is_sent_as_active_again(technician: Caller, pharmacist: Caller) -> None:
    made = outcome(send(technician), 201)
    assert "until it is sent as active again" in diagnostics(outcome(send(technician, status="on-hold"), 200))
    address = f"prescriptions/{made['id']}/dispenses/"
    refused = pharmacist.post(address, hand_over(), Idempotency_Key="k")
    assert (refused.status_code, "is on hold" in refused.content.decode()) == (409, True)
    assert outcome(send(technician), 200)["id"] == made["id"]
    assert Prescription.objects.get().status == "active"
    done = pharmacist.post(address, hand_over(acknowledged=["not-assessed"]), Idempotency_Key="k2")
    assert done.status_code == 201, done.content


def test_an_order_that_its_sender_calls_completed_ends_without_work(technician: Caller) -> None:
    outcome(send(technician), 201)
    outcome(send(technician, status="completed"), 200)
    order = Prescription.objects.get()
    assert (order.status, order.ended_reason) == ("completed", "completed by its sender")
    assert not WorklistItem.objects.exists()
    outcome(send(technician, status="completed"), 200)
    assert AuditEntry.objects.filter(action="prescription.withdrawn").count() == 1


def test_a_withdrawal_needs_no_more_than_the_identifier(technician: Caller) -> None:
    made = outcome(send(technician), 201)
    bare = {"resourceType": "MedicationRequest", "status": "cancelled", "intent": "order", "identifier": RX}
    bare |= {"subject": {"reference": "Patient/at-the-senders"}}
    assert outcome(technician.post(ADDRESS, bare, content_type=FHIR), 200)["id"] == made["id"]


def test_after_a_supply_a_withdrawal_is_work_and_ends_no_reminder(technician: Caller, pharmacist: Caller) -> None:
    supply = {"dispenseRequest": {"quantity": {"value": 42, "unit": "tablets"}, "numberOfRepeatsAllowed": 1}}
    made = outcome(send(technician, **supply), 201)
    hand_over_body = hand_over(acknowledged=["not-assessed"])
    done = pharmacist.post(f"prescriptions/{made['id']}/dispenses/", hand_over_body, Idempotency_Key="k")
    assert done.status_code == 201, done.content
    scheduled = Reminder.objects.filter(state=ReminderState.SCHEDULED).count()
    assert "42 tablets" in diagnostics(outcome(send(technician, **supply, status="stopped"), 200))
    work = WorklistItem.objects.get()
    assert work.kind == WorkKind.ORDER_WITHDRAWN
    assert "Stopping 15 mg" in work.reason or "abrupt" in work.reason, work.reason
    assert Reminder.objects.filter(state=ReminderState.SCHEDULED).count() == scheduled > 0
    outcome(send(technician, **supply, status="stopped"), 200)
    assert WorklistItem.objects.get().reason == work.reason


def test_a_withdrawal_for_an_order_unknown_here_is_a_404_and_stores_nothing(technician: Caller) -> None:
    answer = outcome(send(technician, status="cancelled"), 404)
    assert answer["issue"][0]["code"] == "not-found"
    assert "send the withdrawal again" in diagnostics(answer)
    assert not Patient.objects.exists()


def test_a_withdrawal_for_another_patient_or_without_a_name_for_the_order_changes_nothing(technician: Caller) -> None:
    outcome(send(technician), 201)
    other = [PATIENT | {"birthDate": "1999-09-09"}, PRACTITIONER]
    outcome(send(technician, status="cancelled", contained=other), 409)
    outcome(send(technician, status="cancelled", identifier=None), 400)
    bare = {"identifier": [{"value": "RX-1"}], "contained": None, "subject": {"reference": "Patient/x"}}
    outcome(send(technician, status="cancelled", **bare), 400)
    assert Prescription.objects.get().status == "active"


def test_a_withdrawn_order_may_be_replaced_by_the_one_that_corrects_it(technician: Caller) -> None:
    made = outcome(send(technician), 201)
    outcome(send(technician, status="entered-in-error"), 200)
    new = {"identifier": [{"system": "urn:ehr", "value": "RX-2"}]}
    outcome(send(technician, **new, priorPrescription={"reference": f"MedicationRequest/{made['id']}"}), 201)


def test_the_same_key_gives_the_same_answer(technician: Caller) -> None:
    first, again = (technician.post(ADDRESS, new_start(), content_type=FHIR, Idempotency_Key="k") for _ in range(2))
    assert first.content == again.content
    assert Prescription.objects.count() == 1


def test_a_dispense_goes_out_with_its_findings_and_what_was_answered(
    pharmacist: Caller, too_high: Prescription
) -> None:
    refused = pharmacist.post(f"prescriptions/{too_high.pk}/dispenses/", hand_over(294), Idempotency_Key="a").json()
    codes = {finding["code"]: finding["severity"] for finding in refused["findings"]}
    body = hand_over(
        294, overrides=[ANSWER | {"finding": code} for code, severity in codes.items() if severity == "override"],
        acknowledged=[code for code, severity in codes.items() if severity == "acknowledge"],
    )  # fmt: skip
    done = pharmacist.sign(f"prescriptions/{too_high.pk}/dispenses/", body, Idempotency_Key="b").json()
    response = pharmacist.get(f"fhir/MedicationDispense/{done['id']}")
    assert response.status_code == 200, response.content
    assert response["Content-Type"].startswith(FHIR)
    resource = json.loads(response.content, parse_float=Decimal)
    MedicationDispense.model_validate(resource)
    assert (resource["status"], resource["quantity"]["value"], resource["daysSupply"]["value"]) == (
        "completed",
        294,
        28,
    )
    contained = {thing["id"]: thing for thing in resource["contained"]}
    assert contained["pack"]["batch"]["lotNumber"] == "A1B2"
    assert [f"#{name}" for name in contained if name != "pack"] == [
        issue["reference"] for issue in resource["detectedIssue"]
    ]
    (issue,) = [thing for thing in contained.values() if thing.get("code", {}).get("text") == "daily-maximum"]
    assert (issue["severity"], issue["code"]["coding"][0]["code"][:5]) == ("high", "DOSEH")
    assert issue["mitigation"][0]["action"]["coding"][0]["code"] == "5"
    assert issue["mitigation"][0]["author"]["display"] == done["dispenser_name"]


def test_a_returned_supply_says_so_with_the_reason(pharmacist: Caller, prescription: Prescription) -> None:
    done = pharmacist.post(f"prescriptions/{prescription.pk}/dispenses/", hand_over(), Idempotency_Key="k").json()
    address = f"fhir/MedicationDispense/{done['id']}"
    pharmacist.post(f"dispenses/{done['id']}/return/", {"reason": "brought back"}, If_Match="*")
    resource = pharmacist.get(address).json()
    MedicationDispense.model_validate(resource)
    assert (resource["status"], "brought back" in resource["note"][0]["text"]) == ("stopped", True)
    assert resource["statusReasonCodeableConcept"]["text"] == "brought back"


def test_a_part_of_the_ordered_quantity_goes_out_as_a_part(pharmacist: Caller, prescription: Prescription) -> None:
    address, codes = f"prescriptions/{prescription.pk}/dispenses/", []
    for key in ("a", "b"):
        done = pharmacist.post(address, hand_over(21), Idempotency_Key=key).json()
        resource = pharmacist.get(f"fhir/MedicationDispense/{done['id']}").json()
        codes.append(resource["type"]["coding"][0]["code"])
    assert codes == ["FFP", "RFP"]


def test_anybody_may_ask_what_is_spoken_here(db: None) -> None:
    statement = Caller(None).get("fhir/metadata").json()
    CapabilityStatement.model_validate(statement)
    assert statement["implementation"]["url"] == "http://testserver/api/v1/fhir"


@pytest.mark.parametrize(("version", "status"), [("4.0", 201), ("4.0.1", 201), ("5.0", 415), ("3.0", 415), ("R4", 415)])
def test_a_resource_of_another_release_of_fhir_is_not_read_as_r4(technician: Caller, version: str, status: int) -> None:
    answer = technician.post(ADDRESS, new_start(), content_type=f"{FHIR}; fhirVersion={version}")
    outcome(answer, status)
    assert Prescription.objects.exists() is (status == 201)
