"""Members of staff who answer for a command, named by their sign-in names."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from dispensary.actors import Actor, Role
from dispensary.models import StaffMember


def authoriser(username: str, pharmacy: UUID, *roles: Role) -> Actor:
    """Return an active member of staff in one of these roles. Raises CommandError."""
    name = get_user_model().USERNAME_FIELD
    member = StaffMember.objects.filter(**{f"user__{name}": username}, pharmacy_id=pharmacy, active=True).first()
    if member is None or Role(member.role) not in roles:
        role_names = " or ".join(role.value for role in roles)
        raise CommandError(f"{username} is no active {role_names} of pharmacy {pharmacy}.", returncode=2)
    return member.actor()
