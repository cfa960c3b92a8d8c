"""Views of a pharmacy's settings, of changes that wait for a second manager, and of its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary import policies
from dispensary.actions import channel_trials, limits, settings_changes, signatures
from dispensary.actions.idempotency import Reply
from dispensary.api.schema import CREATES, IF_MATCH, PHARMACY
from dispensary.api.serializers import settings as shapes
from dispensary.api.serializers.orders import SignatureOut
from dispensary.api.serializers.staff import InPerson
from dispensary.api.signing import authorize_in_person, read_signature
from dispensary.api.views.base import MANAGE, READ_SETTINGS, BaseView, Policy, etag_header, read_if_match, reply
from dispensary.api.views.overrides import begun_fields
from dispensary.models import Pharmacy, SettingsChange

SIGN_LIMITS: tuple[Policy, str, str] = (policies.may_override, "sign limits", "a pharmacist")


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
        return Response(render_limits(self))


class LimitSignaturesView(BaseView):
    """The beginning of a signature under limits."""

    may: ClassVar = {"POST": SIGN_LIMITS}

    @extend_schema(
        request=shapes.LimitsToSign,
        responses=SignatureOut,
        parameters=[PHARMACY],
        summary="Begin the signature under limits, to be used once within the hour",
    )
    def post(self, request: Request) -> Response:
        by, body = self.authorize(), self.parse_body(shapes.LimitsToSign)
        begun = signatures.begin(subject=None, shown=digest_to_sign(body), by=by, now=self.now)
        return Response(SignatureOut(begun_fields(request, begun)).data)


class LimitsSignView(BaseView):
    """The signature of a pharmacist under limits."""

    may: ClassVar = {"POST": SIGN_LIMITS}

    @extend_schema(
        request=shapes.SignedLimitsIn,
        responses=shapes.LimitOut(many=True),
        parameters=CREATES,
        summary="Sign limits that were read, line by line; the answer has every limit",
    )
    def post(self, request: Request) -> Response:
        by, body = self.authorize(), self.parse_body(shapes.SignedLimitsIn)
        signature = read_signature(self, body, None, by)
        signatures.require_digest(signature["digest"], digest_to_sign(body))

        def do() -> Reply:
            limits.sign_limits(
                pharmacy=self.pharmacy, digests=body["lines"], review_on=body["review_on"],
                method=signature["signature"], nonce=signature["nonce"], by=by, now=self.now,
            )  # fmt: skip
            return reply(200, render_limits(self))

        return self.answer_once(by, do)


class ChannelTrialView(BaseView):
    """Test messages of a channel."""

    may: ClassVar = {"POST": MANAGE}

    @extend_schema(
        request=shapes.ChannelTrialIn,
        responses=shapes.ChannelTrialOut,
        parameters=[PHARMACY],
        summary="Send a test message to an address of your own, and say what its channel answered",
    )
    def post(self, request: Request) -> Response:
        by, body = authorize_in_person(self, shapes.ChannelTrialIn)
        answer = channel_trials.send_trial(pharmacy=self.pharmacy, by=by, now=self.now, **body)
        return Response(shapes.ChannelTrialOut({"answer": answer}).data)


def digest_to_sign(body: Mapping[str, Any]) -> str:
    """Return what a signature under limits is for: the lines, and the day on which they are to be read again."""
    return limits.digest_of(sorted(set(body["lines"])), body["review_on"].isoformat())


def render_limits(view: BaseView) -> Any:
    """Return every limit of the pharmacy with its signature, as a response body."""
    today = view.pharmacy.local_day(view.now)
    signed = limits.signed_lines(view.pharmacy, today)
    rows: list[dict[str, Any]] = [
        asdict(line) | {"digest": line.digest, "signed": signed.get(line.digest)}
        for line in limits.lines_of(view.pharmacy, today)
    ]
    return shapes.LimitOut(rows, many=True).data


def render_settings(pharmacy: Pharmacy) -> Response:
    """Return the settings with their version."""
    return Response(shapes.SettingsOut(pharmacy).data, headers=etag_header(pharmacy.version))
