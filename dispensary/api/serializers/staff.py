"""People of a pharmacy, and alerts of the staff."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dispensary.api.fields import Body, Choice, Count, Text
from dispensary.models import AlertContact, AlertKind, AlertRank, Medium, StaffAlert, StaffMember, StaffRole

_REGISTRATION = "registration number, as it stands on signatures"


class PersonProof(Body):
    """A fresh proof of the person whose token it is."""

    password = Text(max_length=250, trim_whitespace=False)
    code = Text(
        max_length=16,
        required=False,
        help_text="of the authenticator app, or a recovery code, where the person has one",
    )


class InPerson(Body):
    """A change that no token makes alone."""

    proof = PersonProof()


class ChangesInPerson(InPerson):
    """A change of fields, of which at least one is sent; what is expected instead is the message `nothing`."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.keys() - {"proof"}:
            self.fail("nothing")
        return attrs


class Invitation(InPerson):
    """Somebody who is to work here."""

    username = Text(max_length=150, help_text="the name to sign in with")
    display_name = Text(max_length=120, help_text="as printed on labels and signatures")
    registration = Text(max_length=32, default="", allow_blank=True, help_text=_REGISTRATION)
    role = Choice(StaffRole)
    email = serializers.EmailField(
        required=False,
        error_messages={"invalid": "an e-mail address"},
        help_text="of the account; nothing is sent to it",
    )


class PersonChanges(ChangesInPerson):
    """Changes of a person's role and name; with a role, an access that was ended begins again."""

    display_name = Text(max_length=120, required=False)
    registration = Text(max_length=32, required=False, allow_blank=True, help_text=_REGISTRATION)
    role = Choice(StaffRole, required=False)

    default_error_messages = {"nothing": "at least one of display_name, registration, role"}


class PersonOut(serializers.ModelSerializer[Any]):
    """Somebody who works or worked here."""

    username = serializers.CharField(source="user.get_username")

    class Meta:
        model = StaffMember
        fields = ["id", "username", "display_name", "registration", "role", "active", "is_service", "factor_due_at"]


class LinkOut(serializers.Serializer[Any]):
    """A person with the link by which they choose a password: it opens once, within three days. It is not kept here."""

    person = PersonOut()
    link = serializers.URLField()


class AlertAnswer(InPerson):
    """The answer to an alert."""

    words = Text(max_length=500, help_text="what was done about it")


class AlertOut(serializers.ModelSerializer[Any]):
    """An alert of the staff."""

    kind = serializers.ChoiceField(AlertKind.choices)
    about = serializers.CharField(
        source="subject_id", help_text="work, log entry, second signature, day, or change of settings, by kind"
    )

    class Meta:
        model = StaffAlert
        fields = ["id", "kind", "about", "opened_at", "rounds", "next_at", "answered_at", "answerer_name", "words"]


class AlertContactIn(Body):
    """Who is told of alerts, and how."""

    member = Count(min_value=1, max_value=10**12, help_text="id of a person who may answer alerts")
    medium = Choice(Medium)
    address = Text(max_length=254)


class AlertContactsIn(InPerson):
    """Everybody who is told of alerts: who is left out is told no more."""

    person = AlertContactIn(required=False)
    deputy = AlertContactIn(required=False)


class AlertContactOut(serializers.ModelSerializer[Any]):
    """Somebody who is told of alerts."""

    rank = serializers.SerializerMethodField()
    name = serializers.CharField(source="member.display_name")

    class Meta:
        model = AlertContact
        fields = ["rank", "member", "name", "medium", "address", "named_at"]

    @extend_schema_field({"type": "string", "enum": [rank.name.lower() for rank in AlertRank]})
    def get_rank(self, contact: AlertContact) -> str:
        return AlertRank(contact.rank).name.lower()


class AlertsOut(serializers.Serializer[Any]):
    """The alerts of a pharmacy, and who is told of them."""

    open = AlertOut(many=True, help_text="the oldest first")
    answered = AlertOut(many=True, help_text="of the last week, the newest first")
    contacts = AlertContactOut(many=True)
