"""Clauses made into the phases of a course.

A reduction said by the day ("reduce by 10 mg a day every week") is taken off the largest dose of the day, the earliest
where several are equally large; a rise goes to the smallest, the latest first: the dose at night is the last to fall and
the first to rise. The sentence said back shows what came of it.
"""

from decimal import Decimal
from math import gcd
from typing import NamedTuple

from baclofen_rules.regimen import Phase, Regimen
from baclofen_rules.text import format_amount

from .clauses import Clause, Step, Text
from .doses import Day, DoseReader
from .doubt import Doubt, Why

LONGEST_DAYS = 730
MOST_STEPS = 60
MOST_CHUNKS = 1000
OFF_THE_STEPS = "The steps do not end at the last dose. What are the last steps?"
SHARE_MG = Decimal(5)
"""A change is shared evenly among the day's doses where each share is a multiple of this: half a 10 mg tablet."""


class Understood(NamedTuple):
    """The regimen and limits that the whole text gives."""

    regimen: Regimen
    as_needed: bool
    most_mg_per_day: Decimal | None


class Part(NamedTuple):
    """One phase while the course is put together; ``days`` is None as long as nothing says how long it lasts."""

    day: Day
    days: int | None
    start: int
    end: int
    until_stopped: bool = False


def read_course(text: Text, doses: DoseReader) -> Understood:
    """The regimen of a text; raises Doubt where it makes no sense."""
    for strength in text.strengths:
        doses.state_strength(strength)
    return _Course(text, doses).read()


class _Course:
    """Phases one after the other, each lasting until the next."""

    def __init__(self, text: Text, doses: DoseReader) -> None:
        self.text = text
        self.doses = doses
        self.parts: list[Part] = []
        self.ends_at_zero = False
        self.fault: Doubt | None = None
        """The first day that is left out or named twice."""

    def read(self) -> Understood:
        for clause in self.text.clauses:
            if self.ends_at_zero:
                raise Doubt(
                    clause.start, clause.end, "The dose has come down to nothing before this. What follows what?"
                )
            if self.parts and self.parts[-1].days is None:
                part = self.parts[-1]
                raise Doubt(part.start, part.end, "For how many days, before what follows?", Why.OPEN_END)
            if isinstance(clause, Step):
                self._step(clause, last=clause is self.text.clauses[-1])
            else:
                self._phase(clause)
        return self._understood()

    def _phase(self, clause: Clause) -> None:
        day = self._changed(clause)
        days = clause.days
        if clause.span is not None:
            first, final, start, end = clause.span
            if not 1 <= first <= (final or first) <= LONGEST_DAYS:
                raise Doubt(start, end, "From which day to which day?")
            self._follow_on(first, start, end)
            days = None if final is None else final - first + 1
        if days is not None and not 1 <= days <= LONGEST_DAYS:
            start, end = clause.length or (clause.start, clause.end)
            raise Doubt(start, end, "For how many days?")
        self.parts.append(Part(day, days, clause.start, clause.end, clause.until_finished))

    def _changed(self, clause: Clause) -> Day:
        """The day's doses, checked against "increase to" or "reduce to" and against a phase merely set beside it."""
        day = self.doses.day(clause)
        before = self.parts[-1].day if self.parts else None
        if before is None:
            return day
        if clause.change is None:
            is_apart = clause.joined or self.text.is_dated or self._goes_down(clause, day, before)
            is_apart = is_apart or self._has_same_times(clause)
            if not is_apart and (day.by_the_clock or before.by_the_clock):
                raise Doubt(clause.start, clause.end, "In addition to what stands before it, or afterwards?")
        elif not clause.change.value or (day.mg > before.mg) != (clause.change.value > 0) or day.mg == before.mg:
            ask = f"{format_amount(before.mg)} mg a day before this and {format_amount(day.mg)} mg a day after it"
            raise Doubt(clause.start, clause.end, f"{ask}: is it meant to go up or down?")
        return day

    def _goes_down(self, clause: Clause, day: Day, before: Day) -> bool:
        """Return whether a phase with its length goes on with a taper of several to nothing."""
        return self.text.stops and clause.days is not None and len(self.parts) > 1 and day.mg < before.mg

    def _has_same_times(self, clause: Clause) -> bool:
        """Return whether the clause before it ended, and named the same times of day: another dose takes its place."""
        before = self.text.clauses[self.text.clauses.index(clause) - 1]
        if not isinstance(before, Clause) or not before.has_end or not clause.has_end:
            return False
        minutes, earlier = ({moment.minutes for moment in other.moments} for other in (clause, before))
        return bool(minutes) and minutes == earlier

    def _follow_on(self, first: int, start: int, end: int) -> None:
        """Note a phase that does not begin on the day after the last one ended."""
        covered = sum(part.days or 0 for part in self.parts)
        if self.fault is not None or first == covered + 1:
            return
        if first > covered + 1:
            missing = f"day {covered + 1}" if first == covered + 2 else f"days {covered + 1} to {first - 1}"
            self.fault = Doubt(start, end, f"What is taken on {missing}?", Why.GAP)
        else:
            self.fault = Doubt(start, end, f"Day {first} is named twice. Which dose is taken then?", Why.OVERLAP)

    def _step(self, step: Step, last: bool) -> None:
        if not self.parts:
            raise Doubt(step.start, step.end, "From which dose, and for how many days before the first step?")
        changes = _Steps(step, self.doses, self.parts[-1].day, stops=last and self.text.stops)
        for at, doses in enumerate(changes.levels):
            final = last and not changes.to_zero and not self.text.stops and at == len(changes.levels) - 1
            day = Day(doses, step.start, step.end, times=changes.times_of(at))
            self.parts.append(Part(day, None if final else step.days, step.start, step.end))
        self.ends_at_zero = changes.to_zero

    # ---- the whole

    def _understood(self) -> Understood:
        final = self.parts[-1]
        where = (self.parts[0].start, final.end)
        stops = self.text.stops
        if final.until_stopped != (final.days is None and stops):
            raise Doubt(final.start, final.end, "On which day does it stop?", Why.OPEN_END)
        if len(self.parts) > 1 and any(part.day.as_needed for part in self.parts):
            raise Doubt(*where, "Which of the doses are taken only when needed, and for how long?")
        if sum(part.days or 0 for part in self.parts) > LONGEST_DAYS:
            raise Doubt(*where, "This lasts more than two years. For how many days is it meant?")
        most_mg = self.doses.most_mg(self.text.caps, max((part.day for part in self.parts), key=lambda day: day.mg))
        then_stop: bool | None = None
        if stops or self.ends_at_zero:
            then_stop = True
        elif final.days is None or self.text.continues:
            then_stop = False
        phases = tuple(Phase(tuple(map(_tidy, part.day.doses)), part.days, times=part.day.times) for part in self.parts)
        regimen = Regimen(phases, then_stop)
        if self.fault is not None:
            self.fault.regimen = regimen
            raise self.fault
        return Understood(regimen, final.day.as_needed, most_mg)


class _Steps:
    """ "Reduce by 10 mg a day every week": the levels it goes through."""

    def __init__(self, step: Step, doses: DoseReader, before: Day, stops: bool) -> None:
        self.where = (step.start, step.end)
        self.before = before.doses
        self.times = before.times
        if not step.change.value:
            raise Doubt(step.change.start, step.change.end, "Is it meant to go up or down?")
        if not 1 <= step.days <= LONGEST_DAYS:
            raise Doubt(*self.where, "For how many days?")
        self.up = step.change.value > 0
        self.amount = doses.mg(step.amount)
        self.by_dose = self._by_dose(step.ways)
        self.target: Decimal | None = None if step.total is None else doses.mg(step.total)
        self.last_day = None if step.level is None else doses.day(step.level)
        if self.last_day is not None:
            self.target = self.last_day.mg
        self.to_zero = step.to_zero or (self.target is None and stops)
        self._check_end()
        self.chunk = _chunk(self.before, self.amount)
        if self.amount / self.chunk > MOST_CHUNKS:
            raise Doubt(*self.where, "By how much does each dose change?")
        self.levels = self._levels()

    def times_of(self, level: int) -> tuple[str | None, ...] | None:
        """Return the times of a level's doses: of the last level those that the text names for it.

        Otherwise, of the doses of a day the earliest fall away first, of single ones nobody says which.
        """
        if level == len(self.levels) - 1 and self.last_day is not None and self.last_day.times is not None:
            return self.last_day.times
        count = len(self.levels[level])
        if self.times is None or (self.by_dose and count < len(self.times)):
            return None
        return self.times[len(self.times) - count :]

    def _by_dose(self, ways: list[bool]) -> bool:
        if len(set(ways)) == 1:
            return ways[0]
        if not ways and len(self.before) == 1:
            return False
        raise Doubt(*self.where, f"{self.amount:f} mg of each dose, or of the day's total?")

    def _check_end(self) -> None:
        if self.to_zero and self.up:
            raise Doubt(*self.where, "Up, and then to nothing? Up to what dose?")
        if self.target is None and not self.to_zero:
            raise Doubt(*self.where, f"{'Up' if self.up else 'Down'} to what dose, and what then?", Why.OPEN_END)
        if self.target is not None and (self.target > sum(self.before)) != self.up:
            raise Doubt(*self.where, "The last dose lies on the other side of the first. Up or down?")

    def _levels(self) -> list[tuple[Decimal, ...]]:
        levels: list[tuple[Decimal, ...]] = []
        doses = self.before
        while True:
            doses = self._next(doses)
            if not doses:
                if self.to_zero:
                    return levels
                raise Doubt(*self.where, OFF_THE_STEPS)
            levels.append(doses)
            total = sum(doses, Decimal(0))
            if self.target is not None and (total >= self.target if self.up else total <= self.target):
                break
            if len(levels) > MOST_STEPS:
                raise Doubt(*self.where, f"That is more than {MOST_STEPS} steps. How large is each?")
        if total != self.target or (self.last_day is not None and len(self.last_day.doses) != len(doses)):
            raise Doubt(*self.where, OFF_THE_STEPS)
        if self.last_day is not None:
            levels[-1] = self.last_day.doses
        return levels

    def _next(self, doses: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
        if self.by_dose:
            change = self.amount if self.up else -self.amount
            return tuple(dose + change for dose in doses if dose + change > 0)
        spread = _raised if self.up else _lowered
        return spread(doses, self.amount, self.chunk)


def _lowered(doses: tuple[Decimal, ...], amount: Decimal, chunk: Decimal) -> tuple[Decimal, ...]:
    """``amount`` taken off, ``chunk`` by ``chunk``: always off the largest dose, the earliest of equals."""
    left = list(doses)
    for _ in range(int(amount / chunk)):
        if not left:
            break
        at = left.index(max(left))
        left[at] -= chunk
        if not left[at]:
            del left[at]
    return tuple(left)


def _raised(doses: tuple[Decimal, ...], amount: Decimal, chunk: Decimal) -> tuple[Decimal, ...]:
    """``amount`` added, ``chunk`` by ``chunk``: always to the smallest dose, the latest of equals."""
    more = list(doses)
    for _ in range(int(amount / chunk)):
        at = max(range(len(more)), key=lambda place: (-more[place], place))
        more[at] += chunk
    return tuple(more)


def _chunk(doses: tuple[Decimal, ...], amount: Decimal) -> Decimal:
    """The largest amount that every dose and the change are whole multiples of; an even share where one can be taken."""
    parts = [*doses, amount]
    share = amount / len(doses)
    if share % SHARE_MG == 0:
        parts.append(share)
    return Decimal(gcd(*(int(part * 100) for part in parts))) / 100


def _tidy(dose: Decimal) -> Decimal:
    """Ten, not 1E+1 nor 10.0."""
    return Decimal(f"{dose.normalize():f}")
