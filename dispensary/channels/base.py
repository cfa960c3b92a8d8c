"""What every channel speaks: one message in, one of three answers out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class Message:
    """One message, ready to leave. `key` is equal for every attempt at the same intent."""

    key: UUID
    to: str
    sender: str
    subject: str
    body: str
    opt_out: str
    stop_url: str = ""
    page: str = ""  # a line with the address of the patient's page
    language: str = "en"

    @property
    def text(self) -> str:
        """Body and opt-out line as one text message."""
        return f"{self.body} {self.opt_out}".strip()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has it. What happens after that is told by receipts. Its number is kept as far as a column takes it."""

    provider_message_id: str = ""

    def __post_init__(self) -> None:
        told = self.provider_message_id
        object.__setattr__(self, "provider_message_id", told[:200] if told.isprintable() else "")


class Fault(StrEnum):
    """Why it was not taken, as a short code that names nobody."""

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
    """The provider certainly does not have it: try later, or never again."""

    fault: Fault
    permanent: bool
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """It was handed over, but whether it was taken is not known: a timeout or a cut line after the words were written."""

    fault: Fault = Fault.NO_ANSWER


Answer = Accepted | Refused | Unknown


class AfterCrash(StrEnum):
    """How to find out, or not need to find out, what became of a message whose answer was lost."""

    SAME_KEY = "same-key"
    """The provider refuses or folds a repeated key: send again with it."""
    LOOK_UP = "look-up"
    """The provider can be asked by our key."""
    BY_KIND = "by-kind"
    """Neither: repeat what matters for safety, leave a nudge to a person."""


class ReceiptStatus(StrEnum):
    """What a provider may tell later."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


@dataclass(frozen=True, slots=True)
class Receipt:
    """News of a message that we sent."""

    event_id: str
    status: ReceiptStatus
    key: str = ""
    provider_message_id: str = ""
    permanent: bool = False
    opted_out: bool = False
    """Not taken because its owner has told the provider to stop us."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A message that somebody sent to us."""

    event_id: str
    address: str
    text: str


def is_a_name(sender: object) -> bool:
    """Is this sender of text messages a name instead of a number? To a name nobody can reply."""
    return any(sign.isalpha() for sign in str(sender))


def text_of(value: object, longest: int = 2000) -> str:
    """Text of a call from outside, as a database can keep it. Raises ValueError."""
    if not isinstance(value, str) or len(value) > longest or "\x00" in value:
        raise ValueError("text expected")
    value.encode()  # half of a surrogate pair is no text
    return value


def id_of(value: object) -> str:
    """The number of an event or a message: without one, or with one that is cut, another's would pass for its repeat."""
    number = text_of(value, 150).strip()
    if not number:
        raise ValueError("a number expected")
    return number


class BadSignature(Exception):
    """A call from outside that does not prove where it comes from. `status` is the HTTP status that its provider expects."""

    def __init__(self, told: str, status: int = 403) -> None:
        super().__init__(told)
        self.status = status


class BadPayload(Exception):
    """A call from outside that is signed but cannot be read. The message says what is missing."""


class Channel(ABC):
    """One way for a message to leave. One call of `send` is one attempt: no retries inside."""

    name: ClassVar[str]
    after_crash: AfterCrash = AfterCrash.BY_KIND
    timeout: timedelta = timedelta(seconds=13)
    """A send that began ends within this, one way or another; the lease must outlive it."""
    confirms_stop: bool = True
    """Whether a STOP is answered by us, once. False where the provider does it."""
    can_be_asked: bool = False
    """Whether `ask` knows what became of a message whose receipt never came."""
    takes_replies: bool = True
    """Whether a patient's reply comes back to us. Where it does not, nobody is told to reply STOP."""
    webhook_answer: tuple[str, str] = ("application/json", "")
    """Content type and body of what answers its calls; an empty body stands for how many events came in."""
    webhook_status: int = 200
    """The status of that answer, where the provider expects another 2xx."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options
        if not isinstance(options.get("opt_out", {}), Mapping):
            raise ImproperlyConfigured(
                f"channel_options of {self.name!r}: opt_out is a sentence for each language, such as {{'en': 'To stop, ...'}}"
            )
        if options.get("takes_replies") is False:
            self.takes_replies = False

    def last_line(self, language: str, words: str) -> str:
        """How to end the messages: the site's own sentence (option `opt_out`, by language) or, without one, our words."""
        return str(self.options.get("opt_out", {}).get(language) or words)

    @abstractmethod
    def send(self, message: Message) -> Answer:
        """Hand one message over. Raises nothing: whatever happens is an answer."""

    def look_up(self, key: UUID) -> Answer | None:
        """What became of the message with this key; `None` while nobody can say. Only where `after_crash` is LOOK_UP."""
        raise LookupError(f"{self.name} cannot be asked what became of {key}")

    def ask(self, provider_message_id: str) -> Receipt | None:
        """What became of a message that was accepted long ago; `None` while it is on its way. Only where `can_be_asked`.

        Raises LookupError when the provider gives no answer now.
        """
        raise LookupError(f"{self.name} cannot be asked")

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: float) -> list[Receipt | Reply]:
        """Check the signature on the raw body, then read it. Raises BadSignature, BadPayload."""
        raise BadSignature(f"{self.name} takes no calls from outside")

    def close(self) -> None:  # noqa: B027  (most channels keep nothing open)
        """Let go of a connection kept between two messages."""
