"""The CapabilityStatement."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary.api.fhir.capability import capability_statement
from dispensary.api.views.fhir import JSON_KINDS, RESOURCE, FHIRView
from dispensary.api.views.fhir_log import PARAMETERS
from dispensary.api.views.fhir_records import base_address


class MetadataView(FHIRView):
    """The CapabilityStatement."""

    authentication_classes: ClassVar = []
    permission_classes: ClassVar = [AllowAny]

    @extend_schema(
        responses={(200, kind): RESOURCE for kind in JSON_KINDS},
        summary="The CapabilityStatement, for anybody",
        auth=[],
    )
    def get(self, request: Request) -> Response:
        return Response(capability_statement(base_address(request), PARAMETERS))
