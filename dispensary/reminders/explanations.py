"""Reading, in words: why somebody has got no message, and everything that a course will send. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured

from baclofen_rules.therapy import Therapy
from dispensary.channels import Channel, Fault, channel_named
from dispensary.conf import conf
from dispensary.models import (
    ConsentAnswer,
    Medium,
    Patient,
    Pharmacy,
    Reminder,
    ReminderState,
)
from dispensary.models.reminders import ReminderKind
from dispensary.reminders.compose import Reason, way_out, words_at
from dispensary.reminders.links import sample_page_url
from dispensary.reminders.outcomes import WORDS
from dispensary.reminders.planning import hours_of, leaves_at, manners_of
from dispensary.reminders.reach import Address, media_offered, usable
from dispensary.reminders.schedule import schedule_messages
from dispensary.reminders.segments import Segments, count_segments
from dispensary.reminders.texts import LANGUAGES, language_for

_LONG_DAY = date(2026, 9, 23).isoformat()
"""A Wednesday in September: as long as a date gets."""

FAULTS: dict[str, str] = {
    Fault.UNREACHABLE: "the provider could not be reached",
    Fault.BUSY: "the provider was busy",
    Fault.LIMITED: "the provider asked us to slow down",
    Fault.BAD_ADDRESS: "the address was refused",
    Fault.OPTED_OUT: "the patient has asked the provider to stop our messages",
    Fault.REJECTED: "the provider refused the message",
    Fault.MISCONFIGURED: "the channel is not set up correctly",
    Fault.NO_ANSWER: "the provider's answer was lost",
    Reason.QUIET: "it waits for the end of the quiet hours",
    Reason.RESTING: "the provider is down; it is tried again in some minutes",
    Reason.ANOTHER_FIRST: "another message to the patient goes first",
    Reason.ENOUGH_TODAY: "the patient has had as many messages as we send",
}


def explain(*, patient: Patient, addresses: list[Address], now: datetime) -> list[str]:
    """Explain which messages a patient has got or not got: one sentence a fact, no address."""
    return [*_about_the_patient(patient), *_about_addresses(patient, addresses), *_about_plans(patient, now)]


def _about_the_patient(patient: Patient) -> list[str]:
    zone, quiet = manners_of(patient)
    sentences = [f"Times are those of {zone}; nothing leaves from {quiet.start:%H:%M} to {quiet.end:%H:%M}."]
    if patient.died_on:
        sentences.insert(0, f"The patient died on {patient.died_on}; nothing is sent.")
    return sentences


def _about_addresses(patient: Patient, addresses: list[Address]) -> list[str]:
    answers = {consent.medium: consent for consent in patient.consents.all()}
    sentences, offered = [], media_offered()
    for medium in Medium:
        if medium not in offered and medium not in answers:
            continue
        consent, name = answers.get(medium), str(medium.label)
        if consent is None:
            sentences.append(f"{name}: the patient has not been asked, so nothing is sent.")
        elif consent.answer == ConsentAnswer.YES:
            sentences.append(f"{name}: the patient said yes on {consent.since:%d %b %Y}.")
        else:
            sentences.append(f"{name}: the patient said no on {consent.since:%d %b %Y}.")
    sentences += [
        f"{carer.get_relation_display()} {carer.name}: {carer.get_answer_display().lower()}."
        for carer in patient.carers.all()
        if carer.ended_at is None
    ]
    for address in addresses:
        medium_name = address.point.get_medium_display().lower()
        if address.point.fault:
            sentences.append(f"An address for {medium_name} is unused: {address.point.get_fault_display().lower()}.")
        if address.stop:
            sentences.append(f"An address for {medium_name} is stopped: {address.stop.lower()}.")
    if not addresses:
        sentences.append("No address is known.")
    return sentences


def _about_plans(patient: Patient, now: datetime) -> list[str]:
    plan = patient.reminder_plans.order_by("-version").first()
    if plan is None:
        return ["No supply has been handed over since reminders are planned, so none is owed."]
    sentences = []
    if plan.ended_at:
        sentences.append(f"The last plan ended on {plan.ended_at:%d %b %Y}: {plan.get_ended_reason_display().lower()}.")
    for reminder in plan.reminders.select_related("reader").order_by("due_at", "pk"):
        reader = reminder.reader
        copy = f" This copy is for the {reader.get_relation_display().lower()} {reader.name}." if reader else ""
        sentences.append(say(reminder, now) + copy)
    return sentences


def say(reminder: Reminder, now: datetime) -> str:
    """One reminder as a sentence."""
    zone = ZoneInfo(reminder.tz_name)
    state = ReminderState(reminder.state)
    when = f"{reminder.due_at.astimezone(zone):%a %d %b %Y %H:%M}"
    text = f"{ReminderKind(reminder.kind).label.capitalize()}: "
    if state is ReminderState.SCHEDULED and reminder.due_at > now:
        text += f"owed, to leave on {when}"
    elif state is ReminderState.SCHEDULED:
        text += f"due since {when} and not yet taken by a worker"
    else:
        text += f"{reminder.standing[0].lower()}{reminder.standing[1:]}"
    reason = say_reason(reminder)
    return f"{text} ({reason})." if reason else f"{text}."


def say_reason(reminder: Reminder) -> str:
    """Return the reason for a reminder's state as half a sentence, or an empty text."""
    reason = FAULTS.get(reminder.last_error) or WORDS.get(reminder.last_error, "").rstrip(".")
    return f"{reason[:1].lower()}{reason[1:]}"


def outlook(reminder: Reminder, now: datetime) -> str:
    """Return what follows from sending a reminder by hand, as a sentence in lower case."""
    points = usable(reminder.patient)
    if reminder.reader and not any(point.carer_id == reminder.reader_id for point in points):
        return f"it will not leave, since {reminder.reader.name} has no address that may be used."
    if not points:
        return "it will not leave, since there is no address that the patient has allowed: call the patient."
    zone, quiet = manners_of(reminder.patient)
    if quiet.covers(now.astimezone(zone).time()) and not reminder.despite_quiet:
        return (
            f"it leaves when the patient's quiet hours end, at {quiet.end:%H:%M}. If it cannot wait, call the patient."
        )
    return "it is due now and leaves with the next tick."


@dataclass(frozen=True, slots=True)
class Preview:
    """One message that a therapy makes owing, as it will read."""

    kind: ReminderKind
    leaves_at: datetime
    useful_until: datetime
    text: str
    segments: Segments


def preview(
    *, therapy: Therapy, patient: Patient, detailed: bool = False, language: str = "", now: datetime
) -> list[Preview]:
    """Return everything that a therapy makes owing from `now` on, in the patient's language and zone."""
    pharmacy = patient.pharmacy
    zone, quiet = manners_of(patient)
    tongue = language_for(language or patient.language, pharmacy.language)
    channel = _text_channel()
    previews = []
    for planned in schedule_messages(therapy, hours_of(pharmacy), zone):
        leaves = leaves_at(planned, now, zone, quiet)
        if leaves is None:
            continue
        whole = _whole_text(pharmacy, planned.kind, planned.params, tongue, channel, detailed=detailed)
        previews.append(
            Preview(planned.kind, leaves.astimezone(zone), planned.useful_until, whole, count_segments(whole))
        )
    return previews


@dataclass(frozen=True, slots=True)
class TextCosts:
    """The segments that a text message of one kind costs at a pharmacy, by language, on a day with a long name."""

    kind: ReminderKind
    segments: Mapping[str, Segments]


def count_text_costs(pharmacy: Pharmacy) -> list[TextCosts]:
    """Return what a text message of each kind costs at a pharmacy, without medicine and dose, with link and replies."""
    channel = _text_channel()

    def count(kind: ReminderKind, language: str) -> Segments:
        return count_segments(_whole_text(pharmacy, kind, {"date": _LONG_DAY}, language, channel))

    return [TextCosts(kind, {language: count(kind, language) for language in LANGUAGES}) for kind in ReminderKind]


def _whole_text(
    pharmacy: Pharmacy,
    kind: ReminderKind,
    params: Mapping[str, Any],
    language: str,
    channel: Channel | None,
    *,
    detailed: bool = False,
) -> str:
    """Return a text message with a link as long as any, and how to end the messages by the channel."""
    end = way_out(channel, Medium.SMS)
    written = words_at(pharmacy, kind, params, language, way_out=end, detailed=detailed, typewritten=True)
    last = channel.opt_out_line(language, written.opt_out) if channel else written.opt_out
    return " ".join(filter(None, (written.body, written.offer, sample_page_url(conf().link_url), last)))


def _text_channel() -> Channel | None:
    """The channel that serves text messages, for its way out; `None` without one, or where it cannot be made."""
    name = conf().channels.get(Medium.SMS)
    try:
        return channel_named(name) if name else None
    except ImproperlyConfigured:
        return None
