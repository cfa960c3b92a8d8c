"""API tokens of a person: issued and revoked, each with an audit entry.

The token itself is kept by django-rest-knox, which stores a digest only; a site without it has other ways to sign in.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.apps import apps
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from dispensary import audit
from dispensary.actors import Actor
from dispensary.audit import Event, Subject
from dispensary.errors import InvalidInput, Problem
from dispensary.models import StaffMember


def issue(*, user: AbstractBaseUser, by_task: str = "shell", now: datetime) -> str:
    """Issue a token to a member of staff and return it; it cannot be read a second time.

    It signs what its owner may sign, so it is noted at each of their pharmacies. Raises `InvalidInput`.
    """
    members = _members(user)
    with transaction.atomic():
        row, token = _tokens().create(user)
        body: dict[str, object] = {"account": f"user:{user.pk}", "token": row.token_key, "expires": row.expiry}
        _record(Event.TOKEN_ISSUED, members[0], body, by_task, now)
    for member in members[1:]:
        with transaction.atomic():
            _record(Event.TOKEN_ISSUED, member, body, by_task, now)
    return str(token)


def revoke(*, user: AbstractBaseUser, by_task: str = "shell", now: datetime) -> int:
    """Revoke all tokens of a person, as when a device is lost; returns how many there were."""
    members = _members(user)
    with transaction.atomic():
        rows = _tokens().filter(user=user)
        keys = [row.token_key for row in rows]
        rows.delete()
        body: dict[str, object] = {"account": f"user:{user.pk}", "tokens": keys}
        _record(Event.TOKEN_REVOKED, members[0], body, by_task, now)
    for member in members[1:]:
        with transaction.atomic():
            _record(Event.TOKEN_REVOKED, member, body, by_task, now)
    return len(keys)


def _tokens() -> Any:
    if not apps.is_installed("knox"):
        problem = Problem("INSTALLED_APPS", "no knox", "django-rest-knox", "Install it, or sign in another way.")
        raise InvalidInput("This site has no tokens.", problem)
    from knox.models import get_token_model

    return get_token_model().objects


def _members(user: AbstractBaseUser) -> list[StaffMember]:
    members = list(StaffMember.objects.filter(user_id=user.pk, active=True).order_by("pharmacy_id"))
    if not members:
        problem = Problem(
            "user", "somebody who works at no pharmacy", "a member of staff", "A manager adds them first."
        )
        raise InvalidInput("A token is for somebody who works at a pharmacy.", problem)
    return members


def _record(event: Event, member: StaffMember, body: dict[str, object], by_task: str, now: datetime) -> None:
    audit.record(
        event,
        pharmacy=member.pharmacy_id,
        by=Actor.system(by_task, member.pharmacy_id),
        now=now,
        subject=Subject("account", f"user:{member.user_id}"),
        body=body,
    )
