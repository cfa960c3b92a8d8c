"""Times of day: "in the morning", "at 8am, 2pm and 8pm"."""

import re

from .amounts import AmountReader
from .clauses import Clause, Dose, Moment
from .cursor import DAY_WORDS
from .doubt import Doubt
from .tokens import Kind

HOURS_A_DAY = 24
_WITH_POINT = re.compile(r"(?:[01]?[0-9]|2[0-3])\.[0-5][0-9]")
_FOUR_FIGURES = re.compile(r"(?:[01][0-9]|2[0-3])[0-5][0-9]")


class MomentReader(AmountReader):
    """Reads times of day into a clause."""

    def is_at(self) -> bool:
        """Return whether "at" begins a clock time here."""
        if self.kind() is Kind.AT:
            return self.kind(1) in (Kind.TIME, Kind.NUMBER, Kind.UNKNOWN)
        return self.kind() is self.vocabulary.at_hour and (self.kind(1) is Kind.TIME or self._count_hours() > 0)

    def _count_hours(self) -> int:
        """Return how many hours in their order share one unit behind the word here: 3 in "um 8, 14 und 20 Uhr"; 0 where no unit follows."""
        at, before = 1, -1
        for count in range(1, HOURS_A_DAY):
            if self.kind(at) is not Kind.NUMBER or self.tokens[self.at + at].value < before:
                break
            before = self.tokens[self.at + at].value
            if self._is_unit(at + 1):
                return count
            at += 1
            if self.kind(at) is Kind.AND:
                at += 1
            elif "," not in self.tokens[self.at + at].before:
                break
        return 0

    def _is_unit(self, offset: int) -> bool:
        """Return whether the word is one behind an hour of the clock; of hours that only last it has a value."""
        kind = self.kind(offset)
        return kind is Kind.OCLOCK or (kind is Kind.HOURS and self.tokens[self.at + offset].value is None)

    def read_moments(self, clause: Clause, join: str) -> None:
        """One time of day, or a list of clock times behind one "at"."""
        is_in_list = False
        hours_left = self._count_hours() if self.is_at() else 1
        while True:
            moment = self._moment(join, is_in_list=is_in_list)
            if not clause.often and self._lacks_dose(clause, join, moment):
                raise Doubt(clause.start, moment.end, "Is a dose missing before this time of day?")
            if clause.prn is not None and any(other.start < clause.prn.start for other in clause.moments):
                raise Doubt(clause.prn.start, moment.end, "Which of the doses are taken only when needed?")
            clause.items.append(moment)
            following = 1 if self.kind() is Kind.AND else 0
            hours_left -= 1
            is_in_list = moment.is_clock and (hours_left > 0 or self._is_clock(following))
            if not is_in_list:
                return
            self.skip(Kind.AND)

    @staticmethod
    def _lacks_dose(clause: Clause, join: str, moment: Moment) -> bool:
        """Return whether "and", or a comma behind a bare number in a list of clock times, parts a time of day from the dose before it."""
        if not clause.items or not isinstance(clause.items[0], Dose) or not isinstance(clause.items[-1], Dose):
            return False
        is_in_clock_list = moment.is_clock and any(other.is_clock for other in clause.moments)
        return join == "and" or (is_in_clock_list and clause.items[-1].is_bare and bool(moment.joined))

    def _is_clock(self, offset: int) -> bool:
        """Return whether a number from here goes on with a list of clock times."""
        if self.kind(offset) is not Kind.NUMBER:
            return False
        text = self.tokens[self.at + offset].text
        if _FOUR_FIGURES.fullmatch(text) or _WITH_POINT.fullmatch(text):
            return self.kind(offset + 1) not in (Kind.MG, Kind.TABLET)
        return self.vocabulary.clock_hours and self._is_unit(offset + 1)

    def is_bare_clock(self, clause: Clause) -> bool:
        """ "10 mg 0800, 1300": four figures behind a complete dose."""
        token = self.token
        return (
            token.kind is Kind.NUMBER
            and _FOUR_FIGURES.fullmatch(token.text) is not None
            and (not clause.doses[-1].is_bare if clause.doses else self.kind(2) in (Kind.MG, Kind.TABLET))
            and (token.text.startswith("0") or any(moment.is_clock for moment in clause.moments))
            and self.kind(1) not in (Kind.MG, Kind.TABLET, Kind.TIMES, Kind.X, *DAY_WORDS)
        )

    def _moment(self, join: str, *, is_in_list: bool) -> Moment:
        """One time of day; ``is_in_list`` where a clock time of the same list stands right before it."""
        start = self.at
        joined = join or ("," if set(self.token.before) & set(",;") else "")
        has_at = self.is_at()
        if has_at:
            self.take()
        is_hour = has_at or is_in_list or self.kind(1) is Kind.OCLOCK
        token = self.token
        if token.kind is Kind.SLOT:
            self.take()
            return Moment(int(token.value) * 60, False, token.start, token.end, token.text, joined)
        if token.kind is Kind.TIME:
            minutes = int(self.take().value)
            self.skip(Kind.OCLOCK)
        elif token.kind is Kind.NUMBER and _FOUR_FIGURES.fullmatch(token.text):
            self.take()
            minutes = int(token.text[:2]) * 60 + int(token.text[2:])
        elif token.kind is Kind.NUMBER and is_hour and _WITH_POINT.fullmatch(token.text):
            self.take()
            hour, _, minute = token.text.partition(".")
            minutes = int(hour) * 60 + int(minute)
        elif token.kind is Kind.NUMBER and is_hour and self._may_be_hour():
            minutes = self._read_hour()
        else:
            if token.kind is not Kind.UNKNOWN:
                self.at = start
            self.stuck()
        return Moment(minutes, True, self.tokens[start].start, self.end, self.plain[token.start : self.end], joined)

    def _may_be_hour(self) -> bool:
        """Return whether a number may be an hour, in languages that write "at 8", "at 8h", "8 Uhr"."""
        value = self.token.value
        return self.vocabulary.clock_hours and value == int(value) and value < HOURS_A_DAY

    def _read_hour(self) -> int:
        """Minutes after midnight of "8", "8h" and "8h30"; in "8h 30 mg" a dose follows."""
        minutes = int(self.take().value) * 60
        has_unit = self.skip(Kind.HOURS, Kind.OCLOCK)
        following = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        is_dose = following.kind in (Kind.MG, Kind.TABLET) or following.text == self.token.text
        if has_unit and not self.token.before and not is_dose and re.fullmatch("[0-5][0-9]", self.token.text):
            minutes += int(self.take().value)
        return minutes
