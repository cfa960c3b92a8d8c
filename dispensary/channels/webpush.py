"""Web push (the extra `webpush`): an encrypted notification to a browser that its owner has switched on at the patient's page.

The message is encrypted for the browser (RFC 8188, RFC 8291) and handed to the browser's push service (RFC 8030), to which we
sign in with the site's own key (RFC 8292). The service holds it no longer than it is useful, and a newer one of the same topic
takes its place. That it was taken does not say that anybody has read it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import http_ece
import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from django.core.exceptions import ImproperlyConfigured

from dispensary.channels.base import Accepted, Answer, Channel, Fault, Message, Refused
from dispensary.channels.http_answers import (
    CONNECT_SECONDS,
    READ_SECONDS,
    answer_for_connection_error,
    answer_for_status,
)
from dispensary.channels.subscriptions import PUSH_SERVICES, Subscription, encode_base64url, parse_subscription

_LONGEST = timedelta(days=28)
"""A push service may shorten what is longer."""
_TOKEN_SECONDS = 12 * 3600  # RFC 8292 allows 24 hours

logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)  # its DEBUG lines hold the path: the address


class WebPush(Channel):
    """Options: `private_key`, of the curve P-256 in PEM; `subject`, a mailto: or https: address of the site for the push services.

    `services`: hosts of push services in place of `PUSH_SERVICES`; `connect` and `read` seconds.
    """

    name = "webpush"
    media: ClassVar[tuple[str, ...]] = ("push",)
    needed_options: ClassVar[tuple[str, ...]] = ("private_key", "subject")
    takes_replies = False
    unread_hours = 2

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._private_key = _load_key(str(options["private_key"]))
        self.public_key = encode_base64url(
            self._private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        )
        if not str(options["subject"]).startswith(("mailto:", "https://")):
            raise ImproperlyConfigured(
                "channel_options of 'webpush': subject is a mailto: or https:// address at which push services reach the site"
            )
        self._services = options.get("services", PUSH_SERVICES)
        self._seconds = float(options.get("connect", CONNECT_SECONDS)), float(options.get("read", READ_SECONDS))
        self.timeout = timedelta(seconds=sum(self._seconds))

    def send(self, message: Message) -> Answer:
        try:
            subscription = parse_subscription(message.to, self._services)
        except ValueError:
            return Refused(Fault.BAD_ADDRESS, permanent=True)
        try:
            with requests.post(
                subscription.endpoint,
                data=_encrypt(message, subscription),
                headers=self._headers(message, subscription),
                timeout=self._seconds,
                allow_redirects=False,
                stream=True,  # no service's answer is read beyond its headers
            ) as response:
                status, retry_after = response.status_code, response.headers.get("Retry-After")
        except requests.exceptions.RequestException as error:
            return answer_for_connection_error(error)
        if status in {200, 201, 202}:
            return Accepted(str(message.key))
        if status in {404, 410}:  # the browser's owner has ended it, or the browser is gone
            return Refused(Fault.BAD_ADDRESS, permanent=True)
        return answer_for_status(status, retry_after)

    def _headers(self, message: Message, subscription: Subscription) -> dict[str, str]:
        claims = {
            "aud": subscription.origin,
            "exp": int(time.time()) + _TOKEN_SECONDS,
            "sub": self.options["subject"],
        }
        token = jwt.encode(claims, self._private_key, algorithm="ES256")
        useful_for = _LONGEST if message.useful_for is None else min(message.useful_for, _LONGEST)
        headers = {
            "Authorization": f"vapid t={token}, k={self.public_key}",
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(max(int(useful_for.total_seconds()), 0)),
            "Urgency": "high",
        }
        return headers | ({"Topic": message.topic} if message.topic else {})


def _encrypt(message: Message, subscription: Subscription) -> bytes:
    """Return what the browser's service worker reads: heading, words, language and the page that it opens."""
    notification = {
        "title": message.subject,
        "body": message.body,
        "language": message.language,
        "topic": message.topic,
        "key": str(message.key),
        "page": message.page_url.rpartition("/")[2],
    }
    encrypted: bytes = http_ece.encrypt(
        json.dumps(notification, ensure_ascii=False).encode(),
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=subscription.public_key,
        auth_secret=subscription.secret,
    )
    return encrypted


def _load_key(pem: str) -> ec.EllipticCurvePrivateKey:
    """Load the site's key. Raises ImproperlyConfigured."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise ImproperlyConfigured("channel_options of 'webpush': private_key is no private key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ImproperlyConfigured("channel_options of 'webpush': private_key is not of the curve P-256 (prime256v1)")
    return key


CHANNEL = WebPush
