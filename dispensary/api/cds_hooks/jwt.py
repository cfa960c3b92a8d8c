"""Sign-in of a CDS client by the JWT that CDS Hooks prescribes: `Authorization: Bearer ...`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import jwt
from django.contrib.auth import get_user_model
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from dispensary.actions.idempotency import digest_of, use_once
from dispensary.clock import read_clock
from dispensary.conf import conf
from dispensary.models import StaffMember

SCHEME: Final = "Bearer"
ALGORITHMS: Final = ["ES384", "RS384"]
LONGEST_LIFE: Final = timedelta(hours=1)
"""[D] A token of one call lives minutes; one that lives longer could be used again after its `jti` was forgotten."""


class HookAuthentication(BaseAuthentication):
    """Authentication by a token that a listed client signed with its own key, for this address, used once.

    The client acts as the service account of its entry in the setting `cds_clients`: `{issuer: {"user": name, "keys": key set}}`, where
    the key set is a JWKS or the path of one. Addresses of key sets (`jku`) are never fetched.
    """

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        """Return the client's user; None for another scheme. Raises `AuthenticationFailed`."""
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != SCHEME.lower().encode():
            return None
        text = words[1].decode(errors="replace") if len(words) == 2 else ""
        try:
            header = jwt.get_unverified_header(text)
            issuer = str(jwt.decode(text, options={"verify_signature": False}).get("iss", ""))
            client = conf().cds_clients.get(issuer)
            if client is None:
                raise AuthenticationFailed("The client of this token is not listed here.")
            claims = jwt.decode(
                text,
                _find_key(client, str(header.get("kid", ""))),
                algorithms=ALGORITHMS,
                audience=request.build_absolute_uri(request.path),
                issuer=issuer,
                leeway=30,
                options={"require": ["exp", "iat", "jti", "aud", "iss"]},
            )
        except jwt.InvalidTokenError as error:
            raise AuthenticationFailed(f"The token cannot be believed: {error}.") from error
        if claims["exp"] - claims["iat"] > LONGEST_LIFE.total_seconds():
            raise AuthenticationFailed("The token lives longer than an hour.")
        name = {f"user__{get_user_model().USERNAME_FIELD}": client["user"], "user__is_active": True}
        member = StaffMember.objects.filter(active=True, is_service=True, **name).select_related("user").first()
        if member is None:
            raise AuthenticationFailed("The client has no service account that is in use.")
        digest = digest_of(issuer.encode(), str(claims["jti"]).encode())
        if not use_once(pharmacy_id=member.pharmacy_id, by=member.actor(), key=digest, now=read_clock()):
            raise AuthenticationFailed("The token was used before.")
        return member.user, None

    def authenticate_header(self, request: Request) -> str:
        """Return the scheme that a 401 names."""
        return SCHEME


def read_keys(client: Mapping[str, Any]) -> list[jwt.PyJWK]:
    """Return the public keys of an entry of `cds_clients`."""
    keys = client["keys"]
    key_set = json.loads(Path(keys).read_text()) if isinstance(keys, str | Path) else keys
    return jwt.PyJWKSet.from_dict(dict(key_set)).keys


def _find_key(client: Mapping[str, Any], key_id: str) -> jwt.PyJWK:
    for key in read_keys(client):
        if key.key_id == key_id:
            return key
    raise AuthenticationFailed("The token names no key of its client.")
