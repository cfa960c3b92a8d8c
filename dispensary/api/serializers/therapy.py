"""Bodies of a patient's therapy and of the decisions about it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from dispensary.actions.decisions import Decided
from dispensary.api.fields import Amount, Body, Count, Day, Moment, Text
from dispensary.models import Decision, DecisionKind, SignatureMethod


class AnswerDecisionIn(Body):
    """A decision about what a patient takes."""

    kind = serializers.ChoiceField(DecisionKind.choices)
    object = Text(max_length=64, help_text="the course: the id of the order or recorded supply that opened it")
    on = Day(required=False, help_text="the day it is about; absent: today")
    starts_on = Day(required=False, help_text="first day of the new dose, where it is not the hand-over")
    tablets = serializers.ListField(
        child=Amount(max_digits=9, decimal_places=2, min_value=Decimal(0)),
        required=False,
        max_length=4,
        help_text="counted: tablets at home in the morning, by strength of the order",
    )
    mg = Amount(
        max_digits=9, decimal_places=3, required=False, help_text="takes: mg that the patient says to take a day"
    )
    days = Count(required=False, help_text="moved: days by which the dates of the plan move")
    words = Text(max_length=500, required=False, allow_blank=True)
    mitigation = Text(max_length=8, required=False, allow_blank=True, help_text="FHIR detectedissue-mitigation-action")
    asked = Text(max_length=120, required=False, allow_blank=True, help_text="who was asked, at the prescriber")
    asked_at = Moment(required=False)


class DecisionIn(AnswerDecisionIn):
    """A decision that is recorded by itself."""

    subject = Text(
        max_length=64, required=False, help_text="the order or recorded supply that replaces, continues, ..."
    )
    corrects = serializers.UUIDField(required=False, help_text="the decision that this one puts right")


def build_decided(fields: dict[str, Any], signature: SignatureMethod = SignatureMethod.TOKEN) -> Decided:
    """Return a decision for the action."""
    values = {name: value for name, value in fields.items() if name not in {"object", "kind", "tablets", "subject"}}
    return Decided(
        kind=DecisionKind(fields["kind"]),
        course=fields["object"],
        tablets=tuple(fields.get("tablets", ())),
        signature=signature,
        **values,
    )


class DecisionOut(serializers.ModelSerializer[Any]):
    """A decision as it was made."""

    subject = serializers.SerializerMethodField()
    object = serializers.CharField(source="course")
    tablets = serializers.ListField(child=Amount(), allow_null=True)
    mg = Amount(allow_null=True)

    class Meta:
        model = Decision
        fields = [
            "id", "patient", "kind", "subject", "object", "on", "starts_on", "tablets", "mg", "days", "words", "mitigation",
            "asked", "asked_at", "corrects", "decider_name", "decided_at", "audit_entry",
        ]  # fmt: skip

    def get_subject(self, decision: Decision) -> str | None:
        subject = decision.order_id or decision.prior_supply_id
        return None if subject is None else str(subject)


class CourseOut(serializers.Serializer[Any]):
    """A course that is open today."""

    name = serializers.CharField(help_text="what decisions name it by")
    as_needed = serializers.BooleanField()
    mg = Amount(allow_null=True, help_text="mg a day; as needed the most")
    since = serializers.DateField()
    first_uncovered = serializers.DateField(allow_null=True)


class TherapyOut(serializers.Serializer[Any]):
    """The patient's therapy of today, with every decision about it."""

    on = serializers.DateField()
    low = Amount(allow_null=True, help_text="the least that can be true, mg a day")
    mg = Amount(allow_null=True, help_text="mg a day; null where the record cannot tell")
    high = Amount(allow_null=True, help_text="the most that can be true, mg a day")
    next_change = serializers.DateField(allow_null=True)
    last_day = serializers.DateField(allow_null=True)
    courses = CourseOut(many=True)
    decisions = DecisionOut(many=True)
