"""Push subscriptions of browsers, as addresses: what a browser gives to the page that asks to send it messages.

https://www.w3.org/TR/push-api/#dom-pushsubscription-tojson
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

PUSH_SERVICES = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "push.apple.com",
    "notify.windows.com",
)
"""The hosts of the push services of Chrome, Firefox, Safari and Edge; a name stands for those below it, too."""
_LONGEST_ENDPOINT = 1000
_ENDPOINT = re.compile(r"https://(?P<host>[a-z0-9.-]+(:[0-9]{1,5})?)/[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a browser's push service takes messages, the browser's public key (65 bytes) and its secret (16 bytes)."""

    endpoint: str
    public_key: bytes
    secret: bytes

    @property
    def origin(self) -> str:
        """The push service: scheme and host of the endpoint."""
        return self.endpoint[: self.endpoint.index("/", len("https://"))]

    @property
    def address(self) -> str:
        """The subscription in its one spelling."""
        keys = {"auth": encode_base64url(self.secret), "p256dh": encode_base64url(self.public_key)}
        return json.dumps({"endpoint": self.endpoint, "keys": keys}, separators=(",", ":"))


def parse_subscription(text: str, services: Collection[str] = PUSH_SERVICES) -> Subscription:
    """Parse a subscription at one of these push services. Raises ValueError, never showing what was given.

    A host that is not listed is refused: the endpoint comes from whoever has the page, and we send to it.
    """
    try:
        fields: Any = json.loads(text)
        endpoint, keys = fields["endpoint"], fields["keys"]
        public_key, secret = _decode_base64url(keys["p256dh"]), _decode_base64url(keys["auth"])
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
        match = _ENDPOINT.fullmatch(endpoint)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("no push subscription") from error
    if match is None or len(endpoint) > _LONGEST_ENDPOINT or len(public_key) != 65 or len(secret) != 16:
        raise ValueError("no push subscription")
    host = match["host"].removesuffix(":443")
    if not any(host == service or host.endswith(f".{service}") for service in services):
        raise ValueError("an unknown push service")
    return Subscription(endpoint, public_key, secret)


def encode_base64url(content: bytes) -> str:
    """Return bytes in base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode_base64url(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
