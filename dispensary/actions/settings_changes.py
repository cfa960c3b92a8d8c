"""Changes of limits and of who signs: asked for by one manager, decided by another, or in force after a day where there is only one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from dispensary import audit, policies
from dispensary.actions import pharmacies
from dispensary.actions.staff_alerts import open_alert
from dispensary.actors import Actor, Role
from dispensary.audit import Event
from dispensary.errors import Conflict, NotAllowed, Problem
from dispensary.models import AlertKind, AuditEntry, Pharmacy, SettingsChange, StaffMember, StaffRole

GUARDED = frozenset({"profile", "second_signer", "second_signer_minutes", "separate_steps"})
"""Settings that decide which limits hold and who signs."""
WAIT = timedelta(hours=24)
FIRST_RUN = timedelta(hours=24)
"""Since the pharmacy was opened: until then its manager sets it up alone."""


@transaction.atomic
def change_settings(
    *, pharmacy: Pharmacy, changes: Mapping[str, Any], version: int | None = None, by: Actor, now: datetime
) -> SettingsChange | None:
    """Change settings as a person asks; those of `GUARDED` wait, unless the pharmacy was opened lately or has no manager yet.

    Returns what waits, None where everything is in force. Raises as `pharmacies.change_settings`, and `Conflict` while another change waits.
    """
    policies.require(policies.may_change_settings(by), by, "change the settings", "a manager")
    locked = Pharmacy.objects.select_for_update().get(pk=pharmacy.pk)
    guarded = {name: value for name, value in changes.items() if name in GUARDED and getattr(locked, name) != value}
    is_exempt = by.role is Role.SYSTEM or locked.opened_at > now - FIRST_RUN
    if is_exempt or not guarded:
        pharmacies.change_settings(pharmacy=pharmacy, changes=changes, version=version, by=by, now=now)
        return None
    pharmacies.check_settings(locked, guarded)
    if find_waiting(locked) is not None:
        raise Conflict("Another change of limits or signers waits already. Decide or withdraw it first.")
    rest = {name: value for name, value in changes.items() if name not in guarded}
    pharmacies.change_settings(pharmacy=pharmacy, changes=rest, version=version, by=by, now=now)
    may_agree = any(is_settled(member, now) and member.actor().name != by.name for member in _managers(locked))
    change = SettingsChange.objects.create(
        pharmacy=locked, changes=guarded, asked_by=by.name, asker_name=by.display, asked_at=now,
        due_at=None if may_agree else now + WAIT,
    )  # fmt: skip
    body = {"changes": guarded, "from": {name: getattr(locked, name) for name in guarded}, "due_at": change.due_at}
    audit.record(Event.SETTINGS_ASKED, pharmacy=locked, by=by, now=now, subject=locked, body=body)
    open_alert(kind=AlertKind.SETTINGS, pharmacy=locked, subject_id=str(change.pk), by=by, now=now)
    return change


@transaction.atomic
def approve(*, change: SettingsChange, by: Actor, now: datetime) -> Pharmacy:
    """Put a change into force as another manager than who asked for it, and than somebody whom they made one for it. Raises `NotAllowed`."""
    locked = _lock_open(change, by)
    if locked.asked_by == by.name:
        raise NotAllowed(
            "You asked for this change. Another manager agrees to it.",
            Problem("", "the same person", "another manager of this pharmacy"),
        )
    if not any(is_settled(member, now) for member in _managers(locked.pharmacy) if member.actor().name == by.name):
        problem = Problem("", "a manager since today", "another manager, since 24 hours or longer")
        raise NotAllowed("Who was made a manager within the last 24 hours agrees to nothing yet.", problem)
    return _put_into_force(locked, by, now)


@transaction.atomic
def withdraw(*, change: SettingsChange, by: Actor, now: datetime) -> None:
    """Take a change back that is not in force yet; any manager may."""
    locked = _lock_open(change, by)
    locked.decided_at = now
    locked.save(update_fields=["decided_at"])
    audit.record(
        Event.SETTINGS_WITHDRAWN, pharmacy=locked.pharmacy, by=by, now=now, subject=locked.pharmacy,
        body={"changes": locked.changes, "asked_by": locked.asker_name}, second_actor=locked.asked_by,
    )  # fmt: skip


def apply_due(*, now: datetime) -> int:
    """Put the changes into force whose day is over. Returns how many."""
    due = list(SettingsChange.objects.filter(decided_at=None, due_at__lte=now).values_list("pk", flat=True))
    for key in due:
        _apply_one(key, now)
    return len(due)


@transaction.atomic
def _apply_one(key: int, now: datetime) -> None:
    change = SettingsChange.objects.select_for_update(skip_locked=True).filter(pk=key, decided_at=None).first()
    if change is not None:
        _put_into_force(change, Actor.system("settings", change.pharmacy_id), now)


def find_waiting(pharmacy: Pharmacy) -> SettingsChange | None:
    """Return the change that is not in force yet, and neither taken back."""
    return SettingsChange.objects.filter(pharmacy=pharmacy, decided_at=None).first()


def is_settled(member: StaffMember, now: datetime) -> bool:
    """Return whether a manager has been one for longer than `WAIT`, by the log: nobody lets in a second one who agrees at once."""
    entries = AuditEntry.objects.filter(
        pharmacy=member.pharmacy_id, action=Event.ACCESS_CHANGED, occurred_at__gt=now - WAIT, subject_id=str(member.pk)
    )
    bodies = [line.body for line in audit.lines(entries, member.pharmacy_id)]
    return all(body is not None and body.get("from") == body["to"] for body in bodies)  # a first access has no "from"


def _managers(pharmacy: Pharmacy) -> QuerySet[StaffMember]:
    return pharmacy.staff.filter(role=StaffRole.MANAGER, active=True).select_related("pharmacy")


def _lock_open(change: SettingsChange, by: Actor) -> SettingsChange:
    policies.require(policies.may_change_settings(by), by, "decide about the settings", "a manager")
    policies.require_same_pharmacy(by, change.pharmacy_id)
    locked = SettingsChange.objects.select_for_update(of=("self",)).select_related("pharmacy").get(pk=change.pk)
    if locked.decided_at is not None:
        raise Conflict("This change was decided already.")
    return locked


def _put_into_force(change: SettingsChange, by: Actor, now: datetime) -> Pharmacy:
    change.decided_at = now
    change.save(update_fields=["decided_at"])
    return pharmacies.change_settings(
        pharmacy=change.pharmacy, changes=change.changes, asked_by=change.asked_by, by=by, now=now
    )
