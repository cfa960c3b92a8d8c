"""Views of CDS Hooks: discovery, services, feedback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary import policies
from dispensary.actions import hook_cards, patients
from dispensary.actions.hook_cards import Feedback, SentCard
from dispensary.actions.identity import find_surely
from dispensary.actions.plans import plan_rise
from dispensary.actions.sender_status import find_by_identifiers
from dispensary.api.authentication import TokenAuthentication
from dispensary.api.cds_hooks.calls import Draft, read_call
from dispensary.api.cds_hooks.cards import Link, cards_of_draft, notes_card, question_card
from dispensary.api.cds_hooks.jwt import HookAuthentication
from dispensary.api.cds_hooks.services import SERVICES, Service
from dispensary.api.fhir.issue import MITIGATION
from dispensary.api.views.base import BaseView, Policy
from dispensary.api.views.fhir_orders import assess_order
from dispensary.api.wire import FHIR_JSON, StrictJSONParser
from dispensary.assessment import Assessment
from dispensary.conf import conf
from dispensary.errors import Conflict, NotFound
from dispensary.models import CardOutcome, Mitigation, Patient

_CALL: tuple[Policy, str, str] = (policies.may_see_patients, "have an order reviewed", "staff of the pharmacy")


class LongJSONParser(StrictJSONParser):
    """A call with its prefetch is longer than an order."""

    max_body = 2_000_000


class LongFHIRParser(LongJSONParser):
    """FHIR clients say that what they post is FHIR."""

    media_type = FHIR_JSON


class HookView(BaseView):
    """The base of the views: errors are OperationOutcomes, pages of listed origins may call."""

    authentication_classes: ClassVar = [TokenAuthentication, HookAuthentication]
    parser_classes: ClassVar = [LongJSONParser, LongFHIRParser]
    speaks_fhir = True
    may: ClassVar = {"POST": _CALL}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer a preflight without asking who calls; name a listed origin in every answer."""
        response: HttpResponseBase
        response = (
            HttpResponse(status=204) if request.method == "OPTIONS" else super().dispatch(request, *args, **kwargs)
        )
        origin = request.headers.get("Origin", "")
        patch_vary_headers(response, ["Origin"])
        if origin in conf().cds_origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response.headers["Access-Control-Max-Age"] = "600"
        return response


@extend_schema(exclude=True)
class DiscoveryView(HookView):
    """The list of services, for anybody; it holds no data."""

    authentication_classes: ClassVar = []
    permission_classes: ClassVar = [AllowAny]

    def get(self, request: Request) -> Response:
        return Response({"services": [service.to_json() for service in SERVICES.values()]})


@extend_schema(exclude=True)
class ServiceView(HookView):
    """A call: the orders of its context are reviewed and answered as cards. Nothing of it is taken in."""

    def post(self, request: Request, service: str) -> Response:
        by = self.authorize()
        pharmacy = self.pharmacy
        on = pharmacy.local_day(self.now)
        call = read_call(request.data, _find_service(service), on=on, zone=ZoneInfo(pharmacy.time_zone))
        # Without an order of ours, only a context that cannot be read concerns us: one may be in it.
        problems = [p for p in call.problems if call.drafts or p.field.startswith("context")]
        if not call.drafts and not problems:
            return Response({"cards": []})
        patient = find_surely(pharmacy, call.patient)
        cards = [question_card(problem) for problem in problems]
        notes = [*call.notes]
        for draft in call.drafts:
            assessment, doubts = assess_order(
                draft.order,
                pharmacy=pharmacy,
                on=on,
                facts=dict(call.facts) | dict(draft.order.facts),
                supplies=call.supplies,
                patient=patient,
            )
            link = self._link_to(draft, patient)
            about_draft = [
                *cards_of_draft(draft, assessment, partial(self._plan_rise, draft)),
                *map(question_card, doubts),
            ]
            cards += [replace(card, link=link) for card in about_draft]
            notes += draft.order.notes
        if notes:
            cards.append(notes_card(notes))
        hook_cards.record_cards(
            cards=[SentCard(card.id, card.code, card.severity, card.summary[:140]) for card in cards],
            service=service, hook_instance=call.hook_instance, patient=patient, pharmacy=pharmacy, by=by, now=self.now,
        )  # fmt: skip
        if patient is not None:
            patients.record_opening(patient=patient, by=by, now=self.now)
        return Response({"cards": [card.to_json(pharmacy.profile) for card in cards]})

    def _plan_rise(self, draft: Draft, assessment: Assessment) -> Mapping[str, Any] | None:
        """Return a titration with the tablets of a draft that keeps the rules, as JSON."""
        strength_mg = draft.order.prescription.get("strength_mg")
        if strength_mg is None:
            return None
        plan = plan_rise(assessment, strength_mg, pharmacy=self.pharmacy, on=self.pharmacy.local_day(self.now))
        return None if plan is None else plan.to_json()

    def _link_to(self, draft: Draft, patient: Patient | None) -> Link | None:
        """Return the page where the order is checked here, if it was sent here too; else that of its patient, if known."""
        base = conf().public_url or self.request.build_absolute_uri("/").rstrip("/")
        try:
            order = find_by_identifiers(self.pharmacy, draft.order.identifiers)
        except Conflict:  # the identifiers of several orders
            order = None
        if order is not None:
            return Link("Open the check at the pharmacy", f"{base}{reverse('counter:check', args=[order.pk])}")
        if patient is not None:
            return Link("Open the patient at the pharmacy", f"{base}{reverse('counter:patient', args=[patient.pk])}")
        return None


class ReasonIn(serializers.Serializer[Any]):
    """An override reason, as CDS Hooks 2.0 has it, or flat as older clients send it."""

    reason = serializers.DictField(required=False)
    code = serializers.CharField(required=False, allow_blank=True, max_length=80)
    system = serializers.CharField(required=False, allow_blank=True, max_length=255)
    display = serializers.CharField(required=False, allow_blank=True, max_length=255)
    userComment = serializers.CharField(required=False, allow_blank=True, max_length=2000)


class FeedbackItemIn(serializers.Serializer[Any]):
    """Feedback on one card."""

    card = serializers.UUIDField()
    outcome = serializers.ChoiceField(CardOutcome.values)
    outcomeTimestamp = serializers.DateTimeField()
    acceptedSuggestions = serializers.ListField(child=serializers.DictField(), required=False, max_length=50)
    overrideReason = ReasonIn(required=False)


class FeedbackIn(serializers.Serializer[Any]):
    """The body of a feedback."""

    feedback = FeedbackItemIn(many=True, allow_empty=False)


@extend_schema(exclude=True)
class FeedbackView(HookView):
    """Feedback: what was done about cards. It is kept with its sender, and releases nothing."""

    def post(self, request: Request, service: str) -> Response:
        by = self.authorize()
        _find_service(service)
        items = [_read_feedback(item) for item in self.parse_body(FeedbackIn)["feedback"]]
        hook_cards.record_feedback(feedback=items, service=service, pharmacy=self.pharmacy, by=by, now=self.now)
        return Response({})


def _find_service(name: str) -> Service:
    if name not in SERVICES:
        raise NotFound("There is no such service. GET /cds-services lists them.")
    return SERVICES[name]


def _read_feedback(item: dict[str, Any]) -> Feedback:
    sent = item.get("overrideReason") or {}
    reason = sent.get("reason") or sent
    system, code = str(reason.get("system") or ""), str(reason.get("code") or "")
    is_ours = system in {"", MITIGATION} and code in Mitigation.values  # older clients send no system
    return Feedback(
        card=item["card"],
        outcome=CardOutcome(item["outcome"]),
        outcome_at=item["outcomeTimestamp"],
        reason_system=system,
        reason_code=code,
        mitigation=code if is_ours else "",
        reason_words=str(reason.get("display") or ""),
        comment=sent.get("userComment") or "",
        accepted_suggestions=[str(suggestion.get("id"))[:64] for suggestion in item.get("acceptedSuggestions") or ()],
    )
