"""Situations worked out by hand from the description of the therapy: days are counted from today, 1 December 2026."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from baclofen_rules.regimen import Phase
from baclofen_rules.therapy import (
    HAND_OVER,
    Decision,
    DecisionKind,
    Facts,
    Order,
    OrderStatus,
    Plan,
    Product,
    Supply,
    SupplyStatus,
    Therapy,
    messages,
    risks,
    therapy,
)
from tests.baclofen_rules.therapy.reading import amounts, habits
from tests.baclofen_rules.therapy.states import TODAY, day

ACTIVE, COMPLETED, REPLACED = OrderStatus.ACTIVE, OrderStatus.COMPLETED, OrderStatus.REPLACED


def plan(*phases: tuple[Sequence[int], int | None], strengths: Sequence[int] = (10,), **more: Any) -> Plan:
    """A regimen of equal doses of each strength: phases as (doses in mg, days)."""
    quantity = more.pop("quantity", 84)
    products = [
        Product(
            Decimal(strength),
            tuple(Phase(amounts(doses), days) for doses, days in phases),
            None if quantity is None else Decimal(quantity),
        )
        for strength in strengths
    ]
    return Plan(tuple(products), **more)


def order(
    name: str, mg: int | Plan, prescriber: str | None = "dr-a", status: OrderStatus = ACTIVE, **more: Any
) -> Order:
    """An order of three equal doses a day in 10 mg tablets, or of a regimen; written forty days ago."""
    regimen = mg if isinstance(mg, Plan) else plan(([mg // 3] * 3, None))
    written_on = day(more.pop("written", -40))
    starts_on = day(more.pop("starts")) if "starts" in more else None
    return Order(name, regimen, prescriber, written_on, starts_on, status, **more)


def given(order_id: str, on: int, *tablets: float, back: int | None = None, **more: Any) -> Supply:
    """A hand-over some days from today; `back` is the day on which it was returned."""
    status = SupplyStatus.GIVEN if back is None else SupplyStatus.RETURNED
    returned = amounts(more.pop("some")) if "some" in more else None
    return Supply(
        id=f"{order_id}{on}",
        on=day(on),
        order=order_id,
        tablets=tuple(Decimal(str(count)) for count in tablets),
        status=more.pop("status", status),
        returned_on=None if back is None else day(back),
        returned_tablets=returned,
        **more,
    )


def elsewhere(name: str, on: int, days: int, mg: int | None, **more: Any) -> Supply:
    """A supply recorded from elsewhere, of three equal doses a day; None is a dose that nobody knows."""
    regimen = None if mg is None else plan(([mg // 3] * 3, None), quantity=None)
    return Supply(id=name, on=day(on), order=None, plan=regimen, days=days, **more)


def said(kind: str, about: str, on: int = 0, subject: str | None = None, **more: Any) -> Decision:
    """A decision some days from today; `start` is the first day of the new dose."""
    start = day(more.pop("start")) if "start" in more else None
    return Decision(DecisionKind(kind), about, day(on), subject, start, **more)


@dataclass(frozen=True)
class Situation:
    """A record, the answers that it has by the description, and those after a hand-over today."""

    title: str
    orders: Sequence[Order] = ()
    supplies: Sequence[Supply] = ()
    decisions: Sequence[Decision] = ()
    died: int | None = None
    asked: str = ""
    expected: Mapping[str, Any] = field(default_factory=dict)
    give: Sequence[float] = ()
    answer: Sequence[Decision] = ()
    after: Mapping[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> Facts:
        died_on = None if self.died is None else day(self.died)
        return Facts(TODAY, tuple(self.orders), tuple(self.supplies), tuple(self.decisions), habits(), died_on)


def offset(on: date | None) -> int | None:
    return None if on is None else (on - TODAY).days


def answer_to(question: str, state: Therapy, asked: str) -> Any:
    """Answer a question of the table: its first word is the question, the others say about what."""
    kind, *about = question.split()
    if kind in {"mg", "low", "high"}:
        return getattr(state.day(day(int(about[0]))), kind)
    if kind in {"running", "uncovered"}:
        return " ".join(getattr(state.day(day(int(about[0]))), kind))
    if kind == "relation":
        relation = state.relate(about[0])
        return None if relation is None else " ".join([relation.relation, relation.how or "-", *relation.to])
    if kind == "previous":
        relation = state.relate(asked)
        return relation and (relation.previous_low, relation.previous_high)
    if kind == "out":
        return offset(state.course(about[0]).first_uncovered)
    if kind == "due":
        due = state.due(about[0])
        return due.state.value, offset(due.due_on), offset(due.earliest_on)
    if kind == "owed":
        return state.owed(about[0])
    if kind == "messages":
        return [(message.kind.value, offset(message.on)) for message in messages(state)]
    if kind == "risk":
        return [(row.course, row.level.value, offset(row.first_uncovered), row.mg) for row in risks(state)]
    if kind == "ended":
        return {course.course: (course.why.value, offset(course.on)) for course in state.ended}
    if kind == "supply":
        days = state.supply(about[0] if about else HAND_OVER)
        return offset(days.starts_on), days.days
    if kind == "type":
        return state.supply_type(HAND_OVER, int(about[0]) if about else 0).value
    if kind == "label":
        return [
            (offset(stretch.first_on), offset(stretch.last_on), stretch.dose.tablets())
            for stretch in state.label(HAND_OVER)
        ]
    if kind == "calendar":
        return sum((span.last_on - span.first_on).days + 1 for span in state.calendar(HAND_OVER))
    if kind == "highest":
        order = next(order for order in state.facts.orders if order.id == asked)
        return state.highest(asked, (Decimal(about[0]),) * len(order.plan.products))
    return offset({"held": state.held_since, "change": state.next_change, "last": state.last_day}[kind])


TITRATION = plan(([5, 5, 5], 7), ([10, 10, 10], 7), ([15, 15, 15], None))
TITRATION_OF_30 = plan(([10, 10, 10], 7), ([15, 15, 15], None), quantity=84)
TAPER = plan(([10, 10, 10], 7), ([5, 5, 5], 7), then_stop=True, quantity=None)
AS_NEEDED = plan(([10, 10], None), as_needed=True, quantity=56)


def calls(uncovered: int) -> list[tuple[str, int]]:
    """All calls about the end of tablets of which a refill is due seven days before."""
    return [
        ("refill_due", uncovered - 7),
        ("refill_again", uncovered - 2),
        ("run_out", uncovered),
        ("missed_collection", uncovered + 2),
    ]


TWICE_OPEN = (
    [order("A", 45, "dr-b"), order("B", 30), order("C", 60, "dr-b")],
    [given("B", -50, 168), given("A", -45, 126, back=-35), given("B", -40, 168)],
    [said("replaces", "B", -45, "A")],
)
"""Two open courses of one order: one that goes on after the return of what had replaced it, one handed over meanwhile."""

SITUATIONS = [
    Situation(
        "S01 an increase that names the order it replaces, of another prescriber",
        [order("A", 30, status=COMPLETED), order("B", 45, "dr-b", replaces="A")],
        [given("A", -10, 84)],
        asked="B",
        expected={"relation B": "changes said A", "previous": (30, 30), "highest 126": 45, "out A": 18, "risk": []},
        give=[126],
        after={
            "mg -1": 30,
            "mg 0": 45,
            "running 0": "B",
            "ended": {"A": ("replaced", 0)},
            "out B": 28,
            "supply": (0, 28),
            "type": "FFP",
            "messages": calls(28),
            "held": 0,
        },
    ),
    Situation(
        "S02 an increase when the old tablets are finished",
        [order("A", 30, status=COMPLETED), order("B", 45)],
        [given("A", -10, 84)],
        asked="B",
        expected={"relation B": "changes same-prescriber A", "highest 126": 45},
        give=[126],
        answer=[said("replaces", "A", 0, "B", start=18)],
        after={
            "mg 17": 30,
            "mg 18": 45,
            "running 17": "A",
            "running 18": "B",
            "supply": (18, 28),
            "calendar": 28,
            "change": 18,
            "held": -10,
            "messages": [("dose_change", 17), *calls(46)],
        },
    ),
    Situation(
        "S03 a repeat eight days early",
        [order("A", 30)],
        [given("A", -20, 84)],
        asked="A",
        expected={"relation A": "continues own-order A", "out A": 8, "due A": ("not-due", 1, 1), "messages": calls(8)},
        give=[84],
        after={"supply": (8, 28), "out A": 36, "type": "RF", "mg 35": 30, "held": -20, "due A": ("not-due", 29, 29)},
    ),
    Situation(
        "S04 a repeat two days late",
        [order("A", 30)],
        [given("A", -30, 84)],
        asked="A",
        expected={
            "relation A": "continues own-order A",
            "mg 0": 0,
            "low 0": 0,
            "high 0": 30,
            "running 0": "A",
            "uncovered 0": "A",
            "messages": [("missed_collection", 0)],
            "risk": [("A", "overdue", -2, 30)],
            "due A": ("due", -9, -9),
            "previous": (30, 30),
        },
        give=[84],
        after={"supply": (0, 28), "out A": 28, "mg 0": 30, "mg -1": 0, "held": 0},
    ),
    Situation(
        "S05 a repeat after ten days without tablets",
        [order("A", 30)],
        [given("A", -38, 84)],
        asked="A",
        expected={
            "relation A": "continues after-gap A",
            "high 0": 0,
            "running 0": "",
            "uncovered 0": "A",
            "high -8": 30,
            "high -7": 0,
            "messages": [],
            "risk": [("A", "overdue", -10, 30)],
        },
        give=[84],
        after={"supply": (0, 28), "running 0": "A", "mg 0": 30},
    ),
    Situation(
        "S06 ninety days without tablets",
        [order("A", 30), order("B", 45)],
        [given("A", -118, 84)],
        asked="B",
        expected={"relation B": "changes after-gap A", "out A": -90, "ended": {}},
    ),
    Situation(
        "S07 ninety-one days without tablets",
        [order("A", 30), order("B", 45)],
        [given("A", -119, 84)],
        asked="B",
        expected={"relation B": "new -", "ended": {"A": ("lapsed", 0)}, "risk": [], "relation A": "new -"},
    ),
    Situation(
        "S08 two prescribers, undecided",
        [order("A", 30), order("B", 15, "dr-b")],
        [given("A", -7, 84)],
        asked="B",
        expected={"relation B": "unknown unknown A", "previous": (30, 30), "highest 84": 45},
        give=[84],
        after={"mg 0": None, "low 0": 15, "high 0": 45, "running 0": "A B", "change": None},
    ),
    Situation(
        "S09 two prescribers, decided as beside each other",
        [order("A", 30), order("B", 15, "dr-b")],
        [given("A", -7, 84)],
        asked="B",
        expected={"highest 84": 45},
        give=[84],
        answer=[said("beside", "A", 0, "B")],
        after={"mg 0": 45, "low 0": 45, "high 0": 45, "out A": 21, "out B": 56, "relation B": "continues own-order B"},
    ),
    Situation(
        "S10 the same dose of another prescriber, more left than a refill is due with",
        [order("A", 30), order("B", 30, "dr-b")],
        [given("A", -20, 84)],
        asked="B",
        expected={"relation B": "unknown unknown A", "highest 84": 60, "due B": ("due", 0, 0)},
    ),
    Situation(
        "S11 the same dose of another prescriber when a refill is due",
        [order("A", 30), order("B", 30, "dr-b")],
        [given("A", -21, 84)],
        asked="B",
        expected={"relation B": "continues same-dose A", "highest 84": 30},
        give=[84],
        after={"supply": (7, 28), "running 30": "A", "out A": 35, "relation B": "continues own-order A"},
    ),
    Situation(
        "S12 hospital discharge, then the community repeat of the same dose",
        [order("A", 30)],
        [elsewhere("r1", -10, 14, 30, dose_since=day(-60))],
        asked="A",
        expected={"relation A": "continues same-dose r1", "out r1": 4, "held": -60, "risk": []},
        give=[84],
        after={"supply": (4, 28), "out r1": 32, "running 20": "r1", "type": "FF"},
    ),
    Situation(
        "S13 hospital discharge at another dose, back to the dose before",
        [order("A", 45)],
        [given("A", -15, 126), elsewhere("r1", -5, 28, 60)],
        [said("replaces", "A", -5, "r1")],
        asked="A",
        expected={
            "relation A": "unknown outdated r1",
            "ended": {"A": ("replaced", -5)},
            "mg 0": 60,
            "highest 126": 105,
        },
        give=[126],
        answer=[said("replaces", "r1", 0, "A")],
        after={"mg -1": 60, "mg 0": 45, "running 0": "A@2026-12-01", "out A@2026-12-01": 28},
    ),
    Situation(
        "S14 the third instalment is due",
        [order("A", 30, interval_days=7)],
        [given("A", -14, 21), given("A", -7, 21)],
        asked="A",
        expected={
            "owed A": (42,),
            "relation A": "part own-order A",
            "due A": ("due", 0, 0),
            "out A": 0,
            "messages": [("run_out", 0), ("missed_collection", 2)],
            "risk": [("A", "today", 0, 30)],
        },
        give=[21],
        after={"supply": (0, 7), "type": "RFP", "owed A": (21,), "due A": ("not-due", 7, 7), "messages": calls(7)[1:]},
    ),
    Situation(
        "S15 an instalment is not due yet",
        [order("A", 30, interval_days=7)],
        [given("A", -3, 21)],
        asked="A",
        expected={"due A": ("not-due", 4, 4), "owed A": (63,)},
    ),
    Situation(
        "S16 an owed remainder lapses with its order",
        [order("A", 30, status=OrderStatus.CANCELLED)],
        [given("A", -10, 42)],
        asked="A",
        expected={
            "owed A": None,
            "relation A": None,
            "due A": ("done", None, None),
            "mg 0": 30,
            "messages": calls(4)[1:],
            "risk": [],
        },
    ),
    Situation(
        "S17 a returned part is not owed again",
        [order("A", 30)],
        [given("A", -10, 84, back=-2, some=[42])],
        asked="A",
        expected={"owed A": None, "out A": 4, "mg 3": 30, "mg 4": 0},
    ),
    Situation(
        "S18 25 mg and 10 mg tablets of one order, the 10 mg ones short",
        [
            order(
                "A",
                Plan(
                    (
                        Product(Decimal(25), (Phase(amounts([25, 25]), None),), Decimal(56)),
                        Product(Decimal(10), (Phase(amounts([10, 10]), None),), Decimal(56)),
                    )
                ),
            )
        ],
        [given("A", -20, 56, 40)],
        asked="A",
        expected={
            "mg -1": 70,
            "mg 0": 0,
            "high 0": 70,
            "out A": 0,
            "owed A": (0, 16),
            "relation A": "part own-order A",
            "due A": ("owing", 0, 0),
        },
        give=[0, 16],
        after={"supply": (0, 8), "mg 0": 70, "mg 8": 0, "type 1": "RFP", "owed A": None},
    ),
    Situation(
        "S19 the same dose in larger tablets: the old ones first",
        [
            order("A", plan(([25, 25, 25], None), quantity=210), status=COMPLETED),
            order("B", plan(([25, 25, 25], None), strengths=[25]), written=-1),
        ],
        [given("A", -22, 210)],
        asked="B",
        expected={"relation B": "continues same-dose A", "out A": 6},
        give=[84],
        after={"supply": (6, 28), "label": [(6, 33, ((1, 1, 1),))], "out A": 34, "change": None, "type": "FF"},
    ),
    Situation(
        "S20 as needed on top of a regular dose, of another prescriber",
        [order("A", 30), order("P", AS_NEEDED, "dr-b")],
        [given("A", -7, 84)],
        asked="P",
        expected={"relation P": "unknown unknown A", "highest 56": 50},
        give=[56],
        after={"mg 0": None, "low 0": 0, "high 0": 50, "calendar": 0},
    ),
    Situation(
        "S21 as needed on top of a regular dose, of the same prescriber",
        [order("A", 30), order("P", AS_NEEDED)],
        [given("A", -7, 84)],
        asked="P",
        expected={"relation P": "beside as-needed A", "highest 56": 50},
        give=[56],
        after={
            "mg 0": 30,
            "low 0": 30,
            "high 0": 50,
            "label": [(0, None, ((1, 1),))],
            "calendar": 0,
            "messages": [
                ("refill_due", 14),
                ("refill_again", 19),
                ("refill_due", 21),
                ("run_out", 21),
                ("missed_collection", 23),
            ],
        },
    ),
    Situation(
        "S22 a taper while maintenance tablets remain",
        [order("A", 45), order("B", TAPER)],
        [given("A", -14, 126)],
        asked="B",
        expected={"relation B": "changes same-prescriber A", "previous": (45, 45), "highest 32": 30},
        give=[32],
        after={
            "mg 0": 30,
            "mg 7": 15,
            "mg 14": 0,
            "high 14": 0,
            "supply": (0, 14),
            "calendar": 14,
            "change": 7,
            "last": 13,
            "messages": [("dose_change", 6), ("last_day", 13)],
            "risk": [],
            "label": [(0, 6, ((1, 1, 1),)), (7, 13, ((Decimal("0.5"),) * 3,))],
        },
    ),
    Situation(
        "S23 a taper from tablets at home",
        [order("A", 45), order("B", TAPER)],
        [given("A", -14, 126)],
        [said("counted", "B", 0, tablets=amounts([32]))],
        expected={"mg -1": 45, "mg 0": 30, "ended": {"A": ("replaced", 0)}, "last": 13, "running 0": "B"},
    ),
    Situation(
        "S24 a stop to come",
        [order("A", 30, status=COMPLETED)],
        [given("A", -14, 84)],
        [said("stopped", "A", 3)],
        expected={
            "mg 2": 30,
            "mg 3": 0,
            "high 3": 0,
            "last": 2,
            "messages": [("last_day", 2)],
            "risk": [],
            "change": 3,
        },
    ),
    Situation(
        "S25 a stop at 5 mg a day is not watched",
        [order("A", plan(([5], None))), order("B", plan(([5, 5], None)), "dr-b")],
        [given("A", -14, 28)],
        [said("stopped", "A", -1)],
        expected={"risk": [], "ended": {"A": ("stopped", -1)}, "relation A": "unknown outdated"},
    ),
    Situation(
        "S26 both courses stopped at once",
        [order("A", 30), order("B", 15, "dr-b")],
        [given("A", -14, 84), given("B", -14, 84)],
        [said("beside", "A", -14, "B"), said("stopped", "all", -2)],
        expected={
            "risk": [("A", "stopped", -2, 45), ("B", "stopped", -2, 45)],
            "mg -3": 45,
            "mg -2": 0,
            "messages": [],
        },
    ),
    Situation(
        "S27 a repeat comes back whole",
        [order("A", 30)],
        [given("A", -20, 84), given("A", -5, 84, back=0)],
        expected={"out A": 8, "mg 0": 30, "mg -1": 30, "messages": calls(8), "owed A": None},
    ),
    Situation(
        "S28 takes less than prescribed",
        [order("A", 60), order("B", 75)],
        [given("A", -10, 168)],
        [said("takes", "A", -3, mg=Decimal(30))],
        asked="B",
        expected={"mg 0": 60, "low 0": 30, "high 0": 60, "low -4": 60, "out A": 18, "previous": (30, 60)},
    ),
    Situation(
        "S29 takes more than prescribed",
        [order("A", 60)],
        [given("A", -10, 168)],
        [said("takes", "A", -3, mg=Decimal(90))],
        expected={"mg 0": 60, "low 0": 60, "high 0": 90, "high -4": 60, "out A": 18},
    ),
    Situation(
        "S30 tablets counted at home",
        [order("A", 30)],
        [given("A", -10, 84)],
        [said("counted", "A", 0, tablets=amounts([30]))],
        asked="A",
        expected={"out A": 10, "due A": ("not-due", 3, 3)},
    ),
    Situation(
        "S31 tablets lost",
        [order("A", 30)],
        [given("A", -10, 84)],
        [said("counted", "A", 0, tablets=amounts([0]))],
        asked="A",
        expected={"out A": 0, "due A": ("due", -7, -7), "mg 0": 0, "risk": [("A", "today", 0, 30)]},
        give=[84],
        after={"supply": (0, 28), "mg 0": 30, "held": -10},
    ),
    Situation(
        "S32 two fills for a holiday",
        [order("A", 30)],
        [given("A", -14, 84)],
        asked="A",
        expected={"due A": ("not-due", 7, 7)},
        give=[168],
        after={"supply": (14, 56), "out A": 70, "type": "RFP", "owed A": None},
    ),
    Situation(
        "S33 an order replaced after a part runs until the new one is collected",
        [order("A", 30, status=REPLACED), order("B", 45, replaces="A")],
        [given("A", -10, 42)],
        asked="B",
        expected={
            "owed A": None,
            "due A": ("done", None, None),
            "relation B": "changes said A",
            "mg 3": 30,
            "out A": 4,
            "messages": calls(4)[1:],
        },
        give=[126],
        after={"mg 0": 45, "ended": {"A": ("replaced", 0)}},
    ),
    Situation(
        "S34 an order for later, handed over today, tablets until then",
        [order("A", 30), order("B", 45, starts=20)],
        [given("A", -8, 84)],
        asked="B",
        expected={"due B": ("not-yet", 13, 13), "relation B": "changes same-prescriber A"},
        give=[126],
        after={
            "mg 0": 30,
            "mg 19": 30,
            "mg 20": 45,
            "supply": (20, 28),
            "change": 20,
            "messages": [("dose_change", 19), *calls(48)],
        },
    ),
    Situation(
        "S35 an order for later, two days without tablets before it",
        [order("A", 30), order("B", 45, starts=20)],
        [given("A", -10, 84)],
        asked="B",
        give=[126],
        after={"mg 18": 0, "high 18": 30, "mg 20": 45, "out A": 18, "messages": [*calls(18), *calls(48)]},
    ),
    Situation(
        "S36 a planned taper collected late",
        [order("A", 45), order("B", TAPER, starts=-5)],
        [given("A", -14, 126)],
        asked="B",
        expected={"due B": ("due", 0, 0)},
        give=[32],
        after={"supply": (0, 14), "mg 6": 30, "mg 7": 15, "last": 13},
    ),
    Situation(
        "S37 the patient has died",
        [order("A", 30), order("B", 45)],
        [given("A", -10, 42)],
        died=-1,
        expected={
            "ended": {"A": ("died", -1)},
            "owed A": None,
            "due A": ("blocked", None, None),
            "relation B": None,
            "messages": [],
            "risk": [],
            "mg -2": 30,
            "high -1": 0,
        },
    ),
    Situation(
        "S38 a recorded dose that nobody knows",
        [order("B", 30)],
        [elsewhere("r1", -5, 28, None)],
        asked="B",
        expected={
            "mg 0": None,
            "low 0": 0,
            "high 0": None,
            "out r1": 23,
            "relation B": "unknown unknown r1",
            "highest 84": None,
            "messages": calls(23),
        },
    ),
    Situation(
        "S39 a decision put right by another",
        [order("A", 30), order("B", 45, "dr-b")],
        [given("A", -10, 84), given("B", -5, 126)],
        [said("beside", "A", -5, "B", id="d1"), said("replaces", "A", -3, "B", id="d2", corrects="d1")],
        expected={"mg -6": 30, "mg -5": 45, "mg 0": 45, "running 0": "B", "ended": {"A": ("replaced", -5)}},
    ),
    Situation(
        "S40 a stop that was wrong",
        [order("A", 30)],
        [given("A", -10, 84)],
        [said("stopped", "A", -5, id="d1"), said("counted", "A", -4, id="d2", corrects="d1", tablets=amounts([60]))],
        expected={"mg 0": 30, "out A": 16, "ended": {}},
    ),
    Situation(
        "S41 the dates of a plan move by four days",
        [order("A", TITRATION)],
        [given("A", -3, 84)],
        [said("moved", "A", 0, days=4)],
        expected={"mg 7": 15, "mg 8": 30, "change": 8, "mg 15": 45, "out A": 25},
    ),
    Situation(
        "S42 as needed alone, its tablets used up at the most of a day",
        [order("P", plan(([10, 10, 10], None), as_needed=True))],
        [given("P", -28, 84)],
        expected={"mg 0": 0, "low 0": 0, "high 0": 30, "running 0": "P", "uncovered 0": "", "risk": [], "messages": []},
    ),
    Situation(
        "S43 as needed, taken regularly",
        [order("P", plan(([10, 10, 10], None), as_needed=True))],
        [given("P", -28, 84)],
        [said("takes", "P", -10, mg=Decimal(20))],
        expected={"low -1": 20, "high -1": 30, "mg -1": 0, "risk": [("P", "may-be-out", 0, 0)]},
    ),
    Situation(
        "S44 two strengths as two orders of one day",
        [order("A", plan(([25, 25], None), strengths=[25])), order("B", plan(([10, 10], None)))],
        [given("A", -5, 56)],
        asked="B",
        expected={"relation B": "beside two-strengths A", "highest 56": 70, "previous": (50, 50)},
        give=[56],
        after={"mg 0": 70, "low 0": 70, "out A": 23, "out B": 28},
    ),
    Situation(
        "S45 two orders of one group",
        [order("A", 30, group="g"), order("B", 15, "dr-b", group="g")],
        [given("A", -5, 84)],
        asked="B",
        expected={"relation B": "beside group A", "highest 84": 45},
    ),
    Situation(
        "S46 a lower dose while the old order is active",
        [order("A", 45), order("B", 30)],
        [given("A", -7, 126)],
        asked="B",
        expected={"relation B": "unknown lower A", "highest 84": 75},
    ),
    Situation(
        "S47 a lower dose when the old order is completed",
        [order("A", 45, status=COMPLETED), order("B", 30)],
        [given("A", -7, 126)],
        asked="B",
        expected={"relation B": "changes same-prescriber A", "highest 84": 30},
    ),
    Situation(
        "S48 a renewal that names the order it replaces, at the same constant dose",
        [order("A", 30), order("B", 30, "dr-b", replaces="A")],
        [given("A", -7, 84)],
        asked="B",
        expected={"relation B": "continues said A"},
        give=[84],
        after={"out A": 49, "supply": (21, 28), "running 40": "A"},
    ),
    Situation(
        "S49 a new order while another is planned",
        [order("A", 30), order("B", 45, starts=10), order("C", 60)],
        [given("A", -10, 84), given("B", -2, 126)],
        asked="C",
        expected={"relation C": "unknown unknown A B", "highest 126": 105, "mg 9": 30, "mg 10": 45},
    ),
    Situation(
        "S50 an order on hold",
        [order("A", 30, status=OrderStatus.WAITING)],
        [given("A", -10, 42)],
        expected={"relation A": None, "due A": ("waiting", None, None), "owed A": None, "mg 0": 30},
    ),
    Situation(
        "S51 recorded supplies of two sources at one dose",
        [],
        [elsewhere("r1", -20, 14, 30), elsewhere("r2", -8, 28, 30)],
        expected={"running 0": "r1", "out r1": 22, "mg 0": 30, "held": -20},
    ),
    Situation(
        "S52 a repeat in the middle of a titration",
        [order("A", TITRATION)],
        [given("A", -10, 20)],
        asked="A",
        expected={"mg -4": 15, "mg -3": 30, "mg 0": 0, "out A": 0},
        give=[42],
        after={
            "supply": (0, 10),
            "out A": 10,
            "label": [(0, 3, ((1, 1, 1),)), (4, 9, ((Decimal("1.5"),) * 3,))],
            "change": 4,
        },
    ),
    Situation(
        "S53 returned on the day of its hand-over and handed over again, beside two recorded supplies",
        [order("A", plan(([5, 5, 5], 7), ([10, 10, 10], None), quantity=42))],
        [
            given("A", -20, 42, back=-20),
            elsewhere("r1", -10, 28, 60, prescriber="dr-b"),
            elsewhere("r2", -9, 28, 15),
            given("A", -3, 42),
        ],
        [said("beside", "r1", -9, "r2"), said("beside", "r1", -3, "A"), said("beside", "r2", -3, "A")],
        expected={
            "mg -20": 0,
            "ended": {"A": ("returned", -20)},
            "mg -4": 75,
            "mg -3": 90,
            "mg 3": 90,
            "mg 4": 105,
            "running 0": "r1 r2 A@2026-11-28",
        },
    ),
    Situation(
        "S54 a cancelled hand-over never left the counter",
        [order("A", 30)],
        [given("A", -10, 42), given("A", -5, 42, status=SupplyStatus.CANCELLED)],
        expected={"out A": 4, "owed A": (42,), "relation A": "part own-order A"},
    ),
    Situation(
        "S55 a taper from the dose that runs, while a higher one is planned",
        [order("A", 30), order("B", 45, starts=5), order("T", TAPER)],
        [given("A", -10, 84), given("B", -2, 126)],
        [said("replaces", "A", -2, "B")],
        asked="T",
        expected={"relation T": "unknown unknown B", "previous": (30, 30)},
        give=[32],
        answer=[said("replaces", "B", 0, "T")],
        after={
            "mg 0": 30,
            "mg 7": 15,
            "last": 13,
            "label": [(0, 6, ((1, 1, 1),)), (7, 13, ((Decimal("0.5"),) * 3,))],
            "ended": {"A": ("replaced", 0), "B": ("replaced", 0)},
        },
    ),
    Situation(
        "S56 the dose that runs, ordered again by the prescriber of the higher one that is planned",
        [order("A", 30), order("B", 45, starts=5), order("C", 30)],
        [given("A", -10, 84), given("B", -2, 126)],
        asked="C",
        expected={"relation C": "unknown lower B", "previous": (30, 30)},
        give=[84],
        answer=[said("replaces", "B", 0, "C")],
        after={"mg 0": 30, "mg 5": 30, "supply": (0, 28), "running 5": "C"},
    ),
    Situation(
        "S57 a repeat whose tablets another dose is planned to forestall, which falls away",
        [order("A", 30), order("B", 45, "dr-b", starts=5)],
        [given("A", -10, 84), given("B", -2, 126)],
        [said("replaces", "A", -2, "B")],
        asked="A",
        expected={"relation A": "unknown outdated B", "previous": (30, 30)},
        give=[84],
        answer=[said("replaces", "B", 0, "A")],
        after={"mg 5": 30, "supply": (18, 28), "out A": 46, "ended": {"B": ("replaced", 0)}},
    ),
    Situation(
        "S58 a repeat whose tablets another dose is planned to forestall, beside it",
        [order("A", 30), order("B", 45, "dr-b", starts=5)],
        [given("A", -10, 84), given("B", -2, 126)],
        [said("replaces", "A", -2, "B")],
        asked="A",
        give=[84],
        answer=[said("beside", "B", 0, "A")],
        after={"mg 4": 30, "mg 5": 75, "mg 40": 30, "label": [(18, 45, ((1, 1, 1),))], "out A": 46, "out B": 33},
    ),
    Situation(
        "S59 the dose that runs, of another prescriber, when a higher one is about to begin",
        [order("A", 30), order("B", 45, "dr-b", starts=2), order("C", 30, "dr-c")],
        [given("A", -25, 84), given("B", -2, 126)],
        [said("replaces", "A", -2, "B")],
        asked="C",
        expected={"relation C": "unknown unknown B", "previous": (30, 30)},
        give=[84],
        answer=[said("beside", "B", 0, "C")],
        after={"mg 1": 30, "mg 2": 75, "out A": 31, "supply": (3, 28)},
    ),
    Situation(
        "S60 a repeat that bridges the days to a planned dose",
        [order("A", 30), order("B", 45, "dr-b", starts=10)],
        [given("A", -25, 84), given("B", -2, 126)],
        [said("replaces", "A", -2, "B")],
        asked="A",
        expected={"relation A": "continues own-order A"},
        give=[84],
        after={"label": [(3, 9, ((1, 1, 1),))], "mg 9": 30, "mg 10": 45},
    ),
    Situation(
        "S62 the whole of a taper comes back after it has reached zero",
        [order("A", 30), order("T", plan(([5, 5, 5], 5), ([5, 5], 5), then_stop=True), replaces="A")],
        [given("A", -40, 84), given("T", -20, 13, back=-2)],
        expected={
            "mg -20": 15,
            "mg -11": 10,
            "mg -3": 0,
            "mg -2": 30,
            "ended": {"T": ("returned", -10)},
            "out A": 6,
            "running 0": "A",
        },
    ),
    Situation(
        "S63 the whole of a taper comes back when something else is taken since",
        [
            order("A", 30),
            order("T", plan(([5, 5, 5], 5), ([5, 5], 5), then_stop=True), replaces="A"),
            order("C", 15),
        ],
        [given("A", -40, 84), given("T", -20, 13, back=-2), given("C", -5, 42)],
        expected={"mg -3": 15, "mg 0": 15, "running 0": "C", "ended": {"A": ("replaced", -20), "T": ("returned", -10)}},
    ),
    Situation(
        "S64 brought back on its own day, and handed over again on that day",
        [order("A", 30)],
        [given("A", 0, 84, back=0)],
        asked="A",
        give=[84],
        after={"supply": (0, 28), "label": [(0, 27, ((1, 1, 1),))], "mg 0": 30, "mg 28": 0},
    ),
    Situation(
        "S65 a plan of the prescriber that begins with the dose that runs and rises later",
        [order("A", 30), order("B", TITRATION_OF_30)],
        [given("A", -18, 84)],
        asked="B",
        expected={"relation B": "changes same-prescriber A", "previous": (30, 30)},
        give=[84],
        after={
            "mg 6": 30,
            "mg 7": 45,
            "change": 7,
            "supply": (0, 21),
            "label": [(0, 6, ((1, 1, 1),)), (7, 20, ((Decimal("1.5"),) * 3,))],
            "ended": {"A": ("replaced", 0)},
        },
    ),
    Situation(
        "S66 a taper that begins with the dose that runs, ten days before the old tablets end",
        [order("A", 30), order("T", TAPER)],
        [given("A", -18, 84)],
        asked="T",
        expected={"relation T": "changes same-prescriber A"},
        give=[31.5],
        after={"mg 6": 30, "mg 7": 15, "mg 14": 0, "last": 13, "messages": [("dose_change", 6), ("last_day", 13)]},
    ),
    Situation(
        "S67 a plan of another prescriber that begins with the dose that runs, when a refill is due",
        [order("A", 30), order("B", TITRATION_OF_30, "dr-b")],
        [given("A", -25, 84)],
        asked="B",
        expected={"relation B": "unknown unknown A"},
        give=[84],
        answer=[said("replaces", "A", 0, "B")],
        after={"mg 6": 30, "mg 7": 45, "supply": (0, 21)},
    ),
    Situation(
        "S68 one dose of another prescriber that stays, when a refill is due",
        [order("A", 30), order("B", plan(([10, 10, 10], 14), ([10, 10, 10], None), quantity=84), "dr-b")],
        [given("A", -25, 84)],
        asked="B",
        expected={"relation B": "continues same-dose A"},
        give=[84],
        after={"mg 6": 30, "supply": (3, 28)},
    ),
    Situation(
        "S69 the dose that runs, ordered to stay, while the plan that runs rises later",
        [order("A", TITRATION_OF_30), order("B", 30)],
        [given("A", -5, 84)],
        asked="B",
        expected={"mg 2": 45, "relation B": "changes same-prescriber A"},
        give=[84],
        after={"mg 2": 30, "mg 27": 30, "supply": (0, 28), "change": None},
    ),
    Situation(
        "S70 the last dose of a plan, ordered to stay",
        [order("A", TITRATION_OF_30), order("B", 45)],
        [given("A", -15, 84)],
        asked="B",
        expected={"relation B": "continues same-dose A"},
        give=[126],
        after={"mg 5": 45, "mg 6": 45, "supply": (6, 28)},
    ),
    Situation(
        "S71 an answer before a dose was replaced says nothing of its order handed over twice since",
        [order("A", 30), order("B", 45, "dr-b")],
        [given("A", -49, 84), given("B", -12, 126), given("A", -8, 42), given("A", -4, 42)],
        [said("replaces", "B", -50, "A")],
        expected={"running 0": "B A@2026-11-23", "high 0": 75, "ended": {"A": ("replaced", -12)}},
    ),
    Situation(
        "S72 two orders that name each other as replaced",
        [order("A", 30, replaces="B"), order("B", 45, "dr-b", replaces="A")],
        [given("A", -5, 84)],
        asked="B",
        expected={"relation B": "unknown unknown A", "highest 126": 75},
    ),
    Situation(
        "S73 orders that name each other as replaced by way of a third",
        [order("A", 30, replaces="C"), order("B", 45, "dr-b", replaces="A"), order("C", 60, replaces="B")],
        [given("A", -5, 84)],
        expected={"relation B": "unknown unknown A", "relation C": "changes same-prescriber A"},
    ),
    Situation(
        "S74 a stop that names one of two hand-overs",
        [order("A", 30)],
        [given("A", -20, 84), given("A", -3, 84)],
        [said("stopped", "A-3", 0)],
        expected={"mg -1": 30, "mg 0": 0, "ended": {"A": ("stopped", 0)}},
    ),
    Situation(
        "S75 two orders of the dose that runs, one to begin after the other, days after the tablets end",
        [order("A", 30), order("B", 30, starts=3), order("C", 30, starts=6)],
        [given("A", -27, 85), given("B", -1, 9), given("C", -1, 30)],
        expected={
            "out A": 1,
            "uncovered 1": "A",
            "mg 2": 0,
            "mg 3": 30,
            "mg 5": 30,
            "mg 15": 30,
            "mg 16": 0,
            "supply B-1": (3, 3),
            "supply C-1": (6, 10),
        },
    ),
    Situation(
        "S76 an answer about the dose that runs, while another is planned in its place",
        [order("A", 30), order("B", 45, "dr-b", starts=5), order("C", 60, "dr-c")],
        [given("A", -10, 84), given("B", -2, 126)],
        [said("replaces", "A", -2, "B")],
        asked="C",
        expected={"relation C": "unknown unknown A B", "highest 168": 105},
        give=[168],
        answer=[said("replaces", "A", 0, "C")],
        after={
            "mg 0": 60,
            "running 0": "C",
            "ended": {"A": ("replaced", 0)},
            "mg 4": 60,
            "mg 5": None,
            "low 5": 45,
            "high 5": 105,
        },
    ),
    Situation(
        "S77 two parts of one day of a plan that is over and was replaced, while the dose after it is without tablets",
        [order("A", TAPER), order("B", 30)],
        [given("A", -50, 24.5), given("B", -45, 84), given("A", -3, 12), given("A", -3, 12, number=1)],
        expected={
            "out B": -17,
            "ended": {"A": ("replaced", -45), "A@2026-11-28": ("planned", -3)},
            "risk": [("B", "overdue", -17, 30)],
        },
    ),
    Situation(
        "S78 stopped on the day on which it was handed over to go on with the dose of before",
        [order("A", 30)],
        [elsewhere("r1", -20, 24, 30), given("A", 0, 84)],
        [said("stopped", "A", 0)],
        expected={
            "mg 0": 0,
            "high 0": 0,
            "ended": {"r1": ("stopped", 0)},
            "messages": [],
            "risk": [("r1", "stopped", 0, 30)],
        },
    ),
    Situation(
        "S79 takes less, said on the day of the first hand-over",
        [order("A", 30)],
        [given("A", 0, 84)],
        [said("takes", "A", 0, mg=Decimal(20))],
        expected={"mg 0": 30, "low 0": 20, "high 0": 30},
    ),
    Situation(
        "S80 dates moved on the day of the first hand-over",
        [order("A", TITRATION)],
        [given("A", 0, 84)],
        [said("moved", "A", 0, days=2)],
        expected={"mg 8": 15, "mg 9": 30, "change": 9},
    ),
    Situation(
        "S81 counted on the morning of the first hand-over",
        [order("A", 30)],
        [given("A", 0, 84)],
        [said("counted", "A", 0, tablets=amounts([6]))],
        expected={"out A": 30},
    ),
    Situation(
        "S82 everything stopped after the first hand-over of the day",
        [order("A", 30)],
        [given("A", 0, 84)],
        [said("stopped", "all", after=("A0",))],
        expected={"mg 0": 0, "high 0": 0, "ended": {"A": ("stopped", 0)}, "messages": []},
    ),
    Situation(
        "S83 everything stopped between two hand-overs of the day",
        [order("A", 30), order("B", 45, "dr-b")],
        [elsewhere("r1", -20, 60, 60), given("A", 0, 84), given("B", 0, 126)],
        [said("stopped", "all", after=("A0",))],
        expected={"mg 0": 45, "high 0": 45, "ended": {"r1": ("stopped", 0), "A": ("stopped", 0)}},
    ),
    Situation(
        "S84 stopped after a repeat of the day",
        [order("A", 30)],
        [given("A", -20, 84), given("A", 0, 84)],
        [said("stopped", "A", after=("A0",))],
        expected={"mg -1": 30, "mg 0": 0, "high 0": 0, "ended": {"A": ("stopped", 0)}, "messages": []},
    ),
    Situation(
        "S85 everything stopped before a hand-over of the day",
        [order("A", 30), order("B", 45, "dr-b")],
        [given("A", -20, 84), given("B", 0, 126)],
        [said("stopped", "all")],
        expected={"mg 0": 45, "high 0": 45, "ended": {"A": ("stopped", 0)}},
    ),
    Situation(
        "S86 a dose takes the place of an order of which two courses are open",
        TWICE_OPEN[0],
        [*TWICE_OPEN[1], given("C", 0, 168)],
        [*TWICE_OPEN[2], said("replaces", "B", 0, "C")],
        expected={"mg -1": 60, "running 0": "C", "mg 0": 60, "high 0": 60},
    ),
    Situation(
        "S87 an order of which two courses are open is stopped",
        *TWICE_OPEN[:2],
        [*TWICE_OPEN[2], said("stopped", "B")],
        expected={"mg -1": 60, "running 0": "", "high 0": 0, "messages": []},
    ),
    Situation(
        "S88 in the place of one of two open courses of an order, beside the other",
        TWICE_OPEN[0],
        [*TWICE_OPEN[1], given("C", 0, 168)],
        [*TWICE_OPEN[2], said("replaces", "B", 0, "C"), said("beside", "B@2026-10-22", 0, "C")],
        expected={"running 0": "B@2026-10-22 C", "mg 0": 90},
    ),
    Situation(
        "S61 a planned start that is moved",
        [order("A", TITRATION, starts=10)],
        [given("A", -2, 42)],
        [said("moved", "A", 0, days=3)],
        expected={"mg 12": 0, "mg 13": 15, "mg 20": 30, "supply A-2": (13, 16), "out A": 29},
    ),
    Situation(
        "S89 in the place of the dose that runs by its order, and of a planned one by an answer",
        [order("A", 30), order("D", 15, "dr-b", starts=10), order("C", 45, replaces="A")],
        [given("A", -10, 84), given("D", -2, 84)],
        asked="C",
        expected={"relation C": "changes said A"},
        give=[126],
        answer=[said("replaces", "D", 0, "C")],
        after={"running 0": "C", "mg 0": 45, "running 10": "C", "high 10": 45},
    ),
    Situation(
        "S90 more of the dose that runs, in the place of another beside it",
        [order("A", 30), order("D", 15, "dr-b"), order("C", 30)],
        [given("A", -10, 84), given("D", -2, 84)],
        [said("beside", "A", -2, "D")],
        asked="C",
        expected={"relation C": "continues same-dose A", "mg 0": 45},
        give=[84],
        answer=[said("replaces", "D", 0, "C")],
        after={"running 0": "A", "mg 0": 30, "ended": {"D": ("replaced", 0)}, "out A": 46},
    ),
    Situation(
        "S91 the answer to a second hand-over names another day than the first",
        [order("A", 30), order("B", 45, "dr-b")],
        [given("A", -10, 84), given("B", -5, 63), given("B", -1, 63)],
        [said("replaces", "A", -5, "B", start=5), said("replaces", "A", -1, "B", start=8)],
        expected={
            "mg 7": 30,
            "high 7": 30,
            "mg 8": 45,
            "running 8": "B",
            "supply B-5": (8, 14),
            "supply B-1": (22, 14),
            "out B": 36,
        },
    ),
    Situation(
        "S95 the start of a new dose is moved, and more of it is handed over before it begins",
        [order("A", 30), order("B", 45, "dr-b")],
        [given("A", -10, 84), given("B", -5, 63), given("B", -1, 63)],
        [said("replaces", "A", -5, "B", start=5), said("moved", "B", -3, days=3)],
        expected={"mg 7": 30, "high 7": 30, "mg 8": 45, "running 8": "B"},
    ),
    Situation(
        "S96 more of a plan that is over, while an equal dose of elsewhere is without tablets",
        [order("A", plan(([5] * 3, 4), then_stop=True, quantity=6))],
        [given("A", -60, 6), elsewhere("r1", -30, 14, 15, prescriber="dr-b"), given("A", 0, 3)],
        expected={
            "uncovered 0": "r1",
            "mg 0": 0,
            "risk": [("r1", "overdue", -16, 15)],
            "ended": {"A": ("planned", -56), "A@2026-12-01": ("planned", 0)},
        },
    ),
    Situation(
        "S97 a planned dose that was replaced before it began goes on where more of its order came to meanwhile",
        [order("A", 30, "dr-b"), order("C", plan(([20, 20], 4), ([5] * 3, 30)), starts=-25)],
        [given("C", -33, 6), given("A", -28, 3, back=-9), given("C", -17, 10.5)],
        [said("replaces", "C", -28, "A")],
        expected={"mg -9": 15, "running -9": "C"},
    ),
    Situation(
        "S92 the dates of a plan of which two courses are open are moved",
        [order("A", 45, "dr-b"), order("B", plan(([10] * 3, 55), ([5] * 3, None)))],
        TWICE_OPEN[1],
        [*TWICE_OPEN[2], said("moved", "B", -1, days=3)],
        expected={"mg 7": 60, "mg 8": 30},
    ),
    Situation(
        "S93 an amount is reported of an order of which two courses are open",
        *TWICE_OPEN[:2],
        [*TWICE_OPEN[2], said("takes", "B", 0, mg=Decimal(15))],
        expected={"mg 0": 60, "low 0": 15, "high 0": 60},
    ),
    Situation(
        "S94 the tablets of an order of which two courses are open are counted",
        *TWICE_OPEN[:2],
        [*TWICE_OPEN[2], said("counted", "B", 0, tablets=(Decimal(9),))],
        expected={"out B": 0, "out B@2026-10-22": 3, "mg 0": 30},
    ),
    Situation(
        "S98 more of the dose that runs, in the place of two others from two different days",
        [order("A", 30), order("B", 15, "dr-b"), order("C", 45, "dr-c")],
        [given("A", -20, 84), given("B", -19, 84), given("C", -18, 168), given("A", 0, 84)],
        [
            *(said("beside", other, on, subject) for other, on, subject in [("A", -19, "B"), ("A", -18, "C")]),
            said("beside", "B", -18, "C"),
            said("replaces", "B", 0, "A", start=3),
            said("replaces", "C", 0, "A", start=6),
        ],
        expected={"mg 2": 90, "mg 3": 75, "mg 5": 75, "mg 6": 30, "running 6": "A"},
    ),
    Situation(
        "S99 an order of the dose of one of two open courses of the order that it names",
        [*TWICE_OPEN[0][:2], order("C", 30, "dr-b", replaces="B")],
        *TWICE_OPEN[1:],
        asked="C",
        expected={"relation C": "changes said B B@2026-10-22", "previous": (60, 60), "mg 0": 60},
        give=[84],
        after={"running 0": "C", "mg 0": 30, "high 0": 30},
    ),
    Situation(
        "S100 two hand-overs for a later day of the dose that runs",
        [order("A", 30), order("B", 30, starts=10)],
        [given("A", -10, 42), given("B", -2, 21), given("B", 0, 42)],
        expected={
            "mg 3": 30,
            "mg 4": 0,
            "mg 10": 30,
            "supply A-10": (-10, 14),
            "supply B-2": (10, 7),
            "supply B0": (17, 14),
        },
    ),
    Situation(
        "S101 a planned start that is moved after two hand-overs for it",
        [order("A", TITRATION, starts=10)],
        [given("A", -2, 42), given("A", -1, 42)],
        [said("moved", "A", 0, days=3)],
        expected={"mg 12": 0, "mg 13": 15, "supply A-2": (13, 16), "supply A-1": (29, 9), "out A": 38},
    ),
    Situation(
        "S102 days of a plan recorded from elsewhere, that were not counted in tablets",
        [],
        [Supply(id="r1", on=day(-3), order=None, plan=TITRATION, days=16)],
        expected={"mg 3": 15, "mg 4": 30, "mg 10": 30, "mg 11": 45, "mg 12": 45, "mg 13": 0, "out r1": 13},
    ),
    Situation(
        "S103 what was taken is stopped after an order was written that was never handed over",
        [order("B", 15, written=-3)],
        [elsewhere("r1", -20, 28, 15)],
        [said("stopped", "r1", -3)],
        asked="B",
        expected={"relation B": "unknown outdated", "ended": {"r1": ("stopped", -3)}},
    ),
    Situation(
        "S104 an order that was written after the stop",
        [order("B", 15, written=-2)],
        [elsewhere("r1", -20, 28, 15)],
        [said("stopped", "r1", -3)],
        asked="B",
        expected={"relation B": "new -"},
    ),
    Situation(
        "S105 a stop that is longer ago than a treatment that ended counts",
        [order("B", 15, written=-95)],
        [elsewhere("r1", -120, 180, 15)],
        [said("stopped", "r1", -91)],
        asked="B",
        expected={"relation B": "new -"},
    ),
    Situation(
        "S106 a treatment that went on after the stop, and ended by its plan",
        [order("A", plan(([5, 5, 5], 7), then_stop=True)), order("B", 15, written=-35)],
        [elsewhere("r1", -60, 60, 15), given("A", -20, 12)],
        [said("stopped", "r1", -30)],
        asked="B",
        expected={"relation B": "new -"},
    ),
    Situation(
        "S107 an order that does not say when it was written, after a stop",
        [replace(order("B", 15), written_on=None)],
        [elsewhere("r1", -20, 28, 15)],
        [said("stopped", "r1", -3)],
        asked="B",
        expected={"relation B": "unknown outdated"},
    ),
]


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.title)
def test_a_situation_has_the_answers_of_the_description(situation: Situation) -> None:
    state = therapy(situation.facts)
    answers = {question: answer_to(question, state, situation.asked) for question in situation.expected}
    assert answers == situation.expected
    if situation.give:
        after = state.with_hand_over(situation.asked, amounts(situation.give), situation.answer)
        answers = {question: answer_to(question, after, situation.asked) for question in situation.after}
        assert answers == situation.after
