"""What a client leaves to us is asked at its own FHIR server, if that is listed: bounded, without redirects, nowhere else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from django.core.checks import run_checks
from django.utils import timezone

from dispensary.api.cds_hooks import fetching
from dispensary.api.cds_hooks.services import PREFETCH
from dispensary.models import Pharmacy, StaffRole
from tests.dispensary import make
from tests.dispensary.api.cds_hooks.fhir_server import Hospital, respond, serving
from tests.dispensary.api.conftest import Caller
from tests.dispensary.api.test_cds_hooks import ID, PATIENT, SIGN, call, cards_of, codes, observation

LOOPBACK = ("127.0.0.0/8",)
MORPHINE = {
    "resourceType": "MedicationRequest",
    "id": "m1",
    "status": "active",
    "medicationCodeableConcept": {"text": "Morphine"},
    "subject": {"reference": f"Patient/{ID}"},
}


@pytest.fixture
def system(shop: Pharmacy) -> Caller:
    """A hospital's system with a token of the pharmacy."""
    return Caller(make.staff(shop, StaffRole.TECHNICIAN, now=timezone.now()))


@pytest.fixture
def hospital(settings: Any) -> Iterator[Hospital]:
    """A listed FHIR server, with time enough on a slow machine."""
    egfr = observation("98979-8", {"valueQuantity": {"value": 22, "unit": "mL/min/{1.73_m2}"}}) | {"id": "o1"}
    with serving(PATIENT, MORPHINE, egfr) as server:
        settings.DISPENSARY = settings.DISPENSARY | {
            "cds_fhir_servers": (server.base,), "cds_private_networks": LOOPBACK, "cds_fetch_milliseconds": 60_000,
        }  # fmt: skip
        yield server


def left_to_us(server: Hospital, *keys: str, **changes: Any) -> dict[str, Any]:
    """A call without some keys of its prefetch, by default without any."""
    body = call(fhirServer=f"{server.base}/", fhirAuthorization={"access_token": "s3cret", "token_type": "Bearer"})
    body["prefetch"] = {key: value for key, value in body["prefetch"].items() if keys and key not in keys}
    return body | changes


def notes(cards: list[dict[str, Any]]) -> str:
    return cards[-1]["detail"]


def test_what_was_not_sent_along_is_asked_at_the_clients_server(system: Caller, hospital: Hospital) -> None:
    cards_of(system.post(SIGN, left_to_us(hospital)))
    assert {"interaction-opioid", "renal"} <= codes()
    paths = [path for path, _ in hospital.requests]
    assert len(paths) == len(PREFETCH)
    assert f"/fhir/Patient/{ID}" in paths
    assert {headers["Authorization"] for _, headers in hospital.requests} == {"Bearer s3cret"}


def test_only_what_is_missing_is_asked(system: Caller, hospital: Hospital) -> None:
    cards_of(system.post(SIGN, left_to_us(hospital, "egfr")))
    [(path, _)] = hospital.requests
    assert path.startswith("/fhir/Observation?patient=pat-17&code=")
    assert "renal" in codes()


def test_nothing_is_asked_where_the_client_names_no_server_or_one_that_is_not_listed(
    system: Caller, hospital: Hospital
) -> None:
    for server in (f"{hospital.address}/other", "http://127.0.0.1:1/fhir", "https://[::1/", f"{hospital.base}@evil"):
        body = left_to_us(hospital, "egfr", fhirServer=server)
        assert "prefetch.egfr: was not sent along, and the FHIR server is not listed here" in notes(
            cards_of(system.post(SIGN, body))
        )
    body = left_to_us(hospital, "egfr", fhirServer=...)
    cards_of(system.post(SIGN, {name: value for name, value in body.items() if value is not ...}))
    assert hospital.requests == []
    assert "renal" not in codes()


def test_a_listed_server_in_a_private_network_is_asked_only_where_that_is_listed(
    system: Caller, hospital: Hospital, settings: Any
) -> None:
    settings.DISPENSARY = settings.DISPENSARY | {"cds_private_networks": ("10.0.0.0/8",)}
    cards = cards_of(system.post(SIGN, left_to_us(hospital, "egfr")))
    assert "has an address in a private network that is not listed here" in notes(cards)
    assert hospital.requests == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True), ("2001:4860:4860::8888", True),
        ("127.0.0.1", False), ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False),
        ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False), ("255.255.255.255", False), ("192.0.2.1", False),
        ("::1", False), ("::", False), ("fe80::1", False), ("fe80::1%eth0", False), ("fd00::1", False), ("ff02::1", False),
        ("::ffff:127.0.0.1", False), ("::ffff:8.8.8.8", True), ("::ffff:169.254.169.254", False),
        ("2002:7f00:1::", False), ("64:ff9b::7f00:1", False), ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
        ("10.20.0.1", True), ("10.20.255.255", True), ("10.21.0.0", False), ("::ffff:10.20.0.1", True),
    ],
)  # fmt: skip
def test_only_public_addresses_and_listed_networks_may_be_asked(settings: Any, address: str, expected: bool) -> None:
    settings.DISPENSARY = settings.DISPENSARY | {"cds_private_networks": ("10.20.0.0/16",)}
    assert fetching.may_be_asked(address) is expected


def redirect(handler: BaseHTTPRequestHandler) -> None:
    respond(handler, 302, Location="http://127.0.0.1:1/elsewhere")


def fail(handler: BaseHTTPRequestHandler) -> None:
    respond(handler, 500, b"at name of a patient")


def send_page(handler: BaseHTTPRequestHandler) -> None:
    respond(handler, 200, b"<html>")


def send_too_much(handler: BaseHTTPRequestHandler) -> None:
    respond(handler, 200, b" " * (fetching.LONGEST + 1))


def send_packed(handler: BaseHTTPRequestHandler) -> None:
    respond(handler, 200, b"\x1f\x8b", Content_Encoding="gzip")


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (redirect, "answered 302"),
        (fail, "answered 500"),
        (send_page, "answered with something else than JSON"),
        (send_too_much, "answered with more than 1000000 bytes"),
        (send_packed, "answered in an encoding that it was not asked for"),
        (hang_up, "could not be asked"),
    ],
)
def test_an_answer_that_cannot_be_used_leaves_the_fact_unknown(
    system: Caller, hospital: Hospital, answer: Any, words: str
) -> None:
    hospital.answer = answer
    cards = cards_of(system.post(SIGN, left_to_us(hospital, "egfr")))
    assert f"prefetch.egfr: was not sent along, and the FHIR server {words}" in notes(cards)
    assert any("not assessed" in card["summary"] for card in cards)
    assert "name of a patient" not in json.dumps(cards)
    assert len(hospital.requests) == 1


def test_a_server_that_is_late_is_not_waited_for(system: Caller, hospital: Hospital, settings: Any) -> None:
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not over.wait(0.05):
            handler.wfile.write(b" ")

    settings.DISPENSARY = settings.DISPENSARY | {"cds_fetch_milliseconds": 200}
    for answer in (drip, lambda _: over.wait()):
        hospital.answer = answer
        assert "did not answer in time" in notes(cards_of(system.post(SIGN, left_to_us(hospital, "egfr"))))
    over.set()


def test_a_patient_who_cannot_be_fetched_is_a_412_that_says_why(system: Caller, hospital: Hospital) -> None:
    hospital.answer = fail
    response = system.post(SIGN, left_to_us(hospital))
    assert response.status_code == 412
    assert "the FHIR server answered 500" in response.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize("patient_id", ["../secrets", "1?x=y", "1&_include=*", "a b", "é"])
def test_an_id_stays_one_value_of_the_query(system: Caller, hospital: Hospital, patient_id: str) -> None:
    body = left_to_us(hospital, "egfr", "patient")
    body["context"]["patientId"] = patient_id
    assert system.post(SIGN, body).status_code == 412
    assert {path.split("&code=")[0].count("?") for path, _ in hospital.requests} <= {0, 1}
    assert not any("/../" in path or "_include=*" in path or "x=y" in path for path, _ in hospital.requests)


def test_a_token_that_is_no_header_is_not_sent(system: Caller, hospital: Hospital) -> None:
    body = left_to_us(hospital, "egfr", fhirAuthorization={"access_token": "a\r\nX-Evil: 1"})
    assert "could not be asked" in str(system.post(SIGN, body).content) or hospital.requests == []
    assert hospital.requests == []


@pytest.mark.parametrize(
    ("setting", "value", "is_fault"),
    [
        ("cds_fhir_servers", ("https://ehr.example/fhir",), False),
        ("cds_fhir_servers", ("ehr.example/fhir",), True),
        ("cds_fhir_servers", ("https://user:word@ehr.example/fhir",), True),
        ("cds_private_networks", ("10.20.0.0/16",), False),
        ("cds_private_networks", ("10.20.0.1/16",), True),
        ("cds_fetch_milliseconds", 300, False),
        ("cds_fetch_milliseconds", 0, True),
        ("cds_origins", ("https://ehr.example",), False),
        ("cds_origins", ("https://ehr.example/",), True),
        ("cds_origins", ("*",), True),
        ("cds_clients", {"https://ehr.example": {"user": "hospital"}}, True),
        ("cds_clients", {"https://ehr.example": {"user": "hospital", "keys": "/nowhere.jwks"}}, True),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_by_check(
    settings: Any, setting: str, value: Any, is_fault: bool
) -> None:
    settings.DISPENSARY = settings.DISPENSARY | {setting: value}
    faults = [message for message in run_checks() if message.id == "dispensary.E010"]
    assert [setting in str(message.msg) for message in faults] == ([True] if is_fault else [])


@pytest.fixture
def secured(hospital: Hospital, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hospital]:
    """The same server behind TLS, with a certificate for `localhost` that this machine trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime(2020, 1, 1)).not_valid_after(datetime(2100, 1, 1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    chain = tmp_path / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain.write_bytes(private + certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    fetching._context.cache_clear()
    with serving(*hospital.resources, certificate=chain) as server:
        server.address = server.address.replace("http://127.0.0.1", "https://localhost")
        settings.DISPENSARY = settings.DISPENSARY | {"cds_fhir_servers": (server.base,)}
        yield server
    fetching._context.cache_clear()


def test_a_server_is_known_by_its_certificate(
    system: Caller, secured: Hospital, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DISPENSARY = settings.DISPENSARY | {"cds_private_networks": ("127.0.0.0/8", "::1/128")}
    cards_of(system.post(SIGN, left_to_us(secured, "egfr")))
    assert "renal" in codes()
    [(_, headers)] = secured.requests
    assert headers["Host"] == secured.address.removeprefix("https://")
    for wrong in ("address", "authority"):
        if wrong == "address":  # another name of the same machine, which the certificate does not have
            base = secured.base.replace("localhost", "127.0.0.1")
        else:
            monkeypatch.delenv("SSL_CERT_FILE")
            fetching._context.cache_clear()
            base = secured.base
        settings.DISPENSARY = settings.DISPENSARY | {"cds_fhir_servers": (base,)}
        cards = cards_of(system.post(SIGN, left_to_us(secured, "egfr", fhirServer=base)))
        assert "has no certificate that is trusted" in notes(cards)
    assert len(secured.requests) == 1
