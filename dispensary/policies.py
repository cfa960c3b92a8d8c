"""Permissions of the roles, asked by interfaces to show or hide and by actions before they write."""

from __future__ import annotations

from uuid import UUID

from dispensary.actors import Actor, Role, Scope
from dispensary.errors import NotAllowed

_DISPENSERS = frozenset({Role.TECHNICIAN, Role.PHARMACIST, Role.MANAGER})
_PHARMACISTS = frozenset({Role.PHARMACIST, Role.MANAGER})
_AUDITORS = frozenset({Role.AUDITOR, Role.MANAGER})
_NARROWER = {
    Role.MANAGER: frozenset({Role.MANAGER, Role.PHARMACIST, Role.TECHNICIAN, Role.AUDITOR}),
    Role.PHARMACIST: frozenset({Role.PHARMACIST, Role.TECHNICIAN}),
}
"""Roles that a token of somebody in this role may be narrowed to; of the others only their own."""


def _allows(actor: Actor, roles: frozenset[Role], scope: Scope) -> bool:
    return actor.role in roles and (actor.scopes is None or scope in actor.scopes)


def may_act_as(role: Role, narrowed: Role) -> bool:
    """A token of somebody in `role` that is bound to the role `narrowed`."""
    return narrowed in _NARROWER.get(role, {role})


def may_see_patients(actor: Actor) -> bool:
    """Queue, prescriptions, patients and messages: everybody who works at the counter. The auditor reads the log only."""
    return _allows(actor, _DISPENSERS | {Role.SYSTEM}, Scope.READ)


def may_read_trail(actor: Actor) -> bool:
    """The entries of the log about one hand-over."""
    return may_see_patients(actor) or may_read_log(actor)


def may_receive(actor: Actor) -> bool:
    """Take in a prescription, register a patient, record facts."""
    return _allows(actor, _DISPENSERS | {Role.SYSTEM}, Scope.INTAKE)


def may_dispense(actor: Actor) -> bool:
    """Hand over a medicine whose findings are all answered, and acknowledge what only needs one step."""
    return _allows(actor, _DISPENSERS, Scope.DISPENSE)


def may_override(actor: Actor) -> bool:
    """Answer a finding of severity `override` with a reason and a signature."""
    return _allows(actor, _PHARMACISTS, Scope.DISPENSE)


def may_read_own_answers(actor: Actor) -> bool:
    """One's own overrides as counts beside those of the whole pharmacy: whoever signs them."""
    return _allows(actor, _PHARMACISTS, Scope.READ)


def may_end(actor: Actor) -> bool:
    """Cancel or stop a prescription, cancel or take back a dispense."""
    return _allows(actor, _PHARMACISTS, Scope.DISPENSE)


def may_send_reminders(actor: Actor) -> bool:
    """Resend or withdraw a reminder, answer work on the withdrawal-risk list, record a patient's consent."""
    return _allows(actor, _DISPENSERS | {Role.SYSTEM}, Scope.MESSAGES)


def may_read_log(actor: Actor) -> bool:
    """Search, verify and export the audit log."""
    return _allows(actor, _AUDITORS, Scope.AUDIT)


def may_export_records(actor: Actor) -> bool:
    """Export the tables of orders, hand-overs and findings with their patients; never by a token. An auditor reads the log alone."""
    return actor.role in {Role.MANAGER, Role.SYSTEM} and actor.scopes is None


def may_decide_file(actor: Actor) -> bool:
    """Have a patient's file prepared, and release or refuse one that another manager had prepared; never by a token alone."""
    return actor.role is Role.MANAGER and actor.scopes is None


def may_read_file(actor: Actor) -> bool:
    """Open the file of a patient that was released; never by a token alone."""
    return actor.role in _AUDITORS and actor.scopes is None


def may_read_alerts(actor: Actor) -> bool:
    """Alerts of the staff: who signs, and who reads the log."""
    return may_read_override(actor)


def may_answer_alerts(actor: Actor) -> bool:
    """Answer alerts of the staff; never by a token alone."""
    return actor.role in _PHARMACISTS | _AUDITORS and actor.scopes is None


def may_read_override(actor: Actor) -> bool:
    """The record of an override with its signatures: who may sign one, and who reads the log."""
    return _allows(actor, _PHARMACISTS, Scope.READ) or may_read_log(actor)


def may_read_settings(actor: Actor) -> bool:
    """The pharmacy's settings, and who has access."""
    return _allows(actor, frozenset({Role.MANAGER, Role.SYSTEM}), Scope.READ)


def may_change_settings(actor: Actor) -> bool:
    """The pharmacy's profile, time zone, quiet hours and the access of its staff; never by a token alone."""
    return actor.role in {Role.MANAGER, Role.SYSTEM} and actor.scopes is None


def may_add_product(actor: Actor) -> bool:
    """Add a pack to those that scans are compared with; never by a token alone."""
    return may_change_settings(actor) or (may_override(actor) and actor.scopes is None)


def require(allowed: bool, actor: Actor, doing: str, who: str) -> None:
    """Raise `NotAllowed`, saying what was tried and who may do it."""
    if not allowed:
        person = f"{actor.display or actor.name} ({actor.role.value})"
        if actor.scopes is None or len(actor.scopes) == len(Scope):
            raise NotAllowed(f"{person} may not {doing}; {who} may.")
        raise NotAllowed(
            f"A token of {person} for {', '.join(sorted(actor.scopes)) or 'nothing'} may not {doing}; "
            f"{who} may, signed in or by a token whose scopes cover it."
        )


def require_permission(allowed: bool, name: str, doing: str) -> None:
    """Raise `NotAllowed` for somebody without a role yet, who lacks the site's permission."""
    if not allowed:
        raise NotAllowed(f"{name} may not {doing}; `manage.py first_manager` lets somebody.")


def require_same_pharmacy(actor: Actor, pharmacy_id: UUID) -> None:
    """Raise `NotAllowed` for rows of another pharmacy; the guard behind the interfaces' own scoping."""
    if actor.pharmacy_id != pharmacy_id:
        raise NotAllowed("This belongs to another pharmacy.")
