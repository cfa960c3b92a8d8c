"""The base of the FHIR views."""

from __future__ import annotations

from typing import ClassVar

from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer

from dispensary.api.views.base import BaseView
from dispensary.api.wire import FHIR_JSON, FHIRNegotiation, FHIRParser, FHIRRenderer, StrictJSONParser

RESOURCE = {"type": "object", "description": "A FHIR R4 resource.", "required": ["resourceType"]}
JSON_KINDS = (FHIR_JSON, "application/json")
"""The media types of answers, by `Accept` or `_format`."""


class FHIRView(BaseView):
    """The base of the FHIR views; errors are OperationOutcomes."""

    parser_classes: ClassVar[list[type[BaseParser]]] = [FHIRParser, StrictJSONParser]
    renderer_classes: ClassVar = [FHIRRenderer, JSONRenderer]
    content_negotiation_class = FHIRNegotiation
    speaks_fhir = True
