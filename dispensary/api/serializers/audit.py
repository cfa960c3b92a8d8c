"""Queries of the audit log, and its entries."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dispensary.api.fields import require_believable
from dispensary.api.query import refuse_unknown
from dispensary.audit import Event, Line, Outcome, Receipt
from dispensary.audit.evidence.export import Shape
from dispensary.audit.log.search import MAX_PAGE, PAGE
from dispensary.models import AuditEntry, AuditLog


class Query(serializers.Serializer[Any]):
    """Query parameters; an unknown one is refused."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        refuse_unknown(data, list(self.fields))
        values: dict[str, Any] = super().to_internal_value(data)
        return values


class SearchQuery(Query):
    """Filters of the log, joined with "and"."""

    since = serializers.DateTimeField(required=False, validators=[require_believable], help_text="recorded at or after")
    until = serializers.DateTimeField(required=False, validators=[require_believable], help_text="recorded before")
    action = serializers.MultipleChoiceField(
        choices=[event.value for event in Event],
        required=False,
        help_text="any of these; may be repeated",
    )
    outcome = serializers.ChoiceField([outcome.value for outcome in Outcome], required=False)
    actor = serializers.CharField(required=False, max_length=200, help_text='such as "user:42"')
    patient = serializers.CharField(required=False, max_length=64)
    subject_type = serializers.CharField(required=False, max_length=64, help_text='such as "dispense"')
    subject_id = serializers.CharField(required=False, max_length=200)
    drug = serializers.CharField(required=False, max_length=64)
    rule = serializers.CharField(required=False, max_length=64, help_text="code of a rule, in findings and overrides")
    request_id = serializers.CharField(required=False, max_length=64)
    text = serializers.CharField(
        required=False, max_length=200, help_text="words in the details; needs since and until, at most 92 days apart"
    )
    cursor = serializers.CharField(required=False, max_length=200, help_text="where to go on, from `next`")
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_PAGE, default=PAGE)
    counted = serializers.BooleanField(required=False, default=False, help_text="also count, to ten thousand")


class ExportQuery(Query):
    """The part of a log to export, and the file format."""

    shape = serializers.ChoiceField(
        [shape.value for shape in Shape if shape is not Shape.JSON], default=Shape.BUNDLE.value
    )
    first = serializers.IntegerField(min_value=1, default=1, help_text="number of the first entry")
    last = serializers.IntegerField(min_value=1, required=False, help_text="number of the last; else the newest")
    reason = serializers.CharField(
        required=False, max_length=250, default="", allow_blank=True, help_text="why, for the record"
    )


class ProofQuery(Query):
    """The checkpoint to prove an entry against."""

    size = serializers.IntegerField(
        min_value=1,
        required=False,
        help_text="size of the checkpoint that you hold; else the first that covers the entry",
    )


class CheckpointsQuery(Query):
    """A range of checkpoints."""

    after = serializers.IntegerField(min_value=0, required=False, help_text="checkpoints of more entries than this")
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_PAGE, default=PAGE)


class CheckpointOut(serializers.Serializer[Any]):
    """A signed checkpoint of a log."""

    size = serializers.IntegerField(help_text="how many entries it covers")
    created_at = serializers.DateTimeField()
    note = serializers.CharField(help_text="the signed note (C2SP); keep it to check an export against it later")


class LogOut(serializers.ModelSerializer[Any]):
    """One log."""

    id = serializers.UUIDField(source="log_id")
    entries = serializers.IntegerField(help_text="the number of its newest entry")
    checkpoint = CheckpointOut(allow_null=True, help_text="the newest")

    class Meta:
        model = AuditLog
        fields = ["id", "origin", "pharmacy", "incarnation", "opened_at", "closed_at", "entries", "checkpoint"]


class EntryOut(serializers.Serializer[Any]):
    """One entry with its sentence. Everything but the sentence and the doubt is hashed into the leaf."""

    id = serializers.UUIDField(source="entry.entry_id")
    pharmacy = serializers.UUIDField(source="entry.pharmacy")
    log = serializers.UUIDField(source="entry.log_id")
    seq = serializers.IntegerField(source="entry.seq", allow_null=True)
    leaf = serializers.SerializerMethodField(help_text="hexadecimal")
    receipt = serializers.SerializerMethodField(help_text="number and leaf, as printed on a label")
    sentence = serializers.CharField()
    doubt = serializers.CharField(help_text="what does not fit its hash, in words; empty: nothing")
    recorded_at = serializers.DateTimeField(source="entry.recorded_at")
    occurred_at = serializers.DateTimeField(source="entry.occurred_at")
    action = serializers.CharField(source="entry.action")
    outcome = serializers.CharField(source="entry.outcome")
    actor = serializers.CharField(source="entry.actor")
    actor_role = serializers.CharField(source="entry.actor_role")
    second_actor = serializers.CharField(source="entry.second_actor", allow_null=True)
    station = serializers.CharField(source="entry.station", allow_null=True)
    request_id = serializers.CharField(source="entry.request_id", allow_null=True)
    reason_code = serializers.CharField(source="entry.reason_code", allow_null=True)
    subject_type = serializers.CharField(source="entry.subject_type")
    subject_id = serializers.CharField(source="entry.subject_id")
    patient = serializers.CharField(source="entry.patient_ref", allow_null=True)
    drug_code = serializers.CharField(source="entry.drug_code", allow_null=True)
    rule_codes = serializers.SerializerMethodField()
    ruleset = serializers.SerializerMethodField(help_text="digest of the profile of rules")
    engine = serializers.CharField(source="entry.engine", allow_null=True)
    corrects = serializers.IntegerField(source="entry.corrects_seq", allow_null=True)

    @extend_schema_field({"type": ["string", "null"]})
    def get_leaf(self, line: Line) -> str | None:
        return bytes(line.entry.leaf).hex() if line.entry.leaf else None

    @extend_schema_field({"type": ["string", "null"]})
    def get_receipt(self, line: Line) -> str | None:
        entry: AuditEntry = line.entry
        return str(Receipt(entry.origin, entry.seq, bytes(entry.leaf))) if entry.seq and entry.leaf else None

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_rule_codes(self, line: Line) -> list[str]:
        return line.entry.rule_codes or []

    @extend_schema_field({"type": ["string", "null"]})
    def get_ruleset(self, line: Line) -> str | None:
        return f"sha256:{bytes(line.entry.ruleset).hex()}" if line.entry.ruleset else None


class EntryWithBody(EntryOut):
    """One entry with its details."""

    body = serializers.JSONField(allow_null=True, help_text="null when it was erased")


class CountOut(serializers.Serializer[Any]):
    """A number of entries."""

    value = serializers.IntegerField()
    capped = serializers.BooleanField(help_text="there are at least so many; nobody counted further")


class EntriesOut(serializers.Serializer[Any]):
    """A page, newest first."""

    results = EntryOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="address of the next page")
    count = CountOut(allow_null=True)
