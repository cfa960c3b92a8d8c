"""The search for a course with the tablets in stock."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple

from baclofen_rules.case import Action, Case, Fill, Order, Relation
from baclofen_rules.facts import PatientFacts
from baclofen_rules.findings import Found
from baclofen_rules.planning.bounds import ZERO, Bounds
from baclofen_rules.planning.model import CannotPlan, Kind, Plan
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
ABOUT_TABLETS: Final = frozenset({"measurable-dose", "strength", "unit"})
"""Those of them that look at the tablets of one strength."""


class Wish(NamedTuple):
    """The wish for a plan: the doses today, how many a day, and where it ends."""

    before: tuple[Decimal, ...] | None
    times: int
    days: int | None
    end: Decimal
    step_mg: Decimal | None


class Planner:
    """One strength's way to a plan, or that of two strengths together."""

    kind: Kind
    doses_at: Callable[[Decimal], tuple[Decimal, ...]]
    """The doses at a level that those of the next one may not be larger than."""

    def __init__(self, limits: Bounds, stock: Stock, wish: Wish) -> None:
        self.limits, self.stock, self.wish = limits, stock, wish
        self.fewest, self.most_times = limits.doses_allowed()
        self.times = max(self.fewest, min(wish.times, self.most_times))

    def split(self, total: Decimal) -> tuple[Decimal, ...] | None:
        """A day's total as doses, as many a day as today; more of them where one would be too large."""
        ways = (self.stock.split(total, self.fewest, times) for times in range(self.times, self.most_times + 1))
        return next((doses for doses in ways if doses is not None), None)

    def enlarges_dose(self, at: Decimal, level: Decimal) -> bool:
        """Return whether a second strength makes a single dose larger: than the one before it on the way down, or than the last
        one on the way up. Who takes 10 mg at a time is not given the 25 mg tablet to take less in a day."""
        if not self.stock.is_mixed or not level:
            return False
        return max(self.split(level) or (ZERO,)) > max(self.doses_at(at))

    def path(
        self, start: Decimal, end: Decimal, first: Decimal, step: Decimal, least_moves: int
    ) -> list[Decimal] | None:
        """Levels from ``start`` (left out) to ``end`` in as few moves as possible, none above ``step``."""
        down = end < start
        lowest, highest = min(start, end), max(start, end)
        totals = [level for level in self.stock.totals(highest, self.most_times) if level <= self.limits.top]
        inside = [level for level in totals if lowest < level < highest or level == end]
        allowed = [level for level in inside if not level or self.split(level)]

        @cache
        def best(at: Decimal, moves: int) -> tuple[tuple[Any, ...], tuple[Decimal, ...]] | None:
            if not moves:
                return ((0, ZERO, ZERO), ()) if at == end else None
            ways = []
            for level in allowed:
                size = at - level if down else level - at
                if not ZERO < size <= (first if at == start else step) or self.enlarges_dose(at, level):
                    continue
                rest = best(level, moves - 1)
                if rest is not None:
                    doses = self.split(level) or (ZERO,)
                    (uneven, squares, late), levels_after = rest
                    cost = (uneven + (len(set(doses)) > 1), squares + size * size, late - moves * size)
                    ways.append((cost, (level, *levels_after)))
            return min(ways) if ways else None

        for moves in range(least_moves, len(allowed) + 1):
            way = best(start, moves)
            if way is not None:
                return list(way[1])
        return None

    def refuse_steps(self, step: Decimal) -> CannotPlan:
        """Return the refusal for a course without a path."""
        tablets = " and ".join(format_amount(strength) for strength in self.stock.strengths)
        unit = format_amount(min(self.stock.units))
        reason = f"with {tablets} mg tablets no steps of at most {format_amount(step)} mg a day lead there"
        return CannotPlan(
            "strengths", reason, f"doses of {unit} mg or a multiple; a smaller strength or a liquid from the prescriber"
        )

    def prove(self, phases: list[Phase], then_stop: bool) -> Plan | CannotPlan:
        """Return the plan, or a refusal where a rule finds fault with it."""
        profile = self.limits.profile
        packed = {dose: self.stock.pack(dose) or () for phase in phases for dose in phase.doses}
        plan = Plan(self.kind, Regimen(tuple(phases), then_stop), packed, profile.name, profile.digest)
        objection = next(_find_objections(plan, self.limits, self.wish.before), None)
        return (
            plan if objection is None else CannotPlan("plan", objection.words.summary, "a course that the rules accept")
        )


class TaperPlanner(Planner):
    kind = Kind.TAPER

    def __init__(self, limits: Bounds, stock: Stock, wish: Wish, held_days: int | None) -> None:
        super().__init__(limits, stock, wish)
        self.held_days = held_days
        today = wish.before or ()
        self.doses_at = lambda level: today if level == sum(today, ZERO) else self.split(level) or today

    def plan(self) -> Plan | CannotPlan:
        wish, limits = self.wish, self.limits
        assert wish.before is not None  # a taper always starts from today's doses
        step = limits.fall if wish.step_mg is None else min(wish.step_mg, limits.fall)
        to_zero = not wish.end
        levels = self.path(sum(wish.before, ZERO), wish.end, step, step, 2 if to_zero else 1)
        if levels is None:
            return self.refuse_steps(step)
        timed = levels[:-1]
        lengths = self._lengths(len(timed), limits.taper_days if to_zero else 0)
        if isinstance(lengths, CannotPlan):
            return lengths
        phases = [self._phase(level, days) for level, days in zip(timed, lengths, strict=True)]
        if not to_zero:
            phases.append(self._phase(wish.end, None))
        if self.held_days is not None and self.held_days < limits.fall_days:
            if any(self.stock.pack(dose) is None for dose in wish.before):
                return self.refuse_steps(step)
            phases.insert(0, Phase(wish.before, limits.fall_days))
        return self.prove(phases, then_stop=to_zero)

    def _phase(self, level: Decimal, days: int | None) -> Phase:
        doses = self.split(level)
        assert doses is not None  # only such levels are on the path
        return Phase(doses, days)

    def _lengths(self, levels: int, least: int) -> list[int] | CannotPlan:
        """Days at each level: equal without a wish; with one, the first levels get what is over."""
        shortest = self.limits.fall_days
        wished = self.wish.days
        if wished is None:
            return [max(shortest, -(-least // levels))] * levels if levels else []
        if wished < max(least, shortest * levels):
            return CannotPlan("days", str(wished), f"at least {max(least, shortest * levels)} days from this dose")
        shortest_length, over = divmod(wished, levels) if levels else (0, 0)
        return [shortest_length + 1] * over + [shortest_length] * (levels - over)


class TitrationPlanner(Planner):
    kind = Kind.TITRATION

    def __init__(self, limits: Bounds, stock: Stock, wish: Wish, target: tuple[Decimal, ...]) -> None:
        super().__init__(limits, stock, wish)
        self.target = target
        self.doses_at = lambda level: target

    def plan(self) -> Plan | CannotPlan:
        wish, limits = self.wish, self.limits
        if any(self.stock.pack(dose) is None for dose in self.target):
            tablets = " and ".join(format_amount(strength) for strength in self.stock.strengths)
            reason = f"{tablets} mg tablets do not give {', '.join(format_amount(dose) for dose in self.target)} mg"
            return CannotPlan("strengths", reason, "a strength that measures the target")
        step = limits.rise if wish.step_mg is None else min(wish.step_mg, limits.rise)
        start = sum(wish.before or (), ZERO)
        levels = self.path(start, wish.end, limits.start if wish.before is None else step, step, 1)
        if levels is None:
            return self.refuse_steps(step)
        rest = None if wish.days is None else wish.days - limits.rise_days * (len(levels) - 1)
        if rest is not None and rest < 1:
            return CannotPlan("days", str(wish.days), f"more than {limits.rise_days * (len(levels) - 1)} days")
        phases = [Phase(self.split(level) or (), limits.rise_days) for level in levels[:-1]]
        return self.prove([*phases, Phase(self.target, rest)], then_stop=False)


def _find_objections(plan: Plan, limits: Bounds, before: tuple[Decimal, ...] | None) -> Iterator[Found]:
    """Yield the findings of the rules about the plan, for a patient who has taken the doses ``before`` all along.

    A prescription names one strength. A plan with two is asked about as a whole for its doses, and by strength for its tablets.
    """
    history: tuple[Fill, ...] = ()
    if before is not None:
        held_days = max(limits.fall_days, limits.rise_days)
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
