"""Whatever goes wrong, the answer is a problem document, and no patient stands in the log."""

import gzip
import logging
from typing import Any

import pytest
from django.test import override_settings

from dispensary.actions import patients
from dispensary.models import Patient
from tests.dispensary.api.conftest import Caller, fields, order, problem

ADDRESSES = ["nothing/", "patients/not-a-uuid/", "prescriptions/1/", "products/12/", "prescriptions//"]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_address_that_is_none_is_404_for_anybody(db: None, address: str, method: str) -> None:
    assert problem(Caller(None).call(method, address), 404)["code"] == "not-found"


def test_a_method_that_is_none_is_405_and_says_which_there_are(pharmacist: Caller) -> None:
    response = pharmacist.call("DELETE", "patients/")
    assert problem(response, 405)["code"] == "method-not-allowed"
    assert "POST" in response["Allow"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid-input"),
        (b"\xff", 400, "invalid-input"),
        (b'{"identifier": NaN}', 400, "invalid-input"),
        (b'{"identifier": "1", "identifier": "2"}', 400, "invalid-input"),
        (b"[" * 5000, 400, "invalid-input"),
        (b'"text"', 400, "invalid-input"),
        (b"[]", 400, "invalid-input"),
        (b"null", 400, "invalid-input"),
        (b"", 400, "invalid-input"),
        (b" " * 300_000, 413, "too-large"),
    ],
)
def test_a_body_that_cannot_be_read_is_told_so(pharmacist: Caller, body: bytes, status: int, code: str) -> None:
    assert problem(pharmacist.call("POST", "patients/", body), status)["code"] == code


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded", "application/xml", "x"]
)
def test_a_body_of_another_kind_is_415(pharmacist: Caller, kind: str) -> None:
    assert (
        problem(pharmacist.call("POST", "patients/", b"a=1", content_type=kind), 415)["code"]
        == "unsupported-media-type"
    )


def test_an_answer_of_another_kind_is_406(pharmacist: Caller) -> None:
    assert problem(pharmacist.get("me/", Accept="text/html"), 406)["code"] == "not-acceptable"


def test_every_wrong_field_is_named_at_once(pharmacist: Caller) -> None:
    wrong = order(patient={"identifier": 7, "nickname": "Jo"}, extra=1)
    assert fields(pharmacist.post("prescriptions/", wrong)) == {"extra"}
    wrong.pop("extra")
    wrong["prescriber"] = {"name": ""}
    assert {"patient.nickname", "prescriber.name"} <= fields(pharmacist.post("prescriptions/", wrong))


def test_a_fault_of_ours_tells_nothing_and_logs_no_patient(
    pharmacist: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("row of Ada Okafor, born 1981")

    monkeypatch.setattr(patients, "register", broken)
    with caplog.at_level(logging.DEBUG):
        response = pharmacist.post("patients/", {"identifier": "P1", "family_name": "Okafor"})
    document = problem(response, 500)
    assert "Okafor" not in str(document)
    assert "RuntimeError" in caplog.text
    assert "Okafor" not in caplog.text


def test_a_refused_body_leaves_no_patient_in_the_log(pharmacist: Caller, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        pharmacist.post("patients/", {"identifier": "P1", "family_name": "Okafor\u202e"})
        pharmacist.post("patients/", {"identifier": "Okafor" * 60, "family_name": "Okafor"})
    assert "Okafor" not in caplog.text


def test_too_many_requests_are_429_with_the_time_to_wait(pharmacist: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    from rest_framework.throttling import UserRateThrottle

    from dispensary.api.views.people import MeView

    class Narrow(UserRateThrottle):
        rate = "1/hour"

    monkeypatch.setattr(MeView, "throttle_classes", [Narrow])
    assert pharmacist.get("me/").status_code == 200
    response = pharmacist.get("me/")
    assert problem(response, 429)["code"] == "too-many-requests"
    assert int(response["Retry-After"]) > 0


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10)
def test_the_sites_own_limit_is_told_the_same_way_or_is_wider(pharmacist: Caller) -> None:
    assert pharmacist.post("patients/", {"identifier": "P1", "family_name": "Okafor"}).status_code in {201, 413}


def test_a_session_without_its_token_changes_nothing(pharmacist: Caller) -> None:
    from django.test import Client

    assert pharmacist.member is not None
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(pharmacist.member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    response = browser.post("/api/v1/patients/", b"{}", "application/json")
    assert problem(response, 403)["code"] == "not-allowed"


@pytest.mark.parametrize(
    ("address", "body", "field", "expected"),
    [
        ("contacts/", {"medium": "pigeon" * 20, "address": "x"}, "medium", "one of email, sms, voice, whatsapp, push"),
        ("contacts/", {"medium": "email", "address": 7}, "address", "text"),
        ("contacts/", {"medium": "email", "address": "x" * 255}, "address", "at most 254 characters"),
        ("contacts/", {"medium": "email", "address": "x", "preference": "1"}, "preference", "a whole number"),
        ("contacts/", {"medium": "email", "address": "x", "preference": 0}, "preference", "at least 1"),
        ("contacts/", {"medium": "email", "address": "x", "preference": 10}, "preference", "at most 9"),
        ("namesakes/", {"other": "x", "answer": "same"}, "other", "a UUID"),
        ("namesakes/", {"other": None, "answer": "same"}, "other", "a value other than null"),
        ("death/", {"died_on": "yesterday"}, "died_on", "a date, such as 2026-11-30"),
        ("death/", [], "", "an object"),
        ("decisions/", {"kind": "moved", "object": "x", "days": 1.5}, "days", "a whole number"),
        ("decisions/", {"kind": "takes", "object": "x", "mg": "much"}, "mg", "a number, or its digits as text"),
        ("decisions/", {"kind": "takes", "object": "x", "mg": "1.0001"}, "mg", "at most 3 decimal places"),
        ("decisions/", {"kind": "counted", "object": "x", "tablets": [-1]}, "tablets[0]", "at least 0"),
        ("decisions/", {"kind": "counted", "object": "x", "tablets": "7"}, "tablets", "a list"),
    ],
)
def test_what_is_wrong_is_answered_with_what_is_expected(
    pharmacist: Caller, patient: Patient, address: str, body: Any, field: str, expected: str
) -> None:
    (entry,) = problem(pharmacist.post(f"patients/{patient.pk}/{address}", body), 400)["problems"]
    assert (entry["field"], entry["expected"]) == (field, expected)


def test_a_packed_body_is_refused_in_words(technician: Caller) -> None:
    packed = gzip.compress(b'{"words": "Okafor"}')
    refused = problem(technician.call("POST", "patients/search/", packed, Content_Encoding="gzip"), 415)
    assert refused["detail"] == "Content-Encoding gzip is not read: send the body as it is."
    assert technician.post("patients/search/", {"words": "Okafor"}, Content_Encoding="identity").status_code == 200


def test_a_byte_order_mark_before_a_body_is_ignored(technician: Caller) -> None:
    assert technician.call("POST", "patients/search/", b'\xef\xbb\xbf{"words": "Okafor"}').status_code == 200


@pytest.mark.parametrize("address", ["patients/", "fhir/MedicationRequest"])
def test_the_methods_of_an_address_are_named_without_a_body(technician: Caller, address: str) -> None:
    answer = technician.call("OPTIONS", address)
    assert (answer.status_code, answer.content, answer["Allow"]) == (204, b"", "GET, POST, HEAD, OPTIONS")
