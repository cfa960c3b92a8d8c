"""The whole text: clauses one after the other, changes by steps, and how the course ends."""

from .clauses import Clause, Dose, Step, Text
from .cursor import BOUNDARIES, COUNTED, DAY_WORDS, OFTEN, PER_DAY
from .dosing import ClauseReader
from .doubt import Doubt, Why
from .tokens import Kind, Token, Vocabulary

FROM_WHEN = "Counted from the first day or from the last change?"
WHEN_OR_OFTEN = frozenset({Kind.SLOT, Kind.AT, Kind.TIME, Kind.OCLOCK, Kind.HOURS, *OFTEN})
"""Kinds that may stand between a heading and the dose."""
CUT_SHORT = "What follows? The directions seem to be cut short."


class TextReader(ClauseReader):
    """Reads one text."""

    def __init__(self, plain: str, tokens: list[Token], vocabulary: Vocabulary) -> None:
        super().__init__(plain, tokens, vocabulary)
        self.clauses: list[Clause | Step] = []
        self.is_started = False
        """Whether the text begins with "start" or "begin": its first dose lasts as long as each step after it."""
        self.joined = True
        """Whether "then" or a semicolon stands before the next clause."""

    def read(self) -> Text:
        """Return the clauses of the whole text; raises Doubt at the first word that does not fit."""
        has_heading = self.skip(Kind.HEADING)
        strengths = self._header()
        while self.kind() in (Kind.START, Kind.OPEN_END):
            self.is_started = self.take().value is not None
        is_dated = self.is_span()
        ending: Kind | None = None
        while self.kind() is not Kind.END:
            self.bring_verb_forward()
            if self.kind() in (Kind.STOP, Kind.CONTINUES):
                ending = self._ending()
            elif self.kind() in BOUNDARIES:
                self._boundary()
            else:
                joined = self.joined or ";" in self.token.before
                self.clauses.append(self.read_clause(joined=joined, is_dated=is_dated))
                self.joined = False
        if not self.clauses:
            self.stuck("dose")
        if has_heading and len(self.clauses) == 1:
            raise Doubt(self.tokens[0].start, self.tokens[0].end, "By how much, how often, and down to what dose?")
        return Text(strengths, self.clauses, self.caps, ending is Kind.STOP, ending is Kind.CONTINUES, is_dated)

    @property
    def last(self) -> Clause | Step | None:
        """The clause before this place."""
        return self.clauses[-1] if self.clauses else None

    def _boundary(self) -> None:
        """A word between clauses."""
        kind = self.kind()
        if kind is Kind.CHANGE:
            self.clauses.append(self._change())
            self.joined = False
        elif kind is Kind.AFTER:
            self._wait()
            self.joined = True
        elif kind is Kind.UNTIL_FINISHED:
            self._until_finished()
        elif kind is Kind.OPEN_END or (kind is Kind.THEREAFTER and self.kind(1) is Kind.END):
            self._open_end()
        else:
            token = self.take()
            if not self.clauses or self.kind() is Kind.END:
                raise Doubt(token.start, token.end, CUT_SHORT)
            self.joined = True

    # ---- the front

    def _header(self) -> list[Dose]:
        """The strength in "Baclofen 10 mg tablets:", "Lioresal 10 mg: 1 tablet ..."."""
        has_brand = self._skip_brand()
        if self.kind() is Kind.NUMBER and self.kind(1) is Kind.MG:
            start = self.at
            number, unit = self.take(), self.take()
            has_tablet = self.kind() is Kind.TABLET and not self.is_one_and_part()
            if has_tablet:
                unit = self.take()
            unit_that_follows = self._unit_that_follows()
            if (has_tablet and unit_that_follows) or (has_brand and unit_that_follows is Kind.TABLET):
                return [Dose(number.start, unit.end, tablet_mg=number.value)]
            self.at = start
        return []

    def _skip_brand(self) -> bool:
        has_brand = False
        if self.kind() is Kind.TABLET and self.kind(1) is Kind.BRAND:
            self.take()
        while self.skip(Kind.BRAND):
            has_brand = True
        return has_brand

    def _unit_that_follows(self) -> Kind | None:
        """The unit of the dose that begins here; None where none begins."""
        at = self.at
        while self.tokens[at].kind in (Kind.START, Kind.OPEN_END, Kind.BRAND):
            at += 1
        if ":" in self.tokens[at].before:
            while self._is_before_dose(at):
                at += 1
        if self.tokens[at].kind is Kind.SCHEME:
            return Kind.TABLET
        if self.tokens[at].kind is Kind.NUMBER and self.tokens[at + 1].kind in (Kind.TIMES, Kind.X):
            behind = at + 2 + (self.tokens[at + 2].kind in PER_DAY)
            at = behind if behind < len(self.tokens) and self.tokens[behind].kind in COUNTED else at
        first = at
        if self.tokens[at].kind is Kind.TABLET and self.tokens[at].value == 1:
            at += 1
        while self.tokens[at].kind in (*COUNTED, Kind.AND, Kind.AND_PART):
            at += 1
        kind = self.tokens[at].kind
        if at == first or (kind is Kind.TIMES and at - first < 2):
            return None
        if kind in (Kind.MG, Kind.X):
            return Kind.MG
        return Kind.TABLET if kind in (Kind.TABLET, Kind.TIMES, Kind.SLOT, *OFTEN) else None

    def _is_before_dose(self, at: int) -> bool:
        """Return whether a token belongs to how often or when, in "every 8 hours 1 tablet" and "at 8 am 1 tablet"."""
        token, following = self.tokens[at], self.tokens[at + 1 : at + 2]
        if not following or following[0].before not in ("", "." if token.kind is Kind.HOURS else ""):
            return False
        is_hour = token.kind is Kind.NUMBER and following[0].kind in (Kind.HOURS, Kind.OCLOCK)
        is_at = token.kind is self.vocabulary.at_hour and following[0].kind in (Kind.NUMBER, Kind.TIME)
        return is_hour or is_at or token.kind in WHEN_OR_OFTEN

    # ---- the end

    def _ending(self) -> Kind:
        token = self.take()
        if not self.clauses or self.kind() is not Kind.END:
            raise Doubt(token.start, token.end, "What stops, and what is taken from then on?")
        return token.kind

    def _open_end(self) -> None:
        token = self.take()
        last = self.last
        if not isinstance(last, Clause) or last.has_end or self.kind() is not Kind.END:
            raise Doubt(token.start, token.end, "What is taken from then on?")
        if last.prn is not None and token.text.startswith("regular"):
            raise Doubt(last.prn.start, token.end, "Only when needed, or regularly?")

    def _until_finished(self) -> None:
        token = self.take()
        last = self.last
        if not isinstance(last, Clause) or last.has_end or self.kind() is not Kind.STOP:
            raise Doubt(token.start, token.end, "And then: stop, or a new prescription?")
        last.until_finished = True

    # ---- changes

    def _wait(self, *, change_stands_before: bool = False) -> None:
        """A length of the clause before it: "5 mg tid, after 3 days increase to 10 mg tid"."""
        after = self.take()
        days = self._days()
        where = (after.start, self.end)
        last = self.last
        if not isinstance(last, Clause) or last.has_end:
            raise Doubt(*where, FROM_WHEN)
        if any(isinstance(clause, Clause) and clause.waits for clause in self.clauses):
            raise Doubt(*where, FROM_WHEN)
        if self.kind() is Kind.END:
            raise Doubt(*where, CUT_SHORT)
        is_change = change_stands_before or self.kind() in (Kind.CHANGE, Kind.TO)
        if self.token.before or self.kind() is Kind.THEN or not (is_change or after.before or self.joined):
            raise Doubt(*where, "Until then, or from then on?")
        last.days, last.waits, last.length = days, True, where

    def _days(self) -> int:
        """ "3 days", "a week"."""
        if self.kind() not in COUNTED:
            self.stuck()
        number = self.read_number()
        if self.kind() not in DAY_WORDS or number.value != int(number.value):
            self.stuck()
        return int(number.value) * int(self.take().value or 1)

    def _change(self) -> Clause | Step:
        """ "increase to 10 mg tid", "increase each dose by 5 mg every 3 days"."""
        change = self.take()
        ways: list[bool] = []
        while self.kind() in (Kind.THE_DOSE, Kind.DAILY_DOSE, Kind.EACH_DOSE, Kind.AFTER):
            if self.kind() is Kind.AFTER:
                self._wait(change_stands_before=True)
            elif (kind := self.take().kind) is not Kind.THE_DOSE:
                ways.append(kind is Kind.EACH_DOSE)
        is_open = isinstance(self.last, Clause) and self.last.days is None and self.last.span is None
        unclear = Doubt(change.start, change.end, "For how many days, before this change?", Why.OPEN_END)
        if is_open and self.kind() in (Kind.BY, Kind.INTO, Kind.EVERY, *COUNTED):
            if not self.is_started or len(self.clauses) > 1 or change.value != 1:
                raise unclear
            return self._first_step(change, ways)
        if not self.skip(Kind.TO):
            return self._step(change, ways)
        clause = self.read_clause(joined=True, is_dated=False)
        clause.change, clause.start = change, change.start
        if is_open and not self._wait_behind():
            raise unclear
        return clause

    def _first_step(self, change: Token, ways: list[bool]) -> Step:
        """ "Start 5 mg tid, increase each dose by 5 mg every 3 days to 20 mg tid": the first dose lasts 3 days too."""
        first = self.last
        step = self._step(change, ways)
        assert isinstance(first, Clause)  # the only clause, whose length is open
        first.days, first.length = step.days, (step.start, step.end)
        return step

    def _wait_behind(self) -> bool:
        """Read "after 1 week" behind "increasing to 10 mg tid", at the end of a text; return whether it stands there."""
        if self.kind() is not Kind.AFTER or len(self.clauses) != 1 or not isinstance(self.last, Clause):
            return False
        after = self.take()
        self.last.days = self._days()
        self.last.length = (after.start, self.end)
        return self.kind() is Kind.END

    def _step(self, change: Token, ways: list[bool]) -> Step:
        amount: Dose | None = None
        days: int | None = None
        while True:
            kind = self.kind()
            is_amount = kind in (Kind.BY, Kind.INTO) or (kind in COUNTED and self.vocabulary.changes_by)
            if is_amount and amount is None:
                self.skip(Kind.BY, Kind.INTO)
                if self.kind() not in COUNTED:
                    self.stuck()
                amount = self.read_dose()
            elif kind in (Kind.EACH_DOSE, Kind.DAILY_DOSE) or (kind is Kind.PER_DAY and amount is not None):
                self.take()
                ways.append(kind is Kind.EACH_DOSE)
            elif kind in (Kind.EVERY, Kind.PERIODIC, Kind.DAILY) and days is None:
                days = self._period()
            elif not self.skip(Kind.THE_DOSE):
                break
        where = (change.start, max(self.end, change.end))
        if amount is None or days is None:
            if self.kind() in (Kind.UNKNOWN, Kind.MARK):
                where = (change.start, self.token.end)
            raise Doubt(*where, "By how much does it change, how often, and down or up to what dose?")
        step = Step(*where, change, amount, ways, days)
        if self.skip(Kind.UNTIL, Kind.TO, Kind.UP_TO):
            self._target(step)
        step.end = self.end
        return step

    def _period(self) -> int:
        """Days of "every 3 days", "weekly", "daily"."""
        token = self.take()
        if token.kind is Kind.EVERY:
            return self._days()
        return int(token.value or 1)

    def _target(self, step: Step) -> None:
        """The dose at which steps end, or nothing."""
        if self.skip(Kind.ZERO) or (self.token.text == "off" and self.skip(Kind.STOP)):
            return step.end_at_zero()
        if self.kind() is Kind.NUMBER and not self.token.value and self.kind(1) in (Kind.MG, Kind.END, Kind.THEN):
            self.take()
            self.skip(Kind.MG)
            return step.end_at_zero()
        if self.kind() not in (*COUNTED, *OFTEN):
            self.stuck("dose")
        level = self.read_clause(joined=True, is_dated=False)
        if level.days is not None or level.prn is not None:
            raise Doubt(step.start, self.end, "How long does the last dose last, and what then?")
        if level.total is not None and len(level.doses) == 1 and not level.often:
            step.total = level.doses[0]
        else:
            step.level = level
        return None
