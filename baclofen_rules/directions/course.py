"""The upper half of the grammar made into the phases of a course.

A reduction said by the day ("reduce by 10 mg a day every week") is taken off the largest dose of the day, the earliest
where several are equally large; a rise goes to the smallest, the latest first: the dose at night is the last to fall and
the first to rise. The sentence said back shows what came of it.
"""

import re
from decimal import Decimal
from math import gcd
from typing import NamedTuple

from lark import Token, Tree

from baclofen_rules.regimen import Phase, Regimen

from .doses import Day, DoseReader, Node, count, span
from .doubt import Doubt, Why

LONGEST_DAYS = 730
MOST_STEPS = 60
MOST_CHUNKS = 1000
OFF_THE_STEPS = "The steps do not end at the last dose. What are the last steps?"
SHARE_MG = Decimal(5)
"""A change is shared evenly among the day's doses where each share is a multiple of this: half a 10 mg tablet."""
_DAYS_IN = {"d": 1, "n": 1, "w": 7, "f": 14}
_UP = ("increas", "rais", "titrat")


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


def read_course(tree: Node, doses: DoseReader) -> Understood:
    """The regimen of a parsed text; raises Doubt where it makes no sense."""
    *header, body = [child for child in tree.children if isinstance(child, Tree)]
    for node in header:
        doses.state_strength(node)
    return (_Dated(doses) if body.data == "dated_course" else _Course(doses)).read(body)


class _Course:
    """Phases one after the other, each lasting until the next."""

    def __init__(self, doses: DoseReader) -> None:
        self.doses = doses
        self.parts: list[Part] = []
        self.ends_at_zero = False
        self.waited = False
        self.joined = True
        """Whether a word such as "then" stood before this phase, and not only a comma."""
        self.stops = False
        """Whether the text ends with "then stop"."""

    def read(self, body: Node) -> Understood:
        children = list(body.children)
        ending = self._ending(children)
        self.stops = ending is not None and ending.type == "STOP"
        final = next(child for child in reversed(children) if isinstance(child, Tree))
        for child in children:
            if isinstance(child, Token):
                self.joined = True
                continue
            if self.ends_at_zero:
                raise Doubt(*span(child), "The dose has come down to nothing before this. What follows what?")
            self._bounded_before(child)
            if child.data == "step":
                self._step(child, last=child is final)
            else:
                getattr(self, f"_{child.data}")(child)
            self.joined = False
        return self._understood(body, ending)

    @staticmethod
    def _ending(children: list[Node | Token]) -> Token | None:
        last = children[-1]
        if isinstance(last, Tree) and last.data == "ending":
            children.pop()
            token = last.children[0]
            assert isinstance(token, Token)
            return token
        return None

    def _bounded_before(self, node: Node) -> None:
        if self.parts and self.parts[-1].days is None:
            part = self.parts[-1]
            raise Doubt(part.start, part.end, "For how many days, before what follows?", Why.OPEN_END)

    # ---- one phase each

    def _lasting(self, node: Node) -> None:
        day = self._changed(node)
        token = node.children[-1]
        assert isinstance(token, Token)
        if token.type == "SPAN":
            first, final = days_of_span(token)
            follow_on(first, sum(part.days or 0 for part in self.parts), token)
            self.parts.append(Part(day, None if final is None else final - first + 1, *span(node)))
        else:
            self.parts.append(Part(day, days_of(token), *span(node)))

    def _open(self, node: Node) -> None:
        day = self._changed(node)
        ending = node.children[-1]
        stopped = isinstance(ending, Token) and ending.endswith("finished")
        self.parts.append(Part(day, None, *span(node), until_stopped=stopped))

    def _waits(self, node: Node) -> None:
        day = self._changed(node)
        token = node.children[-1]
        assert isinstance(token, Token)
        if self.waited:
            raise Doubt(*span(token), "Counted from the first day or from the last change?")
        self.waited = True
        self.parts.append(Part(day, days_of(token), *span(node)))

    def _changed(self, node: Node) -> Day:
        """The day's doses, checked against "increase to" or "reduce to" and against a phase merely set beside it."""
        trees = [child for child in node.children if isinstance(child, Tree)]
        day = self.doses.day(trees[-1])
        before = self.parts[-1].day if self.parts else None
        if len(trees) == 1:
            if before is not None and not self.joined and (day.by_the_clock or before.by_the_clock):
                raise Doubt(*span(node), "In addition to what stands before it, or afterwards?")
        elif before is not None:
            change = trees[0].children[0]
            assert isinstance(change, Token)
            if (day.mg > before.mg) != rises(change) or day.mg == before.mg:
                ask = f"{before.mg.normalize():f} mg a day before this and {day.mg.normalize():f} mg a day after it"
                raise Doubt(*span(node), f"{ask}: is it meant to go up or down?")
        return day

    # ---- steps

    def _step(self, node: Node, last: bool) -> None:
        if not self.parts:
            raise Doubt(*span(node), "From which dose, and for how many days before the first step?")
        step = _Step(node, self.doses, self.parts[-1].day, stops=last and self.stops)
        days = step.days
        for at, doses in enumerate(step.levels):
            final = last and not step.to_zero and not self.stops and at == len(step.levels) - 1
            day = Day(doses, *span(node))
            self.parts.append(Part(day, None if final else days, *span(node)))
        self.ends_at_zero = step.to_zero

    # ---- the whole

    def _understood(self, body: Node, ending: Token | None) -> Understood:
        final = self.parts[-1]
        if final.until_stopped != (final.days is None and self.stops):
            raise Doubt(final.start, final.end, "On which day does it stop?", Why.OPEN_END)
        if len(self.parts) > 1 and any(part.day.as_needed for part in self.parts):
            raise Doubt(*span(body), "Which of the doses are taken only when needed, and for how long?")
        if sum(part.days or 0 for part in self.parts) > LONGEST_DAYS:
            raise Doubt(*span(body), "This lasts more than two years. For how many days is it meant?")
        then_stop: bool | None = None
        if self.stops or self.ends_at_zero:
            then_stop = True
        elif final.days is None or ending is not None:
            then_stop = False
        phases = tuple(Phase(tuple(map(_tidy, part.day.doses)), part.days) for part in self.parts)
        return Understood(Regimen(phases, then_stop), final.day.as_needed, final.day.most_mg)


class _Dated(_Course):
    """Phases by the day: "days 1-3: ..., day 4 onwards: ..."."""

    def _dated(self, node: Node) -> None:
        token, dosing = node.children
        assert isinstance(token, Token) and isinstance(dosing, Tree)
        first, final = days_of_span(token)
        follow_on(first, sum(part.days or 0 for part in self.parts), token)
        days = None if final is None else final - first + 1
        self.parts.append(Part(self.doses.day(dosing), days, *span(node)))


class _Step:
    """ "Reduce by 10 mg a day every week": the levels it goes through."""

    def __init__(self, node: Node, doses: DoseReader, before: Day, stops: bool) -> None:
        self.where = span(node)
        self.before = before.doses
        tokens = [child for child in node.children if isinstance(child, Token)]
        trees = [child for child in node.children if isinstance(child, Tree)]
        self.up = rises(tokens[0])
        self.days = 1 if tokens[-1].type == "DAILY" else days_of(tokens[-1])
        self.amount = next(doses.dose(tree) for tree in trees if _is_dose(tree))
        self.by_dose = self._by_dose([str(tree.data) for tree in trees])
        until = next((tree for tree in trees if tree.data.startswith("until_")), None)
        self.target, self.last_doses = self._target(until, doses)
        self.to_zero = (until is not None and until.data == "until_zero") or (until is None and stops)
        self._check_end()
        self.chunk = _chunk(self.before, self.amount)
        if self.amount / self.chunk > MOST_CHUNKS:
            raise Doubt(*self.where, "By how much does each dose change?")
        self.levels = self._levels()

    def _by_dose(self, names: list[str]) -> bool:
        ways = {way for way in names if way in ("by_day", "by_dose")}
        if len(ways) == 1:
            return ways == {"by_dose"}
        if not ways and len(self.before) == 1:
            return False
        raise Doubt(*self.where, f"{self.amount:f} mg of each dose, or of the day's total?")

    def _target(self, until: Node | None, doses: DoseReader) -> tuple[Decimal | None, tuple[Decimal, ...] | None]:
        if until is None or until.data == "until_zero":
            return None, None
        dose = doses.dose(next(child for child in until.children if isinstance(child, Tree)))
        if until.data == "until_total":
            return dose, None
        token = until.children[-1]
        assert isinstance(token, Token)
        level = (dose,) * doses.times(token)
        return sum(level, Decimal(0)), level

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
        if total != self.target or (self.last_doses and len(self.last_doses) != len(doses)):
            raise Doubt(*self.where, OFF_THE_STEPS)
        if self.last_doses:
            levels[-1] = self.last_doses
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


def days_of(token: Token) -> int:
    """The days of "for 3 days", "x 2/52", "every week"; a doubt for none, or for more than two years."""
    short = re.search(r"([0-9]+)/(7|52)$", token)
    if short:
        days = int(short[1]) * (1 if short[2] == "7" else 7)
    else:
        unit = re.search(r"(?<![a-z])(days?|nights?|d|weeks?|weekly|wks?|w|fortnights?)$", token)
        assert unit is not None
        rest = token[: unit.start(1)]
        days = _DAYS_IN[unit[1][0]] * (count(rest) if re.search(_HAS_COUNT, rest) else 1)
    if not 1 <= days <= LONGEST_DAYS:
        raise Doubt(*span(token), "For how many days?")
    return days


_HAS_COUNT = r"[0-9]|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|fourteen|twenty)\b"


def days_of_span(token: Token) -> tuple[int, int | None]:
    """First and last day of "days 1-3" or "week 2 onwards"; the last is None for an open end."""
    numbers = [int(digits) for digits in re.findall(r"[0-9]+", token)]
    size = 7 if "w" in token.replace("onward", "") else 1
    first = (numbers[0] - 1) * size + 1
    if re.search(r"onwards?|after|\+", token) or (token.startswith("from") and len(numbers) == 1):
        return first, None
    final = numbers[-1] * size
    if not 1 <= first <= final <= LONGEST_DAYS:
        raise Doubt(*span(token), "From which day to which day?")
    return first, final


def follow_on(first: int, covered: int, token: Token) -> None:
    """A doubt where a phase does not begin on the day after the last one ended."""
    if first > covered + 1:
        missing = f"day {covered + 1}" if first == covered + 2 else f"days {covered + 1} to {first - 1}"
        raise Doubt(*span(token), f"What is taken on {missing}?", Why.GAP)
    if first <= covered:
        raise Doubt(*span(token), f"Day {first} is named twice. Which dose is taken then?", Why.OVERLAP)


def rises(change: Token) -> bool:
    """Return whether "increase", "titrate", "step down" go up; a doubt where the words contradict each other."""
    word = change.split(" ")
    up = any(part.startswith(_UP) for part in word)
    down = any(part.startswith(("reduc", "decreas", "taper", "lower")) for part in word)
    if (
        ("up" in word and down)
        or ("down" in word and up and "titrat" not in change)
        or not (up or down or word[-1] in ("up", "down"))
    ):
        raise Doubt(*span(change), "Is it meant to go up or down?")
    if word[-1] in ("up", "down"):
        return word[-1] == "up"
    return up


def _is_dose(tree: Node) -> bool:
    return tree.data in ("mg", "mg_in_tablets", "tablets", "tablets_in_mg", "tablets_of")


def _tidy(dose: Decimal) -> Decimal:
    """Ten, not 1E+1 nor 10.0."""
    return Decimal(f"{dose.normalize():f}")
