"""Text messages through NHS Notify, which has a REST API and no client library (the extra `nhs-notify`).

NHS Notify finds people by their NHS number, which a message here does not carry. It lets a service name the number to text
instead only after its onboarding team has agreed to that, so this channel refuses to be set up until the site says that
they have. Our key goes out as `messageReference`, by which NHS Notify drops repeats for 16 months: after a lost answer the
same message is sent again. Our words leave through the global routing plan for free text, whose whole body they are.

A patient cannot answer: NHS Notify passes on no text message, so that "reply STOP" would be an empty promise. Callbacks tell what became of a message; they carry an API key and an HMAC of
the body, without a time: one that is played back is recognised by its idempotency key.

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
    id_of,
    text_of,
)
from dispensary.channels.over_http import CONNECT_SECONDS, READ_SECONDS, of_broken_line, of_status, seconds_of

FREE_TEXT = "00000000-0000-0000-0000-000000000003"
"""The global routing plan for one text message in the sender's words."""
ASSERTION_SECONDS = 300  # the longest that the authorisation server takes
RENEW_SECONDS = 60  # before the end of an access token
SHORTEST_KEY = 20
_JSON = "application/vnd.api+json"
_SET_UP_WRONG = frozenset({"CM_CANNOT_SET_CONTACT_DETAILS", "CM_ODS_CODE_REQUIRED", "CM_CANNOT_SET_ODS_CODE"})
_STATUSES = {"delivered": ReceiptStatus.DELIVERED, "failed": ReceiptStatus.UNDELIVERED}


class NhsNotify(Channel):
    """Options: `api_key`, `key_id`, `private_key` (PEM); `contact_details_agreed`.

    For callbacks `application_id`, `callback_api_key`. Where they differ: `base_url`, `routing_plan_id`, `placeholder`,
    `ods_code`, `read`.
    """

    name = "nhs_notify"
    after_crash = AfterCrash.SAME_KEY
    timeout = timedelta(
        seconds=2 * (CONNECT_SECONDS + READ_SECONDS)
    )  # one call for the access token, one for the message
    confirms_stop = False
    takes_replies = False
    can_be_asked = True
    webhook_status = 202

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        _check(options)
        self._base_url = str(options.get("base_url", "https://api.service.nhs.uk")).rstrip("/")
        self._patience = (CONNECT_SECONDS, float(options.get("read", READ_SECONDS)))
        self._line = requests.Session()
        self._token, self._good_until = "", 0.0

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
            answer = self._post("/comms/v1/messages", headers=headers, json=self._letter(message))
        except requests.exceptions.RequestException as error:
            return of_broken_line(error)
        if answer.status_code == 401:
            self._token = ""  # withdrawn before its time: the next attempt asks for another
        return _answer(answer)

    def ask(self, provider_message_id: str) -> Receipt | None:
        if self._authorise() is not None:
            raise LookupError("no access token")
        where = f"{self._base_url}/comms/v1/messages/{quote(provider_message_id, safe='')}"
        headers = {"Authorization": f"Bearer {self._token}", "Accept": _JSON}
        try:
            answer = self._line.get(where, headers=headers, timeout=self._patience, allow_redirects=False)
            answer.raise_for_status()
            facts = answer.json()["data"]["attributes"]
            status = _STATUSES.get(text_of(facts["messageStatus"]))
        except (requests.exceptions.RequestException, ValueError, KeyError, TypeError) as error:
            raise LookupError("no answer") from error
        if status is None:
            return None
        return Receipt(f"asked:{provider_message_id}:{status}", status, "", provider_message_id)

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: float) -> list[Receipt | Reply]:
        key, application = str(self.options.get("callback_api_key", "")), str(self.options.get("application_id", ""))
        if len(key) < SHORTEST_KEY or not application:
            raise BadSignature(
                f"application_id or callback_api_key is not set, or shorter than {SHORTEST_KEY} characters"
            )
        if not hmac.compare_digest(key.encode(), headers.get("x-api-key", "").encode()):
            raise BadSignature("the API key does not fit", status=401)
        expected = hmac.new(f"{application}.{key}".encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), headers.get("x-hmac-sha256-signature", "").encode()):
            raise BadSignature("the signature does not fit")
        try:
            return [receipt for each in json.loads(body)["data"] for receipt in _receipts(each)]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BadPayload(f"a callback could not be read: {type(error).__name__}") from error

    def close(self) -> None:
        self._line.close()

    def _authorise(self) -> Refused | None:
        """See to it that there is an access token. Whatever goes wrong here, the message has not been handed over."""
        if self._token and time.monotonic() < self._good_until:
            return None
        where, who, now = f"{self._base_url}/oauth2/token", self.options["api_key"], int(time.time())
        claims = {"iss": who, "sub": who, "aud": where, "jti": str(uuid.uuid4()), "exp": now + ASSERTION_SECONDS}
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
            return _no_token(answer)
        try:
            told = answer.json()
            self._token, lasts = str(told["access_token"]), float(told["expires_in"])
        except (ValueError, TypeError, KeyError):
            return Refused(Fault.BUSY, permanent=False)
        self._good_until = time.monotonic() + lasts - RENEW_SECONDS
        return None

    def _post(self, path: str, **what: Any) -> requests.Response:
        return self._line.post(self._base_url + path, timeout=self._patience, allow_redirects=False, **what)

    def _letter(self, message: Message) -> dict[str, Any]:
        attributes: dict[str, Any] = {
            "routingPlanId": self.options.get("routing_plan_id", FREE_TEXT),
            "messageReference": str(message.key),
            "recipient": {"contactDetails": {"sms": message.to.removeprefix("+")}},
            "personalisation": {self.options.get("placeholder", "sms_body"): message.text},
        }
        if "ods_code" in self.options:
            attributes["originator"] = {"odsCode": self.options["ods_code"]}
        return {"data": {"type": "Message", "attributes": attributes}}


def _check(options: Mapping[str, Any]) -> None:
    """Raise ImproperlyConfigured, in a sentence, for what NHS Notify would never send."""
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


def _no_token(answer: requests.Response) -> Refused:
    if answer.status_code == 429 or answer.status_code >= 500:
        fault = Fault.LIMITED if answer.status_code == 429 else Fault.BUSY
        return Refused(fault, permanent=False, retry_after=seconds_of(answer.headers.get("Retry-After")))
    return Refused(Fault.MISCONFIGURED, permanent=False)


def _answer(answer: requests.Response) -> Answer:
    try:
        told = answer.json()
        errors = told.get("errors") or []
        if answer.status_code == 201:
            return Accepted(str(told["data"]["id"])[:200])
        codes = {(str(each.get("code")), str((each.get("source") or {}).get("pointer"))) for each in errors}
    except (ValueError, TypeError, KeyError, AttributeError):
        codes = set()
    if answer.status_code == 422 and any(
        code == "CM_DUPLICATE_REQUEST" for code, _ in codes
    ):  # it has this key already
        return Accepted()
    if answer.status_code in {201, 408, 425}:  # 425: the same message is still being taken in
        return Unknown()
    if answer.status_code == 400:
        return _of_codes(codes)
    return of_status(answer.status_code, answer.headers.get("Retry-After"))


def _of_codes(codes: set[tuple[str, str]]) -> Refused:
    """What a refused request says about the number, the words or the account; codes with the place that each points at."""
    if any(code in _SET_UP_WRONG or place.endswith("/nhsNumber") for code, place in codes):
        return Refused(Fault.MISCONFIGURED, permanent=False)
    wrong_number = any("/contactDetails" in place for _, place in codes)
    return Refused(Fault.BAD_ADDRESS if wrong_number else Fault.REJECTED, permanent=True)


def _receipts(told: Mapping[str, Any]) -> list[Receipt | Reply]:
    """One item of a callback: the whole message or its text-message channel, once it has arrived or failed."""
    facts, event = told["attributes"], id_of(told["meta"]["idempotencyKey"])
    of_channel = told["type"] == "ChannelStatus"
    if told["type"] not in {"MessageStatus", "ChannelStatus"} or (of_channel and facts["channel"] != "sms"):
        return []
    status = _STATUSES.get(text_of(facts["channelStatus" if of_channel else "messageStatus"]))
    if status is None:
        return []
    return [
        Receipt(
            event_id=event,
            status=status,
            key=text_of(facts["messageReference"], 200),
            provider_message_id=text_of(facts["messageId"], 200),
            permanent=status is ReceiptStatus.UNDELIVERED and facts.get("supplierStatus") == "permanent_failure",
        )
    ]


CHANNEL = NhsNotify
