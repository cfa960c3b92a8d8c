"""Permissions of the roles, asked by interfaces to show or hide and by actions before they write."""

from __future__ import annotations

from uuid import UUID

from dispensary.actors import Actor, Role
from dispensary.errors import NotAllowed

_DISPENSERS = frozenset({Role.TECHNICIAN, Role.PHARMACIST, Role.MANAGER})
_PHARMACISTS = frozenset({Role.PHARMACIST, Role.MANAGER})


def may_see_patients(actor: Actor) -> bool:
    """Queue, prescriptions, patients and messages: everybody who works at the counter. The auditor reads the log only."""
    return actor.role in _DISPENSERS | {Role.SYSTEM}


def may_read_trail(actor: Actor) -> bool:
    """The entries of the log about one hand-over."""
    return may_see_patients(actor) or may_read_log(actor)


def may_receive(actor: Actor) -> bool:
    """Take in a prescription, register a patient, record facts."""
    return actor.role in _DISPENSERS | {Role.SYSTEM}


def may_dispense(actor: Actor) -> bool:
    """Hand over a medicine whose findings are all answered, and acknowledge what only needs one step."""
    return actor.role in _DISPENSERS


def may_override(actor: Actor) -> bool:
    """Answer a finding of severity `override` with a reason and a signature."""
    return actor.role in _PHARMACISTS


def may_end(actor: Actor) -> bool:
    """Cancel or stop a prescription, cancel or take back a dispense."""
    return actor.role in _PHARMACISTS


def may_send_reminders(actor: Actor) -> bool:
    """Resend or withdraw a reminder, answer work on the withdrawal-risk list, record a patient's consent."""
    return actor.role in _DISPENSERS | {Role.SYSTEM}


def may_read_log(actor: Actor) -> bool:
    """Search, verify and export the audit log."""
    return actor.role in {Role.AUDITOR, Role.MANAGER}


def may_change_settings(actor: Actor) -> bool:
    """The pharmacy's profile, time zone, quiet hours and the access of its staff."""
    return actor.role in {Role.MANAGER, Role.SYSTEM}


def require(allowed: bool, actor: Actor, doing: str, who: str) -> None:
    """Raise `NotAllowed`, saying what was tried and who may do it."""
    if not allowed:
        raise NotAllowed(f"{actor.display or actor.name} ({actor.role.value}) may not {doing}; {who} may.")


def require_same_pharmacy(actor: Actor, pharmacy_id: UUID) -> None:
    """Raise `NotAllowed` for rows of another pharmacy; the guard behind the interfaces' own scoping."""
    if actor.pharmacy_id != pharmacy_id:
        raise NotAllowed("This belongs to another pharmacy.")
