"""A place in the tokens of one text, and the kinds of words that begin or end something."""

from typing import NoReturn

from .questions import explain
from .tokens import Kind, Token, Vocabulary

DAY_WORDS = (Kind.DAYS, Kind.DAY)
COUNTED = frozenset({Kind.NUMBER, Kind.ARTICLE, Kind.PART})
PER_DAY = frozenset({Kind.PER_DAY, Kind.DAILY})
OFTEN = frozenset({Kind.OFTEN, Kind.OD, Kind.ONCE, Kind.EVERY, Kind.DAILY, Kind.PER_DAY, Kind.HOURLY})
"""Kinds that begin a frequency."""
BOUNDARIES = frozenset(
    {
        *(Kind.END, Kind.THEN, Kind.THEREAFTER, Kind.CHANGE, Kind.STOP, Kind.CONTINUES, Kind.OPEN_END),
        *(Kind.UNTIL_FINISHED, Kind.AFTER),
    }
)
"""Kinds that end a clause."""


class Cursor:
    """Goes through the tokens of one text, left to right."""

    def __init__(self, plain: str, tokens: list[Token], vocabulary: Vocabulary) -> None:
        self.plain = plain
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.at = 0

    def kind(self, offset: int = 0) -> Kind:
        """Return the kind of a token from here; END behind the last."""
        at = self.at + offset
        return self.tokens[at].kind if at < len(self.tokens) else Kind.END

    @property
    def token(self) -> Token:
        """The token here; the last one is END."""
        return self.tokens[min(self.at, len(self.tokens) - 1)]

    @property
    def end(self) -> int:
        """The place where the token before this one ends."""
        return self.tokens[self.at - 1].end if self.at else 0

    def take(self) -> Token:
        """Return this token and go to the next."""
        token = self.token
        self.at += 1
        return token

    def skip(self, *kinds: Kind) -> bool:
        """Pass over one token of these kinds; return whether there was one."""
        if self.kind() not in kinds:
            return False
        self.at += 1
        return True

    def is_mark(self, marks: str, offset: int = 0) -> bool:
        """Return whether one of ``marks`` stands here."""
        at = self.at + offset
        return at < len(self.tokens) and self.tokens[at].kind is Kind.MARK and self.tokens[at].value in marks

    def stuck(self, expected: str = "") -> NoReturn:
        """Raise the doubt about this token; ``expected`` is what could stand here ("dose", "often", "unit")."""
        raise explain(self.plain, self.token, self.tokens[max(self.at - 1, 0)], expected)
