"""A JSON parser for request bodies and files that keeps amounts exact and refuses ambiguous documents.

Python's own parser takes `NaN`, keeps the last of two equal keys and turns `0.1` into a binary fraction: each can change a dose.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from decimal import Decimal
from typing import Any

from baclofen_rules.strict_json import DoubledName, NotFinite, read_json
from baclofen_rules.text import format_amount
from dispensary.errors import InvalidInput, Problem

MAX_DEPTH = 24  # levels of lists and objects; the deepest FHIR bundle seen needs 14
MAX_DIGITS = 24  # characters of one number
MAX_EXPONENT = 12

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
# Control characters, halves of a surrogate pair, and the marks that reorder the text around them: on a label or in a log line
# each shows something other than what is stored. The plain marks U+200E and U+200F, which names need, are fine.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1c\x1e\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


class _Refused(ValueError):
    """A refusal inside one of the parser's hooks."""

    def __init__(self, value_kind: str, expected: str) -> None:
        super().__init__(expected)
        self.given, self.expected = value_kind, expected


def _number(text: str) -> Decimal:
    expected = f"numbers of at most {MAX_DIGITS} characters between 10^-{MAX_EXPONENT} and 10^{MAX_EXPONENT}"
    if len(text) > MAX_DIGITS:
        raise _Refused(f"a number of {len(text)} characters", expected)
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise _Refused(text, expected) from None
    if not number.is_finite() or abs(number.adjusted()) > MAX_EXPONENT:
        raise _Refused(text, expected)
    return number


def _whole(text: str) -> int:
    return int(_number(text))


def _check_depth(text: str) -> None:
    depth = 0
    for match in _BRACKETS.finditer(text):
        first = match.group()[0]
        depth += 1 if first in "[{" else -1 if first in "]}" else 0
        if depth > MAX_DEPTH:
            raise _Refused(f"more than {MAX_DEPTH} levels", f"at most {MAX_DEPTH} levels of lists and objects")


def check_text(value: Any, path: str) -> None:
    """Raise `InvalidInput` for a character that cannot be shown, anywhere in a value."""
    match value:
        case str():
            if unprintable := _UNPRINTABLE.search(value):
                character_name = f"the character U+{ord(unprintable.group()):04X}"
                raise InvalidInput(
                    "The text holds a character that cannot be shown.", Problem(path, character_name, "printable text")
                )
        case dict():
            for key, item in value.items():
                check_text(key, path)
                check_text(item, f"{path}.{key}" if path else key)
        case list():
            for number, item in enumerate(value):
                check_text(item, f"{path}[{number}]")


def _unclear(value_kind: str, expected: str) -> InvalidInput:
    return InvalidInput("The body cannot be read without doubt.", Problem("", value_kind, expected))


def loads(body: bytes) -> Any:
    """Read one JSON document: whole numbers as `int`, all others as exact `Decimal`. Raises `InvalidInput`.

    A byte order mark before it is ignored (RFC 8259, 8.1).
    """
    try:
        text = body.removeprefix(BOM_UTF8).decode("utf-8")
        _check_depth(text)
        value = read_json(text, _number, _whole)
    except DoubledName as error:
        raise _unclear(f"the key {error.name[:40]!r} twice in one object", "every key once") from None
    except NotFinite as error:
        raise _unclear(error.word, "a finite number") from None
    except _Refused as refused:
        raise _unclear(refused.given, refused.expected) from None
    except UnicodeDecodeError as error:
        problem = Problem("", f"a byte at {error.start} that is not UTF-8", "JSON in UTF-8")
        raise InvalidInput("The body is not UTF-8.", problem) from None
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "the body"
        raise InvalidInput(
            "The body is not JSON.", Problem("", f"something else at {where}", "one JSON document")
        ) from None
    check_text(value, "")
    return value


def jsonable(value: Any) -> Any:
    """Return the document with every `Decimal` as a decimal string, ready to be stored or sent as JSON."""
    match value:
        case Decimal():
            return format_amount(value)
        case dict():
            return {key: jsonable(item) for key, item in value.items()}
        case list() | tuple():
            return [jsonable(item) for item in value]
        case _:
            return value
