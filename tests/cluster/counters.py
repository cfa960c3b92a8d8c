"""Counters that receive and hand over all the time, repeat what was not answered, and note what was acknowledged."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter as Tally
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import requests

CALL_SECONDS = 8
GIVE_UP_SECONDS = 180
THINK_SECONDS = 0.5


@dataclass(frozen=True)
class Acknowledged:
    """A dispense that a counter was told is done, and when by the monotonic clock."""

    dispense: str
    prescription: str
    at: float


class Load:
    """Several counters, each a thread; every call goes to one web host, and to the other where it was not answered."""

    def __init__(self, addresses: list[str], people: dict[str, Any]) -> None:
        """Take the web hosts' addresses, and tokens and bodies as `population` makes them."""
        self.addresses = addresses
        self.order, self.handover = people["order"], people["handover"]
        self.acknowledged: list[Acknowledged] = []
        self.answers: Tally[str] = Tally()
        self.trouble: list[str] = []
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(token, number), daemon=True, name=f"counter {number}")
            for number, token in enumerate(people["tokens"])
        ]

    def start(self) -> None:
        """Let the counters work."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each counter finish what it has begun."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(GIVE_UP_SECONDS)

    def longest_gap(self, begin: float, end: float) -> float:
        """Return the longest time between two acknowledged dispenses, in seconds."""
        times = [begin, *sorted(done.at for done in list(self.acknowledged) if begin < done.at < end), end]
        return max(later - earlier for earlier, later in pairwise(times))

    def _work(self, token: str, number: int) -> None:
        session = requests.Session()
        session.headers["Authorization"] = f"Token {token}"
        turn = number
        while not self._stopped.is_set():
            received = self._call(session, turn, "prescriptions/", self._new_order())
            turn += 1
            if received is None:
                continue
            prescription = received["prescription"]["id"]
            dispense = self._call(session, turn, f"prescriptions/{prescription}/dispenses/", self.handover)
            if dispense is not None:
                self.acknowledged.append(Acknowledged(dispense["id"], prescription, time.monotonic()))
            self._stopped.wait(THINK_SECONDS)

    def _new_order(self) -> dict[str, Any]:
        digits = uuid.uuid4().hex[:12]
        name = "".join(chr(ord("a") + int(digit, 16)) for digit in digits).title()  # nobody's namesake
        patient = self.order["patient"] | {"identifier": digits, "family_name": name}
        return self.order | {"patient": patient}

    def _call(self, session: requests.Session, turn: int, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Send a call with one key until it is answered for good; None where it was refused or given up."""
        key = uuid.uuid4().hex
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            address = self.addresses[turn % len(self.addresses)]
            turn += 1
            try:
                answer = session.post(
                    f"{address}/api/v1/{path}", json=body, headers={"Idempotency-Key": key}, timeout=(2, CALL_SECONDS)
                )
            except requests.RequestException as error:
                self.answers[type(error).__name__] += 1
                time.sleep(0.2)
                continue
            self.answers[str(answer.status_code)] += 1
            if answer.ok:
                document: dict[str, Any] = answer.json()
                return document
            if answer.status_code < 500:
                self.trouble.append(f"{path}: {answer.status_code} {answer.text[:300]}")
                return None
            time.sleep(0.5)
        self.trouble.append(f"{path}: given up after {GIVE_UP_SECONDS} s")
        return None
