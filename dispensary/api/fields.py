"""Serializer fields that convert nothing. DRF's own accept "yes" for true, 1 for "1" and 0.1 for a tenth."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from django.db.models import TextChoices
from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers

from baclofen_rules.text import format_amount

_LIMITS = {"max_value": "at most {max_value}", "min_value": "at least {min_value}"}
EARLIEST, LATEST = date(1890, 1, 1), date(2199, 12, 31)


class Text(serializers.CharField):
    """A JSON string, trimmed."""

    default_error_messages = {
        "invalid": "text",
        "max_length": "at most {max_length} characters",
        "min_length": "at least {min_length} characters",
    }

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """`true` or `false`; no words or numbers for them."""

    default_error_messages = {"invalid": "true or false"}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Choice(serializers.ChoiceField):
    """A value of an enum, read as its member; `members` where not all of them may be given."""

    def __init__(self, enum: type[TextChoices], members: Iterable[TextChoices] | None = None, **more: Any) -> None:
        self.enum = enum
        super().__init__([member.value for member in members] if members else enum.choices, **more)

    def to_internal_value(self, data: Any) -> TextChoices:
        return self.enum(super().to_internal_value(data))


class Count(serializers.IntegerField):
    """A whole number, as a JSON number."""

    default_error_messages = {"invalid": "a whole number", **_LIMITS}

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


MOST_CHOICES = 40
"""Choices that an error lists; a reader of the document finds more of them there."""


@cache
def _shape(shape: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    serializer = shape()
    _name_kinds(serializer)  # which makes its fields; they are kept
    return serializer


def _name_kinds(field: serializers.Field[Any, Any, Any, Any]) -> None:
    """Let errors of a field, and of those in it, say what is expected: its choices, in place of the word that was sent."""
    if isinstance(field, serializers.ChoiceField):
        choices = [str(choice) for choice in field.choices if choice != ""]
        listed = ", ".join(choices) if len(choices) <= MOST_CHOICES else f"{len(choices)} words, see the document"
        field.error_messages["invalid_choice"] = f"one of {listed}"
    if isinstance(field, serializers.UUIDField):
        field.error_messages["invalid"] = "a UUID"
    for inner in getattr(field, "fields", {}).values():
        _name_kinds(inner)
    if child := getattr(field, "child", None):
        _name_kinds(child)


def check(shape: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
    """Return the checked values of a body or a query. Raises `ValidationError`. The fields of a shape are built once."""
    serializer = copy(_shape(shape))
    serializer.initial_data = data
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def represent(shape: type[serializers.Serializer[Any]], row: object) -> dict[str, Any]:
    """Return a row as its response body; the fields of a shape, which cost more than their values, are built once."""
    body: dict[str, Any] = _shape(shape).to_representation(row)
    return body


def require_believable(moment: datetime) -> None:
    """Raise `ValidationError` for a time outside of `EARLIEST` to `LATEST`."""
    if not EARLIEST <= moment.date() <= LATEST:
        raise serializers.ValidationError(f"a time from {EARLIEST} to {LATEST}")


class Moment(serializers.DateTimeField):
    """A time from `EARLIEST` to `LATEST` with its offset from UTC; without one it could be any hour."""

    default_error_messages = {"offset": "a time with its offset from UTC, such as 2026-11-30T09:15:00+00:00"}

    def to_internal_value(self, value: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.fail("offset")
        require_believable(moment)
        return moment


class Amount(serializers.DecimalField):
    """An exact amount: a decimal string or a JSON number, which the parser keeps exact. Rendered as a decimal string."""

    default_error_messages = {
        "invalid": "a number, or its digits as text",
        "max_digits": "at most {max_digits} digits",
        "max_decimal_places": "at most {max_decimal_places} decimal places",
        "max_whole_digits": "at most {max_whole_digits} digits before the point",
        "max_string_length": "fewer digits",
        **_LIMITS,
    }

    def __init__(self, *, max_digits: int = 12, decimal_places: int = 4, **more: Any) -> None:
        super().__init__(max_digits=max_digits, decimal_places=decimal_places, **more)

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, int | Decimal | str):
            self.fail("invalid")
        if isinstance(data, str) and not data.strip().replace(".", "", 1).lstrip("-").isascii():
            self.fail("invalid")
        return super().to_internal_value(data)

    def to_representation(self, value: Any) -> str:
        return format_amount(Decimal(value))


class Day(serializers.DateField):
    """A calendar date from `EARLIEST` to `LATEST`."""

    default_error_messages = {
        "invalid": "a date, such as 2026-11-30",
        "believable": f"a date from {EARLIEST} to {LATEST}",
    }

    def to_internal_value(self, value: Any) -> date:
        if not isinstance(value, str):
            self.fail("invalid")
        day = super().to_internal_value(value)
        if not EARLIEST <= day <= LATEST:
            self.fail("believable")
        return day


class Body(serializers.Serializer[Any]):
    """A request body that refuses unknown fields."""

    default_error_messages = {"invalid": "an object"}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict):
            unknown = sorted(map(str, set(data) - set(self.fields)))
            if unknown:
                raise serializers.ValidationError(
                    {name[:60]: [self._explain_unknown(name)] for name in unknown}, code="unknown"
                )
        values: dict[str, Any] = super().to_internal_value(data)
        return values

    def _explain_unknown(self, name: str) -> str:
        """Return what is expected instead of an unknown field: its place, where it belongs into another, else the fields."""
        for outer, inner in self.fields.items():
            if name in getattr(inner, "names", getattr(inner, "fields", ())):
                return f"nothing here; it belongs into {outer}, as {outer}.{name}"
        return f"only {', '.join(self.fields) or 'an empty object'}"


class BodyExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # its base registers subclasses untyped
    """A body in the OpenAPI document: it has no other fields."""

    target_class = Body
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """Return the object that drf-spectacular makes of the serializer, closed."""
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return schema | ({"additionalProperties": False} if direction == "request" else {})
