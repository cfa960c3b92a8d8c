"""A pharmacy with staff, seen through HTTP with the tokens that real clients carry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from fhir.resources.R4B import get_fhir_model_class
from jwt.algorithms import ECAlgorithm

from dispensary.actions import pharmacies, tokens
from dispensary.actors import Actor
from dispensary.counter.styles import build
from dispensary.models import Dispense, Patient, Pharmacy, Prescription, Reminder, StaffMember, StaffRole, WorklistItem
from tests.clients import refuse_by_official_schema
from tests.dispensary import make
from tests.dispensary.api import recorded_examples

V1 = "/api/v1/"


def today() -> date:
    return timezone.now().date()


def case(**order: Any) -> dict[str, Any]:
    """A case for a patient about whom everything is known; by default a clean new start. Dates are near the test's own day."""
    facts = {name: str(value) if isinstance(value, Decimal) else value for name, value in make.KNOWN_FACTS.items()}
    prescription = make.CLEAN_ORDER | {"written_on": str(today() - timedelta(days=2))} | order
    return {
        "format": "baclofen-case/1",
        "patient": facts,
        "prescription": {name: value for name, value in prescription.items() if value is not ...},
        "history": [],
    }


def order(**changes: Any) -> dict[str, Any]:
    """A body of POST prescriptions/."""
    whole = {
        "patient": {"identifier": "P-77", "family_name": "O'Hara", "given_name": "Jo"},
        "prescriber": {"identifier": "D-1", "name": "Dr Ada Grey"},
        "case": case(),
    }
    return whole | changes


@dataclass
class Caller:
    """An HTTP client that signs in with a member's own token."""

    member: StaffMember | None
    headers: dict[str, str] = field(default_factory=dict)
    client: Client = field(default_factory=Client)

    def __post_init__(self) -> None:
        if self.member is not None:
            token = tokens.issue(user=self.member.user, now=timezone.now())
            self.headers = {"Authorization": f"Token {token}"} | self.headers

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        """Send `body` as JSON, or as it is when it is bytes; header names use _ for -."""
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body, default=str).encode()
        kind = headers.pop("content_type", "application/json")
        named = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.client.generic(method, path if path.startswith("/") else V1 + path, sent, kind, headers=named)
        check_resource(response)
        if recorded_examples.IS_RECORDING:
            recorded_examples.record(method, response.wsgi_request.path, sent, response)  # type: ignore[attr-defined]  # the test client sets it on each response
        return response

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.call("POST", path, {} if body is None else body, **headers)

    def sign(self, path: str, body: dict[str, Any], password: str = make.PASSWORD, **headers: str) -> HttpResponse:
        """Begin the signature under the answers of a body and send the body with its proof; the refusal where it does not begin."""
        address, action = path.removesuffix("/").rsplit("/", 1)
        signature: dict[str, Any] = {"overrides": body.get("overrides", [body]), "stop": action == "stop"}
        if action == "dispenses":
            handover_fields = body.keys() - {"overrides", "acknowledged"}
            signature["handover"] = {name: body[name] for name in handover_fields}
        begun = self.post(f"{address}/signatures/", signature)
        if begun.status_code != 200:
            return begun
        return self.post(path, body | {"proof": proof_of(begun.json(), password)}, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> HttpResponse:
        return self.call("PATCH", path, body, **headers)


def check_resource(response: HttpResponse) -> None:
    """Check a FHIR resource that was answered against HL7's schema of R4 and the models of fhir.resources."""
    if response.streaming:
        return  # its lines are the caller's to read, once
    if "json" in response.get("Content-Type", "") and b'"resourceType"' in response.content:
        resource = response.json()
        if "resourceType" in resource:
            assert refuse_by_official_schema(resource) == []
            get_fhir_model_class(resource["resourceType"]).model_validate(resource)


def problem(response: HttpResponse, status: int) -> dict[str, Any]:
    """The problem document of an answer, checked for its shape."""
    assert response.status_code == status, response.content[:2000]
    assert response["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert {"type", "title", "status", "code", "detail", "problems"} <= set(document)
    assert document["status"] == status
    assert all(set(entry) == {"field", "given", "expected", "next"} for entry in document["problems"])
    return document


def fields(response: HttpResponse, status: int = 400) -> set[str]:
    """The fields that a problem document complains of."""
    return {entry["field"] for entry in problem(response, status)["problems"]}


@pytest.fixture(autouse=True)
def one_clock(machine_clock: None) -> None:
    """The API asks the machine."""


@pytest.fixture
def shop(db: None) -> Pharmacy:
    make.products()
    return make.pharmacy(now=timezone.now(), time_zone="UTC")


@pytest.fixture(scope="session", autouse=True)
def printed_fonts() -> None:
    """The documents are set in fonts that the look's build fetches."""
    build.build(with_test_tools=True, quiet=True)


@pytest.fixture(scope="session", autouse=True)
def examples_file() -> Iterator[None]:
    """Add what a run recorded to the examples of the OpenAPI document."""
    yield
    if recorded_examples.IS_RECORDING:
        recorded_examples.write()


@pytest.fixture
def elsewhere(db: None) -> Pharmacy:
    return make.pharmacy("Hill Pharmacy", now=timezone.now(), time_zone="UTC")


@pytest.fixture
def caller() -> Callable[..., Caller]:
    """Makes a caller with a role at a pharmacy."""

    def make_caller(at: Pharmacy, role: StaffRole = StaffRole.PHARMACIST) -> Caller:
        return Caller(make.staff(at, role, now=timezone.now()))

    return make_caller


@pytest.fixture
def pharmacist(shop: Pharmacy, caller: Callable[..., Caller]) -> Caller:
    return caller(shop)


@pytest.fixture
def technician(shop: Pharmacy, caller: Callable[..., Caller]) -> Caller:
    return caller(shop, StaffRole.TECHNICIAN)


@pytest.fixture
def auditor(shop: Pharmacy, caller: Callable[..., Caller]) -> Caller:
    return caller(shop, StaffRole.AUDITOR)


@pytest.fixture
def manager(shop: Pharmacy, caller: Callable[..., Caller]) -> Caller:
    return caller(shop, StaffRole.MANAGER)


@pytest.fixture
def patient(shop: Pharmacy) -> Patient:
    return make.patient(shop, now=timezone.now())


@pytest.fixture
def prescription(patient: Patient) -> Prescription:
    """A clean new start of 42 tablets."""
    return make.prescription(patient, now=timezone.now(), written_on=str(today() - timedelta(days=2)))


@pytest.fixture
def too_high(shop: Pharmacy) -> Prescription:
    """105 mg a day after months on 100: one finding, the daily maximum, that a pharmacist may override."""
    body = order(case=above_the_maximum())
    created = Caller(make.staff(shop, now=timezone.now())).post("prescriptions/", body)
    assert created.status_code == 201, created.content
    return Prescription.objects.get(pk=created.json()["prescription"]["id"])


def above_the_maximum() -> dict[str, Any]:
    """The case of `too_high`."""
    earlier = {
        "dispensed_on": str(today() - timedelta(days=28)),
        "doses": [35, 35, 30],
        "strength_mg": 10,
        "days_supply": 28,
        "dose_since": str(today() - timedelta(days=100)),
        "relation": "same-course",
    }
    high = case(
        phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="35 mg three times a day for 28 days",
        quantity=294,
    )
    return high | {"history": [earlier]}


def hand_over(quantity: Any = 42, **changes: Any) -> dict[str, Any]:
    """A body of POST dispenses/."""
    pack = {"gtin": make.TEN_MG, "lot": "A1B2", "expiry": str(today() + timedelta(days=500))}
    return {"quantity": quantity, "pack": pack} | changes


ANSWER = {
    "mitigation": "5",
    "words": "Specialist clinic keeps her on this dose; agreed by telephone.",
    "asked": "Dr Ada Grey",
    "agreed": "105 mg a day until the clinic visit",
}
NEVER_BEGUN = {"digest": "0" * 64, "nonce": "00000000-0000-7000-8000-000000000000"}
SIGNED = ANSWER | {"proof": {"password": make.PASSWORD} | NEVER_BEGUN}
"""An answer with a proof for a signature that nobody began."""


def proof_of(begun: dict[str, Any], password: str = make.PASSWORD) -> dict[str, Any]:
    """The proof that finishes a signature, as a client sends it: the password, and what `signatures/` answered."""
    return {"password": password, "digest": begun["digest"], "nonce": begun["nonce"]}


# --- a client that signs in with its own key --------------------------------------------------------------------------

ISSUER = "https://ehr.example"


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


@pytest.fixture
def program(shop: Pharmacy) -> StaffMember:
    """A service account of the pharmacy."""
    return pharmacies.grant_access(
        user=get_user_model().objects.create_user(username="hospital"), pharmacy=shop, role=StaffRole.TECHNICIAN,
        display_name="Hospital", is_service=True, by=Actor.system("setup", shop.pk), now=timezone.now(),
    )  # fmt: skip


@pytest.fixture
def listed(key: ec.EllipticCurvePrivateKey, program: StaffMember, settings: Any) -> None:
    public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "k1", "use": "sig", "alg": "ES384"}
    client = {"user": program.user.get_username(), "keys": {"keys": [public]}}
    settings.DISPENSARY = settings.DISPENSARY | {"cds_clients": {ISSUER: client}}


@pytest.fixture
def handed_over(pharmacist: Caller, too_high: Prescription) -> Dispense:
    """A hand-over despite one finding, which a pharmacist answered."""
    signed = pharmacist.sign(f"prescriptions/{too_high.pk}/overrides/", ANSWER | {"finding": "daily-maximum"})
    assert signed.status_code == 201, signed.content
    done = pharmacist.post(f"prescriptions/{too_high.pk}/dispenses/", hand_over(294), Idempotency_Key="till-7-0001")
    assert done.status_code == 201, done.content
    return Dispense.objects.get()


@pytest.fixture
def work(shop: Pharmacy, handed_over: Dispense) -> WorklistItem:
    now = timezone.now()
    return WorklistItem.objects.create(
        pharmacy=shop,
        patient=handed_over.patient,
        kind="withdrawal-risk",
        reason="not collected",
        opened_at=now,
        due_by=now,
    )


@pytest.fixture
def one_of_each(handed_over: Dispense, work: WorklistItem) -> dict[str, str]:
    """The id of one resource of each kind."""
    finding = handed_over.review.findings.get(code="daily-maximum")
    return {
        "MedicationRequest": str(handed_over.prescription_id),
        "MedicationDispense": str(handed_over.pk),
        "DetectedIssue": f"{handed_over.review_id}-{finding.number}",
        "Provenance": str(handed_over.pk),
        "Task": str(work.pk),
        "Communication": str(Reminder.objects.all()[0].public_id),
        "Patient": str(handed_over.patient_id),
    }
