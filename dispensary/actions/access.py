"""Sign-ins, sign-outs and refusals: an entry in the log of each pharmacy that the person works at."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from dispensary import audit
from dispensary.actors import Actor
from dispensary.audit import SITE, Event, Subject
from dispensary.models import StaffMember


def record_sign_in(*, user_id: int | str, station: str, method: str, now: datetime) -> None:
    """Record a sign-in at each pharmacy where the person has a role."""
    _at_each_pharmacy(Event.SIGNED_IN, user_id, station, {"method": method}, now)


def record_sign_out(*, user_id: int | str, station: str, now: datetime) -> None:
    """Record a sign-out, by the person or by the site."""
    _at_each_pharmacy(Event.SIGNED_OUT, user_id, station, {}, now)


@transaction.atomic
def record_refused_sign_in(*, name: str, station: str, now: datetime) -> None:
    """Record a failed sign-in in the site's log, with the name that was tried: the person is not identified yet."""
    by = Actor.system("accounts", SITE).at(station, None)
    audit.record(
        Event.SIGN_IN_REFUSED,
        pharmacy=SITE,
        by=by,
        now=now,
        subject=Subject("account", "unknown"),
        outcome="refused",
        body={"name": name[:150]},
    )


@transaction.atomic
def record_refusal(*, by: Actor, doing: str, about: Subject, now: datetime) -> None:
    """Record that a signed-in person tried what they may not do."""
    audit.record(
        Event.ACCESS_REFUSED,
        pharmacy=by.pharmacy_id,
        by=by,
        now=now,
        subject=about,
        outcome="refused",
        body={"doing": doing[:250]},
    )


def _at_each_pharmacy(event: Event, user_id: int | str, station: str, body: dict[str, str], now: datetime) -> None:
    members = (
        StaffMember.objects.filter(user_id=user_id, active=True).select_related("pharmacy").order_by("pharmacy_id")
    )
    for member in members:
        with transaction.atomic():
            about = Subject("account", f"user:{user_id}")
            audit.record(
                event, pharmacy=member.pharmacy, by=member.actor().at(station, None), now=now, subject=about, body=body
            )
