"""Views of the downtime form."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary.actions.downtime import print_form
from dispensary.api.schema import PHARMACY
from dispensary.api.serializers.downtime import DowntimeQuery
from dispensary.api.views.base import BaseView
from dispensary.api.wire import PDFRenderer, pdf_response
from dispensary.documents import Paper


class DowntimeFormView(BaseView):
    """The form for the hours without computers."""

    renderer_classes: ClassVar = [PDFRenderer, JSONRenderer]

    @extend_schema(
        parameters=[PHARMACY, DowntimeQuery],
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
        summary="The downtime form of everybody who is due, as PDF; each record on it counts as read",
    )
    def get(self, request: Request) -> Response:
        by, query = self.authorize(), self.parse_query(DowntimeQuery)
        paper = Paper(query["paper"])
        content = print_form(pharmacy=self.pharmacy, days=query["days"], paper=paper, by=by, now=self.now)
        return pdf_response(content, f"downtime-{self.pharmacy.local_day(self.now)}.pdf")
