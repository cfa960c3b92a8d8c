"""The fresh proof of a person in a body: for a signature, and for what no token does alone."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from dispensary.actions import idempotency, signatures
from dispensary.actors import Actor
from dispensary.api.access import is_session
from dispensary.api.serializers.staff import InPerson
from dispensary.api.views.base import BaseView
from dispensary.models import SignatureMethod
from dispensary.models.review import Reviewed
from dispensary.proof import prove


def read_signature(view: BaseView, body: dict[str, Any], subject: Reviewed | None, by: Actor) -> dict[str, Any]:
    """Take `proof` out of a checked body and verify it; return `signature`, `digest` and `nonce` for each answer.

    A wrong proof is counted here, outside the transaction of the request. A repeated request, which gets its first answer again, is not asked to
    prove anything again: a code and a nonce are used up. Raises `NotProven`, and `Stale` where no signature of this person for these answers is open.
    """
    evidence: dict[str, Any] | None = body.pop("proof", None)
    if evidence is None:
        return {"signature": SignatureMethod.SIGNED_IN if is_session(view.request) else SignatureMethod.TOKEN}
    digest, nonce = evidence["digest"], evidence["nonce"]
    if idempotency.is_answered(by=by, key=view.request.headers.get("Idempotency-Key", "")):
        return {"signature": SignatureMethod.PASSWORD, "digest": digest}
    begun = signatures.find_begun(nonce=nonce, subject=subject, shown=digest, by=by, now=view.now)
    typed = {name: evidence.get(name, "") for name in ("password", "code")}
    if "passkey" in evidence:
        typed["passkey"] = json.dumps(evidence["passkey"])
    proof = prove(view.request._request, view.request.user, signatures.seal(begun), typed, by=by, now=view.now)
    return {"signature": proof.method, "digest": digest, "nonce": nonce}


def authorize_in_person(
    view: BaseView, shape: type[InPerson], pharmacy_id: UUID | None = None
) -> tuple[Actor, dict[str, Any]]:
    """Return the actor of a change that no token makes alone, and the checked body without its proof.

    Raises `NotAllowed` where the person may not, or the token is narrowed to some scopes; `NotProven`.
    """
    by = view.authorize(pharmacy_id, in_person=True)
    body = view.parse_body(shape)
    digest = idempotency.digest_of(str(view.request.method).encode(), view.request.path.encode())
    prove(view.request._request, view.request.user, digest, body.pop("proof"), by=by, now=view.now)
    return by, body
