"""Receipts and replies from providers: stored first, then acted on. A status only rises; repeats change nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from dispensary import audit
from dispensary.channels import Receipt, ReceiptStatus, Reply
from dispensary.conf import StopScope, conf
from dispensary.models import (
    ConsentSource,
    Delivery,
    InboundEvent,
    Reminder,
    SuppressionReason,
)
from dispensary.models.reminders import NO_LEASE
from dispensary.models.reminders import DeliveryOutcome as Outcome
from dispensary.models.reminders import ReminderState as State
from dispensary.models.sealed import seal
from dispensary.reminders import opt_outs, queue
from dispensary.reminders.answers import KEEP_TRYING, TO_ANSWER, act_on_reply
from dispensary.reminders.outcomes import book_one, engine_actor
from dispensary.reminders.queue import count
from dispensary.reminders.work import close_by_event

log = logging.getLogger(__name__)

_OUTCOMES = {
    ReceiptStatus.DELIVERED: Outcome.DELIVERED,
    ReceiptStatus.UNDELIVERED: Outcome.UNDELIVERED,
    ReceiptStatus.BOUNCED: Outcome.BOUNCED,
    ReceiptStatus.COMPLAINED: Outcome.COMPLAINED,
}


@transaction.atomic
def keep(*, channel: str, events: Iterable[Receipt | Reply], now: datetime) -> int:
    """Store what came in; the caller answers 2xx only after this has committed. Returns how many are new."""
    rows = [
        InboundEvent(
            channel=channel,
            provider_event_id=event.event_id[:200],
            kind="receipt" if isinstance(event, Receipt) else "reply",
            facts=_facts(event),
            received_at=now,
        )
        for event in events
    ]
    stored_ids = set(
        InboundEvent.objects.filter(
            channel=channel, provider_event_id__in=[row.provider_event_id for row in rows]
        ).values_list("provider_event_id", flat=True)
    )
    InboundEvent.objects.bulk_create(rows, ignore_conflicts=True)
    return len({row.provider_event_id for row in rows} - stored_ids)


def _facts(event: Receipt | Reply) -> dict[str, object]:
    """Without text and address in the clear; those of a reply are sealed until it has been read."""
    if isinstance(event, Reply):
        return {"address": seal(event.address), "text": seal(event.text), "message": event.answers_message}
    return {
        "status": event.status.value,
        "key": event.key,
        "message": event.provider_message_id,
        "permanent": event.permanent,
        "opted_out": event.opted_out,
    }


def act_on_events(*, now: datetime, limit: int = 500) -> int:
    """Act on everything kept and not yet acted on. Returns how many were settled.

    One that cannot be acted on holds up nobody behind it; it is tried again for a quarter of an hour, then counted and logged.
    """
    waiting = (
        InboundEvent.objects.filter(processed_at__isnull=True, result="")
        .order_by("id")
        .values_list("pk", flat=True)[:limit]
    )
    return sum(_act_on(pk, now) for pk in list(waiting))


def _act_on(pk: int, now: datetime) -> bool:
    try:
        return _settle(pk, now)
    except Exception as error:  # whatever is wrong with one event, those behind it must be heard
        if not connection.is_usable():
            raise
        event = InboundEvent.objects.get(pk=pk)
        log.error("event %d of channel %s could not be acted on: %s", pk, event.channel, type(error).__name__)
    if now - event.received_at < KEEP_TRYING:
        return False
    count({"event-failed": 1})  # its facts stay, sealed, for whoever finds out why
    return bool(InboundEvent.objects.filter(pk=pk, processed_at__isnull=True).update(processed_at=now, result="failed"))


@transaction.atomic
def _settle(pk: int, now: datetime) -> bool:
    """Act on one event, once: whoever holds its row, of the tick and those who called us, and nobody beside them."""
    waiting = InboundEvent.objects.select_for_update(skip_locked=True).filter(processed_at__isnull=True, result="")
    event = waiting.filter(pk=pk).first()
    if event is None:
        return False
    result = act_on_reply(event, now) if event.kind == "reply" else _act_on_receipt(event, now)
    if result is None and now - event.received_at < KEEP_TRYING:
        return False
    if result is None:
        count({"receipt-unknown": 1})
        log.warning("a receipt of channel %s is about no message of ours (event %d)", event.channel, pk)
    if result in TO_ANSWER:  # acted on already; the answer is the tick's, since whoever called us shall not wait for it
        InboundEvent.objects.filter(pk=pk).update(result=result)
        return True
    remaining_facts = {name: value for name, value in event.facts.items() if name not in {"address", "text"}}
    InboundEvent.objects.filter(pk=pk).update(
        processed_at=now, result=result or "unknown-reference", facts=remaining_facts
    )
    return True


@transaction.atomic
def _act_on_receipt(event: InboundEvent, now: datetime) -> str | None:
    """Act on a receipt for all reminders that its message says; the result is that of the first."""
    delivery = _delivery_of(event)
    if delivery is None:
        return None
    lead = delivery.sent_with_id or delivery.pk
    said_together = Delivery.objects.filter(Q(sent_with=lead) | Q(pk=lead)).order_by("reminder__patient_id", "pk")
    results = {row.pk: _apply_receipt(event, row, now) for row in said_together}
    return results[delivery.pk]


def _apply_receipt(event: InboundEvent, delivery: Delivery, now: datetime) -> str:
    queue.lock_patient(delivery.reminder_id)
    reminder = Reminder.objects.select_for_update().get(pk=delivery.reminder_id)
    outcome = _OUTCOMES[ReceiptStatus(event.facts["status"])]
    delivery = Delivery.objects.select_for_update().get(pk=delivery.pk)
    if reminder.sending_since and delivery.round == reminder.round:  # it overtook our own note of the end
        book_one(reminder, delivery, now)
    if event.facts.get("opted_out") and delivery.contact_id:  # holds however late it comes
        everything = delivery.medium in opt_outs.ON_A_NUMBER and conf().stop_scope == StopScope.ALL
        _stop_at_provider(
            delivery.contact_id, "opted-out-at-provider", SuppressionReason.OPTED_OUT, now, everything=everything
        )
    if outcome // 10 <= delivery.outcome // 10:
        return "older"
    Delivery.objects.filter(pk=delivery.pk).update(outcome=outcome, finished_at=delivery.finished_at or now)
    _apply_outcome(reminder, delivery, outcome, permanent=bool(event.facts.get("permanent")), now=now)
    return outcome.name.lower()


def _delivery_of(event: InboundEvent) -> Delivery | None:
    ours = Delivery.objects.filter(channel=event.channel).order_by("-attempt")
    number = event.facts.get("message")
    if number and (delivery := ours.filter(provider_message_id=number).first()):
        return delivery
    try:
        return ours.filter(key=UUID(event.facts.get("key", ""))).first()
    except ValueError:
        return None


def _apply_outcome(reminder: Reminder, delivery: Delivery, outcome: Outcome, *, permanent: bool, now: datetime) -> None:
    """Apply a receipt to the reminder: delivered, to be tried at the next address, or stopped."""
    of_this_round = delivery.round == reminder.round  # a person may have asked for it again meanwhile
    if outcome == Outcome.DELIVERED:
        if of_this_round and reminder.state not in _TAKEN_BACK:
            _move(reminder, State.DELIVERED)
            close_by_event(reminder_id=reminder.pk, by=engine_actor(reminder.pharmacy_id), now=now)
        _record_event(audit.Event.REMINDER_DELIVERED, reminder, now, "delivered")
        return
    if outcome == Outcome.COMPLAINED and delivery.contact_id:
        _stop_at_provider(delivery.contact_id, "complaint", SuppressionReason.COMPLAINED, now)
        return
    if permanent and delivery.contact_id:
        opt_outs.note_refusal(
            contact_id=delivery.contact_id, code="not-delivered", by=engine_actor(reminder.pharmacy_id), now=now
        )
    if of_this_round and reminder.state == State.SENT and not reminder.plan.ended_at:
        _move(reminder, State.SCHEDULED, error="not-delivered")  # the next address, else a person's work
        _record_event(audit.Event.REMINDER_FAILED, reminder, now, "not-delivered")


_TAKEN_BACK = frozenset({State.WITHDRAWN, State.SUPPRESSED})


def _stop_at_provider(
    contact_id: UUID, evidence: str, reason: SuppressionReason, now: datetime, *, everything: bool = False
) -> None:
    opt_outs.stop_contact(
        contact_id=contact_id,
        source=ConsentSource.PROVIDER,
        evidence=evidence,
        reason=reason,
        everything=everything,
        now=now,
    )


def _move(reminder: Reminder, state: State, error: str = "") -> None:
    reminder.state, reminder.last_error = state, error
    reminder.let_go()
    reminder.save(update_fields=["state", "last_error", *NO_LEASE])


def _record_event(event: audit.Event, reminder: Reminder, now: datetime, reason: str) -> None:
    audit.record(
        event,
        pharmacy=reminder.pharmacy_id,
        by=engine_actor(reminder.pharmacy_id),
        now=now,
        subject=audit.Subject("reminder", str(reminder.public_id)),
        patient=reminder.patient_id,
        reason_code=reason,
        body={"kind": reminder.kind},
    )
