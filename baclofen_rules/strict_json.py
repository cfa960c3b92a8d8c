"""JSON that can be read in one way only: exact decimals, no NaN or infinity, no name twice in an object."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn


class DoubledName(ValueError):
    """A name that stands twice in one object; Python's own parser would keep the last."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} twice in one object")
        self.name = name


class NotFinite(ValueError):
    """One of the words NaN, Infinity and -Infinity, which Python's own parser takes for numbers."""

    def __init__(self, word: str) -> None:
        super().__init__(f"{word} is no number")
        self.word = word


def read_json(
    text: str | bytes, parse_decimal: Callable[[str], Any] = Decimal, parse_whole: Callable[[str], Any] = int
) -> Any:
    """Return the value of one JSON document, numbers as ``parse_decimal`` and ``parse_whole`` make them of their text.

    Raises DoubledName, NotFinite, json.JSONDecodeError, UnicodeDecodeError, RecursionError, and what the two parsers raise.
    """
    import json  # only here: importing the rule book stays quick

    return json.loads(
        text,
        parse_float=parse_decimal,
        parse_int=parse_whole,
        parse_constant=_refuse_constant,
        object_pairs_hook=_build_object,
    )


def _refuse_constant(word: str) -> NoReturn:
    raise NotFinite(word)


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        raise DoubledName(next(name for name in names if names.count(name) > 1))
    return fields
