"""Decisions of people about a patient's therapy, and the summaries of it that lists read."""

from __future__ import annotations

from typing import Any, NoReturn

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from dispensary.errors import NotAllowed
from dispensary.models.keys import uuid7
from dispensary.models.override import Mitigation
from dispensary.models.patient import Patient, PriorSupply
from dispensary.models.pharmacy import Pharmacy
from dispensary.models.prescription import Prescription
from dispensary.models.review import Outcome

LONGEST_COURSE_NAME = 64
"""Characters: the id of an order or of a recorded supply, with a day where the course was opened again."""


class DecisionKind(models.TextChoices):
    """The kinds of decision about what a patient takes; the words of the case format."""

    REPLACES = "replaces", _("Takes the place of it")
    BESIDE = "beside", _("Is taken beside it")
    CONTINUES = "continues", _("Goes on with it")
    STOPPED = "stopped", _("Was stopped")
    COUNTED = "counted", _("Tablets at home were counted")
    TAKES = "takes", _("Takes another amount")
    MOVED = "moved", _("The dates of the plan move")


RELATIONS = (DecisionKind.REPLACES, DecisionKind.BESIDE, DecisionKind.CONTINUES)
"""The kinds that have a subject: an order, or a supply recorded from elsewhere."""


_UNCHANGEABLE = "A decision stays as it was made. Record a new one that corrects it."


class DecisionQuerySet(models.QuerySet["Decision"]):
    """Queries of decisions. Changes are refused, here and by the database."""

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise NotAllowed(_UNCHANGEABLE)

    update = bulk_update = delete = update_or_create = _refuse


class Decision(models.Model):
    """A person's decision about what a patient takes. Never changed: a wrong one is corrected by a newer one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="decisions")
    kind = models.CharField(max_length=12, choices=DecisionKind)
    order = models.ForeignKey(
        Prescription,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="decisions",
        help_text=_("the order that replaces, continues or runs beside the course"),
    )
    prior_supply = models.ForeignKey(
        PriorSupply,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="decisions",
        help_text=_("the recorded supply that does so"),
    )
    course = models.CharField(
        max_length=LONGEST_COURSE_NAME,
        help_text=_("the course that it is about: an order's or a recorded supply's id, or all"),
    )
    on = models.DateField()
    starts_on = models.DateField(
        null=True, blank=True, help_text=_("first day of the new dose; unknown: from the hand-over")
    )
    tablets = ArrayField(
        models.DecimalField(max_digits=9, decimal_places=3),
        null=True,
        blank=True,
        help_text=_("tablets at home in the morning, by product"),
    )
    mg = models.DecimalField(
        max_digits=9, decimal_places=3, null=True, blank=True, help_text=_("mg that the patient says to take a day")
    )
    days = models.SmallIntegerField(null=True, blank=True, help_text=_("days by which the dates of the plan move"))
    words = models.CharField(max_length=500, blank=True)
    mitigation = models.CharField(max_length=8, choices=Mitigation, blank=True)
    asked = models.CharField(max_length=120, blank=True, help_text=_("whom the signer spoke to"))
    asked_at = models.DateTimeField(null=True, blank=True)
    corrects = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="corrected_by"
    )
    decided_by = models.CharField(max_length=64)
    decider_name = models.CharField(max_length=120)
    decided_at = models.DateTimeField()
    audit_entry = models.UUIDField(null=True, help_text=_("the entry in the audit log that was written with it"))

    objects = DecisionQuerySet.as_manager()

    class Meta:
        ordering = ["on", "decided_at", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=DecisionKind.values), name="decision_kind_known"),
            models.CheckConstraint(
                condition=(Q(kind__in=RELATIONS) & (Q(order__isnull=True) ^ Q(prior_supply__isnull=True)))
                | (~Q(kind__in=RELATIONS) & Q(order__isnull=True, prior_supply__isnull=True)),
                name="decision_relation_has_a_subject",
            ),
            models.CheckConstraint(condition=~Q(course=""), name="decision_names_a_course"),
            models.CheckConstraint(
                condition=(Q(kind=DecisionKind.COUNTED) & Q(tablets__isnull=False))
                | (~Q(kind=DecisionKind.COUNTED) & Q(tablets__isnull=True)),
                name="decision_counted_has_tablets",
            ),
            models.CheckConstraint(
                condition=(Q(kind=DecisionKind.TAKES) & Q(mg__isnull=False) & Q(mg__gte=0))
                | (~Q(kind=DecisionKind.TAKES) & Q(mg__isnull=True)),
                name="decision_takes_has_an_amount",
            ),
            models.CheckConstraint(
                condition=(Q(kind=DecisionKind.MOVED) & Q(days__isnull=False))
                | (~Q(kind=DecisionKind.MOVED) & Q(days__isnull=True)),
                name="decision_moved_has_days",
            ),
        ]
        indexes = [models.Index(fields=["patient", "on"], name="decision_of_patient")]

    def __str__(self) -> str:
        return f"{self.kind} {self.course}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store a new decision. Raises `NotAllowed` for one that is stored already."""
        if not self._state.adding:
            raise NotAllowed(_UNCHANGEABLE)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise `NotAllowed`."""
        raise NotAllowed(_UNCHANGEABLE)


class TherapySummary(models.Model):
    """A thread of a patient's therapy, for lists: written from the therapy with each event, edited by nothing else.

    Dates only: lists compare them with today. One row also for each course that was stopped and is watched.
    """

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="therapy_summary")
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.CASCADE, related_name="+")
    course = models.CharField(max_length=LONGEST_COURSE_NAME)
    first_uncovered_on = models.DateField(null=True, help_text=_("first day without tablets"))
    more_needed = models.BooleanField(help_text=_("the course goes on after its tablets end"))
    as_needed = models.BooleanField()
    prescription = models.ForeignKey(
        Prescription,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text=_("the order that its last tablets come from; unknown for a supply recorded from elsewhere"),
    )
    tapering = models.BooleanField(default=False, help_text=_("that order lowers the dose"))
    last_mg = models.DecimalField(
        max_digits=13,
        decimal_places=6,
        null=True,
        help_text=_("mg a day of the therapy on the last day with tablets; unknown where the record cannot tell"),
    )
    stopped_on = models.DateField(null=True, help_text=_("first day without it, of a course that was stopped"))
    listed_from = models.DateField(
        null=True, help_text=_("first day on the withdrawal-risk list; unknown where going without is no risk")
    )
    listed_until = models.DateField(null=True, help_text=_("last day on it"))

    class Meta:
        verbose_name_plural = _("therapy summaries")
        constraints = [
            models.UniqueConstraint(fields=["patient", "course"], name="therapy_summary_once_for_a_course"),
        ]
        indexes = [
            models.Index(
                fields=["pharmacy", "listed_from"],
                condition=Q(listed_from__isnull=False),
                name="therapy_summary_listed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.course}: {self.first_uncovered_on or self.stopped_on}"


class OrderState(models.TextChoices):
    """The states of an order in the queue."""

    DONE = "done", _("Ended")
    BLOCKED = "blocked", _("Blocked")
    WAITING = "waiting", _("On hold")
    OWING = "owing", _("Tablets are owed")
    NOT_YET = "not-yet", _("Starts later")
    NOT_DUE = "not-due", _("Not due yet")
    NEEDS_ANSWER = "needs-answer", _("Needs a pharmacist")
    TO_ACKNOWLEDGE = "to-acknowledge", _("To acknowledge")
    READY = "ready", _("Ready")


class OrderSummary(models.Model):
    """The place of an open order in the queue: written from the therapy with each event, edited by nothing else."""

    prescription = models.OneToOneField(
        Prescription, primary_key=True, on_delete=models.CASCADE, related_name="summary"
    )
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.CASCADE, related_name="+")
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="order_summaries")
    state = models.CharField(max_length=16, choices=OrderState)
    due_on = models.DateField(null=True, help_text=_("day on which it is due at the counter"))
    earliest_on = models.DateField(null=True, help_text=_("first day on which it is not early"))
    outcome = models.CharField(
        max_length=12, choices=Outcome, blank=True, help_text=_("the worst that nobody has answered; empty if not due")
    )
    finding = models.CharField(max_length=300, blank=True, help_text=_("that finding, in one sentence"))
    awaiting = models.CharField(max_length=12, blank=True, help_text=_("of the order"))
    phase = models.PositiveSmallIntegerField(
        null=True, help_text=_("the phase that is taken today; null before the first and where there is one alone")
    )
    received_at = models.DateTimeField(help_text=_("of the order"))

    class Meta:
        verbose_name_plural = _("order summaries")
        constraints = [
            models.CheckConstraint(condition=Q(state__in=OrderState.values), name="order_summary_state_known"),
            models.CheckConstraint(condition=Q(outcome__in=["", *Outcome.values]), name="order_summary_outcome_known"),
        ]
        indexes = [
            models.Index(fields=["pharmacy", "received_at", "prescription"], name="order_summary_queue"),
        ]

    def __str__(self) -> str:
        return f"{self.prescription_id}: {self.state}"


class CountedTherapy(models.Model):
    """The day and the settings with which a patient's therapy was last counted; what is older is counted again."""

    patient = models.OneToOneField(Patient, primary_key=True, on_delete=models.CASCADE, related_name="counted_therapy")
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.CASCADE, related_name="+", db_index=False)
    timing_version = models.IntegerField(help_text=_("of the pharmacy's settings"))
    counted_on = models.DateField()

    class Meta:
        verbose_name_plural = _("counted therapies")
        indexes = [
            models.Index(fields=["pharmacy", "timing_version", "counted_on"], name="counted_therapy_outdated"),
        ]

    def __str__(self) -> str:
        return f"{self.patient_id}: {self.counted_on}"
