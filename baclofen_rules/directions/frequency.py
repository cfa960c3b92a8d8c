"""Number of times in a day that a dose is taken."""

from .clauses import Clause, Number, Often
from .cursor import BOUNDARIES, COUNTED, DAY_WORDS, PER_DAY
from .doubt import Doubt, Why
from .lengths import LengthReader
from .moments import HOURS_A_DAY
from .tokens import Kind

MOST_TIMES_A_DAY = 12
"""More often than this is not believed. Twelve is every two hours."""
WRITTEN_TWICE = "Is this written twice?"


class FrequencyReader(LengthReader):
    """Reads frequencies and intervals into a clause."""

    def add_often(self, clause: Clause, start: int, kind: Kind, times: int) -> None:
        often = Often(times, start, self.end, self.plain[start : self.end], kind)
        for other in clause.often:
            if other.times != often.times:
                raise Doubt(other.start, often.end, f"{other.text} or {often.text}: which is right?")
            if other.text == often.text:
                raise Doubt(often.start, often.end, WRITTEN_TWICE)
        clause.often.append(often)

    def read_x(self, clause: Clause, join: str) -> None:
        """ "x 3 daily", "x 14 days", "x 2/52"."""
        token = self.take()
        if self.kind() is Kind.LENGTH:
            return self.set_length(clause, token.start, int(self.take().value))
        if self.kind() not in COUNTED:
            self.stuck()
        number = self.read_number()
        says_times = self.skip(Kind.TIMES)
        if self.skip(*PER_DAY):
            return self.add_often(clause, token.start, Kind.TIMES, self.check_times_a_day(number))
        self.count_nights()
        if self.kind() in DAY_WORDS and not says_times:
            return self.add_length(clause, token.start, number)
        raise Doubt(token.start, self.end, "How many times a day, or for how many days?")

    def read_once(self, clause: Clause, join: str) -> None:
        """ "once a day", "twice daily", "once at night"."""
        token = self.take()
        if self.skip(*PER_DAY) or self._take_daily(clause):
            return self.add_often(clause, token.start, Kind.TIMES, int(token.value))
        before_moment = self.kind() in (Kind.SLOT, Kind.TIME, Kind.AT)
        behind_moment = bool(clause.moments) and self.kind() in (*BOUNDARIES, Kind.FOR)
        is_other = any(often.times != 1 for often in clause.often)
        if token.value != 1 or is_other or not (before_moment or behind_moment):
            raise Doubt(token.start, token.end, "How often in a day?")
        clause.once = token
        return None

    def _take_daily(self, clause: Clause) -> bool:
        """Take "daily" that stands before its count ("täglich 3x1"); return whether it does."""
        is_first = (
            clause.total is not None and clause.total.kind is Kind.DAILY and not clause.items and not clause.often
        )
        if self.vocabulary.counts_before_dose and is_first:
            clause.total = None
            return True
        return False

    def read_abbreviated(self, clause: Clause, join: str) -> None:
        """ "tds", "od"."""
        token = self.take()
        self.add_often(clause, token.start, token.kind, int(token.value or 1))

    def read_per_day(self, clause: Clause, join: str) -> None:
        """ "daily" or "a day" without a count."""
        token = self.take()
        if token.kind is Kind.PER_DAY and not clause.doses and not clause.scheme:
            raise Doubt(token.start, token.end, "What dose each time?")
        if clause.total is not None and clause.total.text == token.text:
            raise Doubt(token.start, token.end, WRITTEN_TWICE)
        clause.total = clause.total or token

    def read_interval(self, clause: Clause, join: str) -> None:
        """ "every 8 hours", "q8h", "/8h"."""
        token = self.take()
        if token.kind is Kind.HOURLY:
            raise Doubt(token.start, token.end, "How many times a day?")
        if self.kind() not in COUNTED:
            self.stuck()
        number = self.read_number()
        self.check_range(number)
        if self.kind() in DAY_WORDS:
            raise Doubt(token.start, self.token.end, "Taken each day, or on some days only?", Why.RHYTHM)
        if not self.skip(Kind.HOURS):
            self.stuck()
        number = number._replace(start=token.start)
        self.add_often(clause, token.start, Kind.EVERY, self.read_hours(number))

    def read_hours(self, number: Number) -> int:
        """Times a day of an interval in hours."""
        hours = number.value
        if hours != int(hours) or not 2 <= hours <= HOURS_A_DAY or HOURS_A_DAY % hours:
            interval = self.plain[number.start : self.end].capitalize()
            raise Doubt(number.start, self.end, f"{interval}: how many times in a day is that?")
        return int(HOURS_A_DAY // hours)

    def check_times_a_day(self, number: Number) -> int:
        if number.value != int(number.value) or not 1 <= number.value <= MOST_TIMES_A_DAY:
            raise Doubt(number.start, self.end, "How many times a day?")
        return int(number.value)

    def read_meals(self, clause: Clause, join: str) -> None:
        clause.meals = self.take()
        if join and not clause.often:
            raise Doubt(clause.start, clause.meals.end, "How many times a day?")

    def read_as_needed(self, clause: Clause, join: str) -> None:
        token = self.take()
        if clause.prn is not None and clause.prn.text == token.text:
            raise Doubt(token.start, token.end, WRITTEN_TWICE)
        clause.prn = token
        self.skip(Kind.REASON)

    def count_times(self, clause: Clause, number: Number) -> bool:
        """Take a number as how often: "3 times a day", "8 hourly", "3/day"; return whether it is."""
        if self.is_mark("-") and self.kind(1) in (Kind.HOURLY, Kind.TIMES):
            self.take()
        kind = self.kind()
        if kind is Kind.HOURLY:
            self.take()
            self.add_often(clause, number.start, Kind.EVERY, self.read_hours(number))
        elif kind in (Kind.TIMES, Kind.X) and self.kind(1) not in COUNTED:
            self.read_times(clause, number)
        elif kind in (Kind.TIMES, Kind.X) and self.vocabulary.counts_before_dose:
            return self.read_times_before_dose(clause, number)
        elif kind is Kind.TIMES:
            self.read_times(clause, number)
        elif kind in PER_DAY and clause.doses and not clause.total and not clause.often:
            token = self.take()
            if kind is Kind.DAILY:
                raise Doubt(number.start, token.end, "That many tablets, or that many times a day?")
            self.add_often(clause, number.start, Kind.TIMES, self.check_times_a_day(number))
        else:
            return False
        return True

    def read_times(self, clause: Clause, number: Number) -> None:
        """ "3 times a day", "3x daily", "3 x day"."""
        token = self.take()
        if self.kind() in PER_DAY or (self.kind() is Kind.DAY and token.kind is Kind.X):
            self.take()
            return self.add_often(clause, number.start, Kind.TIMES, self.check_times_a_day(number))
        if token.kind is Kind.X:
            raise Doubt(number.start, token.end, "How many times a day, or for how many days?")
        if self.kind() is Kind.UNKNOWN:
            self.stuck("often")
        raise Doubt(number.start, token.end, "How often in a day?")

    def read_times_before_dose(self, clause: Clause, number: Number) -> bool:
        """Take "3x1 daily", "3 x 10 mg daily" as so often that dose; return whether it is."""
        start = self.at
        self.take()
        dose = self.read_dose()
        is_daily = self.skip(*PER_DAY) or self._take_daily(clause)
        if not is_daily and (number.value != 1 or self.kind() is not Kind.SLOT):
            self.at = start
            return False
        clause.items.append(dose)
        self.add_often(clause, number.start, Kind.TIMES, self.check_times_a_day(number))
        return True
