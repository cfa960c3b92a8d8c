"""Reminders, addresses, consent and people's work."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from baclofen_rules.therapy import RiskLevel
from dispensary.api.fields import Amount, Body, Choice, Count, Flag, Moment, Text
from dispensary.models import (
    Carer,
    CarerRelation,
    ConsentAnswer,
    ContactPoint,
    DetailLevel,
    Language,
    Medium,
    Reminder,
    ReminderState,
    Resolution,
    WorklistItem,
)


class NewContact(Body):
    """An address to be recorded. It is used once the patient has said yes to its medium."""

    medium = Choice(Medium)
    address = Text(max_length=254)
    detail_level = Choice(DetailLevel, default=DetailLevel.PLAIN)
    preference = Count(
        min_value=1,
        max_value=9,
        required=False,
        help_text="The lowest is tried first. Without one: 1, and 5 for calls.",
    )
    takes_texts = serializers.BooleanField(
        default=False, help_text="The patient says that this landline takes text messages."
    )


class Answer(Body):
    """A patient's answer about one medium."""

    medium = Choice(Medium)
    answer = Choice(ConsentAnswer, [ConsentAnswer.YES, ConsentAnswer.NO])
    evidence = Text(max_length=250, default="", allow_blank=True)


class NewCarer(Body):
    """Somebody else who gets the messages about a patient, after a yes of their own. Guardians: only under the age of consent."""

    name = Text(max_length=120)
    relation = Choice(CarerRelation)
    language = Choice(Language)
    medium = Choice(Medium)
    address = Text(max_length=254)
    takes_texts = serializers.BooleanField(
        default=False, help_text="The carer says that this landline takes text messages."
    )


class CarerAnswer(Body):
    """A carer's own answer."""

    answer = Choice(ConsentAnswer, [ConsentAnswer.YES, ConsentAnswer.NO])


class Nothing(Body):
    """An empty body."""


class DetailIn(Body):
    """How much messages to an address say."""

    detail_level = Choice(DetailLevel)


class LetterIn(Body):
    """The address of a letter, which is printed and not kept."""

    address = Text(max_length=500, trim_whitespace=False, help_text="street and place, each on a line of its own")


class SendNow(Body):
    """Options of sending a reminder now."""

    despite_quiet_hours = Flag(default=False)


class Resolved(Body):
    """The outcome of a piece of work."""

    resolution = serializers.ChoiceField([value for value in Resolution.values if value != Resolution.BY_EVENT])
    note = Text(max_length=500, default="", allow_blank=True)


class PutOff(Body):
    """The date and reason for putting off a piece of work."""

    until = Moment()
    note = Text(max_length=500)


class ContactOut(serializers.ModelSerializer[Any]):
    """An address, with the fault that prevents its use; `carer` names who reads there in the patient's place."""

    carer = serializers.CharField(source="carer.name", read_only=True, allow_null=True, default=None)
    address = serializers.CharField(
        source="shown_address", read_only=True, help_text="Of a browser, its push service alone."
    )

    class Meta:
        model = ContactPoint
        fields = [
            "id",
            "carer",
            "medium",
            "address",
            "detail_level",
            "preference",
            "fault",
            "fault_at",
            "added_at",
            "retired_at",
        ]


@extend_schema_field({"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}:[0-9]{2}$"})
class LocalTime(serializers.TimeField):
    """A time on the patient's own clock; OpenAPI's `time` would want an offset from UTC, which it has not."""


class ReminderOut(serializers.ModelSerializer[Any]):
    """A reminder: when it is due, in UTC and as it is meant in the patient's own time, and where it stands."""

    id = serializers.UUIDField(source="public_id")
    local_time = LocalTime()
    state = serializers.SerializerMethodField()

    class Meta:
        model = Reminder
        fields = [
            "id", "patient", "kind", "occurrence", "local_date", "local_time", "tz_name", "due_at", "useful_until", "state",
            "attempts", "last_error",
        ]  # fmt: skip

    @extend_schema_field({"type": "string", "enum": [*(state.name.lower() for state in ReminderState), "sending"]})
    def get_state(self, reminder: Reminder) -> str:
        return "sending" if reminder.sending_since else ReminderState(reminder.state).name.lower()


class CarerOut(serializers.ModelSerializer[Any]):
    """A carer with the answer in force; `ended_at` from when they get nothing more."""

    class Meta:
        model = Carer
        fields = ["id", "name", "relation", "language", "answer", "answered_at", "added_at", "ended_at"]


class MessagesOut(serializers.Serializer[Any]):
    """The messages of one patient, with reasons."""

    contacts = ContactOut(many=True)
    carers = CarerOut(many=True)
    consents = serializers.DictField(child=serializers.ChoiceField(ConsentAnswer.choices))
    reminders = ReminderOut(many=True)
    explanation = serializers.ListField(child=serializers.CharField())


class PreviewOut(serializers.Serializer[Any]):
    """One message that a dispense will send."""

    kind = serializers.CharField()
    leaves_at = serializers.DateTimeField()
    useful_until = serializers.DateTimeField()
    text = serializers.CharField()
    text_messages = serializers.IntegerField(source="segments.count")
    alphabet = serializers.CharField(source="segments.alphabet")


class AtRiskOut(serializers.Serializer[Any]):
    """A patient whose supply ends or has ended, or whose medicine was stopped."""

    patient = serializers.UUIDField(source="patient.pk")
    name = serializers.CharField(source="patient")
    prescription = serializers.UUIDField(
        source="prescription_id", allow_null=True, help_text="null where the supply was recorded from elsewhere"
    )
    level = serializers.ChoiceField(list(RiskLevel))
    mg_per_day = Amount(allow_null=True, help_text="null where the record cannot tell")
    run_out_on = serializers.DateField()
    days_without = serializers.IntegerField(help_text="negative while tablets are left")
    tapering = serializers.BooleanField()
    words = serializers.CharField()
    reason = serializers.CharField()


class WorkOut(serializers.ModelSerializer[Any]):
    """A piece of work for a person."""

    reminder = serializers.UUIDField(source="reminder.public_id", allow_null=True, default=None)

    class Meta:
        model = WorklistItem
        fields = [
            "id", "patient", "reminder", "kind", "reason", "state", "opened_at", "due_by", "put_off_until", "resolution",
            "note", "resolved_by", "resolved_at",
        ]  # fmt: skip
