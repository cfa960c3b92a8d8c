"""The signature of a request: a fresh proof of the person in its body, or how the caller is signed in."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import SessionAuthentication

from dispensary.actions import idempotency
from dispensary.actors import Actor
from dispensary.api.views.base import BaseView
from dispensary.models import SignatureMethod
from dispensary.proof import person_proof


def read_signature(view: BaseView, body: dict[str, Any], by: Actor) -> dict[str, Any]:
    """Take `proof` out of a checked body and verify it; return `signature`, and the `digest` that it is for, for each answer.

    A wrong password is counted here, outside the transaction of the request. A repeated request, which gets its first answer again, is not asked to
    prove anything again: a code is used up. Raises `NotProven`.
    """
    evidence: dict[str, str] | None = body.pop("proof", None)
    if evidence is None:
        is_session = isinstance(view.request.successful_authenticator, SessionAuthentication)
        return {"signature": SignatureMethod.SIGNED_IN if is_session else SignatureMethod.TOKEN}
    digest = evidence.get("digest", "")
    if idempotency.is_answered(by=by, key=view.request.headers.get("Idempotency-Key", "")):
        return {"signature": SignatureMethod.PASSWORD, "digest": digest}
    proof = person_proof().verify(view.request._request, view.request.user, digest, evidence, view.now)
    return {"signature": proof.method, "digest": proof.digest}
