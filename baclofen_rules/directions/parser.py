"""The grammar, built once when the first text is read (lark is imported no earlier)."""

import re
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Final

from lark import Lark, UnexpectedInput

from .course import Understood, read_course
from .doses import DoseReader
from .doubt import Doubt
from .questions import doubt_about

_LOST_FIGURE: Final = re.compile(r"[0-9]+\s*\.\s*(?:mgs?|milligrams?|tab\w*)\b")
"""A point between a number and its unit: the grammar passes over points between words, and this one may be a decimal."""


@cache
def grammar(positions: bool) -> Lark:
    """The LALR parser of ``grammar.lark``; keeping where everything stands costs a third of the time."""
    text = files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", propagate_positions=positions, maybe_placeholders=False)


def read(plain: str, strength_mg: Decimal | None, od_means_once_daily: bool | None) -> Understood:
    """Return the course that ``plain`` (normalised text) gives; raises Doubt for whatever it does not say without doubt."""
    lost = _LOST_FIGURE.search(plain)
    if lost is not None:
        raise Doubt(lost.start(), lost.end(), "Is a figure missing after the point?")
    try:
        return _read(plain, False, strength_mg, od_means_once_daily)
    except UnexpectedInput as unexpected:
        raise doubt_about(plain, unexpected) from None
    except Doubt:
        return _read(plain, True, strength_mg, od_means_once_daily)


def _read(plain: str, positions: bool, strength_mg: Decimal | None, od: bool | None) -> Understood:
    """Without positions a doubt does not know where it lies: it is raised again with them."""
    return read_course(grammar(positions).parse(plain), DoseReader(plain, strength_mg, od))
