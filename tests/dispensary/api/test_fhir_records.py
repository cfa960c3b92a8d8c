"""FHIR resources read and searched: true, valid, by key, and each reading in the log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from fhir.resources.R4B import get_fhir_model_class

from dispensary.api.fhir.kinds import KINDS
from dispensary.fhir import read_order
from dispensary.models import (
    AuditEntry,
    Dispense,
    Patient,
    Pharmacy,
    Prescription,
    Reminder,
    ReminderState,
    StaffRole,
    WorklistItem,
)
from tests.clients import run_node
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller, today
from tests.dispensary.api.test_emergency import ASKED, taken_until_yesterday
from tests.dispensary.api.test_fhir import FHIR, diagnostics, new_start, outcome
from tests.dispensary.fhir.orders import daily, days, line, mg, request

BASE = "http://testserver/api/v1/fhir"


def search(caller: Caller, address: str, status: int = 200) -> dict[str, Any]:
    """Return the Bundle of a search, valid FHIR."""
    response = caller.get(f"fhir/{address}")
    assert response.status_code == status, response.content[:2000]
    bundle: dict[str, Any] = response.json()
    get_fhir_model_class(bundle["resourceType"]).model_validate(bundle)
    return bundle


def matches(bundle: dict[str, Any], mode: str = "match") -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle.get("entry", []) if entry["search"]["mode"] == mode]


def ids(bundle: dict[str, Any]) -> list[str]:
    return [resource["id"] for resource in matches(bundle)]


def test_each_kind_is_valid_to_another_validator_with_the_profiles_of_hl7(
    pharmacist: Caller, auditor: Caller, one_of_each: dict[str, str], technician: Caller
) -> None:
    resources = [pharmacist.get(f"fhir/{name}/{pk}").json() for name, pk in one_of_each.items()]
    resources += [search(pharmacist, name) for name in one_of_each]
    resources += [search(auditor, "AuditEvent"), Caller(None).get("fhir/metadata").json()]
    resources += [
        technician.post("fhir/MedicationRequest", new_start(), content_type=FHIR).json(),
        technician.post("fhir/MedicationRequest", {}, content_type=FHIR).json(),
        technician.post("fhir/MedicationRequest/$review", new_start(), content_type=FHIR).json(),
        technician.get("fhir/Patient/1").json(),
    ]
    issues = run_node("validate.mjs", [*resources, {"resourceType": "MedicationRequest", "status": "active"}])
    assert issues.pop() != [], "a resource without what is required passes"
    faulty = {resource["resourceType"]: faults for resource, faults in zip(resources, issues, strict=True) if faults}
    assert faulty == {}


def test_each_kind_is_read_found_and_valid(pharmacist: Caller, one_of_each: dict[str, str]) -> None:
    assert set(one_of_each) == set(KINDS)
    for name, pk in one_of_each.items():
        read = pharmacist.get(f"fhir/{name}/{pk}")
        assert read.status_code == 200, (name, read.content)
        resource = read.json()
        get_fhir_model_class(name).model_validate(resource)
        assert (resource["resourceType"], resource["id"]) == (name, pk)
        assert read["ETag"] == f'W/"{resource["meta"]["versionId"]}"'
        bundle = search(pharmacist, f"{name}?_id={pk}")
        assert matches(bundle) == [resource]
        assert bundle["entry"][0]["fullUrl"] == f"{BASE}/{name}/{pk}"
        if name != "Patient":
            assert pk in ids(search(pharmacist, f"{name}?patient=Patient/{one_of_each['Patient']}"))


def test_a_version_that_the_caller_has_is_not_sent_again(pharmacist: Caller, one_of_each: dict[str, str]) -> None:
    address = f"fhir/MedicationRequest/{one_of_each['MedicationRequest']}"
    etag = pharmacist.get(address)["ETag"]
    same = pharmacist.get(address, If_None_Match=f'W/"old", {etag}')
    assert (same.status_code, same.content) == (304, b"")
    address = f"fhir/MedicationDispense/{one_of_each['MedicationDispense']}"
    etag = pharmacist.get(address)["ETag"]
    back = pharmacist.post(
        f"dispenses/{one_of_each['MedicationDispense']}/return/", {"reason": "not wanted"}, If_Match="*"
    )
    assert back.status_code == 200, back.content
    changed = pharmacist.get(address, If_None_Match=etag)
    assert (changed.status_code, changed.json()["status"]) == (200, "stopped")


def test_reading_stands_in_the_log_and_so_does_a_search(pharmacist: Caller, handed_over: Dispense) -> None:
    before = AuditEntry.objects.filter(action="patient.opened").count()
    pharmacist.get(f"fhir/MedicationDispense/{handed_over.pk}")
    assert AuditEntry.objects.filter(action="patient.opened").count() == before + 1
    search(pharmacist, f"MedicationDispense?patient={handed_over.patient_id}")
    assert AuditEntry.objects.filter(action="patient.searched").count() == 1


@pytest.mark.parametrize(
    ("query", "is_match"),
    [
        ("status=completed", True), ("status=cancelled", False), ("status=cancelled,completed", True),
        ("status=http://terminology.hl7.org/CodeSystem/medicationdispense-status|completed", True),
        ("identifier=till-7-0001", True), ("identifier=urn:dispensary:idempotency-key|till-7-0001", True),
        ("identifier=other|till-7-0001", False), ("identifier=till-7-0002", False),
        ("whenhandedover=TODAY", True), ("whenhandedover=geTODAY", True), ("whenhandedover=gtTODAY", False),
        ("whenhandedover=ltTODAY", False), ("whenhandedover=leTODAY", True), ("whenhandedover=neTODAY", False),
        ("_lastUpdated=geTODAY", True), ("_lastUpdated=gt2199", False),
        ("whenhandedover=ge2026&whenhandedover=lt2001", False),
        ("prescription=MedicationRequest/ORDER", True), ("prescription=ORDER", True),
        ("prescription=MedicationRequest/PATIENT", False), ("subject=Patient/PATIENT&status=completed", True),
    ],
)  # fmt: skip
def test_hand_overs_are_found_by_what_they_are(
    pharmacist: Caller, handed_over: Dispense, query: str, is_match: bool
) -> None:
    words = {"TODAY": str(today()), "ORDER": str(handed_over.prescription_id), "PATIENT": str(handed_over.patient_id)}
    for word, value in words.items():
        query = query.replace(word, value)
    assert ids(search(pharmacist, f"MedicationDispense?{query}")) == ([str(handed_over.pk)] if is_match else [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("MedicationDispense?color=red", "color"),
        ("MedicationDispense?patient:missing=true", "patient:missing"),
        ("MedicationDispense?patient=Patient/none", "patient"),
        ("MedicationDispense?status=lost", "status"),
        ("MedicationDispense?whenhandedover=yesterday", "whenhandedover"),
        ("MedicationDispense?whenhandedover=2026-13-01", "whenhandedover"),
        ("MedicationDispense?whenhandedover=2026-11-30T10:00:00", "whenhandedover"),
        ("MedicationDispense?_lastUpdated=ap2026", "_lastUpdated"),
        ("MedicationDispense?_count=0", "_count"),
        ("MedicationDispense?_count=201", "_count"),
        ("MedicationDispense?_count=000000005000", "_count"),
        ("MedicationDispense?_count=%C2%B2", "_count"),
        ("MedicationDispense?_include=MedicationDispense:performer", "_include"),
        ("MedicationDispense?_include=Patient:link", "_include"),
        ("Patient?_include=Patient:link", "_include"),
        ("Patient?identifier=", "identifier"),
        ("Patient?name=Okafor", "name"),
        ("Task?_lastUpdated=soon", "_lastUpdated"),
        ("Task?_sort=code", "_sort"),
        ("MedicationRequest?_sort=authoredon", "_sort"),
        ("Task?_sort=--_lastUpdated", "_sort"),
        ("Patient?_cursor=x", "_cursor"),
        ("Patient?_cursor=WyJ4IiwgInkiXQ==", "_cursor"),
        ("Communication?_cursor=WzFlNDAwLCAxXQ==", "_cursor"),  # [1e400, 1]
        pytest.param(f"Patient?_cursor={'W1tb' * 500}", "_cursor", id="a list in 1500 lists"),
    ],
)
def test_what_a_search_cannot_answer_is_refused_by_its_name(pharmacist: Caller, query: str, field: str) -> None:
    answer = outcome(pharmacist.get(f"fhir/{query}"), 400)
    assert [field] in [issue["expression"] for issue in answer["issue"]]


def test_the_ones_referred_to_come_along_once(pharmacist: Caller, handed_over: Dispense) -> None:
    bundle = search(
        pharmacist, "MedicationDispense?_include=MedicationDispense:prescription&_include=MedicationDispense:patient"
    )
    assert {(resource["resourceType"], resource["id"]) for resource in matches(bundle, "include")} == {
        ("MedicationRequest", str(handed_over.prescription_id)),
        ("Patient", str(handed_over.patient_id)),
    }


def test_pages_by_key_hold_everything_once_while_new_ones_come(
    pharmacist: Caller, shop: Pharmacy, patient: Patient
) -> None:
    now = timezone.now()
    for number in range(5):
        make.prescription(patient, now=now + timedelta(seconds=number))
    expected = {str(pk) for pk in Prescription.objects.values_list("pk", flat=True)}
    listed_ids: list[str] = []
    address: str | None = f"fhir/MedicationRequest?_count=2&patient={patient.pk}"
    while address:
        bundle = pharmacist.get(address).json()
        listed_ids += ids(bundle)
        make.prescription(patient, now=now + timedelta(minutes=1))
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        address = links["next"].removeprefix("http://testserver") if "next" in links else None
    assert sorted(listed_ids) == sorted(expected)


def period(first: int, last: int) -> dict[str, str]:
    """Return a FHIR Period from one day to another, both counted from today."""
    return {"start": str(today() + timedelta(days=first)), "end": str(today() + timedelta(days=last))}


@pytest.mark.parametrize(
    "resource",
    [
        new_start(),
        request(line(mg(10), daily(3, boundsDuration=days(28))), authoredOn=str(today())),
        request(line(mg(5), daily(2), sequence=1), line(mg(10), {"repeat": {"when": ["HS"]}}, sequence=1)),
        request(
            line(mg(5), daily(3, boundsDuration=days(3)), sequence=1),
            line(mg(10), daily(3, boundsDuration=days(4)), sequence=2),
            line(mg(Decimal("12.5")), daily(2), sequence=3),
        ),
        request(line(mg(10), {"repeat": {"timeOfDay": ["08:00:00", "20:00:00"]}}), groupIdentifier={"system": "urn:g", "value": "7"}),
        request(
            line(mg(10), daily(2, boundsPeriod=period(40, 46)), sequence=1),
            line(mg(15), daily(2, boundsPeriod=period(47, 53)), sequence=2),
            courseOfTherapyType={"coding": [{"code": "acute"}]},
        ),
        request(
            line(mg(5), daily(3), asNeededBoolean=True, text="5 mg up to three times a day as needed",
                 maxDosePerPeriod={"numerator": mg(15), "denominator": {"value": 1, "unit": "day", "code": "d"}}),
            dispenseRequest={"quantity": {"value": 30, "unit": "tablets"}, "numberOfRepeatsAllowed": 2,
                             "expectedSupplyDuration": days(20), "dispenseInterval": days(14)},
        ),
        request({"text": "10 mg three times a day"}),
    ],
)  # fmt: skip
def test_an_order_that_is_sent_out_is_read_as_the_one_that_came_in(
    technician: Caller, resource: dict[str, Any]
) -> None:
    came = resource | {"authoredOn": str(today()), "identifier": [{"system": "urn:x", "value": "1"}]}
    made = outcome(technician.post("fhir/MedicationRequest", came, content_type=FHIR), 201)
    sent = json.loads(technician.get(f"fhir/MedicationRequest/{made['id']}").content, parse_float=Decimal)
    first, second = read_order(came, on=today()), read_order(sent, on=today())
    differing = {
        name: (first.prescription.get(name), second.prescription.get(name))
        for name in first.prescription.keys() | second.prescription.keys()
        if first.prescription.get(name) != second.prescription.get(name)
    }
    for words in ("directions", "lines", "medicine"):  # of several lines the words are a note; a code is added
        differing.pop(words, None)
    if "phases" not in first.prescription:  # words alone are sent out with the doses that were read from them
        differing.pop("phases")
    assert differing == {}
    assert (first.identifiers, first.replaces) == (second.identifiers, second.replaces)


def test_an_order_that_another_replaced_is_stopped_and_says_so(technician: Caller) -> None:
    first = outcome(technician.post("fhir/MedicationRequest", new_start(), content_type=FHIR), 201)["id"]
    second = new_start(priorPrescription={"reference": f"MedicationRequest/{first}"})
    made = outcome(technician.post("fhir/MedicationRequest", second, content_type=FHIR), 201)["id"]
    replaced = technician.get(f"fhir/MedicationRequest/{first}").json()
    assert (replaced["status"], "Replaced" in replaced["statusReason"]["text"]) == ("stopped", True)
    assert ids(search(technician, "MedicationRequest?status=stopped")) == [first]
    assert technician.get(f"fhir/MedicationRequest/{made}").json()["priorPrescription"] == {
        "reference": f"MedicationRequest/{first}"
    }


def test_an_order_entered_in_error_is_found_as_such_and_not_as_cancelled(technician: Caller) -> None:
    number = [{"system": "urn:rx", "value": "1"}]
    outcome(technician.post("fhir/MedicationRequest", new_start(identifier=number), content_type=FHIR), 201)
    outcome(
        technician.post(
            "fhir/MedicationRequest", new_start(identifier=number, status="entered-in-error"), content_type=FHIR
        ),
        200,
    )
    assert len(ids(search(technician, "MedicationRequest?status=entered-in-error&identifier=urn:rx|1"))) == 1
    assert ids(search(technician, "MedicationRequest?status=cancelled")) == []
    assert ids(search(technician, "MedicationRequest?status=active")) == []


def test_a_supply_without_an_order_is_no_order(pharmacist: Caller) -> None:
    make.products()
    patient = taken_until_yesterday(pharmacist)
    asked = ASKED | {"prescriber": {"identifier": "D-1"}}
    made = pharmacist.post(f"patients/{patient}/emergency/", asked, Idempotency_Key="e1")
    assert made.status_code == 201, made.content
    order = Prescription.objects.get(source="no-order")
    assert str(order.pk) not in ids(search(pharmacist, "MedicationRequest"))
    outcome(pharmacist.get(f"fhir/MedicationRequest/{order.pk}"), 404)


def test_the_answer_that_a_hand_over_used_is_the_mitigation(pharmacist: Caller, handed_over: Dispense) -> None:
    issues = matches(search(pharmacist, f"DetectedIssue?implicated=MedicationRequest/{handed_over.prescription_id}"))
    answered = [issue for issue in issues if "mitigation" in issue]
    assert [issue["code"]["text"] for issue in answered] == ["daily-maximum"]
    assert answered[0]["mitigation"][0]["action"]["coding"][0]["code"] == "5"
    assert {"reference": f"MedicationDispense/{handed_over.pk}"} in answered[0]["implicated"]
    agents = pharmacist.get(f"fhir/Provenance/{handed_over.pk}").json()["agent"]
    assert [agent["type"]["coding"][0]["code"] for agent in agents] == ["performer", "verifier"]


@pytest.mark.parametrize(
    ("state", "status"),
    [("SCHEDULED", "preparation"), ("SENT", "completed"), ("WITHDRAWN", "not-done"), ("FAILED", "stopped"), ("PARKED", "unknown")],
)  # fmt: skip
def test_a_reminder_has_the_status_of_its_state(
    pharmacist: Caller, handed_over: Dispense, state: str, status: str
) -> None:
    reminder = Reminder.objects.filter(patient=handed_over.patient)[0]
    Reminder.objects.filter(pk=reminder.pk).update(state=ReminderState[state])
    assert pharmacist.get(f"fhir/Communication/{reminder.public_id}").json()["status"] == status
    assert str(reminder.public_id) in ids(search(pharmacist, f"Communication?status={status}"))


def test_work_that_is_done_is_a_completed_task(pharmacist: Caller, work: WorklistItem) -> None:
    assert ids(search(pharmacist, "Task?status=ready&code=withdrawal-risk")) == [str(work.pk)]
    resolved = pharmacist.post(f"work/{work.pk}/resolve/", {"resolution": "called", "note": "fetches it today"})
    assert resolved.status_code == 200, resolved.content
    task = pharmacist.get(f"fhir/Task/{work.pk}").json()
    assert (task["status"], task["note"][0]["text"]) == ("completed", "fetches it today")
    assert ids(search(pharmacist, "Task?status=ready")) == []


def test_a_patient_is_found_by_a_number_and_by_a_former_one(pharmacist: Caller, patient: Patient) -> None:
    number = patient.identifier
    assert ids(search(pharmacist, f"Patient?identifier={number}")) == [str(patient.pk)]
    assert ids(search(pharmacist, f"Patient?identifier=|{number}")) == [str(patient.pk)]
    assert ids(search(pharmacist, f"Patient?identifier=urn:nhs|{number}")) == []
    changed = pharmacist.patch(
        f"patients/{patient.pk}/", {"identifier": "NEW-1", "reason": "recorded-wrongly"}, If_Match="*"
    )
    assert changed.status_code == 200, changed.content
    assert ids(search(pharmacist, f"Patient?identifier={number}")) == [str(patient.pk)]


def test_the_log_is_searched_and_read_as_audit_events_by_auditors_alone(
    auditor: Caller, pharmacist: Caller, handed_over: Dispense
) -> None:
    bundle = search(auditor, f"AuditEvent?entity=MedicationDispense/{handed_over.pk}&date={today()}")
    events = matches(bundle)
    assert {event["entity"][0]["what"]["reference"] for event in events} == {f"MedicationDispense/{handed_over.pk}"}
    single = auditor.get(f"fhir/AuditEvent/{events[0]['id']}")
    assert single.json() == events[0]
    assert search(auditor, f"AuditEvent?date=lt{today()}").get("entry") is None
    assert matches(search(auditor, f"AuditEvent?patient=Patient/{handed_over.patient_id}&subtype=dispense.completed"))
    paged = search(auditor, "AuditEvent?_count=1")
    following = next(link["url"] for link in paged["link"] if link["relation"] == "next")
    assert ids(auditor.get(following.removeprefix("http://testserver")).json()) != ids(paged)
    for wrong in ("entity=Coverage/1", "date=soon", "subtype=nothing", "actor=user:1", "_cursor=x"):
        outcome(auditor.get(f"fhir/AuditEvent?{wrong}"), 400)
    outcome(pharmacist.get("fhir/AuditEvent"), 403)
    assert (
        pharmacist.get(f"fhir/Provenance/{handed_over.pk}")
        .json()["entity"][-1]["what"]["reference"]
        .startswith("AuditEvent/")
    )


FORM = "application/x-www-form-urlencoded"


def test_a_search_by_post_is_the_search_by_get(pharmacist: Caller, handed_over: Dispense) -> None:
    number = handed_over.patient.identifier
    by_get = search(
        pharmacist, f"MedicationRequest?patient={handed_over.patient_id}&_include=MedicationRequest:patient"
    )
    form = f"patient={handed_over.patient_id}&_include=MedicationRequest%3Apatient".encode()
    by_post = pharmacist.call("POST", "fhir/MedicationRequest/_search", form, content_type=FORM)
    assert by_post.status_code == 200, by_post.content
    assert by_post.json() == by_get
    both = pharmacist.call("POST", f"fhir/Patient/_search?identifier={number}", b"_count=1", content_type=FORM)
    assert ids(both.json()) == [str(handed_over.patient_id)]
    assert matches(pharmacist.call("POST", "fhir/Patient/_search", b"", content_type=FORM).json())


def test_the_pages_of_a_search_by_post_are_followed_by_get(pharmacist: Caller, shop: Pharmacy) -> None:
    people = {str(make.patient(shop, now=timezone.now()).pk) for _ in range(3)}
    bundle = pharmacist.call("POST", "fhir/Patient/_search", b"_count=2", content_type=FORM).json()
    following = next(link["url"] for link in bundle["link"] if link["relation"] == "next")
    rest = pharmacist.get(following.removeprefix("http://testserver")).json()
    assert {*ids(bundle), *ids(rest)} == people


@pytest.mark.parametrize(
    ("form", "kind", "status"),
    [
        (b"birth=1980", FORM, 400),
        (b"_count=0", FORM, 400),
        (b"identifier=%00", FORM, 400),
        pytest.param(b"_id=x&" * 2000, FORM, 400, id="too many"),
        pytest.param(b"a" * 300_000, FORM, 413, id="too long"),
        (b"{}", "application/json", 415),
        (b"<Parameters/>", "application/fhir+xml", 415),
    ],
)
def test_a_form_that_is_no_search_is_refused_in_words(pharmacist: Caller, form: bytes, kind: str, status: int) -> None:
    outcome(pharmacist.call("POST", "fhir/Patient/_search", form, content_type=kind), status)
    outcome(pharmacist.get("fhir/Patient/_search"), 405)


def test_the_log_is_searched_by_post_newest_first_alone(auditor: Caller, handed_over: Dispense) -> None:
    form = f"patient={handed_over.patient_id}&_sort=-date".encode()
    by_post = auditor.call("POST", "fhir/AuditEvent/_search", form, content_type=FORM).json()
    assert ids(by_post) == ids(search(auditor, f"AuditEvent?patient={handed_over.patient_id}&_sort=-_lastUpdated"))
    for wrong in ("_lastUpdated", "date", "-agent"):
        assert "-date or -_lastUpdated" in diagnostics(outcome(auditor.get(f"fhir/AuditEvent?_sort={wrong}"), 400))


def test_an_auditor_reads_no_patients(auditor: Caller, one_of_each: dict[str, str]) -> None:
    for name, pk in one_of_each.items():
        outcome(auditor.get(f"fhir/{name}"), 403)
        outcome(auditor.get(f"fhir/{name}/{pk}"), 403)


def test_another_pharmacys_resources_are_not_there(
    elsewhere: Pharmacy, caller: Callable[..., Caller], one_of_each: dict[str, str]
) -> None:
    stranger = caller(elsewhere, StaffRole.MANAGER)
    for name, pk in one_of_each.items():
        outcome(stranger.get(f"fhir/{name}/{pk}"), 404)
        for query in ("", f"?_id={pk}"):
            assert search(stranger, f"{name}{query}").get("entry") is None


@pytest.mark.parametrize(
    ("accept", "query", "status", "kind"),
    [
        ("application/fhir+json", "", 200, "application/fhir+json"),
        ("application/json", "", 200, "application/json"),
        ("*/*", "", 200, "application/fhir+json"),
        ("application/fhir+xml", "", 406, "application/fhir+json"),
        ("text/html", "", 406, "application/fhir+json"),
        ("application/fhir+xml", "?_format=json", 200, "application/json"),
        ("*/*", "?_format=application/fhir%2Bjson", 200, "application/fhir+json"),
        ("*/*", "?_format=xml", 406, "application/fhir+json"),
        ("application/fhir+json; fhirVersion=4.0", "", 200, "application/fhir+json"),
        ("application/fhir+json; fhirVersion=5.0", "", 406, "application/fhir+json"),
        ("application/fhir+json; fhirVersion=5.0, application/json", "", 200, "application/json"),
        ("*/*; fhirVersion=3.0", "", 406, "application/fhir+json"),
        ("*/*", "?_format=application/fhir%2Bjson;fhirVersion=5.0", 406, "application/fhir+json"),
        ("*/*", "?_format=application/fhir%2Bjson;fhirVersion=4.0", 200, "application/fhir+json"),
    ],
)
def test_json_is_served_and_xml_refused_in_words(
    pharmacist: Caller, accept: str, query: str, status: int, kind: str
) -> None:
    response = pharmacist.get(f"fhir/Patient{query}", Accept=accept)
    assert (response.status_code, response["Content-Type"]) == (status, kind)
    if status == 406:
        assert "there is no XML" in diagnostics(response.json())


@pytest.mark.parametrize(
    "address", ["fhir/Coverage", "fhir/Patient/", "fhir/Patient/1", "fhir/Patient/1/_history/1", "fhir/DetectedIssue/1-1"]
)  # fmt: skip
def test_what_is_not_below_fhir_is_an_operation_outcome(pharmacist: Caller, address: str) -> None:
    outcome(pharmacist.get(address), 404)


def test_methods_that_change_are_refused_in_fhir(pharmacist: Caller, one_of_each: dict[str, str]) -> None:
    for address in ("fhir", "fhir/"):
        outcome(pharmacist.get(address), 405)
    for method in ("PUT", "PATCH", "DELETE"):
        for name, pk in one_of_each.items():
            outcome(pharmacist.call(method, f"fhir/{name}/{pk}", {}, content_type=FHIR), 405)


def test_an_order_is_made_at_an_address_and_only_once_under_a_condition(technician: Caller) -> None:
    number = [{"system": "urn:rx", "value": "A|1"}]
    order = new_start(identifier=number)
    first = technician.post("fhir/MedicationRequest", order, content_type=FHIR, If_None_Exist="identifier=urn:rx|A1")
    made = outcome(first, 201)["id"]
    assert first["Location"] == f"{BASE}/MedicationRequest/{made}"
    read = technician.get(f"fhir/MedicationRequest/{made}")
    assert read["ETag"] == first["ETag"]
    again = new_start(
        identifier=[{"system": "urn:rx", "value": "B"}], dispenseRequest={"quantity": {"value": 7, "unit": "tablets"}}
    )
    Prescription.objects.get().identifiers.create(pharmacy=Pharmacy.objects.get(), system="urn:rx", value="A1")
    second = technician.post("fhir/MedicationRequest", again, content_type=FHIR, If_None_Exist="?identifier=urn:rx|A1")
    assert outcome(second, 200)["id"] == made
    assert second["Location"] == first["Location"]
    assert Prescription.objects.count() == 1
    for wrong in ("patient=1", "identifier=", "status=active&identifier=urn:rx|A1"):
        outcome(technician.post("fhir/MedicationRequest", order, content_type=FHIR, If_None_Exist=wrong), 400)


def test_a_condition_that_several_orders_fulfil_is_refused(technician: Caller) -> None:
    for system in ("urn:a", "urn:b"):
        order = new_start(identifier=[{"system": system, "value": "1"}])
        outcome(technician.post("fhir/MedicationRequest", order, content_type=FHIR), 201)
    outcome(
        technician.post("fhir/MedicationRequest", new_start(), content_type=FHIR, If_None_Exist="identifier=1"), 412
    )


def declared(statement: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for resource in statement["rest"][0]["resource"]:
        for parameter in resource["searchParam"]:
            yield resource["type"], parameter["name"]


def test_the_capability_statement_is_true(pharmacist: Caller, auditor: Caller) -> None:
    statement = Caller(None).get("fhir/metadata").json()
    get_fhir_model_class("CapabilityStatement").model_validate(statement)
    for name, parameter in declared(statement):
        reader = auditor if name == "AuditEvent" else pharmacist
        answer = reader.get(f"fhir/{name}?{parameter}=%00").content.decode()
        assert "one of _id" not in answer, (name, parameter)
    for resource in statement["rest"][0]["resource"]:
        reader = auditor if resource["type"] == "AuditEvent" else pharmacist
        for include in resource.get("searchInclude", ()):
            search(reader, f"{resource['type']}?_include={include}")
        assert {"code": "create"} in resource["interaction"] or (
            reader.post(f"fhir/{resource['type']}", {}, content_type=FHIR).status_code == 405
        )
