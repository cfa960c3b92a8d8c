"""Patients, prescribers and the caller."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dispensary.actions.break_glass import SHORTEST_REASON, EmergencyRecord
from dispensary.api.fields import Amount, Body, Day, Text
from dispensary.api.serializers.documents import PATIENT_FACTS, FactsField, SupplyField
from dispensary.api.serializers.staff import InPerson
from dispensary.assessment import facts_document
from dispensary.models import (
    CorrectionReason,
    Dispense,
    FormerIdentity,
    Language,
    NamesakeAnswer,
    Patient,
    Prescriber,
    PriorSupply,
    Sex,
    StaffRole,
)
from dispensary.strict_json import jsonable

_SYSTEM = "the system of the number, as FHIR has it; the pharmacy's own where absent"
_REGISTER = "the register of the number, as FHIR has it"
_OTHERS = "records that may seem to be of this person and are of other people"


class PatientIdentity(Body):
    """The patient of an order: one of ours by `id`, or by the pharmacy's own number, with a name if they may be new."""

    id = serializers.UUIDField(required=False)
    identifier = Text(max_length=64, required=False, help_text="the pharmacy's own number for the patient")
    identifier_system = Text(max_length=255, required=False, help_text=_SYSTEM)
    family_name = Text(max_length=120, required=False)
    given_name = Text(max_length=120, required=False, allow_blank=True)
    birth_date = Day(required=False)
    sex = serializers.ChoiceField(Sex.choices, required=False)
    language = serializers.ChoiceField(Language.choices, required=False)
    time_zone = Text(max_length=64, required=False)
    other_than = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=50, help_text=_OTHERS)

    default_error_messages = {"one_of": "either id alone, or identifier with a name where the patient may be new"}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("id" in attrs) == ("identifier" in attrs) or ("id" in attrs and len(attrs) > 1):
            self.fail("one_of")
        return attrs


class PrescriberIdentity(Body):
    """The prescriber of an order: one of ours by `id`, or by registration number, with a name if they may be new."""

    id = serializers.UUIDField(required=False)
    identifier = Text(max_length=64, required=False, help_text="registration number")
    identifier_system = Text(max_length=255, required=False, help_text=_REGISTER)
    name = Text(max_length=120, required=False)
    phone = Text(max_length=32, required=False, allow_blank=True)
    organisation = Text(max_length=120, required=False, allow_blank=True)

    default_error_messages = {"one_of": "either id alone, or identifier with a name where the prescriber may be new"}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("id" in attrs) == ("identifier" in attrs) or ("id" in attrs and len(attrs) > 1):
            self.fail("one_of")
        return attrs


class PatientRegistration(Body):
    """A patient to be registered."""

    identifier = Text(max_length=64)
    identifier_system = Text(max_length=255, required=False, help_text=_SYSTEM)
    family_name = Text(max_length=120)
    given_name = Text(max_length=120, required=False, allow_blank=True)
    language = serializers.ChoiceField(Language.choices, required=False)
    time_zone = Text(max_length=64, required=False, help_text="IANA name; the pharmacy's when absent")
    facts = FactsField(required=False)
    other_than = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=50, help_text=_OTHERS)


class Search(Body):
    """Words to find patients by."""

    words = Text(max_length=120, help_text="beginnings of names, a birth date, both, or a whole number")


class PatientChanges(Body):
    """Changes to a patient. A fact that is null becomes unknown; an absent field stays as it is.

    Name, number and birth date are corrected with a reason; what they were stays with the record and still finds it.
    """

    facts = FactsField(required=False)
    language = serializers.ChoiceField(Language.choices, required=False, help_text="of the patient's messages")
    time_zone = Text(
        max_length=64,
        required=False,
        allow_blank=True,
        help_text="IANA name; empty: the pharmacy's. Moves what is owed",
    )
    identifier = Text(max_length=64, required=False)
    identifier_system = Text(max_length=255, required=False, allow_blank=True, help_text=_SYSTEM)
    family_name = Text(max_length=120, required=False)
    given_name = Text(max_length=120, required=False, allow_blank=True)
    printed_name = Text(
        max_length=80, required=False, allow_blank=True, help_text="on labels, where the name cannot be printed"
    )
    birth_date = Day(required=False)
    reason = serializers.ChoiceField(
        CorrectionReason.choices[:2], required=False, help_text="of a correction; recorded-wrongly where absent"
    )
    words = Text(max_length=250, required=False, allow_blank=True, help_text="the reason of a correction in words")

    default_error_messages = {
        "nothing": "at least one of facts, language, time_zone and the fields of name, number and birth date"
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.keys() - {"reason", "words"}:
            self.fail("nothing")
        return attrs


class NamesakeReply(Body):
    """The answer to whether another record is of the same person."""

    other = serializers.UUIDField(help_text="id of the other record")
    answer = serializers.ChoiceField([NamesakeAnswer.SAME.value, NamesakeAnswer.OTHER.value])
    words = Text(
        max_length=250,
        required=False,
        help_text="what it is known from; needed without a question, and to part joined records",
    )


class Supplies(Body):
    """Supplies made elsewhere, to be recorded."""

    supplies = serializers.ListField(child=SupplyField(), min_length=1, max_length=200)


class Death(Body):
    """The day a patient died."""

    died_on = Day()


class PrescriberRegistration(Body):
    """A prescriber to be registered."""

    identifier = Text(max_length=64)
    identifier_system = Text(max_length=255, required=False, help_text=_REGISTER)
    name = Text(max_length=120)
    phone = Text(max_length=32, required=False, allow_blank=True)
    organisation = Text(max_length=120, required=False, allow_blank=True)


class PriorSupplyOut(serializers.ModelSerializer[Any]):
    """A supply made elsewhere."""

    doses = serializers.ListField(child=Amount(), help_text="one day's doses, mg")
    strength_mg = Amount(allow_null=True)

    class Meta:
        model = PriorSupply
        fields = ["id", "dispensed_on", "doses", "strength_mg", "days_supply", "dose_since", "relation", "recorded_at"]


class PatientShort(serializers.ModelSerializer[Any]):
    """A patient in a list."""

    class Meta:
        model = Patient
        fields = ["id", "identifier", "identifier_system", "family_name", "given_name", "birth_date", "sex"]


class NamesakeOut(serializers.Serializer[Any]):
    """Another record that may be of the patient, with the answer to whether it is of the same person."""

    patient = PatientShort()
    answer = serializers.ChoiceField(NamesakeAnswer.choices, help_text="empty until a person has answered")


class PatientOfOrder(PatientShort):
    """The patient of an order, with the records that may be of the same person."""

    namesakes = NamesakeOut(many=True)

    class Meta(PatientShort.Meta):
        fields = [*PatientShort.Meta.fields, "namesakes"]


class FormerIdentityOut(serializers.ModelSerializer[Any]):
    """Name, number and birth date as they stood before a correction."""

    class Meta:
        model = FormerIdentity
        fields = ["identifier", "identifier_system", "family_name", "given_name", "birth_date", "reason", "ended_at"]


class PatientOut(serializers.ModelSerializer[Any]):
    """A patient with the facts that the rules read."""

    facts = serializers.SerializerMethodField()
    prior_supplies = PriorSupplyOut(many=True)
    former_identities = FormerIdentityOut(many=True)
    namesakes = NamesakeOut(many=True)
    joined_records: Any = serializers.PrimaryKeyRelatedField(
        many=True, read_only=True, help_text="records of the same person that this one is used in place of"
    )

    class Meta:
        model = Patient
        fields = [
            "id", "pharmacy", "identifier", "identifier_system", "family_name", "given_name", "printed_name", "language", "time_zone",
            "died_on", "facts", "facts_at", "prior_supplies", "former_identities", "namesakes", "joined_to", "joined_records", "version",
        ]  # fmt: skip

    @extend_schema_field(PATIENT_FACTS)
    def get_facts(self, patient: Patient) -> dict[str, Any]:
        facts: dict[str, Any] = jsonable(facts_document(patient))
        return facts


class PrescriberOut(serializers.ModelSerializer[Any]):
    """A prescriber."""

    class Meta:
        model = Prescriber
        fields = ["id", "identifier", "identifier_system", "name", "phone", "organisation"]


class Place(serializers.Serializer[Any]):
    """A pharmacy that the caller works at."""

    id = serializers.UUIDField(source="pharmacy_id")
    name = serializers.CharField(source="pharmacy.name")
    time_zone = serializers.CharField(source="pharmacy.time_zone")
    profile = serializers.CharField(source="pharmacy.profile")
    role = serializers.ChoiceField(StaffRole.choices)
    display_name = serializers.CharField()


class Me(serializers.Serializer[Any]):
    """The caller."""

    username = serializers.CharField()
    pharmacies = Place(many=True)
    current = serializers.UUIDField(
        allow_null=True, help_text="the pharmacy that requests are for, where that is clear"
    )


class BreakGlass(InPerson):
    """The person whose record is opened at other pharmacies, and the reason."""

    family_name = Text(max_length=120, help_text="in full")
    birth_date = Day()
    reason = Text(min_length=SHORTEST_REASON, max_length=250, help_text="what the emergency is")


class LastSupply(serializers.ModelSerializer[Any]):
    """A supply of another pharmacy."""

    quantity = Amount(help_text="tablets")
    strength_mg = Amount()

    class Meta:
        model = Dispense
        fields = ["handed_over_at", "quantity", "strength_mg", "run_out_on", "status"]


class EmergencyRecordOut(serializers.Serializer[Any]):
    """What an emergency asks of another pharmacy's record."""

    pharmacy = serializers.CharField(source="patient.pharmacy.name")
    phone = serializers.CharField(source="patient.pharmacy.phone")
    patient = PatientShort()
    facts = serializers.SerializerMethodField()
    mg = Amount(source="day.mg", allow_null=True, help_text="mg taken today; null where the record cannot tell")
    low = Amount(source="day.low", allow_null=True, help_text="the least that can be true, mg")
    high = Amount(source="day.high", allow_null=True, help_text="the most that can be true, mg")
    dispenses = LastSupply(many=True, help_text="the newest first")

    @extend_schema_field(PATIENT_FACTS)
    def get_facts(self, record: EmergencyRecord) -> dict[str, Any]:
        facts: dict[str, Any] = jsonable(facts_document(record.patient))
        return facts


class EmergencyRecords(serializers.Serializer[Any]):
    """The records of other pharmacies with a name and birth date."""

    records = EmergencyRecordOut(many=True)
