"""The month of a pharmacy's messages in numbers."""

from __future__ import annotations

from datetime import date
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dispensary.api.fields import EARLIEST, LATEST
from dispensary.api.serializers.audit import Query
from dispensary.models import Medium
from dispensary.models.reminders import ReminderKind
from dispensary.reminders.month import Refills


class MonthField(serializers.CharField):
    """A month such as 2026-10, read as its first day."""

    default_error_messages = {"month": "a month, such as 2026-10"}

    def to_internal_value(self, data: Any) -> date:  # type: ignore[override]  # the stubs know text; DRF hands on any value
        try:
            month = date.fromisoformat(f"{super().to_internal_value(data)}-01")
        except ValueError:
            self.fail("month")
        if not EARLIEST <= month < LATEST.replace(month=12, day=1):
            self.fail("month")
        return month


class MonthQuery(Query):
    """The month to count."""

    month = MonthField(required=False, help_text="such as 2026-10; absent: the last whole one")


class KindOut(serializers.Serializer[Any]):
    """Messages of one kind."""

    kind = serializers.ChoiceField(ReminderKind.choices)
    due = serializers.IntegerField()
    left = serializers.IntegerField()
    arrived = serializers.IntegerField(help_text="those with a receipt")
    not_left = serializers.IntegerField()
    not_allowed = serializers.IntegerField(help_text="of these, for want of a yes or an address")
    answered = serializers.IntegerField()


class ChannelOut(serializers.Serializer[Any]):
    """Messages that one channel took."""

    medium = serializers.ChoiceField(Medium.choices)
    channel = serializers.CharField()
    taken = serializers.IntegerField()
    arrived = serializers.IntegerField()
    failed = serializers.IntegerField()
    unknown = serializers.IntegerField(help_text="without a receipt")


class RefillsOut(serializers.Serializer[Any]):
    """Supplies that ran out in the month with more needed, by how late the next one followed."""

    supplies = serializers.IntegerField()
    late = serializers.IntegerField()
    late_percent = serializers.IntegerField(allow_null=True)
    counts = serializers.SerializerMethodField()

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
    def get_counts(self, refills: Refills) -> dict[str, int]:
        return {lateness.value: count for lateness, count in refills.counts.items()}


class MonthOut(serializers.Serializer[Any]):
    """A month of messages. Counts only, no names."""

    month = serializers.DateField(help_text="its first day")
    kinds = KindOut(many=True)
    channels = ChannelOut(many=True)
    refills = RefillsOut()
    hours_to_answer = serializers.FloatField(allow_null=True, help_text="the median")
    stops = serializers.IntegerField(help_text="patients who ended messages")
    tapers_ended = serializers.IntegerField(help_text="patients whose taper was to end")
    tapers_reached = serializers.IntegerField(help_text="of these, as planned")
