"""The pharmacy that a command is about, and the members of staff who answer for it, named by their sign-in names."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from dispensary.actors import Actor, Role
from dispensary.models import Pharmacy, StaffMember


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


def find_pharmacy(pharmacy_id: UUID | None) -> Pharmacy:
    """Return the pharmacy of an id; without one the only one there is. Raises CommandError."""
    pharmacies_asked = list(Pharmacy.objects.filter(pk=pharmacy_id) if pharmacy_id else Pharmacy.objects.all()[:2])
    if len(pharmacies_asked) != 1:
        raise CommandError("Say which pharmacy: --pharmacy ID. `manage.py pharmacy list` tells the ids.")
    return pharmacies_asked[0]
