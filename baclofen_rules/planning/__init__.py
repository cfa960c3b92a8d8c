"""Proposes a taper or a titration that the rules accept.

A taper goes down in small even steps over the days that the profile plans with (14, after a long treatment 21), below 30 mg by no
more than a third of the dose where the tablets give that; the last dose to be left is that of the night, and no single dose ever
rises. A titration rises by the steps of the profile, for an older patient or impaired kidneys by its slow ones. One tablet strength is
used where one can do it: two in one course are easily mixed up. Halves only where the profile lets the tablet be halved, and none at
all for a patient who cannot halve tablets. Every plan is put to the rules before it is given out: one that they would question is
not a plan. It is a proposal for a prescriber, never an order.
"""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from typing import Any, Final, TypedDict, Unpack

from baclofen_rules.planning.bounds import ZERO, Bounds, whole
from baclofen_rules.planning.model import CannotPlan, Cost, Kind, Pace, Plan
from baclofen_rules.planning.planners import (
    PROVED_BY,
    TIMES_OF_DAY,
    TaperPlanner,
    TitrationPlanner,
    Wish,
    find_objections,
    words_of_hold,
)
from baclofen_rules.planning.stock import Stock
from baclofen_rules.profiles import Profile
from baclofen_rules.regimen import Phase, Regimen
from baclofen_rules.rules import days_supply
from baclofen_rules.text import format_amount

MOST_NAMED: Final = 3
"""Steps above the maximum that are written out, and the last."""
__all__ = [
    "PROVED_BY",
    "CannotPlan",
    "Cost",
    "Kind",
    "Pace",
    "Plan",
    "TaperWishes",
    "Wishes",
    "plan_step_back",
    "plan_taper",
    "plan_titration",
    "rank_tapers",
]


class Wishes(TypedDict, total=False):
    """Facts of a patient and wishes for a plan; absent is unknown, or no wish."""

    age_years: Decimal | None
    """An unknown age is planned for as the strictest."""
    weight_kg: Decimal | None
    egfr: Decimal | None
    dialysis: bool
    days: int | None
    """The whole length."""
    step_mg: Decimal | None
    """The largest change of the daily dose."""
    interval_days: int
    """The fewest days at a level."""
    longest_supply_days: int | None
    """The days that one supply may last, where not those of the profile."""
    whole_tablets: bool
    """True: no halves."""
    together: int
    """The strengths that one plan may use."""


class TaperWishes(Wishes, total=False):
    """The same for a taper."""

    pace: Pace
    last_mg_per_day: Decimal | None
    """Where the taper ends; that dose then goes on. Without it: nothing."""
    held_days: int | None
    """The days for which today's dose has been taken, where that is known to be short."""
    treated_days: int | None
    """The days since the medicine was begun."""


def plan_taper(
    doses: Sequence[Decimal], strengths_mg: Sequence[Decimal], profile: Profile, on: date, **wishes: Unpack[TaperWishes]
) -> Plan:
    """Return the best taper from one day's ``doses`` (mg). Raises CannotPlan."""
    return _tapers(doses, strengths_mg, profile, on, wishes)[0]


def rank_tapers(
    doses: Sequence[Decimal], strengths_mg: Sequence[Decimal], profile: Profile, on: date, **wishes: Unpack[TaperWishes]
) -> list[Plan]:
    """Return tapers of each pace and each choice of tablets, the wished pace and the best plan first; ``cost`` says what each asks of
    the patient. Raises CannotPlan where there is none."""
    wished = wishes.get("pace", Pace.GENTLE)
    paces = [wished, *(pace for pace in (Pace.GENTLE, Pace.SLOW, Pace.FAST) if pace is not wished)]
    ranked: dict[Regimen, Plan] = {}
    for pace in paces if wishes.get("days") is None else [wished]:
        try:
            plans = _tapers(doses, strengths_mg, profile, on, {**wishes, "pace": pace})
        except CannotPlan:
            if pace is wished:
                raise
            continue
        for plan in plans:
            ranked.setdefault(plan.regimen, plan)
    return list(ranked.values())


def plan_step_back(
    doses: Sequence[Decimal],
    back_to: Sequence[Decimal],
    strengths_mg: Sequence[Decimal],
    profile: Profile,
    on: date,
    **wishes: Unpack[TaperWishes],
) -> Plan:
    """Return a taper after symptoms came back at ``doses``: ``back_to``, the dose before, is held, then it goes down by half of that step
    at most. Raises CannotPlan."""
    now, before = sum(doses, ZERO), sum(back_to, ZERO)
    if before <= now:
        raise CannotPlan(
            "step back", f"{format_amount(before)} mg a day", f"the dose before, above {format_amount(now)} mg a day"
        )
    limits = _bounds(profile, on, wishes)
    hold_days = whole(limits.book.terms.hold_days)
    if before > limits.max_mg:
        given = f"{format_amount(before)} mg a day, above {format_amount(limits.max_mg)} mg a day, the maximum here"
        raise CannotPlan("step back", given, words_of_hold(hold_days))
    step = (before - now) / 2
    wished = wishes.get("step_mg")
    same: TaperWishes = {**wishes, "held_days": None}
    smaller: TaperWishes = {**same, "step_mg": step if wished is None else min(wished, step)}
    try:
        plan = plan_taper(back_to, strengths_mg, profile, on, **smaller)
    except CannotPlan:  # half of the step is less than the tablets give
        plan = plan_taper(back_to, strengths_mg, profile, on, **same)
    hold_phase = Phase(tuple(back_to), hold_days, times=TIMES_OF_DAY.get(len(back_to)))
    stock = Stock.of(
        {
            strength: strength if wishes.get("whole_tablets") else limits.find_smallest_dose(strength)
            for strength in limits.list_usable_strengths(strengths_mg)
        },
        limits.max_single_mg,
    )
    packed = {dose: stock.pack(dose) for dose in back_to}
    if any(packing is None for packing in packed.values()):
        raise CannotPlan(
            "strengths", f"they do not give {format_amount(before)} mg a day", "a strength that measures it"
        )
    regimen = Regimen((hold_phase, *plan.regimen.phases), plan.regimen.then_stop)
    stepped = plan._replace(regimen=regimen, packed={**plan.packed, **{dose: packed[dose] or () for dose in back_to}})
    objection = next(find_objections(stepped, limits, tuple(back_to)), None)
    if objection is not None:
        raise CannotPlan("step back", objection.words.summary, words_of_hold(hold_days))
    return stepped


def plan_titration(
    doses: Sequence[Decimal],
    strengths_mg: Sequence[Decimal],
    profile: Profile,
    on: date,
    *,
    before: Sequence[Decimal] | None = None,
    **wishes: Unpack[Wishes],
) -> Plan:
    """Return a titration up to one day's ``doses`` (mg), from nothing or from the doses ``before``.

    Without ``days`` the last dose goes on. Where a profile has no step for a child, the smallest step that it has is kept. Raises
    CannotPlan.
    """
    limits = _bounds(profile, on, wishes)
    wish = Wish(
        before=None if before is None else tuple(before),
        times=len(doses),
        days=wishes.get("days"),
        end=sum(doses, ZERO),
        step_mg=wishes.get("step_mg"),
        interval_days=wishes.get("interval_days", 1),
    )
    _refuse_target(doses, sum(before or (), ZERO), limits)
    asked = f"to {format_amount(wish.end)} mg a day"
    return _plans(
        strengths_mg, limits, wishes, asked, lambda stock: TitrationPlanner(limits, stock, wish, tuple(doses)).plan()
    )[0]


def _tapers(
    doses: Sequence[Decimal], strengths_mg: Sequence[Decimal], profile: Profile, on: date, wishes: TaperWishes
) -> list[Plan]:
    """Tapers with each choice of tablets, best first."""
    limits = _bounds(profile, on, wishes)
    current, last = sum(doses, ZERO), wishes.get("last_mg_per_day")
    if last is not None and not ZERO < last < current:
        expected = f"below {format_amount(current)} mg a day, today's dose; a higher one is a titration"
        raise CannotPlan("last dose", f"{format_amount(last)} mg a day", expected)
    step, held_days = wishes.get("step_mg"), wishes.get("held_days")
    wish = Wish(
        before=tuple(doses),
        times=len(doses),
        days=wishes.get("days"),
        end=last or ZERO,
        step_mg=step,
        interval_days=wishes.get("interval_days", 1),
        pace=wishes.get("pace", Pace.GENTLE),
        planned_days=limits.planned_days(wishes.get("treated_days")),
    )
    _refuse_above_maximum(
        current, limits, limits.max_fall_mg if step is None else min(step, limits.max_fall_mg), held_days
    )
    asked = f"from {format_amount(current)} mg a day"
    return _plans(
        strengths_mg, limits, wishes, asked, lambda stock: TaperPlanner(limits, stock, wish, held_days).plan()
    )


def _bounds(profile: Profile, on: date, wishes: Wishes) -> Bounds:
    return Bounds(
        profile,
        on,
        wishes.get("age_years"),
        wishes.get("weight_kg"),
        egfr=wishes.get("egfr"),
        dialysis=wishes.get("dialysis", False),
    )


def _plans(
    strengths_mg: Sequence[Decimal],
    limits: Bounds,
    wishes: Wishes,
    asked: str,
    plan_with: Callable[[Stock], Plan | CannotPlan],
) -> list[Plan]:
    """Return the plans of one strength, where there is none those of two, and so on; best first. Raises CannotPlan."""
    stocks = limits.list_stocks(strengths_mg, wishes.get("whole_tablets", False), wishes.get("together", 2))
    longest = wishes.get("longest_supply_days") or whole(limits.book.limits_of(days_supply.RULE).max_days)
    refusals: list[CannotPlan] = []
    for count in sorted({len(stock.strengths) for stock in stocks}):
        answers = [plan_with(stock) for stock in stocks if len(stock.strengths) == count]
        plans = [answer._replace(longest_supply_days=longest) for answer in answers if isinstance(answer, Plan)]
        if plans:
            return sorted(plans, key=_plan_cost)
        refusals += [answer for answer in answers if isinstance(answer, CannotPlan)]
    # Where only some tablets lead there at all, the reason is what those lack; otherwise that of all tablets together.
    about_wishes = [refusal for refusal in refusals if refusal.field != "strengths"]
    reason = min(about_wishes, key=lambda refusal: (refusal.field, refusal.least), default=refusals[-1])
    raise CannotPlan(reason.field, f"{reason.given} ({asked})", reason.expected)


def _plan_cost(plan: Plan) -> tuple[Any, ...]:
    """The order of plans: the smallest of its largest steps, even days, few tablets a day, few halves."""
    phases, packed = plan.regimen.phases, plan.packed
    levels = [phase.mg_per_day for phase in phases] + ([ZERO] if plan.regimen.then_stop else [])
    steps = [abs(after - before) for before, after in pairwise(levels)]
    uneven = sum(not phase.is_even for phase in phases)
    counts = [sum(tablets.number for dose in phase.doses for tablets in packed[dose]) for phase in phases]
    a_day = Decimal(max(counts)).to_integral_value(rounding=ROUND_CEILING)
    small = (
        sum((step * step for step in steps), ZERO) if plan.kind is Kind.TAPER and plan.pace is not Pace.FAST else ZERO
    )
    return (small, len(phases), uneven, a_day, plan.cost.halves, [-strength for strength in plan.strengths])


def _refuse_target(doses: Sequence[Decimal], before: Decimal, limits: Bounds) -> None:
    """A target that the rules would question, or that is no rise."""
    total, times = sum(doses, ZERO), len(doses)
    fewest, most_times = limits.doses_allowed()
    age = "the strictest, as the age is unknown" if limits.age is None else f"at {format_amount(limits.age)} years"
    if total > limits.max_mg_for_age:
        raise CannotPlan(
            "target",
            f"{format_amount(total)} mg a day",
            f"at most {format_amount(limits.max_mg_for_age)} mg a day ({age})",
        )
    if total > limits.max_mg:
        raise CannotPlan(
            "target",
            f"{format_amount(total)} mg a day",
            f"at most {format_amount(limits.max_mg)} mg a day at this weight",
        )
    if limits.exceeds_renal_limit(total):
        renal_limit_mg = limits.renal_limit_mg or ZERO
        kidneys = "on dialysis" if limits.dialysis else f"with an eGFR of {format_amount(limits.egfr or ZERO)}"
        raise CannotPlan(
            "target",
            f"{format_amount(total)} mg a day {kidneys}",
            f"below {format_amount(renal_limit_mg)} mg a day"
            if limits.exceeds_renal_limit(renal_limit_mg)
            else f"at most {format_amount(renal_limit_mg)} mg a day, agreed with the kidney clinic",
        )
    if max(doses) > limits.max_single_mg:
        raise CannotPlan(
            "target", f"{format_amount(max(doses))} mg", f"at most {format_amount(limits.max_single_mg)} mg at one time"
        )
    if times > most_times or (times < fewest and limits.age is not None):
        raise CannotPlan("target", f"{times} doses a day", f"{fewest} to {most_times} doses a day ({age})")
    if before >= total:
        expected = f"above {format_amount(before)} mg a day, the dose before; a lower one is a taper"
        raise CannotPlan("target", f"{format_amount(total)} mg a day", expected)


def _refuse_above_maximum(current: Decimal, limits: Bounds, step: Decimal, held_days: int | None) -> None:
    """A dose so far above the maximum that one step does not come down to it: what to do first, and from where to plan."""
    top, least = limits.max_mg, limits.min_fall_days
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
            words_of_hold(least),
        )
    steps = ", ".join(format_amount(level) for level in bridge[:-1][:MOST_NAMED])
    steps += (", ..., " if len(bridge) > MOST_NAMED + 1 else ", " if steps else "") + format_amount(bridge[-1])
    raise CannotPlan(
        "today's dose",
        f"{format_amount(current)} mg a day, more than one step of {format_amount(step)} mg above {maximum}",
        f"no sudden stop: ask the prescriber to sign {steps} mg a day, at least {least} days each, above the maximum; "
        f"then plan from {format_amount(bridge[-1])} mg a day",
    )
