"""The search for a course with the tablets in stock."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple

from baclofen_rules.case import Action, Case, Fill, Order, Relation
from baclofen_rules.directions.course import LONGEST_DAYS
from baclofen_rules.facts import PatientFacts
from baclofen_rules.findings import Found
from baclofen_rules.planning.bounds import ZERO, Bounds, whole
from baclofen_rules.planning.model import CannotPlan, Kind, Pace, Plan
from baclofen_rules.planning.stock import Stock
from baclofen_rules.regimen import Phase, Regimen
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount

PROVED_BY: Final = frozenset(
    {
        "ceiling",
        "daily-maximum",
        "dose-per-weight",
        "frequency",
        "measurable-dose",
        "single-dose",
        "starting-dose",
        "strength",
        "taper-duration",
        "taper-interval",
        "taper-step",
        "tenfold",
        "titration-interval",
        "titration-step",
        "unit",
    }
)
"""The rules about dose, titration, taper and tablets. The usual range is for information, and a taper leaves it."""
TIMES_OF_DAY: Final[dict[int, tuple[str | None, ...]]] = {
    1: ("bedtime",),
    2: ("morning", "bedtime"),
    3: ("morning", "midday", "bedtime"),
    4: ("morning", "midday", "evening", "bedtime"),
}
"""When the doses of a taper are taken: the last one to be left is that of the night."""
ABOUT_TABLETS: Final = frozenset({"measurable-dose", "strength", "unit"})
"""Those of them that look at the tablets of one strength."""


class Wish(NamedTuple):
    """The wish for a plan: the doses today, how many a day, and where it ends."""

    before: tuple[Decimal, ...] | None
    times: int
    days: int | None
    end: Decimal
    step_mg: Decimal | None
    interval_days: int = 1
    """The fewest days at a level."""
    pace: Pace = Pace.GENTLE
    planned_days: int = 0
    """The days of a taper to nothing where none are wished."""


class Planner:
    """One strength's way to a plan, or that of two strengths together."""

    kind: Kind

    def __init__(self, limits: Bounds, stock: Stock, wish: Wish) -> None:
        self.limits, self.stock, self.wish = limits, stock, wish
        self.fewest, self.most_times = limits.doses_allowed()
        highest = max(sum(wish.before or (), ZERO), wish.end)
        fitting = whole(highest / limits.max_single_mg)  # doses a day so that none is too large
        self.times = max(self.fewest, min(max(wish.times, fitting), self.most_times))
        self._splits: dict[Decimal, tuple[Decimal, ...] | None] = {}

    def split(self, total: Decimal) -> tuple[Decimal, ...] | None:
        """A day's total as doses, as many a day as today; more of them where one would be too large."""
        if total not in self._splits:
            ways = (self.stock.split(total, self.fewest, times) for times in range(self.times, self.most_times + 1))
            self._splits[total] = next((doses for doses in ways if doses is not None), None)
        return self._splits[total]

    def levels(self, start: Decimal, end: Decimal) -> list[Decimal]:
        """Daily totals between ``start`` (left out) and ``end`` that the tablets give and no limit forbids; lowest first."""
        lowest, highest = min(start, end), max(start, end)
        totals = self.stock.totals(highest, self.most_times)
        inside = [
            level for level in totals if level <= self.limits.max_mg and (lowest < level < highest or level == end)
        ]
        return [level for level in inside if not level or self.split(level)]

    def path(
        self, start: Decimal, moves: Iterable[int], follows: Mapping[Decimal, list[Decimal]], is_small_first: bool
    ) -> list[Decimal] | None:
        """Levels from ``start`` (left out) to the wished end, in the first number of ``moves`` with which there is a way.

        ``follows`` are the levels that may follow each level. The best way has the smallest steps, then the most even days, then the
        larger steps at the beginning; without ``is_small_first`` the most even days come first.
        """
        end = self.wish.end
        uneven = {level: len(set(self.split(level) or ())) > 1 for level in follows}

        @cache
        def best(at: Decimal, left: int) -> tuple[tuple[Any, ...], tuple[Decimal, ...]] | None:
            if not left:
                return ((ZERO, ZERO, ZERO), ()) if at == end else None
            ways = []
            for level in follows[at]:
                rest = best(level, left - 1)
                if rest is not None:
                    size = abs(at - level)
                    (first, second, late), levels_after = rest
                    costs = (size * size, Decimal(uneven[level]))
                    more = costs if is_small_first else costs[::-1]
                    ways.append(((first + more[0], second + more[1], late - left * size), (level, *levels_after)))
            return min(ways) if ways else None

        for count in moves:
            way = best(start, count)
            if way is not None:
                return list(way[1])
        return None

    def prove(self, phases: list[Phase], then_stop: bool) -> Plan | CannotPlan:
        """Return the plan, or a refusal where a rule finds fault with it."""
        profile = self.limits.profile
        days = sum(phase.days or 0 for phase in phases)
        if days > LONGEST_DAYS:
            return CannotPlan("days", str(days), f"at most {LONGEST_DAYS} days")
        packed = {dose: self.stock.pack(dose) or () for phase in phases for dose in phase.doses}
        plan = Plan(self.kind, Regimen(tuple(phases), then_stop), packed, profile.name, profile.digest, self.wish.pace)
        objection = next(find_objections(plan, self.limits, self.wish.before), None)
        return (
            plan if objection is None else CannotPlan("plan", objection.words.summary, "a course that the rules accept")
        )

    @property
    def tablets(self) -> str:
        strengths = " and ".join(format_amount(strength) for strength in self.stock.strengths)
        return f"{'whole ' * self.could_be_halved}{strengths} mg tablets"

    @property
    def could_be_halved(self) -> bool:
        """Return whether the profile lets a tablet be halved that the wish keeps whole."""
        return any(
            self.limits.find_smallest_dose(strength) < unit
            for strength, unit in zip(self.stock.strengths, self.stock.units, strict=True)
        )

    @property
    def other_tablets(self) -> str:
        """The tablets that would make a way."""
        return f"{'halves, ' * self.could_be_halved}a smaller strength or a liquid from the prescriber"

    def words_of_no_steps(self, step: Decimal) -> str:
        unit = format_amount(min(self.stock.units))
        return f"with {self.tablets} no steps of at most {format_amount(step)} mg a day lead there in doses of {unit} mg or a multiple"

    def refuse_step(self, step: Decimal, most: Decimal, leads_there: Callable[[Decimal], Any]) -> CannotPlan | None:
        """Return a refusal of a wished step where one of a larger step would lead there; ``most`` is the largest that the profile allows."""
        if self.wish.step_mg is None:
            return None
        unit = min(self.stock.units)
        larger = (step // unit + 1) * unit
        while larger <= most:
            if leads_there(larger):
                expected = f"at least {format_amount(larger)} mg a day with {self.tablets}"
                return CannotPlan("step", f"at most {format_amount(step)} mg a day", expected, larger)
            larger += unit
        return None


class TaperPlanner(Planner):
    kind = Kind.TAPER

    def __init__(self, limits: Bounds, stock: Stock, wish: Wish, held_days: int | None) -> None:
        super().__init__(limits, stock, wish)
        self.held_days = held_days

    def plan(self) -> Plan | CannotPlan:
        wish, limits = self.wish, self.limits
        assert wish.before is not None  # a taper always starts from today's doses
        start, to_zero = sum(wish.before, ZERO), not wish.end
        step = limits.max_fall_mg if wish.step_mg is None else min(wish.step_mg, limits.max_fall_mg)
        shortest = max(limits.min_fall_days, wish.interval_days)
        least_days = limits.min_taper_days if to_zero else 0
        if to_zero and start <= limits.stop_free_mg:
            return CannotPlan(
                "today's dose",
                f"{format_amount(start)} mg a day",
                f"no taper: {format_amount(limits.stop_free_mg)} mg a day and less may end at once",
            )
        hold_days = 0 if self.held_days is None or self.held_days >= limits.min_fall_days else limits.min_fall_days
        levels = self.levels(start, wish.end)
        is_fast = wish.pace is Pace.FAST
        least_moves, most_moves = (2 if to_zero else 1), len(levels)
        if hold_days and any(self.stock.pack(dose) is None for dose in wish.before):
            return CannotPlan("strengths", f"{self.tablets} do not give today's doses", "a strength that measures them")
        least_first = range(least_moves, most_moves + 1)
        follows = self._follows(start, levels, step, is_gentle=False)
        quickest = self.path(start, least_first, follows, is_small_first=not is_fast)
        if quickest is None:
            return self._refuse(start, levels, step, least_first)
        least = max(least_days, shortest * (len(quickest) - 1)) + hold_days
        if wish.days is not None and wish.days < least:
            return CannotPlan("days", str(wish.days), f"at least {least} days from this dose", least)
        days = self._days(start, max(least_days, shortest), hold_days)
        way: list[Decimal] | None = quickest
        if not is_fast:
            fitting = max(least_moves, min(most_moves, days // shortest + int(to_zero or wish.days is not None)))
            longer = range(fitting + 1, most_moves + 1) if wish.days is None else ()
            moves = [*range(fitting, least_moves - 1, -1), *longer]
            gentle = self._follows(start, levels, step, is_gentle=True)  # in too few days they may lead nowhere
            way = self.path(start, moves, gentle, is_small_first=True)
            way = way or self.path(start, moves, follows, is_small_first=True)
        assert way is not None  # the quickest is one of them
        timed = way[:-1]
        total = days if wish.days is not None else max(days, shortest * len(timed)) if to_zero else 0
        phases = [
            self._phase(level, length) for level, length in zip(timed, _share(total, len(timed), shortest), strict=True)
        ]
        if not to_zero:
            phases.append(self._phase(wish.end, None))
        return self._hold(wish.before, hold_days, phases) if hold_days else self.prove(phases, then_stop=to_zero)

    def _hold(self, doses: tuple[Decimal, ...], days: int, phases: list[Phase]) -> Plan | CannotPlan:
        """Return the plan that begins with days at today's doses, which were only just changed."""
        to_zero = not self.wish.end
        plan = self.prove([Phase(doses, days), *phases], then_stop=to_zero)
        if isinstance(plan, CannotPlan) and isinstance(self.prove(phases, then_stop=to_zero), Plan):
            return CannotPlan("held days", f"{self.held_days} at today's dose: {plan.given}", words_of_hold(days))
        return plan

    def _days(self, start: Decimal, least: int, hold_days: int) -> int:
        """Return the days to the end, without those of a hold: those wished, the planned ones, or the fewest.

        Of a way that ends above nothing it is its part of them.
        """
        wish = self.wish
        if wish.days is not None:
            return wish.days - hold_days
        if wish.pace is Pace.FAST:
            return least
        planned = wish.planned_days * (2 if wish.pace is Pace.SLOW else 1)
        return max(least, int(planned * (start - wish.end) / start))

    def _follows(
        self, start: Decimal, levels: list[Decimal], step: Decimal, is_gentle: bool
    ) -> dict[Decimal, list[Decimal]]:
        """For each level those that may come after it: no step above the limit, no single dose that rises; a gentle step is a part of
        a small dose, or the smallest that the tablets give."""
        limits = self.limits
        largest = {level: max(self.split(level) or (ZERO,)) for level in levels}
        largest[start] = max(self.wish.before or (ZERO,))
        follows = {}
        for at in {start, *levels}:
            below = [level for level in levels if level < at and at - level <= step and largest[level] <= largest[at]]
            if is_gentle and at <= limits.book.terms.gentle_from_mg_per_day and below:
                part = at * limits.book.terms.gentle_part
                gentle = [level for level in below if at - level <= part and (level or at <= limits.stop_free_mg)]
                below = gentle or [max(below)]
            follows[at] = below
        return follows

    def _refuse(self, start: Decimal, levels: list[Decimal], step: Decimal, moves: range) -> CannotPlan:
        """Return why there is no way, and what would make one."""
        below = [level for level in levels if level]
        largest = max(self.wish.before or (ZERO,))

        def find_way(larger: Decimal) -> list[Decimal] | None:
            return self.path(start, moves, self._follows(start, levels, larger, is_gentle=False), is_small_first=True)

        too_small = self.refuse_step(step, self.limits.max_fall_mg, find_way)
        if too_small is not None:
            return too_small
        if self.wish.end and self.split(self.wish.end) is None:
            reason = f"{self.tablets} do not give {format_amount(self.wish.end)} mg a day"
        elif not below:
            reason = f"{self.tablets} give no daily dose between {format_amount(self.wish.end)} and {format_amount(start)} mg"
        elif all(max(self.split(level) or (ZERO,)) > largest for level in below):
            reason = f"with {self.tablets} a single dose would rise above today's {format_amount(largest)} mg"
        else:
            reason = self.words_of_no_steps(step)
        return CannotPlan("strengths", reason, self.other_tablets)

    def _phase(self, level: Decimal, days: int | None) -> Phase:
        doses = self.split(level)
        assert doses is not None  # only such levels are on the way
        return Phase(doses, days, times=TIMES_OF_DAY.get(len(doses)))


def words_of_hold(days: int) -> str:
    """Return what has to happen before the first step down from a dose that the rules ask about."""
    return f"{days} days at this dose before the first step down: ask the prescriber to sign them, and plan after them"


def _share(days: int, levels: int, shortest: int) -> list[int]:
    """Days at each level: as equal as can be, what is over at the beginning."""
    if not levels:
        return []
    days_each, over = divmod(max(days, shortest * levels), levels)
    return [days_each + 1] * over + [days_each] * (levels - over)


class TitrationPlanner(Planner):
    kind = Kind.TITRATION

    def __init__(self, limits: Bounds, stock: Stock, wish: Wish, target: tuple[Decimal, ...]) -> None:
        super().__init__(limits, stock, wish)
        self.target = target

    def plan(self) -> Plan | CannotPlan:
        wish, limits = self.wish, self.limits
        if any(self.stock.pack(dose) is None for dose in self.target):
            reason = f"{self.tablets} do not give {', '.join(format_amount(dose) for dose in self.target)} mg"
            return CannotPlan("strengths", reason, self.other_tablets)
        step = limits.max_rise_mg if wish.step_mg is None else min(wish.step_mg, limits.max_rise_mg)
        shortest = max(limits.min_rise_days, wish.interval_days)
        start = sum(wish.before or (), ZERO)
        levels = self.levels(start, wish.end)
        max_start = limits.max_start_mg if wish.before is None else None
        way = self._find_way(start, levels, step, max_start)
        if way is None:
            return self._refuse(start, levels, step, max_start)
        rest = None if wish.days is None else wish.days - shortest * (len(way) - 1)
        if rest is not None and rest < 1:
            least = shortest * (len(way) - 1) + 1
            return CannotPlan("days", str(wish.days), f"at least {least} days", least)
        phases = [Phase(self.split(level) or (), shortest) for level in way[:-1]]
        return self.prove([*phases, Phase(self.target, rest)], then_stop=False)

    def _find_way(
        self, start: Decimal, levels: list[Decimal], step: Decimal, max_start: Decimal | None
    ) -> list[Decimal] | None:
        """Levels up to the target, the first of at most ``max_start`` where nothing was taken before.

        With two strengths none has a single dose above the last one.
        """
        most = max(self.target)
        fitting = [level for level in levels if not self.stock.is_mixed or max(self.split(level) or (ZERO,)) <= most]
        follows = {at: [level for level in fitting if ZERO < level - at <= step] for at in {start, *levels}}
        if max_start is not None:
            follows[start] = [level for level in fitting if start < level <= max_start]
        return self.path(start, range(1, len(levels) + 1), follows, is_small_first=False)

    def _refuse(self, start: Decimal, levels: list[Decimal], step: Decimal, max_start: Decimal | None) -> CannotPlan:
        """Return why there is no way, and what would make one."""
        too_small = self.refuse_step(
            step, self.limits.max_rise_mg, lambda larger: self._find_way(start, levels, larger, max_start)
        )
        if too_small is not None:
            return too_small
        reason = self.words_of_no_steps(step)
        if max_start is not None and self._find_way(start, levels, step, self.wish.end):
            in_doses = f" in at least {self.fewest} doses" if self.fewest > 1 else ""
            reason = f"{self.tablets} give no start of at most {format_amount(max_start)} mg a day{in_doses}"
        return CannotPlan("strengths", reason, self.other_tablets)


def find_objections(plan: Plan, limits: Bounds, before: tuple[Decimal, ...] | None) -> Iterator[Found]:
    """Yield the findings of the rules about the plan, for a patient who has taken the doses ``before`` all along.

    A prescription names one strength. A plan with two is asked about as a whole for its doses, and by strength for its tablets.
    """
    history: tuple[Fill, ...] = ()
    if before is not None:
        held_days = max(limits.min_fall_days, limits.min_rise_days)
        began = limits.on - timedelta(days=held_days)
        history = (Fill(began, before, held_days, Relation.SAME_COURSE, None, began),)
    single = plan.strengths[0] if len(plan.strengths) == 1 else None
    yield from _check_course(plan.regimen, single, limits, history, PROVED_BY)
    if single is None:
        for strength in plan.strengths:
            yield from _check_course(plan.part(strength), strength, limits, (), ABOUT_TABLETS)


def _check_course(
    course: Regimen, strength: Decimal | None, limits: Bounds, history: tuple[Fill, ...], codes: frozenset[str]
) -> Iterator[Found]:
    order = Order(
        written_on=limits.on,
        route="oral",
        form="tablet",
        strength_mg=strength,
        brand=None,
        phases=course.phases,
        starts=(None,) * len(course.phases),
        then_stop=course.then_stop,
        directions=None,
        quantity=None,
        repeats=None,
    )
    patient = PatientFacts(age_years=limits.age, weight_kg=limits.weight)
    terms = Terms(Case(limits.on, Action.DISPENSE, patient, order, None, history, None), limits.book.terms)
    for bound in limits.book.rules[Action.DISPENSE]:
        if bound.rule.code in codes:
            yield from (finding for finding in bound.rule.check(terms, bound.limits) if isinstance(finding, Found))
