"""The OpenAPI document is complete, and the API keeps what it promises there."""

import json
import re
from collections.abc import Iterator
from functools import cache
from io import StringIO
from itertools import chain
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import override_settings
from hypothesis import HealthCheck, given, seed
from openapi_schema_validator import OAS31Validator, oas31_format_checker
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
from dispensary.api.examples import read_examples
from dispensary.models import Dispense, Override, Prescription
from tests.dispensary.api.conftest import ANSWER, Caller, hand_over
from tests.dispensary.api.recorded_examples import is_json
from tests.examples import examples

pytestmark = pytest.mark.slow

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]


@cache
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


def bodies_in_json(operation: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Yield the media of an operation's body that are JSON, and those of its successes, which may have several statuses."""
    successes = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    for parts in ([operation.get("requestBody", {})], successes):
        yield [media for part in parts for kind, media in part.get("content", {}).items() if is_json(kind)]


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the operations below /api/v1/ by their method and path."""
    for path, by_method in document()["paths"].items():
        if path.startswith("/api/v1/"):
            yield from ((f"{method.upper()} {path}", operation) for method, operation in by_method.items())


def test_every_operation_has_an_example_of_its_body_and_its_answer() -> None:
    lacking = {
        name
        for name, operation in operations()
        for media in bodies_in_json(operation)
        if media and not any("example" in content for content in media)
    }
    assert lacking == set()


def test_there_is_no_example_of_an_operation_that_is_gone() -> None:
    assert read_examples().keys() <= {name for name, _ in operations()}


def test_every_example_is_what_its_schema_says() -> None:
    wrong = []
    for name, operation in operations():
        for media in chain(*bodies_in_json(operation)):
            whole = media["schema"] | {"components": document()["components"]}
            errors = OAS31Validator(whole, format_checker=oas31_format_checker).iter_errors(media.get("example"))
            wrong += [f"{name}: {error.json_path}: {error.message[:200]}" for error in errors if "example" in media]
    assert wrong == []


def test_the_body_of_every_example_is_read_without_a_complaint(pharmacist: Caller) -> None:
    """Each body is sent, for a record that is nobody's where the address names one: what is wrong with it would be a 400."""
    for name, example in read_examples().items():
        if "request" in example:
            method, path = name.split(" ")
            address = re.sub(r"\{[^}]+\}", lambda _: str(uuid4()), path)
            kind = "application/fhir+json" if "/fhir" in path else "application/json"
            headers = {"If_Match": "*", "Idempotency_Key": str(uuid4())}
            answer = pharmacist.call(method, address, example["request"], content_type=kind, **headers)
            assert answer.status_code != 400, (name, answer.content[:500])


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
        "people": str(pharmacist.member.pk) if pharmacist.member else "",
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
