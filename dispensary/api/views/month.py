"""The view of the month of a pharmacy's messages."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary.api.schema import PHARMACY
from dispensary.api.serializers import month as shapes
from dispensary.api.views.base import READ_SETTINGS, BaseView
from dispensary.errors import InvalidInput, Problem
from dispensary.reminders import month as months
from dispensary.reminders.month import first_of_month


class MonthView(BaseView):
    """One month of messages."""

    may: ClassVar = {"GET": READ_SETTINGS}

    @extend_schema(
        parameters=[PHARMACY, shapes.MonthQuery],
        responses=shapes.MonthOut,
        summary="A month of messages: due, sent, arrived, answered; late refills and tapers. Counts only",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        pharmacy, today = self.pharmacy, self.pharmacy.local_day(self.now)
        month = self.parse_query(shapes.MonthQuery).get("month") or first_of_month(today, -1)
        if month > today:
            problem = Problem("month", f"{month:%Y-%m}", "a month up to this one")
            raise InvalidInput("This month has not begun.", problem)
        ended, reached = months.count_tapers(pharmacy, month)
        (refills,) = months.count_refills(pharmacy, [month], today)
        answer = {
            "month": month,
            "kinds": months.count_by_kind(pharmacy, month),
            "channels": months.count_by_channel(pharmacy, month),
            "refills": refills,
            "hours_to_answer": months.median_hours_to_answer(pharmacy, month),
            "stops": months.count_stops(pharmacy, month),
            "tapers_ended": ended,
            "tapers_reached": reached,
        }
        return Response(shapes.MonthOut(answer).data)
