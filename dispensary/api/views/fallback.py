"""Addresses that are none: answered in the API's own words, not with a page."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from dispensary.api.views.base import HouseView
from dispensary.errors import NotFound


@extend_schema(exclude=True)
class NothingHereView(HouseView):
    """404 as a problem document, whatever the method."""

    authentication_classes: ClassVar = []
    permission_classes: ClassVar = [AllowAny]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotFound("There is nothing at this address. /api/v1/schema/ lists what there is.")
