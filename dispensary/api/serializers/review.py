"""Review of the log: a day and its signature, and samples of overrides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dispensary.actions.peer_review import FEWEST, MOST, Judgement, Sampled, Verdict
from dispensary.api.fields import Body, Count, Day, Text
from dispensary.api.serializers.audit import EntryOut, Query
from dispensary.audit import Line
from dispensary.models import LogCheck


class PeriodQuery(Query):
    """A period of whole days, by the pharmacy's calendar."""

    since = Day(help_text="first day")
    until = Day(help_text="last day")


class CellOut(serializers.Serializer[Any]):
    """Counts of findings and of their answers."""

    shown = serializers.IntegerField(help_text="findings, once an order")
    answered = serializers.IntegerField(help_text="answers that a hand-over used")
    asked = serializers.IntegerField(help_text="of these, after somebody was asked")
    timed = serializers.IntegerField(help_text="of these, signed on a page")
    quick = serializers.IntegerField(help_text="of those, within three seconds")
    reasons = serializers.DictField(child=serializers.IntegerField(), help_text="by code of mitigation")


class RuleCounts(CellOut):
    """Counts of a rule."""

    rule = serializers.CharField()
    severity = serializers.CharField()
    changed = serializers.IntegerField(help_text="findings that were gone at the hand-over or in the order's successor")
    waited = serializers.IntegerField(help_text="findings that were gone because their day had come")
    repeated = serializers.IntegerField(help_text="findings at hand-overs with the directions of the one before")
    unread = serializers.IntegerField(help_text="answers signed in less time than the finding takes to read")
    dwell = serializers.DictField(
        child=serializers.IntegerField(), help_text="answers by the first second of their class of time on the page"
    )
    chosen = serializers.DictField(
        child=serializers.IntegerField(), help_text="by code of mitigation, where five or more were offered"
    )


class TotalsOut(serializers.Serializer[Any]):
    """Orders and hand-overs of a period, of which rates are taken."""

    orders = serializers.IntegerField(help_text="orders taken in")
    handovers = serializers.IntegerField()
    repeats = serializers.IntegerField(help_text="hand-overs with the directions of the patient's one before")


class PersonCounts(CellOut):
    """Counts of the overrides of a person."""

    actor = serializers.CharField()


class QualityOut(serializers.Serializer[Any]):
    """Findings and answers of a period, counted from the log."""

    days = serializers.IntegerField(help_text="days of the period that are counted")
    first = serializers.IntegerField(allow_null=True, help_text="number of the first entry that was counted")
    last = serializers.IntegerField(allow_null=True)
    totals = TotalsOut()
    rules = RuleCounts(many=True)
    people = PersonCounts(many=True)


class DaySignature(Body):
    """The signature under the review of a day."""

    looked_at = serializers.ListField(
        child=Count(min_value=1, max_value=10**12),
        max_length=10_000,
        default=list,
        help_text="`seq` of the points that were opened or settled",
    )
    words = Text(
        max_length=2000, default="", allow_blank=True, help_text="needed where a point is left: what is left, or why"
    )


class PointOut(serializers.Serializer[Any]):
    """An entry that asks for a look."""

    why = serializers.CharField()
    seq = serializers.IntegerField()
    entry = serializers.UUIDField()


class DayOut(serializers.Serializer[Any]):
    """A day of the log, with the entry by which somebody signed that it was looked at."""

    day = serializers.DateField()
    counts = serializers.DictField(
        source="counted.counts", child=serializers.IntegerField(), help_text="entries by action"
    )
    overrides = serializers.DictField(
        source="counted.overrides", child=serializers.IntegerField(), help_text="overrides by actor"
    )
    points = PointOut(source="counted.points", many=True)
    signed = EntryOut(allow_null=True)


class CheckOut(serializers.ModelSerializer[Any]):
    """A verification of the whole log: `reached` of `last` entries, and what it found when it has finished."""

    class Meta:
        model = LogCheck
        fields = ["id", "requested_by", "requested_at", "seen_at", "reached", "last", "finished_at", "result"]


class NewSample(Body):
    """The period and the size of a sample."""

    since = Day(help_text="first day, by the pharmacy's calendar")
    until = Day(help_text="last day")
    number = Count(min_value=FEWEST, max_value=MOST, default=20)


class JudgementIn(Body):
    """The judgement of a reviewer on one override of a sample."""

    entry = serializers.UUIDField(help_text="the entry of the override")
    judgement = serializers.ChoiceField([judgement.value for judgement in Judgement])
    words = Text(max_length=2000, default="", allow_blank=True, help_text="needed for one to discuss")
    finding_right = serializers.ChoiceField(
        [verdict.value for verdict in Verdict],
        required=False,
        help_text="whether the finding was right for this patient",
    )
    answer_fitting = serializers.ChoiceField(
        [verdict.value for verdict in Verdict], required=False, help_text="whether the answer was fitting"
    )


class JudgedOut(serializers.Serializer[Any]):
    """A judgement."""

    judgement = serializers.ChoiceField([judgement.value for judgement in Judgement])
    words = serializers.CharField()
    name = serializers.CharField()
    at = serializers.DateTimeField()
    doubt = serializers.CharField(help_text="what does not fit its hash, in words; empty: nothing")


class SampledOut(serializers.Serializer[Any]):
    """An override of a sample. Who signed it, and what others said, is null until the reader has judged it or signed it."""

    entry = serializers.UUIDField(source="line.entry.entry_id")
    recorded_at = serializers.DateTimeField(source="line.entry.recorded_at")
    rule_codes = serializers.ListField(source="line.entry.rule_codes", child=serializers.CharField(), allow_null=True)
    reason_code = serializers.CharField(source="line.entry.reason_code", allow_null=True)
    patient = serializers.CharField(source="line.entry.patient_ref", allow_null=True)
    answer = serializers.SerializerMethodField(help_text="what was signed; null when it was erased or is in doubt")
    doubt = serializers.CharField(source="line.doubt")
    is_own = serializers.BooleanField(help_text="the reader signed it: somebody else judges it")
    signed_by = serializers.SerializerMethodField()
    judged = serializers.SerializerMethodField()

    @extend_schema_field({"type": ["object", "null"]})
    def get_answer(self, row: Sampled) -> dict[str, Any] | None:
        if row.line.doubt or row.line.body is None:
            return None
        return {name: row.line.body[name] for name in _ANSWER if name in row.line.body}

    @extend_schema_field({"type": ["string", "null"]})
    def get_signed_by(self, row: Sampled) -> str | None:
        return None if _is_blind(row) else (row.line.body or {}).get("signer") or row.line.entry.actor

    @extend_schema_field({"oneOf": [{"type": "array", "items": {"type": "object"}}, {"type": "null"}]})
    def get_judged(self, row: Sampled) -> Any:
        return None if _is_blind(row) else JudgedOut(row.judged, many=True).data


_ANSWER = ("finding", "summary", "words", "asked", "agreed", "seconds")
"""Parts of an override's entry that a reviewer reads before they judge: none names the signer."""


def _is_blind(row: Sampled) -> bool:
    return not row.is_own and not row.is_judged_by_reader


class SampleShort(serializers.Serializer[Any]):
    """A sample in a list."""

    id = serializers.CharField(source="entry.subject_id")
    drawn_at = serializers.DateTimeField(source="entry.recorded_at")
    drawn_by = serializers.SerializerMethodField()
    since = serializers.SerializerMethodField()
    until = serializers.SerializerMethodField()
    size = serializers.SerializerMethodField()

    @extend_schema_field({"type": "string"})
    def get_drawn_by(self, line: Line) -> str:
        name: str = _body(line).get("by") or line.entry.actor
        return name

    @extend_schema_field({"type": ["string", "null"], "format": "date"})
    def get_since(self, line: Line) -> str | None:
        return _body(line).get("since")

    @extend_schema_field({"type": ["string", "null"], "format": "date"})
    def get_until(self, line: Line) -> str | None:
        return _body(line).get("until")

    def get_size(self, line: Line) -> int:
        return len(_body(line).get("overrides", ()))


class SampleOut(serializers.Serializer[Any]):
    """A sample with its overrides, in the order of the draw."""

    id = serializers.CharField()
    drawn = SampleShort()
    overrides = SampledOut(many=True)


def _body(line: Line) -> Mapping[str, Any]:
    return line.body or {}
