"""The OpenAPI document is complete, and the API keeps what it promises there."""

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import override_settings
from hypothesis import HealthCheck, given, seed
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from deploy.wsgi import application
from dispensary import __version__
from dispensary.models import Dispense, Override, Prescription
from tests.dispensary.api.conftest import ANSWER, Caller, hand_over
from tests.examples import examples

pytestmark = pytest.mark.slow

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]


def document() -> dict[str, Any]:
    written = StringIO()
    call_command("spectacular", "--fail-on-warn", "--validate", "--format", "openapi-json", stdout=written)
    openapi: dict[str, Any] = json.loads(written.getvalue())
    return openapi


def test_the_document_is_valid_and_without_a_warning() -> None:
    openapi = document()
    assert openapi["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(openapi).validate()


def test_every_operation_names_its_errors_and_has_a_summary() -> None:
    for path, operations in document()["paths"].items():
        if path.startswith("/api/v1/") and "schema" not in path:
            for operation in operations.values():
                assert operation["summary"], path
                assert {"400", "500", "503"} <= set(operation["responses"]), path
                assert "4XX" not in operation["responses"], path


def test_a_body_that_refuses_unknown_fields_says_so() -> None:
    schemas = document()["components"]["schemas"]
    bodies = {name for name, schema in schemas.items() if name.endswith("Request")}
    assert {name for name in bodies if schemas[name].get("additionalProperties") is not False} == set()


def test_the_document_is_served_to_anybody(client: Any) -> None:
    with override_settings(SPECTACULAR_SETTINGS={}):  # a site that plugs the app in has said nothing
        served = client.get("/api/v1/schema/?format=json")
    assert served.status_code == 200
    openapi = served.json()
    assert (openapi["info"]["title"], openapi["info"]["version"]) == ("Dispensary", __version__)
    assert {"Problem", "PrescriptionStatus"} <= set(openapi["components"]["schemas"])
    assert "/api/v1/schema/" not in openapi["paths"]


@pytest.fixture
def described(ids: dict[str, str]) -> Iterator[Any]:
    """The schema, fetched from the application, which must leave the test's connection open as Django's own client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", application)
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def ids(pharmacist: Caller, prescription: Prescription, too_high: Prescription) -> dict[str, str]:
    """One of everything, by the first word of its address."""
    pharmacist.sign(f"prescriptions/{too_high.pk}/overrides/", ANSWER | {"finding": "daily-maximum"})
    done = pharmacist.post(f"prescriptions/{prescription.pk}/dispenses/", hand_over(), Idempotency_Key="first")
    assert done.status_code == 201
    dispense = Dispense.objects.get()
    return {
        "patients": str(prescription.patient_id),
        "prescriptions": str(too_high.pk),
        "reviews": str(dispense.review_id),
        "overrides": str(Override.objects.get().pk),
        "dispenses": str(dispense.pk),
        "fhir": str(dispense.pk),
    }


@pytest.mark.slow
def test_whatever_is_sent_the_api_answers_as_documented(
    described: Any, pharmacist: Caller, ids: dict[str, str]
) -> None:
    tried = 0
    for result in described.get_all_operations():
        operation = result.ok()

        @seed(2026)
        @examples(12, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def answers(case: Case) -> None:
            if "pk" in case.path_parameters:
                kind = case.path.removeprefix("/api/v1/").split("/")[0]
                case.path_parameters["pk"] = ids.get(kind, str(uuid4()))
            case.headers.pop("X-Pharmacy", None)
            case.call_and_validate(headers=pharmacist.headers, checks=CHECKS)

        answers()
        tried += 1
    assert tried >= 28
