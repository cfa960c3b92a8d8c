"""Lengths of a dosing, and the days of the course on which it is taken."""

from decimal import Decimal

from .clauses import Clause, Number
from .cursor import COUNTED, DAY_WORDS
from .doubt import Doubt
from .moments import MomentReader
from .tokens import Kind

ONE_WEEK = frozenset({"week", "fortnight", "woche"})
"""Words that are one of their kind: "the first week"; "the first days" are no number of days."""


NIGHTS = frozenset({"nights"})
"""A time of day that is so many days behind a number: "for 5 nights"."""


class LengthReader(MomentReader):
    """Reads lengths and days into a clause."""

    def read_length(self, clause: Clause, join: str) -> None:
        """ "for 3 days", "for the first week", "3/7"."""
        start = self.token.start
        while self.kind() in (Kind.FOR, Kind.FIRST):
            self.take()
        if self.kind() is Kind.LENGTH:
            return self.set_length(clause, start, int(self.take().value))
        if self.tokens[self.at - 1].text.endswith(("first", "erste")) and self.token.text in ONE_WEEK:
            return self.add_length(clause, start, Number(Decimal(1), start, start, is_figure=False))
        if self.kind() not in COUNTED:
            self.at -= 1
            self.stuck()
        number = self.read_number()
        self.check_range(number)
        self.count_nights()
        if self.kind() not in DAY_WORDS:
            self.stuck()
        return self.add_length(clause, start, number)

    def count_nights(self) -> None:
        """Take "nights" behind a number as days."""
        if self.kind() is Kind.SLOT and self.token.text in NIGHTS:
            self.tokens[self.at] = self.token._replace(kind=Kind.DAYS, value=1)

    def add_length(self, clause: Clause, start: int, number: Number) -> None:
        size = int(self.take().value or 1)
        word = self.plain[number.start : number.end]
        if number.value != int(number.value) or word in self.vocabulary.unclear_lengths:
            raise Doubt(start, self.end, "How many days is that?")
        self.set_length(clause, start, int(number.value) * size)

    def set_length(self, clause: Clause, start: int, days: int) -> None:
        if clause.length is not None or clause.span is not None:
            raise Doubt(start, self.end, "Two lengths are named: which is meant?")
        clause.days = days
        clause.length = (start, self.end)
        clause.is_closed = not clause.is_empty

    def is_span(self) -> bool:
        """Return whether "days 1-3", "week 2", "from day 7" or "1. Woche" begins here."""
        at = 1 if self.kind() in (Kind.FROM, Kind.FOR) else 0
        if self.kind(at) in DAY_WORDS:
            return self.kind(at + 1) is Kind.NUMBER
        if self.kind(at) is not Kind.NUMBER or self.kind(at + 1) not in DAY_WORDS:
            return False
        is_ordinal = self.tokens[self.at + at + 1].before == "."
        return is_ordinal or (self.kind() is Kind.FROM and self.kind(at + 1) is Kind.DAY)

    def read_span(self, clause: Clause) -> None:
        start = self.token.start
        is_open = self.kind() is Kind.FROM
        self.skip(Kind.FROM, Kind.FOR)
        size = int(self.take().value or 1) if self.kind() in DAY_WORDS else 0
        first = self._whole_day()
        size = size or int(self.take().value or 1)
        final = first
        if self.is_mark("-") or self.kind() in (Kind.TO, Kind.UNTIL):
            self.take()
            self.skip(*DAY_WORDS)
            final = self._whole_day()
            is_open = False
        if self.is_mark("+") or self.kind() is Kind.ONWARDS:
            self.take()
            is_open = True
        where = (start, self.end)
        if clause.span is not None or clause.length is not None:
            raise Doubt(*where, "Which of these days are meant?")
        clause.is_closed = not clause.is_empty
        clause.span = ((first - 1) * size + 1, None if is_open else final * size, *where)

    def _whole_day(self) -> int:
        if self.kind() is not Kind.NUMBER or self.token.value != int(self.token.value):
            self.stuck()
        return int(self.take().value)
