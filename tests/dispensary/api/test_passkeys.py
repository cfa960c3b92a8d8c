"""A passkey signs over HTTP for what was begun, once, and nobody else's does: a device of our own answers as a real one."""

import json
import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

from dispensary.actions import patients
from dispensary.actors import Actor
from dispensary.models import BegunSignature, Override, Pharmacy, Prescription, PriorSupply
from tests.dispensary import make
from tests.dispensary.api.conftest import ANSWER, Caller, fields, today

pytestmark = pytest.mark.django_db

SITE = sha256(b"testserver").digest()
ORIGIN = "https://testserver"
SEEN = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV
ABRUPT = ANSWER | {"finding": "abrupt-stop"}


class Device:
    """A passkey of one person."""

    def __init__(self, user: AbstractBaseUser) -> None:
        self.key, self.id = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16)
        public = ES256.from_cryptography_key(self.key.public_key())
        attested = AttestedCredentialData.create(b"\0" * 16, self.id, public)
        made = AuthenticatorData.create(SITE, SEEN | AuthenticatorData.FLAG.AT, 0, attested)
        client = CollectedClientData.create("webauthn.create", b"0" * 32, ORIGIN)
        response = {
            "clientDataJSON": websafe_encode(client),
            "attestationObject": websafe_encode(AttestationObject.create("none", made, {})),
        }
        Authenticator.objects.create(
            user=user,
            type=Authenticator.Type.WEBAUTHN,
            data={"name": "Front desk", "credential": {**self._named(), "response": response}},
        )

    def answer(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer the options that a signature was begun with."""
        challenge = websafe_decode(options["publicKey"]["challenge"])
        client = CollectedClientData.create("webauthn.get", challenge, ORIGIN)
        authenticator_data = AuthenticatorData.create(SITE, SEEN, 1)
        signature = self.key.sign(authenticator_data + sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {"clientDataJSON": client, "authenticatorData": authenticator_data, "signature": signature}
        return {**self._named(), "response": {name: websafe_encode(value) for name, value in response.items()}}

    def _named(self) -> dict[str, Any]:
        number = websafe_encode(self.id)
        return {"id": number, "rawId": number, "type": "public-key", "clientExtensionResults": {}}


@pytest.fixture
def device(pharmacist: Caller) -> Device:
    assert pharmacist.member is not None
    return Device(pharmacist.member.user)


def begin(caller: Caller, address: str) -> dict[str, Any]:
    """Begin the signature under a stop; what the site answers."""
    answer = caller.post(f"{address}signatures/", {"overrides": [ABRUPT], "stop": True})
    assert answer.status_code == 200, answer.content
    begun: dict[str, Any] = json.loads(answer.content)
    return begun


def stop(caller: Caller, address: str, begun: dict[str, Any], passkey: dict[str, Any], **changes: Any) -> Any:
    proof = {"passkey": passkey, "digest": begun["digest"], "nonce": begun["nonce"]}
    return caller.post(
        f"{address}stop/", {"words": "no longer needed", "overrides": [ABRUPT | changes], "proof": proof}
    )


def test_a_passkey_signs_the_stop_of_an_order_once(pharmacist: Caller, device: Device, too_high: Prescription) -> None:
    address = f"prescriptions/{too_high.pk}/"
    begun = begin(pharmacist, address)
    passkey = device.answer(begun["passkey"])
    assert fields(stop(pharmacist, address, begun, passkey, words="Something else."), 412) == {"proof.digest"}
    done = stop(pharmacist, address, begun, passkey)
    assert done.status_code == 200 and done.json()["status"] == "stopped", done.content
    assert Override.objects.get(code="abrupt-stop").signature == "passkey"
    assert BegunSignature.objects.get(pk=begun["nonce"]).used_at is not None
    assert fields(stop(pharmacist, address, begun, passkey), 412) == {"proof.nonce"}


def test_another_persons_passkey_and_another_signatures_answer_sign_nothing(
    shop: Pharmacy, pharmacist: Caller, device: Device, too_high: Prescription, caller: Callable[..., Caller]
) -> None:
    address = f"prescriptions/{too_high.pk}/"
    begun = begin(pharmacist, address)
    colleague = caller(shop)
    assert colleague.member is not None
    theirs = Device(colleague.member.user)
    assert fields(stop(pharmacist, address, begun, theirs.answer(begun["passkey"])), 403) == {"proof.passkey"}
    other = begin(colleague, address)
    assert fields(stop(colleague, address, other, theirs.answer(begun["passkey"])), 403) == {"proof.passkey"}
    assert fields(stop(colleague, address, begun, device.answer(begun["passkey"])), 412) == {"proof.nonce"}
    assert not Override.objects.exists()


def test_a_passkey_signs_the_stop_of_a_supply_from_elsewhere(
    shop: Pharmacy, pharmacist: Caller, device: Device
) -> None:
    patient = make.patient(shop, now=timezone.now())
    supply = {
        "dispensed_on": str(today()), "doses": [20, 20, 20], "strength_mg": 10, "days_supply": 28,
        "dose_since": str(today()), "relation": "same-course",
    }  # fmt: skip
    by = Actor.system("setup", shop.pk)
    patients.record_history(patient=patient, supplies=[supply], by=by, now=timezone.now())
    address = f"patients/{patient.pk}/supplies/{PriorSupply.objects.get().pk}/"
    begun = begin(pharmacist, address)
    done = stop(pharmacist, address, begun, device.answer(begun["passkey"]))
    assert done.status_code == 200, done.content
    assert Override.objects.get(code="abrupt-stop").signature == "passkey"


def test_a_technician_begins_no_stop(technician: Caller, too_high: Prescription) -> None:
    begun = technician.post(f"prescriptions/{too_high.pk}/signatures/", {"overrides": [ABRUPT], "stop": True})
    assert begun.status_code == 403
