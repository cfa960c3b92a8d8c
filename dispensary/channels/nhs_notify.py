"""Text messages through NHS Notify, which has a REST API and no client library (the extra `nhs-notify`).

NHS Notify finds people by their NHS number, which a message here does not carry. It lets a service name the number to text
instead only after its onboarding team has agreed to that, so this channel refuses to be set up until the site says that
they have. Our key goes out as `messageReference`, by which NHS Notify drops repeats for 16 months: after a lost answer the
same message is sent again. Our words leave through the global routing plan for free text, whose whole body they are.

A patient cannot reply: NHS Notify passes on no text messages. Callbacks report delivery; they carry an API key and an HMAC
of the body, without a time: a replayed one is recognised by its idempotency key.

https://digital.nhs.uk/developer/api-catalogue/nhs-notify; authorisation:
https://digital.nhs.uk/developer/guides-and-documentation/security-and-authorisation
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import jwt
import requests
from django.core.exceptions import ImproperlyConfigured

from dispensary.channels.base import (
    Accepted,
    AfterCrash,
    Answer,
    BadPayload,
    BadSignature,
    Channel,
    Fault,
    Message,
    Receipt,
    ReceiptStatus,
    Refused,
    Reply,
    Unknown,
    require_id,
    require_text,
)
from dispensary.channels.http_answers import (
    CONNECT_SECONDS,
    READ_SECONDS,
    answer_for_connection_error,
    answer_for_status,
    parse_retry_after,
)

FREE_TEXT = "00000000-0000-0000-0000-000000000003"
"""The global routing plan for one text message in the sender's words."""
ASSERTION_SECONDS = 300  # the longest that the authorisation server takes
RENEW_SECONDS = 60  # before the end of an access token
MIN_KEY_LENGTH = 20
_JSON = "application/vnd.api+json"
_MISCONFIGURED = frozenset({"CM_CANNOT_SET_CONTACT_DETAILS", "CM_ODS_CODE_REQUIRED", "CM_CANNOT_SET_ODS_CODE"})
_STATUSES = {"delivered": ReceiptStatus.DELIVERED, "failed": ReceiptStatus.UNDELIVERED}


class NhsNotify(Channel):
    """Options: `api_key`, `key_id`, `private_key` (PEM); `contact_details_agreed`.

    For callbacks `application_id`, `callback_api_key`. Where they differ: `base_url`, `routing_plan_id`, `placeholder`,
    `ods_code`, `read`.
    """

    name = "nhs_notify"
    needed_options = ("api_key", "key_id", "private_key")
    after_crash = AfterCrash.SAME_KEY
    timeout = timedelta(
        seconds=2 * (CONNECT_SECONDS + READ_SECONDS)
    )  # one call for the access token, one for the message
    confirms_stop = False
    takes_replies = False
    can_fetch_receipt = True
    webhook_status = 202

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        _check_options(options)
        self._base_url = str(options.get("base_url", "https://api.service.nhs.uk")).rstrip("/")
        self._timeouts = (CONNECT_SECONDS, float(options.get("read", READ_SECONDS)))
        self._session = requests.Session()
        self._token, self._token_expires = "", 0.0

    def send(self, message: Message) -> Answer:
        refused = self._authorise()
        if refused is not None:
            return refused
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": _JSON,
            "Content-Type": _JSON,
            "X-Correlation-Id": str(message.key),
        }
        try:
            answer = self._post("/comms/v1/messages", headers=headers, json=self._request_body(message))
        except requests.exceptions.RequestException as error:
            return answer_for_connection_error(error)
        if answer.status_code == 401:
            self._token = ""  # withdrawn before its time: the next attempt asks for another
        return _parse_answer(answer)

    def fetch_receipt(self, provider_message_id: str) -> Receipt | None:
        if self._authorise() is not None:
            raise LookupError("no access token")
        url = f"{self._base_url}/comms/v1/messages/{quote(provider_message_id, safe='')}"
        headers = {"Authorization": f"Bearer {self._token}", "Accept": _JSON}
        try:
            answer = self._session.get(url, headers=headers, timeout=self._timeouts, allow_redirects=False)
            answer.raise_for_status()
            facts = answer.json()["data"]["attributes"]
            status = _STATUSES.get(require_text(facts["messageStatus"]))
        except (requests.exceptions.RequestException, ValueError, KeyError, TypeError) as error:
            raise LookupError("no answer") from error
        if status is None:
            return None
        return Receipt(f"asked:{provider_message_id}:{status}", status, "", provider_message_id)

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: float) -> list[Receipt | Reply]:
        key, application = str(self.options.get("callback_api_key", "")), str(self.options.get("application_id", ""))
        if len(key) < MIN_KEY_LENGTH or not application:
            raise BadSignature(
                f"application_id or callback_api_key is not set, or shorter than {MIN_KEY_LENGTH} characters"
            )
        if not hmac.compare_digest(key.encode(), headers.get("x-api-key", "").encode()):
            raise BadSignature("the API key does not fit", status=401)
        expected = hmac.new(f"{application}.{key}".encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), headers.get("x-hmac-sha256-signature", "").encode()):
            raise BadSignature("the signature does not fit")
        try:
            return [receipt for item in json.loads(body)["data"] for receipt in _parse_receipts(item)]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BadPayload(f"a callback could not be read: {type(error).__name__}") from error

    def close(self) -> None:
        self._session.close()

    def _authorise(self) -> Refused | None:
        """Fetch an access token where there is none. A Refused answer here means that no message was sent."""
        if self._token and time.monotonic() < self._token_expires:
            return None
        token_url, api_key, now = f"{self._base_url}/oauth2/token", self.options["api_key"], int(time.time())
        claims = {
            "iss": api_key,
            "sub": api_key,
            "aud": token_url,
            "jti": str(uuid.uuid4()),
            "exp": now + ASSERTION_SECONDS,
        }
        assertion = jwt.encode(
            claims, self.options["private_key"], algorithm="RS512", headers={"kid": self.options["key_id"]}
        )
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
        try:
            answer = self._post("/oauth2/token", data=form)
        except requests.exceptions.RequestException:
            return Refused(Fault.UNREACHABLE, permanent=False)
        if answer.status_code != 200:
            return _refuse_token(answer)
        try:
            token = answer.json()
            self._token, lasts = str(token["access_token"]), float(token["expires_in"])
        except (ValueError, TypeError, KeyError):
            return Refused(Fault.BUSY, permanent=False)
        self._token_expires = time.monotonic() + lasts - RENEW_SECONDS
        return None

    def _post(self, path: str, **request_kwargs: Any) -> requests.Response:
        return self._session.post(
            self._base_url + path, timeout=self._timeouts, allow_redirects=False, **request_kwargs
        )

    def _request_body(self, message: Message) -> dict[str, Any]:
        attributes: dict[str, Any] = {
            "routingPlanId": self.options.get("routing_plan_id", FREE_TEXT),
            "messageReference": str(message.key),
            "recipient": {"contactDetails": {"sms": message.to.removeprefix("+")}},
            "personalisation": {self.options.get("placeholder", "sms_body"): message.text},
        }
        if "ods_code" in self.options:
            attributes["originator"] = {"odsCode": self.options["ods_code"]}
        return {"data": {"type": "Message", "attributes": attributes}}


def _check_options(options: Mapping[str, Any]) -> None:
    """Raise ImproperlyConfigured for options with which NHS Notify would never send."""
    if options.get("contact_details_agreed") is not True:
        raise ImproperlyConfigured(
            "channel_options of 'nhs_notify': NHS Notify looks people up by their NHS number, which messages here do not "
            "carry. Ask its onboarding team to let you give mobile numbers without one; when they have agreed, set "
            "contact_details_agreed to True"
        )
    try:
        jwt.encode({}, options["private_key"], algorithm="RS512", headers={"kid": options["key_id"]})
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise ImproperlyConfigured("channel_options of 'nhs_notify': private_key is no RSA key in PEM") from error


def _refuse_token(response: requests.Response) -> Refused:
    if response.status_code == 429 or response.status_code >= 500:
        fault = Fault.LIMITED if response.status_code == 429 else Fault.BUSY
        return Refused(fault, permanent=False, retry_after=parse_retry_after(response.headers.get("Retry-After")))
    return Refused(Fault.MISCONFIGURED, permanent=False)


def _parse_answer(response: requests.Response) -> Answer:
    try:
        payload = response.json()
        errors = payload.get("errors") or []
        if response.status_code == 201:
            return Accepted(str(payload["data"]["id"])[:200])
        codes = {(str(error.get("code")), str((error.get("source") or {}).get("pointer"))) for error in errors}
    except (ValueError, TypeError, KeyError, AttributeError):
        codes = set()
    if response.status_code == 422 and any(
        code == "CM_DUPLICATE_REQUEST" for code, _ in codes
    ):  # it has this key already
        return Accepted()
    if response.status_code in {201, 408, 425}:  # 425: the same message is still being taken in
        return Unknown()
    if response.status_code == 400:
        return _refusal_for(codes)
    return answer_for_status(response.status_code, response.headers.get("Retry-After"))


def _refusal_for(codes: set[tuple[str, str]]) -> Refused:
    """Map the error codes of a refused request, each with its JSON pointer, to a fault of account, number or text."""
    if any(code in _MISCONFIGURED or pointer.endswith("/nhsNumber") for code, pointer in codes):
        return Refused(Fault.MISCONFIGURED, permanent=False)
    wrong_number = any("/contactDetails" in pointer for _, pointer in codes)
    return Refused(Fault.BAD_ADDRESS if wrong_number else Fault.REJECTED, permanent=True)


def _parse_receipts(item: Mapping[str, Any]) -> list[Receipt | Reply]:
    """Parse one item of a callback: the message or its text-message channel, once delivered or failed."""
    facts, event = item["attributes"], require_id(item["meta"]["idempotencyKey"])
    of_channel = item["type"] == "ChannelStatus"
    if item["type"] not in {"MessageStatus", "ChannelStatus"} or (of_channel and facts["channel"] != "sms"):
        return []
    status = _STATUSES.get(require_text(facts["channelStatus" if of_channel else "messageStatus"]))
    if status is None:
        return []
    return [
        Receipt(
            event_id=event,
            status=status,
            key=require_text(facts["messageReference"], 200),
            provider_message_id=require_text(facts["messageId"], 200),
            permanent=status is ReceiptStatus.UNDELIVERED and facts.get("supplierStatus") == "permanent_failure",
        )
    ]


CHANNEL = NhsNotify
