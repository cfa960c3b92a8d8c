"""E-mail through whichever Django backend the site has set: SMTP, or a provider's through django-anymail.

One message, one attempt. With SMTP the connection is kept between messages, and what stage it reached decides what a
broken line or a refusal means. Before the server has said 354 nothing was handed over, after it nobody knows; what it says
before a recipient was named, and about its policy, is about us and not about the patient. Greeting, STARTTLS and sign-in
count against the time of the message for which the connection was opened: a lease is only safe if a send ends in time.
"""

from __future__ import annotations

import smtplib
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.charset import QP, Charset
from functools import cache, partial
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from django.utils.module_loading import import_string

from dispensary.channels.base import Accepted, AfterCrash, Answer, Channel, Fault, Message, Refused, Unknown

_BUSY = frozenset({429, 502, 503, 504})
_ADDRESS_WRONG = frozenset({550, 551, 553})
_SIGN_IN = frozenset({530, 534, 535, 538})
_CONNECT_SECONDS = 5.0
"""To one address of the mail server; a name may have several, which are tried in turn."""
_QUIT_SECONDS = 2.0
_SEVEN_BITS = Charset("utf-8")
_SEVEN_BITS.body_encoding = QP
"""Any server on the way may know no 8BITMIME, and one that recodes a mail breaks its signature."""


class Email(Channel):
    """Options: `from_email` (else Django's DEFAULT_FROM_EMAIL), `domain` of the Message-ID, `seconds` for one message."""

    name = "email"
    after_crash = AfterCrash.BY_KIND

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.seconds = float(options.get("seconds", 20))
        self.timeout = timedelta(seconds=self.seconds + 5)
        self._connection: Any = None
        self._watch = _Watch()

    def send(self, message: Message) -> Answer:
        if not message.to.rpartition("@")[
            0
        ].isascii():  # Django would write to another mailbox, spelled in encoded words
            return Refused(Fault.BAD_ADDRESS, permanent=True)
        self._watch.handed_over = False
        self._watch.deadline = time.monotonic() + self.seconds
        letter = self._letter(message)
        try:
            if self._connection is None:
                self._connection = _backend(self._watch)
            self._connection.open()
            self._watch.handed_over = self._smtp is None  # other backends: one call, and no way to see how far it came
            self._connection.send_messages([letter])
        except Exception as error:
            self.close()
            return self._answer(error)
        return _told_by_provider(letter)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        smtp = getattr(connection, "connection", None)
        self._watch.deadline = time.monotonic() + _QUIT_SECONDS  # who no longer answers must not hold us for its QUIT
        try:
            connection.close()
        except Exception:
            connection.connection = None
            if isinstance(smtp, smtplib.SMTP):
                smtp.close()

    @property
    def _smtp(self) -> smtplib.SMTP | None:
        inner = getattr(self._connection, "connection", None)
        return inner if isinstance(inner, smtplib.SMTP) else None

    def _letter(self, message: Message) -> EmailMessage:
        sender = self.options.get("from_email") or settings.DEFAULT_FROM_EMAIL
        domain = self.options.get("domain") or sender.rpartition("@")[2].rstrip(">") or "localhost"
        headers = {"Message-ID": f"<{message.key}@{domain}>", "Auto-Submitted": "auto-generated"}
        headers["Content-Language"] = message.language
        parts = [part for part in (message.body, message.page) if part]
        if message.stop_url:
            headers["List-Unsubscribe"] = f"<{message.stop_url}>"
            if message.stop_url.startswith("https://"):  # RFC 8058: one click over HTTPS, or none
                headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        if message.opt_out:
            parts.append(f"{message.opt_out} {message.stop_url}".strip())
        letter = EmailMessage(message.subject, "\n\n".join(parts) + "\n", sender, [message.to], headers=headers)
        letter.encoding = _SEVEN_BITS
        return letter

    def _answer(self, error: Exception) -> Answer:
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            return _of_recipient(*max(error.recipients.values()))
        if isinstance(error, smtplib.SMTPDataError) and error.smtp_code > 0:
            return _of_words(int(error.smtp_code))
        if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
            return _of_us(int(error.smtp_code))
        if isinstance(error, smtplib.SMTPNotSupportedError | ssl.SSLCertVerificationError):
            return Refused(Fault.MISCONFIGURED, permanent=False)
        if (
            isinstance(error, ValueError) and not self._watch.handed_over
        ):  # a line break in a header: it will never leave
            return Refused(Fault.REJECTED, permanent=True)
        status = getattr(error, "status_code", None)  # django-anymail's API errors carry the HTTP status
        if isinstance(status, int):
            return _by_http_status(status)
        if not self._watch.handed_over or type(error).__name__ in {"ConnectTimeout", "ConnectionError"}:
            return Refused(Fault.UNREACHABLE, permanent=False)
        return Unknown()


@dataclass(slots=True)
class _Watch:
    """How far one message has come, and until when (monotonic seconds) it may be at it."""

    deadline: float = 0.0
    handed_over: bool = False

    def left(self) -> float:
        """Seconds left. Raises TimeoutError when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _backend(watch: _Watch) -> Any:
    """The site's backend; one that speaks SMTP with a connection that keeps to the time of the message."""
    made = import_string(settings.EMAIL_BACKEND)
    if not issubclass(made, EmailBackend):
        return made(fail_silently=False)
    backend = _timed(made)(fail_silently=False)
    backend.watch = watch
    return backend


@cache
def _timed(backend: type[EmailBackend]) -> type[EmailBackend]:
    class Timed(backend):  # type: ignore[valid-type,misc]  # the class is the site's choice
        watch: _Watch

        @property
        def connection_class(self) -> Any:
            return partial(_watched(super().connection_class), self.watch)

    return Timed


@cache
def _watched(line: type[smtplib.SMTP]) -> type[smtplib.SMTP]:
    class Watched(line):  # type: ignore[valid-type,misc]  # with TLS from the start, or not
        def __init__(self, watch: _Watch, *where: Any, timeout: float = _CONNECT_SECONDS, **more: Any) -> None:
            self.watch = watch
            super().__init__(*where, timeout=min(timeout, _CONNECT_SECONDS, watch.left()), **more)

        def send(self, s: Any) -> None:
            if self.sock is not None:
                self.sock.settimeout(self.watch.left())
            super().send(s)

        def getreply(self) -> tuple[int, bytes]:
            if self.sock is not None:
                self.sock.settimeout(self.watch.left())
            code, told = super().getreply()
            self.watch.handed_over |= code == 354  # from here on the words are on their way
            return code, told

    return Watched


def _of_recipient(code: int, told: bytes) -> Answer:
    """A refused recipient. RFC 3463: 5.7.x is somebody's policy about us, such as a blocked sender, and no fault of the address."""
    if code < 500:
        return Refused(Fault.BUSY, permanent=False)
    if code in _SIGN_IN or told.startswith(b"5.7."):
        return Refused(Fault.MISCONFIGURED, permanent=False)
    return Refused(Fault.BAD_ADDRESS if code in _ADDRESS_WRONG else Fault.REJECTED, permanent=True)


def _of_words(code: int) -> Answer:
    return Refused(Fault.BUSY, permanent=False) if code < 500 else Refused(Fault.REJECTED, permanent=True)


def _of_us(code: int) -> Answer:
    """Greeting, sign-in or sender refused, before any patient was named: somebody has to set it right, and then it leaves."""
    return Refused(Fault.BUSY if code < 500 else Fault.MISCONFIGURED, permanent=False)


def _by_http_status(status: int) -> Answer:
    if status in _BUSY:
        return Refused(Fault.LIMITED if status == 429 else Fault.BUSY, permanent=False)
    if status >= 500:
        return Unknown()
    return Refused(Fault.MISCONFIGURED if status in {401, 403} else Fault.REJECTED, permanent=status not in {401, 403})


def _told_by_provider(letter: EmailMessage) -> Answer:
    """django-anymail says for each recipient what the provider made of it; other backends say nothing."""
    status = getattr(letter, "anymail_status", None)
    if status is None:
        return Accepted()
    if status.status and status.status <= {"invalid", "rejected"}:
        return Refused(Fault.BAD_ADDRESS, permanent=True)
    return Accepted(str(status.message_id or ""))


CHANNEL = Email
