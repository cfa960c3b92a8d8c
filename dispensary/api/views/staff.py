"""Views of the people of a pharmacy, and of the alerts of its staff."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary import policies
from dispensary.actions import alert_contacts, people, pharmacies, staff_alerts
from dispensary.api.schema import PHARMACY
from dispensary.api.serializers import staff as shapes
from dispensary.api.signing import authorize_in_person
from dispensary.api.views.base import MANAGE, READ_SETTINGS, BaseView
from dispensary.joining import joining_address
from dispensary.models import AlertContact, AlertRank, StaffAlert, StaffMember


class PeopleView(BaseView):
    """Everybody who works here."""

    may: ClassVar = {"GET": READ_SETTINGS, "POST": MANAGE}

    @extend_schema(
        parameters=[PHARMACY],
        operation_id="people_list",
        responses=shapes.PersonOut(many=True),
        summary="Who works or worked here, in which role",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        rows = self.pharmacy.staff.select_related("user").order_by("-active", "display_name")
        return Response(shapes.PersonOut(rows, many=True).data)

    @extend_schema(
        request=shapes.Invitation,
        responses={201: shapes.LinkOut},
        parameters=[PHARMACY],
        summary="Open an account for somebody new; a second request with the name is a 409",
    )
    def post(self, request: Request) -> Response:
        by, body = authorize_in_person(self, shapes.Invitation)
        member = people.invite(pharmacy=self.pharmacy, by=by, now=self.now, **{"email": ""} | body)
        return Response(describe_link(self, member), 201)


class PersonView(BaseView):
    """One person."""

    may: ClassVar = {"GET": READ_SETTINGS, "PATCH": MANAGE}

    @extend_schema(parameters=[PHARMACY], responses=shapes.PersonOut, summary="A person")
    def get(self, request: Request, pk: int) -> Response:
        member = find_member(self, pk)
        self.authorize(member.pharmacy_id)
        return Response(shapes.PersonOut(member).data)

    @extend_schema(
        request=shapes.PersonChanges,
        responses=shapes.PersonOut,
        parameters=[PHARMACY],
        summary="Change a person's role or name, or let them in again",
    )
    def patch(self, request: Request, pk: int) -> Response:
        member = find_member(self, pk)
        by, body = authorize_in_person(self, shapes.PersonChanges, member.pharmacy_id)
        unchanged = {name: getattr(member, name) for name in ("display_name", "registration", "role")}
        changed = pharmacies.grant_access(
            user=member.user, pharmacy=member.pharmacy, is_service=member.is_service, by=by, now=self.now,
            **unchanged | body,
        )  # fmt: skip
        return Response(shapes.PersonOut(changed).data)


class PersonEndView(BaseView):
    """The end of a person's access."""

    may: ClassVar = {"POST": MANAGE}

    @extend_schema(
        request=shapes.InPerson,
        responses=shapes.PersonOut,
        parameters=[PHARMACY],
        summary="End a person's access; their name stays where they signed",
    )
    def post(self, request: Request, pk: int) -> Response:
        member = find_member(self, pk)
        by, _ = authorize_in_person(self, shapes.InPerson, member.pharmacy_id)
        return Response(shapes.PersonOut(pharmacies.end_access(member=member, by=by, now=self.now)).data)


class PersonLinkView(BaseView):
    """A new link for a person."""

    may: ClassVar = {"POST": MANAGE}

    @extend_schema(
        request=shapes.InPerson,
        responses=shapes.LinkOut,
        parameters=[PHARMACY],
        summary="Make a new link by which a person chooses a password",
    )
    def post(self, request: Request, pk: int) -> Response:
        member = find_member(self, pk)
        by, _ = authorize_in_person(self, shapes.InPerson, member.pharmacy_id)
        people.record_new_link(member=member, by=by, now=self.now)
        return Response(describe_link(self, member))


def find_member(view: BaseView, pk: int) -> StaffMember:
    """Return a person of a pharmacy of the caller. Raises `NotFound`."""
    return view.get_own(StaffMember.objects.select_related("user", "pharmacy"), pk)


def describe_link(view: BaseView, member: StaffMember) -> dict[str, Any]:
    """Return a person with a link to choose a password, as a response body."""
    link = joining_address(member.user, view.request._request)
    return shapes.LinkOut({"person": member, "link": link}).data


class AlertsView(BaseView):
    """Alerts of the staff."""

    may: ClassVar = {"GET": (policies.may_read_alerts, "read alerts", "a pharmacist, manager or auditor")}

    @extend_schema(
        parameters=[PHARMACY],
        responses=shapes.AlertsOut,
        summary="Open alerts, those of the last week, and who is told",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        waiting, answered = staff_alerts.list_alerts(self.pharmacy, self.now)
        contacts = AlertContact.objects.filter(pharmacy=self.pharmacy).select_related("member")
        return Response(shapes.AlertsOut({"open": waiting, "answered": answered, "contacts": contacts}).data)


class AlertAnswerView(BaseView):
    """The answer to an alert."""

    may: ClassVar = {
        "POST": (policies.may_answer_alerts, "answer an alert", "a pharmacist, manager or auditor in person")
    }

    @extend_schema(
        request=shapes.AlertAnswer,
        responses=shapes.AlertOut,
        parameters=[PHARMACY],
        summary="Answer an alert: nobody else is told of it any more",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        alert = self.get_own(StaffAlert.objects.all(), pk)
        by, body = authorize_in_person(self, shapes.AlertAnswer, alert.pharmacy_id)
        answered = staff_alerts.answer(alert_id=alert.pk, words=body["words"], by=by, now=self.now)
        return Response(shapes.AlertOut(answered).data)


class AlertContactsView(BaseView):
    """The people who are told of alerts."""

    may: ClassVar = {"PUT": MANAGE}

    @extend_schema(
        request=shapes.AlertContactsIn,
        responses=shapes.AlertContactOut(many=True),
        parameters=[PHARMACY],
        summary="Name the person and the deputy who are told of alerts",
    )
    def put(self, request: Request) -> Response:
        by, body = authorize_in_person(self, shapes.AlertContactsIn)
        chosen = {
            AlertRank[name.upper()]: alert_contacts.Chosen(fields["member"], fields["medium"], fields["address"])
            for name, fields in body.items()
        }
        alert_contacts.name_contacts(pharmacy=self.pharmacy, chosen=chosen, by=by, now=self.now)
        rows = AlertContact.objects.filter(pharmacy=self.pharmacy).select_related("member")
        return Response(shapes.AlertContactOut(rows, many=True).data)
