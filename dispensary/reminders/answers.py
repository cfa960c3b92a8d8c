"""Replies of patients, acted on once: STOP, START, work for a person, and an answer where one is owed."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import NAMESPACE_OID, uuid5

from django.db import connection, transaction
from django.db.models import Q

from dispensary.channels import Accepted, Channel, Message, channels_in_use
from dispensary.channels.staff import notify_staff
from dispensary.conf import StopScope, conf
from dispensary.emergency_numbers import emergency_number
from dispensary.errors import InvalidInput
from dispensary.models import (
    Answer,
    AnswerSource,
    ConsentSource,
    ContactPoint,
    Delivery,
    InboundEvent,
    Medium,
    Patient,
    Pharmacy,
    WorkKind,
)
from dispensary.models.reminders import ANSWERED_FREE_TEXT
from dispensary.models.sealed import address_digest, unseal
from dispensary.reminders import opt_outs
from dispensary.reminders.outcomes import engine_actor
from dispensary.reminders.reach import usable
from dispensary.reminders.red_flags import is_red_flag
from dispensary.reminders.replies import is_of_the_lists, is_ordinary, is_start, is_stop, read_answer, says_more
from dispensary.reminders.texts import (
    WayOut,
    free_text_answer,
    guess_language,
    language_for,
    nobody_reads_answer,
    red_flag_answer,
    request_answer,
    start_confirmation,
    stop_confirmation,
    who_answer,
    words_in,
)
from dispensary.reminders.two_way import describe_people, find_questions, record_answer
from dispensary.reminders.work import ORDINARY_REPLY_WITHIN, open_or_add, open_work

log = logging.getLogger(__name__)

KEEP_TRYING = timedelta(minutes=15)
"""A receipt may overtake the commit of what it is about; after this long it is about nothing of ours."""

MAIL = "email"
"""The channel whose replies come from an e-mail address."""
CONFIRM = "stopped, to confirm"
STARTED = "started, to confirm"
RED_FLAG = "red flag, to answer"
REQUESTED = "requested, to confirm"
FREE_TEXT = "free text, to answer"
STOPPED_AND_MORE = "stopped, and free text, to answer"
STARTED_AND_MORE = "started, and free text, to answer"
FOR_WHICH = "for which of several, to ask"
_ANSWERS = {
    CONFIRM: "stopped",
    STARTED: "started",
    RED_FLAG: "red flag",
    REQUESTED: "requested",
    FOR_WHICH: "for which of several",
    FREE_TEXT: "free text",
    STOPPED_AND_MORE: "free text",
    STARTED_AND_MORE: "free text",
}
"""Results of replies to answer, and once their answer is no longer owed."""
TO_ANSWER = tuple(_ANSWERS)
"""Results of replies that the next tick answers, once each."""
ANSWER_SECONDS = 10.0
AGAIN_AFTER = timedelta(hours=1)
"""The time after which an address is told again whom to call about a message that nobody has read [D]: a program that
answers us is not answered for ever."""


def act_on_reply(event: InboundEvent, now: datetime) -> str:
    """Act on a reply and return its result: what ended or began, or that a person reads it, or that an answer is owed.

    No list of words holds every way to say that one is ill. So what is neither of a closed list nor found urgent is read by
    a person within the hour, and answered at once with whom to call until then.
    """
    sender, text = _sender_of(event), unseal(event.facts["text"])
    ended_or_begun = None
    if numbered := read_answer(text):
        return _apply_answer(event, sender, *numbered, text, now)
    if is_stop(text):
        ended_or_begun = _apply_stop(event, sender, now)
    elif is_start(text):
        ended_or_begun = _apply_start(event, sender, now)
    if is_red_flag(text):  # answered also after a STOP
        _open_reply_work(WorkKind.RED_FLAG, sender, text, now)
        return RED_FLAG
    if ended_or_begun is None or says_more(text):
        within = ORDINARY_REPLY_WITHIN if is_ordinary(text) else None
        has_reader = _open_reply_work(WorkKind.REPLY, sender, text, now, within)
        if not is_of_the_lists(text):
            return {CONFIRM: STOPPED_AND_MORE, STARTED: STARTED_AND_MORE}.get(ended_or_begun or "", FREE_TEXT)
        return ended_or_begun or ("work" if has_reader else "nobody")
    return ended_or_begun


class Sender(NamedTuple):
    """The address that a reply came from, in its one spelling."""

    medium: Medium
    address: str

    @property
    def digest(self) -> str:
        return address_digest(self.medium, self.address)


def _sender_of(event: InboundEvent) -> Sender:
    address = unseal(event.facts["address"])
    medium = _medium_of(event)
    if medium is Medium.EMAIL:
        return Sender(medium, address.strip())
    return Sender(medium, _normalise_number(address, medium))


def _medium_of(event: InboundEvent) -> Medium:
    """Return the medium that a reply came by; a text message where its channel carries several, or is in use no more."""
    if event.channel == MAIL:
        return Medium.EMAIL
    media = [medium for medium, channel in channels_in_use().items() if channel.name == event.channel]
    return Medium.SMS if not media or Medium.SMS in media else Medium(media[0])


def _apply_answer(  # noqa: PLR0917  (the parts of one reply)
    event: InboundEvent, sender: Sender, answer: Answer, letter: str, text: str, now: datetime
) -> str:
    """Record a numbered answer of the one patient at an address who was asked; of nobody asked a person reads it."""
    questions = find_questions(_points_asked(event, sender), answer, letter, now)
    if len(questions) != 1 and _answers_in_call(event):  # a keypad has no letters
        kind = WorkKind.RED_FLAG if answer is Answer.UNWELL else WorkKind.REPLY
        has_reader = _open_reply_work(kind, sender, f"{answer.label} (key {text})", now)
        return RED_FLAG if kind is WorkKind.RED_FLAG else "work" if has_reader else "nobody"
    if not questions:
        return "work" if _open_reply_work(WorkKind.REPLY, sender, text, now) else "nobody"
    if len(questions) > 1:
        return FOR_WHICH
    [question] = questions.values()
    with transaction.atomic():
        opt_outs.lock_patient(question.patient_id)
        patient = Patient.objects.select_related("pharmacy").get(pk=question.patient_id)
        record_answer(patient=patient, answer=answer, reminder=question, source=AnswerSource.REPLY, now=now)
    if answer is Answer.ORDER and not _answers_in_call(event):
        return REQUESTED
    return RED_FLAG if answer is Answer.UNWELL else "answered"


def _points_asked(event: InboundEvent, sender: Sender) -> list[ContactPoint]:
    """Return the contact points in use at an address, of those alone whom the answered message was about where that is known."""
    points, message_id = _points_in_use(sender), event.facts.get("message")
    if not message_id:
        return points
    ours = Delivery.objects.filter(channel=event.channel, provider_message_id=message_id)
    together = Delivery.objects.filter(Q(pk__in=ours) | Q(sent_with__in=ours))
    asked = set(together.values_list("reminder__patient_id", flat=True))
    return [point for point in points if point.patient_id in asked] or points


def _points_in_use(sender: Sender) -> list[ContactPoint]:
    """Return the contact points in use at an address."""
    points = ContactPoint.objects.filter(medium=sender.medium, address_digest=sender.digest, retired_at=None)
    return list(points.select_related("patient__pharmacy"))


def _normalise_number(address: str, medium: Medium) -> str:
    """Return a sender's number in E.164, given with its country code, with or without the plus."""
    spellings = []
    for spelling in (address, f"+{address.strip()}"):
        try:
            spellings.append(opt_outs.clean_address(medium, spelling))
        except InvalidInput:
            continue
    digests = {number: address_digest(medium, number) for number in spellings}
    ours = set(
        ContactPoint.objects.filter(address_digest__in=digests.values()).values_list("address_digest", flat=True)
    )
    return next((number for number in spellings if digests[number] in ours), spellings[0] if spellings else address)


def _open_reply_work(kind: WorkKind, sender: Sender, text: str, now: datetime, within: timedelta | None = None) -> int:
    """Open work about a reply at every pharmacy that has this address, in use or, failing that, no more.

    The work says whether the patient still gets messages. A number on no record is work of the pharmacy: of every one where
    the message cannot wait, else of the only one. Returns how much work there is.
    """
    points = list(
        ContactPoint.objects.select_related("patient").filter(medium=sender.medium, address_digest=sender.digest)
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
    if points:
        return len(points)
    pharmacies = list(Pharmacy.objects.all())
    if kind != WorkKind.RED_FLAG and len(pharmacies) > 1:
        return 0
    for pharmacy in pharmacies:
        with transaction.atomic():
            open_work(
                kind,
                pharmacy_id=pharmacy.pk,
                patient_id=None,
                reason=f"{sender.address} wrote: “{' '.join(text.split())[:180]}” The {'address' if sender.medium is Medium.EMAIL else 'number'} is on no record here.",
                by=engine_actor(pharmacy.pk),
                now=now,
                within=within,
            )
    return len(pharmacies)


def _describe_messages(patient: Patient) -> str:
    media = dict.fromkeys(point.get_medium_display().lower() for point in usable(patient))
    return f"Messages go on by {' and '.join(media)}." if media else "Messages to this patient are now off."


def _apply_stop(event: InboundEvent, sender: Sender, now: datetime) -> str:
    """Stop at once. Confirmed when it is news and the provider does not do it: one answer, then silence."""
    evidence = f"reply {event.provider_event_id}"
    stopped, news = opt_outs.stop_address(
        medium=sender.medium,
        address=sender.address,
        source=ConsentSource.REPLY,
        evidence=evidence,
        everything=conf().stop_scope == StopScope.ALL,
        now=now,
    )
    channel = _channel_of(event)
    return CONFIRM if news and stopped and channel and channel.confirms_stop else f"stopped {stopped}"


def _apply_start(event: InboundEvent, sender: Sender, now: datetime) -> str | None:
    """Give back what a STOP ended. Confirmed where the provider does not do it; None: a person must ask."""
    started = opt_outs.start_address(
        medium=sender.medium, address=sender.address, evidence=f"reply {event.provider_event_id}", now=now
    )
    if not started:
        return None
    channel = _channel_of(event)
    return STARTED if channel and channel.confirms_stop else f"started {started}"


def answer_replies(*, now: datetime) -> int:
    """Answer those who asked us to stop or to begin again, or whose message cannot wait or is not understood; returns how many.

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
    result = _ANSWERS[event.result]
    cannot_wait, is_free_text = event.result == RED_FLAG, result == _ANSWERS[FREE_TEXT]
    marked = InboundEvent.objects.filter(pk=event.pk, processed_at__isnull=True)
    if not marked.update(processed_at=now, result=result, facts={}):
        return False
    reader, channel = _sender_of(event), _channel_of(event)
    points = ContactPoint.objects.select_related("patient__pharmacy").filter(address_digest=reader.digest)
    point = points.order_by("-retired_at", "added_at").first()  # the one in use: NULL comes first
    pharmacy = _only_pharmacy() if point is None else point.patient.pharmacy
    if cannot_wait:
        place = "a number that is not known here" if point is None else point.patient.pharmacy.name
        notify_staff(
            conf().staff_alerts, "Dispensary: a message cannot wait", f"A message from {place} sounds urgent. Look now."
        )
    if channel is None or channel.answers_in_call or now - event.received_at > KEEP_TRYING:
        return False
    if pharmacy is None and not (cannot_wait or is_free_text):
        return False
    if event.result == FREE_TEXT and _was_answered(reader, now):
        return False
    preferred = point.patient.language if point else guess_language(unseal(event.facts["text"]))
    language = language_for(preferred, pharmacy.language if pharmacy else "")
    sender = pharmacy.name_in_texts if pharmacy else words_in(language)["pharmacy"]
    words = _write_answer(event.result, reader, pharmacy, sender, language)
    subject = words_in(language)["subject_urgent" if cannot_wait else "subject"].format(sender=sender)
    key = uuid5(NAMESPACE_OID, f"{_ANSWERS[event.result]} {event.channel} {event.provider_event_id}")
    try:
        answer = channel.send(Message(key, reader.address, sender, subject, words, "", language=language))
    finally:
        channel.close()
    is_accepted = isinstance(answer, Accepted)
    if is_accepted:
        result += ", answered" if cannot_wait or is_free_text else " and confirmed"
    facts = {"sender": reader.digest} if is_free_text else {}
    InboundEvent.objects.filter(pk=event.pk).update(result=result, facts=facts)
    return is_accepted


def _write_answer(result: str, reader: Sender, pharmacy: Pharmacy | None, sender: str, language: str) -> str:
    """Return the words that answer a reply with a result of `TO_ANSWER`."""
    phone = pharmacy.phone if pharmacy else ""
    emergency = emergency_number(phone)
    if result == RED_FLAG:
        return red_flag_answer(language, sender, phone, emergency)
    if result == FREE_TEXT and pharmacy is None:
        return nobody_reads_answer(language, emergency)
    if result == FREE_TEXT:
        return free_text_answer(language, sender, phone, emergency)
    if confirmed := {STOPPED_AND_MORE: CONFIRM, STARTED_AND_MORE: STARTED}.get(result):
        return " ".join(_write_answer(part, reader, pharmacy, sender, language) for part in (confirmed, FREE_TEXT))
    if result == REQUESTED:
        return request_answer(language, sender)
    if result == FOR_WHICH:
        return who_answer(language, sender, describe_people(_points_in_use(reader)))
    if result == STARTED:
        return start_confirmation(language, sender, WayOut.REPLY if reader.medium is Medium.SMS else WayOut.CHAT)
    if conf().stop_scope == StopScope.ALL:
        return stop_confirmation(language, sender)
    return stop_confirmation(language, sender, reader.medium, _list_media_on(reader))


def _list_media_on(sender: Sender) -> list[Medium]:
    """Return the media by which messages still leave to whoever reads at an address."""
    on = {
        other.medium
        for point in _points_in_use(sender)
        for other in usable(point.patient)
        if other.carer_id == point.carer_id
    }
    return [medium for medium in Medium if medium in on]


def _was_answered(sender: Sender, now: datetime) -> bool:
    """Return whether a sender was told lately whom to call."""
    lately = InboundEvent.objects.filter(result__in=ANSWERED_FREE_TEXT, received_at__gt=now - AGAIN_AFTER)
    return lately.filter(facts__sender=sender.digest).exists()


def _only_pharmacy() -> Pharmacy | None:
    """Return the pharmacy of a site that has one: whose number an unknown sender wrote to is not known elsewhere."""
    pharmacies = list(Pharmacy.objects.all()[:2])
    return pharmacies[0] if len(pharmacies) == 1 else None


def _answers_in_call(event: InboundEvent) -> bool:
    """Return whether whoever sent this has heard an answer already, in the call itself."""
    channel = _channel_of(event)
    return channel is not None and channel.answers_in_call


def _channel_of(event: InboundEvent) -> Channel | None:
    """Return the channel that answers a reply: an e-mail by whatever sends e-mails here."""
    channels = channels_in_use()
    if event.channel == MAIL:
        return channels.get(Medium.EMAIL)
    return next((channel for channel in channels.values() if channel.name == event.channel), None)
