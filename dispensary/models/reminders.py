"""Reminders, their plans and their deliveries. The row is the reminder; a queue only carries hints to look for work."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext_lazy as _

from dispensary.models.contacts import Carer, ContactPoint, Medium
from dispensary.models.keys import uuid7
from dispensary.models.patient import Patient
from dispensary.models.pharmacy import Pharmacy


class ReminderKind(models.TextChoices):
    """The reason for a message. The value is stored and public; it never changes meaning."""

    REFILL_DUE = "refill_due", "next supply due"
    REFILL_AGAIN = "refill_again", "next supply due, second call"
    RUN_OUT = "run_out", "supply runs out"
    DOSE_CHANGE = "dose_change", "the dose changes tomorrow"
    LAST_DAY = "last_day", "last day of the course"
    MISSED_COLLECTION = "missed_collection", "supply has run out and was not collected"
    READY = "ready", "ready to be collected"
    START_DAY = "start_day", "first day of the tablets"
    CHANGE_DAY = "change_day", "the dose changes today"
    STEP_CHECK = "step_check", "question two days after a step down"
    AFTER_END = "after_end", "question three days after the end"
    OWING_READY = "owing_ready", "the rest of a supply is ready to be collected"
    PRESCRIBER_ASKED = "prescriber_asked", "the prescriber was asked"
    SUPPLY_SHORT = "supply_short", "the tablets are not in stock"
    PAPERS_CHANGED = "papers_changed", "the calendar is no longer true"

    @property
    def matters_for_safety(self) -> bool:
        """Silence can harm: an unknown send is repeated, an expired one becomes somebody's work."""
        return self not in {*_NUDGES, ReminderKind.READY, ReminderKind.OWING_READY}

    @property
    def is_limited(self) -> bool:
        """True for what counts against the messages of a day and a week, and waits for its turn."""
        return self in _NUDGES

    @property
    def before_its_day(self) -> bool:
        """Told the day before what it tells: on the morning itself the first dose may have been taken, or missed."""
        return self in {ReminderKind.DOSE_CHANGE, ReminderKind.RUN_OUT}

    @property
    def about_refill(self) -> bool:
        """No longer true once the next supply has been collected."""
        return self in {
            ReminderKind.REFILL_DUE,
            ReminderKind.REFILL_AGAIN,
            ReminderKind.RUN_OUT,
            ReminderKind.MISSED_COLLECTION,
        }

    @property
    def is_standing(self) -> bool:
        """Told once of a state of affairs, while it lasts: a bag on the shelf, an order that waits, papers that are wrong."""
        return self in _STANDING


_NUDGES = frozenset(
    {
        ReminderKind.REFILL_DUE,
        ReminderKind.REFILL_AGAIN,
        ReminderKind.START_DAY,
        ReminderKind.CHANGE_DAY,
        ReminderKind.PRESCRIBER_ASKED,
        ReminderKind.SUPPLY_SHORT,
    }
)
_STANDING = frozenset(
    {
        ReminderKind.READY,
        ReminderKind.OWING_READY,
        ReminderKind.PRESCRIBER_ASKED,
        ReminderKind.SUPPLY_SHORT,
        ReminderKind.PAPERS_CHANGED,
    }
)


class Withdrawal(models.TextChoices):
    """The reasons for which reminders are withdrawn."""

    NEW_DISPENSE = "new-dispense", _("Another supply was handed over")
    SUPPLY_RECORDED = "supply-recorded", _("A supply made elsewhere was recorded")
    THERAPY_DECIDED = "therapy-decided", _("Somebody decided what the patient takes")
    DISPENSE_CANCELLED = "dispense-cancelled", _("The supply was cancelled")
    DISPENSE_RETURNED = "dispense-returned", _("The supply came back")
    PRESCRIPTION_CANCELLED = "prescription-cancelled", _("The prescription was cancelled")
    PRESCRIPTION_STOPPED = "prescription-stopped", _("The prescription was stopped")
    PRESCRIPTION_REPLACED = "prescription-replaced", _("The prescription was replaced")
    PATIENT_DIED = "patient-died", _("The patient died")
    CONSENT_WITHDRAWN = "consent-withdrawn", _("The patient wants no messages")
    BY_HAND = "by-hand", _("Withdrawn by a member of staff")
    FACTS_CHANGED = "facts-changed", _("Planned again with other facts")


class ReminderPlan(models.Model):
    """A version of the messages that a patient's therapy makes owing. A patient has one in force at a time."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="+", db_index=False)
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="reminder_plans")
    version = models.PositiveIntegerField()
    planned_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.CharField(max_length=24, choices=Withdrawal, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["patient", "version"], name="plan_version_unique"),
            models.UniqueConstraint(
                fields=["patient"], condition=Q(ended_at__isnull=True), name="plan_one_of_a_patient_in_force"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_reason="") | (Q(ended_at__isnull=False) & ~Q(ended_reason="")),
                name="plan_end_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"Plan {self.version}"


class ReminderState(models.IntegerChoices):
    """The states of a reminder. A `LEASED` one is certainly unsent, unless `sending_since` says that its send has begun."""

    SCHEDULED = 0, _("Owed")
    LEASED = 1, _("Taken by a worker")
    SENT = 3, _("Sent")
    DELIVERED = 4, _("Delivered")
    WITHDRAWN = 5, _("Withdrawn")
    SUPPRESSED = 6, _("Not sent: the patient may not be messaged")
    EXPIRED = 7, _("Not sent in time")
    FAILED = 8, _("Could not be sent")
    PARKED = 9, _("May or may not have been sent")


NO_LEASE: dict[str, Any] = {"lease_token": None, "lease_until": None, "lease_owner": "", "sending_since": None}
"""Values that an update sets to end a lease; `Reminder.let_go` for a single row."""

NOT_SENT_YET = (ReminderState.SCHEDULED, ReminderState.LEASED)
OWED = Q(state__in=NOT_SENT_YET, sending_since__isnull=True)
"""States of a reminder whose send has not begun, which can still be taken back."""
MAY_HAVE_LEFT = (ReminderState.SENT, ReminderState.DELIVERED, ReminderState.PARKED)
"""States of a reminder that has left, or that may have."""


# PostgreSQL reads every CHECK of a table anew, word by word, for each statement that writes to it, and these two tables are
# written to for each message. So: ranges instead of lists, and none of those that Django adds to a positive number.
RANGE_OF_STATES = (min(ReminderState.values), max(ReminderState.values))


class Reminder(models.Model):
    """A message that is owed to a patient once. `local_date` and `local_time` are the intent; `due_at` follows from them."""

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid7, unique=True, editable=False)
    plan = models.ForeignKey(ReminderPlan, on_delete=models.CASCADE, related_name="reminders", db_index=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="reminders", db_index=False)
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="reminders", db_index=False)
    kind = models.CharField(max_length=20, choices=ReminderKind)
    occurrence = models.CharField(max_length=12, help_text=_("which one of its kind: a day, or days around run-out"))
    local_date = models.DateField()
    local_time = models.TimeField()
    tz_name = models.CharField(max_length=64)
    tzdb_version = models.CharField(max_length=12)
    due_at = models.DateTimeField()
    useful_until = models.DateTimeField(help_text=_("never sent at or after this"))
    despite_quiet = models.BooleanField(default=False, help_text=_("a person asked for it to leave at once"))
    params = models.JSONField(default=dict, help_text=_("dates and doses that the words need; no name"))
    state = models.SmallIntegerField(choices=ReminderState, default=ReminderState.SCHEDULED)
    round = models.SmallIntegerField(default=1, help_text=_("raised when a person sends it again"))
    attempts = models.SmallIntegerField(default=0)
    lost_workers = models.SmallIntegerField(default=0, help_text=_("workers that died holding it"))
    last_error = models.CharField(max_length=40, blank=True, help_text=_("a code, never text with an address"))
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_owner = models.CharField(max_length=64, blank=True)
    reader = models.ForeignKey(
        Carer,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        help_text=_("the guardian of a copy; empty for the first reader, whoever that is when it leaves"),
    )
    # No index names it, so that setting it moves the row in no index: of all that is written for a message, it is the one
    # mark that every other session must see before the provider is called.
    sending_since = models.DateTimeField(
        null=True, blank=True, help_text=_("begun, its end not recorded yet: what a dead worker leaves in doubt")
    )
    # Nor does any name this, for the same reason.
    changed_at = models.DateTimeField(db_default=Now(), editable=False, help_text=_("kept by a trigger"))

    class Meta:
        constraints = [
            # No reader counts as one: PostgreSQL 14 cannot say NULLS NOT DISTINCT.
            models.UniqueConstraint(
                "plan",
                "kind",
                "local_date",
                Coalesce("reader", models.Value(UUID(int=0)), output_field=models.UUIDField()),
                name="reminder_owed_once_a_reader",
            ),
            models.CheckConstraint(condition=Q(useful_until__gt=F("due_at")), name="reminder_useful_when_due"),
            models.CheckConstraint(condition=Q(kind__in=ReminderKind.values), name="reminder_kind_known"),
            models.CheckConstraint(condition=Q(state__range=RANGE_OF_STATES), name="reminder_state_known"),
            models.CheckConstraint(
                condition=Q(state=ReminderState.LEASED, lease_token__isnull=False, lease_until__isnull=False)
                | (
                    ~Q(state=ReminderState.LEASED)
                    & Q(lease_token__isnull=True, lease_until__isnull=True, sending_since__isnull=True)
                ),
                name="reminder_held_has_a_lease",
            ),
        ]
        indexes = [
            # Both columns: with (due_at) alone, every tie of one minute is sorted on every claim.
            models.Index(fields=["due_at", "id"], condition=Q(state=ReminderState.SCHEDULED), name="reminder_due"),
            models.Index(fields=["lease_until"], condition=Q(state=ReminderState.LEASED), name="reminder_held"),
            models.Index(fields=["patient", "due_at"], name="reminder_of_patient"),
            models.Index(fields=["pharmacy", "due_at"], name="reminder_of_pharmacy"),
            models.Index(fields=["reader"], condition=Q(reader__isnull=False), name="reminder_of_reader"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.occurrence}"

    def let_go(self) -> None:
        """End the lease of a row that is about to be saved."""
        for name, value in NO_LEASE.items():
            setattr(self, name, value)

    @property
    def standing(self) -> str:
        """The state in words for people."""
        return str(_("Being sent")) if self.sending_since else str(ReminderState(self.state).label)


class DeliveryOutcome(models.IntegerChoices):
    """The outcomes of an attempt. Tens are the rank: a lower or equal rank never overwrites (late, doubled receipts)."""

    STARTED = 0, _("Started")
    UNKNOWN = 10, _("Unknown: the answer was lost")
    ACCEPTED = 20, _("Accepted by the provider")
    DELIVERED = 30, _("Delivered")
    UNDELIVERED = 31, _("Not delivered")
    BOUNCED = 32, _("Bounced")
    REFUSED = 33, _("Refused")
    REPEATED = 34, _("Unknown, and sent again")
    DEFERRED = 35, _("Not taken for now; tried again later")
    COMPLAINED = 40, _("Reported as unwanted")


LIVE = (
    DeliveryOutcome.STARTED,
    DeliveryOutcome.UNKNOWN,
    DeliveryOutcome.ACCEPTED,
    DeliveryOutcome.DELIVERED,
)


RANGE_OF_OUTCOMES = (min(DeliveryOutcome.values), max(DeliveryOutcome.values))


class Delivery(models.Model):
    """The send ledger: one row an attempt, written before the provider is called."""

    id = models.BigAutoField(primary_key=True)
    reminder = models.ForeignKey(Reminder, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    medium = models.CharField(max_length=8, choices=Medium)
    channel = models.CharField(max_length=24, help_text=_("which file in channels/ carried it"))
    attempt = models.SmallIntegerField()
    round = models.SmallIntegerField(default=1)
    key = models.UUIDField(help_text=_("handed to the provider; equal for every attempt at one intent"))
    contact = models.ForeignKey(
        ContactPoint, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    address_digest = models.CharField(max_length=64)
    provider_message_id = models.CharField(max_length=200, blank=True)
    sent_with = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="sent_together",
        db_index=False,
        help_text=_("the delivery of another reminder whose message says this one too"),
    )
    outcome = models.SmallIntegerField(choices=DeliveryOutcome, default=DeliveryOutcome.STARTED)
    error = models.CharField(max_length=40, blank=True)
    language = models.CharField(max_length=8)
    words_version = models.CharField(max_length=12)
    detailed = models.BooleanField()
    segments = models.SmallIntegerField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(fields=["reminder", "medium", "attempt"], name="delivery_attempt_unique"),
            # The ledger's lock: a second sender's insert fails, so it cannot send.
            models.UniqueConstraint(
                fields=["reminder", "medium", "round"], condition=Q(outcome__in=LIVE), name="delivery_one_alive"
            ),
            models.UniqueConstraint(
                fields=["channel", "provider_message_id"],
                condition=~Q(provider_message_id=""),
                name="delivery_provider_number_unique",
            ),
            models.CheckConstraint(condition=Q(outcome__range=RANGE_OF_OUTCOMES), name="delivery_outcome_known"),
        ]
        indexes = [
            models.Index(fields=["sent_with"], condition=Q(sent_with__isnull=False), name="delivery_sent_with"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.key}"


ANSWERED_FREE_TEXT = ["free text", "free text, answered"]
"""Results of replies that a person must read and whose sender was, or may have been, told whom to call."""


class InboundEvent(models.Model):
    """An event that a provider sent: a receipt, a reply. Stored once, however often it is sent."""

    id = models.BigAutoField(primary_key=True)
    channel = models.CharField(max_length=24)
    provider_event_id = models.CharField(max_length=200)
    kind = models.CharField(max_length=16)
    facts = models.JSONField(default=dict, help_text=_("reference, status, digest of the address; no text, no address"))
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True, blank=True)
    result = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "provider_event_id"], name="inbound_event_once"),
        ]
        indexes = [
            models.Index(fields=["received_at"], condition=Q(processed_at__isnull=True), name="inbound_waiting"),
            models.Index(
                fields=["received_at"],
                condition=Q(result__in=ANSWERED_FREE_TEXT),
                name="inbound_free_text",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.kind}"


class EngineCounter(models.Model):
    """A number of events, and the time of the last one by the database's clock. Words after the name are metric labels."""

    name = models.CharField(max_length=80, primary_key=True)
    at = models.DateTimeField()
    count = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.name


class EngineTurn(models.Model):
    """The last run of what one process does for all once in an interval, by the database's clock."""

    name = models.CharField(max_length=80, primary_key=True)
    at = models.DateTimeField()
    count = models.BigIntegerField(default=0)
    position = models.BigIntegerField(default=0, help_text=_("key of the row after which the next turn goes on"))

    def __str__(self) -> str:
        return self.name


class ChannelRest(models.Model):
    """A channel whose provider is down: no message leaves by it `until` then. The row goes with the first success."""

    channel = models.CharField(max_length=24, primary_key=True)
    until = models.DateTimeField()
    times = models.IntegerField(help_text=_("rests since it last accepted a message"))

    def __str__(self) -> str:
        return self.channel
