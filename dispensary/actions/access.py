"""Sign-ins, sign-outs and refusals: an entry in the log of each pharmacy that the person works at."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction

from dispensary import audit
from dispensary.actors import Actor
from dispensary.audit import SITE, Event, Subject
from dispensary.models import StaffMember
from dispensary.models.sealed import text_digest


def record_sign_in(*, user_id: int | str, station: str, method: str, now: datetime) -> None:
    """Record a sign-in at each pharmacy where the person has a role."""
    _at_each_pharmacy(Event.SIGNED_IN, user_id, station, {"method": method}, now)


def record_sign_out(*, user_id: int | str, station: str, now: datetime) -> None:
    """Record a sign-out, by the person or by the site."""
    _at_each_pharmacy(Event.SIGNED_OUT, user_id, station, {}, now)


def record_refused_sign_in(*, name: str, station: str, now: datetime) -> None:
    """Record a failed sign-in.

    Where the name is that of a member of staff, the log of each of their pharmacies has it. Any other is in the site's log
    as a keyed digest, equal for equal names: people type passwords into the field of the name.
    """
    user_model = get_user_model()
    field = f"user__{user_model.USERNAME_FIELD}__iexact"
    members = StaffMember.objects.filter(active=True, **{field: name}).order_by("pharmacy_id") if name else ()
    for member in members:
        body = {"name": name[:150]}
        _record_refused_sign_in(member.pharmacy_id, Subject("account", f"user:{member.user_id}"), body, station, now)
    if not members:
        body = {"name_digest": text_digest("sign-in", name)}
        _record_refused_sign_in(SITE, Subject("account", "unknown"), body, station, now)


@transaction.atomic
def _record_refused_sign_in(
    pharmacy_id: UUID, about: Subject, body: dict[str, str], station: str, now: datetime
) -> None:
    audit.record(
        Event.SIGN_IN_REFUSED,
        pharmacy=pharmacy_id,
        by=Actor.system("accounts", pharmacy_id).at(station, None),
        now=now,
        subject=about,
        outcome="refused",
        body=body,
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
