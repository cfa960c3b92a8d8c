"""A whole MedicationRequest: who, what, how much, and what standing it has."""

from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.errors import InvalidInput
from dispensary.fhir import Order, read_order
from dispensary.fhir.medicine import ATC
from tests.dispensary.fhir.orders import PATIENT, PRACTITIONER, asked, daily, days, line, mg, request

OURS = "0b7e1cf0-6b0e-4f0e-9d5b-0d6f6f0d7f11"


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    entries = [{"fullUrl": f"urn:uuid:{n}", "resource": resource} for n, resource in enumerate(resources)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def test_an_ordinary_order_becomes_the_prescription_of_the_case_format() -> None:
    order = read_order(
        request(line(mg(Decimal("10")), daily(3, boundsDuration=days(28)), text="10 mg tid for 28 days"))
    )
    assert order.prescription == {
        "written_on": "2026-11-20",
        "route": "oral",
        "form": "tablet",
        "strength_mg": Decimal(10),
        "medicine": {"name": "Baclofen 10 mg tablets"},
        "directions": "10 mg tid for 28 days",
        "phases": [{"doses": [Decimal(10)] * 3, "unit": "mg", "days": 28}],
        "quantity": Decimal(84),
    }
    assert order.patient.details == {
        "identifier": "P-1", "family_name": "O'Hara", "given_name": "Jo Ann", "birth_date": "1980-02-29", "sex": "female",
    }  # fmt: skip
    assert order.prescriber.details == {"identifier": "D-1", "name": "Ada Grey", "phone": "0123"}


def course(*codes: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy"
    return {"coding": [{"system": system, "code": code} for code in codes]}


MONTH = line(mg(Decimal("10")), daily(3, boundsDuration=days(28)))
OPEN = line(mg(Decimal("10")), daily(3))


@pytest.mark.parametrize(
    ("lines", "codes", "then_stop"),
    [
        ([MONTH], ["continuous"], False),
        ([MONTH], ["acute"], True),
        ([MONTH], ["seasonal"], None),
        ([MONTH], ["something of a site's own"], None),
        ([OPEN], ["continuous"], False),
    ],
)
def test_the_kind_of_course_says_whether_the_medicine_ends(lines, codes, then_stop) -> None:
    order = read_order(request(*lines, courseOfTherapyType=course(*codes)))
    assert order.prescription.get("then_stop") is then_stop


@pytest.mark.parametrize(
    ("lines", "codes", "words"),
    [
        ([MONTH], ["continuous", "acute"], "goes on, and one that ends"),
        ([OPEN], ["acute"], "no end"),
    ],
)
def test_a_course_that_goes_on_and_ends_is_asked_back(lines, codes, words) -> None:
    question = asked(request(*lines, courseOfTherapyType=course(*codes)))
    assert question.startswith("MedicationRequest.courseOfTherapyType: ") and words in question


def test_another_systems_code_of_the_same_letters_says_nothing() -> None:
    other = {"coding": [{"system": "https://example.org/kinds", "code": "acute"}]}
    assert "then_stop" not in read_order(request(MONTH, courseOfTherapyType=other)).prescription


def test_the_people_may_come_in_a_bundle_or_be_ours_already() -> None:
    apart = request(contained=None, subject={"reference": "urn:uuid:1"}, requester={"reference": "Practitioner/d"})
    order = read_order(bundle(apart, PATIENT, PRACTITIONER))
    assert (order.patient.details["identifier"], order.prescriber.details["identifier"]) == ("P-1", "D-1")
    by_reference = read_order(
        request(contained=None, subject={"reference": f"Patient/{OURS}"}, requester={"identifier": {"value": "D-1"}})
    )
    assert (by_reference.patient.id, by_reference.prescriber.details) == (UUID(OURS), {"identifier": "D-1"})


def test_a_fact_about_a_patient_in_itself_is_asked_about_though_the_order_has_one_of_that_name() -> None:
    weight = {
        "resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": "#p"}, "contained": [PATIENT | {"identifier": [{"value": "P-2"}]}],
        "effectiveDateTime": "2026-11-19", "valueQuantity": {"value": 61, "unit": "kg"},
    }  # fmt: skip
    assert "another patient" in asked(bundle(request(), weight))


def test_a_practitioner_role_leads_to_its_practitioner() -> None:
    role = {"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "#d"}}
    order = read_order(request(contained=[PATIENT, PRACTITIONER, role], requester={"reference": "#r"}))
    assert order.prescriber.details["name"] == "Ada Grey"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "draft"}, "MedicationRequest.status"),
        ({"status": None}, "MedicationRequest.status"),
        ({"intent": "proposal"}, "MedicationRequest.intent"),
        ({"doNotPerform": True}, "not to give"),
        ({"subject": {"reference": "Patient/nobody"}}, "nobody known here"),
        ({"subject": None}, "subject: nobody"),
        ({"subject": {"reference": "#d"}}, "something else"),
        ({"subject": {"identifier": {"value": "P-1"}}}, "subject: nobody"),
        ({"requester": {"display": "Dr Grey"}}, "requester: nobody"),
        ({"dosageInstruction": None}, "dosageInstruction: nothing"),
        ({"dosageInstruction": {}}, "a dict -> a list"),
        ({"modifierExtension": []}, "may change the meaning"),
        ({"authoredOn": "2026-11"}, "a full date"),
        ({"medicationCodeableConcept": None}, "no name and no known code"),
        ({"medicationReference": {"reference": "#m"}}, "did not come along"),
        ({"dispenseRequest": {"quantity": {"value": 3, "unit": "bottles"}}}, "unit that is not known"),
        ({"dispenseRequest": {"quantity": mg(840)}}, "a quantity in mg"),
        ({"dispenseRequest": {"numberOfRepeatsAllowed": Decimal("1.5")}}, "a whole number"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_order_to_dispense_is_asked_back(changes: dict[str, Any], words: str) -> None:
    assert words in asked(request(**changes))


def test_the_ordered_length_agrees_with_the_phases_or_is_not_compared_with_repeats() -> None:
    assert read_order(request(dispenseRequest={"expectedSupplyDuration": days(28)}))
    assert read_order(request(dispenseRequest={"expectedSupplyDuration": days(30), "numberOfRepeatsAllowed": 1}))


def test_everything_wrong_is_told_at_once_with_its_path() -> None:
    questions = asked(request(status="stopped", subject=None))
    assert "MedicationRequest.status" in questions
    assert "MedicationRequest.subject" in questions


@pytest.mark.parametrize(
    "nothing", [None, [], 3, "text", {}, {"resourceType": "Patient"}, {"resourceType": ["Bundle"]}]
)
def test_what_is_no_resource_is_told_so(nothing: Any) -> None:
    assert "MedicationRequest or Bundle" in asked(nothing)


def test_a_bundle_holds_one_order_and_no_fact_is_lost_in_it() -> None:
    assert "0 MedicationRequests" in asked(bundle(PATIENT))
    assert "2 MedicationRequests" in asked(bundle(request(), request()))
    assert "Immunization" in asked(bundle(request(), {"resourceType": "Immunization"}))
    nameless = read_order(bundle(request(), {"resourceType": "AllergyIntolerance"}))
    assert any("names no substance" in note for note in nameless.notes)
    assert read_order(bundle(request(), {"resourceType": "Coverage"})).notes[0].endswith("Coverage was not read")


@pytest.mark.parametrize("words", ["STOP baclofen", "do not dispense", "Do not give baclofen: now has a pump"])
def test_a_note_that_forbids_the_medicine_is_asked_back(words: str) -> None:
    assert "MedicationRequest.note: words that forbid the medicine" in asked(request(note=[{"text": words}]))


@pytest.mark.parametrize(
    "words", ["Stop tizanidine", "Do not stop suddenly", "Do not take with alcohol", "Collects on Mondays"]
)
def test_a_note_that_forbids_something_else_is_noted(words: str) -> None:
    assert any(words in note for note in read_order(request(note=[{"text": words}])).notes)


def test_a_prior_prescription_of_ours_is_replaced_and_any_other_is_only_noted() -> None:
    assert read_order(request(priorPrescription={"reference": f"MedicationRequest/{OURS}"})).replaces == UUID(OURS)
    foreign = read_order(request(priorPrescription={"reference": "https://elsewhere.example/MedicationRequest/7"}))
    assert foreign.replaces is None
    assert any("not ours" in note for note in foreign.notes)


def test_the_last_day_of_validity_is_told() -> None:
    order = read_order(request(dispenseRequest={"validityPeriod": {"start": "2026-11-20", "end": "2027-05-20"}}))
    assert str(order.valid_until) == "2027-05-20"


@pytest.mark.parametrize(
    ("start", "starts_on"),
    [("2026-12-20", "2026-12-20"), ("2026-11-20", None), ("2026-11-20T20:00:00-06:00", "2026-11-21")],
)
def test_a_validity_that_begins_after_the_day_of_writing_is_the_planned_start(
    start: str, starts_on: str | None
) -> None:
    order = read_order(request(dispenseRequest={"validityPeriod": {"start": start}}))
    assert order.prescription.get("starts_on") == starts_on


def test_an_order_is_written_on_the_day_of_its_moment_at_the_pharmacy() -> None:
    order = request(authoredOn="2026-11-21T01:30:00Z")
    assert read_order(order, zone=ZoneInfo("America/Chicago")).prescription["written_on"] == "2026-11-20"
    assert read_order(order, zone=ZoneInfo("Europe/London")).prescription["written_on"] == "2026-11-21"


def test_interval_group_and_medicine_are_read() -> None:
    order = read_order(
        request(
            dispenseRequest={"dispenseInterval": days(7)},
            groupIdentifier={"system": "urn:g", "value": "G-1"},
            medicationCodeableConcept={
                "coding": [{"system": ATC, "code": "M03BX01"}],
                "text": "Baclofen 10 mg tablets",
            },
        )
    ).prescription
    assert (order["interval_days"], order["group"]) == (7, "urn:g|G-1")
    assert order["medicine"] == {
        "name": "Baclofen 10 mg tablets",
        "atc": "M03BX01",
    }


def test_a_birth_date_that_is_only_a_year_stays_unknown() -> None:
    order = read_order(request(contained=[PATIENT | {"birthDate": "1980"}, PRACTITIONER]))
    assert "birth_date" not in order.patient.details


def test_nobody_dispenses_to_the_dead() -> None:
    assert "has died" in asked(request(contained=[PATIENT | {"deceasedDateTime": "2026-01-01"}, PRACTITIONER]))


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_PLACES = [
    ("status",), ("intent",), ("contained", 0), ("contained", 0, "name", 0, "use"), ("contained", 0, "identifier"),
    ("contained", 1), ("contained", 1, "telecom"), ("medicationCodeableConcept",), ("medicationCodeableConcept", "coding"), ("subject",), ("requester",),
    ("authoredOn",), ("contained",), ("dosageInstruction",), ("dosageInstruction", 0), ("dosageInstruction", 0, "timing"),
    ("dosageInstruction", 0, "sequence"), ("dosageInstruction", 0, "route"), ("dosageInstruction", 0, "doseAndRate"),
    ("dosageInstruction", 0, "doseAndRate", 0, "doseQuantity"), ("dosageInstruction", 0, "timing", "repeat"),
    ("dosageInstruction", 0, "timing", "repeat", "boundsDuration"), ("dosageInstruction", 0, "timing", "repeat", "period"),
    ("dosageInstruction", 0, "timing", "repeat", "when"), ("dosageInstruction", 0, "timing", "repeat", "timeOfDay"),
    ("dosageInstruction", 0, "timing", "repeat", "count"), ("dosageInstruction", 0, "timing", "code"),
    ("dispenseRequest",), ("dispenseRequest", "quantity"), ("dispenseRequest", "validityPeriod"), ("priorPrescription",),
]  # fmt: skip


@given(place=st.sampled_from(_PLACES), value=_JSON)
def test_no_value_anywhere_brings_the_reader_down(place: tuple[str | int, ...], value: Any) -> None:
    resource = request()
    thing: Any = resource
    for step in place[:-1]:
        thing = thing[step]
    thing[place[-1]] = value
    try:
        assert isinstance(read_order(resource), Order)
    except InvalidInput as error:
        assert error.problems


@pytest.mark.parametrize(
    ("substances", "allergies"),
    [
        (["Penicillin"], ["Penicillin"]),
        (["Penicillin", ""], None),
        ([""], None),
        (["Lioresal", ""], ["Lioresal"]),
    ],
)
def test_an_allergy_to_an_unnamed_substance_leaves_the_allergies_unknown(
    substances: list[str], allergies: list[str] | None
) -> None:
    sent = [{"resourceType": "AllergyIntolerance", "code": {"text": words} if words else {}} for words in substances]
    assert read_order(bundle(request(), *sent)).facts.get("allergies") == allergies


def test_a_medicine_that_did_not_come_along_is_among_those_that_are_taken() -> None:
    sent = {"resourceType": "MedicationStatement", "status": "active", "medicationReference": {"reference": "M/1"}}
    assert read_order(bundle(request(), sent)).facts["medicines"] == [{"name": "a medicine that was not sent"}]


def test_a_medicine_that_two_contained_ones_may_be_is_asked_back() -> None:
    medicines = [
        {"resourceType": "Medication", "id": "m", "code": {"text": name}} for name in ("Morphine", "Vitamin D")
    ]
    sent = {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationReference": {"reference": "#m"},
        "contained": medicines,
    }
    assert "the name of another resource" in asked(bundle(request(), sent))
