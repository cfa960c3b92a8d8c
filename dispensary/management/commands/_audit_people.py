"""Members of staff who answer for a command, named by their sign-in names."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from dispensary.actors import Actor, Role
from dispensary.models import StaffMember


def authoriser(username: str, pharmacy: UUID | None, *roles: Role) -> Actor:
    """Return an active member of staff in one of these roles, of any pharmacy where none is named. Raises CommandError."""
    name = get_user_model().USERNAME_FIELD
    members = StaffMember.objects.filter(
        **{f"user__{name}": username}, active=True, role__in=[role.value for role in roles]
    )
    member = (members.filter(pharmacy_id=pharmacy) if pharmacy else members.order_by("pk")).first()
    if member is None:
        role_names = " or ".join(role.value for role in roles)
        place = f"pharmacy {pharmacy}" if pharmacy else "a pharmacy"
        raise CommandError(f"{username} is no active {role_names} of {place}.", returncode=2)
    return member.actor()
