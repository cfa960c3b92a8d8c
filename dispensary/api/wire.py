"""Parsers and renderers of REST and FHIR bodies."""

from __future__ import annotations

from typing import IO, Any

from django.core.exceptions import TooManyFieldsSent
from django.http import QueryDict
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import NotAcceptable, UnsupportedMediaType
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from dispensary.errors import InvalidInput, Problem
from dispensary.strict_json import loads

MAX_BODY = 256_000  # bytes; the largest prescription seen is under 30 kB
FHIR_JSON = "application/fhir+json"
PROBLEM_JSON = "application/problem+json"


class TooLarge(InvalidInput):
    """The body is longer than any prescription."""

    code = "too-large"
    title = "This is too much at once"
    status = 413


class StrictJSONParser(BaseParser):
    """`application/json`, read by `strict_json`, of at most `max_body` bytes."""

    media_type = "application/json"
    max_body = MAX_BODY

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        """Return the parsed body. Raises `InvalidInput`; an empty body is an empty object."""
        body = read_body(stream, self.max_body, "Send one prescription at a time.")
        return loads(body) if body.strip() else {}


class SearchFormParser(BaseParser):
    """The parameters of a search as `application/x-www-form-urlencoded`."""

    media_type = "application/x-www-form-urlencoded"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> QueryDict:
        """Return the parameters. Raises `InvalidInput`."""
        try:
            return QueryDict(read_body(stream, MAX_BODY, "Ask for less at once."), encoding="utf-8")
        except (TooManyFieldsSent, UnicodeDecodeError) as error:
            problem = Problem("", "other bytes, or too many", "parameters as name=value with & between them, in UTF-8")
            raise InvalidInput("The form cannot be read.", problem) from error


def read_body(stream: IO[bytes], most: int, remedy: str) -> bytes:
    """Return a body. Raises `TooLarge` for one of more than `most` bytes."""
    body = stream.read(most + 1)
    if len(body) > most:
        raise TooLarge("The body is too long.", Problem("", "a longer one", f"a body of at most {most} bytes", remedy))
    return body


def is_r4(media_type: str) -> bool:
    """Return whether a media type is not of another release of FHIR than R4."""
    _, parameters = parse_header_parameters(media_type)
    return parameters.get("fhirversion", "4.0") in {"4.0", "4.0.1"}


class FHIRParser(StrictJSONParser):
    """`application/fhir+json` of FHIR R4, read by `strict_json`. Another release can mean something else by the same element."""

    media_type = FHIR_JSON

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        """Return the parsed body, as `StrictJSONParser` does. Raises `UnsupportedMediaType` for another release of FHIR."""
        if not is_r4(media_type or ""):
            raise UnsupportedMediaType(FHIR_JSON, "FHIR R4 is read here: leave fhirVersion out, or send 4.0.")
        return super().parse(stream, media_type, parser_context)


class FHIRRenderer(JSONRenderer):
    """FHIR in JSON."""

    media_type = FHIR_JSON
    format = "fhir"


class FHIRNegotiation(DefaultContentNegotiation):
    """JSON of FHIR R4 or plain JSON, by `Accept` or by `_format`, which overrides it."""

    def get_accept_list(self, request: Request) -> list[str]:
        """Return the media types of `Accept` without those of another release of FHIR."""
        return [media_type for media_type in super().get_accept_list(request) if is_r4(media_type)]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer and its media type. Raises `NotAcceptable` for XML and whatever else is no JSON."""
        media_type, _, parameters = request.query_params.get("_format", "").partition(";")
        chosen = media_type.strip().replace(" ", "+")
        by_name = {name: renderer for renderer in renderers for name in (renderer.media_type, renderer.format)}
        if chosen in by_name and is_r4(f"{chosen};{parameters}"):
            return by_name[chosen], by_name[chosen].media_type
        try:
            if chosen:
                raise NotAcceptable
            renderer, media_type = super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable:
            raise NotAcceptable(
                f"FHIR R4 is served here as {FHIR_JSON} or application/json; there is no XML."
            ) from None
        return renderer, media_type


class PDFRenderer(JSONRenderer):
    """Errors in JSON where a PDF was asked for."""

    media_type = "application/pdf"
    format = "pdf"


def wants_fhir(view: object) -> bool:
    """Return True where `view` renders errors as an OperationOutcome."""
    return bool(getattr(view, "speaks_fhir", False))
