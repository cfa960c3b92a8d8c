"""Proposes a taper or a titration that the rules accept.

Fewest changes of dose within the profile's steps and intervals; where that leaves a choice, days with even doses, then
steps of equal size, the larger ones first when going down. One tablet strength throughout, because two strengths in one
course are easily mixed up; halves only where the profile lets the tablet be halved. Every plan is put to the rules before
it is given out: one that they would question is not a plan.
"""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any

from baclofen_rules.plan.bounds import ZERO, Bounds
from baclofen_rules.plan.model import CannotPlan, Kind, Plan
from baclofen_rules.plan.planners import PROVED_BY, TaperPlanner, TitrationPlanner, Wish
from baclofen_rules.profiles import Profile
from baclofen_rules.regimen import plain

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
) -> Plan:
    """A taper from one day's ``doses`` (mg) to nothing, or to ``last_mg_per_day``, which then goes on.

    ``days`` is the wished length, ``step_mg`` the wished largest step a day; without them the shortest that the profile
    allows, with as few steps as possible. An unknown age is planned for as the strictest. ``held_days`` says how long
    today's dose has been taken, where it is known to be short. Raises CannotPlan.
    """
    limits = Bounds(profile, on, age_years, None)
    current = sum(doses, ZERO)
    if last_mg_per_day is not None and not ZERO < last_mg_per_day < current:
        raise CannotPlan("last dose", f"{plain(last_mg_per_day)} mg a day", f"below {plain(current)} mg a day")
    wish = Wish(tuple(doses), len(doses), days, last_mg_per_day or ZERO, step_mg)
    plans = [TaperPlanner(limits, strength, wish, held_days).plan() for strength in limits.usable(strengths_mg)]
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
    limits = Bounds(profile, on, age_years, weight_kg)
    wish = Wish(None if before is None else tuple(before), len(doses), days, sum(doses, ZERO), step_mg)
    if wish.end > limits.most:
        age = "the strictest, as the age is unknown" if age_years is None else f"at {plain(age_years)} years"
        raise CannotPlan("target", f"{plain(wish.end)} mg a day", f"at most {plain(limits.most)} mg a day ({age})")
    if sum(before or (), ZERO) >= wish.end:
        raise CannotPlan("target", f"{plain(wish.end)} mg a day", "above the dose before")
    plans = [TitrationPlanner(limits, strength, wish, tuple(doses)).plan() for strength in limits.usable(strengths_mg)]
    return _best(plans, f"to {plain(wish.end)} mg a day")


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
