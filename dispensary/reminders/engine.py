"""The engine: a tick recovers abandoned rows, a drain sends what is due.

Both run from Celery and from `manage.py reminders run`; neither needs a broker. They must not run inside a transaction:
each of their commits must be one.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

from django.db import connection, transaction

from dispensary.channels import Accepted, Answer, Channel, Message, Refused, Unknown, channels_in_use
from dispensary.channels.staff import notify_staff
from dispensary.conf import conf
from dispensary.models import Reminder, WorkKind
from dispensary.models.reminders import ReminderState as State
from dispensary.reminders import (
    answers,
    carers,
    compose,
    digests,
    health,
    outcomes,
    queue,
    receipts,
    risk_list,
    time_zones,
    two_way,
    unread,
)
from dispensary.reminders.breaker import Breaker
from dispensary.reminders.compose import Later, Never, Ready, recheck_before_send, wait_for_provider
from dispensary.reminders.queue import count, take_turn

log = logging.getLogger(__name__)

TICK = "tick"
SET_ASIDE = "aside "
RISK = "withdrawal-risk"
RISK_EVERY = timedelta(minutes=5)
ALERT = "staff-alert"
ALERT_EVERY = timedelta(hours=24)
WAITS_TOO_LONG = 24 * 3600.0  # seconds
AGES = "ages"
AGES_EVERY = timedelta(hours=1)
ZONES = "time-zones"
ZONES_EVERY = timedelta(hours=1)

BOOK_AFTER = 2.0
"""Seconds after which what was accepted gets its audit lines, be the batch at its end or not."""


@dataclass(slots=True)
class Ticked:
    """Counts of one tick. `due` is capped at the capacity of the lanes."""

    due: int
    reclaimed: int = 0
    in_doubt: int = 0
    work_opened: int = 0
    events: int = 0


@dataclass(slots=True)
class Drained:
    """Counts of one drain."""

    claimed: int = 0
    sent: int = 0
    refused: int = 0
    unknown: int = 0
    set_aside: int = 0
    taken_back: int = 0


def worker_name() -> str:
    """Return the owner of a lease: machine and process."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}"


def tick() -> Ticked:
    """Give back what dead workers held, settle what they left in doubt, refresh the work list, count what is due.

    Any number of ticks at once do no harm. A part that breaks down breaks no other: what is due is always counted.
    """
    _no_transaction("tick")
    now: datetime = queue.run(queue.SQL["add_to_counter"], [TICK, 1])[0][0]
    ticked = Ticked(due=0)
    ticked.reclaimed = _part("reclaim", lambda: _reclaim_unsent(now))
    ticked.in_doubt = _part("doubts", lambda: _settle_doubts(now))
    count({"lease-expired": ticked.reclaimed, "in-doubt": ticked.in_doubt})
    if take_turn(RISK, RISK_EVERY):
        ticked.work_opened = _part("risk", lambda: risk_list.open_risk_work(now=now))
        _part("silent", lambda: unread.give_up_waiting(now=now))
        ticked.work_opened += _part("unanswered", lambda: two_way.open_unanswered(now=now))
    ticked.events = _part("events", lambda: receipts.act_on_events(now=now))
    _part("answers", lambda: answers.answer_replies(now=now))
    if take_turn(AGES, AGES_EVERY):
        _part("ages", lambda: carers.follow_ages(now=now))
    if take_turn(ZONES, ZONES_EVERY):
        _part("zones", lambda: time_zones.derive_again(now=now))
    if conf().staff_alerts and take_turn(ALERT, ALERT_EVERY):
        _part("alert", _alert_staff)
    ticked.due = queue.run(queue.SQL["count_due"], [conf().reminder_batch * conf().reminder_lanes])[0][0]
    return ticked


def _part(name: str, do: Callable[[], int]) -> int:
    """Do one part of a tick. Where it breaks down it is logged and counted; without a database the tick ends."""
    try:
        return do()
    except Exception as error:  # whatever it is, reminders that are due must be hinted at
        if not connection.is_usable():
            raise
        log.error("the part %s of a tick broke down: %s", name, type(error).__name__)
        count({f"tick-{name}-failed": 1})
        return 0


def _reclaim_unsent(now: datetime) -> int:
    rows = queue.run(queue.SQL["reclaim_unsent"])
    for reminder_id, lost in rows:
        if lost >= outcomes.UNSENT_LIMIT:
            _give_up(reminder_id, now)
    return len(rows)


def _give_up(reminder_id: int, now: datetime) -> None:
    with transaction.atomic():
        row = Reminder.objects.select_for_update().filter(pk=reminder_id, state=State.SCHEDULED).first()
        if row is None:
            return
        row.state, row.last_error = State.FAILED, "workers-died"
        row.save(update_fields=["state", "last_error"])
        outcomes.record_failure(row, "workers-died", WorkKind.FAILED, now)


def _settle_doubts(now: datetime) -> int:
    """Rows that a dead worker left in the middle of a send. The only ones about which anything is unknown."""
    rows = queue.run(queue.SQL["list_in_doubt"])
    channels = {channel.name: channel for channel in channels_in_use().values()}
    for reminder_id, token, delivery_id, channel_name in rows:
        outcomes.in_doubt(
            reminder_id=reminder_id,
            token=token,
            delivery_id=delivery_id,
            channel=channels.get(channel_name),
            now=now,
            worker_died=True,
        )
    return len(rows)


def _alert_staff() -> int:
    """Once a day: how much work has waited for longer than a day. Returns how many kinds."""
    old = [(kind, count) for kind, count, age in health.engine_state().work if age > WAITS_TOO_LONG]
    if old:
        text = ", ".join(f"{WorkKind(kind).label} ({count} open)" for kind, count in old)
        notify_staff(conf().staff_alerts, "Dispensary: work has waited for more than a day", text)
    return len(old)


def drain(*, seconds: float | None = None, stop: Callable[[], bool] = lambda: False) -> Drained:
    """Send what is due until nothing is, the time is up, or `stop` says so. Finishes the message in hand."""
    _no_transaction("drain")
    done, channels, breaker = Drained(), channels_in_use(), Breaker()
    deadline = time.monotonic() + (conf().reminder_drain if seconds is None else seconds)

    def over() -> bool:
        return time.monotonic() >= deadline or stop()

    try:
        while not over():
            lease = queue.claim(
                owner=worker_name(), count=conf().reminder_batch, lease=timedelta(seconds=conf().reminder_lease)
            )
            if not lease.ids:
                break
            done.claimed += len(lease.ids)
            breaker.look()
            now = time.monotonic()
            _Batch(lease, breaker, done, read=now, booked=now).send_all(channels, over)
    finally:
        for channel in channels.values():
            channel.close()
    count(asdict(done) | breaker.counts)
    return done


@dataclass(slots=True)
class _Batch:
    """One claimed batch, hand over hand: one commit says that a message was accepted and that the next is being sent.

    Their rows and audit lines follow for many at once; until then a tick finds in the ledger what a dead worker leaves.
    """

    lease: queue.Lease
    breaker: Breaker
    done: Drained
    read: float
    booked: float
    going: outcomes.AcceptedSend | None = None
    """Accepted, with its end not in the ledger yet."""
    ended: list[outcomes.AcceptedSend] = field(default_factory=list)
    back: list[Ready] = field(default_factory=list)

    def send_all(self, channels: Mapping[str, Channel], over: Callable[[], bool]) -> None:
        """Send what may leave until all is done or `over` says so, then give back the rest."""
        habits = compose.Habits.look_up()
        waiting: list[digests.Decision] = digests.gather(compose.read(self.lease, channels, habits), channels, habits)
        while waiting and not over():
            decision = waiting.pop(0)
            if isinstance(decision, digests.Digest):
                if not self._send_together(decision):
                    waiting[:0] = decision.singly
            else:
                self._send_one(decision)
            if self.ended and time.monotonic() - self.booked > BOOK_AFTER:
                self._book()
        self._finish_going()
        self._book()
        left = [part for item in waiting for part in (item.parts if isinstance(item, digests.Digest) else (item,))]
        queue.release(self.lease, [decision.row.id for decision in (*self.back, *left)])

    def _finish_going(self) -> None:
        if self.going:
            outcomes.hand_over(self.lease, self.going, None)
            self.ended.append(self.going)
            self.going = None

    def _book(self) -> None:
        if self.ended:
            outcomes.book(self.lease, self.ended)
        self.ended, self.booked = [], time.monotonic()

    def _send_one(self, decision: Ready | Later | Never) -> None:
        if isinstance(decision, Ready) and (until := self.breaker.resting.get(decision.channel.name)):
            decision = wait_for_provider(decision.row, until)
        if isinstance(decision, Ready):
            decision = recheck_before_send(decision, time.monotonic() - self.read)
        if not isinstance(decision, Ready):
            outcomes.end_unsent(self.lease, decision)
            self.done.set_aside += 1
            self.breaker.counts[f"{SET_ASIDE}{decision.reason}"] += 1
            return
        begun = outcomes.hand_over(self.lease, self.going, decision)
        if self.going:
            self.ended.append(self.going)
            self.going = None
        if begun is None:
            self.done.taken_back += 1
            self.back.append(decision)
            return
        answer, now = self._call(decision.channel, decision.message, begun)
        if isinstance(answer, Accepted):
            self.going = outcomes.AcceptedSend(decision, begun, answer, now)
        else:
            outcomes.settle(self.lease, decision, begun, answer, now)
        self._count(answer, 1)

    def _send_together(self, digest: digests.Digest) -> bool:
        """Send one message of several reminders; False where one of them may not leave now, so that none has begun."""
        self._finish_going()
        channel, later = digest.parts[0].channel, time.monotonic() - self.read
        if channel.name in self.breaker.resting:
            return False
        if not all(isinstance(recheck_before_send(part, later), Ready) for part in digest.parts):
            return False
        begun = digests.begin(self.lease, digest)
        if begun is None:
            return False
        if begun[0].to_spare < timedelta(0):
            outcomes.take_back_begun(begun, self.lease, digest.parts)
            self.done.taken_back += len(begun)
            self.back += digest.parts
            return True
        answer, now = self._call(channel, digest.message, begun[0])
        sends = [(replace(part, message=digest.message), own) for part, own in zip(digest.parts, begun, strict=True)]
        if isinstance(answer, Accepted):
            digests.finish(begun, answer, now)
            self.ended += [outcomes.AcceptedSend(part, own, answer, now) for part, own in sends]
        else:
            for part, own in sends:
                outcomes.settle(self.lease, part, own, answer, now)
        self._count(answer, len(sends))
        return True

    def _call(self, channel: Channel, message: Message, begun: queue.Begun) -> tuple[Answer, datetime]:
        """Call the provider, with no transaction open. A channel that breaks its promise and raises leaves us in doubt."""
        started = time.monotonic()
        try:
            answer = channel.send(message)
        except Exception as error:  # whatever it is, the message may have gone
            log.error("channel %s raised %s", channel.name, type(error).__name__)
            answer = Unknown()
        took = time.monotonic() - started
        self.breaker.note(channel.name, answer, took)
        return answer, begun.at + timedelta(seconds=took)

    def _count(self, answer: Answer, reminders: int) -> None:
        self.done.sent += reminders * isinstance(answer, Accepted)
        self.done.unknown += reminders * isinstance(answer, Unknown)
        self.done.refused += reminders * isinstance(answer, Refused)


def _no_transaction(what: str) -> None:
    if connection.in_atomic_block:
        raise RuntimeError(f"{what} inside a transaction: its commits would be none")
