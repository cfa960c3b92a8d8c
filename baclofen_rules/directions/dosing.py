"""One clause: the dosing of a day and how long it lasts, in whatever order it is written."""

from collections.abc import Callable
from typing import Final

from .clauses import Cap, Clause, Dose, Moment, Number
from .cursor import BOUNDARIES, COUNTED, DAY_WORDS, OFTEN, PER_DAY
from .doubt import Doubt
from .frequency import FrequencyReader
from .questions import DOSES_OR_STEPS, explain
from .tokens import Kind, Token, Vocabulary

LARGEST_BARE_COUNT = 4
"""A larger figure without a unit may be milligrams."""
NIGHT_HOUR = 22
"""The hour by which "on" (every night) is sorted, beside "om" (every morning) or in capitals at the end."""
BEFORE_VERB = frozenset({Kind.BY, Kind.TO, Kind.DAILY_DOSE, Kind.EACH_DOSE, Kind.THE_DOSE})
IN_ADDITION = "In addition to what stands before it, or afterwards?"
MG_OR_TABLETS = "Milligrams or tablets?"


class ClauseReader(FrequencyReader):
    """Reads clauses, and the limits of a day beside them."""

    def __init__(self, plain: str, tokens: list[Token], vocabulary: Vocabulary) -> None:
        super().__init__(plain, tokens, vocabulary)
        self.caps: list[Cap] = []

    def read_clause(self, *, joined: bool, is_dated: bool) -> Clause:
        """The clause that begins here; ``is_dated`` where each begins with its days ("days 1-3: ...")."""
        clause = Clause(self.token.start, joined=joined)
        join = ""
        while self.kind() not in BOUNDARIES:
            if self.token.before and not clause.is_empty and self.bring_verb_forward():
                break
            if self.kind() is Kind.AND or self.is_mark("/+-") or self.is_plus():
                join = self._join(clause)
                continue
            if join == "and" and self.kind() in (
                Kind.OFTEN,
                Kind.OD,
                Kind.ONCE,
                Kind.EVERY,
                Kind.HOURLY,
                Kind.PRN,
                Kind.X,
            ):
                raise Doubt(clause.start, self.token.end, IN_ADDITION)
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
        elif (clause.often or clause.moments) and (self.kind() in (Kind.TOTAL, Kind.DAILY_DOSE) or self.is_mark("=")):
            self._stated_total(clause)
        elif self.token.text == "on" and any(moment.text == "om" for moment in clause.moments):
            self.tokens[self.at] = self.token._replace(kind=Kind.SLOT, value=NIGHT_HOUR)
            self.read_moments(clause, join)
        elif self.is_one_and_part():
            self._one_and_part(clause, join)
        elif self.kind() is Kind.REASON and self.token.text.startswith("for "):
            self.take()
        elif (read := _PARTS.get(self.kind())) is not None:
            read(self, clause, join)
        else:
            self.stuck("often" if clause.doses and not clause.often and not clause.moments else "")

    def bring_verb_forward(self) -> bool:
        """Put "increase" before "by 5 mg every 3 days", where a language has it behind; return whether it did."""
        kind = self.kind()
        is_period = kind is Kind.PERIODIC or (kind is Kind.EVERY and self.kind(2) in DAY_WORDS)
        if not self.vocabulary.verb_is_last or not (is_period or kind in BEFORE_VERB) or self.is_at():
            return False
        for at in range(self.at + 1, len(self.tokens)):
            if self.tokens[at].kind is Kind.CHANGE:
                self.tokens.insert(self.at, self.tokens.pop(at))
                return True
            if self.tokens[at].kind in BOUNDARIES:
                return False
        return False

    def is_plus(self) -> bool:
        """Return whether "+" stands here, which is "onwards" behind a day."""
        return self.kind() is Kind.ONWARDS and self.token.text == "+"

    def _join(self, clause: Clause) -> str:
        """ "and", or a mark between two times of day; "10 mg/8h" is an interval."""
        token = self.token
        if self.is_mark("/") and self.kind(1) is Kind.NUMBER and self.kind(2) is Kind.HOURS:
            self.read_interval(clause, "")
            return ""
        self.take()
        if clause.is_closed:
            raise Doubt(token.start, min(token.end + 40, len(self.plain)), IN_ADDITION)
        if token.kind is Kind.AND or token.text == "+":
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
        if self.is_bare_clock(clause) or self.kind(1) is Kind.OCLOCK:
            return self.read_moments(clause, join)
        start = self.at
        number = self.read_number()
        if self.count_times(clause, number):
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
        if not join and self._is_restated(clause, start):
            return None
        if clause.doses and (clause.often or clause.scheme) and not clause.moments:
            begin = self.tokens[start - 1 if join else start].start
            follows = self.kind() in (*OFTEN, Kind.SLOT, Kind.TIME, Kind.PRN)
            raise Doubt(begin, self.token.end if follows else dose.end, IN_ADDITION)
        if join and clause.often and not clause.doses:
            raise Doubt(clause.often[0].start, clause.often[0].end, "What dose each time?")
        before = clause.items[-1] if clause.items else None
        if isinstance(before, Moment) and before.text == "hs" and not clause.doses:
            raise Doubt(before.start, dose.end, "At night, or half strength?")
        if isinstance(before, Dose) and len(clause.doses) > 1 and not (join or self.tokens[start].before):
            raise Doubt(clause.start, dose.end, DOSES_OR_STEPS)
        if join and clause.items and isinstance(clause.items[0], Moment) and isinstance(clause.items[-1], Moment):
            raise Doubt(clause.items[-1].start, dose.end, "Which dose goes with which time of day?")
        clause.items.append(dose)
        return None

    def _one_and_part(self, clause: Clause, join: str) -> None:
        """ "comprimido y medio": one and a half; the article that is left out is put before the unit."""
        unit = self.token
        article = unit._replace(kind=Kind.ARTICLE, end=unit.start, text="")
        self.tokens[self.at : self.at + 1] = [article, unit._replace(before="")]
        self._count(clause, join)

    def _is_restated(self, clause: Clause, start: int) -> bool:
        """Take a list that says the same again; return whether it does: "1 tablet twice a day, 1 in the morning and 1 at night".

        Behind the count of a day ("3 tablets a day: ...") the list is what is taken, and must come to that count.
        """
        if len(clause.doses) != 1 or clause.moments or clause.prn or bool(clause.often) == bool(clause.total):
            return False
        dose, place = clause.doses[0], self.at
        self.at = start
        try:
            again = self.read_clause(joined=False, is_dated=False)
        except Doubt:
            again = Clause(dose.start)
        is_list = 2 <= len(again.doses) == len(again.moments) and not (again.often or again.prn or again.total)
        if is_list and clause.often:
            amounts = {(other.mg, other.tablets) for other in again.doses}
            is_list = len(again.doses) == clause.often[0].times and amounts == {(dose.mg, dose.tablets)}
        if not is_list or (again.has_end and clause.has_end):
            self.at = place
            return False
        if clause.often:
            clause.items += again.moments
        else:
            clause.stated_total, clause.total = (dose, dose.start, dose.end), None
            clause.items = again.items
        clause.days, clause.length, clause.span = (
            again.days or clause.days,
            again.length or clause.length,
            again.span or clause.span,
        )
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

    def _limit(self, clause: Clause, join: str) -> None:
        """ "up to 3 times a day" of what is taken when needed, or the most of a day."""
        token = self.take()
        if self.kind() in COUNTED and not self.number_is_often():
            dose = self.read_dose()
            if not self.skip(*PER_DAY) and token.kind is not Kind.MAX_DAILY:
                raise Doubt(token.start, dose.end, "At most how much: which dose, how many times a day?")
            self.caps.append(Cap(dose, token.start, self.end))
            return
        if token.kind is Kind.MAX and self.kind() in BOUNDARIES and clause.prn is not None and clause.often:
            return
        if self.kind() not in (*OFTEN, *COUNTED, Kind.X) or token.kind is Kind.MAX_DAILY:
            self.stuck()
        clause.up_to = token

    def _share(self, clause: Clause, join: str) -> None:
        """ "30 mg a day in 3 divided doses", "30 mg in 3 divided doses daily", "divided tid"."""
        token = self.take()
        has_day = clause.total is not None or (self.kind() in COUNTED and self.kind(1) is Kind.DOSES)
        if not has_day or len(clause.doses) != 1 or clause.often or clause.shared:
            raise explain(self.plain, token, token, "")
        clause.shared = token
        if token.kind is Kind.DIVIDED:
            if self.kind() not in (*COUNTED, *OFTEN):
                raise Doubt(token.start, token.end, "In how many doses a day?")
            return
        if self.kind() not in COUNTED:
            self.at -= 1
            self.stuck()
        number = self.read_number()
        self.check_range(number)
        if not self.skip(Kind.DOSES):
            self.stuck()
        clause.shared_times = self.check_times_a_day(number)
        if clause.total is None and self.kind() not in PER_DAY:
            raise Doubt(clause.doses[0].start, self.end, "Is this the amount of a whole day?")

    # ---- brackets

    def _bracket(self, clause: Clause) -> None:
        """Read what stands in brackets: times of day, a frequency, a reason, or the day's total of a complete dosing."""
        self.take()
        is_amount = self.kind() in COUNTED and not self.number_is_often() and self.kind(1) not in DAY_WORDS
        if is_amount and not self.is_bare_clock(clause):
            self._stated_total(clause)
        elif clause.prn is None or not self.skip(Kind.REASON):
            self._inside(clause)
        if not self.is_mark(")"):
            self.stuck()
        self.take()

    def _stated_total(self, clause: Clause) -> None:
        """The sum of a day beside its dosing: "(30 mg/day)", "= 30 mg daily", "total daily dose 30 mg"."""
        start = self.token.start
        says_day = False
        self._pass_equals()
        while self.skip(Kind.TOTAL, Kind.DAILY_DOSE):
            says_day = True
        if says_day:
            self._pass_equals()
        if self.kind() not in COUNTED or not (clause.often or clause.moments):
            self.stuck()
        dose = self.read_dose()
        while self.skip(*PER_DAY, Kind.TOTAL, Kind.DAILY_DOSE):
            says_day = True
        if not says_day or clause.stated_total is not None:
            self.stuck()
        clause.stated_total = (dose, start, self.end)

    def _pass_equals(self) -> None:
        if self.is_mark("="):
            self.take()

    def _inside(self, clause: Clause) -> None:
        join = ""
        while not self.is_mark(")"):
            if self.kind() is Kind.AND or self.is_mark("/-"):
                self.take()
                join = "and"
                continue
            if self.is_bare_clock(clause):
                self.read_moments(clause, join)
                continue
            is_length = self.kind() in COUNTED and self.kind(1) in DAY_WORDS
            is_known = (
                is_length
                or self.kind()
                in (
                    Kind.TOTAL,
                    Kind.DAILY_DOSE,
                    Kind.LENGTH,
                    *OFTEN,
                    Kind.SLOT,
                    Kind.TIME,
                    Kind.PRN,
                    Kind.MAX,
                    Kind.MAX_DAILY,
                )
                or self.is_at()
            )
            if not is_known and not (self.kind() in COUNTED and self.number_is_often()):
                self.stuck()
            self._item(clause, join)
            join = ""


_PARTS: Final[dict[Kind, Callable[[ClauseReader, Clause, str], None]]] = {
    **dict.fromkeys(COUNTED, ClauseReader._count),
    Kind.SCHEME: ClauseReader._scheme,
    Kind.SLOT: ClauseReader.read_moments,
    Kind.TIME: ClauseReader.read_moments,
    Kind.X: ClauseReader.read_x,
    Kind.ONCE: ClauseReader.read_once,
    Kind.OFTEN: ClauseReader.read_abbreviated,
    Kind.OD: ClauseReader.read_abbreviated,
    Kind.DAILY: ClauseReader.read_per_day,
    Kind.PER_DAY: ClauseReader.read_per_day,
    Kind.EVERY: ClauseReader.read_interval,
    Kind.HOURLY: ClauseReader.read_interval,
    Kind.MEALS: ClauseReader.read_meals,
    Kind.PRN: ClauseReader.read_as_needed,
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
