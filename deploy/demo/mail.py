"""A mail server that keeps what it is given: the demo's patients read their reminders in `.run/mail/`."""

from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from threading import Condition
from types import TracebackType
from typing import Any

from aiosmtpd.controller import Controller

from deploy.servers import free_port
from deploy.servers.processes import LOCALHOST


@dataclass
class _Keeper:
    folder: Path
    arrived: Condition
    messages: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        message = BytesParser(policy=policy.default).parsebytes(envelope.content)
        with self.arrived:
            self.messages.append(message)
            (self.folder / f"{len(self.messages):03d}.eml").write_bytes(envelope.content)
            self.arrived.notify_all()
        return "250 kept"


class MailSink:
    """A real SMTP server on a loopback port; a context manager."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.eml"):
            old.unlink()
        self._keeper = _Keeper(folder, Condition())
        self.port = free_port()
        self._controller = Controller(self._keeper, hostname=LOCALHOST, port=self.port)

    def __enter__(self) -> "MailSink":
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    def wait_for(self, count: int, seconds: float) -> list[EmailMessage]:
        """Return all messages kept so far, after waiting up to `seconds` for at least `count`."""
        with self._keeper.arrived:
            self._keeper.arrived.wait_for(lambda: len(self._keeper.messages) >= count, seconds)
            return list(self._keeper.messages)
