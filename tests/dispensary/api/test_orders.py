"""Prescriptions in, their reviews, the answers to findings, and their end."""

from copy import copy
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from dispensary.models import OrderClaim, Patient, Pharmacy, Prescription, Review
from tests.dispensary import make
from tests.dispensary.api.conftest import ANSWER, Caller, case, fields, hand_over, order, problem, today


def test_an_order_for_a_new_patient_is_taken_in_and_reviewed_at_once(shop: Pharmacy, technician: Caller) -> None:
    made = technician.post("prescriptions/", order())
    assert made.status_code == 201, made.content
    answer = made.json()
    prescription, review = answer["prescription"], answer["review"]
    assert prescription["patient"]["identifier"] == "P-77"
    assert prescription["prescriber"]["name"] == "Dr Ada Grey"
    assert prescription["phases"] == [{"number": 1, "doses": ["5", "5", "5"], "times": None, "unit": "mg", "days": 28}]
    assert (prescription["quantity"], prescription["remaining"], prescription["status"]) == ("42", "42", "active")
    assert (review["outcome"], review["reason"]) == ("pass", "received")
    assert prescription["assessment"]["course"]["days_supply"] == 28
    patient = Patient.objects.get()
    assert (patient.weight_kg, patient.egfr, patient.dialysis) == (70, 95, False)
    stored = Prescription.objects.get().document
    assert stored["prescription"]["directions"] == "5 mg three times a day for 28 days"


def test_a_known_patient_is_found_by_number_and_the_history_is_kept(technician: Caller, patient: Patient) -> None:
    earlier = {
        "dispensed_on": str(today() - timedelta(days=30)),
        "doses": [5, 5, 5],
        "days_supply": 28,
        "relation": "same-course",
    }
    body = order(
        patient={"identifier": patient.identifier, "family_name": "okafor"}, case=case() | {"history": [earlier]}
    )
    assert technician.post("prescriptions/", body).status_code == 201
    assert technician.post("prescriptions/", order(patient={"id": str(patient.pk)})).status_code == 201
    assert technician.post("prescriptions/", order(patient={"identifier": patient.identifier})).status_code == 201
    assert Patient.objects.count() == 1
    assert patient.prior_supplies.count() == 1


def test_a_number_with_another_name_or_birth_date_never_leads_to_a_record(technician: Caller, patient: Patient) -> None:
    for identity in (
        {"identifier": patient.identifier, "family_name": "Somebody Else"},
        {"identifier": patient.identifier, "family_name": "Okafor", "birth_date": "1999-09-09"},
    ):
        body = order(patient=identity)
        body["case"]["patient"].pop("birth_date")
        assert problem(technician.post("prescriptions/", body), 409)["problems"]
    assert not Prescription.objects.exists()


@pytest.mark.parametrize(
    "identity",
    [{}, {"family_name": "X"}, {"id": "7"}, {"identifier": "P-1", "id": "0b7e1cf0-6b0e-4f0e-9d5b-0d6f6f0d7f11"}, "P-1", None, []],
)  # fmt: skip
def test_an_order_says_whom_it_is_for(technician: Caller, identity: Any) -> None:
    wrong_fields = fields(technician.post("prescriptions/", order(patient=identity)))
    assert wrong_fields
    assert all(field.startswith("patient") for field in wrong_fields)


def test_an_unknown_number_without_a_name_is_nobody(technician: Caller) -> None:
    assert fields(technician.post("prescriptions/", order(patient={"identifier": "none"}))) == {"patient.identifier"}
    assert fields(technician.post("prescriptions/", order(prescriber={"identifier": "none"}))) == {
        "prescriber.identifier"
    }
    assert not Patient.objects.exists()


def test_nothing_is_half_written_when_the_order_cannot_be_read(technician: Caller) -> None:
    body = order(case=case(phases=[{"dose": -5, "unit": "mg", "times_per_day": 3, "days": 28}]))
    assert any("phases[0]" in field for field in fields(technician.post("prescriptions/", body)))
    assert not Patient.objects.exists()


def test_an_order_that_the_rules_stop_is_taken_in_and_shown_all_the_same(technician: Caller) -> None:
    tenfold = case(
        phases=[{"dose": 50, "unit": "mg", "times_per_day": 3, "days": 28}], directions="50 mg three times a day for 28 days",
        quantity=420,
    )  # fmt: skip
    made = technician.post("prescriptions/", order(case=tenfold)).json()
    assert made["review"]["outcome"] == "stop"
    assert "tenfold" in {finding["code"] for finding in made["prescription"]["assessment"]["findings"]}


def test_a_replaced_order_ends(technician: Caller, prescription: Prescription) -> None:
    body = order(patient={"id": str(prescription.patient_id)}, replaces=str(prescription.pk))
    made = technician.post("prescriptions/", body)
    assert made.status_code == 201, made.content
    assert made.json()["prescription"]["replaces"] == str(prescription.pk)
    prescription.refresh_from_db()
    assert prescription.status == "replaced"


def test_the_page_of_a_prescription_shows_course_findings_and_who_answered(
    pharmacist: Caller, too_high: Prescription
) -> None:
    signed = pharmacist.sign(f"prescriptions/{too_high.pk}/overrides/", ANSWER | {"finding": "daily-maximum"})
    assert signed.status_code == 201, signed.content
    read = pharmacist.get(f"prescriptions/{too_high.pk}/")
    assert read["ETag"] == '"1"'
    page = read.json()
    (finding,) = [f for f in page["assessment"]["findings"] if f["code"] == "daily-maximum"]
    assert finding["severity"] == "override"
    assert "105" in finding["summary"]
    assert finding["answered_by"] == signed.json()["id"]
    assert page["overrides"][0]["signature"] == "password"
    assert page["overrides"][0]["state"] == "open"


def test_the_queue_is_newest_first_and_filtered(
    shop: Pharmacy, pharmacist: Caller, too_high: Prescription, prescription: Prescription
) -> None:
    rows = pharmacist.get("prescriptions/").json()["results"]
    assert [row["id"] for row in rows] == [str(prescription.pk), str(too_high.pk)] or len(rows) == 2
    assert {row["outcome"] for row in rows} == {"override", "pass"}
    (only,) = pharmacist.get("prescriptions/?outcome=override&status=active").json()["results"]
    assert (only["id"], only["remaining"]) == (str(too_high.pk), "294")
    assert len(pharmacist.get(f"prescriptions/?patient={prescription.patient_id}").json()["results"]) == 1
    assert fields(pharmacist.get("prescriptions/?status=lost")) == {"status"}
    assert fields(pharmacist.get("prescriptions/?patient=7")) == {"patient"}


def test_every_order_that_came_in_at_the_same_moment_is_on_one_page(
    technician: Caller, prescription: Prescription
) -> None:
    copies = [copy(prescription) for _ in range(59)]
    for row in copies:
        row.pk = uuid4()
    Prescription.objects.bulk_create(copies)
    page = technician.get("prescriptions/?limit=25").json()
    listed = [row["id"] for row in page["results"]]
    while page["next"]:
        page = technician.get(page["next"].removeprefix("http://testserver")).json()
        listed += [row["id"] for row in page["results"]]
    assert listed == sorted((str(row.pk) for row in [prescription, *copies]), reverse=True)


def test_a_review_is_frozen_and_read_back_byte_for_byte(technician: Caller, prescription: Prescription) -> None:
    made = technician.post(f"prescriptions/{prescription.pk}/reviews/", {"picked_mg": "25", "quantity": "42"})
    assert made.status_code == 201, made.content
    assert made.json()["outcome"] == "stop"
    assert "pick" in {finding["code"] for finding in made.json()["findings"]}
    read = technician.get(f"reviews/{made.json()['id']}/").json()
    assert read == made.json()
    assert read["case"]["ask"]["picked"] == [{"strength_mg": "25"}]
    assert Review.objects.filter(prescription=prescription).count() == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [({"picked_mg": 0}, "picked_mg"), ({"picked_mg": "NaN"}, "picked_mg"), ({"quantity": -1}, "quantity"), ({"quantity": True}, "quantity"),
     ({"quantity": 10**9}, "quantity"), ({"quantity": [1]}, "quantity"), ({"tablets": 1}, "tablets")],
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_not_asked(
    technician: Caller, prescription: Prescription, body: Any, field: str
) -> None:
    assert field in str(fields(technician.post(f"prescriptions/{prescription.pk}/reviews/", body)))
    assert Review.objects.filter(prescription=prescription).count() == 1


def test_an_override_is_a_pharmacists_with_reason_words_and_whom_they_asked(
    pharmacist: Caller, technician: Caller, too_high: Prescription
) -> None:
    address = f"prescriptions/{too_high.pk}/overrides/"
    assert technician.sign(address, ANSWER | {"finding": "daily-maximum"}).status_code == 403
    assert fields(pharmacist.post(address, {"finding": "daily-maximum"})) == {"mitigation", "words", "asked", "proof"}
    assert fields(pharmacist.sign(address, ANSWER | {"finding": "daily-maximum", "mitigation": "99"})) == {
        "overrides[0].mitigation"
    }
    assert fields(
        pharmacist.sign(address, ANSWER | {"finding": "daily-maximum", "asked_at": "2199-01-01T00:00:00Z"})
    ) == {"asked_at"}
    assert fields(pharmacist.sign(address, ANSWER | {"finding": "no-such-finding"})) == {"finding"}
    assert fields(pharmacist.sign(address, ANSWER | {"finding": "x" * 65})) == {"overrides[0].finding"}
    assert not too_high.overrides.exists()


def test_a_finding_has_one_open_answer_until_it_is_withdrawn(pharmacist: Caller, too_high: Prescription) -> None:
    address = f"prescriptions/{too_high.pk}/overrides/"
    first = pharmacist.sign(address, ANSWER | {"finding": "daily-maximum"}).json()
    assert "finding" in fields(pharmacist.sign(address, ANSWER | {"finding": "daily-maximum"}), 409)
    assert fields(pharmacist.post(f"overrides/{first['id']}/withdraw/", {})) == {"reason"}
    withdrawn = pharmacist.post(f"overrides/{first['id']}/withdraw/", {"reason": "wrong patient in mind"})
    assert withdrawn.json()["state"] == "withdrawn"
    assert pharmacist.post(f"overrides/{first['id']}/withdraw/", {"reason": "again"}).status_code == 409
    assert pharmacist.sign(address, ANSWER | {"finding": "daily-maximum"}).status_code == 201


def test_an_open_session_is_no_signature(pharmacist: Caller, too_high: Prescription) -> None:
    assert pharmacist.member is not None
    browser = Caller(None)
    browser.client.force_login(pharmacist.member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    address = f"prescriptions/{too_high.pk}/overrides/"
    assert fields(browser.post(address, ANSWER | {"finding": "daily-maximum"})) == {"proof"}
    assert browser.sign(address, ANSWER | {"finding": "daily-maximum"}).status_code == 201


def test_a_stop_cannot_be_overridden(pharmacist: Caller, patient: Patient) -> None:
    made = pharmacist.post("prescriptions/", order(patient={"id": str(patient.pk)}, case=case(route="intrathecal")))
    assert made.json()["review"]["outcome"] == "stop"
    address = f"prescriptions/{made.json()['prescription']['id']}/overrides/"
    assert "finding" in fields(pharmacist.sign(address, ANSWER | {"finding": "route"}), 409)


def test_who_works_on_an_order_is_told_and_may_be_followed(
    technician: Caller, pharmacist: Caller, prescription: Prescription
) -> None:
    where = f"prescriptions/{prescription.pk}/claim/"
    first = technician.post(where, {}).json()
    assert (first["is_yours"], first["prescription"]) == (True, str(prescription.pk))
    assert first["until"] > first["claimed_at"]
    other = pharmacist.post(where, {}).json()
    assert (other["is_yours"], other["by"], other["claimed_at"]) == (False, first["by"], first["claimed_at"])
    assert pharmacist.post(where, {"take_over": True}).json()["is_yours"] is True
    assert technician.post(where, {}).json()["is_yours"] is False
    assert fields(technician.post(where, {"take_over": "perhaps"})) == {"take_over"}


@pytest.mark.parametrize("is_own", [True, False])
def test_a_claim_ends_with_the_hand_over_of_who_has_it(
    technician: Caller, pharmacist: Caller, prescription: Prescription, is_own: bool
) -> None:
    (technician if is_own else pharmacist).post(f"prescriptions/{prescription.pk}/claim/", {})
    handed = technician.post(f"prescriptions/{prescription.pk}/dispenses/", hand_over(), Idempotency_Key="k")
    assert handed.status_code == 201, handed.content
    assert OrderClaim.objects.filter(prescription=prescription).exists() is not is_own


def test_a_cancelled_order_is_over(pharmacist: Caller, prescription: Prescription) -> None:
    address = f"prescriptions/{prescription.pk}/"
    assert pharmacist.post(f"{address}cancel/", {"reason": "written in error"}).status_code == 428
    assert pharmacist.post(f"{address}cancel/", {"reason": "written in error"}, If_Match='"7"').status_code == 412
    assert fields(pharmacist.post(f"{address}cancel/", {"reason": " "}, If_Match='"1"')) == {"reason"}
    ended = pharmacist.post(f"{address}cancel/", {"reason": "written in error"}, If_Match='"1"')
    assert (ended.json()["status"], ended.json()["ended_reason"], ended["ETag"]) == (
        "cancelled",
        "written in error",
        '"2"',
    )
    assert ended.json()["assessment"] is None
    assert problem(pharmacist.post(f"{address}cancel/", {"reason": "again"}, If_Match="*"), 409)["code"] == "conflict"
    refused = pharmacist.post(f"{address}dispenses/", hand_over(), Idempotency_Key="k")
    assert "cancelled" in problem(refused, 409)["problems"][0]["given"]


def test_stopping_a_patient_who_takes_the_medicine_needs_an_answer(pharmacist: Caller, too_high: Prescription) -> None:
    address = f"prescriptions/{too_high.pk}/stop/"
    refused = problem(pharmacist.post(address, {"words": "no longer needed"}), 409)
    assert [finding["code"] for finding in refused["findings"]] == ["abrupt-stop"]
    answer = ANSWER | {"finding": "abrupt-stop"}
    done = pharmacist.sign(address, {"words": "no longer needed", "overrides": [answer]})
    assert done.status_code == 200, done.content
    assert done.json()["status"] == "stopped"


def test_the_day_of_a_case_is_today(technician: Caller) -> None:
    assert technician.post("prescriptions/", order(case=case() | {"on": str(today())})).status_code == 201
    assert fields(technician.post("prescriptions/", order(case=case() | {"on": "2020-01-01"}))) == {"case.on"}


def test_a_product_picked_by_hand_is_not_a_part_of_an_order(technician: Caller) -> None:
    assert fields(technician.post("prescriptions/", order(case=case() | {"picked": {"strength_mg": 10}}))) == {"case"}
    assert fields(technician.post("prescriptions/", order(case=case() | {"action": "discontinue"}))) == {"case"}
    assert make.TEN_MG
