"""State of the engine, read from the database for health checks and metrics."""

from __future__ import annotations

from dataclasses import dataclass

from dispensary.reminders import plans, queue

TICK_TOO_OLD = 120.0
"""Seconds without a tick after which something is wrong with beat, broker or the tick's worker."""
OLDEST_TOO_OLD = 600.0
"""Seconds that something may be due before somebody has to look."""


@dataclass(frozen=True, slots=True)
class EngineState:
    """Ages in seconds; `None` where there is nothing to have an age."""

    tick_age: float | None
    oldest_due: float | None
    due: int
    held: int
    held_too_long: int
    events_waiting: int
    plans_behind: int
    """Therapies counted on an earlier day, or with settings that have changed since; the ticks count and plan them again."""
    work: tuple[tuple[str, int, float], ...]
    counters: tuple[tuple[str, int], ...]
    resting: tuple[str, ...] = ()

    @property
    def troubles(self) -> list[str]:
        """Problems, in words; empty when there are none."""
        sentences = []
        if self.tick_age is None:
            sentences.append("The engine has never ticked: is beat running, and the worker of the tick queue?")
        elif self.tick_age > TICK_TOO_OLD:
            sentences.append(
                f"The last tick was {self.tick_age:.0f} s ago: is beat running, and the worker of the tick queue?"
            )
        if self.oldest_due is not None and self.oldest_due > OLDEST_TOO_OLD:
            sentences.append(f"A reminder has been due for {self.oldest_due:.0f} s: are the send workers running?")
        sentences += [
            f"The provider of channel {name} is down and left alone for some minutes." for name in self.resting
        ]
        return sentences


def engine_state() -> EngineState:
    """Ask the database how the engine is doing. Bounded: it counts no more than the first 100,000 due."""
    now, tick_age, oldest, due, held, too_long, events = queue.run(queue.SQL["read_engine_state"])[0]
    return EngineState(
        tick_age=tick_age,
        oldest_due=None if oldest is None else max(0.0, oldest),
        due=due,
        held=held,
        held_too_long=too_long,
        events_waiting=events,
        plans_behind=plans.count_outdated(now),
        work=tuple(queue.run(queue.SQL["count_open_work"])),
        counters=tuple(queue.run(queue.SQL["list_counters"])),
        resting=tuple(channel for channel, _until, resting in queue.run(queue.SQL["list_rests"]) if resting),
    )
