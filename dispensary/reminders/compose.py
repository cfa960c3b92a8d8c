"""From a claimed row to a message, or to the reason why there is none."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.fernet import InvalidToken

from dispensary.channels import Channel, Message
from dispensary.conf import Conf, StopScope, conf
from dispensary.emergency_numbers import emergency_number
from dispensary.models.contacts import DetailLevel, Medium
from dispensary.models.pharmacy import Pharmacy, QuietHours, SharedNames, UsualTimes
from dispensary.models.reminders import ReminderKind
from dispensary.models.sealed import opener
from dispensary.reminders import links, queue
from dispensary.reminders.quiet_hours import manners, place, resolve
from dispensary.reminders.segments import count_segments
from dispensary.reminders.texts import (
    LINK,
    Text,
    WayOut,
    key_answers,
    language_for,
    letter_of,
    medicine_in,
    name_reader,
    say_date,
    say_number,
    say_tablets,
    write,
)
from dispensary.reminders.texts import patient_page as page_words

TURN = timedelta(minutes=1)
"""Time that a nudge waits for another message to the same patient that is due as well."""
RECHECK_AFTER = 0.25
"""Seconds for which a batch may rely on what was decided when it was read."""


class Reason(StrEnum):
    """A reason for which a reminder does not leave now, as a code; its sentence is in `outcomes.WORDS`."""

    NO_ADDRESS = "no-address-allowed"
    ALL_REFUSED = "every-address-refused"
    TOO_LATE = "too-late"
    QUIET = "quiet-hours"
    ENOUGH_TODAY = "daily-limit"
    WORDS = "words-missing"
    ADDRESS = "address-unreadable"
    RESTING = "provider-resting"
    ANOTHER_FIRST = "another-goes-first"


@dataclass(frozen=True, slots=True)
class Row:
    """One claimed reminder with all that decides about it. Field order is that of `read_batch` in `queue.sql`."""

    id: int
    public_id: uuid.UUID
    kind: str
    params: Any
    round: int
    useful_until: datetime
    despite_quiet: bool
    pharmacy_id: uuid.UUID
    patient_id: uuid.UUID
    zone_name: str
    pharmacy_zone: str
    language: str
    pharmacy_language: str
    sender: str
    sender_in_texts: str
    phone: str
    after_hours: str
    reply_to: str
    quiet_from: time
    quiet_until: time
    message_at: time
    given_name: str
    family_name: str
    shared_names: str
    usual_times: str
    contact_id: uuid.UUID | None
    medium: str | None
    address: str | None
    address_digest: str | None
    detail_level: str | None
    page_code: str | None
    is_shared: bool
    rank: int
    """Of the patient among those who read at the address, from 0."""
    sent_before: Sequence[datetime]
    another_first: bool
    refused_before: bool
    was_in_doubt: bool
    """An attempt may have gone: what is repeated keeps its own key, by which a provider knows it."""
    now: datetime
    reader_id: uuid.UUID | None
    """The guardian to whom alone this copy goes."""
    further_readers: Sequence[uuid.UUID] | None
    """Guardians who said yes and have no copy of it yet."""

    @property
    def manners(self) -> tuple[ZoneInfo, QuietHours]:
        return manners(self.zone_name, self.pharmacy_zone, self.quiet_from, self.quiet_until)


@dataclass(frozen=True, slots=True)
class Ready:
    """A message that may leave now."""

    row: Row
    message: Message
    channel: Channel
    text: Text
    segments: int


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: due again at `due_at`. No attempt is counted."""

    row: Row
    reason: Reason
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Never:
    """Not at all."""

    row: Row
    reason: Reason


def read(lease: queue.Lease, channels: Mapping[str, Channel], habits: Habits) -> list[Ready | Later | Never]:
    """Decide about every row of a claimed batch, with one query.

    What goes to one guardian is copied for the others who said yes before anything leaves.
    """
    parameters = {"media": list(channels), "ids": list(lease.ids), "token": lease.token}
    rows = (Row(*columns) for columns in queue.run_prepared(queue.SQL["read_batch"], parameters))
    decisions = [decide(row, channels, habits) for row in rows]
    for decision in decisions:
        if decision.row.further_readers and not isinstance(decision, Never):
            queue.copy_for_readers(lease, decision.row.id, decision.row.further_readers)
    return decisions


@dataclass(frozen=True, slots=True)
class Habits:
    """Settings that are the same for a whole batch, looked up once."""

    conf: Conf
    unseal: Callable[[str], str]

    @classmethod
    def look_up(cls) -> Habits:
        return cls(conf(), opener())


def decide(row: Row, channels: Mapping[str, Channel], habits: Habits) -> Ready | Later | Never:
    """Decide whether, when and in which words this reminder leaves."""
    if row.useful_until <= row.now:
        return Never(row, Reason.TOO_LATE)
    if row.contact_id is None or row.medium is None or row.address is None:
        return Never(row, Reason.ALL_REFUSED if row.refused_before else Reason.NO_ADDRESS)
    later = None if row.despite_quiet else _postpone(row, habits)
    if later is not None:
        return later
    try:
        channel = channels[row.medium]
        stop_url = links.stop_url(row.contact_id, habits.conf.public_url) if row.medium == Medium.EMAIL else ""
        text = words_of(row, way_out(channel, Medium(row.medium), stop_url))
    except Exception:  # whatever is wrong with one row, its neighbours must leave
        return Never(row, Reason.WORDS)
    try:
        message = _message(row, text, channel, stop_url, habits)
    except InvalidToken:
        return Never(row, Reason.ADDRESS)
    length = count_segments(message.text).count if row.medium == Medium.SMS else 0
    return Ready(row, message, channel, text, length)


def _postpone(row: Row, habits: Habits) -> Later | Never | None:
    """Quiet hours and the limits of a day and a week; `None` when nothing stands against it."""
    zone, quiet = row.manners
    allowed = place(row.now, row.useful_until, row.now, zone, quiet)
    if allowed is None:
        return Never(row, Reason.TOO_LATE)
    if allowed > row.now:
        return Later(row, Reason.QUIET, allowed)
    if not ReminderKind(row.kind).is_limited:
        return None
    if row.another_first:  # the limit of a day can only count the one that has left: a nudge waits for its turn
        return _wait(row, row.now + TURN, Reason.ANOTHER_FIRST, Reason.ENOUGH_TODAY)
    if not row.sent_before:
        return None
    today = row.now.astimezone(zone).date()
    so_many_today = sum(sent.astimezone(zone).date() == today for sent in row.sent_before)
    if so_many_today < habits.conf.reminders_a_day and len(row.sent_before) < habits.conf.reminders_a_week:
        return None
    tomorrow = resolve(today + timedelta(days=1), row.message_at, zone)
    placed = place(tomorrow, row.useful_until, row.now, zone, quiet)
    return Later(row, Reason.ENOUGH_TODAY, placed) if placed and placed > row.now else Never(row, Reason.ENOUGH_TODAY)


def _wait(row: Row, until: datetime, reason: Reason, too_late: Reason) -> Later | Never:
    """Due again then, or when quiet hours allow it after that; never, where that is too late."""
    zone, quiet = row.manners
    allowed = place(until, row.useful_until, until, zone, quiet)
    return Later(row, reason, allowed) if allowed else Never(row, too_late)


def recheck_before_send(ready: Ready, later: float) -> Ready | Later | Never:
    """Check quiet hours and usefulness again, `later` seconds after the batch was read: a provider may be slow."""
    if later < RECHECK_AFTER or ready.row.despite_quiet:
        return ready
    row = replace(ready.row, now=ready.row.now + timedelta(seconds=later))
    zone, quiet = row.manners
    allowed = place(row.now, row.useful_until, row.now, zone, quiet)
    if allowed is None:
        return Never(row, Reason.TOO_LATE)
    return Later(row, Reason.QUIET, allowed) if allowed > row.now else ready


def wait_for_provider(row: Row, until: datetime) -> Later | Never:
    """Return when a message may leave whose provider rests until then."""
    return _wait(row, until, Reason.RESTING, Reason.TOO_LATE)


def way_out(channel: Channel | None, medium: Medium, stop_url: str = "") -> WayOut:
    """Return how the reader can end the messages; by call where replies are not read and no link can be made."""
    if medium == Medium.EMAIL:
        return WayOut.LINK if stop_url else WayOut.CALL
    if not channel or not channel.takes_replies:
        return WayOut.CALL
    return {Medium.VOICE: WayOut.KEYPAD, Medium.WHATSAPP: WayOut.CHAT}.get(medium, WayOut.REPLY)


def words_of(row: Row, out: WayOut, *, sender: str | None = None, brief: bool = False) -> Text:
    """The text in the patient's language; with medicine and dose only where the patient chose it.

    In a digest, `sender` is what stands for the sender, and a `brief` text leaves its telephone to the last one.
    """
    language = language_for(row.language, row.pharmacy_language)
    params = json.loads(row.params) if isinstance(row.params, str) else row.params
    detailed = row.detail_level == DetailLevel.DETAILED
    typewritten = row.medium == Medium.SMS
    if sender is None:
        sender = row.sender_in_texts if typewritten else row.sender
        if row.is_shared:
            sender = name_reader(sender, language, row.given_name, row.family_name, SharedNames(row.shared_names))
    values = _values_of(
        params,
        language,
        sender=sender,
        phone=row.phone,
        after_hours="" if brief else row.after_hours,
        usual_times=UsualTimes(row.usual_times),
        detailed=detailed,
        typewritten=typewritten,
    )
    return write(
        ReminderKind(row.kind),
        language,
        detailed=detailed,
        values=values,
        way_out=out,
        typewritten=typewritten,
        letter=letter_of(row.rank) if row.is_shared else "",
        brief=brief,
    )


def words_at(
    pharmacy: Pharmacy,
    kind: ReminderKind,
    params: Mapping[str, Any],
    language: str,
    *,
    sender: str = "",
    way_out: WayOut = WayOut.REPLY,
    detailed: bool = False,
    typewritten: bool,
) -> Text:
    """The text of a kind as it reads from a pharmacy, apart from the queue; without a `sender`, under the pharmacy's name."""
    values = _values_of(
        params,
        language,
        sender=sender or (pharmacy.name_in_texts if typewritten else pharmacy.name),
        phone=pharmacy.phone,
        after_hours=pharmacy.after_hours_phone,
        usual_times=UsualTimes(pharmacy.usual_times),
        detailed=detailed,
        typewritten=typewritten,
    )
    return write(kind, language, detailed=detailed, values=values, way_out=way_out, typewritten=typewritten)


def _values_of(
    params: Mapping[str, Any],
    language: str,
    *,
    sender: str,
    phone: str,
    after_hours: str,
    usual_times: UsualTimes,
    detailed: bool,
    typewritten: bool,
) -> dict[str, str]:
    """The variables that the words may use; the date in short in a text message."""
    values = {
        "sender": sender,
        "phone": phone,
        "after_hours": after_hours,
        "emergency": emergency_number(phone),
        "date": _date_text(params["date"], language, typewritten),
    }
    if not detailed:
        return values
    values["medicine"] = medicine_in(language)
    if "after" not in params:
        return values
    before, after = (tuple(Decimal(dose) for dose in params[name]) for name in ("before", "after"))
    values |= {
        "before": say_number(sum(before, Decimal(0)), language),
        "after": say_number(sum(after, Decimal(0)), language),
    }
    if "strength" not in params:  # tablets of several strengths
        return values
    strength = Decimal(params["strength"])
    values["strength"] = say_number(strength, language)
    times = params.get("times") or usual_times.by_count.get(len(after), ())
    if tablets := say_tablets(after, strength, language, times):
        values["tablets"] = tablets
    return values


@lru_cache(maxsize=2048)
def _date_text(day: str, language: str, typewritten: bool) -> str:
    return say_date(date.fromisoformat(day), language, is_short=typewritten)


def key_of(public_id: uuid.UUID, medium: str, round_: int) -> uuid.UUID:
    """The idempotency key: equal for every attempt at one intent, new when a person sends it again."""
    return uuid.uuid5(public_id, f"{medium}:{round_}")


def _message(row: Row, text: Text, channel: Channel, stop_url: str, habits: Habits) -> Message:
    assert row.medium is not None and row.address is not None and row.page_code is not None
    is_mail, is_push = row.medium == Medium.EMAIL, row.medium == Medium.PUSH
    page_url = ""
    if row.medium != Medium.VOICE:
        page_url = links.page_url(row.page_code, habits.conf.public_url if is_mail else habits.conf.link_url)
    keys = {}
    if way_out(channel, Medium(row.medium)) is WayOut.KEYPAD:
        everything = habits.conf.stop_scope == StopScope.ALL
        kind = ReminderKind(row.kind)
        keys = key_answers(kind, text.language, sender=row.sender, phone=row.phone, everything=everything)
    return Message(
        key=key_of(row.public_id, row.medium, row.round),
        to=habits.unseal(row.address),
        sender=row.sender,
        subject=text.subject,
        body=text.body if is_mail or is_push else " ".join(filter(None, (text.body, text.offer, page_url))),
        opt_out=channel.opt_out_line(text.language, text.opt_out),
        stop_url=stop_url,
        page_url=page_url if is_mail or is_push else "",
        page_words=page_words(text.language)["link"],
        language=text.language,
        reply_to=row.reply_to,
        template=row.kind if text.places else "",
        places=tuple((page_url if name == LINK else words) or "-" for name, words in text.places),
        useful_for=row.useful_until - row.now,
        topic=_topic_of(row) if is_push else "",
        keys=keys,
    )


def _topic_of(row: Row) -> str:
    """Return the topic of a notification (22 characters): of the messages about the next supply to one reader, or of a kind."""
    assert row.contact_id is not None
    kind = ReminderKind(row.kind)
    topic = uuid.uuid5(row.contact_id, "supply" if kind.about_refill else kind.value)
    return base64.urlsafe_b64encode(topic.bytes).rstrip(b"=").decode()
