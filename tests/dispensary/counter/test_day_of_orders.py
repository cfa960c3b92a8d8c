"""A generated day of a hundred orders: how many answers does the check page want before each hand-over?

    python manage.py shell -c "from tests.dispensary.counter.test_day_of_orders import print_tables; print_tables()"

An answer is a fact that is asked, or a finding that somebody acknowledges or overrides. Stops are counted apart: no answer lets them pass.
"""

from __future__ import annotations

import math
import random
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from baclofen_rules import Case, Profile, load_profile
from baclofen_rules.facts import FACTS
from baclofen_rules.rulebook import rulebook
from dispensary.assessment import Assessment, assess_document, presume_not_pregnant
from dispensary.questions import NOT_ASSESSED
from tests.benchmarks import alert_rates

DAY = tomllib.loads(Path(__file__).with_name("day_of_orders.toml").read_text(encoding="utf-8"))
PROFILE = "lioresal"
DAYS, MANY_DAYS = 10, 60
"""Days that are generated, so that one day's luck does not decide; and those of the long table."""
BARS = {"repeats": "10 % ask", "changes": "2 answers", "first": "6 answers"}
"""What the counter is meant to ask at most."""
RATCHET = {"repeats": (0.10, Decimal("0.11")), "changes": (0.80, Decimal(2)), "first": (1.0, Decimal(6))}
"""The share of orders that ask anything, and the mean of their answers, that no change may pass."""
MOST_REPEATS_ASKED_FOR_A_FACT = 0.03


@dataclass(frozen=True)
class Counted:
    """Questions of one order."""

    facts: tuple[str, ...]
    findings: tuple[str, ...]
    stops: tuple[str, ...]

    @property
    def answers(self) -> int:
        return len(self.facts) + len(self.findings)


Supplies = Callable[[str], Sequence[int]]
"""The supplies of 28 days since an unknown fact was last asked, each as likely as the others."""


def draw_of_the_day(name: str) -> Sequence[int]:
    supplies: list[int] = DAY["asked_before"]["supplies"]
    return supplies


def draw_evenly(name: str) -> Sequence[int]:
    """Return the supplies up to the one at which the fact is asked again, as the profile has it."""
    holds_days = getattr(rulebook(load_profile(PROFILE), alert_rates.ON).terms, FACTS[name].ask_again)
    return range(1, math.ceil(holds_days / 28) + 1)


def forget(
    chance: random.Random, case: dict[str, Any], shares: dict[str, Any], asked_before: Supplies | None
) -> dict[str, Any]:
    """Take facts out of a case; those of a patient who is known here were asked some supplies ago."""
    facts = case["patient"]
    days = facts.setdefault("recorded_on", {})
    for name, share in shares.items():
        if not isinstance(share, float) or chance.random() >= share:
            continue
        facts[name] = None
        days.pop(name, None)
        if name == "egfr":
            facts.pop("egfr_on", None)
        if asked_before is not None:
            supplies = chance.choice(asked_before(name))
            days[name] = (alert_rates.ON - timedelta(days=28 * supplies)).isoformat()
    return case


def repeat(chance: random.Random, asked_before: Supplies = draw_of_the_day) -> dict[str, Any]:
    return forget(chance, alert_rates.clean_repeat(chance), DAY["known_patient"], asked_before)


def change(chance: random.Random, asked_before: Supplies = draw_of_the_day) -> dict[str, Any]:
    return forget(chance, alert_rates.change(chance), DAY["known_patient"], asked_before)


def first(chance: random.Random, asked_before: Supplies = draw_of_the_day) -> dict[str, Any]:
    return forget(chance, alert_rates.first_order(chance), DAY["new_patient"], None)


MAKERS: dict[str, Callable[[random.Random, Supplies], dict[str, Any]]] = {
    "repeats": repeat,
    "changes": change,
    "first": first,
}


def assess(document: dict[str, Any], profile: Profile) -> Assessment:
    """Review a case as the product does: with what was answered before, and no question about pregnancy where none is asked."""
    facts, before = document["patient"], document.pop("before", None)
    case = Case.from_json(document | {"patient": facts | presume_not_pregnant(facts, profile, alert_rates.ON)})
    return assess_document(alert_rates.answer_before(case, before, profile).to_json(), profile, alert_rates.ON)


def count(assessment: Assessment) -> Counted:
    questions = [q for q in assessment.questions() if q.severity != "information" and q.code != NOT_ASSESSED]
    return Counted(
        tuple(assessment.facts_to_ask()),
        tuple(q.code for q in questions if q.severity != "stop"),
        tuple(q.code for q in questions if q.severity == "stop"),
    )


@cache
def make_days(seed: int = 4, days: int = DAYS, asked_before: Supplies = draw_of_the_day) -> dict[str, list[Counted]]:
    """Return what each order of the generated days asks, by kind of order."""
    profile, chance = load_profile(PROFILE), random.Random(seed)
    return {
        kind: [count(assess(make(chance, asked_before), profile)) for _ in range(days * DAY["orders"][kind])]
        for kind, make in MAKERS.items()
    }


def table(days: dict[str, list[Counted]]) -> str:
    """Return the day as a table: orders, those that ask, answers of one, and what asks most."""
    lines = [f"{'':10}{'orders':>8}{'ask':>8}{'mean':>8}{'most':>6}{'stopped':>9}  most often"]
    for kind, orders in days.items():
        asking = [order for order in orders if order.answers]
        often = Counter(name for order in orders for name in (*order.facts, *order.findings)).most_common(6)
        share, mean = 100 * len(asking) / len(orders), Decimal(sum(o.answers for o in orders)) / len(orders)
        most = max(order.answers for order in orders)
        stopped = sum(bool(order.stops) for order in orders)
        names = ", ".join(f"{name} {100 * times / len(orders):.0f} %" for name, times in often)
        names += f" (bar: {BARS[kind]})"
        lines.append(f"{kind:10}{len(orders):>8}{share:>7.1f}%{mean:>8.2f}{most:>6}{stopped:>9}  {names}")
    return "\n".join(lines)


def test_a_day_asks_no_more_than_before() -> None:
    days = make_days()
    print(table(days))
    for kind, orders in days.items():
        share, mean = RATCHET[kind]
        assert sum(bool(order.answers) for order in orders) <= share * len(orders), table(days)
        assert sum(order.answers for order in orders) <= mean * len(orders), table(days)


def test_a_repeat_seldom_asks_for_a_fact() -> None:
    repeats = make_days()["repeats"]
    asked = [order for order in repeats if order.facts]
    assert len(asked) <= MOST_REPEATS_ASKED_FOR_A_FACT * len(repeats)


def test_the_same_day_comes_out_the_same() -> None:
    chance, again = random.Random(1), random.Random(1)
    assert [repeat(chance) for _ in range(5)] == [repeat(again) for _ in range(5)]


def print_tables(seeds: Sequence[int] = (5, 6), days: int = MANY_DAYS) -> None:
    """Print the day of the test, then more of them, with unknown facts as in the file and asked evenly over the days for which they hold."""
    print(table(make_days()))
    for seed in seeds:
        print(
            f"\nSeed {seed}, {days} days; unknown facts last asked as in the file, then evenly over the days for which they hold"
        )
        print(table(make_days(seed, days)))
        print(table(make_days(seed, days, draw_evenly)))
