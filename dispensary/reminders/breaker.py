"""Circuit breaker: while a provider is down, no attempt of any message is spent on it.

After five failures in a row that are the provider's, the channel rests for a minute, then for two, up to a quarter of an
hour; the first message that is accepted ends it. The rest is a row, so that every worker keeps it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dispensary.channels import Accepted, Answer, Fault, Refused
from dispensary.reminders import queue

IN_A_ROW = 5
SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(minutes=15)
ANSWERED = "answer "
TOOK = "answer-us "
_PROVIDERS_OWN = frozenset({Fault.UNREACHABLE, Fault.BUSY, Fault.LIMITED, Fault.MISCONFIGURED})


@dataclass(slots=True)
class Breaker:
    """The providers' health, as one drain has seen it."""

    failures: dict[str, int] = field(default_factory=dict)
    resting: dict[str, datetime] = field(default_factory=dict)
    troubled: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    """Answers of each channel by kind and the microseconds they took, for the counters of the metrics."""

    def look(self) -> None:
        """Read which channels rest, and until when by the database's clock."""
        rests = queue.run(queue.SQL["list_rests"])
        self.resting = {name: until for name, until, resting in rests if resting}
        self.troubled = {name for name, _, _ in rests}

    def note(self, channel: str, answer: Answer, took: float) -> None:
        """Learn from one answer that took so many seconds. A refusal of one message or one address says nothing about the
        provider."""
        self.counts[f"{ANSWERED}{channel} {'accepted' if isinstance(answer, Accepted) else answer.fault}"] += 1
        self.counts[f"{TOOK}{channel}"] += round(took * 1_000_000)
        if isinstance(answer, Accepted):
            self.failures.pop(channel, None)
            if channel in self.troubled:
                self.troubled.discard(channel)
                queue.run(queue.SQL["end_rest"], [channel])
            return
        if isinstance(answer, Refused) and answer.fault not in _PROVIDERS_OWN:
            return
        self.failures[channel] = self.failures.get(channel, 0) + 1
        if self.failures[channel] >= IN_A_ROW:
            self.failures[channel] = 0
            queue.run(queue.SQL["rest_channel"], [channel, SHORTEST, LONGEST, SHORTEST])
            self.look()
