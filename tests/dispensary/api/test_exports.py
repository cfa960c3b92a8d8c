"""Exports of the log and of records, a patient's file, and trials of another limit, over HTTP."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.utils import timezone

from dispensary.actions import limit_trials, long_exports
from dispensary.actions.long_exports import KEPT
from dispensary.actors import Scope
from dispensary.models import AuditEntry, Dispense, LimitTrial, LogExport, Pharmacy, StaffRole
from tests.dispensary.api.conftest import Caller, fields, problem, today
from tests.dispensary.api.test_staff import PROOF, with_token
from tests.dispensary.audit.linking import flush_links

pytestmark = pytest.mark.django_db

ANSWERS = {"purpose": "inspection 7"}
ORDERS = {"table": "orders", "purpose": "another system"}


def names_in(file: HttpResponse) -> set[str]:
    """The names in a zip file that was answered."""
    assert (file.status_code, file["Content-Type"]) == (200, "application/zip")
    return set(zipfile.ZipFile(io.BytesIO(b"".join(file))).namelist())


def prepare() -> None:
    """Let the worker prepare what waits."""
    flush_links()
    assert long_exports.prepare_next(timezone.now)


def test_a_table_of_answers_is_asked_for_prepared_and_fetched_until_its_time_is_over(
    auditor: Caller, handed_over: Dispense
) -> None:
    asked = auditor.post("audit/exports/", ANSWERS | {"rule": "daily-maximum", "answers": "both"}, Idempotency_Key="e1")
    assert asked.status_code == 202, asked.content
    waiting = asked.json()
    assert (waiting["table"], waiting["finished_at"], waiting["file"]) == ("answers", None, None)
    assert waiting["sentence"].startswith("Overrides and acknowledgements at ")
    assert waiting["sentence"].endswith(", rule Daily maximum.")
    assert (
        auditor.post(
            "audit/exports/", ANSWERS | {"rule": "daily-maximum", "answers": "both"}, Idempotency_Key="e1"
        ).json()
        == waiting
    )
    assert problem(auditor.post("audit/exports/", ANSWERS), 409)["detail"].startswith("Another export")
    address = f"audit/exports/{waiting['id']}/"
    assert problem(auditor.get(f"{address}file.zip"), 409)["detail"] == "This export is not ready yet."
    prepare()
    ready = auditor.get(address).json()
    assert (ready["rows"], len(ready["sha256"])) == (1, 64)
    assert [row["id"] for row in auditor.get("audit/exports/").json()] == [waiting["id"]]
    assert {"answers.csv", "datapackage.json"} <= names_in(auditor.get(ready["file"]))
    LogExport.objects.update(finished_at=timezone.now() - KEPT)
    assert problem(auditor.get(ready["file"]), 409)["detail"] == "The file of this export is gone."
    assert auditor.get("audit/exports/").json() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "purpose"),
        (ANSWERS | {"answers": "all"}, "answers"),
        (ANSWERS | {"mitigation": "none"}, "mitigation"),
        (ANSWERS | {"rule": "no-such"}, "rule"),
        (ANSWERS | {"since": "2026-13-01"}, "since"),
        (ANSWERS | {"patient": "Ann"}, "patient"),
        (ANSWERS | {"text": "clinic"}, "text"),
        (ANSWERS | {"table": "orders"}, "table"),
    ],
)
def test_an_export_that_cannot_be_is_named(auditor: Caller, body: dict[str, Any], field: str) -> None:
    assert fields(auditor.post("audit/exports/", body)) == {field}
    assert not LogExport.objects.exists()


def test_records_are_exported_by_a_manager_in_person_alone(
    manager: Caller, auditor: Caller, handed_over: Dispense
) -> None:
    assert fields(manager.post("audit/exports/records/", ORDERS)) == {"proof"}
    assert problem(auditor.post("audit/exports/records/", ORDERS | PROOF), 403)["code"] == "not-allowed"
    narrowed = with_token(manager, scopes=[Scope.READ, Scope.AUDIT])
    assert problem(narrowed.post("audit/exports/records/", ORDERS | PROOF), 403)["code"] == "not-allowed"
    asked = manager.post("audit/exports/records/", ORDERS | {"since": str(today())} | PROOF)
    assert (asked.status_code, asked.json()["table"]) == (202, "orders"), asked.content
    assert asked.json()["sentence"].startswith("Prescriptions at ")
    prepare()
    file = manager.get(f"audit/exports/{asked.json()['id']}/").json()["file"]
    for caller in (manager, auditor):
        assert problem(caller.get(file), 403)["code"] == "not-allowed"
    assert problem(auditor.post(file, PROOF), 403)["code"] == "not-allowed"
    assert {"orders.csv", "orders.ndjson"} <= names_in(manager.post(file, PROOF))


def test_the_file_of_a_patient_is_released_by_a_second_manager_in_person(
    manager: Caller, auditor: Caller, shop: Pharmacy, caller: Callable[..., Caller], handed_over: Dispense
) -> None:
    second = caller(shop, StaffRole.MANAGER)
    address = f"audit/patients/{handed_over.patient_id}/file/"
    request = {"received_on": str(today()), "identity": "passport seen"}
    assert fields(manager.post(address, request)) == {"proof"}
    assert fields(manager.post(address, PROOF)) == {"received_on", "identity"}
    assert fields(manager.post(address, request | PROOF | {"received_on": "2999-01-01"})) == {"received_on"}
    assert problem(auditor.post(address, request | PROOF), 403)["code"] == "not-allowed"
    asked = manager.post(address, request | PROOF)
    assert (asked.status_code, asked.json()["state"]) == (202, "waiting"), asked.content
    of_request = f"audit/files/{asked.json()['id']}/"
    assert problem(second.post(of_request, PROOF), 409)["detail"] == "This file is not ready yet."
    prepare()
    read = second.post(of_request, PROOF).json()
    assert read["facts"]["family_name"] == handed_over.patient.family_name
    release = {"sha256": read["sha256"]} | PROOF
    manager.post(of_request, PROOF)
    assert problem(manager.post(f"{of_request}release/", release), 403)["detail"].startswith(
        "You had this file prepared"
    )
    assert fields(second.post(f"{of_request}release/", PROOF)) == {"sha256"}
    assert fields(second.post(f"{of_request}release/", release | {"names_staff": True})) == {"words"}
    assert problem(second.post(f"{of_request}file.zip", PROOF), 409)["detail"] == "This file is not released."
    released = second.post(f"{of_request}release/", release)
    assert (released.status_code, released.json()["state"]) == (200, "released"), released.content
    assert problem(second.post(f"{of_request}refuse/", {"words": "too late"} | PROOF), 409)["code"] == "conflict"
    file = auditor.post(f"{of_request}file.zip", PROOF)
    assert {"person.json", "person.pdf"} <= names_in(file)
    assert file["Cache-Control"] == "no-store, private"
    assert [row["id"] for row in auditor.get("audit/files/").json()["results"]] == [asked.json()["id"]]
    assert auditor.get(of_request).json()["gone_at"]
    assert AuditEntry.objects.filter(action="file.released", patient_ref=str(handed_over.patient_id)).count() == 1


def test_a_refused_file_says_why(
    manager: Caller, shop: Pharmacy, caller: Callable[..., Caller], handed_over: Dispense
) -> None:
    request = {"received_on": str(today()), "identity": "letter"} | PROOF
    asked = manager.post(f"audit/patients/{handed_over.patient_id}/file/", request).json()
    refused = caller(shop, StaffRole.MANAGER).post(
        f"audit/files/{asked['id']}/refuse/", {"words": "A stranger."} | PROOF
    )
    assert (refused.json()["state"], refused.json()["words"]) == ("refused", "A stranger."), refused.content
    assert not LogExport.objects.exists()


def test_another_limit_is_tried_on_recorded_decisions(auditor: Caller, handed_over: Dispense) -> None:
    flush_links()
    lines = auditor.get("audit/trials/lines/").json()
    line = next(row for row in lines if row["place"] == "terms.max_mg_per_day" and row["ages"] == "from 12 years")
    body = {"line": line["digest"], "value": "110", "since": str(today() - timedelta(days=1)), "until": str(today())}
    asked = auditor.post("audit/trials/", body, Idempotency_Key="t1")
    assert (asked.status_code, asked.json()["result"]) == (202, None), asked.content
    assert auditor.post("audit/trials/", body, Idempotency_Key="t1").json() == asked.json()
    assert problem(auditor.post("audit/trials/", body), 409)["detail"].startswith("Another limit is being tried")
    limit_trials.run_next(timezone.now)
    address = f"audit/trials/{asked.json()['id']}/"
    trial = auditor.get(address).json()
    assert (trial["value_before"], trial["value"], trial["is_as_logged"]) == ("100", "110", True)
    assert trial["result"]["rules"] == [["daily-maximum", "override", 0, trial["result"]["different"]]]
    assert len(trial["result"]["cases"]) == trial["result"]["different"] > 0
    assert [row["id"] for row in auditor.get("audit/trials/").json()["results"]] == [trial["id"]]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"line": "0" * 64}, "line"),
        ({"value": "x"}, "value"),
        ({"value": "-1"}, "value"),
        ({"since": str(today() + timedelta(days=1))}, "since"),
        ({"since": "1990-01-01"}, "since"),
        ({"until": None}, "until"),
    ],
)
def test_a_trial_that_cannot_be_is_named(auditor: Caller, changes: dict[str, Any], field: str) -> None:
    lines = auditor.get("audit/trials/lines/").json()
    line = next(row for row in lines if row["place"] == "terms.max_mg_per_day")
    body = {"line": line["digest"], "value": "110", "since": str(today()), "until": str(today())}
    assert fields(auditor.post("audit/trials/", body | changes)) == {field}
    assert not LimitTrial.objects.exists()


@pytest.mark.parametrize(
    "address", ["audit/exports/{}/", "audit/exports/{}/file.zip", "audit/files/{}/", "audit/trials/{}/"]
)
def test_what_is_not_there_is_not_there(auditor: Caller, address: str) -> None:
    assert problem(auditor.get(address.format(uuid4())), 404)["detail"] == "There is no such thing here."


def test_a_token_for_reading_exports_nothing(manager: Caller, handed_over: Dispense) -> None:
    reader = with_token(manager, scopes=[Scope.READ])
    for method, address, body in (
        ("POST", "audit/exports/", ANSWERS),
        ("GET", "audit/exports/", None),
        ("GET", "audit/trials/lines/", None),
        ("POST", f"audit/patients/{handed_over.patient_id}/file/", PROOF),
        ("GET", "audit/files/", None),
    ):
        assert problem(reader.call(method, address, body), 403)["code"] == "not-allowed"
