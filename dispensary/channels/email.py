"""E-mail through whichever Django backend the site has set: SMTP, or a provider's through django-anymail.

One message, one attempt. With SMTP the connection is kept between messages, and the stage it has reached decides what a
broken connection or a refusal means: before the server's 354 no message was sent, after it the outcome is unknown; a refusal
before a recipient was named, or for policy, concerns our account and not the patient's address. Greeting, STARTTLS and sign-in
count against the time limit of the message for which the connection was opened: a send must end within its lease.
"""

from __future__ import annotations

import smtplib
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.charset import QP, Charset
from email.utils import formataddr, parseaddr
from functools import cache, partial
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.template.loader import render_to_string
from django.utils.module_loading import import_string

from dispensary.channels.base import Accepted, AfterCrash, Answer, Channel, Fault, Message, Refused, Unknown

_BUSY_STATUSES = frozenset({429, 502, 503, 504})
_BAD_ADDRESS_CODES = frozenset({550, 551, 553})
_SIGN_IN_CODES = frozenset({530, 534, 535, 538})
_CONNECT_SECONDS = 5.0
"""To one address of the mail server; a name may have several, which are tried in turn."""
_QUIT_SECONDS = 2.0
_QUOTED_PRINTABLE = Charset("utf-8")
_QUOTED_PRINTABLE.body_encoding = QP
"""A server on the way may lack 8BITMIME, and recoding a mail breaks its DKIM signature."""


class Email(Channel):
    """Options: `from_email` (else Django's DEFAULT_FROM_EMAIL; its name is the pharmacy's), `domain` of the Message-ID, `seconds` for one message."""

    name = "email"
    after_crash = AfterCrash.BY_KIND

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.seconds = float(options.get("seconds", 20))
        self.timeout = timedelta(seconds=self.seconds + 5)
        self._connection: Any = None
        self._progress = _SendProgress()

    def send(self, message: Message) -> Answer:
        local_part = message.to.rpartition("@")[0]
        if not local_part.isascii():  # Django would write to another mailbox, spelled in encoded words
            return Refused(Fault.BAD_ADDRESS, permanent=True)
        self._progress.handed_over = False
        self._progress.deadline = time.monotonic() + self.seconds
        email = self._build_email(message)
        try:
            if self._connection is None:
                self._connection = _connect(self._progress)
            self._connection.open()
            self._progress.handed_over = self._smtp is None  # other backends: one call, its stage cannot be seen
            self._connection.send_messages([email])
        except Exception as error:
            self.close()
            return self._answer_for_error(error)
        return _answer_by_provider(email)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        smtp = getattr(connection, "connection", None)
        self._progress.deadline = time.monotonic() + _QUIT_SECONDS  # a dead server must not delay us at QUIT
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

    def _build_email(self, message: Message) -> EmailMessage:
        _name, sender = parseaddr(self.options.get("from_email") or settings.DEFAULT_FROM_EMAIL)
        domain = self.options.get("domain") or sender.rpartition("@")[2] or "localhost"
        headers = {"Message-ID": f"<{message.key}@{domain}>", "Auto-Submitted": "auto-generated"}
        headers["Content-Language"] = message.language
        parts = [part for part in (message.body, message.page) if part]
        if message.stop_url:
            headers["List-Unsubscribe"] = f"<{message.stop_url}>"
            if message.stop_url.startswith("https://"):  # RFC 8058: one click over HTTPS, or none
                headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        if message.opt_out:
            parts.append(f"{message.opt_out} {message.stop_url}".strip())
        email = EmailMultiAlternatives(
            message.subject,
            "\n\n".join(parts) + "\n",
            formataddr((message.sender, sender)),
            [message.to],
            headers=headers,
            reply_to=[message.reply_to] if message.reply_to else None,
        )
        email.encoding = _QUOTED_PRINTABLE
        if message.page_url:
            html = render_to_string("dispensary/message.html", {"message": message, "is_rtl": message.language == "ar"})
            email.attach_alternative(html, "text/html")
        return email

    def _answer_for_error(self, error: Exception) -> Answer:
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            return _answer_for_recipient(*max(error.recipients.values()))
        if isinstance(error, smtplib.SMTPDataError) and error.smtp_code > 0:
            return _answer_for_data(int(error.smtp_code))
        if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
            return _answer_for_account(int(error.smtp_code))
        if isinstance(error, smtplib.SMTPNotSupportedError | ssl.SSLCertVerificationError):
            return Refused(Fault.MISCONFIGURED, permanent=False)
        if isinstance(error, ValueError) and not self._progress.handed_over:  # a line break in a header
            return Refused(Fault.REJECTED, permanent=True)
        status = getattr(error, "status_code", None)  # django-anymail's API errors carry the HTTP status
        if isinstance(status, int):
            return _answer_for_http_status(status)
        if not self._progress.handed_over or type(error).__name__ in {"ConnectTimeout", "ConnectionError"}:
            return Refused(Fault.UNREACHABLE, permanent=False)
        return Unknown()


@dataclass(slots=True)
class _SendProgress:
    """The stage that one message has reached, and its deadline in monotonic seconds."""

    deadline: float = 0.0
    handed_over: bool = False

    def seconds_left(self) -> float:
        """Return the seconds left. Raises TimeoutError when there are none."""
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds


def _connect(progress: _SendProgress) -> Any:
    """Return the site's e-mail backend; an SMTP one gets a connection with the deadline of the message."""
    backend_class = import_string(settings.EMAIL_BACKEND)
    if not issubclass(backend_class, EmailBackend):
        return backend_class(fail_silently=False)
    backend = _with_deadline(backend_class)(fail_silently=False)
    backend.progress = progress  # type: ignore[attr-defined]  # of the class just made
    return backend


@cache
def _with_deadline(backend: type[EmailBackend]) -> type[EmailBackend]:
    """Return the backend's class, connecting through a watched SMTP class."""

    class DeadlineBackend(backend):  # type: ignore[valid-type,misc]  # the class is the site's choice
        progress: _SendProgress

        @property
        def connection_class(self) -> Any:
            return partial(_watched(super().connection_class), self.progress)  # type: ignore[arg-type]  # its own constructor

    return DeadlineBackend


@cache
def _watched(smtp_class: type[smtplib.SMTP]) -> type[smtplib.SMTP]:
    """Return the SMTP class with the message's deadline on its socket, noting the server's 354."""

    class WatchedSMTP(smtp_class):  # type: ignore[valid-type,misc]  # with TLS from the start, or not
        def __init__(
            self, progress: _SendProgress, *args: Any, timeout: float = _CONNECT_SECONDS, **options: Any
        ) -> None:
            self.progress = progress
            super().__init__(*args, timeout=min(timeout, _CONNECT_SECONDS, progress.seconds_left()), **options)

        def send(self, s: Any) -> None:
            if self.sock is not None:
                self.sock.settimeout(self.progress.seconds_left())
            super().send(s)

        def getreply(self) -> tuple[int, bytes]:
            if self.sock is not None:
                self.sock.settimeout(self.progress.seconds_left())
            code, reply = super().getreply()
            self.progress.handed_over |= code == 354  # from here on the message is being sent
            return code, reply

    return WatchedSMTP


def _answer_for_recipient(code: int, reply: bytes) -> Answer:
    """Map a refused recipient. RFC 3463: 5.7.x is a policy against our server, not a fault of the address."""
    if code < 500:
        return Refused(Fault.BUSY, permanent=False)
    if code in _SIGN_IN_CODES or reply.startswith(b"5.7."):
        return Refused(Fault.MISCONFIGURED, permanent=False)
    return Refused(Fault.BAD_ADDRESS if code in _BAD_ADDRESS_CODES else Fault.REJECTED, permanent=True)


def _answer_for_data(code: int) -> Answer:
    """Map a refused text of a message."""
    return Refused(Fault.BUSY, permanent=False) if code < 500 else Refused(Fault.REJECTED, permanent=True)


def _answer_for_account(code: int) -> Answer:
    """Map a refused greeting, sign-in or sender: retry once the account is set right."""
    return Refused(Fault.BUSY if code < 500 else Fault.MISCONFIGURED, permanent=False)


def _answer_for_http_status(status: int) -> Answer:
    """Map the HTTP status of a provider's API."""
    if status in _BUSY_STATUSES:
        return Refused(Fault.LIMITED if status == 429 else Fault.BUSY, permanent=False)
    if status >= 500:
        return Unknown()
    return Refused(Fault.MISCONFIGURED if status in {401, 403} else Fault.REJECTED, permanent=status not in {401, 403})


def _answer_by_provider(email: EmailMessage) -> Answer:
    """Read the status that django-anymail reports for the recipient; other backends report none."""
    status = getattr(email, "anymail_status", None)
    if status is None:
        return Accepted()
    if status.status and status.status <= {"invalid", "rejected"}:
        return Refused(Fault.BAD_ADDRESS, permanent=True)
    return Accepted(str(status.message_id or ""))


CHANNEL = Email
