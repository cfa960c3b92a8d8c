"""The limit of requests over REST of somebody who came with a session."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from dispensary.models import AccessToken
from dispensary.request_limit import MINUTE, is_too_often


class SessionThrottle(BaseThrottle):
    """The limit of requests of somebody who came with a session; a token has a limit of its own."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Return whether this request is within the limit."""
        return isinstance(request.auth, AccessToken) or not is_too_often(request.user.pk)

    def wait(self) -> float:
        """Return the seconds after which the caller may try again."""
        return MINUTE
