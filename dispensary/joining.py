"""Links by which somebody chooses a password: made for an invitation, opened once."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlsafe_base64_encode

from dispensary.clock import read_clock
from dispensary.conf import conf
from dispensary.models import StaffMember


class JoiningTokens(PasswordResetTokenGenerator):
    """Tokens that end with the password they lead to, or after PASSWORD_RESET_TIMEOUT, by the database's clock.

    They end with a change of where the person works, too: the manager who made one answers for no other pharmacy.
    """

    key_salt = "dispensary.counter.joining"

    def _now(self) -> datetime:
        return read_clock().replace(tzinfo=None)

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        members = StaffMember.objects.filter(user_id=user.pk, active=True).order_by("pharmacy_id")
        places = members.values_list("pharmacy_id", flat=True)
        return f"{super()._make_hash_value(user, timestamp)} {' '.join(map(str, places))}"


TOKENS = JoiningTokens()


def joining_path(user: User) -> str:
    """Return the path at which a person chooses a password."""
    return reverse("counter:join", args=[urlsafe_base64_encode(str(user.pk).encode()), TOKENS.make_token(user)])


def joining_address(user: User, request: HttpRequest | None = None) -> str:
    """Return the whole address of that page."""
    base = conf().public_url or (request.build_absolute_uri("/").rstrip("/") if request else "")
    return f"{base}{joining_path(user)}"
