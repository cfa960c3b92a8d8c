"""Proposes a taper or a titration that the rules accept.

Fewest changes of dose within the profile's steps and intervals; where that leaves a choice, days with even doses, then
steps of equal size, the larger ones first when going down. One tablet strength throughout, because two strengths in one
course are easily mixed up; halves only where the profile lets the tablet be halved. Every plan is put to the rules before
it is given out: one that they would question is not a plan.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from functools import cache
from typing import Any, Final, NamedTuple

from baclofen_rules.case import Action, Case, Fill, Order, PatientFacts, Relation
from baclofen_rules.findings import Found
from baclofen_rules.profiles import Profile
from baclofen_rules.profiles.limits import Bands
from baclofen_rules.regimen import Phase, Regimen, plain
from baclofen_rules.rulebook import RuleBook, rulebook
from baclofen_rules.sentences import say_directions
from baclofen_rules.supply import tablets_for
from baclofen_rules.terms import Terms

__all__ = ["CannotPlan", "Kind", "Plan", "plan_taper", "plan_titration"]

FORMAT: Final = "baclofen-plan/1"
ZERO: Final = Decimal(0)
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


class Kind(StrEnum):
    """Which way a plan goes."""

    TAPER = "taper"
    TITRATION = "titration"


class CannotPlan(ValueError):
    """No course keeps the rules with these wishes: ``field``, what was ``given``, what is ``expected``."""

    def __init__(self, field: str, given: str, expected: str) -> None:
        super().__init__(f"{field}: {given}; {expected}")
        self.field, self.given, self.expected = field, given, expected


@dataclass(frozen=True, slots=True)
class Plan:
    """A proposed course, with the tablets that it takes."""

    kind: Kind
    regimen: Regimen
    strength_mg: Decimal
    """The one strength of the whole course."""
    profile: str
    digest: str
    """Of the profile whose rules it keeps."""

    @property
    def tablets(self) -> dict[Decimal, Decimal]:
        """Whole tablets by strength (mg), for all phases of known length."""
        needed = tablets_for(self.regimen.phases, self.strength_mg)
        return {self.strength_mg: needed.to_integral_value(rounding=ROUND_CEILING)}

    @property
    def sentence(self) -> str:
        """The directions in one sentence, which reads back as the same course."""
        return say_directions(self.regimen)

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON, amounts as strings; ``phases`` and ``then_stop`` fit into a prescription of a case."""
        return {
            "format": FORMAT,
            "kind": str(self.kind),
            "phases": [
                {"doses": [plain(dose) for dose in phase.doses], "unit": str(phase.unit), "days": phase.days}
                for phase in self.regimen.phases
            ],
            "then_stop": self.regimen.then_stop,
            "days": self.regimen.total_days,
            "tablets": [
                {"strength_mg": plain(strength), "quantity": plain(quantity)}
                for strength, quantity in self.tablets.items()
            ],
            "sentence": self.sentence,
            "profile": {"name": self.profile, "digest": self.digest},
        }


def plan_taper(
    doses: Sequence[Decimal],
    strengths_mg: Sequence[Decimal],
    profile: Profile,
    on: date,
    *,
    age_years: Decimal | None = None,
    days: int | None = None,
    last_mg_per_day: Decimal | None = None,
    step_mg: Decimal | None = None,
    held_days: int | None = None,
) -> Plan:
    """A taper from one day's ``doses`` (mg) to nothing, or to ``last_mg_per_day``, which then goes on.

    ``days`` is the wished length, ``step_mg`` the wished largest step a day; without them the shortest that the profile
    allows, with as few steps as possible. An unknown age is planned for as the strictest. ``held_days`` says how long
    today's dose has been taken, where it is known to be short. Raises CannotPlan.
    """
    limits = _Limits(profile, on, age_years, None)
    current = sum(doses, ZERO)
    if last_mg_per_day is not None and not ZERO < last_mg_per_day < current:
        raise CannotPlan("last dose", f"{plain(last_mg_per_day)} mg a day", f"below {plain(current)} mg a day")
    wish = _Wish(tuple(doses), len(doses), days, last_mg_per_day or ZERO, step_mg)
    plans = [_Taper(limits, strength, wish, held_days).plan() for strength in limits.usable(strengths_mg)]
    return _best(plans, f"from {plain(current)} mg a day")


def plan_titration(
    doses: Sequence[Decimal],
    strengths_mg: Sequence[Decimal],
    profile: Profile,
    on: date,
    *,
    before: Sequence[Decimal] | None = None,
    age_years: Decimal | None = None,
    weight_kg: Decimal | None = None,
    days: int | None = None,
    step_mg: Decimal | None = None,
) -> Plan:
    """A titration up to one day's ``doses`` (mg), from nothing or from the doses ``before``.

    ``days`` is the length of the whole course; without it the last dose goes on. ``step_mg`` is the wished largest step
    a day. Where a profile has no step for a child, the smallest step that it has is kept. Raises CannotPlan.
    """
    limits = _Limits(profile, on, age_years, weight_kg)
    wish = _Wish(None if before is None else tuple(before), len(doses), days, sum(doses, ZERO), step_mg)
    if wish.end > limits.most:
        age = "the strictest, as the age is unknown" if age_years is None else f"at {plain(age_years)} years"
        raise CannotPlan("target", f"{plain(wish.end)} mg a day", f"at most {plain(limits.most)} mg a day ({age})")
    if sum(before or (), ZERO) >= wish.end:
        raise CannotPlan("target", f"{plain(wish.end)} mg a day", "above the dose before")
    plans = [_Titration(limits, strength, wish, tuple(doses)).plan() for strength in limits.usable(strengths_mg)]
    return _best(plans, f"to {plain(wish.end)} mg a day")


class _Wish(NamedTuple):
    """What is asked of a plan: the doses today, how many a day, and where it ends."""

    before: tuple[Decimal, ...] | None
    times: int
    days: int | None
    end: Decimal
    step_mg: Decimal | None


class _Limits:
    """The profile's numbers for one patient; an unknown age gets the strictest of all ages."""

    def __init__(self, profile: Profile, on: date, age: Decimal | None, weight: Decimal | None) -> None:
        self.profile, self.on, self.age, self.weight = profile, on, age, weight
        self.book: RuleBook = rulebook(profile, on)
        self.rules = {bound.rule.code: bound.limits for bound in self.book.rules[Action.DISPENSE]}

    def usable(self, strengths: Sequence[Decimal]) -> list[Decimal]:
        """The strengths in stock that the profile knows."""
        known = self.rules["strength"].strengths_mg
        usable = [strength for strength in dict.fromkeys(strengths) if strength in known]
        if not usable:
            given = ", ".join(plain(strength) for strength in strengths) or "none"
            raise CannotPlan("strengths", f"{given} mg", f"{' or '.join(plain(one) for one in known)} mg")
        return usable

    def grid(self, strength: Decimal) -> Decimal:
        """The smallest dose that the tablet gives."""
        return strength / 2 if strength in self.rules["measurable-dose"].halvable_mg else strength

    @property
    def fall(self) -> Decimal:
        return Decimal(self.rules["taper-step"].max_fall_mg_per_day)

    @property
    def fall_days(self) -> int:
        return _whole(self.rules["taper-interval"].min_days)

    @property
    def taper_days(self) -> int:
        return _whole(self._at(self.rules["taper-duration"].min_days, max) or ZERO)

    @property
    def rise(self) -> Decimal:
        bands = self.rules["titration-step"].max_rise_mg_per_day
        step = self._at(bands, min)
        return step if step is not None else min(limit for _, limit in bands.rows if limit is not None)

    @property
    def rise_days(self) -> int:
        return _whole(self._at(self.rules["titration-interval"].min_days, max) or ZERO)

    @property
    def start(self) -> Decimal:
        """The highest daily dose to begin with."""
        terms = self.book.terms
        fixed = self._at(terms.start_mg_per_day, min)
        per_kg = self._at(terms.start_mg_per_kg_per_day, min)
        if fixed is not None:
            return fixed
        if per_kg is None:
            return self.most
        if self.weight is None:
            raise CannotPlan("weight", "unknown", "the weight in kg: the start goes by it at this age")
        return per_kg * self.weight * (1 + terms.start_rounding)

    @property
    def most(self) -> Decimal:
        """The daily maximum."""
        most = self._at(self.book.terms.max_mg_per_day, min)
        assert most is not None  # every profile has a maximum for every age it admits
        return most

    def doses_allowed(self) -> tuple[int, int]:
        """The fewest and the most doses a day; with an unknown age the patient keeps their own times."""
        frequency = self.rules["frequency"]
        fewest, most = self._at(frequency.min_per_day, max), self._at(frequency.max_per_day, max)
        return _whole(fewest or Decimal(1)), _whole(most or Decimal(24))

    @property
    def single(self) -> Decimal:
        return Decimal(self.rules["single-dose"].max_mg)

    def _at(self, bands: Bands[Decimal], strictest: Any) -> Decimal | None:
        if self.age is not None:
            return bands.at(self.age)
        known = [limit for _, limit in bands.rows if limit is not None]
        return strictest(known) if known else None


class _Planner:
    """One strength's way to a plan."""

    kind: Kind

    def __init__(self, limits: _Limits, strength: Decimal, wish: _Wish) -> None:
        self.limits, self.strength, self.wish = limits, strength, wish
        self.grid = limits.grid(strength)
        self.fewest, most = limits.doses_allowed()
        self.times = max(self.fewest, min(wish.times, most))

    def split(self, total: Decimal) -> tuple[Decimal, ...] | None:
        """A day's total as doses that the tablet gives, as even as can be, the larger ones later in the day."""
        units = int(total / self.grid)
        if units * self.grid != total or not units:
            return None
        times = min(self.times, units)
        small, larger = divmod(units, times)
        doses = (small * self.grid,) * (times - larger) + ((small + 1) * self.grid,) * larger
        return None if times < self.fewest or doses[-1] > self.limits.single else doses

    def path(
        self, start: Decimal, end: Decimal, first: Decimal, step: Decimal, least_moves: int
    ) -> list[Decimal] | None:
        """Levels from ``start`` (left out) to ``end`` in as few moves as possible, none above ``step``."""
        down = end < start
        lowest, highest = min(start, end), max(start, end)
        on_grid = [level * self.grid for level in range(int(highest / self.grid) + 1)]
        inside = [level for level in on_grid if lowest < level < highest or level == end]
        allowed = [level for level in inside if not level or self.split(level)]

        @cache
        def best(at: Decimal, moves: int) -> tuple[tuple[Any, ...], tuple[Decimal, ...]] | None:
            if not moves:
                return ((0, ZERO, ZERO), ()) if at == end else None
            found = []
            for level in allowed:
                size = at - level if down else level - at
                if not ZERO < size <= (first if at == start else step):
                    continue
                rest = best(level, moves - 1)
                if rest is not None:
                    doses = self.split(level) or (ZERO,)
                    (uneven, squares, late), levels_after = rest
                    cost = (uneven + (len(set(doses)) > 1), squares + size * size, late - moves * size)
                    found.append((cost, (level, *levels_after)))
            return min(found) if found else None

        for moves in range(least_moves, len(allowed) + 1):
            way = best(start, moves)
            if way is not None:
                return list(way[1])
        return None

    def no_steps(self, step: Decimal) -> CannotPlan:
        """Why there is no path."""
        given = f"with {plain(self.strength)} mg tablets no steps of at most {plain(step)} mg a day lead there"
        return CannotPlan("strengths", given, f"doses of {plain(self.grid)} mg or a multiple, or a smaller strength")

    def made(self, phases: list[Phase], then_stop: bool) -> Plan | CannotPlan:
        """The plan, if the rules have nothing to say about it."""
        profile = self.limits.profile
        plan = Plan(self.kind, Regimen(tuple(phases), then_stop), self.strength, profile.name, profile.digest)
        found = next(_questioned(plan, self.limits, self.wish.before), None)
        return plan if found is None else CannotPlan("plan", found.summary, "a course that the rules accept")


class _Taper(_Planner):
    kind = Kind.TAPER

    def __init__(self, limits: _Limits, strength: Decimal, wish: _Wish, held_days: int | None) -> None:
        super().__init__(limits, strength, wish)
        self.held_days = held_days

    def plan(self) -> Plan | CannotPlan:
        wish, limits = self.wish, self.limits
        assert wish.before is not None  # a taper always starts from today's doses
        step = limits.fall if wish.step_mg is None else min(wish.step_mg, limits.fall)
        to_zero = not wish.end
        levels = self.path(sum(wish.before, ZERO), wish.end, step, step, 2 if to_zero else 1)
        if levels is None:
            return self.no_steps(step)
        timed = levels[:-1]
        lengths = self._lengths(len(timed), limits.taper_days if to_zero else 0)
        if isinstance(lengths, CannotPlan):
            return lengths
        phases = [self._phase(level, days) for level, days in zip(timed, lengths, strict=True)]
        if not to_zero:
            phases.append(self._phase(wish.end, None))
        if self.held_days is not None and self.held_days < limits.fall_days:
            phases.insert(0, Phase(wish.before, limits.fall_days))
        return self.made(phases, then_stop=to_zero)

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
        each, over = divmod(wished, levels) if levels else (0, 0)
        return [each + 1] * over + [each] * (levels - over)


class _Titration(_Planner):
    kind = Kind.TITRATION

    def __init__(self, limits: _Limits, strength: Decimal, wish: _Wish, target: tuple[Decimal, ...]) -> None:
        super().__init__(limits, strength, wish)
        self.target = target

    def plan(self) -> Plan | CannotPlan:
        wish, limits = self.wish, self.limits
        if any(dose % self.grid for dose in self.target):
            given = f"{plain(self.strength)} mg tablets do not give {', '.join(plain(dose) for dose in self.target)} mg"
            return CannotPlan("strengths", given, "a strength that measures the target")
        step = limits.rise if wish.step_mg is None else min(wish.step_mg, limits.rise)
        start = sum(wish.before or (), ZERO)
        levels = self.path(start, wish.end, limits.start if wish.before is None else step, step, 1)
        if levels is None:
            return self.no_steps(step)
        rest = None if wish.days is None else wish.days - limits.rise_days * (len(levels) - 1)
        if rest is not None and rest < 1:
            return CannotPlan("days", str(wish.days), f"more than {limits.rise_days * (len(levels) - 1)} days")
        phases = [Phase(self.split(level) or (), limits.rise_days) for level in levels[:-1]]
        return self.made([*phases, Phase(self.target, rest)], then_stop=False)


def _best(plans: list[Plan | CannotPlan], asked: str) -> Plan:
    """The plan with the fewest changes, the most even days and the fewest tablets; the first reason where there is none."""
    good = [plan for plan in plans if isinstance(plan, Plan)]
    if good:
        return min(good, key=_burden)
    reason = next(plan for plan in plans if isinstance(plan, CannotPlan))
    raise CannotPlan(reason.field, f"{reason.given} ({asked})", reason.expected)


def _burden(plan: Plan) -> tuple[Any, ...]:
    phases = plan.regimen.phases
    halves = sum(1 for phase in phases for dose in phase.doses if dose % plan.strength_mg)
    uneven = sum(not phase.is_even for phase in phases)
    a_day = max(phase.mg_per_day for phase in phases) / plan.strength_mg
    return (len(phases), uneven, a_day.to_integral_value(rounding=ROUND_CEILING), halves, -plan.strength_mg)


def _questioned(plan: Plan, limits: _Limits, before: tuple[Decimal, ...] | None) -> Iterator[Found]:
    """What the rules would say about the plan, for a patient who has taken the doses ``before`` all along."""
    on = limits.on
    history: tuple[Fill, ...] = ()
    if before is not None:
        held = max(limits.fall_days, limits.rise_days)
        began = on - timedelta(days=held)
        history = (Fill(began, before, held, Relation.SAME_COURSE, plan.strength_mg, began),)
    phases = plan.regimen.phases
    order = Order(
        written_on=on,
        route="oral",
        form="tablet",
        strength_mg=plan.strength_mg,
        brand=None,
        phases=phases,
        starts=(None,) * len(phases),
        then_stop=plan.regimen.then_stop,
        directions=None,
        quantity=None,
        repeats=None,
    )
    patient = PatientFacts(age_years=limits.age, weight_kg=limits.weight)
    terms = Terms(Case(on, Action.DISPENSE, patient, order, None, history, None), limits.book.terms)
    for bound in limits.book.rules[Action.DISPENSE]:
        if bound.rule.code in PROVED_BY:
            yield from (said for said in bound.rule.check(terms, bound.limits) if isinstance(said, Found))


def _whole(days: Decimal) -> int:
    return int(days.to_integral_value(rounding=ROUND_CEILING))
