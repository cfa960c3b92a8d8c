"""CDS Hooks, asked as another system asks: with its own token, its own patient ids and its own resources."""

from __future__ import annotations

import base64
import copy
import hmac
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.http import HttpResponse
from django.utils import timezone

from dispensary.actions import pharmacies, prescriptions
from dispensary.actors import Actor
from dispensary.api.cds_hooks.calls import MOST_ORDERS
from dispensary.api.cds_hooks.services import PREFETCH, SERVICES
from dispensary.models import (
    AuditEntry,
    CardFeedback,
    HookCard,
    Override,
    Pharmacy,
    Prescription,
    Source,
    StaffMember,
    StaffRole,
)
from tests.dispensary import make
from tests.dispensary.api.conftest import ISSUER, Caller, today
from tests.dispensary.fhir.orders import daily, days, line, mg, request

ID = "pat-17"
SIGN = "/cds-services/baclofen-sign"
NOTHING: dict[str, Any] = dict.fromkeys(PREFETCH)
"""A prefetch of which every query was asked and found nothing."""
PATIENT = {
    "resourceType": "Patient",
    "id": ID,
    "identifier": [{"value": "P-9"}],
    "name": [{"family": "Okafor", "given": ["Ada"]}],
    "birthDate": "1981-05-02",
    "gender": "female",
}


def draft(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An order that is being signed: 10 mg three times a day for 28 days, by nobody's ids of ours."""
    return request(
        *lines,
        **{
            "id": "r1",
            "status": "draft",
            "contained": None,
            "authoredOn": today().isoformat(),
            "subject": {"reference": f"Patient/{ID}"},
            "requester": {"reference": "Practitioner/77"},
        }
        | changes,
    )


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": thing} for thing in resources]}


def call(*orders: dict[str, Any], prefetch: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    context = {"userId": "Practitioner/77", "patientId": ID, "draftOrders": bundle(*(orders or (draft(),)))}
    whole = {"hook": "order-sign", "hookInstance": str(uuid.uuid4()), "context": context}
    whole["prefetch"] = NOTHING | {"patient": PATIENT} | (prefetch or {})
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def cards_of(response: HttpResponse) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.content[:2000]
    cards: list[dict[str, Any]] = response.json()["cards"]
    for card in cards:
        assert uuid.UUID(card["uuid"])
        assert len(card["summary"]) < 140
        assert card["indicator"] in {"info", "warning", "critical"}
        assert card["source"]["label"]
        assert no_empty_value(card)
        assert card.keys() <= {"uuid", "summary", "indicator", "source", "detail", "suggestions", "selectionBehavior",
                               "overrideReasons", "links"}  # fmt: skip
        assert ("suggestions" in card) is (card.get("selectionBehavior") == "at-most-one")
        codings = [*card.get("overrideReasons", ()), *([card["source"]["topic"]] if "topic" in card["source"] else [])]
        assert all({"system", "code"} <= coding.keys() for coding in codings)
        assert all(reason["display"] for reason in card.get("overrideReasons", ()))
        assert all(link.keys() == {"label", "url", "type"} for link in card.get("links", ()))
        for suggestion in card.get("suggestions", ()):
            assert suggestion["label"] and uuid.UUID(suggestion["uuid"])
            for action in suggestion["actions"]:
                assert action["description"]
                other = {"create": "resource", "update": "resource", "delete": "resourceId"}[action["type"]]
                assert action.keys() == {"type", "description", other}
    return cards


def no_empty_value(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(map(no_empty_value, value.values()))
    if isinstance(value, list):
        return bool(value) and all(map(no_empty_value, value))
    return value not in (None, "")


def summaries(response: HttpResponse, indicator: str | None = None) -> str:
    return " | ".join(card["summary"] for card in cards_of(response) if indicator in {None, card["indicator"]})


def codes() -> set[str]:
    return set(HookCard.objects.values_list("code", flat=True))


@pytest.fixture
def system(shop: Pharmacy) -> Caller:
    """A hospital's system with a token of the pharmacy."""
    return Caller(make.staff(shop, StaffRole.TECHNICIAN, now=timezone.now()))


@pytest.fixture
def complete_patient(shop: Pharmacy) -> dict[str, Any]:
    """A patient of the pharmacy about whom everything is known, as the hospital sends them."""
    make.patient(shop, now=timezone.now(), identifier="P-9")
    return PATIENT


def test_discovery_lists_a_service_for_each_hook_to_anybody(shop: Pharmacy) -> None:
    services = Caller(None).get("/cds-services").json()["services"]
    assert {service["hook"] for service in services} == {
        "medication-verify", "order-sign", "order-select", "medication-refill",
    }  # fmt: skip
    assert all(set(service["prefetch"]) == set(PREFETCH) and service["description"] for service in services)


def test_a_dose_above_the_maximum_is_a_critical_card_with_its_arithmetic_and_coded_reasons(system: Caller) -> None:
    order = draft(line(mg(35), daily(3, boundsDuration=days(28))), dispenseRequest={"quantity": {"value": 294}})
    cards = cards_of(system.post(SIGN, call(order)))
    [card] = [card for card in cards if "105 mg a day is above the 100 mg daily maximum" in card["summary"]]
    assert card["indicator"] == "critical"
    assert "35 mg x 3 = 105 mg a day" in card["detail"]
    assert card["source"]["topic"]["code"] == "DOSEH"
    assert {"system", "code", "display"} == set(card["overrideReasons"][0])


def test_nothing_of_a_call_is_taken_in_but_the_log_has_it(system: Caller, shop: Pharmacy) -> None:
    instance = str(uuid.uuid4())
    system.post(SIGN, call(hookInstance=instance))
    assert Prescription.objects.count() == 0
    assert AuditEntry.objects.get(action="cards.sent").subject_id == instance
    assert set(HookCard.objects.values_list("hook_instance", flat=True)) == {uuid.UUID(instance)}


def test_a_clean_order_for_a_patient_about_whom_everything_is_known_has_no_card(
    system: Caller, complete_patient: dict[str, Any]
) -> None:
    order = draft(
        line(mg(5), daily(3, boundsDuration=days(28))),
        dispenseRequest={"quantity": {"value": 42, "unit": "tablets"}},
        courseOfTherapyType={"coding": [{"code": "continuous"}]},
    )
    order["dosageInstruction"][0]["route"] = {"text": "oral"}
    response = system.post(SIGN, call(order))
    assert [card["detail"] for card in cards_of(response)] == []
    assert response.json() == {"cards": []}
    assert AuditEntry.objects.filter(action="patient.opened").count() == 1


def test_an_order_for_another_medicine_has_no_card_and_counts_as_a_medicine(system: Caller) -> None:
    other = draft(id="r2", medicationCodeableConcept={"text": "Morphine 10 mg tablets"})
    assert system.post(SIGN, call(other)).json() == {"cards": []}
    assert not HookCard.objects.exists()
    system.post(SIGN, call(draft(), other))
    assert "interaction-opioid" in codes()


def test_a_medicine_is_named_by_a_resource_that_came_along(system: Caller) -> None:
    morphine = {"resourceType": "Medication", "id": "m1", "code": {"text": "Morphine 10 mg tablets"}}
    by_reference = {"medicationCodeableConcept": None, "medicationReference": {"reference": "Medication/m1"}}
    assert system.post(SIGN, call(draft(**by_reference), morphine)).json() == {"cards": []}
    statement = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "medicationReference": {"reference": "Medication/m1"},
    }
    cards = cards_of(system.post(SIGN, call(prefetch={"medications": bundle(statement, morphine)})))
    assert "interaction-opioid" in codes()
    assert not any("names no medicine" in card["detail"] for card in cards)
    baclofen = morphine | {"code": {"text": "Baclofen 10 mg tablets"}}
    high = draft(line(mg(35), daily(3, boundsDuration=days(28))), **by_reference)
    assert "105 mg a day" in summaries(system.post(SIGN, call(high, baclofen)))


@pytest.mark.parametrize(
    "place",
    [
        lambda order: {"medication": order},
        lambda order: {"medication": {"resource": order}},
        lambda order: {"order": order},
        lambda order: {"order": {"resource": order}},
    ],
    ids=["medication", "medication.resource", "order", "order.resource"],
)
def test_the_pharmacists_hook_has_its_order_at_one_of_four_places(system: Caller, place: Callable[..., Any]) -> None:
    order = draft(line(mg(35), daily(3, boundsDuration=days(28))), status="active")
    body = call(hook="medication-verify", context={"patientId": ID} | place(order))
    assert "105 mg a day" in summaries(system.post("/cds-services/baclofen-verify", body))


def test_only_selected_orders_are_reviewed_while_orders_are_chosen(system: Caller) -> None:
    high = draft(line(mg(35), daily(3, boundsDuration=days(28))), id="r2")
    body = call(draft(), high, hook="order-select")
    for selected, expected in (("r1", False), ("r2", True)):
        body["context"]["selections"] = [f"MedicationRequest/{selected}"]
        assert ("105 mg a day" in summaries(system.post("/cds-services/baclofen-select", body))) is expected


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dosageInstruction": [{"text": "as per clinic letter"}]}, "directions"),
        ({"dosageInstruction": None}, "nothing"),
        ({"medicationCodeableConcept": {"text": "Baclofen 10 mg and 25 mg tablets"}}, "strengths that differ"),
        ({"subject": {"reference": "Patient/another"}}, "another patient"),
    ],
)
def test_doubt_about_an_order_is_a_card_and_never_an_error(system: Caller, changes: dict[str, Any], words: str) -> None:
    order = {name: value for name, value in (draft() | changes).items() if value is not None}
    assert words in summaries(system.post(SIGN, call(order))).lower()


def test_a_dose_directly_under_an_instruction_is_read_and_noted(system: Caller) -> None:
    order = draft({"timing": daily(3, boundsDuration=days(28)), "doseQuantity": mg(35)})
    response = system.post(SIGN, call(order))
    assert "105 mg a day" in summaries(response)
    assert "read as doseAndRate.doseQuantity" in cards_of(response)[-1]["detail"]


def test_what_was_looked_for_and_not_found_is_known_and_what_was_not_supplied_is_not(system: Caller) -> None:
    for missing in ("medications", "allergies", "conditions"):
        prefetch = {name: value for name, value in call()["prefetch"].items() if name != missing}
        [card] = [card for card in cards_of(system.post(SIGN, call(prefetch=None) | {"prefetch": prefetch}))
                  if "not assessed" in card["summary"]]  # fmt: skip
        name = {"medications": "medicines"}.get(missing, missing)
        assert f"patient.{name} not known" in card["detail"].replace(",", " not known,")
    [card] = [card for card in cards_of(system.post(SIGN, call())) if "not assessed" in card["summary"]]
    assert "patient.medicines" not in card["detail"]
    assert "patient.dialysis" in card["detail"]


def observation(code: str, value: dict[str, Any], on: str = "2026-01-05") -> dict[str, Any]:
    coding = {"coding": [{"system": "http://loinc.org", "code": code}]}
    return {"resourceType": "Observation", "status": "final", "code": coding, "effectiveDateTime": on} | value


@pytest.mark.parametrize(
    ("prefetch", "code"),
    [
        ({"egfr": observation("98979-8", {"valueQuantity": {"value": 22, "unit": "mL/min/{1.73_m2}"}})}, "renal"),
        (
            {
                "pregnancy": observation(
                    "82810-3",
                    {"valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "77386006"}]}},
                )
            },
            "pregnancy",
        ),
        (
            {
                "conditions": bundle(
                    {
                        "resourceType": "Condition",
                        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "G40.9"}]},
                    }
                )
            },
            "condition",
        ),
        ({"allergies": bundle({"resourceType": "AllergyIntolerance", "code": {"text": "baclofen"}})}, "allergy"),
        (
            {
                "medications": bundle(
                    {
                        "resourceType": "MedicationRequest",
                        "status": "active",
                        "medicationCodeableConcept": {"text": "Morphine"},
                    }
                )
            },
            "interaction-opioid",
        ),
    ],
)
def test_a_fact_that_came_along_is_read(system: Caller, prefetch: dict[str, Any], code: str) -> None:
    system.post(SIGN, call())
    assert code not in codes()
    system.post(SIGN, call(prefetch=prefetch))
    assert code in codes()


def test_supplies_that_came_along_are_what_the_patient_takes(system: Caller) -> None:
    supply = {
        "resourceType": "MedicationDispense",
        "status": "completed",
        "medicationCodeableConcept": {"text": "Baclofen 10 mg tablets"},
        "whenHandedOver": (today() - timedelta(days=27)).isoformat(),
        "daysSupply": {"value": 28, "unit": "days"},
        "dosageInstruction": [line(mg(10), daily(3))],
    }
    order = draft(line(mg(30), daily(3, boundsDuration=days(28))), dispenseRequest={"quantity": {"value": 252}})
    system.post(SIGN, call(order))
    assert "starting-dose" in codes()
    HookCard.objects.all().delete()
    system.post(SIGN, call(order, prefetch={"dispenses": bundle(supply)}))
    assert "starting-dose" not in codes()
    assert codes() & {"dose-change", "titration-step"}


_FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
_WARNED = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "incomplete"}]}


@pytest.mark.parametrize(
    ("value", "is_answer"),
    [
        (bundle(), True),
        (bundle(_WARNED), True),
        (bundle(_FAILED), False),
        (_FAILED, False),
        (_WARNED, False),
        ({}, False),
        ([], False),
        ("nothing", False),
        ({"resourceType": "Patient", "id": ID}, False),
        (bundle({"resourceType": "Observation"}), False),
    ],
)
def test_a_prefetch_that_is_no_answer_to_its_query_is_not_taken_for_nothing(
    system: Caller, value: Any, is_answer: bool
) -> None:
    cards = cards_of(system.post(SIGN, call(prefetch={"conditions": value})))
    [card] = [card for card in cards if "not assessed" in card["summary"]]
    assert ("patient.conditions" not in card["detail"]) is is_answer
    assert ("what it would say is not known" in cards[-1]["detail"]) is not is_answer


def test_the_first_page_of_a_longer_list_is_asked_about(system: Caller) -> None:
    page = bundle() | {"link": [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]}
    assert "part of a longer list" in summaries(system.post(SIGN, call(prefetch={"conditions": page})))
    assert "part of a longer list" not in summaries(system.post(SIGN, call(prefetch={"egfr": page})))


def test_a_supply_that_cannot_be_counted_is_noted(system: Caller) -> None:
    supply = {
        "resourceType": "MedicationDispense", "status": "completed",
        "medicationCodeableConcept": {"text": "Baclofen 10 mg tablets"}, "whenHandedOver": today().isoformat(),
    }  # fmt: skip
    cards = cards_of(system.post(SIGN, call(prefetch={"dispenses": bundle(supply)})))
    assert "the supply was not counted" in cards[-1]["detail"]


@pytest.mark.parametrize("contained", [5, [5], [{}]], ids=str)
def test_a_supply_that_holds_what_is_no_resource_is_read_by_its_own_words(system: Caller, contained: Any) -> None:
    supply = {
        "resourceType": "MedicationDispense", "status": "completed", "contained": contained,
        "medicationCodeableConcept": {"text": "Baclofen 10 mg tablets"},
        "whenHandedOver": (today() - timedelta(days=27)).isoformat(), "daysSupply": {"value": 28, "unit": "days"},
        "dosageInstruction": [line(mg(10), daily(3))],
    }  # fmt: skip
    system.post(SIGN, call(draft(line(mg(30), daily(3))), prefetch={"dispenses": bundle(supply)}))
    assert codes() & {"dose-change", "titration-step"}


def test_a_wrong_quantity_comes_with_the_right_one_as_a_suggestion(system: Caller) -> None:
    order = draft(line(mg(10), daily(3, boundsDuration=days(28))), dispenseRequest={"quantity": {"value": 60}})
    [card] = [card for card in cards_of(system.post(SIGN, call(order))) if "60 tablets are fewer" in card["summary"]]
    action = card["suggestions"][0]["actions"][0]
    assert (action["type"], card["selectionBehavior"]) == ("update", "at-most-one")
    assert action["resource"]["dispenseRequest"]["quantity"]["value"] == 84
    changed = draft(**{"dispenseRequest": action["resource"]["dispenseRequest"]})
    assert "tablets are fewer" not in summaries(system.post(SIGN, call(changed)))


def links_of(response: HttpResponse) -> set[str]:
    return {link["url"] for card in cards_of(response) for link in card.get("links", ()) if link["type"] == "absolute"}


def test_a_card_links_to_the_check_of_an_order_that_is_here_and_else_to_a_patient_who_is(
    system: Caller, shop: Pharmacy, complete_patient: dict[str, Any], settings: Any
) -> None:
    patient = shop.patients.get(identifier="P-9")
    numbered = draft(identifier=[{"system": "urn:rx", "value": "7"}])
    assert links_of(system.post(SIGN, call(numbered))) == {f"http://testserver/patients/{patient.pk}/"}
    order = make.prescription(patient, now=timezone.now())
    order.identifiers.create(pharmacy=shop, system="urn:rx", value="7")
    settings.DISPENSARY = settings.DISPENSARY | {"public_url": "https://rx.example"}
    assert links_of(system.post(SIGN, call(numbered))) == {f"https://rx.example/prescriptions/{order.pk}/"}
    stranger = PATIENT | {"identifier": [{"value": "P-10"}]}
    assert links_of(system.post(SIGN, call(draft(), prefetch={"patient": stranger}))) == set()


def test_markup_in_the_words_of_an_order_is_shown_as_words(system: Caller) -> None:
    words = "<img src=x onerror=alert(1)> [click](https://evil.example)"
    cards = cards_of(system.post(SIGN, call(draft(note=[{"text": words}]))))
    text = " ".join(card["detail"] for card in cards)
    assert "onerror" in text
    assert "<img" not in text and "](" not in text


def test_a_taper_that_is_too_fast_comes_with_one_that_passes_in_its_place(system: Caller) -> None:
    taken = {
        "resourceType": "MedicationDispense", "status": "completed",
        "medicationCodeableConcept": {"text": "Baclofen 10 mg tablets"},
        "whenHandedOver": (today() - timedelta(days=88)).isoformat(), "daysSupply": {"value": 90, "unit": "days"},
        "dosageInstruction": [line(mg(20), daily(3))],
    }  # fmt: skip
    fast = draft(
        line(mg(10), daily(3, boundsDuration=days(2)), sequence=1),
        line(mg(5), daily(3, boundsDuration=days(2)), sequence=2),
        courseOfTherapyType={"coding": [{"code": "acute"}]},
        dispenseRequest=None,
    )
    prefetch = {"dispenses": bundle(taken)}
    cards = cards_of(system.post(SIGN, call(fast, prefetch=prefetch)))
    suggestions = [suggestion for card in cards for suggestion in card.get("suggestions", ())]
    delete, create = suggestions[0]["actions"]
    assert delete["resourceId"] == "MedicationRequest/r1"
    assert "id" not in create["resource"]
    HookCard.objects.all().delete()
    cards_of(system.post(SIGN, call(create["resource"], prefetch=prefetch)))
    assert codes().isdisjoint({"taper-step", "taper-interval", "taper-duration", "abrupt-stop"})


@pytest.mark.parametrize(
    ("now_mg", "first_days", "findings"),
    [(None, None, 1), (5, None, 1), (5, 1, 2)],
    ids=["nothing before", "5 mg three times a day", "after a day of 10 mg three times a day"],
)
def test_a_rise_that_is_too_fast_comes_with_a_titration_that_passes_in_its_place(
    system: Caller, now_mg: int | None, first_days: int | None, findings: int
) -> None:
    taken = {
        "resourceType": "MedicationDispense", "status": "completed",
        "medicationCodeableConcept": {"text": "Baclofen 10 mg tablets"},
        "whenHandedOver": (today() - timedelta(days=26)).isoformat(), "daysSupply": {"value": 28, "unit": "days"},
        "dosageInstruction": [line(mg(now_mg or 0), daily(3))],
    }  # fmt: skip
    prefetch = {"dispenses": bundle(*([taken] if now_mg else []))}
    too_fast = {"starting-dose", "titration-step", "titration-interval"}
    first = [line(mg(10), daily(3, boundsDuration=days(first_days)), sequence=1)] if first_days else []
    fast = draft(*first, line(mg(20), daily(3), sequence=2), dispenseRequest=None)
    cards = cards_of(system.post(SIGN, call(fast, prefetch=prefetch)))
    assert len(codes() & too_fast) >= findings
    (suggestion,) = [
        proposed
        for card in cards
        for proposed in card.get("suggestions", ())
        if proposed["label"].startswith("Titration over ")
    ]
    delete, create = suggestion["actions"]
    assert delete["resourceId"] == "MedicationRequest/r1"
    last = create["resource"]["dosageInstruction"][-1]["doseAndRate"][0]["doseQuantity"]
    assert last["value"] == 20
    HookCard.objects.all().delete()
    cards_of(system.post(SIGN, call(create["resource"], prefetch=prefetch)))
    assert codes().isdisjoint({*too_fast, "dose-change", "question"})


def test_a_rise_that_no_steps_of_the_tablets_lead_to_comes_without_a_titration(system: Caller) -> None:
    order = draft(
        line(mg(50), daily(3)), dispenseRequest=None, medicationCodeableConcept={"text": "Baclofen 25 mg tablets"}
    )
    cards = cards_of(system.post(SIGN, call(order, prefetch={"dispenses": bundle()})))
    assert codes() & {"starting-dose", "titration-step", "titration-interval"}
    labels = [suggestion["label"] for card in cards for suggestion in card.get("suggestions", ())]
    assert not [label for label in labels if label.startswith("Titration")]


def observed(code: str, on: date, value: Any, unit: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{ID}"}, "effectiveDateTime": on.isoformat(),
        "valueQuantity": {"value": value, "unit": unit}, **more,
    }  # fmt: skip


def test_a_fact_that_cannot_be_read_is_asked_about_and_hides_no_finding(system: Caller) -> None:
    tomorrow = observed("98979-8", today() + timedelta(days=400), 90, "mL/min/1.73m2")
    words = summaries(system.post(SIGN, call(prefetch={"egfr": bundle(tomorrow)})))
    assert {"question", "starting-dose", "renal-unknown"} <= codes()
    assert f'"{today() + timedelta(days=400)}"' in words


def test_a_medicine_that_has_a_code_alone_was_not_classified(system: Caller) -> None:
    coded = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "999"}]}
    taken = {
        "resourceType": "MedicationStatement", "status": "active", "subject": {"reference": f"Patient/{ID}"},
        "medicationCodeableConcept": coded,
    }  # fmt: skip
    words = summaries(system.post(SIGN, call(prefetch={"medications": bundle(taken)})))
    assert "999 of http://www.nlm" in words
    assert {"starting-dose", "interaction-unclassified"} <= codes()


@pytest.mark.parametrize(
    "sent", [PATIENT | {"id": "pat-18"}, bundle(PATIENT | {"id": "pat-18"})], ids=["alone", "Bundle"]
)
def test_a_prefetch_of_another_patient_is_refused(system: Caller, sent: dict[str, Any]) -> None:
    response = system.post(SIGN, call(prefetch={"patient": sent}))
    assert response.status_code == 412
    assert "another patient given" in response.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize(("total", "is_whole"), [(1, False), (0, True)])
def test_a_list_that_counts_more_than_it_holds_is_no_whole_list(system: Caller, total: int, is_whole: bool) -> None:
    words = summaries(system.post(SIGN, call(prefetch={"dispenses": bundle() | {"total": total}})))
    assert ("a part of a longer list" not in words) is is_whole


def test_a_selection_that_names_no_draft_is_asked_about_and_every_draft_reviewed(system: Caller) -> None:
    body = call(hook="order-select")
    body["context"] |= {"selections": ["MedicationRequest/zzz"]}
    system.post("/cds-services/baclofen-select", body)
    assert {"question", "starting-dose"} <= codes()


@pytest.mark.parametrize("entry", [None, {}, {"resource": 5}, {"resource": {"resourceType": 5}}], ids=str)
def test_a_draft_that_is_no_resource_is_asked_about_where_no_other_is_ours(system: Caller, entry: Any) -> None:
    body = call()
    body["context"]["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": [entry]}
    assert "Cannot be read without doubt" in summaries(system.post(SIGN, body))


def test_a_draft_whose_validity_has_passed_is_asked_about(system: Caller) -> None:
    passed = {"quantity": {"value": 84, "unit": "tablets"}, "validityPeriod": {"end": str(today() - timedelta(days=1))}}
    assert str(today() - timedelta(days=1)) in summaries(system.post(SIGN, call(draft(dispenseRequest=passed))))
    assert "question" in codes()


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (lambda: call(hook="patient-view"), 400, "hook"),
        (lambda: call(hookInstance="no"), 400, "hookInstance"),
        (lambda: call(context={"draftOrders": bundle(draft())}), 400, "context.patientId"),
        (lambda: call(context=...), 400, "context"),
        (lambda: ["not", "a", "call"], 400, ""),
        (lambda: call(*[draft()] * (MOST_ORDERS + 1)), 400, "context"),
        (lambda: call(prefetch=None) | {"prefetch": {}}, 412, "prefetch.patient"),
        (lambda: call(prefetch={"patient": None}), 412, "prefetch.patient"),
    ],
)
def test_what_is_no_call_is_refused_by_its_place(system: Caller, body: Any, status: int, field: str) -> None:
    response = system.post(SIGN, body())
    assert response.status_code == status, response.content
    outcome = response.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert outcome["issue"][0].get("expression", [""]) == [field]


def test_strangers_are_refused(shop: Pharmacy, elsewhere: Pharmacy) -> None:
    assert Caller(None).post(SIGN, call()).status_code == 401
    assert Caller(make.staff(shop, StaffRole.AUDITOR, now=timezone.now())).post(SIGN, call()).status_code == 403
    there = Caller(make.staff(elsewhere, StaffRole.TECHNICIAN, now=timezone.now()))
    make.patient(shop, now=timezone.now(), identifier="P-9")
    assert there.post("/cds-services/nothing", call()).status_code == 404
    assert "not assessed" in summaries(there.post(SIGN, call()))
    assert set(HookCard.objects.values_list("pharmacy", "patient")) == {(elsewhere.pk, None)}


def test_a_record_of_another_name_is_not_the_patients(system: Caller, complete_patient: dict[str, Any]) -> None:
    other = copy.deepcopy(complete_patient) | {"name": [{"family": "Okafor", "given": ["Eve"]}]}
    assert "not assessed" in summaries(system.post(SIGN, call(prefetch={"patient": other})))
    assert set(HookCard.objects.values_list("patient", flat=True)) == {None}


# --- feedback ---------------------------------------------------------------------------------------------------------


def feedback(card: str, **changes: Any) -> dict[str, Any]:
    item = {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-11-29T10:00:00Z"}
    item["overrideReason"] = {
        "reason": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "5"},
        "userComment": "The patient has taken this for a year.",
    }
    return {"feedback": [{name: value for name, value in (item | changes).items() if value is not ...}]}


def test_feedback_is_kept_once_with_its_card_and_its_sender(system: Caller) -> None:
    card = cards_of(system.post(SIGN, call(draft(line(mg(35), daily(3, boundsDuration=days(28)))))))[0]["uuid"]
    for _ in range(2):
        assert system.post(f"{SIGN}/feedback", feedback(card)).status_code == 200
    row = CardFeedback.objects.get()
    assert (str(row.card_id), row.reason_code, row.comment[:11]) == (card, "5", "The patient")
    assert system.member is not None
    assert row.client == f"user:{system.member.user_id}"
    entry = AuditEntry.objects.get(action="card.answered")
    assert (entry.rule_codes, entry.reason_code) == ([HookCard.objects.get(pk=card).code], "5")


def test_a_reason_of_another_system_is_kept_as_it_came_and_is_none_of_ours(system: Caller) -> None:
    reason = {"reason": {"system": "https://ehr.example/reasons", "code": "5", "display": "Known to the ward"}}
    system.post(f"{SIGN}/feedback", feedback(str(uuid.uuid4()), overrideReason=reason))
    assert (CardFeedback.objects.get().reason_words, AuditEntry.objects.get(action="card.answered").reason_code) == (
        "Known to the ward",
        None,
    )


def test_older_clients_send_a_flat_reason_or_none_and_an_accepted_suggestion_is_kept(system: Caller) -> None:
    flat = feedback(str(uuid.uuid4()), overrideReason={"code": "8", "userComment": "no"})
    none = feedback(str(uuid.uuid4()), overrideReason=...)
    accepted = feedback(str(uuid.uuid4()), outcome="accepted", overrideReason=..., acceptedSuggestions=[{"id": "s-1"}])
    for body in (flat, none, accepted):
        assert system.post(f"{SIGN}/feedback", body).status_code == 200
    rows = CardFeedback.objects.order_by("received_at")
    assert [(row.outcome, row.reason_code, row.accepted_suggestions) for row in rows] == [
        ("overridden", "8", []), ("overridden", "", []), ("accepted", "", ["s-1"]),
    ]  # fmt: skip


def test_feedback_on_a_card_that_is_not_known_here_is_kept_without_one(system: Caller) -> None:
    assert system.post(f"{SIGN}/feedback", feedback(str(uuid.uuid4()))).status_code == 200
    assert CardFeedback.objects.get().card is None


def test_feedback_that_cannot_be_read_is_refused_whole(system: Caller) -> None:
    body = feedback(str(uuid.uuid4()))
    body["feedback"].append({"card": "no", "outcome": "maybe"})
    assert system.post(f"{SIGN}/feedback", body).status_code == 400
    assert not CardFeedback.objects.exists()


def test_feedback_releases_nothing_here(system: Caller, shop: Pharmacy, complete_patient: dict[str, Any]) -> None:
    body = call(draft(line(mg(35), daily(3, boundsDuration=days(28)))))
    card = next(card for card in cards_of(system.post(SIGN, body)) if "daily maximum" in card["summary"])
    system.post(f"{SIGN}/feedback", feedback(card["uuid"]))
    received = prescriptions.receive(
        pharmacy=shop, patient=shop.patients.get(identifier="P-9"), prescriber=make.prescriber(shop, now=timezone.now()),
        order=make.CLEAN_ORDER | {"phases": [{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}], "quantity": 294,
                                  "directions": "35 mg three times a day for 28 days",
                                  "written_on": shop.local_day(timezone.now()).isoformat()},
        source=Source.CASE, document={}, by=Actor.system("setup", shop.pk), now=timezone.now(),
    )  # fmt: skip
    assert received.review.outcome == "override"
    assert not Override.objects.exists()


# --- the client's own token -------------------------------------------------------------------------------------------

AUDIENCE = f"http://testserver{SIGN}"


def bearer(key: Any, algorithm: str = "ES384", **changes: Any) -> dict[str, str]:
    now = int(timezone.now().timestamp())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 300, "jti": str(uuid.uuid4())} | changes
    token = jwt.encode({n: v for n, v in claims.items() if v is not ...}, key, algorithm, headers={"kid": "k1"})
    return {"Authorization": f"Bearer {token}"}


def hmac_bearer(secret: bytes) -> dict[str, str]:
    """A token signed with HMAC under what everybody may know, put together by hand: the library refuses to make one."""
    header, claims, _ = bearer(ec.generate_private_key(ec.SECP384R1()))["Authorization"].split()[1].split(".")
    header = base64.urlsafe_b64encode(b'{"alg":"HS384","kid":"k1","typ":"JWT"}').decode().rstrip("=")
    digest = hmac.digest(secret, f"{header}.{claims}".encode(), "sha384")
    return {"Authorization": f"Bearer {header}.{claims}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"}


def test_a_listed_client_signs_in_with_its_own_key_once(
    listed: None, key: ec.EllipticCurvePrivateKey, program: StaffMember
) -> None:
    header = bearer(key)
    assert Caller(None).post(SIGN, call(), **header).status_code == 200
    assert set(HookCard.objects.values_list("client", flat=True)) == {f"user:{program.user_id}"}
    replay = Caller(None).post(SIGN, call(), **header)
    assert (replay.status_code, replay.json()["resourceType"]) == (401, "OperationOutcome")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "http://testserver/cds-services/baclofen-verify"},
        {"iss": "https://another.example"},
        {"exp": 1},
        {"exp": ...},
        {"jti": ...},
        {"exp": int(timezone.now().timestamp()) + 90_000_000},
    ],
    ids=["another address", "not listed", "expired", "without an end", "without an id", "too long a life"],
)
def test_a_token_that_is_not_for_this_call_is_refused(
    listed: None, key: ec.EllipticCurvePrivateKey, changes: dict[str, Any]
) -> None:
    assert Caller(None).post(SIGN, call(), **bearer(key, **changes)).status_code == 401


def test_a_token_of_another_key_or_none_is_refused(
    listed: None, key: ec.EllipticCurvePrivateKey, program: StaffMember
) -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for header in (bearer(other), bearer(None, "none"), hmac_bearer(public), {"Authorization": "Bearer no"}):
        assert Caller(None).post(SIGN, call(), **header).status_code == 401
    pharmacies.end_access(member=program, by=Actor.system("setup", program.pharmacy_id), now=timezone.now())
    assert Caller(None).post(SIGN, call(), **bearer(key)).status_code == 401


def test_pages_of_listed_origins_may_call(system: Caller, settings: Any) -> None:
    settings.DISPENSARY = settings.DISPENSARY | {"cds_origins": ("https://sandbox.example",)}
    preflight = system.call("OPTIONS", SIGN, Origin="https://sandbox.example")
    assert (preflight.status_code, preflight["Access-Control-Allow-Origin"]) == (204, "https://sandbox.example")
    assert system.get("/cds-services", Origin="https://sandbox.example").has_header("Access-Control-Allow-Origin")
    assert not system.call("OPTIONS", SIGN, Origin="https://evil.example").has_header("Access-Control-Allow-Origin")


def test_every_service_answers_its_own_hook(system: Caller) -> None:
    for service in SERVICES.values():
        body = call(hook=service.hook)
        body["context"]["selections"] = ["MedicationRequest/r1"]
        cards_of(system.post(f"/cds-services/{service.id}", body))
        assert HookCard.objects.filter(service=service.id).exists()
