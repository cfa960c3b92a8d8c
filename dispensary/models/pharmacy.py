"""Pharmacies and their staff."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual
from django.utils.translation import gettext_lazy as _

from dispensary.actors import Actor, Role
from dispensary.models.keys import uuid7
from dispensary.models.opening import EVERY_DAY, OpeningDays, validate_region, validate_weekdays

_read_zone_names = cache(available_timezones)  # which reads hundreds of files each time


def validate_time_zone(name: str) -> None:
    """Refuse a time zone that the IANA database does not know."""
    if name not in _read_zone_names():
        raise ValidationError(_("%(name)s is not a time zone; one such as Europe/London is"), params={"name": name})


LONGEST_WINDOW = timedelta(hours=18)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A daily window ``[start, end)`` of wall time in which no message leaves. ``start == end`` means none.

    Raises ``ValueError`` for a window above 18 hours: what is left would be too short to promise anything.
    """

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError("quiet hours are wall times without a zone")
        if self.length > LONGEST_WINDOW:
            raise ValueError(f"quiet hours from {self.start:%H:%M} to {self.end:%H:%M} exceed 18 hours")

    @property
    def length(self) -> timedelta:
        anchor = date(2000, 1, 1)
        span = datetime.combine(anchor, self.end) - datetime.combine(anchor, self.start)
        return span % timedelta(days=1)

    def covers(self, wall: time) -> bool:
        """Is this wall time inside the window?"""
        if self.start <= self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end


class Language(models.TextChoices):
    """The languages of messages to patients."""

    ENGLISH = "en", _("English")
    SPANISH = "es", _("Spanish")
    FRENCH = "fr", _("French")
    ARABIC = "ar", _("Arabic")


class SharedNames(models.TextChoices):
    """The way in which messages to an address of several patients say for whom each is."""

    INITIALS = "initials", _("initials")
    FIRST_NAME = "first-name", _("first name")


class UsualTimes(models.TextChoices):
    """The times of day that a pharmacy names where an order says how many doses a day, and no time."""

    NONE = "none", _("none: only as often as the order says")
    EVENING = "evening", _("morning, midday and evening")
    BEDTIME = "bedtime", _("morning, midday and bedtime")

    @property
    def by_count(self) -> Mapping[int, tuple[str, ...]]:
        """Return the times by the number of doses a day. A single dose may be taken at any time."""
        if self is UsualTimes.NONE:
            return {}
        last = self.value
        return {2: ("morning", last), 3: ("morning", "midday", last), 4: ("morning", "midday", "evening", "bedtime")}


class LabelLayout(models.TextChoices):
    """The content and size of labels."""

    UK = "uk", _("United Kingdom (HMR 2012, Schedule 25), 70 x 35 mm")
    US = "us", _("United States (USP <17>), 4 x 2 inches")


class Pharmacy(models.Model):
    """A pharmacy: its profile of rules, its time zone, its settings for messages. Owns all other rows."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=120)
    text_name = models.CharField(
        max_length=20,
        blank=True,
        default="",
        db_default="",
        help_text=_("short name in text messages; empty: the whole name"),
    )
    phone = models.CharField(max_length=32, blank=True)
    email = models.EmailField(blank=True)
    address = models.CharField(max_length=250, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    language = models.CharField(max_length=8, choices=Language, default=Language.ENGLISH)
    profile = models.CharField(max_length=64, default="lioresal", help_text=_("rule book profile"))
    od_means_once_daily = models.BooleanField(
        null=True, blank=True, help_text=_("how this site reads 'od'; unknown means that it is asked back")
    )
    refill_lead_days = models.PositiveSmallIntegerField(default=7, help_text=_("days before run-out of the first call"))
    second_call_days = models.PositiveSmallIntegerField(
        default=2, help_text=_("days before run-out of the second call")
    )
    message_at = models.TimeField(default=time(10, 0), help_text=_("local time at which messages are planned"))
    quiet_from = models.TimeField(default=time(20, 0), help_text=_("no message from this local time"))
    quiet_until = models.TimeField(default=time(9, 0), help_text=_("until this one"))
    opening_days = models.CharField(
        max_length=7,
        default=EVERY_DAY,
        validators=[validate_weekdays],
        help_text=_("weekdays on which it is open, from 1 (Monday) to 7"),
    )
    holiday_region = models.CharField(
        max_length=12,
        blank=True,
        validators=[validate_region],
        help_text=_("where its public holidays are those of, such as GB-ENG; empty: open on all of them"),
    )
    after_hours_phone = models.CharField(
        max_length=32, blank=True, help_text=_("whom patients call while it is closed, such as 111")
    )
    second_signer = models.BooleanField(
        default=False, help_text=_("an override of the worst class needs the signatures of two pharmacists")
    )
    second_signer_minutes = models.PositiveSmallIntegerField(
        default=15, help_text=_("minutes without an answer after which one signs alone, for three days' supply")
    )
    separate_steps = models.BooleanField(
        default=False,
        help_text=_("preparing, checking and handing over are separate steps, the check by another person"),
    )
    shared_names = models.CharField(
        max_length=10,
        choices=SharedNames,
        default=SharedNames.INITIALS,
        help_text=_("how messages to an address of several patients say for whom they are"),
    )
    usual_times = models.CharField(
        max_length=8,
        choices=UsualTimes,
        default=UsualTimes.EVENING,
        help_text=_("times of day on papers, pages and messages where an order says none"),
    )
    label_layout = models.CharField(
        max_length=2, choices=LabelLayout, default=LabelLayout.UK, help_text=_("content and size of labels")
    )
    opened_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)
    timing_version = models.PositiveIntegerField(
        default=1,
        help_text=_("raised with each change of what decides when messages leave; older plans are planned again"),
    )

    class Meta:
        verbose_name_plural = _("pharmacies")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="pharmacy_has_a_name"),
            models.CheckConstraint(
                condition=Q(second_call_days__lt=F("refill_lead_days")), name="pharmacy_second_call_after_the_first"
            ),
            models.CheckConstraint(
                condition=Q(refill_lead_days__lte=60, second_call_days__gte=1), name="pharmacy_calls_within_sixty_days"
            ),
            models.CheckConstraint(
                condition=Q(second_signer_minutes__gte=5, second_signer_minutes__lte=1440),
                name="pharmacy_waits_for_a_second_signer",
            ),
            models.CheckConstraint(
                condition=(
                    Q(quiet_until__gte=F("quiet_from"))
                    & LessThanOrEqual(F("quiet_until") - F("quiet_from"), timedelta(hours=18))
                )
                | (
                    Q(quiet_until__lt=F("quiet_from"))
                    & GreaterThanOrEqual(F("quiet_from") - F("quiet_until"), timedelta(hours=6))
                ),
                name="pharmacy_quiet_for_eighteen_hours_at_most",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name_in_texts(self) -> str:
        """The name by which text messages begin."""
        return self.text_name or self.name

    @property
    def opening(self) -> OpeningDays:
        """The days on which it is open."""
        return OpeningDays(self.opening_days, self.holiday_region)

    @property
    def times_by_count(self) -> Mapping[int, tuple[str, ...]]:
        """The times of day by the number of doses, for orders that say none."""
        return UsualTimes(self.usual_times).by_count

    def local_day(self, moment: datetime) -> date:
        """Return the calendar day of a moment at the pharmacy."""
        return moment.astimezone(ZoneInfo(self.time_zone)).date()

    def span_of(self, first: date, last: date) -> tuple[datetime, datetime]:
        """Return the first moment of a day at the pharmacy, and the first after another day."""
        zone = ZoneInfo(self.time_zone)
        return datetime.combine(first, time.min, zone), datetime.combine(last + timedelta(days=1), time.min, zone)

    def clean(self) -> None:
        """Refuse settings that keep messages from patients: more than 18 quiet hours, calls months ahead or never."""
        if isinstance(self.refill_lead_days, int) and self.refill_lead_days > 60:
            raise ValidationError({"refill_lead_days": _("at most 60 days before the run-out")})
        if self.second_call_days == 0:
            raise ValidationError({"second_call_days": _("at least one day before the run-out")})
        if not isinstance(self.quiet_from, time) or not isinstance(self.quiet_until, time):
            return  # told as what it is already
        try:
            QuietHours(self.quiet_from, self.quiet_until)
        except ValueError:
            error_text = _(
                "with quiet_from %(start)s this leaves less than six hours a day to write in; at most 18 may be quiet"
            )
            raise ValidationError(
                {"quiet_until": ValidationError(error_text, params={"start": f"{self.quiet_from:%H:%M}"})}
            ) from None


class StaffRole(models.TextChoices):
    """The roles a person can hold; the same words as `actors.Role`."""

    TECHNICIAN = Role.TECHNICIAN.value, _("Technician")
    PHARMACIST = Role.PHARMACIST.value, _("Pharmacist")
    MANAGER = Role.MANAGER.value, _("Manager")
    AUDITOR = Role.AUDITOR.value, _("Auditor")


FACTOR_ROLES = (StaffRole.PHARMACIST.value, StaffRole.MANAGER.value, StaffRole.AUDITOR.value)
"""The roles that sign, manage or audit: they need a second factor."""
SERVICE_ROLES = (StaffRole.TECHNICIAN.value, StaffRole.AUDITOR.value)
"""The roles of a program: those whose work needs no signature."""


class StaffMember(models.Model):
    """A user's role at one pharmacy. Access ends by `active=False`; rows are never deleted, so that names stay readable."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="dispensary_staff")
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="staff")
    role = models.CharField(max_length=16, choices=StaffRole)
    display_name = models.CharField(max_length=120, help_text=_("as printed on labels and signatures"))
    registration = models.CharField(max_length=32, blank=True, help_text=_("professional registration number"))
    active = models.BooleanField(default=True)
    is_service = models.BooleanField(default=False, help_text=_("a program, which has no password and signs nothing"))
    factor_due_at = models.DateTimeField(
        null=True, blank=True, help_text=_("until when a second factor is added; none for a role that needs none")
    )

    class Meta:
        ordering = ["pharmacy", "display_name"]
        constraints = [
            models.UniqueConstraint(fields=["user", "pharmacy"], name="staff_one_role_at_a_pharmacy"),
            models.CheckConstraint(condition=Q(role__in=StaffRole.values), name="staff_role_known"),
            models.CheckConstraint(
                condition=Q(is_service=False) | Q(role__in=SERVICE_ROLES), name="staff_service_signs_nothing"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.display_name} ({self.get_role_display()})"

    def actor(self) -> Actor:
        """Return this person as the `by=` of an action."""
        return Actor(f"user:{self.user_id}", self.display_name, Role(self.role), self.pharmacy_id, user_id=self.user_id)


class SettingsChange(models.Model):
    """A change of limits or of who signs that a manager asked for: another manager decides, or it comes into force after a day."""

    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="settings_changes")
    changes = models.JSONField(help_text=_("names and new values of settings"))
    asked_by = models.CharField(max_length=64)
    asker_name = models.CharField(max_length=120)
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField(
        null=True, blank=True, help_text=_("when it comes into force; none: another manager decides")
    )
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["pharmacy"], condition=Q(decided_at=None), name="settings_change_one_open_at_a_pharmacy"
            ),
        ]

    def __str__(self) -> str:
        return f"{', '.join(self.changes)} at {self.pharmacy}"


class SignedLimit(models.Model):
    """A number of a profile that a pharmacist of a pharmacy read and signed, until it is to be read again. Never changed."""

    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="signed_limits")
    digest = models.CharField(max_length=64, help_text=_("SHA-256 of the line: place, value, unit, mark and source"))
    signer_name = models.CharField(max_length=120)
    signed_at = models.DateTimeField()
    review_on = models.DateField(help_text=_("from this day it is to be read again"))

    class Meta:
        ordering = ["-signed_at"]
        indexes = [models.Index(fields=["pharmacy", "digest"], name="signed_limit_of_pharmacy")]

    def __str__(self) -> str:
        return f"{self.digest[:12]} signed by {self.signer_name}"
