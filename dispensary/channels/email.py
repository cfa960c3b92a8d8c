"""E-mail through whichever Django backend the site has set: SMTP, or a provider's through django-anymail.

One message, one attempt. With SMTP the connection is kept between messages, and what stage it reached decides what a
broken line means: before DATA nothing was handed over, after it nobody knows.
"""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from dispensary.channels.base import Accepted, AfterCrash, Answer, Channel, Fault, Message, Refused, Unknown

_BUSY = frozenset({429, 502, 503, 504})
_ADDRESS_WRONG = frozenset({550, 551, 553})


class Email(Channel):
    """Options: `from_email` (else Django's DEFAULT_FROM_EMAIL), `domain` of the Message-ID, `seconds` for one message."""

    name = "email"
    after_crash = AfterCrash.BY_KIND

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.seconds = float(options.get("seconds", 20))
        self.timeout = timedelta(seconds=self.seconds + 5)
        self._connection: Any = None
        self._handed_over = False
        self._deadline = 0.0

    def send(self, message: Message) -> Answer:
        self._handed_over = False
        self._deadline = time.monotonic() + self.seconds
        letter = self._letter(message)
        try:
            self._open()
            self._handed_over = self._smtp is None  # other backends: one call, and no way to see how far it came
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
        if isinstance(smtp, smtplib.SMTP) and smtp.sock is not None:
            smtp.sock.settimeout(2)  # a server that no longer answers must not hold us for its QUIT
        try:
            connection.close()
        except Exception:
            connection.connection = None

    @property
    def _smtp(self) -> smtplib.SMTP | None:
        inner = getattr(self._connection, "connection", None)
        return inner if isinstance(inner, smtplib.SMTP) else None

    def _open(self) -> None:
        if self._connection is None:
            self._connection = get_connection(fail_silently=False)
        if self._connection.open() and self._smtp is not None:
            self._watch(self._smtp)

    def _watch(self, smtp: smtplib.SMTP) -> None:
        """Notice when the words are handed over, and give every command only what is left of the message's time."""
        send, data = smtp.send, smtp.data

        def watched_send(words: Any) -> None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if smtp.sock is not None:
                smtp.sock.settimeout(left)
            send(words)

        def watched_data(words: Any) -> Any:
            self._handed_over = True
            return data(words)

        _replace(smtp, "send", watched_send)
        _replace(smtp, "data", watched_data)

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
        return EmailMessage(message.subject, "\n\n".join(parts) + "\n", sender, [message.to], headers=headers)

    def _answer(self, error: Exception) -> Answer:
        code = _smtp_code(error)
        if code is not None:
            return _by_code(code, isinstance(error, smtplib.SMTPRecipientsRefused))
        if isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPNotSupportedError):
            return Refused(Fault.MISCONFIGURED, permanent=False)
        if isinstance(error, ValueError) and not self._handed_over:  # a line break in a header: it will never leave
            return Refused(Fault.REJECTED, permanent=True)
        status = getattr(error, "status_code", None)  # django-anymail's API errors carry the HTTP status
        if isinstance(status, int):
            return _by_http_status(status)
        if not self._handed_over or type(error).__name__ in {"ConnectTimeout", "ConnectionError"}:
            return Refused(Fault.UNREACHABLE, permanent=False)
        return Unknown()


def _replace(smtp: smtplib.SMTP, method: str, by: Callable[..., Any]) -> None:
    setattr(smtp, method, by)


def _smtp_code(error: Exception) -> int | None:
    """The reply code of a refusal; the worst one where there are several recipients. -1 is smtplib's "no reply"."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max(code for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return None
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
        return int(error.smtp_code)
    return None


def _by_code(code: int, recipient: bool) -> Answer:
    if code < 500:
        return Refused(Fault.BUSY, permanent=False)
    wrong = recipient and code in _ADDRESS_WRONG
    return Refused(Fault.BAD_ADDRESS if wrong else Fault.REJECTED, permanent=True)


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
