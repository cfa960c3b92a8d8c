"""Test messages of a manager: one to an address of their own, so that a channel is tried before patients rely on it."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from django.db import transaction

from dispensary import audit, policies
from dispensary.actions.consent import hint
from dispensary.actors import Actor
from dispensary.audit import Event, Outcome
from dispensary.channels import Accepted, Message, Unknown, channel_named
from dispensary.conf import conf
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.models import AuditEntry, Medium, Pharmacy
from dispensary.reminders.opt_outs import clean_address

MOST_AN_HOUR = 10
"""Test messages of one pharmacy within an hour [D]: enough to set a channel up, too few to write to strangers."""


def send_trial(*, pharmacy: Pharmacy, medium: Medium, address: str, by: Actor, now: datetime) -> str:
    """Send one test message; return what the channel answered: "accepted", "unknown", or its fault. It stands in the log.

    Raises `NotAllowed` for anybody but a manager, `InvalidInput` for what is no address and for a medium without a channel,
    `Conflict` for more than `MOST_AN_HOUR`.
    """
    policies.require(policies.may_change_settings(by), by, "send a test message", "a manager")
    policies.require_same_pharmacy(by, pharmacy.pk)
    name = conf().free_text_channels.get(medium)
    if name is None:
        problem = Problem(
            "medium", medium, f"one of {', '.join(conf().free_text_channels) or 'none'}", "The site configures it."
        )
        raise InvalidInput("No channel carries this medium here.", problem)
    clean = clean_address(medium, address)
    recent = AuditEntry.objects.filter(
        pharmacy=pharmacy.pk, action=Event.CHANNEL_TRIED.value, recorded_at__gt=now - timedelta(hours=1)
    )
    if recent.count() >= MOST_AN_HOUR:
        raise Conflict(f"{MOST_AN_HOUR} test messages within an hour are the most. Wait, then try again.")
    channel = channel_named(name)
    subject, words = (
        f"Test message of {pharmacy.name}",
        f"{pharmacy.name}: this is a test message. Nothing has to be done.",
    )
    try:
        message = Message(uuid4(), clean, pharmacy.name, subject, words, "", reply_to=pharmacy.email)
        answer = channel.send(message)
    finally:
        channel.close()
    words = "accepted" if isinstance(answer, Accepted) else "unknown" if isinstance(answer, Unknown) else answer.fault
    with transaction.atomic():
        audit.record(
            Event.CHANNEL_TRIED, pharmacy=pharmacy, by=by, now=now, subject=pharmacy,
            outcome=Outcome.SUCCESS if isinstance(answer, Accepted) else Outcome.FAILURE,
            body={"medium": medium, "channel": name, "address": hint(clean), "answer": words},
        )  # fmt: skip
    return words
