"""A channel that writes to a file instead of sending: for demonstrations, training, and as a witness in tests.

Each accepted message is one line, appended in a single write, so that sent messages can be counted independently of the
engine. A second file may hold faults to act out, one JSON object: `{"at": "accepted", "do": "kill", "times": 1}`.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from dispensary.channels.base import Accepted, AfterCrash, Answer, Channel, Fault, Message, Refused, Unknown
from dispensary.models.contacts import Medium

_ANSWERS: Mapping[str, Answer] = {
    "busy": Refused(Fault.BUSY, permanent=False),
    "limited": Refused(Fault.LIMITED, permanent=False, retry_after=timedelta(seconds=30)),
    "bad-address": Refused(Fault.BAD_ADDRESS, permanent=True),
    "refuse": Refused(Fault.REJECTED, permanent=True),
    "opted-out": Refused(Fault.OPTED_OUT, permanent=True),
    "lose-answer": Unknown(),
}


_encode_json = json.JSONEncoder(ensure_ascii=False).encode


class Sink(Channel):
    """Options: `file` (required), `words` (write the text too), `delay` in seconds, `after_crash`, `faults` (a file)."""

    name = "sink"
    media = tuple(Medium)
    needed_options = ("file",)

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.after_crash = AfterCrash(options.get("after_crash", AfterCrash.BY_KIND))
        self.timeout = timedelta(seconds=float(options.get("timeout", 13)))
        self._delay = float(options.get("delay", 0))
        self._read_to = 0
        self._keys: set[str] = set()

    def send(self, message: Message) -> Answer:
        fault = self._fault()
        if fault.get("at") == "called":
            self._act(fault)
        if (answer := _ANSWERS.get(fault.get("answer", ""))) and not isinstance(answer, Unknown):
            return answer
        if self._delay:
            time.sleep(self._delay)
        if self.after_crash is AfterCrash.SAME_KEY and self._has(message.key):
            return Accepted(str(message.key))
        self._write(message)
        if fault.get("at") == "accepted":
            self._act(fault)
        return _ANSWERS["lose-answer"] if fault.get("answer") == "lose-answer" else Accepted(str(message.key))

    def look_up(self, key: UUID) -> Answer | None:
        return Accepted(str(key)) if self._has(key) else Refused(Fault.UNREACHABLE, permanent=False)

    def _has(self, key: UUID) -> bool:
        """Return True if any process has written this key. Reads only what was added since the last call."""
        file = Path(self.options["file"])
        if not file.exists() or file.stat().st_size < self._read_to:  # removed, or replaced by a new one
            self._read_to, self._keys = 0, set()
        if file.exists():
            with file.open("rb") as stream:
                stream.seek(self._read_to)
                for line in stream:
                    if line.endswith(b"\n"):
                        self._keys.add(json.loads(line)["key"])
                        self._read_to += len(line)
        return str(key) in self._keys

    def _write(self, message: Message) -> None:
        record: dict[str, Any] = {"key": str(message.key), "pid": os.getpid(), "at": time.time()}
        if self.options.get("words"):
            record |= {
                "to": message.to,
                "subject": message.subject,
                "text": message.text,
                "stop": message.stop_url,
                "page": message.page,
            }
        line = _encode_json(record) + "\n"
        descriptor = os.open(self.options["file"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def _fault(self) -> dict[str, Any]:
        """Return the fault to act out now; one with `times` is used up by the first reader."""
        if not (file := self.options.get("faults")) or not Path(file).exists():
            return {}
        with Path(file).open("r+", encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            fault: dict[str, Any] = json.loads(stream.read() or "{}")
            if "times" not in fault:
                return fault
            if fault["times"] <= 0:
                return {}
            stream.seek(0)
            stream.truncate()
            stream.write(json.dumps({**fault, "times": fault["times"] - 1}))
            return fault

    @staticmethod
    def _act(fault: Mapping[str, Any]) -> None:
        time.sleep(float(fault.get("wait", 0)))
        if fault.get("do") == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault.get("do") == "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)


CHANNEL = Sink
