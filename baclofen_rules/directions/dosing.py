"""One clause: the dosing of a day and how long it lasts, in whatever order it is written."""

from collections.abc import Callable
from typing import Final

from .clauses import Cap, Clause, Dose, Moment, Number, Often
from .cursor import BOUNDARIES, COUNTED, DAY_WORDS, OFTEN, PER_DAY
from .doubt import Doubt, Why
from .lengths import LengthReader
from .moments import HOURS_A_DAY
from .questions import explain
from .tokens import Kind, Token, Vocabulary

LARGEST_BARE_COUNT = 4
"""A larger figure without a unit may be milligrams."""
MOST_TIMES_A_DAY = 12
"""More often than this is not believed. Twelve is every two hours."""
IN_ADDITION = "In addition to what stands before it, or afterwards?"
MG_OR_TABLETS = "Milligrams or tablets?"
WRITTEN_TWICE = "Is this written twice?"


class ClauseReader(LengthReader):
    """Reads clauses, and the limits of a day beside them."""

    def __init__(self, plain: str, tokens: list[Token], vocabulary: Vocabulary) -> None:
        super().__init__(plain, tokens, vocabulary)
        self.caps: list[Cap] = []

    def read_clause(self, *, joined: bool, is_dated: bool) -> Clause:
        """The clause that begins here; ``is_dated`` where each begins with its days ("days 1-3: ...")."""
        clause = Clause(self.token.start, joined=joined)
        join = ""
        while self.kind() not in BOUNDARIES:
            if self.kind() is Kind.AND or self.is_mark("/+-"):
                join = self._join(clause)
                continue
            if self.is_span():
                if is_dated and (clause.span is not None or not clause.is_empty):
                    break
                self.read_span(clause)
            elif clause.is_closed and self._begins_dosing() and not self._is_extra(clause):
                break
            else:
                self._item(clause, join)
            join = ""
        clause.end = max(self.end, clause.start)
        if join or clause.is_empty:
            self.stuck("dose")
        return clause

    def _item(self, clause: Clause, join: str) -> None:
        """One part of a clause."""
        if self.is_mark("("):
            self._bracket(clause)
        elif self.is_at():
            self.read_moments(clause, join)
        elif self.kind() is Kind.REASON and self.token.text.startswith("for "):
            self.take()
        elif (read := _PARTS.get(self.kind())) is not None:
            read(self, clause, join)
        else:
            self.stuck("often" if clause.doses and not clause.often and not clause.moments else "")

    def _join(self, clause: Clause) -> str:
        """ "and", or a mark between two times of day; "10 mg/8h" is an interval."""
        token = self.token
        if self.is_mark("/") and self.kind(1) is Kind.NUMBER and self.kind(2) is Kind.HOURS:
            self._interval(clause, "")
            return ""
        self.take()
        if clause.is_closed:
            raise Doubt(token.start, min(token.end + 40, len(self.plain)), IN_ADDITION)
        if token.kind is Kind.AND or token.value == "+":
            return "and"
        if not (clause.moments and self.kind() in (Kind.SLOT, Kind.TIME)):
            self.at -= 1
            self.stuck()
        return str(token.value)

    def _begins_dosing(self) -> bool:
        return self.kind() in (*COUNTED, Kind.SCHEME, Kind.SLOT, Kind.TIME) or self.is_at()

    def _is_extra(self, clause: Clause) -> bool:
        """Return whether a number still belongs to a clause whose length stands already ("for 3 days 3 times a day")."""
        return bool(clause.doses) and not clause.often and not clause.moments and self.number_is_often()

    def _pass(self, clause: Clause, join: str) -> None:
        self.take()

    # ---- what begins with a number

    def _count(self, clause: Clause, join: str) -> None:
        """A dose, a frequency, a length, or the count of a list."""
        if self.is_bare_clock(clause):
            return self.read_moments(clause, join)
        start = self.at
        number = self.read_number()
        if self._count_times(clause, number):
            return None
        if self.kind() in DAY_WORDS:
            self.at = start
            return self.read_length(clause, join)
        if self.kind() is Kind.DOSES:
            return self._list(clause, number)
        self.at = start
        dose = self.read_dose()
        if dose.is_bare:
            self._check_bare(clause, dose, number)
        if clause.doses and (clause.often or clause.scheme) and not clause.moments:
            begin = self.tokens[start - 1 if join else start].start
            follows = self.kind() in (*OFTEN, Kind.SLOT, Kind.TIME, Kind.PRN)
            raise Doubt(begin, self.token.end if follows else dose.end, IN_ADDITION)
        before = clause.items[-1] if clause.items else None
        if isinstance(before, Moment) and before.text == "hs" and not clause.doses:
            raise Doubt(before.start, dose.end, "At night, or half strength?")
        if join and clause.items and isinstance(clause.items[0], Moment) and isinstance(clause.items[-1], Moment):
            raise Doubt(clause.items[-1].start, dose.end, "Which dose goes with which time of day?")
        clause.items.append(dose)
        return None

    def _count_times(self, clause: Clause, number: Number) -> bool:
        """Take a number as how often: "3 times a day", "8 hourly", "3/day"; return whether it is."""
        if self.is_mark("-") and self.kind(1) in (Kind.HOURLY, Kind.TIMES):
            self.take()
        kind = self.kind()
        if kind is Kind.HOURLY:
            self.take()
            self._add_often(clause, number.start, Kind.EVERY, self._hours(number))
        elif kind in (Kind.TIMES, Kind.X) and self.kind(1) not in COUNTED:
            self._times(clause, number)
        elif kind in (Kind.TIMES, Kind.X) and self.vocabulary.counts_before_dose:
            return self._times_before_dose(clause, number)
        elif kind is Kind.TIMES:
            self._times(clause, number)
        elif kind in PER_DAY and clause.doses and not clause.total and not clause.often:
            token = self.take()
            if kind is Kind.DAILY:
                raise Doubt(number.start, token.end, "That many tablets, or that many times a day?")
            self._add_often(clause, number.start, Kind.TIMES, self._counted_times(number))
        else:
            return False
        return True

    def _times(self, clause: Clause, number: Number) -> None:
        """ "3 times a day", "3x daily", "3 x day"."""
        token = self.take()
        if self.kind() in PER_DAY or (self.kind() is Kind.DAY and token.kind is Kind.X):
            self.take()
            return self._add_often(clause, number.start, Kind.TIMES, self._counted_times(number))
        if token.kind is Kind.X:
            raise Doubt(number.start, token.end, "How many times a day, or for how many days?")
        if self.kind() is Kind.UNKNOWN:
            self.stuck("often")
        raise Doubt(number.start, token.end, "How often in a day?")

    def _times_before_dose(self, clause: Clause, number: Number) -> bool:
        """Take "3x1 daily", "3 x 10 mg daily" as so often that dose; return whether it is."""
        start = self.at
        self.take()
        dose = self.read_dose()
        if not self.skip(*PER_DAY) and (number.value != 1 or self.kind() is not Kind.SLOT):
            self.at = start
            return False
        clause.items.append(dose)
        self._add_often(clause, number.start, Kind.TIMES, self._counted_times(number))
        return True

    def _check_bare(self, clause: Clause, dose: Dose, number: Number) -> None:
        """A bare count is tablets where it cannot be milligrams, and a frequency or a time of day goes with it."""
        follows = self.kind()
        if follows is Kind.UNKNOWN or self.is_mark("-/"):
            self.stuck("unit")
        goes_with = (
            follows in (*OFTEN, Kind.SLOT, Kind.TIME, Kind.AT, Kind.PRN, Kind.UP_TO)
            or bool(clause.moments or clause.often)
            or (follows in COUNTED and self.is_often_apart(number))
        )
        if follows is Kind.END and not goes_with and not clause.doses:
            raise Doubt(dose.start, dose.end, "Milligrams or tablets, and how many times a day?")
        is_large = dose.tablets is not None and dose.tablets > LARGEST_BARE_COUNT
        beside_mg = any(other.mg is not None and other.tablets is None for other in clause.doses)
        if not goes_with or is_large or beside_mg:
            end = self.token.end if follows in (*OFTEN, Kind.SLOT, Kind.TIME, Kind.MG) else dose.end
            raise Doubt(dose.start, end, MG_OR_TABLETS)

    def _scheme(self, clause: Clause, join: str) -> None:
        """ "1-0-1", with its unit."""
        if clause.items or clause.scheme or clause.often:
            raise Doubt(self.token.start, self.token.end, IN_ADDITION)
        clause.scheme = self.take()
        clause.scheme_has_unit = self.skip(Kind.TABLET)
        if self.kind() is Kind.MG:
            ask = "Do these stand for morning, midday and night? Write out each dose."
            raise Doubt(clause.scheme.start, self.token.end, ask)

    def _list(self, clause: Clause, number: Number) -> None:
        """ "3 doses a day (10 mg, 5 mg, 10 mg)"."""
        token = self.take()
        if self.kind() not in PER_DAY or not self.is_mark("(", 1):
            self.stuck()
        self.at += 2
        if clause.items:
            raise Doubt(number.start, token.end, IN_ADDITION)
        while not self.is_mark(")"):
            self.skip(Kind.AND)
            if self.kind() not in COUNTED:
                self.stuck()
            clause.items.append(self.read_dose())
        self.take()
        clause.numbered = int(number.value)

    # ---- how often

    def _add_often(self, clause: Clause, start: int, kind: Kind, times: int) -> None:
        often = Often(times, start, self.end, self.plain[start : self.end], kind)
        for other in clause.often:
            if other.times != often.times:
                raise Doubt(other.start, often.end, f"{other.text} or {often.text}: which is right?")
            if other.text == often.text:
                raise Doubt(often.start, often.end, WRITTEN_TWICE)
        clause.often.append(often)

    def _x(self, clause: Clause, join: str) -> None:
        """ "x 3 daily", "x 14 days", "x 2/52"."""
        token = self.take()
        if self.kind() is Kind.LENGTH:
            return self.set_length(clause, token.start, int(self.take().value))
        if self.kind() not in COUNTED:
            self.stuck()
        number = self.read_number()
        if self.skip(*PER_DAY):
            return self._add_often(clause, token.start, Kind.TIMES, self._counted_times(number))
        if self.kind() in DAY_WORDS:
            return self.add_length(clause, token.start, number)
        raise Doubt(token.start, self.end, "How many times a day, or for how many days?")

    def _once(self, clause: Clause, join: str) -> None:
        """ "once a day", "twice daily", "once at night"."""
        token = self.take()
        if self.skip(*PER_DAY):
            return self._add_often(clause, token.start, Kind.TIMES, int(token.value))
        before_moment = self.kind() in (Kind.SLOT, Kind.TIME, Kind.AT)
        behind_moment = bool(clause.moments) and self.kind() in (*BOUNDARIES, Kind.FOR)
        is_other = any(often.times != 1 for often in clause.often)
        if token.value != 1 or is_other or not (before_moment or behind_moment):
            raise Doubt(token.start, token.end, "How often in a day?")
        clause.once = token
        return None

    def _abbreviated(self, clause: Clause, join: str) -> None:
        """ "tds", "od"."""
        token = self.take()
        self._add_often(clause, token.start, token.kind, int(token.value or 1))

    def _per_day(self, clause: Clause, join: str) -> None:
        """ "daily" or "a day" without a count."""
        token = self.take()
        if token.kind is Kind.PER_DAY and not clause.doses and not clause.scheme:
            raise Doubt(token.start, token.end, "What dose each time?")
        if clause.total is not None and clause.total.text == token.text:
            raise Doubt(token.start, token.end, WRITTEN_TWICE)
        clause.total = clause.total or token

    def _interval(self, clause: Clause, join: str) -> None:
        """ "every 8 hours", "q8h", "/8h"."""
        token = self.take()
        if token.kind is Kind.HOURLY:
            raise Doubt(token.start, token.end, "How many times a day?")
        if self.kind() not in COUNTED:
            self.stuck("interval")
        number = self.read_number()
        self.check_range(number)
        if self.kind() in DAY_WORDS:
            raise Doubt(token.start, self.token.end, "Taken each day, or on some days only?", Why.RHYTHM)
        if not self.skip(Kind.HOURS):
            self.stuck("interval")
        number = number._replace(start=token.start)
        self._add_often(clause, token.start, Kind.EVERY, self._hours(number))

    def _hours(self, number: Number) -> int:
        """Times a day of an interval in hours."""
        hours = number.value
        if hours != int(hours) or not 2 <= hours <= HOURS_A_DAY or HOURS_A_DAY % hours:
            interval = self.plain[number.start : self.end].capitalize()
            raise Doubt(number.start, self.end, f"{interval}: how many times in a day is that?")
        return int(HOURS_A_DAY // hours)

    def _counted_times(self, number: Number) -> int:
        if number.value != int(number.value) or not 1 <= number.value <= MOST_TIMES_A_DAY:
            raise Doubt(number.start, self.end, "How many times a day?")
        return int(number.value)

    def _meals(self, clause: Clause, join: str) -> None:
        clause.meals = self.take()
        if join and not clause.often:
            raise Doubt(clause.start, clause.meals.end, "How many times a day?")

    def _as_needed(self, clause: Clause, join: str) -> None:
        token = self.take()
        if clause.prn is not None and clause.prn.text == token.text:
            raise Doubt(token.start, token.end, WRITTEN_TWICE)
        clause.prn = token
        self.skip(Kind.REASON)

    def _limit(self, clause: Clause, join: str) -> None:
        """ "up to 3 times a day" of what is taken when needed, or the most of a day."""
        token = self.take()
        if self.kind() in COUNTED and not self.number_is_often():
            dose = self.read_dose()
            if not self.skip(*PER_DAY) and token.kind is not Kind.MAX_DAILY:
                raise Doubt(token.start, dose.end, "At most how much: which dose, how many times a day?")
            self.caps.append(Cap(dose, token.start, self.end))
            return
        if self.kind() not in (*OFTEN, *COUNTED, Kind.X) or token.kind is Kind.MAX_DAILY:
            self.stuck("limit")
        clause.up_to = token

    def _share(self, clause: Clause, join: str) -> None:
        """ "30 mg a day in 3 divided doses", "divided tid"."""
        token = self.take()
        if clause.total is None or len(clause.doses) != 1 or clause.often or clause.shared:
            raise explain(self.plain, token, token, "")
        clause.shared = token
        if token.kind is Kind.DIVIDED:
            if self.kind() not in (*COUNTED, *OFTEN):
                raise Doubt(token.start, token.end, "In how many doses a day?")
            return
        if self.kind() not in COUNTED:
            self.at -= 1
            self.stuck("share")
        number = self.read_number()
        self.check_range(number)
        if not self.skip(Kind.DOSES):
            self.stuck("share")
        clause.shared_times = self._counted_times(number)

    # ---- brackets

    def _bracket(self, clause: Clause) -> None:
        """What stands in brackets: times of day, a frequency, a reason, or the day's total of a complete dosing."""
        self.take()
        if self.kind() in COUNTED and not self.number_is_often():
            start = self.token.start
            dose = self.read_dose()
            if not self.skip(*PER_DAY, Kind.TOTAL) or not self.is_mark(")") or not (clause.often or clause.moments):
                self.stuck()
            clause.stated_total = (dose, start, self.end)
        elif clause.prn is None or not self.skip(Kind.REASON):
            self._inside(clause)
        if not self.is_mark(")"):
            self.stuck()
        self.take()

    def _inside(self, clause: Clause) -> None:
        join = ""
        while not self.is_mark(")"):
            if self.kind() is Kind.AND or self.is_mark("/-"):
                self.take()
                join = "and"
                continue
            is_known = self.kind() in (*OFTEN, Kind.SLOT, Kind.TIME, Kind.PRN, Kind.MAX, Kind.MAX_DAILY) or self.is_at()
            if not is_known and not (self.kind() in COUNTED and self.number_is_often()):
                self.stuck()
            self._item(clause, join)
            join = ""


_PARTS: Final[dict[Kind, Callable[[ClauseReader, Clause, str], None]]] = {
    **dict.fromkeys(COUNTED, ClauseReader._count),
    Kind.SCHEME: ClauseReader._scheme,
    Kind.SLOT: ClauseReader.read_moments,
    Kind.TIME: ClauseReader.read_moments,
    Kind.X: ClauseReader._x,
    Kind.ONCE: ClauseReader._once,
    Kind.OFTEN: ClauseReader._abbreviated,
    Kind.OD: ClauseReader._abbreviated,
    Kind.DAILY: ClauseReader._per_day,
    Kind.PER_DAY: ClauseReader._per_day,
    Kind.EVERY: ClauseReader._interval,
    Kind.HOURLY: ClauseReader._interval,
    Kind.MEALS: ClauseReader._meals,
    Kind.PRN: ClauseReader._as_needed,
    Kind.UP_TO: ClauseReader._limit,
    Kind.MAX: ClauseReader._limit,
    Kind.MAX_DAILY: ClauseReader._limit,
    Kind.INTO: ClauseReader._share,
    Kind.DIVIDED: ClauseReader._share,
    Kind.FOR: ClauseReader.read_length,
    Kind.FIRST: ClauseReader.read_length,
    Kind.LENGTH: ClauseReader.read_length,
    Kind.BRAND: ClauseReader._pass,
}
"""The reader of each kind of word that a clause may hold."""
