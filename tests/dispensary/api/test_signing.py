"""An override over HTTP is signed by a fresh proof of a person: for this request, and for what the signer was shown."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary import audit
from dispensary.actions import signatures
from dispensary.models import BegunSignature, IdempotentRequest, Override, Pharmacy, Prescription, StaffRole
from tests.deploy.test_accounts import code_of
from tests.dispensary import make
from tests.dispensary.api.conftest import ANSWER, NEVER_BEGUN, Caller, fields, hand_over, problem

pytestmark = pytest.mark.django_db

TOO_HIGH = {"finding": "daily-maximum"}
OWN = {"password": make.PASSWORD}


def begin(caller: Caller, order: Prescription) -> dict[str, Any]:
    """Begin the signature under the answer to the dose above the maximum; what finishes it, without password."""
    answer = caller.post(f"prescriptions/{order.pk}/signatures/", {"overrides": [ANSWER | TOO_HIGH]})
    assert answer.status_code == 200, answer.content
    return {name: answer.json()[name] for name in ("digest", "nonce")}


def sign(caller: Caller, order: Prescription, proof: dict[str, Any] | None = None, **changes: Any) -> Any:
    """Send an answer to the dose above the maximum, with this proof; one that names no signature gets a begun one."""
    if proof is not None and "nonce" not in proof:
        proof = begin(caller, order) | proof
    body = ANSWER | TOO_HIGH | changes | ({} if proof is None else {"proof": proof})
    return caller.post(f"prescriptions/{order.pk}/overrides/", body)


def test_a_token_alone_signs_no_override(pharmacist: Caller, too_high: Prescription) -> None:
    assert fields(sign(pharmacist, too_high)) == {"proof"}
    unsigned = hand_over(294, overrides=[ANSWER | TOO_HIGH])
    refused = pharmacist.post(f"prescriptions/{too_high.pk}/dispenses/", unsigned, Idempotency_Key="a")
    assert fields(refused) == {"proof"}
    assert not Override.objects.exists()


def test_a_password_signs_and_a_wrong_one_is_refused_and_in_the_log(
    shop: Pharmacy, pharmacist: Caller, too_high: Prescription
) -> None:
    refused = problem(sign(pharmacist, too_high, {"password": "guessed"}), 403)
    assert refused["code"] == "not-proven" and "guessed" not in str(refused)
    assert pharmacist.member is not None
    attempts = audit.history(audit.Subject("account", f"user:{pharmacist.member.user_id}"), pharmacy=shop)
    assert "signature.refused" in [line.entry.action for line in attempts]
    signed = sign(pharmacist, too_high, OWN)
    assert signed.status_code == 201 and signed.json()["signature"] == "password"


def test_guessing_at_a_signature_locks_the_signature_and_neither_token_nor_sign_in(
    pharmacist: Caller, too_high: Prescription
) -> None:
    assert pharmacist.member is not None
    for _ in range(5):
        assert sign(pharmacist, too_high, {"password": "guessed"}).status_code == 403
    locked = problem(sign(pharmacist, too_high, OWN), 403)
    assert locked["code"] == "not-proven" and "locked" in locked["detail"]
    assert pharmacist.get("prescriptions/").status_code == 200
    form = {"login": pharmacist.member.user.get_username(), "password": make.PASSWORD}
    assert Client().post("/accounts/login/", form).status_code == 302


def test_a_locked_signature_opens_after_a_quarter_of_an_hour_or_by_a_manager(
    shop: Pharmacy, pharmacist: Caller, too_high: Prescription, caller: Callable[..., Caller]
) -> None:
    assert pharmacist.member is not None
    for _ in range(5):
        sign(pharmacist, too_high, {"password": "guessed"})
    manager = caller(shop, StaffRole.MANAGER)
    assert manager.member is not None
    at_work = Client()
    at_work.force_login(manager.member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert at_work.post(reverse("unlock-person", args=[pharmacist.member.pk])).status_code == 302
    assert sign(pharmacist, too_high, OWN).status_code == 201
    by = pharmacist.member.actor()
    begun = timezone.now()
    for _ in range(5):
        signatures.count_attempt(by=by, now=begun)
    with pytest.raises(signatures.SignatureLocked):
        signatures.count_attempt(by=by, now=begun + timedelta(minutes=14))
    signatures.count_attempt(by=by, now=begun + timedelta(minutes=15))


def test_who_has_a_second_factor_signs_with_a_code_that_works_once(pharmacist: Caller, too_high: Prescription) -> None:
    assert pharmacist.member is not None
    secret = generate_totp_secret()
    TOTP.activate(pharmacist.member.user, secret)
    assert fields(sign(pharmacist, too_high, OWN), 403) == {"proof.code"}
    assert fields(sign(pharmacist, too_high, OWN | {"code": "000000"}), 403) == {"proof.code"}
    code = code_of(secret)
    signed = sign(pharmacist, too_high, OWN | {"code": code}).json()
    assert signed["signature"] == "second-factor"
    assert pharmacist.post(f"overrides/{signed['id']}/withdraw/", {"reason": "once more"}).status_code == 200
    assert fields(sign(pharmacist, too_high, OWN | {"code": code}), 403) == {"proof.code"}
    recovery = RecoveryCodes.activate(pharmacist.member.user).get_unused_codes()[0]
    assert sign(pharmacist, too_high, OWN | {"code": recovery}).status_code == 201


def test_a_signature_is_for_what_was_shown_when_it_began(pharmacist: Caller, too_high: Prescription) -> None:
    begun = pharmacist.post(f"prescriptions/{too_high.pk}/signatures/", {"overrides": [ANSWER | TOO_HIGH]}).json()
    assert begun["factors"] == ["password"]
    proof = OWN | {name: begun[name] for name in ("digest", "nonce")}
    other = sign(pharmacist, too_high, proof, words="Something else that nobody agreed to.")
    assert fields(other, 412) == {"proof.digest"}
    assert fields(sign(pharmacist, too_high, proof | {"digest": "0" * 64}), 412) == {"proof.digest"}
    signed = sign(pharmacist, too_high, proof).json()
    lines = audit.history(Override.objects.get(pk=signed["id"]), pharmacy=too_high.pharmacy)
    (line,) = [line for line in lines if line.entry.action == "override.signed"]
    assert line.body is not None
    assert (line.body["signed"], line.body["nonce"]) == (begun["digest"], begun["nonce"])


def test_a_signature_is_used_once_by_who_began_it(
    shop: Pharmacy, pharmacist: Caller, too_high: Prescription, caller: Callable[..., Caller]
) -> None:
    begun = pharmacist.post(f"prescriptions/{too_high.pk}/signatures/", {"overrides": [ANSWER | TOO_HIGH]}).json()
    proof = OWN | {name: begun[name] for name in ("nonce", "digest")}
    assert fields(sign(caller(shop), too_high, proof), 412) == {"proof.nonce"}
    signed = sign(pharmacist, too_high, proof).json()
    assert pharmacist.post(f"overrides/{signed['id']}/withdraw/", {"reason": "once more"}).status_code == 200
    assert fields(sign(pharmacist, too_high, proof), 412) == {"proof.nonce"}
    BegunSignature.objects.update(used_at=None, begun_at=timezone.now() - timedelta(hours=1))
    assert fields(sign(pharmacist, too_high, proof), 412) == {"proof.nonce"}


def test_an_invented_passkey_signs_nothing(pharmacist: Caller, too_high: Prescription) -> None:
    begun = pharmacist.post(f"prescriptions/{too_high.pk}/signatures/", {"overrides": [ANSWER | TOO_HIGH]}).json()
    assert begun["passkey"] is None
    named = {name: begun[name] for name in ("nonce", "digest")}
    for answer in ({}, {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {}}):
        assert fields(sign(pharmacist, too_high, named | {"passkey": answer}), 403) == {"proof.passkey"}
    assert fields(sign(pharmacist, too_high, NEVER_BEGUN | {"passkey": {}}), 412) == {"proof.nonce"}
    assert fields(sign(pharmacist, too_high, {"code": "123456"})) == {"proof.password"}


def test_a_proof_for_a_signature_that_nobody_began_is_refused_without_trying_it(
    pharmacist: Caller, too_high: Prescription
) -> None:
    bare = pharmacist.post(f"prescriptions/{too_high.pk}/overrides/", ANSWER | TOO_HIGH | {"proof": OWN})
    assert fields(bare) == {"proof.digest", "proof.nonce"}
    for password in (make.PASSWORD, "guessed"):
        assert fields(sign(pharmacist, too_high, NEVER_BEGUN | {"password": password}), 412) == {"proof.nonce"}
    assert not Override.objects.exists()


def test_a_hand_over_is_signed_once_and_no_digest_of_the_password_is_kept(
    pharmacist: Caller, too_high: Prescription
) -> None:
    address = f"prescriptions/{too_high.pk}/dispenses/"
    milder = [
        finding["code"]
        for finding in pharmacist.post(address, hand_over(294), Idempotency_Key="a").json()["findings"]
        if finding["severity"] == "acknowledge"
    ]
    body = hand_over(294, overrides=[ANSWER | TOO_HIGH], acknowledged=milder)
    proof = OWN | begin(pharmacist, too_high)
    first = pharmacist.post(address, body | {"proof": proof}, Idempotency_Key="b")
    assert first.status_code == 201, first.content
    request_digest = IdempotentRequest.objects.get(key="b").request_digest
    again = pharmacist.post(address, body | {"proof": proof | {"password": "another"}}, Idempotency_Key="b")
    assert again.status_code == 201 and again.json()["id"] == first.json()["id"]
    assert IdempotentRequest.objects.get(key="b").request_digest == request_digest


def test_a_technicians_password_signs_no_override(technician: Caller, too_high: Prescription) -> None:
    assert technician.sign(f"prescriptions/{too_high.pk}/overrides/", ANSWER | TOO_HIGH).status_code == 403
    assert make.PASSWORD not in str(list(Override.objects.values()))
