"""Proposes a taper or a titration that the rules accept.

Fewest changes of dose within the profile's steps and intervals; where that leaves a choice, days with even doses, then one
tablet strength rather than two, then steps of equal size, the larger ones first when going down. Two strengths in one
course are easily mixed up, and a prescription names one: they are used together only where that saves a change of dose
or an uneven day, and the plan then says which tablets are taken when. Halves only where the profile lets the tablet be
halved, and none at all for a patient who cannot halve tablets. Every plan is put to the rules before it is given out: one that
they would question is not a plan.
"""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

from baclofen_rules.planning.bounds import ZERO, Bounds
from baclofen_rules.planning.model import CannotPlan, Kind, Plan
from baclofen_rules.planning.planners import PROVED_BY, TaperPlanner, TitrationPlanner, Wish
from baclofen_rules.planning.stock import halves
from baclofen_rules.profiles import Profile
from baclofen_rules.text import format_amount

MOST_NAMED: Final = 3
"""Steps above the maximum that are written out, and the last."""
__all__ = ["PROVED_BY", "CannotPlan", "Kind", "Plan", "plan_taper", "plan_titration"]


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
    weight_kg: Decimal | None = None,
    whole_tablets: bool = False,
    together: int = 2,
) -> Plan:
    """A taper from one day's ``doses`` (mg) to nothing, or to ``last_mg_per_day``, which then goes on.

    ``days`` is the wished length, ``step_mg`` the wished largest step a day; without them the shortest that the profile
    allows, with as few steps as possible. An unknown age is planned for as the strictest. ``held_days`` says how long
    today's dose has been taken, where it is known to be short. ``whole_tablets`` leaves out every half; ``together`` is how many
    strengths one plan may use. Raises CannotPlan.
    """
    limits = Bounds(profile, on, age_years, weight_kg)
    current = sum(doses, ZERO)
    if last_mg_per_day is not None and not ZERO < last_mg_per_day < current:
        raise CannotPlan(
            "last dose", f"{format_amount(last_mg_per_day)} mg a day", f"below {format_amount(current)} mg a day"
        )
    wish = Wish(tuple(doses), len(doses), days, last_mg_per_day or ZERO, step_mg)
    _refuse_above_maximum(current, limits, limits.fall if step_mg is None else min(step_mg, limits.fall), held_days)
    stocks = limits.stocks(strengths_mg, whole_tablets, together)
    plans = [TaperPlanner(limits, stock, wish, held_days).plan() for stock in stocks]
    return _best(plans, f"from {format_amount(current)} mg a day")


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
    whole_tablets: bool = False,
    together: int = 2,
) -> Plan:
    """A titration up to one day's ``doses`` (mg), from nothing or from the doses ``before``.

    ``days`` is the length of the whole course; without it the last dose goes on. ``step_mg`` is the wished largest step
    a day. Where a profile has no step for a child, the smallest step that it has is kept. ``whole_tablets`` and ``together`` as
    for a taper. Raises CannotPlan.
    """
    limits = Bounds(profile, on, age_years, weight_kg)
    wish = Wish(None if before is None else tuple(before), len(doses), days, sum(doses, ZERO), step_mg)
    _refuse_target(doses, sum(before or (), ZERO), limits)
    stocks = limits.stocks(strengths_mg, whole_tablets, together)
    plans = [TitrationPlanner(limits, stock, wish, tuple(doses)).plan() for stock in stocks]
    return _best(plans, f"to {format_amount(wish.end)} mg a day")


def _best(plans: list[Plan | CannotPlan], asked: str) -> Plan:
    """The plan with the fewest changes, the most even days and the fewest tablets; the first reason where there is none."""
    good = [plan for plan in plans if isinstance(plan, Plan)]
    if good:
        return min(good, key=_plan_cost)
    reason = next(plan for plan in plans if isinstance(plan, CannotPlan))
    raise CannotPlan(reason.field, f"{reason.given} ({asked})", reason.expected)


def _plan_cost(plan: Plan) -> tuple[Any, ...]:
    phases, packed = plan.regimen.phases, plan.packed
    broken = sum(halves(packed[dose]) for phase in phases for dose in phase.doses)
    uneven = sum(not phase.is_even for phase in phases)
    counts = [sum(tablets.number for dose in phase.doses for tablets in packed[dose]) for phase in phases]
    a_day = Decimal(max(counts)).to_integral_value(rounding=ROUND_CEILING)
    return (len(phases), uneven, len(plan.strengths), a_day, broken, [-strength for strength in plan.strengths])


def _refuse_target(doses: Sequence[Decimal], before: Decimal, limits: Bounds) -> None:
    """A target that the rules would question, or that is no rise."""
    total, times = sum(doses, ZERO), len(doses)
    fewest, most_times = limits.doses_allowed()
    age = "the strictest, as the age is unknown" if limits.age is None else f"at {format_amount(limits.age)} years"
    if total > limits.most:
        raise CannotPlan(
            "target", f"{format_amount(total)} mg a day", f"at most {format_amount(limits.most)} mg a day ({age})"
        )
    if total > limits.top:
        raise CannotPlan(
            "target", f"{format_amount(total)} mg a day", f"at most {format_amount(limits.top)} mg a day at this weight"
        )
    if max(doses) > limits.single:
        raise CannotPlan(
            "target", f"{format_amount(max(doses))} mg", f"at most {format_amount(limits.single)} mg at one time"
        )
    if times > most_times or (times < fewest and limits.age is not None):
        raise CannotPlan("target", f"{times} doses a day", f"{fewest} to {most_times} doses a day ({age})")
    if before >= total:
        raise CannotPlan("target", f"{format_amount(total)} mg a day", "above the dose before")


def _refuse_above_maximum(current: Decimal, limits: Bounds, step: Decimal, held_days: int | None) -> None:
    """A dose so far above the maximum that one step does not come down to it: what to do first, and from where to plan."""
    top, least = limits.top, limits.fall_days
    if current <= top:
        return
    bridge = []
    level = current - step
    while level > top:
        bridge.append(level)
        level -= step
    is_short = held_days is not None and held_days < least
    if not bridge and not is_short:
        return
    maximum = f"{format_amount(top)} mg a day, the maximum here"
    if is_short:
        raise CannotPlan(
            "held days",
            f"{held_days} at {format_amount(current)} mg a day, which is above {maximum}",
            f"{least} days at this dose before the first step down: ask the prescriber to sign them, and plan after them",
        )
    steps = ", ".join(format_amount(level) for level in bridge[:-1][:MOST_NAMED])
    steps += (", ..., " if len(bridge) > MOST_NAMED + 1 else ", " if steps else "") + format_amount(bridge[-1])
    raise CannotPlan(
        "today's dose",
        f"{format_amount(current)} mg a day, more than one step of {format_amount(step)} mg above {maximum}",
        f"no sudden stop: ask the prescriber to sign {steps} mg a day, at least {least} days each, above the maximum; "
        f"then plan from {format_amount(bridge[-1])} mg a day",
    )
