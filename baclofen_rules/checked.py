"""Checked values out of JSON; an unknown or impossible one is refused with its place.

Nothing is guessed: true is not a number, "10 mg" is not an amount, NaN is not a dose. Amounts may come as JSON numbers
or as decimal strings; a Python float is taken by its shortest decimal text, which is the text that was typed.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

from baclofen_rules.strict_json import DoubledName, NotFinite, read_json

T = TypeVar("T")

EARLIEST: Final = date(1900, 1, 1)
LATEST: Final = date(2199, 12, 31)
MOST_DIGITS: Final = 12
MOST_PLACES: Final = 6
MOST_TEXT: Final = 2_000_000
_HALF_SIGN = re.compile("[\ud800-\udfff]")
_AMOUNT = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,3})?", re.ASCII)


class InvalidCase(ValueError):
    """A case that cannot be reviewed.

    ``path`` is the JSON path of the field (``prescription.phases[0].dose``), ``given`` a short picture of what stood
    there, ``expected`` what would be accepted.
    """

    def __init__(self, path: str, given: str, expected: str) -> None:
        self.path, self.given, self.expected = path, given, expected
        super().__init__(f"{path}: given {given}, expected {expected}")


def picture(value: object) -> str:
    """A short, one-line picture of a value for an error message."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        excerpt = value if len(value) <= 40 else f"{value[:40]}... ({len(value)} characters)"
        import json  # here and below: importing the rule book stays quick

        return json.dumps(excerpt, ensure_ascii=True)
    if isinstance(value, int) and value.bit_length() > 128:
        return "a whole number of more than 38 digits"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


class Place(NamedTuple):
    """A value and where it stands in the case."""

    value: Any
    path: str

    def refuse(self, expected: str) -> NoReturn:
        raise InvalidCase(self.path or "case", picture(self.value), expected)

    def fields(self, names: frozenset[str], required: frozenset[str] = frozenset()) -> "Fields":
        """This value as an object with only ``known`` fields."""
        if not isinstance(self.value, Mapping):
            self.refuse("an object")
        for name in self.value:
            if not isinstance(name, str) or name not in names:
                text = name if isinstance(name, str) and len(name) <= 40 else picture(name)
                Place(self.value[name], self._inner(str(text))).refuse(
                    f"no such field; known are {', '.join(sorted(names))}"
                )
        for name in sorted(required - self.value.keys()):
            raise InvalidCase(self._inner(name), "nothing", "a value: this field is required")
        return Fields(self.value, self.path)

    def items(self, most: int, least: int = 0) -> "list[Place]":
        """This value as a list of ``least`` to ``most`` values."""
        if not isinstance(self.value, list | tuple):
            self.refuse("a list")
        if not least <= len(self.value) <= most:
            raise InvalidCase(self.path, f"{len(self.value)} values", f"a list of {least} to {most}")
        return [Place(value, f"{self.path}[{index}]") for index, value in enumerate(self.value)]

    def amount(self, expected: str, least: Decimal, most: Decimal) -> Decimal:
        """An exact decimal from ``least`` to ``most``, at most six places."""
        number = self._decimal(expected)
        if not least <= number <= most or _places(number) > MOST_PLACES:
            self.refuse(expected)
        return number if number else Decimal(0)

    def whole(self, expected: str, least: int, most: int) -> int:
        """A whole number from ``least`` to ``most``."""
        number = self._decimal(expected)
        if not least <= number <= most or number != number.to_integral_value():
            self.refuse(expected)
        return int(number)

    def day(self, expected: str, earliest: date = EARLIEST, latest: date = LATEST) -> date:
        """A calendar date written YYYY-MM-DD."""
        if isinstance(self.value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", self.value, re.ASCII):
            try:
                day = date.fromisoformat(self.value)
            except ValueError:
                self.refuse(expected)
            if earliest <= day <= latest:
                return day
        self.refuse(expected)

    def truth(self) -> bool:
        if not isinstance(self.value, bool):
            self.refuse("true or false")
        return self.value

    def text(self, most: int, least: int = 1) -> str:
        """Text of ``least`` to ``most`` characters without surrounding space."""
        if not isinstance(self.value, str):
            self.refuse("text")
        text = self.value.strip()
        if not least <= len(text) <= most or "\x00" in text or _HALF_SIGN.search(text):
            self.refuse(f"text of {least} to {most} characters")
        return text

    def word(self, words: Mapping[str, T]) -> T:
        """One of the ``known`` words, in any case."""
        word = self.value.strip().lower() if isinstance(self.value, str) else ""
        if word not in words:
            self.refuse("one of " + ", ".join(f'"{name}"' for name in words))
        return words[word]

    def _decimal(self, expected: str) -> Decimal:
        value = self.value
        if isinstance(value, float):
            value = repr(value)
        if isinstance(value, str):
            if not _AMOUNT.fullmatch(value):
                self.refuse(expected)
            try:
                value = Decimal(value)
            except InvalidOperation:
                self.refuse(expected)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            self.refuse(expected)
        if isinstance(value, int):
            if value.bit_length() > 128:
                self.refuse(expected)
            return Decimal(value)
        if (
            not value.is_finite()
            or abs(value.adjusted()) > MOST_DIGITS
            or len(value.as_tuple().digits) > 2 * MOST_DIGITS
        ):
            self.refuse(expected)
        return value

    def _inner(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


class Fields(NamedTuple):
    """The fields of one object; null and absent are the same: unknown."""

    values: Mapping[str, Any]
    path: str

    def place(self, name: str) -> Place:
        return Place(self.values.get(name), f"{self.path}.{name}" if self.path else name)

    def get(self, name: str, read: Callable[[Place], T]) -> T | None:
        """The field read by ``read``, or None where it is unknown."""
        value = self.values.get(name)  # as `place` does, without its call: each field of each case comes through here
        return None if value is None else read(Place(value, f"{self.path}.{name}" if self.path else name))

    def need(self, name: str, read: Callable[[Place], T]) -> T:
        """The field read by ``read``; refused when absent."""
        if self.values.get(name) is None:
            raise InvalidCase(self.place(name).path, "nothing", "a value: this field is required")
        return read(self.place(name))


def parse_json(text: str | bytes) -> Any:
    """JSON text with exact decimals; refuses NaN, infinity, doubled field names, and anything above 2 MB."""
    if len(text) > MOST_TEXT:
        raise InvalidCase("case", f"{len(text)} characters", f"at most {MOST_TEXT} characters of JSON")
    import json

    try:
        return read_json(text)
    except DoubledName as error:
        raise InvalidCase(picture(error.name), "the field twice", "each field once") from None
    except NotFinite as error:
        raise InvalidCase("case", error.word, "numbers that are numbers") from None
    except json.JSONDecodeError as error:
        raise InvalidCase("case", f"{error.msg} at line {error.lineno} column {error.colno}", "JSON text") from None
    except (ValueError, RecursionError, InvalidOperation):
        raise InvalidCase("case", "text that is not JSON", "JSON text in UTF-8") from None


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0
