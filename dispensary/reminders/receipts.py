"""Receipts and replies from providers: stored first, then acted on. A status only rises; repeats change nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import NAMESPACE_OID, UUID, uuid5

from django.db import connection, transaction

from dispensary import audit
from dispensary.channels import Accepted, Channel, Message, Receipt, ReceiptStatus, Reply, channels_in_use
from dispensary.channels.staff import notify_staff
from dispensary.conf import StopScope, conf
from dispensary.errors import InvalidInput
from dispensary.models import (
    ConsentSource,
    ContactPoint,
    Delivery,
    InboundEvent,
    Medium,
    Patient,
    Pharmacy,
    Reminder,
    SuppressionReason,
    WorkKind,
)
from dispensary.models.reminders import NO_LEASE
from dispensary.models.reminders import DeliveryOutcome as Outcome
from dispensary.models.reminders import ReminderState as State
from dispensary.models.sealed import address_digest, seal, unseal
from dispensary.reminders import opt_outs, queue
from dispensary.reminders.outcomes import book_one, engine_actor
from dispensary.reminders.queue import count
from dispensary.reminders.reach import usable
from dispensary.reminders.red_flags import find_red_flag
from dispensary.reminders.replies import is_ordinary, is_start, is_stop, says_more
from dispensary.reminders.texts import (
    emergency_number,
    language_for,
    red_flag_answer,
    start_confirmation,
    stop_confirmation,
)
from dispensary.reminders.work import ORDINARY_REPLY_WITHIN, close_by_event, open_or_add

log = logging.getLogger(__name__)

KEEP_TRYING = timedelta(minutes=15)
"""A receipt may overtake the commit of what it is about; after this long it is about nothing of ours."""

CONFIRM = "stopped, to confirm"
STARTED = "started, to confirm"
RED_FLAG = "red flag, to answer"
_ANSWERS = {CONFIRM: "stopped", STARTED: "started", RED_FLAG: "red flag"}
"""Results of replies to answer, and once their answer is no longer owed."""
TO_ANSWER = tuple(_ANSWERS)
"""Results of replies that the next tick answers, once each."""
ANSWER_SECONDS = 10.0

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
        return {"address": seal(event.address), "text": seal(event.text)}
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
    result = _act_on_reply(event, now) if event.kind == "reply" else _act_on_receipt(event, now)
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


def _act_on_reply(event: InboundEvent, now: datetime) -> str:
    address, text = _normalise_number(unseal(event.facts["address"])), unseal(event.facts["text"])
    ended_or_begun = None
    if is_stop(text):
        ended_or_begun = _apply_stop(event, address, now)
    elif is_start(text):
        ended_or_begun = _apply_start(event, address, now)
    if find_red_flag(text):  # answered also after a STOP
        _open_reply_work(WorkKind.RED_FLAG, address, text, now)
        return RED_FLAG
    if ended_or_begun is None or says_more(text):
        within = ORDINARY_REPLY_WITHIN if is_ordinary(text) else None
        is_known = _open_reply_work(WorkKind.REPLY, address, text, now, within)
        return ended_or_begun or ("work" if is_known else "nobody")
    return ended_or_begun


def _normalise_number(address: str) -> str:
    """Return a sender's number in E.164, given with its country code, with or without the plus."""
    spellings = []
    for spelling in (address, f"+{address.strip()}"):
        try:
            spellings.append(opt_outs.clean_address(Medium.SMS, spelling))
        except InvalidInput:
            continue
    digests = {number: address_digest(Medium.SMS, number) for number in spellings}
    ours = set(
        ContactPoint.objects.filter(address_digest__in=digests.values()).values_list("address_digest", flat=True)
    )
    return next((number for number in spellings if digests[number] in ours), spellings[0] if spellings else address)


def _open_reply_work(kind: WorkKind, address: str, text: str, now: datetime, within: timedelta | None = None) -> int:
    """Open work about a reply at every pharmacy that has this number, in use or, failing that, no more.

    The work says whether the patient still gets messages. Returns how many contact points have the number.
    """
    points = list(
        ContactPoint.objects.select_related("patient").filter(
            medium=Medium.SMS, address_digest=address_digest(Medium.SMS, address)
        )
    )
    patients = {point.patient_id: point for point in points if point.retired_at is None}
    for point in patients.values() or {point.patient_id: point for point in points}.values():
        verb = "wrote" if point.retired_at is None else "wrote, from a number that is no longer in use"
        with transaction.atomic():
            open_or_add(
                kind,
                pharmacy_id=point.patient.pharmacy_id,
                patient_id=point.patient_id,
                reason=f"The patient {verb}: “{' '.join(text.split())[:180]}” {_describe_messages(point.patient)}",
                by=engine_actor(point.patient.pharmacy_id),
                now=now,
                within=within,
            )
    return len(points)


def _describe_messages(patient: Patient) -> str:
    media = dict.fromkeys(point.get_medium_display().lower() for point in usable(patient))
    return f"Messages go on by {' and '.join(media)}." if media else "Messages to this patient are now off."


def _apply_stop(event: InboundEvent, address: str, now: datetime) -> str:
    """Stop at once. Confirmed when it is news and the provider does not do it: one answer, then silence."""
    evidence = f"reply {event.provider_event_id}"
    stopped, news = opt_outs.stop_address(
        medium=Medium.SMS,
        address=address,
        source=ConsentSource.REPLY,
        evidence=evidence,
        everything=conf().stop_scope == StopScope.ALL,
        now=now,
    )
    channel = _channel_of(event)
    return CONFIRM if news and stopped and channel and channel.confirms_stop else f"stopped {stopped}"


def _apply_start(event: InboundEvent, address: str, now: datetime) -> str | None:
    """Give back what a STOP ended. Confirmed where the provider does not do it; None: a person must ask."""
    started = opt_outs.start_address(
        medium=Medium.SMS, address=address, evidence=f"reply {event.provider_event_id}", now=now
    )
    if not started:
        return None
    channel = _channel_of(event)
    return STARTED if channel and channel.confirms_stop else f"started {started}"


def answer_replies(*, now: datetime) -> int:
    """Answer those who asked us to stop or to begin again, or whose message cannot wait, once each; returns how many were answered.

    At most once: it is marked first, and a lost answer stays lost. Staff are told of messages that cannot wait.
    """
    waiting = InboundEvent.objects.filter(processed_at__isnull=True, result__in=TO_ANSWER).order_by("id")[:100]
    answered, ends = 0, time.monotonic() + ANSWER_SECONDS
    for event in waiting:
        if time.monotonic() > ends:  # a slow provider must not make a tick late
            break
        try:
            answered += _answer(event, now)
        except Exception as error:  # it is marked already: one answer that fails holds up nobody else's
            if not connection.is_usable():
                raise
            log.error("a reply of channel %s could not be answered: %s", event.channel, type(error).__name__)
    return answered


def _answer(event: InboundEvent, now: datetime) -> bool:
    is_red_flag, result = event.result == RED_FLAG, _ANSWERS[event.result]
    marked = InboundEvent.objects.filter(pk=event.pk, processed_at__isnull=True)
    if not marked.update(processed_at=now, result=result, facts={}):
        return False
    address, channel = _normalise_number(unseal(event.facts["address"])), _channel_of(event)
    digest = address_digest(Medium.SMS, address)
    points = ContactPoint.objects.select_related("patient__pharmacy").filter(address_digest=digest)
    point = points.order_by("-retired_at", "added_at").first()  # the one in use: NULL comes first
    pharmacy = _only_pharmacy() if point is None else point.patient.pharmacy
    if is_red_flag:
        place = "a number that is not known here" if point is None else point.patient.pharmacy.name
        notify_staff(
            conf().staff_alerts, "Dispensary: a message cannot wait", f"A message from {place} sounds urgent. Look now."
        )
    if pharmacy is None or channel is None or now - event.received_at > KEEP_TRYING:
        return False
    language = language_for("" if point is None else point.patient.language, pharmacy.language)
    if is_red_flag:
        words = red_flag_answer(language, pharmacy.name, pharmacy.phone, emergency_number(pharmacy.phone))
    elif event.result == STARTED:
        words = start_confirmation(language, pharmacy.name)
    else:
        words = stop_confirmation(language, pharmacy.name, everything=conf().stop_scope == StopScope.ALL)
    key = uuid5(NAMESPACE_OID, f"{_ANSWERS[event.result]} {event.channel} {event.provider_event_id}")
    try:
        answer = channel.send(Message(key, address, pharmacy.name, "", words, "", language=language))
    finally:
        channel.close()
    if isinstance(answer, Accepted):
        result = "red flag, answered" if is_red_flag else f"{result} and confirmed"
        InboundEvent.objects.filter(pk=event.pk).update(result=result)
    return isinstance(answer, Accepted)


def _only_pharmacy() -> Pharmacy | None:
    """Return the pharmacy of a site that has one: whose number an unknown sender wrote to is not known elsewhere."""
    pharmacies = list(Pharmacy.objects.all()[:2])
    return pharmacies[0] if len(pharmacies) == 1 else None


def _channel_of(event: InboundEvent) -> Channel | None:
    return next((channel for channel in channels_in_use().values() if channel.name == event.channel), None)


@transaction.atomic
def _act_on_receipt(event: InboundEvent, now: datetime) -> str | None:
    delivery = _delivery_of(event)
    if delivery is None:
        return None
    queue.lock_patient(delivery.reminder_id)
    reminder = Reminder.objects.select_for_update().get(pk=delivery.reminder_id)
    outcome = _OUTCOMES[ReceiptStatus(event.facts["status"])]
    delivery = Delivery.objects.select_for_update().get(pk=delivery.pk)
    if reminder.sending_since and delivery.round == reminder.round:  # it overtook our own note of the end
        book_one(reminder, delivery, now)
    if event.facts.get("opted_out") and delivery.contact_id:  # holds however late it comes
        everything = delivery.medium == Medium.SMS and conf().stop_scope == StopScope.ALL
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
