"""The grammar, built once when the first text is read (lark is imported no earlier)."""

from decimal import Decimal
from functools import cache
from importlib.resources import files

from lark import Lark, UnexpectedInput

from .course import Understood, read_course
from .doses import DoseReader
from .questions import doubt_about


@cache
def grammar() -> Lark:
    """The LALR parser of ``grammar.lark``."""
    text = files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def read(plain: str, strength_mg: Decimal | None, od_means_once_daily: bool | None) -> Understood:
    """What ``plain`` (normalised text) says; raises Doubt for whatever it does not say without doubt."""
    try:
        tree = grammar().parse(plain)
    except UnexpectedInput as unexpected:
        raise doubt_about(plain, unexpected) from None
    return read_course(tree, DoseReader(strength_mg, od_means_once_daily))
