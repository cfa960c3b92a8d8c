"""Alerts of the staff: who is told at a pharmacy, what they were told of, and who answered."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from dispensary.models.contacts import Medium
from dispensary.models.keys import uuid7
from dispensary.models.pharmacy import Pharmacy, StaffMember


class AlertRank(models.IntegerChoices):
    """The order in which people are told."""

    PERSON = 1, _("Named person")
    DEPUTY = 2, _("Deputy")


class AlertKind(models.TextChoices):
    """The kinds of alerts."""

    RED_FLAG = "red-flag", _("A message that cannot wait is unread")
    VERIFICATION = "verification", _("The log or the tables failed their check")
    OVERRIDE = "override", _("An override of the worst class was signed")
    UNSIGNED_DAY = "unsigned-day", _("Nobody signed the review of a day")
    SETTINGS = "settings", _("A change of limits or of who signs waits")


class AlertContact(models.Model):
    """A member of staff who is told of a pharmacy's alerts, and how."""

    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="+")
    rank = models.PositiveSmallIntegerField(choices=AlertRank)
    member = models.ForeignKey(StaffMember, on_delete=models.PROTECT, related_name="+")
    medium = models.CharField(max_length=8, choices=Medium)
    address = models.CharField(max_length=254)
    named_at = models.DateTimeField()

    class Meta:
        ordering = ["rank"]
        constraints = [
            models.UniqueConstraint(fields=["pharmacy", "rank"], name="alert_contact_one_of_a_rank"),
            models.UniqueConstraint(fields=["pharmacy", "member"], name="alert_contact_two_people"),
            models.CheckConstraint(condition=Q(rank__in=AlertRank.values), name="alert_contact_rank_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_rank_display()} of {self.pharmacy_id}"


class StaffAlert(models.Model):
    """Something that a person must see soon. Told round by round until somebody answers."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=AlertKind)
    subject_id = models.CharField(
        max_length=64, help_text=_("work, entry, second signature, day, or change of settings")
    )
    version = models.CharField(max_length=16, blank=True, help_text=_("of a subject that may become urgent again"))
    opened_at = models.DateTimeField()
    rounds = models.PositiveSmallIntegerField(default=0, help_text=_("how often people were told"))
    next_at = models.DateTimeField(help_text=_("when the next people are told, unless somebody answers before"))
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.CharField(max_length=64, blank=True)
    answerer_name = models.CharField(max_length=120, blank=True)
    words = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["opened_at"]
        constraints = [
            models.UniqueConstraint(fields=["pharmacy", "kind", "subject_id", "version"], name="staff_alert_once"),
            models.CheckConstraint(condition=Q(kind__in=AlertKind.values), name="staff_alert_kind_known"),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(answered_at__isnull=True), name="staff_alert_open"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at {self.pharmacy_id}"
