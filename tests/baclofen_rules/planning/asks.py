"""Random asks for tapers, titrations and steps back, and what each answer has to keep: ``python -m tests.baclofen_rules.planning.asks``.

    python -m tests.baclofen_rules.planning.asks 100000 --seed 7

An ask is made from its number alone, so that one which failed can be asked again: ``--from NUMBER 1``.
"""

import argparse
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from typing import Any, Final

from baclofen_rules import Case, Profile, Question, Reading, Regimen, load_profile, read_directions, review
from baclofen_rules.directions import LONGEST_TEXT
from baclofen_rules.planning import (
    PROVED_BY,
    CannotPlan,
    Kind,
    Pace,
    Plan,
    plan_step_back,
    plan_taper,
    plan_titration,
)
from baclofen_rules.planning.planners import ABOUT_TABLETS

ON: Final = date(2026, 11, 22)
PROFILES: Final = {name: load_profile(name) for name in ("lioresal", "us-label", "uk-smpc")}
STRENGTHS: Final = {"lioresal": (10, 25), "us-label": (5, 10, 15, 20), "uk-smpc": (5, 10)}
HALVED: Final = {"lioresal": (10,), "us-label": (10, 20), "uk-smpc": (10,)}
"""The tablets that a profile lets be halved, written a second time."""
LARGEST_FALL: Final = 15
ZERO: Final = Decimal(0)


@dataclass(frozen=True)
class Ask:
    """One question to the planner."""

    kind: str
    profile: str
    doses: tuple[Decimal, ...]
    """Of today, or the target of a titration."""
    stock: tuple[Decimal, ...]
    wishes: Mapping[str, Any]
    before: tuple[Decimal, ...] | None = None
    """Where a titration begins, or the dose that a step back goes to."""

    def plan(self) -> Plan:
        """Return the planner's answer. Raises CannotPlan."""
        profile = PROFILES[self.profile]
        if self.kind == "titration":
            return plan_titration(self.doses, self.stock, profile, ON, before=self.before, **self.wishes)
        if self.kind == "step back":
            return plan_step_back(self.doses, self.before or (), self.stock, profile, ON, **self.wishes)
        return plan_taper(self.doses, self.stock, profile, ON, **self.wishes)


def draw_ask(seed: int, number: int) -> Ask:
    """Return the ask of a number."""
    draw = random.Random(f"{seed} {number}")
    name = draw.choice(sorted(PROFILES))
    kind = draw.choices(["taper", "titration", "step back"], [6, 3, 1])[0]
    doses = draw_doses(draw, even=kind == "titration")
    stock = draw.sample(STRENGTHS[name], draw.randint(1, len(STRENGTHS[name])))
    wishes: dict[str, Any] = {
        "age_years": draw.choice([None, *map(Decimal, (1, 3, 4, 6, 8, 11, 12, 15, 17, 18, 40, 64, 65, 82))]),
        "weight_kg": draw.choice([None, None, *map(Decimal, (12, 20, 33, 40, 70, 110))]),
        "egfr": draw.choice([None, None, None, *map(Decimal, (8, 15, 29, 30, 59, 60, 95))]),
        "dialysis": draw.random() < 0.05,
        "days": draw.choice([None, None, None, draw.randint(1, 120)]),
        "step_mg": draw.choice([None, None, None, *map(Decimal, ("2.5", "5", "7.5", "10", "15", "30"))]),
        "interval_days": draw.choice([1, 1, 1, 2, 3, 7, 14]),
        "longest_supply_days": draw.choice([None, None, 7, 14, 28]),
        "whole_tablets": draw.random() < 0.2,
        "together": draw.choice([2, 2, 1, 3]),
    }
    before = None
    if kind == "titration":
        before = draw.choice([None, draw_doses(draw, even=True)])
    else:
        wishes |= {
            "pace": draw.choice(list(Pace)),
            "last_mg_per_day": draw.choice([None, None, None, Decimal(5 * draw.randint(1, 12))]),
            "held_days": draw.choice([None, None, draw.randint(0, 6)]),
            "treated_days": draw.choice([None, draw.randint(1, 400)]),
        }
    if kind == "step back":
        before = tuple(dose + draw.choice([0, 5]) for dose in doses)
    return Ask(kind, name, doses, tuple(map(Decimal, sorted(stock))), wishes, before)


def draw_doses(draw: random.Random, *, even: bool) -> tuple[Decimal, ...]:
    """Return the doses of a day: 2.5 to 40 mg, one to four of them."""
    unit = draw.choice([Decimal("2.5"), Decimal(5), Decimal(5), Decimal(10)])
    times = draw.choice([1, 2, 3, 3, 4])
    doses = [unit * draw.randint(1, max(1, int(Decimal(40) / unit))) for _ in range(times)]
    return tuple(doses[:1] * times if even else doses)


def faults_of(ask: Ask) -> tuple[str, list[str]]:
    """Return what became of an ask (``planned``, or the field of its refusal), and what is wrong with the answer."""
    try:
        plan = ask.plan()
    except CannotPlan as cannot:
        is_told = cannot.field != "plan" and cannot.given and cannot.expected
        return f"refused: {cannot.field}", [] if is_told else [f"no reason that a person can use: {cannot}"]
    return "planned", [*_wrong_course(ask, plan), *_wrong_tablets(ask, plan), *_wrong_words(plan)]


def _wrong_course(ask: Ask, plan: Plan) -> list[str]:
    phases, wishes = plan.regimen.phases, ask.wishes
    last = wishes.get("last_mg_per_day")
    wrong = []
    is_up = plan.kind is Kind.TITRATION
    start = sum(ask.before or (), ZERO) if is_up or ask.kind == "step back" else sum(ask.doses, ZERO)
    levels = [start, *(phase.mg_per_day for phase in phases), *([ZERO] if plan.regimen.then_stop else [])]
    steps = [after - before for before, after in pairwise(levels)]
    is_held = not steps[0]  # a dose that is held first: just changed, or the one gone back to
    moving = steps[1:] if is_held else steps
    if any(step <= 0 if is_up else step >= 0 for step in moving):
        wrong.append(f"not one way: {levels}")
    if not is_up and any(-step > LARGEST_FALL for step in moving):
        wrong.append(f"a fall above {LARGEST_FALL} mg: {levels}")
    wished = wishes.get("step_mg")
    changes = moving[1:] if is_up and ask.before is None else moving
    if wished is not None and ask.kind != "step back" and any(abs(step) > wished for step in changes):
        wrong.append(f"a step above the {wished} mg wished for: {levels}")
    ended = [phase.days for phase in phases if phase.days is not None]
    if any(days is None for days in [phase.days for phase in phases[:-1]]) or any(days < 1 for days in ended):
        wrong.append(f"a phase without an end before the last: {phases}")
    if any(days < wishes["interval_days"] for days in ended[1 if is_held else 0 : -1]):
        wrong.append(f"a level below the {wishes['interval_days']} days wished for: {ended}")
    if not is_up:
        if plan.regimen.then_stop is not (last is None):
            wrong.append(f"ends otherwise than wished: {last}")
        if last is not None and (phases[-1].mg_per_day, phases[-1].days) != (last, None):
            wrong.append(f"does not end at {last} mg a day")
        single = [max(phase.doses) for phase in phases]
        if single != sorted(single, reverse=True):
            wrong.append(f"a single dose rises: {single}")
    elif phases[-1].doses != ask.doses:
        wrong.append(f"does not reach {ask.doses}")
    if (
        wishes["days"] is not None
        and last is None
        and ask.kind != "step back"
        and plan.regimen.total_days != wishes["days"]
    ):
        wrong.append(f"{plan.regimen.total_days} days, not the {wishes['days']} wished for")
    before = ask.doses if ask.kind == "taper" else ask.before
    facts = {name: wishes[name] for name in ("age_years", "weight_kg", "egfr", "dialysis")}
    questions = questions_of(plan, PROFILES[ask.profile], before, **facts)
    return wrong + [f"the rules ask: {line}" for line in questions]


def _wrong_tablets(ask: Ask, plan: Plan) -> list[str]:
    wrong = []
    needed: dict[Decimal, Decimal] = defaultdict(Decimal)
    halves = [] if ask.wishes["whole_tablets"] else HALVED[ask.profile]
    for phase in plan.regimen.phases:
        for dose in phase.doses:
            packing = plan.packed[dose]
            if sum((tablets.number * tablets.strength_mg for tablets in packing), ZERO) != dose:
                wrong.append(f"{dose} mg is packed as {packing}")
            for tablets in packing:
                unit = Decimal("0.5") if tablets.strength_mg in halves else Decimal(1)
                if tablets.strength_mg not in ask.stock or tablets.number % unit:
                    wrong.append(f"{tablets} is not what the stock gives")
                needed[tablets.strength_mg] += tablets.number * (phase.days or 0)
    counted = {strength: count.to_integral_value(rounding=ROUND_CEILING) for strength, count in needed.items()}
    if counted != plan.tablets:
        wrong.append(f"counts {plan.tablets}, not {counted}")
    if len(plan.strengths) > ask.wishes["together"] and ask.kind != "step back":
        wrong.append(f"uses {len(plan.strengths)} strengths")
    if plan.regimen.total_days is not None:
        supplies = plan.supplies
        lengths = [(supply[-1].to_day or 0) - supply[0].from_day + 1 for supply in supplies]
        if max(lengths) > (plan.longest_supply_days or 0) or sum(lengths) != plan.regimen.total_days:
            wrong.append(f"supplies of {lengths} days for {plan.regimen.total_days}")
    return wrong


def _wrong_words(plan: Plan) -> list[str]:
    reading = read_directions(plan.sentence)
    if len(plan.sentence) > LONGEST_TEXT:  # nearly twenty uneven days: asked about, as every text of that length
        return [] if isinstance(reading, Question) else ["a text that is too long was read"]
    if not isinstance(reading, Reading) or reading.regimen != plan.regimen:
        return [f"does not read back: {plan.sentence}"]
    return []


def questions_of(plan: Plan, profile: Profile, before: tuple[Decimal, ...] | None, **facts: Any) -> list[str]:
    """Return what the rules of the planner ask about a plan, put into an order for a patient who was long on ``before``.

    An order names one strength: a plan with two is reviewed as a whole for its doses, and by strength for its tablets.
    """
    patient = {
        name: str(value) if isinstance(value, Decimal) else value for name, value in facts.items() if value is not None
    }
    if len(plan.strengths) == 1:
        return _ask_rules(plan.regimen, plan.strengths[0], profile, before, PROVED_BY, patient)
    whole = _ask_rules(plan.regimen, None, profile, before, PROVED_BY, patient)
    parts = [
        _ask_rules(plan.part(strength), strength, profile, None, ABOUT_TABLETS, patient) for strength in plan.strengths
    ]
    return [*whole, *(line for part in parts for line in part)]


def _ask_rules(
    course: Regimen,
    strength: Decimal | None,
    profile: Profile,
    before: tuple[Decimal, ...] | None,
    codes: frozenset[str],
    patient: Mapping[str, Any],
) -> list[str]:
    supply = {"dispensed_on": "2026-10-25", "days_supply": 28, "relation": "same-course"}
    case = {
        "format": "baclofen-case/1",
        "on": ON.isoformat(),
        "action": "dispense",
        "patient": patient,
        "prescription": {
            "written_on": ON.isoformat(),
            "route": "oral",
            "form": "tablet",
            "strength_mg": None if strength is None else str(strength),
            "phases": [
                {"doses": [str(dose) for dose in phase.doses], "unit": "mg", "days": phase.days}
                for phase in course.phases
            ],
            "then_stop": course.then_stop,
        },
        "history": [] if before is None else [supply | {"doses": [str(dose) for dose in before]}],
    }
    findings = review(Case.from_json(case), profile).findings
    return [f"{finding.code}: {finding.detail}" for finding in findings if finding.code in codes]


def main() -> int:
    arguments = argparse.ArgumentParser(prog="asks", description="Put random asks to the planner.")
    arguments.add_argument("count", nargs="?", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--from", dest="first", type=int, default=0, metavar="NUMBER")
    chosen = arguments.parse_args()
    outcomes: Counter[str] = Counter()
    failed = 0
    for number in range(chosen.first, chosen.first + chosen.count):
        ask = draw_ask(chosen.seed, number)
        outcome, faults = faults_of(ask)
        outcomes[f"{ask.kind}, {outcome}"] += 1
        if faults:
            failed += 1
            print(f"{number}: {ask}\n    " + "\n    ".join(faults), flush=True)
        if (number + 1) % 10_000 == 0:
            print(f"{number + 1} asked, {failed} failed", file=sys.stderr, flush=True)
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:8} {outcome}")
    print(f"{chosen.count} asks of seed {chosen.seed}: {failed} with a fault")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
