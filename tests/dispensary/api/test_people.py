"""The caller, patients and prescribers."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from dispensary import audit
from dispensary.models import Patient, Pharmacy, Prescription, Review
from dispensary.models.audit import AuditEntry
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller, fields, order, problem, today

WHO = {"family_name": "Doubled", "given_name": "Ann"}


def test_the_caller_learns_where_they_work_and_as_what(shop: Pharmacy, technician: Caller) -> None:
    me = technician.get("me/").json()
    assert me["current"] == str(shop.pk)
    assert [(place["name"], place["role"], place["profile"]) for place in me["pharmacies"]] == [
        ("Harbour Pharmacy", "technician", "lioresal")
    ]


def test_a_patient_is_registered_read_changed_and_found(shop: Pharmacy, technician: Caller) -> None:
    body = {
        "identifier": "P-9",
        "family_name": "Nuñez",
        "given_name": "Ana",
        "facts": {"birth_date": "1990-01-31", "weight_kg": "61.50"},
    }
    made = technician.post("patients/", body)
    assert made.status_code == 201, made.content
    address = f"patients/{made.json()['id']}/"
    read = technician.get(address)
    assert read["ETag"] == '"1"'
    assert read.json()["facts"]["weight_kg"] == "61.5"
    assert read.json()["facts"]["egfr"] is None
    changed = technician.patch(
        address, {"facts": {"egfr": "44.5", "weight_kg": None, "allergies": ["penicillin"]}}, If_Match='"1"'
    )
    assert changed.status_code == 200, changed.content
    assert changed["ETag"] == '"2"'
    facts = changed.json()["facts"]
    assert (facts["egfr"], facts["weight_kg"], facts["allergies"], facts["birth_date"]) == (
        "44.5",
        None,
        ["penicillin"],
        "1990-01-31",
    )
    for words in ("P-9", "nuñ", "ana nu", "Nuñez, Ana"):
        assert [row["id"] for row in technician.post("patients/search/", {"words": words}).json()["results"]] == [
            made.json()["id"]
        ]
    assert len(technician.get("patients/?identifier=P-9").json()["results"]) == 1
    assert technician.get("patients/?identifier=Nu").json()["results"] == []
    assert technician.post("patients/search/", {"words": "nobody"}).json()["results"] == []


def test_a_change_names_the_version_that_was_seen(technician: Caller, patient: Patient) -> None:
    address = f"patients/{patient.pk}/"
    assert problem(technician.patch(address, {"facts": {"egfr": 50}}), 428)["code"] == "precondition-required"
    assert technician.patch(address, {"facts": {"egfr": 50}}, If_Match="soon").status_code == 428
    assert technician.patch(address, {"facts": {"egfr": 50}}, If_Match='W/"1"').status_code == 200
    assert problem(technician.patch(address, {"facts": {"egfr": 51}}, If_Match='"1"'), 412)["code"] == "stale"
    assert technician.patch(address, {"facts": {"egfr": 52}}, If_Match="*").status_code == 200
    patient.refresh_from_db()
    assert (patient.egfr, patient.version) == (52, 3)


def test_language_and_time_zone_are_changed_beside_the_facts_or_alone(technician: Caller, patient: Patient) -> None:
    address = f"patients/{patient.pk}/"
    changed = technician.patch(address, {"language": "ar", "time_zone": "Asia/Amman"}, If_Match='"1"')
    assert changed.status_code == 200, changed.content
    assert (changed.json()["language"], changed.json()["time_zone"], changed["ETag"]) == ("ar", "Asia/Amman", '"2"')
    assert technician.patch(address, {"time_zone": "", "facts": {"egfr": 50}}, If_Match='"2"').json()["time_zone"] == ""
    for wrong in ({"language": "tlh"}, {"time_zone": "Mars/Olympus"}, {"time_zone": None}):
        assert fields(technician.patch(address, wrong, If_Match="*")) == set(wrong)
    problem(technician.patch(address, {}, If_Match="*"), 400)
    patient.refresh_from_db()
    assert (patient.language, patient.time_zone, patient.egfr, patient.version) == ("ar", "", 50, 3)


def test_a_number_belongs_to_one_patient_of_a_pharmacy(
    technician: Caller, elsewhere: Pharmacy, caller: Callable[..., Caller]
) -> None:
    body = {"identifier": "P-1", "family_name": "One"}
    assert technician.post("patients/", body).status_code == 201
    assert fields(technician.post("patients/", body), 409) == {"patient.identifier"}
    assert caller(elsewhere).post("patients/", body).status_code == 201


@pytest.mark.parametrize(
    "name", ["O'Hara", 'Robert"); DROP TABLE dispensary_patient;--', "<script>alert(1)</script>", "\u05d3\u05d5\u05d3\u200f", "Zoë 李 🐈", "a" * 120]
)  # fmt: skip
def test_any_name_a_person_has_is_kept_as_it_is(technician: Caller, name: str) -> None:
    made = technician.post("patients/", {"identifier": "P-1", "family_name": name})
    assert made.json()["family_name"] == name
    assert Patient.objects.get().family_name == name


@pytest.mark.parametrize("name", ["", "   ", "a" * 121, "a\u202eb", "a\u0000b", "a\nb", 7, None, True, ["a"], {"a": 1}])
def test_what_cannot_be_a_name_is_refused_and_nothing_is_written(technician: Caller, name: object) -> None:
    assert any(
        "family_name" in field
        for field in fields(technician.post("patients/", {"identifier": "P-1", "family_name": name}))
    )
    assert not Patient.objects.exists()


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("birth_date", "1800-01-01"), ("birth_date", "2999-01-01"), ("birth_date", "1981-13-01"), ("birth_date", 19810101),
        ("weight_kg", -1), ("weight_kg", 0), ("weight_kg", 10**9), ("weight_kg", "heavy"), ("egfr", -1), ("egfr", 10**6),
        ("sex", "none"), ("dialysis", "yes"), ("dialysis", 1), ("pregnant", "true"), ("allergies", "penicillin"),
        ("allergies", [1]), ("conditions", ["plague"]), ("medicines", ["tizanidine"]), ("medicines", [{}]), ("shoe_size", 42),
        ("age_years", 40),
    ],
)  # fmt: skip
def test_a_fact_that_cannot_be_is_refused_by_its_name(
    technician: Caller, patient: Patient, fact: str, value: object
) -> None:
    response = technician.patch(f"patients/{patient.pk}/", {"facts": {fact: value}}, If_Match="*")
    assert any(fact in field for field in fields(response)), response.content
    patient.refresh_from_db()
    assert patient.version == 1


def test_earlier_supplies_are_told_once(technician: Caller, patient: Patient) -> None:
    supply = {
        "dispensed_on": "2026-01-05",
        "dose": "7.5",
        "times_per_day": 2,
        "days_supply": 28,
        "relation": "same-course",
    }
    for _ in range(2):
        made = technician.post(f"patients/{patient.pk}/supplies/", {"supplies": [supply]})
        assert made.status_code == 201, made.content
    (recorded,) = made.json()["prior_supplies"]
    assert (recorded["doses"], recorded["days_supply"]) == (["7.5", "7.5"], 28)
    assert fields(technician.post(f"patients/{patient.pk}/supplies/", {"supplies": []})) == {"supplies"}
    assert "history[0].days_supply" in str(
        fields(technician.post(f"patients/{patient.pk}/supplies/", {"supplies": [supply | {"days_supply": 0}]}))
    )


def test_after_a_death_nothing_is_taken_in(pharmacist: Caller, patient: Patient) -> None:
    from tests.dispensary.api.conftest import order

    assert pharmacist.post(f"patients/{patient.pk}/death/", {"died_on": "2999-01-01"}).status_code == 400
    assert pharmacist.post(f"patients/{patient.pk}/death/", {"died_on": "2026-02-30"}).status_code == 400
    assert pharmacist.post(f"patients/{patient.pk}/death/", {"died_on": "2026-01-30"}).json()["died_on"] == "2026-01-30"
    refused = pharmacist.post("prescriptions/", order(patient={"id": str(patient.pk)}))
    assert problem(refused, 409)["code"] == "conflict"


def test_looking_and_searching_stand_in_the_log(
    shop: Pharmacy, technician: Caller, patient: Patient, prescription: Prescription
) -> None:
    technician.get(f"patients/{patient.pk}/")
    technician.get(f"prescriptions/{prescription.pk}/")
    technician.get(f"reviews/{Review.objects.get().pk}/")
    technician.post("patients/search/", {"words": "Okafor"})
    lines = audit.history(patient, pharmacy=shop)
    looks = [line.body for line in lines if line.entry.action == audit.Event.PATIENT_OPENED]
    assert len(looks) == 3
    assert any(body and body.get("part") == "review" for body in looks)
    assert AuditEntry.objects.filter(pharmacy=shop.pk, action=audit.Event.PATIENT_SEARCHED).count() == 1


def test_a_prescriber_is_found_again_by_number(technician: Caller) -> None:
    body = {"identifier": "C1", "name": "Dr Grey", "phone": "0123"}
    first, again = technician.post("prescribers/", body), technician.post("prescribers/", body | {"name": "Another"})
    assert first.json() == again.json()
    assert technician.get("prescribers/?q=grey").json()["results"][0]["id"] == first.json()["id"]


def test_products_are_found_by_number_and_by_scan(technician: Caller) -> None:
    assert technician.get(f"products/{make.TEN_MG[1:]}/").json()["strength_mg"] == "10"
    assert problem(technician.get("products/05012345678924/"), 404)
    for separator in ("\u001d", "\u241d"):
        scan = f"]d201{make.TEN_MG}1728033110A1B2{separator}21S9"
        scan_fields = technician.post("products/scan/", {"scan": scan}).json()
        assert (scan_fields["lot"], scan_fields["expiry"], scan_fields["serial"]) == ("A1B2", "2028-03-31", "S9")
        assert scan_fields["product"]["strength_mg"] == "10"
    unknown = technician.post("products/scan/", {"scan": "0105012345678924"})
    assert unknown.json()["product"] is None
    assert fields(technician.post("products/scan/", {"scan": "hello"})) == {"scan"}
    assert len(technician.get("products/").json()["results"]) == 2


def test_pages_follow_each_other_without_losing_or_repeating_a_row(shop: Pharmacy, technician: Caller) -> None:
    everybody = {str(make.patient(shop).pk) for _ in range(7)}
    ids: list[str] = []
    address = "patients/?limit=3"
    while address:
        page = technician.get(address).json()
        ids += [row["id"] for row in page["results"]]
        address = page["next"] and page["next"].removeprefix("http://testserver")
    assert len(ids) == 7
    assert set(ids) == everybody
    assert fields(technician.get("patients/?cursor=nonsense")) == {"cursor"}


def test_a_misspelt_name_is_corrected_and_both_names_find_the_patient(shop: Pharmacy, technician: Caller) -> None:
    made = technician.post("patients/", {"identifier": "P-9", "family_name": "Misspelt", "given_name": "Jhon"}).json()
    address = f"patients/{made['id']}/"
    changed = technician.patch(address, {"given_name": "John"}, If_Match="*")
    assert changed.status_code == 200, changed.content
    assert (changed.json()["given_name"], changed["ETag"]) == ("John", '"2"')
    body = {"family_name": "Married", "identifier": "P-10", "reason": "changed", "words": "on 1 May", "language": "fr"}
    changed = technician.patch(address, body, If_Match='"2"')
    assert [changed.json()[name] for name in ("family_name", "identifier", "language", "version")] == [
        "Married", "P-10", "fr", 4,
    ]  # fmt: skip
    former = changed.json()["former_identities"]
    assert [(f["family_name"], f["given_name"], f["identifier"], f["reason"]) for f in former] == [
        ("Misspelt", "John", "P-9", "changed"),
        ("Misspelt", "Jhon", "P-9", "recorded-wrongly"),
    ]
    for words in ("jhon", "misspelt john", "married", "P-9", "p10"):
        results = technician.post("patients/search/", {"words": words}).json()["results"]
        assert [row["id"] for row in results] == [made["id"]], words
    for number in ("P-9", "P-10"):
        assert len(technician.get(f"patients/?identifier={number}").json()["results"]) == 1
    entry = audit.history(Patient.objects.get(), pharmacy=shop)[1]
    assert (entry.entry.action, entry.entry.reason_code, entry.body["words"]) == (
        "patient.corrected",
        "changed",
        "on 1 May",
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"family_name": ""}, "family_name"),
        ({"identifier": None}, "identifier"),
        ({"birth_date": "2999-01-01"}, "birth_date"),
        ({"given_name": "John", "reason": "joined"}, "reason"),
        ({"given_name": "Jo\u202ehn"}, "given_name"),
        ({"reason": "changed"}, ""),
        ({"given_name": "John", "facts": {"weight_kg": -1}}, "weight_kg"),
    ],
)
def test_a_correction_that_cannot_be_changes_nothing(
    technician: Caller, patient: Patient, body: dict[str, object], field: str
) -> None:
    assert any(field in named for named in fields(technician.patch(f"patients/{patient.pk}/", body, If_Match="*")))
    assert Patient.objects.values().get() == Patient.objects.filter(version=1).values().get()


def test_a_correction_names_the_version_that_was_seen(technician: Caller, patient: Patient) -> None:
    address = f"patients/{patient.pk}/"
    assert technician.patch(address, {"given_name": "John"}).status_code == 428
    assert technician.patch(address, {"given_name": "John"}, If_Match='"1"').status_code == 200
    assert technician.patch(address, {"given_name": "Jon"}, If_Match='"1"').status_code == 412


def test_a_number_is_its_system_and_its_value(technician: Caller) -> None:
    body = {"identifier": "P-1", "identifier_system": "urn:a", "family_name": "One", "given_name": "Ann"}
    assert technician.post("patients/", body).json()["identifier_system"] == "urn:a"
    other = body | {"identifier_system": "urn:b", "given_name": "Mary"}
    assert technician.post("patients/", other).status_code == 201
    assert technician.post("patients/", other | {"given_name": "Ann"}).status_code == 409


def test_a_second_number_of_one_person_is_asked_about_until_it_is_answered(technician: Caller) -> None:
    first = technician.post("prescriptions/", order(patient={**WHO, "identifier": "A-1"})).json()["prescription"]
    assert first["patient"]["namesakes"] == []
    second = technician.post("prescriptions/", order(patient={**WHO, "identifier": "Z-1"})).json()["prescription"]
    (namesake,) = technician.get(f"prescriptions/{second['id']}/").json()["patient"]["namesakes"]
    assert (namesake["patient"]["identifier"], namesake["answer"]) == ("A-1", "")
    third = technician.post(
        "prescriptions/",
        order(patient={**WHO, "identifier": "B-1", "other_than": [first["patient"]["id"], second["patient"]["id"]]}),
    ).json()["prescription"]
    assert [row["answer"] for row in third["patient"]["namesakes"]] == ["other", "other"]

    address = f"patients/{second['patient']['id']}/namesakes/"
    reply = {"other": first["patient"]["id"], "answer": "same"}
    assert fields(technician.post(address, reply | {"answer": ""})) == {"answer"}
    kept_record = technician.post(address, reply)
    assert (kept_record.status_code, kept_record.json()["id"]) == (200, first["patient"]["id"])
    assert [row["identifier"] for row in kept_record.json()["former_identities"]] == ["Z-1"]
    moved = technician.get(f"prescriptions/{second['id']}/").json()
    assert moved["patient"]["id"] == first["patient"]["id"]
    assert technician.get(f"patients/{second['patient']['id']}/").json()["joined_to"] == first["patient"]["id"]
    assert {row["identifier"] for row in technician.get("patients/").json()["results"]} == {"A-1", "B-1"}
    assert kept_record.json()["joined_records"] == [second["patient"]["id"]]
    problem(technician.post(address, reply), 409)
    apart = reply | {"answer": "other"}
    assert fields(technician.post(address, apart)) == {"words"}
    parted = technician.post(address, apart | {"words": "two passports"})
    assert (parted.status_code, parted.json()["id"], parted.json()["joined_to"]) == (200, second["patient"]["id"], None)
    assert technician.get(f"prescriptions/{second['id']}/").json()["patient"]["id"] == second["patient"]["id"]


def test_in_an_emergency_a_pharmacist_reads_what_another_pharmacy_knows(
    pharmacist: Caller, shop: Pharmacy, elsewhere: Pharmacy
) -> None:
    theirs = make.patient(elsewhere, family_name="Elsewhere", now=timezone.now())
    order = make.prescription(theirs, now=timezone.now(), written_on=str(today() - timedelta(days=2)))
    make.hand_over(order, make.staff(elsewhere, now=timezone.now()).actor(), now=timezone.now())
    asked: dict[str, Any] = {
        "family_name": "elsewhere",
        "birth_date": str(theirs.birth_date),
        "reason": "unconscious in the shop",
    }
    assert fields(pharmacist.post("break-glass/", asked)) == {"proof"}
    asked["proof"] = {"password": make.PASSWORD}
    answer = pharmacist.post("break-glass/", asked)
    assert answer.status_code == 200, answer.content
    (record,) = answer.json()["records"]
    assert (record["pharmacy"], record["patient"]["id"]) == ("Hill Pharmacy", str(theirs.pk))
    assert record["mg"] == "15" and record["dispenses"][0]["quantity"] == "42"
    opened = AuditEntry.objects.filter(action=audit.Event.RECORD_BROKEN_INTO)
    assert set(opened.values_list("pharmacy", flat=True)) == {elsewhere.pk, shop.pk}
    assert pharmacist.post("break-glass/", asked | {"family_name": "Elsew"}).json() == {"records": []}
    assert fields(pharmacist.post("break-glass/", asked | {"reason": "urgent"})) == {"reason"}
