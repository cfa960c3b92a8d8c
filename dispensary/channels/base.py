"""The interface of a channel: one message in, one of three answers out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured

STOP_KEY = "9"
"""The key that ends the calls to a number."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, ready to send. `key` is the same for every attempt at it."""

    key: UUID
    to: str
    sender: str
    subject: str
    body: str
    opt_out: str
    stop_url: str = ""
    page_url: str = ""
    """The address of the patient's page; empty where it stands in the body."""
    page_words: str = ""
    """What the page is, before its address."""
    language: str = "en"
    reply_to: str = ""
    """The pharmacy's own address for e-mail; empty where it has recorded none."""
    template: str = ""
    """The name of the approved template that says the same, for a medium that takes no other words; "" for an answer."""
    places: tuple[str, ...] = ()
    """What stands at the template's places, from the first."""
    useful_for: timedelta | None = None
    """The time for which it is of use, from when it is sent; None where that has no end."""
    topic: str = ""
    """For a notification: of two of the same topic the newer takes the place of the older; it tells nothing of the reader."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """For a call: the keys that answer it, each with what is said when it is pressed; `STOP_KEY` ends the calls."""

    @property
    def page(self) -> str:
        """A line with the address of the patient's page; empty without one."""
        return f"{self.page_words} {self.page_url}".strip() if self.page_url else ""

    @property
    def text(self) -> str:
        """Body and opt-out line as one text message."""
        return f"{self.body} {self.opt_out}".strip()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has taken the message. Its id is kept up to 200 characters; receipts report delivery."""

    provider_message_id: str = ""

    def __post_init__(self) -> None:
        message_id = self.provider_message_id
        object.__setattr__(self, "provider_message_id", message_id[:200] if message_id.isprintable() else "")


class Fault(StrEnum):
    """A reason for refusal: a short code without personal data."""

    UNREACHABLE = "provider-unreachable"
    BUSY = "provider-busy"
    LIMITED = "rate-limited"
    BAD_ADDRESS = "address-refused"
    OPTED_OUT = "opted-out-at-provider"
    REJECTED = "message-refused"
    MISCONFIGURED = "channel-misconfigured"
    NO_ANSWER = "answer-lost"


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider has certainly not taken the message: retry later, or never (`permanent`)."""

    fault: Fault
    permanent: bool
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The message was written, but no answer came: a timeout or a broken connection."""

    fault: Fault = Fault.NO_ANSWER


Answer = Accepted | Refused | Unknown


class AfterCrash(StrEnum):
    """The way to settle a message whose answer was lost."""

    SAME_KEY = "same-key"
    """The provider drops a repeated key: send again with the same one."""
    LOOK_UP = "look-up"
    """The provider can be asked by our key."""
    BY_KIND = "by-kind"
    """Neither: repeat messages that matter for safety; a person decides about the others."""


class ReceiptStatus(StrEnum):
    """A delivery status that a provider reports later."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A delivery receipt for a message that we sent."""

    event_id: str
    status: ReceiptStatus
    key: str = ""
    provider_message_id: str = ""
    permanent: bool = False
    opted_out: bool = False
    """Refused because the owner of the number has opted out at the provider."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A message that a patient sent to us."""

    event_id: str
    address: str
    text: str
    answers_message: str = ""
    """The provider's number of our message that it answers, where that is known."""


def is_alphanumeric_sender(sender: object) -> bool:
    """Return True for an alphanumeric sender ID, to which no reply can be sent."""
    return any(sign.isalpha() for sign in str(sender))


def require_text(value: object, longest: int = 2000) -> str:
    """Return text from a webhook that PostgreSQL can store, at most `longest` characters. Raises ValueError."""
    if not isinstance(value, str) or len(value) > longest or "\x00" in value:
        raise ValueError("text expected")
    value.encode()  # raises for half of a surrogate pair
    return value


def require_id(value: object) -> str:
    """Return the id of an event or a message, never empty and never cut: ids tell repeats apart. Raises ValueError."""
    number = require_text(value, 150).strip()
    if not number:
        raise ValueError("a number expected")
    return number


class BadSignature(Exception):
    """A webhook call without a valid signature. `status` is the HTTP status that its provider expects."""

    def __init__(self, error_text: str, status: int = 403) -> None:
        super().__init__(error_text)
        self.status = status


class BadPayload(Exception):
    """A signed webhook call that cannot be parsed. The message says what is missing."""


class Channel(ABC):
    """One way to send a message. One call of `send` is one attempt, without retries."""

    name: ClassVar[str]
    media: ClassVar[tuple[str, ...]] = ("email", "sms")
    """The media that it carries."""
    needed_options: ClassVar[tuple[str, ...]] = ()
    """Options without which no message leaves; a channel that lacks one is refused where it is made."""
    after_crash: AfterCrash = AfterCrash.BY_KIND
    timeout: timedelta = timedelta(seconds=13)
    """The longest that one `send` takes; the lease on the message is longer."""
    confirms_stop: bool = True
    """True where we confirm a STOP, once; False where the provider does."""
    can_fetch_receipt: bool = False
    """True where `fetch_receipt` can ask for a receipt that never came."""
    takes_replies: bool = True
    """True where a patient's reply reaches us; otherwise messages do not offer "reply STOP"."""
    unread_hours: int = 0
    """Hours after which a message that matters for safety goes to the next address unless a receipt came, where the setting
    `receipt_hours` has none; 0: it waits for a receipt that says so."""
    answers_in_call: bool = False
    """True where whoever answers by a key hears at once what follows from it; no message answers them."""
    webhook_response: tuple[str, str] = ("application/json", "")
    """Content type and body of the response to a webhook call; an empty body stands for the number of events."""
    webhook_status: int = 200
    """HTTP status of that response, where the provider expects another 2xx."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options
        for option in self.needed_options:
            if not options[option]:
                raise KeyError(option)
        if not isinstance(options.get("opt_out", {}), Mapping):
            raise ImproperlyConfigured(
                f"channel_options of {self.name!r}: opt_out is a sentence for each language, such as {{'en': 'To stop, ...'}}"
            )
        if options.get("takes_replies") is False:
            self.takes_replies = False

    def opt_out_line(self, language: str, words: str) -> str:
        """Return the opt-out sentence: the site's (option `opt_out`, by language), else `words`."""
        return str(self.options.get("opt_out", {}).get(language) or words)

    @abstractmethod
    def send(self, message: Message) -> Answer:
        """Send one message. Never raises: every outcome is an answer."""

    def look_up(self, key: UUID) -> Answer | None:
        """Look up the message with this key; None while the provider cannot say. Only where `after_crash` is LOOK_UP."""
        raise LookupError(f"{self.name} has no look-up by key: {key}")

    def fetch_receipt(self, provider_message_id: str) -> Receipt | None:
        """Fetch the receipt of an accepted message; None while it is on its way. Only where `can_fetch_receipt`.

        Raises LookupError when the provider gives no answer now.
        """
        raise LookupError(f"{self.name} has no receipts to fetch")

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: float) -> list[Receipt | Reply]:
        """Verify the signature of the raw body, then parse it. Raises BadSignature, BadPayload."""
        raise BadSignature(f"{self.name} takes no webhook calls")

    def answer_webhook(
        self, headers: Mapping[str, str], query: str, body: bytes, now: float
    ) -> tuple[list[Receipt | Reply], str]:
        """Return the events of a webhook call and the body of its response. Raises BadSignature, BadPayload."""
        return self.read_webhook(headers, body, now), self.webhook_response[1]

    def close(self) -> None:  # noqa: B027  (most channels keep nothing open)
        """Close a connection that is kept between messages."""
