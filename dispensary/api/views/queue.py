"""The queue, order by order."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary.api.query import UUIDParameter, refuse_unknown
from dispensary.api.schema import PHARMACY
from dispensary.api.serializers.queue import NextOrderOut
from dispensary.api.views.base import BaseView
from dispensary.queue import find_next

_AFTER = UUIDParameter("after", "the order that was worked on; the one after it is wanted")


class NextOrderView(BaseView):
    """The next order to work on."""

    @extend_schema(
        parameters=[PHARMACY, _AFTER],
        responses=NextOrderOut,
        summary="The next due order that is neither blocked nor ready to be collected, the longest waiting first",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        refuse_unknown(request.query_params, [_AFTER.name])
        following = find_next(self.pharmacy, self.pharmacy.local_day(self.now), _AFTER.read(request))
        return Response(NextOrderOut({"next": following}).data)
