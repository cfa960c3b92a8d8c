"""`$review`: an order reviewed through FHIR without being taken in; and facts that come along with an order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from dispensary.models import AuditEntry, Patient, Pharmacy, Prescription, StaffRole
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller, today
from tests.dispensary.api.test_fhir import ADDRESS, FHIR, diagnostics, outcome
from tests.dispensary.fhir.orders import PATIENT, PRACTITIONER, daily, days, line, mg, request

REVIEW = "fhir/MedicationRequest/$review"
HIGH = line(mg(35), daily(3, boundsDuration=days(28)))
EGFR = {
    "resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/p"}, "effectiveDateTime": "2026-10-01",
    "code": {"coding": [{"system": "http://loinc.org", "code": "98979-8"}]},
    "valueQuantity": {"value": 22, "system": "http://unitsofmeasure.org", "code": "mL/min/{1.73_m2}"},
}  # fmt: skip
WEIGHT = {
    "resourceType": "Observation", "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
    "valueQuantity": {"value": 154, "unit": "lb", "system": "http://unitsofmeasure.org", "code": "[lb_av]"},
}  # fmt: skip
EPILEPSY = {
    "resourceType": "Condition", "subject": {"reference": "Patient/p"},
    "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "G40.9"}]},
}  # fmt: skip


def order(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return request(*lines, **({"authoredOn": str(today())} | changes))


def with_facts(*facts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A Bundle with an order, its patient and facts about them."""
    own = order(
        subject={"reference": "Patient/p"}, requester={"reference": "Practitioner/d"}, contained=None, **changes
    )
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": thing} for thing in (own, PATIENT, PRACTITIONER, *facts)],
    }


def rules(answer: dict[str, Any]) -> set[str]:
    return {
        coding["code"]
        for issue in answer["issue"]
        if issue["code"] == "business-rule"
        for coding in issue["details"]["coding"]
    }


def test_an_order_is_reviewed_and_nothing_is_stored(technician: Caller) -> None:
    answer = outcome(technician.post(REVIEW, order(HIGH), content_type=FHIR), 200)
    assert "daily-maximum" in rules(answer)
    assert "renal: not assessed without patient.egfr" in diagnostics(answer)
    assert (Prescription.objects.count(), Patient.objects.count()) == (0, 0)


def test_questions_and_findings_stand_beside_each_other(technician: Caller) -> None:
    answer = outcome(technician.post(REVIEW, order(HIGH, status="draft"), content_type=FHIR), 200)
    assert "MedicationRequest.status" in str(answer)
    assert "daily-maximum" in rules(answer)


@pytest.mark.parametrize(("days_ago", "has_passed"), [(1, True), (0, False)])
def test_an_order_whose_validity_has_passed_is_no_order_to_take_in(
    technician: Caller, days_ago: int, has_passed: bool
) -> None:
    until = str(today() - timedelta(days=days_ago))
    valid = {"quantity": {"value": 84, "unit": "tablets"}, "validityPeriod": {"end": until}}
    answer = outcome(technician.post(REVIEW, order(dispenseRequest=valid), content_type=FHIR), 200)
    assert ("a day that has not passed expected" in diagnostics(answer)) is has_passed


def test_what_is_no_order_is_refused_with_questions_alone(technician: Caller) -> None:
    answer = outcome(technician.post(REVIEW, {"resourceType": "Patient"}, content_type=FHIR), 400)
    assert {issue["severity"] for issue in answer["issue"]} == {"error"}


def test_the_record_of_a_patient_of_ours_counts_and_the_look_is_in_the_log(technician: Caller, shop: Pharmacy) -> None:
    patient = make.patient(
        shop, now=timezone.now(), identifier="P-1", family_name="O'Hara", given_name="Jo Ann", birth_date="1980-02-29"
    )
    for subject in ({"reference": "#p"}, {"reference": f"Patient/{patient.pk}"}):
        answer = outcome(technician.post(REVIEW, order(subject=subject), content_type=FHIR), 200)
        assert "not assessed without patient" not in diagnostics(answer)
    assert AuditEntry.objects.filter(action="patient.opened", subject_id=str(patient.pk)).count() == 2


def test_the_record_of_another_pharmacys_patient_says_nothing(elsewhere: Pharmacy, technician: Caller) -> None:
    patient = make.patient(elsewhere, now=timezone.now(), identifier="P-1", birth_date="1980-02-29")
    for subject in ({"reference": "#p"}, {"reference": f"Patient/{patient.pk}"}):
        answer = outcome(technician.post(REVIEW, order(subject=subject), content_type=FHIR), 200)
        assert "renal: not assessed" in diagnostics(answer)
    assert not AuditEntry.objects.filter(action="patient.opened", subject_id=str(patient.pk)).exists()


@pytest.mark.parametrize("role", [None, StaffRole.AUDITOR])
def test_strangers_and_auditors_have_nothing_reviewed(shop: Pharmacy, role: StaffRole | None) -> None:
    member = None if role is None else make.staff(shop, role, now=timezone.now())
    assert Caller(member).post(REVIEW, order(), content_type=FHIR).status_code == (403 if member else 401)


def test_facts_that_came_along_are_read_by_the_review_and_recorded_for_a_new_patient(technician: Caller) -> None:
    bundle = with_facts(EGFR, WEIGHT, EPILEPSY)
    assert {"renal", "condition"} <= rules(outcome(technician.post(REVIEW, bundle, content_type=FHIR), 200))
    outcome(technician.post(ADDRESS, bundle, content_type=FHIR), 201)
    patient = Patient.objects.get()
    assert (patient.egfr, str(patient.egfr_on), round(patient.weight_kg or 0)) == (22, "2026-10-01", 70)
    assert patient.conditions == [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "G40.9"}]
    assert patient.allergies is None


def test_facts_of_a_known_patient_fill_the_record_and_never_overwrite_it(technician: Caller) -> None:
    outcome(technician.post(ADDRESS, with_facts(EPILEPSY), content_type=FHIR), 201)
    stroke = EPILEPSY | {"code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I63.9"}]}}
    outcome(technician.post(ADDRESS, with_facts(EGFR, stroke, dosageInstruction=[HIGH]), content_type=FHIR), 201)
    patient = Patient.objects.get()
    assert patient.egfr == 22
    assert [condition["code"] for condition in patient.conditions] == ["G40.9"]
    notes = " ".join(Prescription.objects.latest("received_at").notes)
    assert "patient.conditions: the order says something else than the record, which was kept" in notes
    later = EGFR | {"valueQuantity": EGFR["valueQuantity"] | {"value": 60}, "effectiveDateTime": "2026-11-01"}
    changed = line(mg(30), daily(3, boundsDuration=days(28)))
    outcome(technician.post(ADDRESS, with_facts(later, EPILEPSY, dosageInstruction=[changed]), content_type=FHIR), 201)
    patient.refresh_from_db()
    assert (patient.egfr, str(patient.egfr_on)) == (22, "2026-10-01")
    notes = " ".join(Prescription.objects.latest("received_at").notes)
    assert "patient.egfr: the order says something else" in notes
    assert "patient.conditions" not in notes


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (EGFR | {"subject": {"reference": "Patient/other"}}, "the patient of the order expected"),
        (EGFR | {"status": "preliminary"}, "is not final"),
        (EGFR | {"valueQuantity": {"value": 22, "unit": "mL/min"}}, "no eGFR in mL/min/1.73"),
        (EGFR | {"valueQuantity": EGFR["valueQuantity"] | {"comparator": "<"}}, "no eGFR in mL/min/1.73"),
        (WEIGHT | {"valueQuantity": {"value": 3000, "unit": "kg"}}, "not a weight in kg from 0.3 to 650"),
        (EPILEPSY | {"code": {"text": "fits"}}, "has no code, so no rule reads it: fits"),
    ],
)  # fmt: skip
def test_a_fact_that_cannot_be_used_is_asked_or_noted(technician: Caller, fact: dict[str, Any], words: str) -> None:
    answer = outcome(technician.post(REVIEW, with_facts(fact), content_type=FHIR), 200)
    assert words in diagnostics(answer)
    assert not rules(answer) & {"renal", "condition"}


def test_a_condition_that_has_ended_and_an_allergy_that_was_refuted_say_nothing(technician: Caller) -> None:
    ended = EPILEPSY | {"clinicalStatus": {"coding": [{"code": "resolved"}]}}
    refuted = {
        "resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/p"}, "code": {"text": "baclofen"},
        "verificationStatus": {"coding": [{"code": "refuted"}]},
    }  # fmt: skip
    answer = outcome(technician.post(REVIEW, with_facts(ended, refuted), content_type=FHIR), 200)
    assert not rules(answer) & {"allergy", "condition"}
