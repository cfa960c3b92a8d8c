"""Settings of a pharmacy, changes that wait for a second manager, and the limits of its profile."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dispensary.actions.pharmacies import CHANGEABLE
from dispensary.actions.settings_changes import find_waiting
from dispensary.api.fields import Body, Choice, Count, Day, Flag, Text
from dispensary.api.serializers.messages import LocalTime
from dispensary.api.serializers.orders import ProofIn
from dispensary.api.serializers.staff import ChangesInPerson, InPerson
from dispensary.models import Medium, Pharmacy, SettingsChange, SignedLimit

_FIELDS = {
    models.BooleanField: Flag,
    models.CharField: Text,
    models.PositiveSmallIntegerField: Count,
    models.TimeField: LocalTime,
}


class SettingsIn(ChangesInPerson, serializers.ModelSerializer[Any]):
    """Settings to be changed; those that are left out stay."""

    serializer_field_mapping: ClassVar = serializers.ModelSerializer.serializer_field_mapping | _FIELDS

    default_error_messages = {"nothing": "at least one setting"}

    class Meta:
        model = Pharmacy
        fields = ["proof", *CHANGEABLE]
        extra_kwargs: ClassVar = {name: {"required": False} for name in CHANGEABLE}


class WaitingChange(serializers.ModelSerializer[Any]):
    """A change of limits or of who signs that is not in force: another manager decides, or it is from `due_at`."""

    class Meta:
        model = SettingsChange
        fields = ["id", "changes", "asker_name", "asked_at", "due_at"]


class SettingsOut(serializers.ModelSerializer[Any]):
    """The settings of a pharmacy."""

    serializer_field_mapping: ClassVar = serializers.ModelSerializer.serializer_field_mapping | _FIELDS

    waiting = serializers.SerializerMethodField()

    class Meta:
        model = Pharmacy
        fields = ["id", *CHANGEABLE, "opened_at", "version", "waiting"]

    @extend_schema_field(WaitingChange(allow_null=True))
    def get_waiting(self, pharmacy: Pharmacy) -> Any:
        change = find_waiting(pharmacy)
        return None if change is None else WaitingChange(change).data


class LimitSignature(serializers.ModelSerializer[Any]):
    """A pharmacist's signature under a line."""

    class Meta:
        model = SignedLimit
        fields = ["signer_name", "signed_at", "review_on"]


class LimitsToSign(Body):
    """Lines of the pharmacy's profile that a pharmacist has read."""

    lines = serializers.ListField(
        child=Text(max_length=64), min_length=1, max_length=1000, help_text="`digest` of each line"
    )
    review_on = Day(help_text="when they are to be read again: a day ahead, within three years")


class SignedLimitsIn(LimitsToSign):
    """Lines of the pharmacy's profile, signed with this request."""

    proof = ProofIn(help_text="of the signer; digest and nonce from limits/signatures/")


class ChannelTrialIn(InPerson):
    """The address that a test message goes to."""

    medium = Choice(Medium)
    address = Text(max_length=254, help_text="one of your own")


class ChannelTrialOut(serializers.Serializer[Any]):
    """The answer of a channel to a test message."""

    answer = serializers.CharField(help_text='"accepted" by its provider, "unknown", or what is wrong')


class LimitOut(serializers.Serializer[Any]):
    """A number of the pharmacy's profile, with its source."""

    place = serializers.CharField(help_text="such as rules.daily-maximum.grace")
    value = serializers.CharField()
    unit = serializers.CharField(allow_blank=True)
    since = serializers.DateField()
    ages = serializers.CharField(allow_blank=True)
    mark = serializers.CharField(help_text="kind of source")
    source = serializers.CharField()  # type: ignore[assignment]  # DRF takes declared fields off the class: Field.source stays
    where = serializers.CharField(allow_blank=True, help_text="place in the source")
    note = serializers.CharField(allow_blank=True)
    digest = serializers.CharField(help_text="SHA-256 of the line: another number or source is another line")
    signed = LimitSignature(allow_null=True, help_text="null where no pharmacist has signed it, or must read it again")
