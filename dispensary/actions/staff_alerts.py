"""Alerts of the staff: opened by what cannot wait, told to a named person, to a deputy, to every manager, until one of them answers.

A notice names the pharmacy and the kind of alert, never a patient. Who was told, and whether the provider took it, stands in the log.
A worker that dies between sending and recording sends again: twice is better than not at all.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.urls import NoReverseMatch, reverse

from dispensary import audit, policies
from dispensary.actions.consent import hint
from dispensary.actors import Actor
from dispensary.audit import Event, Outcome
from dispensary.audit.log import reader
from dispensary.channels import Accepted, Message, Unknown, channel_named
from dispensary.channels.staff import notify_staff
from dispensary.conf import conf
from dispensary.errors import Conflict, NotAllowed, NotFound, Problem
from dispensary.models import (
    AlertContact,
    AlertKind,
    AlertRank,
    AuditEntry,
    Medium,
    Pharmacy,
    SecondSignature,
    SettingsChange,
    StaffAlert,
    StaffMember,
    StaffRole,
    WorkKind,
    WorklistItem,
    WorkState,
)
from dispensary.models.pharmacy import QuietHours
from dispensary.reminders.quiet_hours import is_quiet
from dispensary.reminders.work import DUE_WITHIN
from dispensary.text import clean_words

log = logging.getLogger(__name__)

DEPUTY_AFTER = timedelta(minutes=10)
"""Without an answer of the named person so long, the deputy is told [D]: both within a quarter of an hour."""
EVERYBODY_AFTER = timedelta(minutes=20)
"""Without an answer so long after the deputy was told, every manager is told [D]."""
AGAIN_AFTER: Mapping[str, timedelta] = {
    AlertKind.RED_FLAG: timedelta(hours=4),
    AlertKind.VERIFICATION: timedelta(hours=4),
    AlertKind.OVERRIDE: timedelta(hours=24),
    AlertKind.UNSIGNED_DAY: timedelta(hours=24),
    AlertKind.SETTINGS: timedelta(hours=24),
}
"""Every manager is told again after this time [D]."""
SIGN_DAY_BEFORE = time(18)
"""A day is signed before this local time of the next day on which the pharmacy is open [D]."""
DAYS_BACK = 3
"""Unsigned days that are looked for, so that a worker that stood still for a while misses none."""
CHECKED_SINCE = timedelta(hours=26)
"""Failed checks that are looked for, back from now: verification runs each night."""
LEASE = timedelta(minutes=2)
"""A worker of which nothing was heard for so long is gone, and another one tells."""

_WORDS: Mapping[str, str] = {
    AlertKind.RED_FLAG: "a message that cannot wait is unread",
    AlertKind.VERIFICATION: "the audit log or the tables failed their check",
    AlertKind.OVERRIDE: "an override of the worst class was signed",
    AlertKind.UNSIGNED_DAY: "nobody has signed the review of a day",
    AlertKind.SETTINGS: "a change of limits or of who signs waits",
}
"""What a notice says of each kind. Nothing about a patient."""


def open_alert(
    *, kind: AlertKind, pharmacy: Pharmacy, subject_id: str, version: str = "", by: Actor, now: datetime
) -> bool:
    """Open an alert unless the same was opened before. Returns whether it is new. Call inside a transaction."""
    alert = StaffAlert(
        pharmacy=pharmacy, kind=kind, subject_id=subject_id, version=version, opened_at=now, next_at=now
    )  # fmt: skip
    StaffAlert.objects.bulk_create([alert], ignore_conflicts=True)
    if not StaffAlert.objects.filter(pk=alert.pk).exists():
        return False
    audit.record(
        Event.ALERT_OPENED, pharmacy=pharmacy, by=by, now=now, subject=alert, reason_code=kind.value,
        body={"about": subject_id},
    )  # fmt: skip
    return True


def open_found(*, now: datetime) -> int:
    """Open an alert for each unread red flag, failed check and unsigned day that has none; answer those whose cause is gone.

    Returns how many were opened.
    """
    opened = 0
    for kind, pharmacy, subject_id, version in (*_unread_messages(now), *_failed_checks(now), *_unsigned_days(now)):
        with transaction.atomic():
            by = Actor.system("alerts", pharmacy.pk)
            opened += open_alert(
                kind=kind, pharmacy=pharmacy, subject_id=subject_id, version=version, by=by, now=now
            )  # fmt: skip
    _answer_settled(now)
    return opened


_Found = tuple[AlertKind, Pharmacy, str, str]


def _unread_messages(now: datetime) -> list[_Found]:
    """Return open red flags and, where the pharmacy is open, other messages past their time but for a mere yes or thanks.

    One that says more than before, or was put off and is open again, is another version of it.
    """
    past_its_time = Q(kind=WorkKind.REPLY, due_by__lte=now) & Q(due_by__lte=F("opened_at") + DUE_WITHIN[WorkKind.REPLY])
    work = WorklistItem.objects.filter(Q(kind=WorkKind.RED_FLAG) | past_its_time, state=WorkState.OPEN)
    return [
        (AlertKind.RED_FLAG, item.pharmacy, str(item.pk), sha256(item.reason.encode()).hexdigest()[:16])
        for item in work.select_related("pharmacy")
        if item.kind == WorkKind.RED_FLAG or _is_staffed(item.pharmacy, now)
    ]


def _is_staffed(pharmacy: Pharmacy, now: datetime) -> bool:
    """Say whether staff may be expected: on an open day, outside the hours in which nobody is written to."""
    quiet = QuietHours(pharmacy.quiet_from, pharmacy.quiet_until)
    return pharmacy.opening.is_open(pharmacy.local_day(now)) and not is_quiet(now, ZoneInfo(pharmacy.time_zone), quiet)


def _failed_checks(now: datetime) -> list[_Found]:
    """Return failed checks of each pharmacy's log; what the site's tables or other logs failed concerns every pharmacy."""
    failed = reader.failed_checks(now - CHECKED_SINCE)
    if not failed:
        return []
    pharmacies = Pharmacy.objects.in_bulk()
    return [
        (AlertKind.VERIFICATION, pharmacy, entry, "")
        for log_of, entry in failed
        for pharmacy in ([pharmacies[log_of]] if log_of in pharmacies else pharmacies.values())
    ]


def _unsigned_days(now: datetime) -> list[_Found]:
    """Return days past their time at pharmacies that have named somebody, since they did."""
    due = [
        (contact.pharmacy, day)
        for contact in AlertContact.objects.select_related("pharmacy").filter(rank=AlertRank.PERSON)
        for back in range(1, DAYS_BACK + 1)
        if (day := contact.pharmacy.local_day(now) - timedelta(days=back))
        >= contact.pharmacy.local_day(contact.named_at)
        and _sign_before(contact.pharmacy, day) <= now
    ]
    names = {day.isoformat() for _, day in due}
    signed = set(
        AuditEntry.objects.filter(subject_id__in=names, action=Event.DAY_SIGNED.value).values_list(
            "pharmacy", "subject_id"
        )
    )
    return [
        (AlertKind.UNSIGNED_DAY, pharmacy, day.isoformat(), "")
        for pharmacy, day in due
        if (pharmacy.pk, day.isoformat()) not in signed
    ]


def _sign_before(pharmacy: Pharmacy, day: date) -> datetime:
    """Return when the review of a day must be signed."""
    following = day + timedelta(days=1)
    while not pharmacy.opening.is_open(following) and following < day + timedelta(days=14):
        following += timedelta(days=1)
    return datetime.combine(following, SIGN_DAY_BEFORE, ZoneInfo(pharmacy.time_zone))


def _answer_settled(now: datetime) -> None:
    """Answer alerts about work that somebody has done or put off, days that are signed now, and changes that are decided."""
    waiting = defaultdict[str, list[StaffAlert]](list)
    for alert in StaffAlert.objects.filter(answered_at=None).select_related("pharmacy"):
        waiting[alert.kind].append(alert)
    flags, days, changes = (waiting[kind] for kind in (AlertKind.RED_FLAG, AlertKind.UNSIGNED_DAY, AlertKind.SETTINGS))
    open_work = _keys_of(WorklistItem.objects.filter(state=WorkState.OPEN), flags)
    undecided = _keys_of(SettingsChange.objects.filter(decided_at=None), changes)
    settled = [
        *((alert, "The work is done or put off.") for alert in flags if alert.subject_id not in open_work),
        *(
            (alert, "The day is signed.")
            for alert in days
            if reader.subjects_of(alert.pharmacy_id, Event.DAY_SIGNED, [alert.subject_id])
        ),
        *((alert, "The change is decided.") for alert in changes if alert.subject_id not in undecided),
    ]
    for alert, words in settled:
        _store_answer(alert.pk, words, Actor.system("alerts", alert.pharmacy_id), now)


def _keys_of(rows: QuerySet[Any], alerts: Sequence[StaffAlert]) -> set[str]:
    """Return the keys of the rows that alerts are about."""
    keys = rows.filter(pk__in=[alert.subject_id for alert in alerts]).values_list("pk", flat=True)
    return {str(key) for key in keys}


@dataclass(frozen=True, slots=True)
class Told:
    """A notice to one recipient, as the log has it: `answer` is "accepted", "unknown", or the fault."""

    name: str
    medium: str
    address: str
    answer: str


@dataclass(frozen=True, slots=True)
class _Recipient:
    name: str
    medium: str
    address: str


def tell_next(read_clock: Callable[[], datetime]) -> bool:
    """Tell the next people of the alert that has waited longest; return whether there was one. Call outside a transaction."""
    now = read_clock()
    with transaction.atomic():
        due = StaffAlert.objects.filter(answered_at=None, next_at__lte=now)
        alert = (
            due.select_for_update(skip_locked=True, of=("self",)).select_related("pharmacy").order_by("next_at").first()
        )
        if alert is None:
            return False
        StaffAlert.objects.filter(pk=alert.pk).update(next_at=now + LEASE)
    recipients = _recipients(alert)
    while not recipients and alert.rounds < len(AlertRank):  # nobody is named, or who was has no access any more
        alert.rounds += 1
        recipients = _recipients(alert)
    notices, is_last = [_send(alert, recipient) for recipient in recipients], alert.rounds >= len(AlertRank)
    if is_last and conf().staff_alerts:
        taken = notify_staff(conf().staff_alerts, "Dispensary: an alert that nobody answers", _notice(alert))
        notices.append(Told("the site's staff alerts", "site", "", "accepted" if taken else "not taken"))
    now, is_told = read_clock(), any(notice.answer == "accepted" for notice in notices)
    waits = (DEPUTY_AFTER, EVERYBODY_AFTER, AGAIN_AFTER[alert.kind])
    wait = waits[min(alert.rounds, len(AlertRank))] if is_told or is_last else timedelta()
    with transaction.atomic():
        StaffAlert.objects.filter(pk=alert.pk).update(rounds=alert.rounds + 1, next_at=now + wait)
        audit.record(
            Event.ALERT_TOLD, pharmacy=alert.pharmacy, by=Actor.system("alerts", alert.pharmacy_id), now=now,
            subject=alert, reason_code=alert.kind, outcome=Outcome.SUCCESS if is_told else Outcome.FAILURE,
            body={"round": alert.rounds + 1, "told": [asdict(notice) for notice in notices]},
        )  # fmt: skip
    return True


def _recipients(alert: StaffAlert) -> list[_Recipient]:
    """Return whom a round tells: the named person, the deputy, then both and every manager who has an e-mail address."""
    contacts = AlertContact.objects.filter(pharmacy=alert.pharmacy, member__active=True).select_related("member")
    named = [
        _Recipient(contact.member.display_name, contact.medium, contact.address)
        for contact in contacts
        if alert.rounds >= len(AlertRank) or contact.rank == alert.rounds + 1
    ]
    if alert.rounds < len(AlertRank):
        return named
    managers = alert.pharmacy.staff.filter(active=True, role=StaffRole.MANAGER).select_related("user")
    others = [_Recipient(m.display_name, Medium.EMAIL.value, m.user.email) for m in managers if m.user.email]
    return list(dict.fromkeys([*named, *others]))


def _send(alert: StaffAlert, recipient: _Recipient) -> Told:
    pharmacy, name = alert.pharmacy, conf().channels.get(recipient.medium)
    if name is None:
        answer = "no channel carries this"
    else:
        key = uuid5(alert.pk, f"{alert.rounds} {recipient.medium} {recipient.address}")
        message = Message(
            key, recipient.address, pharmacy.name, f"Alert at {pharmacy.name}", _notice(alert), "", reply_to=pharmacy.email
        )  # fmt: skip
        try:
            channel = channel_named(name)
            try:
                sent = channel.send(message)
            finally:
                channel.close()
        except Exception as error:  # whatever it is, the next person must be told
            log.error("channel %s raised %s while staff were alerted", name, type(error).__name__)
            sent = Unknown()
        answer = "accepted" if isinstance(sent, Accepted) else "unknown" if isinstance(sent, Unknown) else sent.fault
    return Told(recipient.name, recipient.medium, hint(recipient.address), answer)


def _notice(alert: StaffAlert) -> str:
    """Return the words of a notice, with the page where it is answered."""
    try:
        page = f"{conf().public_url}{reverse('counter:alerts')}" if conf().public_url else "the page Alerts"
    except NoReverseMatch:  # a site without our pages
        page = "the page Alerts"
    return f"{alert.pharmacy.name}: {_WORDS[alert.kind]}. Answer it on {page}"


@transaction.atomic
def answer(*, alert_id: UUID, words: str, by: Actor, now: datetime) -> StaffAlert:
    """Answer an alert: nobody else is told of it any more.

    Raises `NotAllowed` for who signed or asked for what the alert is about where somebody else could answer, `NotFound` for another pharmacy's, `Conflict` for one that is answered.
    """
    policies.require(policies.may_answer_alerts(by), by, "answer an alert", "a pharmacist, manager or auditor")
    alert = StaffAlert.objects.select_for_update().filter(pk=alert_id, pharmacy_id=by.pharmacy_id).first()
    if alert is None:
        raise NotFound("There is no such alert here.")
    if alert.answered_at is not None:
        raise Conflict(f"{alert.answerer_name} has answered this alert.")
    text = clean_words(words, "words", longest=500)
    if by.name in (authors := _authors(alert)):
        others = {member.actor().name for member in possible_answerers(alert.pharmacy)} - authors
        if others:
            deed = "signed this override" if alert.kind == AlertKind.OVERRIDE else "asked for this change"
            raise NotAllowed(
                f"You {deed}. Somebody else answers the alert about it.",
                Problem("", "the same person", "another pharmacist, manager or auditor of this pharmacy"),
            )
    return _store_answer(alert.pk, text, by, now) or alert


def _authors(alert: StaffAlert) -> set[str]:
    """Return who signed the override, or asked for the change, that an alert is about."""
    if alert.kind == AlertKind.OVERRIDE:
        second = SecondSignature.objects.select_related("override").get(pk=alert.subject_id)
        return {second.signed_by, second.override.signed_by}
    if alert.kind == AlertKind.SETTINGS:
        return {SettingsChange.objects.get(pk=alert.subject_id).asked_by}
    return set()


@transaction.atomic
def _store_answer(key: UUID, words: str, by: Actor, now: datetime) -> StaffAlert | None:
    """Store an answer unless there is one; return the alert if it was open."""
    alert = StaffAlert.objects.select_for_update().filter(pk=key, answered_at=None).first()
    if alert is None:
        return None
    alert.answered_at, alert.answered_by, alert.words = now, by.name, words
    alert.answerer_name = by.display or by.name
    alert.save(update_fields=["answered_at", "answered_by", "answerer_name", "words"])
    audit.record(
        Event.ALERT_ANSWERED, pharmacy=alert.pharmacy_id, by=by, now=now, subject=alert, reason_code=alert.kind,
        body={"about": alert.subject_id, "words": words},
    )  # fmt: skip
    return alert


def possible_answerers(pharmacy: Pharmacy) -> list[StaffMember]:
    """Return the people who may answer a pharmacy's alerts."""
    members = pharmacy.staff.filter(active=True, is_service=False).select_related("user")
    return [member for member in members if policies.may_answer_alerts(member.actor())]


def list_alerts(pharmacy: Pharmacy, now: datetime) -> tuple[list[StaffAlert], list[StaffAlert]]:
    """Return a pharmacy's open alerts, the oldest first, and those answered within the last week, the newest first."""
    rows = StaffAlert.objects.filter(
        Q(answered_at=None) | Q(answered_at__gt=now - timedelta(days=7)), pharmacy=pharmacy
    )
    waiting = [alert for alert in rows if alert.answered_at is None]
    answered = [alert for alert in rows.order_by("-answered_at") if alert.answered_at is not None]
    return waiting, answered[:50]
