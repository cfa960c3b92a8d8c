"""Views of the log's review: a day and its signature, and samples of overrides that reviewers judge."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary import policies
from dispensary.actions import log_review, peer_review
from dispensary.actions.idempotency import Reply
from dispensary.actions.peer_review import Judgement, Verdict
from dispensary.api.fields import EARLIEST, LATEST
from dispensary.api.schema import CREATES, PAGED, PHARMACY, page_of
from dispensary.api.serializers import review as shapes
from dispensary.api.serializers.messages import Nothing
from dispensary.api.views.base import BaseView, Policy, reply
from dispensary.errors import NotFound
from dispensary.models import LogCheck

_REVIEW: tuple[Policy, str, str] = (policies.may_read_log, "review the audit log", "an auditor or manager")


class ReviewView(BaseView):
    """The base of these views."""

    may: ClassVar = {"GET": _REVIEW, "POST": _REVIEW}


class DayView(ReviewView):
    """One day of the log."""

    @extend_schema(
        parameters=[PHARMACY],
        responses=shapes.DayOut,
        summary="A day of the log in numbers, the entries that ask for a look, and who signed; reading it is recorded",
    )
    def get(self, request: Request, day: str) -> Response:
        by = self.authorize()
        file = log_review.open_day(pharmacy=self.pharmacy, day=read_day(day), by=by, now=self.now)
        return Response(shapes.DayOut(file).data)


class DaySignView(ReviewView):
    """The signature under a day."""

    @extend_schema(
        request=shapes.DaySignature,
        responses=shapes.DayOut,
        parameters=CREATES,
        summary="Sign that a day was looked at",
    )
    def post(self, request: Request, day: str) -> Response:
        by, body, chosen = self.authorize(), self.parse_body(shapes.DaySignature), read_day(day)

        def do() -> Reply:
            log_review.sign_day(pharmacy=self.pharmacy, day=chosen, by=by, now=self.now, **body)
            file = log_review.open_day(pharmacy=self.pharmacy, day=chosen, by=by, now=self.now)
            return reply(200, shapes.DayOut(file).data)

        return self.answer_once(by, do)


class QualityView(ReviewView):
    """Findings and answers, counted."""

    @extend_schema(
        parameters=[PHARMACY, shapes.PeriodQuery],
        responses=shapes.QualityOut,
        summary="Findings and answers of a period by rule and by person, the most often first; reading it is recorded",
    )
    def get(self, request: Request) -> Response:
        by, period = self.authorize(), self.parse_query(shapes.PeriodQuery)
        counted = log_review.read_quality(pharmacy=self.pharmacy, by=by, now=self.now, **period)
        rules = sorted(counted.rules.items(), key=lambda item: (-item[1].shown, item[0]))
        people = sorted(counted.people.items(), key=lambda item: (-item[1].answered, item[0]))
        answer = {
            "days": counted.days,
            "first": counted.first,
            "last": counted.last,
            "totals": counted.totals,
            "rules": [vars(cell) | {"rule": rule, "severity": severity} for (rule, severity), cell in rules],
            "people": [vars(cell) | {"actor": actor} for actor, cell in people],
        }
        return Response(shapes.QualityOut(answer).data)


class ChecksView(ReviewView):
    """Verifications of the whole log that somebody asked for."""

    @extend_schema(
        parameters=PAGED,
        operation_id="audit_checks_list",
        responses=page_of(shapes.CheckOut),
        summary="Verifications that were asked for, newest first, with what they found",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        return self.paginate(LogCheck.objects.filter(pharmacy=self.pharmacy), shapes.CheckOut, "-requested_at")

    @extend_schema(
        request=Nothing,
        responses={202: shapes.CheckOut},
        parameters=CREATES,
        summary="Have the whole log verified by the sealer's process",
    )
    def post(self, request: Request) -> Response:
        by = self.authorize()
        self.parse_body(Nothing)

        def do() -> Reply:
            check = log_review.request_check(pharmacy=self.pharmacy, by=by, now=self.now)
            return reply(202, shapes.CheckOut(check).data)

        return self.answer_once(by, do)


class SamplesView(ReviewView):
    """Samples of overrides."""

    @extend_schema(
        parameters=[PHARMACY],
        operation_id="audit_samples_list",
        responses=shapes.SampleShort(many=True),
        summary="The newest samples of overrides, newest first",
    )
    def get(self, request: Request) -> Response:
        lines = peer_review.list_samples(pharmacy=self.pharmacy, by=self.authorize())
        return Response(shapes.SampleShort(lines, many=True).data)

    @extend_schema(
        request=shapes.NewSample,
        responses={201: shapes.SampleOut},
        parameters=CREATES,
        summary="Draw a sample of the overrides of a period, none of the reviewer's own",
    )
    def post(self, request: Request) -> Response:
        by, body = self.authorize(), self.parse_body(shapes.NewSample)

        def do() -> Reply:
            key = peer_review.draw_sample(pharmacy=self.pharmacy, by=by, now=self.now, **body)
            sample = peer_review.open_sample(pharmacy=self.pharmacy, sample=key, by=by, now=self.now)
            return reply(201, shapes.SampleOut(sample).data)

        return self.answer_once(by, do)


class SampleView(ReviewView):
    """One sample."""

    @extend_schema(
        parameters=[PHARMACY],
        responses=shapes.SampleOut,
        summary="A sample and its judgements; who signed is named when the reader has judged. Reading it is recorded",
    )
    def get(self, request: Request, pk: UUID) -> Response:
        by = self.authorize()
        sample = peer_review.open_sample(pharmacy=self.pharmacy, sample=str(pk), by=by, now=self.now)
        return Response(shapes.SampleOut(sample).data)


class JudgementsView(ReviewView):
    """Judgements on the overrides of a sample."""

    @extend_schema(
        request=shapes.JudgementIn,
        responses={201: shapes.SampleOut},
        parameters=CREATES,
        summary="Judge an override of a sample",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        by, body = self.authorize(), self.parse_body(shapes.JudgementIn)
        judgement = Judgement(body.pop("judgement"))
        verdicts: dict[str, Any] = {
            name: Verdict(body.pop(name)) for name in ("finding_right", "answer_fitting") if name in body
        }

        def do() -> Reply:
            peer_review.judge_override(
                pharmacy=self.pharmacy, sample=str(pk), judgement=judgement, by=by, now=self.now, **verdicts, **body
            )
            sample = peer_review.open_sample(pharmacy=self.pharmacy, sample=str(pk), by=by, now=self.now)
            return reply(201, shapes.SampleOut(sample).data)

        return self.answer_once(by, do)


def read_day(text: str) -> date:
    """Return the day of an address. Raises `NotFound` for what is none."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not EARLIEST <= day <= LATEST:
        raise NotFound("There is no such day.")
    return day
