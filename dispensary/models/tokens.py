"""API tokens of people and of programs."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from dispensary.actors import Scope
from dispensary.models.keys import uuid7
from dispensary.models.pharmacy import Pharmacy, StaffMember, StaffRole


class AccessToken(models.Model):
    """A secret that signs a program in as a member of staff, until it expires or is revoked. Only its digest is kept."""

    members: list[StaffMember] | None = None
    """Set by `tokens.use`: the memberships of its owner, with their pharmacies."""
    moment: datetime | None = None
    """Set by `tokens.use`: when it was used, by the database's clock."""
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    digest = models.CharField(max_length=64, unique=True, help_text=_("SHA-256 of the token, hexadecimal"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="dispensary_tokens")
    pharmacy = models.ForeignKey(
        Pharmacy, null=True, blank=True, on_delete=models.PROTECT, help_text=_("none: each at which its owner works")
    )
    role = models.CharField(max_length=16, choices=StaffRole, blank=True, help_text=_("none: that of its owner"))
    scopes = ArrayField(models.CharField(max_length=16), help_text=_("parts of the work it is for"))
    label = models.CharField(max_length=120, blank=True, help_text=_("what it is used for"))
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    minute = models.DateTimeField(null=True, blank=True, help_text=_("in which it was used last"))
    uses = models.PositiveIntegerField(default=0, help_text=_("in that minute"))

    class Meta:
        ordering = ["-issued_at"]
        constraints = [
            models.CheckConstraint(condition=Q(role="") | Q(role__in=StaffRole.values), name="token_role_known"),
            models.CheckConstraint(
                condition=Q(scopes__len__gt=0, scopes__contained_by=[scope.value for scope in Scope]),
                name="token_scopes_known",
            ),
            models.CheckConstraint(condition=Q(expires_at__gt=models.F("issued_at")), name="token_expires"),
        ]
        indexes = [models.Index(fields=["user", "revoked_at"], name="token_of_user")]

    def __str__(self) -> str:
        return self.label or str(self.pk)
