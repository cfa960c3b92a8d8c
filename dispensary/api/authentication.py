"""Sign-in to the API: the ways that the site allows, and the one of a program by its API token, `Authorization: Token …`."""

from __future__ import annotations

from typing import Any

from django.utils.module_loading import import_string
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from dispensary.actions import tokens
from dispensary.conf import conf
from dispensary.models import AccessToken
from dispensary.request_limit import MINUTE

SCHEME = "Token"


def site_authentication() -> list[type[BaseAuthentication]]:
    """Return the ways to sign in to the API that the site allows. Raises ImportError for a name that is none."""
    return [import_string(name) for name in conf().api_authentication]


class TokenAuthentication(BaseAuthentication):
    """Authentication by an API token; `request.auth` is then its `AccessToken`."""

    def authenticate(self, request: Request) -> tuple[Any, AccessToken] | None:
        """Return the owner and the token; None for another scheme.

        Raises `AuthenticationFailed` for a token that does not work, `Throttled` for one that is used too often.
        """
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != SCHEME.lower().encode():
            return None
        token = tokens.use(words[1].decode(errors="replace")) if len(words) == 2 else None
        if token is None or not token.user.is_active:
            raise AuthenticationFailed("The token is unknown, has expired or was revoked. Have another one issued.")
        if token.uses > conf().token_requests_a_minute:
            raise Throttled(MINUTE)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Return the scheme that a 401 names."""
        return SCHEME


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its base registers subclasses untyped
    """The scheme in the OpenAPI document."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the header that carries the token."""
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Token …`"}
