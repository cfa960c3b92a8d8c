"""Outcomes of sends: reminder, delivery, work and audit entry in one transaction each."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from dispensary import audit
from dispensary.actors import Actor
from dispensary.channels import Accepted, AfterCrash, Answer, Channel, Fault, Refused, Unknown
from dispensary.conf import StopScope, conf
from dispensary.models import ContactFault, ContactPoint, Delivery, Reminder, WorkKind
from dispensary.models.reminders import DeliveryOutcome as Outcome
from dispensary.models.reminders import ReminderKind
from dispensary.models.reminders import ReminderState as State
from dispensary.reminders import opt_outs, queue
from dispensary.reminders.compose import Later, Never, Ready, Reason, Row, key_of
from dispensary.reminders.quiet_hours import manners, place
from dispensary.reminders.work import open_work

LOST_WORKERS_LIMIT = 3
"""A message whose worker died this often while sending it is not tried a fourth time by a machine."""
UNSENT_LIMIT = 8
"""Nor one that was in the hands of this many workers that died before they began it."""
FIRST_WAIT = timedelta(seconds=60)
LONGEST_WAIT = timedelta(hours=4)

_chance = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class AcceptedSend:
    """A message that the provider has accepted; its row is not booked yet."""

    ready: Ready
    begun: queue.Begun
    answer: Accepted
    at: datetime


@lru_cache(maxsize=1024)
def engine_actor(pharmacy_id: uuid.UUID) -> Actor:
    """The engine, acting for one pharmacy."""
    return Actor.system("reminders", pharmacy_id)


def hand_over(lease: queue.Lease, done: AcceptedSend | None, following: Ready | None) -> queue.Begun | None:
    """Mark the message before as accepted and begin the next, in one commit. `None`: the next must not be sent.

    The statement looks at the lease before it commits, and its commit may wait for a lock or a disk: where that left no
    time to send, the next is taken back.
    """
    row = following.row if following else None
    parameters = {
        "token": lease.token,
        "answered": done.answer.provider_message_id if done else "",
        "previous_delivery": done.begun.delivery if done else None,
        "next": row.id if row else None,
        "medium": row.medium if row else "",
        "channel": following.channel.name if following else "",
        "key": following.message.key if following else None,
        "contact": row.contact_id if row else None,
        "digest": row.address_digest if row else "",
        "language": following.text.language if following else "",
        "words": following.text.version if following else "",
        "detailed": bool(row and row.detail_level == "detailed"),
        "segments": following.segments if following else 0,
        "send_timeout": following.channel.timeout.total_seconds() if following else 0.0,
    }
    begun = queue.hand_over(lease, parameters)
    if begun and begun.to_spare < timedelta(0):
        take_back_begun([begun], lease, [following] if following else [])
        return None
    return begun


def take_back_begun(begun: Sequence[queue.Begun], lease: queue.Lease, ready: Sequence[Ready]) -> None:
    """Take back intents whose provider was certainly not called: their commit came back when there was no time left."""
    for own, part in zip(begun, ready, strict=False):  # what has not begun is not there
        with transaction.atomic():
            queue.lock_patient(part.row.id)
            _finish(own.delivery, Outcome.DEFERRED, "no-time", own.at - own.to_spare)
            queue.return_begun(part.row.id, lease.token)


@audit.retrying
def book(lease: queue.Lease, done: Sequence[AcceptedSend]) -> None:
    """Move what was accepted to its end, with an audit line each, in one transaction for many.

    What is not ours any more (a receipt or a tick came first) has its line from whoever took it.
    """
    with transaction.atomic():
        ours = queue.book(lease, [going.ready.row.id for going in done])
        audit.record_all(
            _sent(
                row,
                going.at,
                medium=row.medium or "",
                channel=going.ready.channel.name,
                attempt=going.begun.attempt,
                key=going.ready.message.key,
                language=going.ready.text.language,
                words=going.ready.text.version,
                detailed=row.detail_level == "detailed",
            )
            for going in done
            if (row := going.ready.row).id in ours
        )


def book_one(reminder: Reminder, delivery: Delivery, now: datetime) -> None:
    """The same for one whose worker has not done it: the ledger, a receipt or the provider says that it was accepted.

    The caller holds the reminder's row.
    """
    if reminder.lease_token is None or not queue.mark(reminder.pk, reminder.lease_token, State.SENT):
        return
    reminder.state = State.SENT
    reminder.let_go()
    line = _sent(
        reminder,
        delivery.finished_at or now,
        medium=delivery.medium,
        channel=delivery.channel,
        attempt=delivery.attempt,
        key=delivery.key,
        language=delivery.language,
        words=delivery.words_version,
        detailed=delivery.detailed,
    )
    audit.record_all([line])


def _sent(reminder: Reminder | Row, at: datetime, **event_body: Any) -> audit.Prepared:
    """The audit line of a message that was accepted."""
    return audit.prepare(
        audit.Event.REMINDER_SENT,
        pharmacy=reminder.pharmacy_id,
        by=engine_actor(reminder.pharmacy_id),
        now=at,
        subject=audit.Subject("reminder", str(reminder.public_id)),
        patient=reminder.patient_id,
        reason_code=reminder.kind,
        body=event_body,
    )


def end_unsent(lease: queue.Lease, decision: Later | Never) -> None:
    """A claimed row that does not leave: due again later, or ended with its reason and, where it matters, work."""
    row = decision.row
    if isinstance(decision, Later):
        queue.mark(row.id, lease.token, State.SCHEDULED, error=decision.reason, due_at=decision.due_at)
        return
    if row.reader_id and decision.reason is Reason.NO_ADDRESS:  # the guardian gets messages no more; the others do
        queue.mark(row.id, lease.token, State.WITHDRAWN, error=decision.reason)
        return
    state, work = _ENDINGS[decision.reason]
    with transaction.atomic():
        if queue.mark(row.id, lease.token, state, error=decision.reason):
            record_failure(row, decision.reason, work, row.now)


_ENDINGS = {
    Reason.TOO_LATE: (State.EXPIRED, WorkKind.EXPIRED),
    Reason.NO_ADDRESS: (State.SUPPRESSED, WorkKind.UNREACHABLE),
    Reason.ALL_REFUSED: (State.FAILED, WorkKind.UNREACHABLE),
    Reason.ENOUGH_TODAY: (State.SUPPRESSED, WorkKind.EXPIRED),
    Reason.WORDS: (State.FAILED, WorkKind.FAILED),
    Reason.ADDRESS: (State.FAILED, WorkKind.FAILED),
}
_ALWAYS_WORK = frozenset({WorkKind.FAILED, WorkKind.MAYBE_SENT})

_IN_DOUBT = "may-have-gone"

WORDS: dict[str, str] = {
    _IN_DOUBT: "It may or may not have gone; send it again, call, or leave it.",
    "workers-died": "The programs that tried to send it broke down.",
    Reason.TOO_LATE: "It could not leave before it stopped being true.",
    Reason.NO_ADDRESS: "There is no address that the patient has allowed.",
    Reason.ALL_REFUSED: "Every address that the patient has allowed refuses messages, or no receipt says that they arrive.",
    Reason.ENOUGH_TODAY: "The patient has had as many messages as we send.",
    Reason.WORDS: "Its text could not be written.",
    Reason.ADDRESS: "The address was sealed with a key that this site no longer has; record it anew.",
}


def record_failure(reminder: Reminder | Row, code: str, work: WorkKind, now: datetime) -> None:
    """The audit line of an ending, and work for a person where silence could harm or the fault is ours."""
    by, kind = engine_actor(reminder.pharmacy_id), ReminderKind(reminder.kind)
    audit.record(
        audit.Event.REMINDER_FAILED,
        pharmacy=reminder.pharmacy_id,
        by=by,
        now=now,
        subject=audit.Subject("reminder", str(reminder.public_id)),
        outcome=audit.Outcome.FAILURE,
        patient=reminder.patient_id,
        reason_code=str(code),
        body={"kind": kind.value},
    )
    if kind.matters_for_safety or work in _ALWAYS_WORK or code == Reason.ALL_REFUSED:
        sentence = WORDS.get(str(code), f"The provider did not take it ({code}).")
        open_work(
            work,
            pharmacy_id=reminder.pharmacy_id,
            patient_id=reminder.patient_id,
            reason=f"{kind.label.capitalize()}{', to another guardian' if reminder.reader_id else ''}. {sentence}",
            by=by,
            now=now,
            reminder_id=reminder.id,
        )


def settle(lease: queue.Lease, ready: Ready, begun: queue.Begun, answer: Refused | Unknown, now: datetime) -> None:
    """Record an answer that is not an acceptance, and what follows from it."""
    row = ready.row
    if isinstance(answer, Unknown):
        if ready.channel.after_crash is AfterCrash.LOOK_UP:  # the tick asks the provider when the lease has run out
            Delivery.objects.filter(pk=begun.delivery, outcome=Outcome.STARTED).update(
                outcome=Outcome.UNKNOWN, error=answer.fault
            )
            return
        in_doubt(reminder_id=row.id, token=lease.token, delivery_id=begun.delivery, channel=ready.channel, now=now)
        return
    with transaction.atomic():
        queue.lock_patient(row.id)
        _finish(begun.delivery, Outcome.REFUSED if answer.permanent else Outcome.DEFERRED, answer.fault, now)
        if answer.permanent:
            _record_permanent_refusal(row, answer, now)
            queue.return_begun(row.id, lease.token, error=answer.fault)  # the next address, if there is one
            return
        again = _next_attempt(row, begun.attempt, answer, now)
        if again:
            queue.return_begun(row.id, lease.token, error=answer.fault, due_at=again)
        elif queue.mark(row.id, lease.token, State.FAILED, error=answer.fault):
            record_failure(row, answer.fault, WorkKind.FAILED, now)


def retry_after(attempt: int, chance: float, asked: timedelta | None = None) -> timedelta:
    """Wait before the next attempt: 60 s doubled for each attempt, at most 4 h, spread over its upper half.

    ``attempt`` counts from 1; ``chance`` is a uniform number in [0, 1), handed in so that the sum stays testable.
    What the provider ``asked`` for (``Retry-After``) wins when it is longer than nothing.
    """
    if asked is not None and asked > timedelta(0):
        return min(asked, LONGEST_WAIT)
    doubled: timedelta = FIRST_WAIT * 2 ** min(attempt, 10)
    return min(LONGEST_WAIT, doubled) * (0.5 + chance / 2)


def _next_attempt(row: Row, attempt: int, answer: Refused, now: datetime) -> datetime | None:
    """Return when to try again: backed off, outside quiet hours, before it stops being true; else `None`."""
    if attempt >= conf().reminder_attempts:
        return None
    due = now + retry_after(attempt, _chance.random(), answer.retry_after)
    zone, quiet = manners(row.zone_name, row.pharmacy_zone, row.quiet_from, row.quiet_until)
    return place(due, row.useful_until, now, zone, quiet)


def _record_permanent_refusal(row: Row, answer: Refused, now: datetime) -> None:
    """A permanent refusal: the address is of no use, or its owner has asked the provider to stop us."""
    by = engine_actor(row.pharmacy_id)
    if answer.fault is Fault.BAD_ADDRESS:
        ContactPoint.objects.filter(pk=row.contact_id, fault="").update(  # type: ignore[misc]  # None updates no row
            fault=ContactFault.REFUSED, fault_at=now
        )
        audit.record(
            audit.Event.CONTACT_CHANGED,
            pharmacy=row.pharmacy_id,
            by=by,
            now=now,
            subject=audit.Subject("contactpoint", str(row.contact_id)),
            patient=row.patient_id,
            reason_code=answer.fault,
            body={"medium": row.medium or "", "fault": ContactFault.REFUSED},
        )
    if answer.fault is Fault.OPTED_OUT and row.contact_id:
        everything = conf().stop_scope == StopScope.ALL
        opt_outs.stop_contact(
            contact_id=row.contact_id, source="provider", evidence=answer.fault, everything=everything, by=by, now=now
        )


def _finish(delivery_id: int, outcome: Outcome, fault: str, now: datetime) -> None:
    Delivery.objects.filter(pk=delivery_id, outcome__in=(Outcome.STARTED, Outcome.UNKNOWN)).update(
        outcome=outcome, error=fault, finished_at=now
    )


def in_doubt(
    *,
    reminder_id: int,
    token: uuid.UUID,
    delivery_id: int | None,
    channel: Channel | None,
    now: datetime,
    worker_died: bool = False,
) -> None:
    """A message that may or may not have gone: ask, repeat with the same key, repeat because silence is worse, or park."""
    answer: Answer | None = None
    delivery = Delivery.objects.filter(pk=delivery_id).first() if delivery_id else None
    if channel and delivery and channel.after_crash is AfterCrash.LOOK_UP:
        answer = channel.look_up(delivery.key)
        if answer is None:
            return
    with transaction.atomic():
        queue.lock_patient(reminder_id)
        reminder = Reminder.objects.select_for_update().filter(pk=reminder_id, lease_token=token).first()
        if reminder is None or reminder.sending_since is None:
            return
        if delivery:  # read again: a worker that is slow rather than dead may have noted the end since
            open_still = Delivery.objects.select_for_update().filter(outcome__in=(Outcome.STARTED, Outcome.UNKNOWN))
            delivery = open_still.filter(pk=delivery.pk).first()
        if worker_died:
            Reminder.objects.filter(pk=reminder_id).update(lost_workers=reminder.lost_workers + 1)
        if isinstance(answer, Accepted) or (delivery is None and _accepted_deliveries(reminder).exists()):
            _record_sent(reminder, delivery, answer, now)
        elif delivery is None or isinstance(answer, Refused) or _may_repeat(reminder, delivery, channel):
            state = queue.return_begun(reminder_id, token, error=Fault.NO_ANSWER)
            if delivery:
                repeated = Outcome.REPEATED if state == State.SCHEDULED else Outcome.UNKNOWN
                _finish(delivery.pk, repeated, Fault.NO_ANSWER, now)
        else:
            _finish(delivery.pk, Outcome.UNKNOWN, Fault.NO_ANSWER, now)
            queue.mark(reminder_id, token, State.PARKED, error=Fault.NO_ANSWER)
            record_failure(reminder, _IN_DOUBT, WorkKind.MAYBE_SENT, now)


def _may_repeat(reminder: Reminder, delivery: Delivery, channel: Channel | None) -> bool:
    """Say whether what may have gone is sent again. A key of several reminders does not fold: the next message may hold others."""
    if reminder.lost_workers + 1 >= LOST_WORKERS_LIMIT or reminder.attempts >= conf().reminder_attempts:
        return False
    has_own_key = delivery.key == key_of(reminder.public_id, delivery.medium, delivery.round)
    is_folded = has_own_key and channel is not None and channel.after_crash is AfterCrash.SAME_KEY
    return is_folded or ReminderKind(reminder.kind).matters_for_safety


def _accepted_deliveries(reminder: Reminder) -> QuerySet[Delivery]:
    return reminder.deliveries.filter(round=reminder.round, outcome__in=(Outcome.ACCEPTED, Outcome.DELIVERED))


def _record_sent(reminder: Reminder, delivery: Delivery | None, answer: Answer | None, now: datetime) -> None:
    """Its worker is lost; the ledger has its end, or the provider has told us."""
    if delivery and isinstance(answer, Accepted):
        Delivery.objects.filter(pk=delivery.pk, outcome__lt=Outcome.ACCEPTED).update(
            outcome=Outcome.ACCEPTED, provider_message_id=answer.provider_message_id, finished_at=now
        )
    book_one(reminder, delivery or _accepted_deliveries(reminder).latest("attempt"), now)
