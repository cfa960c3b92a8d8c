"""Cases of the therapy's description, section by section: each worked out by hand, days counted from 1 December 2026."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from baclofen_rules.regimen import Phase
from baclofen_rules.therapy import Order, OrderStatus, Plan, Product, Supply, SupplyStatus, therapy
from tests.baclofen_rules.therapy.reading import amounts
from tests.baclofen_rules.therapy.states import day
from tests.baclofen_rules.therapy.test_dates import facts
from tests.baclofen_rules.therapy.test_situations import (
    AS_NEEDED,
    COMPLETED,
    TAPER,
    TITRATION,
    Situation,
    answer_to,
    calls,
    elsewhere,
    given,
    order,
    plan,
    said,
)

CANCELLED = OrderStatus.CANCELLED


def seventy(name: str, **more: Any) -> Order:
    """An order of 25 mg and 10 mg twice a day, in one tablet of each strength."""
    products = [Product(Decimal(mg), (Phase(amounts([mg, mg]), None),), Decimal(28)) for mg in (25, 10)]
    return order(name, Plan(tuple(products)), **more)


def thirty(quantity: int, **more: Any) -> Order:
    """An order of 10 mg three times a day with another quantity."""
    return order("A", plan(([10, 10, 10], None), quantity=quantity), **more)


DAYS = [
    Situation(
        "two strengths last as long as the scarcer",
        [seventy("A")],
        [given("A", -3, 28, 20)],
        expected={
            "mg 6": 70,
            "mg 7": 0,
            "uncovered 7": "A",
            "out A": 7,
            "supply A-3": (-3, 10),
            "owed A": (0, 8),
            "messages": [("refill_due", 2), *calls(7)[1:]],
        },
    ),
    Situation(
        "more of the scarcer strength lets both last",
        [seventy("A")],
        [given("A", -3, 28, 20), given("A", -1, 0, 8)],
        expected={"out A": 11, "mg 10": 70, "supply A-1": (7, 4)},
    ),
    Situation(
        "what does not make a day is gone on the day that it fails",
        [order("A", 30)],
        [given("A", -6, 16)],
        asked="A",
        expected={"out A": -1, "mg -1": 0, "high -1": 30},
        give=[83],
        after={"out A": 27, "supply": (0, 27)},
    ),
    Situation(
        "what does not make a day counts with a supply of that morning",
        [order("A", 30)],
        [given("A", -5, 16)],
        asked="A",
        expected={"out A": 0},
        give=[83],
        after={"out A": 28, "supply": (0, 28)},
    ),
    Situation(
        "a titration goes on by the calendar after days without tablets",
        [order("A", TITRATION)],
        [given("A", -12, 10.5)],
        asked="A",
        expected={"out A": -5, "relation A": "continues after-gap A"},
        give=[30],
        after={"mg 0": 30, "mg 1": 30, "mg 2": 45, "supply": (0, 7)},
    ),
    Situation(
        "a plan that says stop ends after its last phase",
        [order("A", TAPER)],
        [given("A", -14, 31.5)],
        expected={"mg -1": 15, "mg 0": 0, "ended": {"A": ("planned", 0)}, "risk": [], "messages": []},
    ),
    Situation(
        "a plan that says nothing of its end goes on with its last phase",
        [order("A", plan(([10, 10, 10], 7), ([5, 5, 5], 7), quantity=60))],
        [given("A", -14, 60)],
        expected={"mg 0": 15, "out A": 19, "ended": {}, "change": None},
    ),
    Situation(
        "the next change by plan may be to nothing, and the last day is the one before",
        [order("A", TAPER)],
        [given("A", -7, 31.5)],
        expected={"mg 0": 15, "change": 7, "last": 6, "messages": [("last_day", 6)]},
    ),
    Situation(
        "tablets of a replaced dose count again when the new dose came back",
        [order("A", 30), order("B", 45)],
        [given("A", -20, 84), given("B", -10, 126, back=-4)],
        expected={"mg -11": 30, "mg -10": 45, "mg -5": 45, "mg -4": 30, "out A": 14, "ended": {"B": ("returned", -4)}},
    ),
    Situation(
        "as needed is nothing for a fall and the most of a day for the maximum, also after its cover",
        [order("A", AS_NEEDED)],
        [given("A", -10, 56)],
        expected={
            "mg 0": 0,
            "low 0": 0,
            "high 0": 20,
            "high 30": 20,
            "uncovered 30": "",
            "out A": 18,
            "messages": [("refill_due", 11)],
            "risk": [],
        },
    ),
    Situation(
        "as needed and reported as taken is watched above what may be stopped at once",
        [order("A", AS_NEEDED)],
        [given("A", -27, 56)],
        [said("takes", "A", -5, mg=Decimal(15))],
        expected={"mg 0": 0, "low 0": 15, "high 0": 20, "risk": [("A", "may-be-out", 1, 0)]},
    ),
    Situation(
        "as needed and reported as hardly taken is not watched",
        [order("A", AS_NEEDED)],
        [given("A", -27, 56)],
        [said("takes", "A", -5, mg=Decimal(5))],
        expected={"low 0": 5, "risk": []},
    ),
    Situation(
        "two days without tablets a course still runs, on the third it does not",
        [order("A", 30)],
        [given("A", -30, 84)],
        expected={"out A": -2, "running 0": "A", "high 0": 30, "low 0": 0, "running 1": "", "high 1": 0},
    ),
    Situation(
        "who says to take more raises the most",
        [order("A", 30)],
        [given("A", -5, 84)],
        [said("takes", "A", -2, mg=Decimal(60))],
        expected={"mg 0": 30, "low 0": 30, "high 0": 60, "high -3": 30},
    ),
    Situation(
        "who says to take less lowers the least, and a rise is held against it",
        [order("A", 30), order("B", 45)],
        [given("A", -5, 84)],
        [said("takes", "A", -2, mg=Decimal(10))],
        asked="B",
        expected={"mg 0": 30, "low 0": 10, "high 0": 30, "previous": (10, 30), "out A": 23},
    ),
    Situation(
        "a recorded supply of unknown dose may be anything",
        [order("B", 30)],
        [elsewhere("r1", -5, 14, None)],
        asked="B",
        expected={"mg 0": None, "low 0": 0, "high 0": None, "out r1": 9, "relation B": "unknown unknown r1"},
    ),
]
RELATIONS = [
    Situation(
        "an equal dose after ten days without tablets goes on",
        [order("A", 30), order("B", 30, "dr-b")],
        [given("A", -38, 84)],
        expected={"relation B": "continues after-gap A"},
    ),
    Situation(
        "an order that names the one it renews, of equal constant dose, goes on",
        [order("A", 30), order("B", 30, "dr-b", replaces="A")],
        [given("A", -5, 84)],
        expected={"relation B": "continues said A"},
    ),
    Situation(
        "an order that names the one it replaces and begins with its dose, but changes later, replaces it",
        [order("A", 30), order("B", plan(([10] * 3, 7), ([15] * 3, None)), "dr-b", replaces="A")],
        [given("A", -5, 84)],
        asked="B",
        expected={"relation B": "changes said A"},
        give=[84],
        after={"mg 0": 30, "mg 6": 30, "mg 7": 45, "running 0": "B"},
    ),
    Situation(
        "orders of one group stand beside each other",
        [order("A", 30, group="g"), order("B", 15, "dr-b", group="g")],
        [given("A", -5, 84)],
        asked="B",
        expected={"relation B": "beside group A", "highest 84": 45},
    ),
    Situation(
        "as needed in another strength of one day and prescriber is no second strength of the fixed dose",
        [order("A", 30), order("B", plan(([25], None), strengths=[25], as_needed=True))],
        [given("A", -5, 84)],
        asked="B",
        expected={"relation B": "beside as-needed A", "highest 28": 55},
    ),
    Situation(
        "the same dose of another prescriber with seven days left of fourteen goes on",
        [thirty(42), order("B", 30, "dr-b")],
        [given("A", -7, 42)],
        expected={"out A": 7, "relation B": "continues same-dose A"},
    ),
    Situation(
        "the same dose of another prescriber with eight days left of fourteen is asked about",
        [thirty(42), order("B", 30, "dr-b")],
        [given("A", -6, 42)],
        expected={"out A": 8, "relation B": "unknown unknown A"},
    ),
    Situation(
        "the same dose of another prescriber with three days left of seven goes on",
        [thirty(21), order("B", 30, "dr-b")],
        [given("A", -4, 21)],
        expected={"relation B": "continues same-dose A"},
    ),
    Situation(
        "the same dose of another prescriber with four days left of seven is asked about",
        [thirty(21), order("B", 30, "dr-b")],
        [given("A", -3, 21)],
        expected={"relation B": "unknown unknown A"},
    ),
    Situation(
        "two prescribers that nobody knows are not the same",
        [order("A", 30, None), order("B", 45, None)],
        [given("A", -5, 84)],
        asked="B",
        expected={"relation B": "unknown unknown A", "highest 126": 75},
    ),
    Situation(
        "a taper of the same prescriber takes the place of a higher dose",
        [order("A", 30), order("B", plan(([10, 10], 7), ([5, 5], 7), then_stop=True))],
        [given("A", -5, 84)],
        asked="B",
        expected={"relation B": "changes same-prescriber A"},
        give=[21],
        after={
            "mg 0": 20,
            "mg 7": 10,
            "mg 14": 0,
            "last": 13,
            "change": 7,
            "label": [(0, 6, ((1, 1),)), (7, 13, ((Decimal("0.5"),) * 2,))],
        },
    ),
    Situation(
        "a lower dose takes the place of one whose order is no longer active",
        [order("A", 45, status=COMPLETED), order("B", 30)],
        [given("A", -5, 126)],
        expected={"relation B": "changes same-prescriber A"},
    ),
    Situation(
        "a lower dose beside an active order is asked about",
        [order("A", 45), order("B", 30)],
        [given("A", -5, 126)],
        asked="B",
        expected={"relation B": "unknown lower A", "highest 84": 75},
        give=[84],
        after={"mg 0": None, "low 0": 30, "high 0": 75},
    ),
    Situation(
        "another dose where two fixed courses run is asked about both",
        [order("A", 30), order("C", 15, "dr-b"), order("B", 60)],
        [given("A", -5, 84), given("C", -4, 84)],
        [said("beside", "A", -4, "C")],
        asked="B",
        expected={"relation B": "unknown unknown A C", "highest 84": 105},
    ),
    Situation(
        "what was taken beside an old dose is taken beside the new one",
        [order("A", 30), order("P", AS_NEEDED), order("B", 45)],
        [given("A", -5, 84), given("P", -4, 56)],
        asked="B",
        expected={"relation B": "changes same-prescriber A"},
        give=[126],
        after={"running 0": "P B", "mg 0": 45, "high 0": 65},
    ),
    Situation(
        "a course that is only planned counts like one that runs",
        [order("A", 30, starts=10), order("B", 45, "dr-b")],
        [given("A", -2, 84)],
        asked="B",
        expected={"relation B": "unknown unknown A", "highest 126": 75},
    ),
]
EVENTS = [
    Situation(
        "two strengths planned for a later day take the place of what is taken until then",
        [order("A", 30), seventy("B", starts=5, replaces="A")],
        [given("A", -10, 84)],
        asked="B",
        expected={"relation B": "changes said A"},
        give=[28, 28],
        after={
            "mg 4": 30,
            "mg 5": 70,
            "supply": (5, 14),
            "out B": 19,
            "calendar": 14,
            "messages": [("dose_change", 4), *calls(19)],
        },
    ),
    Situation(
        "days between the old tablets and a planned dose are a hole of the old course",
        [order("A", 30), order("B", 45, starts=4)],
        [given("A", -26, 84), given("B", -1, 126)],
        expected={
            "mg 1": 30,
            "mg 2": 0,
            "mg 3": 0,
            "mg 4": 45,
            "risk": [("A", "soon", 2, 30)],
            "messages": [("refill_again", 0), ("run_out", 2), ("missed_collection", 4), *calls(32)],
        },
    ),
    Situation(
        "an order that its sender cancelled ends no treatment",
        [order("A", 30, status=CANCELLED)],
        [given("A", -10, 84)],
        expected={
            "mg 0": 30,
            "out A": 18,
            "relation A": None,
            "due A": ("done", None, None),
            "owed A": None,
            "messages": calls(18),
        },
    ),
    Situation(
        "some tablets that come back are taken out of the stock from that day",
        [order("A", 30)],
        [given("A", -10, 84, back=-5, some=[20])],
        expected={"mg -6": 30, "out A": 11, "ended": {}},
    ),
    Situation(
        "more tablets that come back than can be left leave none",
        [order("A", 30)],
        [given("A", -10, 84, back=-5, some=[80])],
        expected={"mg -6": 30, "mg -5": 0, "out A": -5, "risk": [("A", "overdue", -5, 30)]},
    ),
    Situation(
        "a repeat that comes back leaves the tablets of before",
        [order("A", 30)],
        [given("A", -28, 84), given("A", -2, 84, back=0)],
        expected={"mg 1": 0, "out A": 0, "mg -1": 30, "risk": [("A", "today", 0, 30)]},
    ),
    Situation(
        "more counted than the stock lasts longer",
        [order("A", 30)],
        [given("A", -10, 84)],
        [said("counted", "A", 0, tablets=amounts([100]))],
        expected={"out A": 33, "mg 32": 30},
    ),
    Situation(
        "two strengths counted last as long as the scarcer",
        [seventy("A")],
        [given("A", -3, 28, 28)],
        [said("counted", "A", 0, tablets=amounts([10, 20]))],
        expected={"out A": 5},
    ),
    Situation(
        "a stop of everything ends what is fixed and what is as needed; only the fixed dose is watched",
        [order("A", 30), order("P", AS_NEEDED)],
        [given("A", -5, 84), given("P", -4, 56)],
        [said("stopped", "all", 0)],
        expected={
            "ended": {"A": ("stopped", 0), "P": ("stopped", 0)},
            "mg 0": 0,
            "high 0": 0,
            "messages": [],
            "risk": [("A", "stopped", 0, 30)],
        },
    ),
    Situation(
        "what is handed over again on the day of its stop is taken",
        [order("A", 30)],
        [given("A", -20, 84)],
        [said("stopped", "A", 0)],
        asked="A",
        expected={"relation A": "unknown outdated", "ended": {"A": ("stopped", 0)}},
        give=[84],
        after={"running 0": "A@2026-12-01", "mg 0": 30, "out A@2026-12-01": 28},
    ),
    Situation(
        "what is handed over and stopped on one day is not taken",
        [order("A", 30)],
        [given("A", 0, 84)],
        [said("stopped", "A", 0)],
        expected={"ended": {"A": ("stopped", 0)}, "mg 0": 0},
    ),
    Situation(
        "5 mg a day may be stopped without a watch",
        [order("A", plan(([5], None)))],
        [given("A", -5, 42)],
        [said("stopped", "A", 0)],
        expected={"ended": {"A": ("stopped", 0)}, "risk": []},
    ),
    Situation(
        "a stopped course is watched for seven days",
        [order("A", 30)],
        [given("A", -20, 84)],
        [said("stopped", "A", -6)],
        expected={"risk": [("A", "stopped", -6, 30)], "mg -7": 30, "mg -6": 0},
    ),
    Situation(
        "a stopped course is not watched on the eighth day",
        [order("A", 30)],
        [given("A", -20, 84)],
        [said("stopped", "A", -7)],
        expected={"risk": [], "ended": {"A": ("stopped", -7)}},
    ),
    Situation(
        "both prescribers' tablets are watched while nobody said how they stand",
        [order("A", 30), order("B", 15, "dr-b")],
        [given("A", -27, 84), given("B", -26, 42)],
        expected={
            "mg 0": None,
            "low 0": 15,
            "high 0": 45,
            "risk": [("A", "soon", 1, None), ("B", "soon", 2, None)],
        },
    ),
]
FILLS = [
    Situation(
        "the rest of a part is owed, and is a part",
        [thirty(42)],
        [given("A", -2, 12)],
        asked="A",
        expected={"owed A": (30,), "relation A": "part own-order A", "due A": ("owing", 0, 0)},
        give=[30],
        after={"owed A": None, "supply": (2, 10), "type": "RFP", "out A": 12},
    ),
    Situation(
        "what is owed shrinks by each part",
        [thirty(42)],
        [given("A", -2, 12)],
        asked="A",
        give=[20],
        after={"owed A": (10,), "relation A": "part own-order A"},
    ),
    Situation(
        "nothing is owed of an order that is completed",
        [thirty(42, status=COMPLETED)],
        [given("A", -2, 12)],
        expected={"owed A": None, "due A": ("done", None, None)},
    ),
    Situation(
        "a part that came back is not owed again",
        [thirty(42)],
        [given("A", -5, 12, back=-2)],
        expected={"owed A": (30,)},
    ),
    Situation(
        "an instalment is due at its distance, never asked for before",
        [order("A", 30, interval_days=7)],
        [given("A", -5, 21)],
        expected={
            "relation A": "part own-order A",
            "due A": ("not-due", 2, 2),
            "messages": [("refill_again", 0), ("run_out", 2), ("missed_collection", 4)],
        },
    ),
    Situation(
        "a missed instalment is due since its day, and nothing is forfeited",
        [order("A", 30, interval_days=7)],
        [given("A", -9, 21)],
        expected={"due A": ("due", -2, -2), "owed A": (63,), "out A": -2},
    ),
    *(
        Situation(
            f"of {days} days at most {left_days} may be left when a refill is not early",
            [thirty(3 * days)],
            [given("A", left_days + early - days, 3 * days)],
            expected={"out A": left_days + early, "due A": ("not-due" if early else "due", early, early)},
        )
        for days, left_days in {28: 7, 14: 7, 7: 3, 6: 3, 20: 7, 3: 1}.items()
        for early in (0, 1)
    ),
    Situation(
        "of 56 days fourteen may be left, and a refill is called for with seven",
        [thirty(168)],
        [given("A", -42, 168)],
        expected={"out A": 14, "due A": ("not-due", 7, 0), "messages": calls(14)},
    ),
    Situation(
        "a fill in parts is as long as its parts together",
        [thirty(42)],
        [given("A", -8, 12), given("A", -6, 30)],
        expected={"out A": 6, "due A": ("due", -1, -1), "owed A": None},
    ),
    Situation(
        "of two fills the last one says what may be left",
        [order("A", 30)],
        [given("A", -28, 84), given("A", -10, 84)],
        expected={"out A": 28, "due A": ("not-due", 21, 21)},
    ),
]
MEETINGS = [
    Situation(
        "the second of two parts comes back whole",
        [order("A", 30)],
        [given("A", -10, 42), given("A", -4, 42, back=-2)],
        expected={"out A": 4, "owed A": None, "relation A": "continues own-order A", "mg 3": 30, "mg 4": 0},
    ),
    Situation(
        "two strengths collected four days early",
        [seventy("A", repeats=1)],
        [given("A", -10, 28, 28)],
        asked="A",
        expected={"out A": 4, "due A": ("due", -3, -3)},
        give=[28, 28],
        after={"supply": (4, 14), "out A": 18, "due A": ("not-due", 11, 11)},
    ),
    Situation(
        "as needed beside a regular dose, taken regularly",
        [order("A", 30), order("P", AS_NEEDED, "dr-b")],
        [given("A", -7, 84), given("P", -5, 56)],
        [said("beside", "A", -5, "P"), said("takes", "P", -3, mg=Decimal(20))],
        expected={"mg 0": 30, "low 0": 50, "high 0": 50, "low -4": 30, "out A": 21, "out P": 23, "risk": []},
    ),
    Situation(
        "a repeat before a stop that is told for later",
        [order("A", 30, repeats=1)],
        [given("A", -26, 84)],
        [said("stopped", "A", 5)],
        asked="A",
        give=[84],
        after={
            "supply": (2, 28),
            "mg 4": 30,
            "mg 5": 0,
            "last": 4,
            "calendar": 3,
            "messages": [("last_day", 4)],
            "ended": {},
        },
    ),
    Situation(
        "a supply from elsewhere and the taper planned after it, both replaced",
        [order("T", TAPER, starts=10), order("C", 45, "dr-b")],
        [elsewhere("r1", -10, 28, 30), given("T", -2, 32)],
        [said("replaces", "r1", -2, "T")],
        asked="C",
        expected={"mg 9": 30, "mg 17": 15, "last": 23},
        give=[126],
        answer=[said("replaces", "r1", 0, "C"), said("replaces", "T", 0, "C")],
        after={
            "mg 0": 45,
            "running 0": "C",
            "mg 10": 45,
            "change": None,
            "ended": {"r1": ("replaced", 0), "T": ("replaced", 0)},
        },
    ),
    Situation(
        "the same dose in larger tablets, three days late",
        [
            order("A", plan(([25, 25, 25], None), quantity=210), status=COMPLETED),
            order("B", plan(([25, 25, 25], None), strengths=[25]), written=-1),
        ],
        [given("A", -31, 210)],
        asked="B",
        expected={"relation B": "continues after-gap A", "out A": -3},
        give=[84],
        after={"supply": (0, 28), "mg 0": 75, "held": 0, "type": "FF"},
    ),
    Situation(
        "two repeats, each ten days after the one before",
        [order("A", 30, repeats=5)],
        [given("A", -20, 84), given("A", -10, 84)],
        expected={"out A": 36, "due A": ("not-due", 29, 29), "messages": calls(36)},
    ),
    Situation(
        "a higher dose planned for days ago, collected when the old one has run out",
        [order("A", 30), order("B", 45, starts=-5)],
        [given("A", -40, 84)],
        asked="B",
        expected={"relation B": "changes after-gap A", "risk": [("A", "overdue", -12, 30)]},
        give=[126],
        after={"supply": (0, 28), "ended": {"A": ("replaced", 0)}, "mg 0": 45, "risk": []},
    ),
    Situation(
        "one of two prescribers stops his part",
        [order("A", 30), order("B", 15, "dr-b")],
        [given("A", -14, 84), given("B", -14, 84)],
        [said("beside", "A", -14, "B"), said("stopped", "B", 0)],
        expected={"mg -1": 45, "mg 0": 30, "risk": [("B", "stopped", 0, 45)], "messages": calls(14)},
    ),
    Situation(
        "two instalments at once after one was missed",
        [order("A", 30, interval_days=7)],
        [given("A", -14, 21)],
        asked="A",
        expected={"relation A": "continues after-gap A", "mg -1": 0, "out A": -7},
        give=[42],
        after={"supply": (0, 14), "owed A": (21,), "due A": ("not-due", 7, 7)},
    ),
    Situation(
        "a higher dose whose hand-over was cancelled",
        [order("A", 30), order("B", 45)],
        [given("A", -10, 84), given("B", -3, 126, status=SupplyStatus.CANCELLED)],
        expected={"mg 0": 30, "mg -3": 30, "out A": 18, "relation B": "changes same-prescriber A", "owed B": None},
    ),
]

CASES = {
    f"{section} {case.title}": case
    for section, cases in {"4": DAYS, "5": RELATIONS, "7 and 8": EVENTS, "9": FILLS, "4 to 9": MEETINGS}.items()
    for case in cases
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_case_of_a_section_has_its_answers(case: Situation) -> None:
    state = therapy(case.facts)
    answers = {question: answer_to(question, state, case.asked) for question in case.expected}
    assert answers == case.expected
    if case.give:
        after = state.with_hand_over(case.asked, amounts(case.give), case.answer)
        answers = {question: answer_to(question, after, case.asked) for question in case.after}
        assert answers == case.after


@pytest.mark.parametrize(("days", "left_days"), {28: 10, 20: 10, 14: 7, 7: 3}.items())
def test_a_profile_that_counts_days_left_lets_at_most_half_of_a_supply_be_left(days: int, left_days: int) -> None:
    facts = Situation("", [thirty(3 * days)], [given("A", left_days - days, 3 * days)]).facts
    facts = replace(facts, habits=replace(facts.habits, used_fraction=None, days_left=10))
    assert therapy(facts).due("A").earliest_on == day(0)
    supply: Supply = replace(facts.supplies[0], on=day(left_days - days + 1))
    assert therapy(replace(facts, supplies=(supply,))).due("A").earliest_on == day(1)


@pytest.mark.parametrize(
    ("tablets", "kinds"),
    [((28, 28), ("FF", "FF")), ((28, 20), ("FF", "FFP")), ((28, 0), ("FF", "FFP")), ((56, 28), ("FFP", "FF"))],
)
def test_each_strength_has_its_own_kind_of_supply(tablets: tuple[int, int], kinds: tuple[str, str]) -> None:
    state = therapy(facts([seventy("A")], [given("A", -3, *tablets)]))
    assert (state.supply_type("A-3", 0), state.supply_type("A-3", 1)) == kinds


def test_the_first_tablets_of_a_strength_are_a_first_supply() -> None:
    state = therapy(facts([seventy("A")], [given("A", -3, 28, 0), given("A", -1, 0, 28)]))
    assert state.supply_type("A-1", 1) == "FF"
