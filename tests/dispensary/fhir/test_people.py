"""Patient and prescriber of an order: the present name and number are taken, former ones never."""

from copy import deepcopy
from datetime import date
from typing import Any

import pytest

from dispensary.errors import InvalidInput
from dispensary.fhir import Order, read_order
from tests.dispensary.fhir import orders
from tests.dispensary.fhir.orders import PATIENT, PRACTITIONER, request

TODAY = date(2026, 11, 22)
ENDED = {"period": {"end": "2010-01-01"}}


def read(patient: dict[str, Any] | None = None, practitioner: dict[str, Any] | None = None) -> Order:
    contained = [deepcopy(PATIENT) | (patient or {}), deepcopy(PRACTITIONER) | (practitioner or {})]
    return read_order(request(contained=contained), on=TODAY)


def asked(**changes: Any) -> list[str]:
    """The paths that are asked about."""
    with pytest.raises(InvalidInput) as caught:
        read(changes)
    assert all(problem.next for problem in caught.value.problems)
    return [problem.field for problem in caught.value.problems]


def family(**name: Any) -> dict[str, Any]:
    return {"given": ["Jo"], **name}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([family(family="Former", **ENDED), family(family="Present")], "Present"),
        ([family(family="Former", use="official", **ENDED), family(family="Present", use="temp")], "Present"),
        ([family(family="Former", use="old"), family(family="Present")], "Present"),
        ([family(family="Born", use="maiden"), family(family="Present")], "Present"),
        ([family(family="Jojo", use="nickname"), family(family="Present")], "Present"),
        ([family(family="Later", period={"start": "2027-01-01"}), family(family="Present")], "Present"),
        ([family(family="Ends", period={"end": "2026-12"}), family(family="Other", use="old")], "Ends"),
        ([family(family="Last", period={"end": "2026-11-22"})], "Last"),
        ([family(family="Usual", use="usual"), family(family="Present", use="official")], "Present"),
    ],
)
def test_the_present_name_is_taken(names: list[dict[str, Any]], expected: str) -> None:
    assert read({"name": names}).patient.details["family_name"] == expected


@pytest.mark.parametrize(
    "name",
    [
        family(family="Former", **ENDED),
        family(family="Former", period={"end": "2025"}),
        family(family="Former", use="old"),
        family(family="Born", use="maiden"),
        family(family="X", use="anonymous"),
    ],
)
def test_a_patient_without_a_present_name_is_asked_back(name: dict[str, Any]) -> None:
    assert asked(name=[name]) == ["MedicationRequest.contained[0].name"]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([{"value": "1", **ENDED}, {"value": "2"}], "2"),
        ([{"value": "1", "use": "official", **ENDED}, {"value": "2", "use": "secondary"}], "2"),
        ([{"value": "1", "use": "old"}, {"value": "2"}], "2"),
        ([{"value": "1", "use": "temp"}, {"value": "2"}], "2"),
        ([{"value": "1", "period": {"end": "2026-11-22T23:00:00+00:00"}}], "1"),
    ],
)
def test_the_present_number_is_taken(numbers: list[dict[str, Any]], expected: str) -> None:
    assert read({"identifier": numbers}).patient.details["identifier"] == expected


def test_a_patient_with_nothing_but_ended_numbers_is_asked_back() -> None:
    assert asked(identifier=[{"value": "1", **ENDED}]) == ["MedicationRequest.contained[0].identifier"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"active": False}, "active"),
        ({"link": [{"type": "replaced-by", "other": {"reference": "Patient/2"}}]}, "link[0]"),
        ({"link": [{"other": {"reference": "Patient/2"}}]}, "link[0]"),
        ({"deceasedBoolean": True}, "deceased"),
        ({"name": [{"family": "O'Hara", "given": "Jo"}]}, "name[0].given"),
    ],
)
def test_a_record_that_is_no_longer_the_patients_is_asked_back(changes: dict[str, Any], path: str) -> None:
    assert asked(**changes) == [f"MedicationRequest.contained[0].{path}"]


def test_a_record_that_replaced_another_is_taken() -> None:
    links = [{"type": kind, "other": {"reference": "Patient/2"}} for kind in ("replaces", "seealso", "refer")]
    order = read({"link": links, "active": True})
    assert order.patient.details["identifier"] == "P-1"
    assert [note for note in order.notes if "link" in note] == [
        "MedicationRequest.contained[0].link[1]: names another record of the patient (seealso), which was not looked at",
        "MedicationRequest.contained[0].link[2]: names another record of the patient (refer), which was not looked at",
    ]


def test_a_name_in_one_text_is_noted() -> None:
    order = read({"name": [{"text": "Jo Ann O'Hara"}]})
    assert (order.patient.details["family_name"], order.patient.details["given_name"]) == ("Jo Ann O'Hara", "")
    assert any("name[0]" in note for note in order.notes)


def test_former_names_and_numbers_of_a_prescriber_are_not_taken_either() -> None:
    order = read(
        practitioner={
            "identifier": [{"value": "1", **ENDED}, {"value": "2"}],
            "name": [{"family": "Former", **ENDED}, {"family": "Present"}],
            "active": False,
        }
    )
    assert (order.prescriber.details["identifier"], order.prescriber.details["name"]) == ("2", "Present")
    assert any("active" in note for note in order.notes)


OTHER = PATIENT | {"identifier": [{"value": "P-2"}], "name": [{"family": "Able"}]}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"fullUrl": "urn:uuid:1", "resource": PATIENT}, {"fullUrl": "urn:uuid:1", "resource": OTHER | {"id": "q"}}),
        ({"resource": PATIENT}, {"resource": OTHER}),
        ({"resource": OTHER}, {"resource": PATIENT}),
    ],
    ids=["one fullUrl", "one id", "the other way round"],
)
def test_two_resources_of_one_name_are_asked_back(first: dict[str, Any], second: dict[str, Any]) -> None:
    own = request(subject={"reference": first.get("fullUrl", "Patient/p")}, contained=[PRACTITIONER])
    sent = {"resourceType": "Bundle", "type": "collection", "entry": [first, second, {"resource": own}]}
    assert "the name of another resource" in orders.asked(sent)
    sent["entry"][1] = first
    assert read_order(sent).patient.details["identifier"] == first["resource"]["identifier"][0]["value"]


def test_two_contained_resources_of_one_name_are_asked_back() -> None:
    assert "the name of another resource" in orders.asked(request(contained=[PATIENT, OTHER, PRACTITIONER]))


def test_contained_resources_without_an_id_have_no_name_in_common() -> None:
    nameless = [{"resourceType": "Organization", "name": name} for name in ("First", "Second")]
    assert read_order(request(contained=[PATIENT, PRACTITIONER, *nameless])).patient.details["identifier"] == "P-1"
