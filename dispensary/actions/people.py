"""Accounts of people: the first manager's, invitations, and how somebody signs in; each change has an entry in the log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import Permission, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from dispensary import audit, policies
from dispensary.actions import pharmacies
from dispensary.actions.accounts import find_account, make_account
from dispensary.actors import Actor
from dispensary.audit import SITE, Event, Subject
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.models import Pharmacy, StaffMember, StaffRole

NEW_LINK = "a new link to choose a password"
CHOSEN = "the password, by a link"
MAY_OPEN = "add_pharmacy"
"""The permission of whoever may open a pharmacy in the browser."""


@transaction.atomic
def open_first_account(*, username: str, by_task: str = "shell", now: datetime) -> User:
    """Open an account that may open a pharmacy, without a password yet; an existing one without a pharmacy gets it, too.

    Raises `Conflict` for somebody who works at a pharmacy already.
    """
    user = find_account(username)
    if user is not None and StaffMember.objects.filter(user=user, active=True).exists():
        problem = Problem("username", username[:64], "somebody new", "A manager of theirs gives them a new link.")
        raise Conflict("This account works at a pharmacy already.", problem)
    user = user or make_account(username)
    user.user_permissions.add(Permission.objects.get(content_type__app_label="dispensary", codename=MAY_OPEN))
    _record(Event.ACCOUNT_OPENED, user, Actor.system(by_task, SITE), {"may": MAY_OPEN}, now)
    return user


@transaction.atomic
def open_pharmacy(
    *, user: User, display_name: str, registration: str, name: str, settings: dict[str, Any], now: datetime
) -> Pharmacy:
    """Open a pharmacy whose manager is the person who opens it. Raises `NotAllowed` without the permission, `InvalidInput`."""
    by_name = f"user:{user.pk}"
    policies.require_permission(user.has_perm(f"dispensary.{MAY_OPEN}"), by_name, "open a pharmacy")
    pharmacy = pharmacies.open_pharmacy(name=name, settings=settings, by_task="first-run", now=now)
    pharmacies.grant_access(
        user=user,
        pharmacy=pharmacy,
        role=StaffRole.MANAGER,
        display_name=display_name,
        registration=registration,
        by=Actor.system("first-run", pharmacy.pk),
        now=now,
    )
    return pharmacy


@transaction.atomic
def invite(
    *,
    username: str,
    email: str,
    pharmacy: Pharmacy,
    role: StaffRole,
    display_name: str,
    registration: str,
    by: Actor,
    now: datetime,
) -> StaffMember:
    """Open an account without a password and give it a role. Its owner chooses a password by a link."""
    policies.require(policies.may_change_settings(by), by, "invite people", "a manager")
    user = make_account(username, email)
    member = pharmacies.grant_access(
        user=user, pharmacy=pharmacy, role=role, display_name=display_name, registration=registration, by=by, now=now
    )
    _record(Event.ACCOUNT_OPENED, user, by, {"role": role}, now)
    return member


@transaction.atomic
def record_sign_in_change(*, member: StaffMember, what: str, by: Actor, now: datetime) -> None:
    """Record that a manager changed how a person signs in: a new link, second factors removed, unlocked.

    Call it in the transaction of the change. Raises `NotAllowed`, also for somebody who works at another pharmacy, too: its manager did not agree.
    """
    policies.require(policies.may_change_settings(by), by, "change how somebody signs in", "a manager")
    policies.require_same_pharmacy(by, member.pharmacy_id)
    elsewhere = StaffMember.objects.filter(user_id=member.user_id, active=True).exclude(pharmacy_id=member.pharmacy_id)
    if elsewhere.exists():
        problem = Problem(
            "", "", "Somebody who works here only", "They use “Forgotten password”, or ask whoever runs the site."
        )
        raise Conflict(f"{member.display_name} works at another pharmacy, too.", problem)
    _record(Event.SIGN_IN_CHANGED, member.user, by, {"what": what}, now)


@transaction.atomic
def record_new_link(*, member: StaffMember, by: Actor, now: datetime) -> None:
    """Record that a manager makes a new link by which a person chooses a password.

    Raises as `record_sign_in_change` does, and `InvalidInput` for a program and for who has no access any more.
    """
    if member.is_service or not member.active:
        problem = Problem("", "", "Somebody who signs in with a password", "Give them a role first.")
        raise InvalidInput(f"{member.display_name} signs in with no password here.", problem)
    record_sign_in_change(member=member, what=NEW_LINK, by=by, now=now)


@transaction.atomic
def record_ended_session(*, member: StaffMember, by: Actor, now: datetime) -> None:
    """Record that a manager signed a person out somewhere; of one who works at another pharmacy, too: they only sign in again."""
    policies.require(policies.may_change_settings(by), by, "sign somebody out", "a manager")
    policies.require_same_pharmacy(by, member.pharmacy_id)
    _record(Event.SIGN_IN_CHANGED, member.user, by, {"what": "signed out by a manager"}, now)


@transaction.atomic
def choose_password(*, user: User, password: str, now: datetime) -> None:
    """Set the password of who came by a link; each of their pharmacies has it in its log. Raises `InvalidInput`."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        problem = Problem("password", "one that is easily guessed", "another password")
        raise InvalidInput(" ".join(error.messages), problem) from error
    user.set_password(password)
    user.save(update_fields=["password"])
    record_own_change(user=user, what=CHOSEN, now=now)


@transaction.atomic
def record_own_change(*, user: User, what: str, now: datetime) -> None:
    """Record that a person changed how they sign in, at each pharmacy where they work; of somebody without one in the site's log."""
    members = StaffMember.objects.filter(user=user, active=True).order_by("pharmacy_id")
    actors = [member.actor() for member in members] or [Actor.system("accounts", SITE)]
    for actor in actors:
        _record(Event.SIGN_IN_CHANGED, user, actor, {"what": what}, now)


def _record(event: Event, user: User, by: Actor, body: dict[str, object], now: datetime) -> None:
    subject = Subject("account", f"user:{user.pk}")
    audit.record(event, pharmacy=by.pharmacy_id, by=by, now=now, subject=subject, body=body)
