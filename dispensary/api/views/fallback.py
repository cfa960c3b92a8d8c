"""The OpenAPI document, and the 404 of unknown paths."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from dispensary.api.schema_settings import SCHEMA
from dispensary.api.views.base import BaseView
from dispensary.api.views.fhir import FHIRView
from dispensary.errors import NotFound


@extend_schema(exclude=True)
class SchemaView(SpectacularAPIView):
    """The OpenAPI document, for anybody; it holds no data."""

    authentication_classes: ClassVar = []
    permission_classes: ClassVar = [AllowAny]
    custom_settings = SCHEMA
    schema = AutoSchema()


@extend_schema(exclude=True)
class NothingHereView(BaseView):
    """404 as a problem document, whatever the method."""

    authentication_classes: ClassVar = []
    permission_classes: ClassVar = [AllowAny]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotFound("There is nothing at this address. /api/v1/schema/ lists what there is.")


@extend_schema(exclude=True)
class NothingOfFHIRView(FHIRView):
    """404 as an OperationOutcome, whatever the method."""

    authentication_classes: ClassVar = []
    permission_classes: ClassVar = [AllowAny]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotFound("There is nothing at this address. /api/v1/fhir/metadata lists what there is.")
