"""Exports that a worker prepares, and trials of another limit on recorded decisions."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from baclofen_rules.rules import all_rules
from dispensary.actions import limit_trials
from dispensary.actions.long_exports import KEPT
from dispensary.actions.record_tables import RecordKind
from dispensary.api.fields import Amount, Body, Day, Text
from dispensary.api.serializers.staff import InPerson
from dispensary.models import LimitTrial, LogExport, Mitigation, SubjectRequest, SubjectRequestState

_FIRST_DAY = "first day, by the pharmacy's calendar; left out: from the beginning"
_LAST_DAY = "last day; left out: until now"


class Purpose(Body):
    """The purpose of an export."""

    purpose = Text(max_length=250, help_text="the inspection, the complaint, the request; stands in the log")


class AnswersExportIn(Purpose):
    """A table of answers to findings."""

    since = Day(required=False, help_text=_FIRST_DAY)
    until = Day(required=False, help_text=_LAST_DAY)
    answers = serializers.ChoiceField(
        ["override", "acknowledge", "both"], default="override", help_text="to findings of this severity"
    )
    rule = serializers.ChoiceField([rule.code for rule in all_rules()], required=False)
    mitigation = serializers.ChoiceField(Mitigation.choices, required=False)
    actor = Text(max_length=200, required=False, help_text='who answered, such as "user:42"')
    patient = serializers.UUIDField(required=False)
    text = Text(max_length=200, required=False, help_text="words in the answer; needs at most 92 days")


class RecordsExportIn(InPerson, Purpose):
    """A table of orders, hand-overs or findings with their patients."""

    table = serializers.ChoiceField([kind.value for kind in RecordKind])
    since = Day(required=False, help_text=_FIRST_DAY)
    until = Day(required=False, help_text=_LAST_DAY)


class ExportOut(serializers.ModelSerializer[Any]):
    """An export: how far it is, and its file when it is ready."""

    table = serializers.ChoiceField(["answers", *(kind.value for kind in RecordKind)])
    gone_at = serializers.SerializerMethodField(help_text="when its file will be removed; null until it is ready")
    file = serializers.SerializerMethodField(help_text="address of the zip file; null until it is ready")

    class Meta:
        model = LogExport
        fields = [
            "id", "table", "sentence", "purpose", "requested_by", "requested_at", "rows", "reached", "finished_at", "gone_at", "sha256",
            "file",
        ]  # fmt: skip

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_gone_at(self, export: LogExport) -> Any:
        return serializers.DateTimeField().to_representation(export.finished_at + KEPT) if export.finished_at else None

    @extend_schema_field({"type": ["string", "null"]})
    def get_file(self, export: LogExport) -> str | None:
        return reverse("dispensary-api:audit-export-file", args=[export.pk]) if export.finished_at else None


class FileRequestIn(InPerson):
    """A patient's request for what is recorded about them."""

    received_on = Day(help_text="the day on which the patient asked, by the pharmacy's calendar")
    identity = Text(max_length=250, help_text="how it was checked who asks; stands in the log")


class FileRequestOut(serializers.ModelSerializer[Any]):
    """A request for a patient's file, and what was decided."""

    answer_by = serializers.DateField(help_text="one month after `received_on`")
    requested_by = serializers.CharField(source="requester_name")
    decided_by = serializers.CharField(source="decider_name", allow_blank=True)
    gone_at = serializers.SerializerMethodField(help_text="when the file will be removed; null until it is released")

    class Meta:
        model = SubjectRequest
        fields = [
            "id", "patient", "received_on", "answer_by", "identity", "requested_by", "requested_at", "state", "withheld", "names_staff",
            "words", "decided_by", "decided_at", "gone_at",
        ]  # fmt: skip

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_gone_at(self, request: SubjectRequest) -> Any:
        if request.state != SubjectRequestState.RELEASED or request.decided_at is None:
            return None
        return serializers.DateTimeField().to_representation(request.decided_at + KEPT)


class PreparedFile(serializers.Serializer[Any]):
    """What was prepared about a patient: the facts, and one line for each entry of the log."""

    sha256 = serializers.CharField(help_text="for `sha256` of the release")
    facts = serializers.DictField()
    lines = serializers.ListField(
        child=serializers.DictField(),
        help_text="newest first; the names in `by` of who only looked are left out of the file",
    )


class FileRelease(InPerson):
    """The release of a file."""

    sha256 = Text(max_length=64, help_text="of what was prepared, as it was read")
    withheld = serializers.ListField(
        child=serializers.IntegerField(min_value=1), default=list, max_length=5000,
        help_text="numbers of the entries whose details are left out, as they are about another person",
    )  # fmt: skip
    names_staff = serializers.BooleanField(default=False, help_text="name who only looked")
    words = Text(max_length=500, default="", allow_blank=True, help_text="needed with `withheld` and `names_staff`")


class FileRefusal(InPerson):
    """The refusal of a file."""

    words = Text(max_length=500, help_text="the reason, which the patient is told")


class TrialLine(serializers.Serializer[Any]):
    """A number of the pharmacy's profile that can be tried."""

    digest = serializers.CharField(help_text="SHA-256 of the line, for `line` of a trial")
    place = serializers.CharField(help_text="such as rules.daily-maximum.grace")
    ages = serializers.CharField(allow_blank=True)
    value = serializers.CharField()
    unit = serializers.CharField(allow_blank=True)


class TrialIn(Body):
    """Another number for a line of the profile, and the days whose decisions are asked again."""

    line = Text(max_length=64, help_text="`digest` of a line")
    value = Amount()
    since = Day(help_text="first day, by the pharmacy's calendar")
    until = Day(help_text="last day; at most 366 days")


class TrialOut(serializers.ModelSerializer[Any]):
    """A trial of another limit: how far it is, or what would have been found."""

    value = serializers.CharField(source="value_text")
    result = serializers.SerializerMethodField()
    is_as_logged = serializers.SerializerMethodField(
        help_text="the log has this result; null until the trial has finished"
    )

    class Meta:
        model = LimitTrial
        fields = [
            "id", "line", "place", "ages", "unit", "value_before", "value", "since", "until", "requested_by", "requested_at", "reached",
            "last", "finished_at", "result", "is_as_logged",
        ]  # fmt: skip

    @extend_schema_field(
        {
            "type": ["object", "null"],
            "description": "null until the trial has finished; `trouble` where it could not be made; else counts of decisions, "
            "outcomes (before, after, number), rules (code, severity, gained, lost), and cases: the first decisions that differ",
        }
    )
    def get_result(self, trial: LimitTrial) -> dict[str, Any] | None:
        return trial.result if trial.finished_at else None

    @extend_schema_field({"type": ["boolean", "null"]})
    def get_is_as_logged(self, trial: LimitTrial) -> bool | None:
        return limit_trials.is_as_logged(trial) if trial.finished_at else None
