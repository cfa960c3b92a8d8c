"""Views of a pharmacy's settings, of changes that wait for a second manager, and of its limits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary.actions import limits, settings_changes
from dispensary.api.schema import IF_MATCH, PHARMACY
from dispensary.api.serializers import settings as shapes
from dispensary.api.serializers.staff import InPerson
from dispensary.api.signing import authorize_in_person
from dispensary.api.views.base import MANAGE, READ_SETTINGS, BaseView, etag_header, read_if_match
from dispensary.models import Pharmacy, SettingsChange


class SettingsView(BaseView):
    """The settings of the pharmacy."""

    may: ClassVar = {"GET": READ_SETTINGS, "PATCH": MANAGE}

    @extend_schema(
        parameters=[PHARMACY],
        responses=shapes.SettingsOut,
        summary="The settings, and the change that waits if there is one",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        return render_settings(self.pharmacy)

    @extend_schema(
        request=shapes.SettingsIn,
        responses=shapes.SettingsOut,
        parameters=[PHARMACY, *IF_MATCH],
        summary="Change settings; limits and who signs wait for another manager, or for a day",
    )
    def patch(self, request: Request) -> Response:
        by, body = authorize_in_person(self, shapes.SettingsIn)
        pharmacy, version = self.pharmacy, read_if_match(request)
        settings_changes.change_settings(pharmacy=pharmacy, changes=body, version=version, by=by, now=self.now)
        return render_settings(Pharmacy.objects.get(pk=pharmacy.pk))


class SettingsDecisionView(BaseView):
    """The decision about a change that waits."""

    may: ClassVar = {"POST": MANAGE}
    how = "approve"

    @extend_schema(
        request=InPerson,
        responses=shapes.SettingsOut,
        parameters=[PHARMACY],
        summary="Agree to a change that another manager asked for, or take it back",
    )
    def post(self, request: Request, pk: int) -> Response:
        change = self.get_own(SettingsChange.objects.select_related("pharmacy"), pk)
        by, _ = authorize_in_person(self, InPerson, change.pharmacy_id)
        decide = settings_changes.approve if self.how == "approve" else settings_changes.withdraw
        decide(change=change, by=by, now=self.now)
        return render_settings(Pharmacy.objects.get(pk=change.pharmacy_id))


class LimitsView(BaseView):
    """The numbers of the pharmacy's profile."""

    @extend_schema(
        parameters=[PHARMACY],
        responses=shapes.LimitOut(many=True),
        summary="Every number of the pharmacy's profile, with its source and who signed it",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        today = self.pharmacy.local_day(self.now)
        signed = limits.signed_lines(self.pharmacy, today)
        rows: list[dict[str, Any]] = [
            asdict(line) | {"digest": line.digest, "signed": signed.get(line.digest)}
            for line in limits.lines_of(self.pharmacy, today)
        ]
        return Response(shapes.LimitOut(rows, many=True).data)


def render_settings(pharmacy: Pharmacy) -> Response:
    """Return the settings with their version."""
    return Response(shapes.SettingsOut(pharmacy).data, headers=etag_header(pharmacy.version))
