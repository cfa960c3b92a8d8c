"""Prescriptions, reviews and answers to findings."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dispensary.api.fields import Amount, Body, Count, Moment, Text, represent
from dispensary.api.serializers.documents import CaseField, FrozenField, FrozenListField
from dispensary.api.serializers.people import (
    PatientIdentity,
    PatientOfOrder,
    PatientShort,
    PrescriberIdentity,
    PrescriberOut,
)
from dispensary.assessment import Assessment
from dispensary.models import (
    Awaited,
    CancelCause,
    Dispense,
    Finding,
    Mitigation,
    Outcome,
    Override,
    Phase,
    Prescription,
    Review,
    SecondSignature,
)


class OrderIn(Body):
    """A prescription to be taken in."""

    patient = PatientIdentity()
    prescriber = PrescriberIdentity()
    case = CaseField()
    replaces = serializers.UUIDField(required=False, help_text="an earlier prescription that this one replaces")


class CorrectionIn(Body):
    """An order that was typed at the counter, as it should have been typed."""

    prescriber = PrescriberIdentity()
    case = CaseField()
    reason = Text(max_length=230, help_text="what was wrong")
    replaces = serializers.UUIDField(
        required=False, help_text="an earlier prescription that the corrected one replaces"
    )

    def validate_case(self, case: dict[str, Any]) -> dict[str, Any]:
        """Refuse what is about the patient: facts and supplies are recorded at the patient."""
        if case.get("patient") or case.get("history"):
            raise serializers.ValidationError("a case with the prescription alone")
        return case


class EmergencyIn(Body):
    """An emergency supply: some days of what the patient takes, without an order."""

    days = Count(min_value=1, max_value=31, help_text="at most what the pharmacy's profile allows")
    strength_mg = Amount(min_value=Decimal("0.001"), help_text="of the tablets, mg")
    prescriber = PrescriberIdentity(
        required=False, help_text="who owes the order; left out: who ordered the last supply"
    )


class Reason(Body):
    """The reason for ending or taking something back."""

    reason = Text(max_length=250)


class Cancelling(Reason):
    """The reason for a cancel, and the kind of its cause."""

    cause = serializers.ChoiceField(
        CancelCause.choices,
        required=False,
        help_text="`finding`: a finding of the check is why; the review desk counts it as one that changed something",
    )


class Hold(Body):
    """The reason for a hold: what the order waits for."""

    awaiting = serializers.ChoiceField(Awaited.choices)
    reason = Text(max_length=250, required=False, allow_blank=True)


class AnswerIn(Body):
    """An answer to one finding."""

    finding = Text(max_length=64, help_text="rule code, or the finding's fingerprint where a code occurs twice")
    mitigation = serializers.ChoiceField(Mitigation.choices, required=False)
    words = Text(max_length=2000, required=False, allow_blank=True, help_text="the reason in words")
    asked = Text(max_length=120, required=False, allow_blank=True, help_text="whom the signer spoke to")
    asked_at = Moment(required=False)
    agreed = Text(max_length=500, required=False, allow_blank=True)


class ProofIn(Body):
    """A fresh proof of the signer, for the one signature that was begun: a password, with a code where there is one, or a passkey."""

    password = Text(max_length=250, trim_whitespace=False, required=False)
    code = Text(
        max_length=16,
        required=False,
        help_text="of the authenticator app, or a recovery code, where the signer has one",
    )
    passkey = serializers.DictField(
        required=False, help_text="in place of password and code: what the passkey answered (WebAuthn, as JSON)"
    )
    digest = Text(max_length=64, help_text="from signatures/: what the signer was shown")
    nonce = serializers.UUIDField(help_text="from signatures/: of this signature, used once")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a proof with neither."""
        if not attrs.keys() & {"password", "passkey"}:
            raise serializers.ValidationError({"password": "the signer's password, or their passkey"})
        return attrs


class SignedAnswerIn(AnswerIn):
    """An answer to one finding, signed with this request."""

    proof = ProofIn(required=False, help_text="an override needs it, unless the pharmacy lets a token sign")


class SignatureOut(serializers.Serializer[Any]):
    """The proof that the signer has to give, and what it is for."""

    digest = serializers.CharField(help_text="of the findings as they stand now, and the answers")
    nonce = serializers.UUIDField(help_text="of this signature; it is used once, within the hour")
    factors = serializers.ListField(child=serializers.CharField(), help_text="the parts of `proof`: password, code")
    passkey = serializers.DictField(
        allow_null=True, help_text="in place of them, for navigator.credentials.get(); null without a passkey"
    )


class Stop(Body):
    """An order to stop the medicine now, without a taper."""

    reason = Text(max_length=64, required=False, allow_blank=True, help_text="of the case format, such as overdose")
    words = Text(max_length=250)
    overrides = AnswerIn(many=True, required=False)
    proof = ProofIn(required=False, help_text="an override needs it, unless the pharmacy lets a token sign")


class ReviewIn(Body):
    """A request for a review; strength and quantity as far as they are known."""

    picked_mg = Amount(required=False, min_value=Decimal("0.001"), help_text="strength that was scanned, mg")
    quantity = Amount(required=False, min_value=Decimal("0.5"), help_text="tablets")


class PhaseOut(serializers.ModelSerializer[Any]):
    """A stretch of days with one day's dosing."""

    doses = serializers.ListField(child=Amount())
    times = serializers.ListField(
        child=serializers.CharField(allow_null=True),
        allow_null=True,
        help_text="of each dose: morning, midday, evening, bedtime or HH:MM",
    )

    class Meta:
        model = Phase
        fields = ["number", "doses", "times", "unit", "days"]


class FindingOut(serializers.ModelSerializer[Any]):
    """A finding as it was frozen."""

    class Meta:
        model = Finding
        fields = ["number", "code", "severity", "summary", "detail", "dur", "detected_issue", "fingerprint"]


class SecondSignatureOut(serializers.ModelSerializer[Any]):
    """A second pharmacist's signature, or the first one's alone."""

    class Meta:
        model = SecondSignature
        fields = ["signer_name", "signer_role", "signature", "signed_at", "is_alone", "because"]


class OverrideOut(serializers.ModelSerializer[Any]):
    """An answer to a finding."""

    second = SecondSignatureOut(read_only=True, allow_null=True, default=None)

    class Meta:
        model = Override
        fields = [
            "id", "prescription", "prior_supply", "code", "severity", "summary", "detail", "fingerprint", "mitigation", "words", "asked",
            "asked_at", "agreed", "signer_name", "signer_role", "signature", "signed_at", "state", "second",
            "dispense",
        ]  # fmt: skip


class SecondIn(Body):
    """A second pharmacist's signature under every answer on a prescription that waits for one."""

    proof = ProofIn(help_text="of the second pharmacist, who is the caller; digest and nonce from GET")
    alone_because = Text(
        max_length=250, min_length=3, required=False, help_text="why the caller, who signed first, goes on alone"
    )


class SecondOut(serializers.Serializer[Any]):
    """Answers that wait for a second pharmacist, and what that one has to give."""

    waiting = OverrideOut(many=True)
    digest = serializers.CharField(help_text="of the answers as they are")
    nonce = serializers.UUIDField(help_text="of this signature; it is used once, within the hour")
    factors = serializers.ListField(child=serializers.CharField(), help_text="the parts of `proof`: password, code")
    passkey = serializers.DictField(
        allow_null=True, help_text="for navigator.credentials.get(); null without a passkey"
    )


class ReviewOut(serializers.ModelSerializer[Any]):
    """A review as it was frozen: case, result, and the profile used."""

    case = FrozenField()
    result = FrozenField()
    findings = FindingOut(many=True)

    class Meta:
        model = Review
        fields = [
            "id", "prescription", "prior_supply", "reason", "outcome", "profile_name", "profile_digest", "rules_version", "reviewed_at",
            "reviewed_by", "findings", "case", "result",
        ]  # fmt: skip


class QuestionOut(serializers.Serializer[Any]):
    """A finding as of now, with the answer it has, if any."""

    code = serializers.CharField()
    severity = serializers.CharField()
    summary = serializers.CharField()
    detail = serializers.CharField()
    fingerprint = serializers.CharField()
    answered_by = serializers.UUIDField(allow_null=True)
    finding = FrozenField(allow_null=True)


class AssessmentOut(serializers.Serializer[Any]):
    """The rule book's assessment as of today; reading it records nothing."""

    on = serializers.DateField()
    outcome = serializers.ChoiceField(Outcome.choices)
    profile_name = serializers.CharField()
    profile_digest = serializers.CharField()
    rules_version = serializers.CharField()
    findings = QuestionOut(many=True)
    course = FrozenField(allow_null=True)
    therapy = FrozenField(allow_null=True)


class SupplyOut(serializers.ModelSerializer[Any]):
    """A dispense on this prescription, in short."""

    quantity = Amount()

    class Meta:
        model = Dispense
        fields = [
            "id",
            "number",
            "status",
            "quantity",
            "starts_on",
            "days_supply",
            "run_out_on",
            "handed_over_at",
            "dispenser_name",
        ]


class PrescriptionRow(serializers.ModelSerializer[Any]):
    """A prescription in the queue."""

    patient = PatientShort()
    strength_mg = Amount(allow_null=True)
    quantity = Amount(allow_null=True)
    remaining = serializers.SerializerMethodField()
    outcome = serializers.CharField(allow_null=True, help_text="of its newest review")

    class Meta:
        model = Prescription
        fields = [
            "id",
            "status",
            "patient",
            "strength_mg",
            "quantity",
            "repeats",
            "remaining",
            "outcome",
            "received_at",
        ]

    @extend_schema_field(Amount(allow_null=True, help_text="tablets that may still be handed over"))
    def get_remaining(self, row: Any) -> str | None:
        if row.authorised is None:
            return None
        return Amount().to_representation(max(Decimal(0), row.authorised - (row.handed_over or Decimal(0))))


class PrescriptionOut(serializers.ModelSerializer[Any]):
    """A prescription with its course, findings, answers and supplies."""

    patient = PatientOfOrder()
    prescriber = PrescriberOut()
    phases = PhaseOut(many=True)
    strength_mg = Amount(allow_null=True)
    quantity = Amount(allow_null=True, help_text="tablets")
    authorised = Amount(allow_null=True, help_text="tablets, repeats included")
    remaining = Amount(allow_null=True, help_text="tablets that may still be handed over")
    repeats = Count()
    max_mg_per_day = Amount(allow_null=True)
    interval_days = Count(allow_null=True, help_text="least number of days between two supplies")
    expected_days = Count(allow_null=True, help_text="days that the quantity is expected to last")
    lines = FrozenListField(help_text="the lines it was written in, where it had several")
    medicine = FrozenField(allow_null=True)
    overrides = OverrideOut(many=True)
    dispenses = SupplyOut(many=True)
    assessment = serializers.SerializerMethodField()

    class Meta:
        model = Prescription
        fields = [
            "id", "pharmacy", "status", "version", "patient", "prescriber", "written_on", "starts_on", "medicine", "route", "form", "strength_mg",
            "brand", "phases", "phases_from_directions", "then_stop", "as_needed", "max_mg_per_day", "directions", "quantity",
            "expected_days", "lines", "repeats", "authorised", "remaining", "interval_days", "group", "source", "notes", "received_at", "replaces", "ended_at", "ended_reason", "overrides", "dispenses", "assessment",
        ]  # fmt: skip

    @extend_schema_field(AssessmentOut(allow_null=True))
    def get_assessment(self, prescription: Prescription) -> None:
        """Return null, where `describe_assessment` puts nothing in its place."""


def describe_assessment(prescription: Prescription, assessment: Assessment) -> dict[str, Any]:
    """Return an assessment of today as a response body, each finding with the answer it has."""
    signed = {row.fingerprint: row.pk for row in prescription.overrides.all() if row.state == "open"}
    findings = [
        {name: getattr(question, name) for name in ("code", "severity", "summary", "detail", "fingerprint")}
        | {
            "finding": None if question.finding is None else question.finding.to_json(),
            "answered_by": signed.get(question.fingerprint),
        }
        for question in assessment.questions()
    ]
    assessment_fields = {
        name: getattr(assessment, name) for name in ("on", "outcome", "profile_name", "profile_digest", "rules_version")
    }
    course, standing = assessment.review.course, assessment.review.standing
    values = assessment_fields | {
        "findings": findings,
        "course": None if course is None else course.to_json(),
        "therapy": None if standing is None else standing.to_json(),
    }
    return represent(AssessmentOut, values)


class ReceivedOut(serializers.Serializer[Any]):
    """A prescription that was taken in, with the review made of it at once."""

    prescription = PrescriptionOut()
    review = ReviewOut()
