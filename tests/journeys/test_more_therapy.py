"""More cases of the therapy through the product: order by REST, queue, findings, hand-over, papers, messages and FHIR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from dispensary.assessment import therapy_of
from dispensary.models import OrderSummary, Patient, Pharmacy, Reminder, ReminderState
from tests.baclofen_rules.therapy.states import day
from tests.journeys.test_histories import read_calendar
from tests.journeys.test_therapy import ABOUT_THERAPY, World, shop

__all__ = ["shop"]
pytestmark = pytest.mark.django_db
Doses = Sequence[float]


def on(days: int | None) -> str | None:
    return None if days is None else day(days).isoformat()


def order(name: str, *phases: tuple[Doses, int | None], tablets: float = 84, **more: Any) -> dict[str, Any]:
    """An order of 10 mg tablets, written forty days ago; of 25 mg as well where `also` gives their doses."""
    also = more.pop("also", None)
    products = [
        {
            "strength_mg": strength,
            "quantity": tablets,
            "phases": [{"doses": list(doses), "days": days} for doses, days in rows],
        }
        for strength, rows in (((25, also), (10, phases)) if also else ((10, phases),))
    ]
    dates = {"written_on": on(more.pop("written", -40)), "starts_on": on(more.pop("starts", None))}
    fields = {"prescriber": "dr-a", "status": "active", "replaces": None, "group": None, "as_needed": False}
    fields |= {"then_stop": None, "repeats": 0, "interval_days": None}
    return {"id": name, "products": products, **dates, **fields, **more}


def supply(order_id: str, days: int, *tablets: float) -> dict[str, Any]:
    return {
        "id": f"{order_id}{days}",
        "on": on(days),
        "order": order_id,
        "tablets": list(tablets),
        "status": "given",
    }


def answer(kind: str, subject: str, about: str) -> dict[str, Any]:
    return {"kind": kind, "subject": subject, "object": about, "on": on(0)}


@dataclass(frozen=True)
class Case:
    """A record, the order that is handed over today, and what the product says before and after it."""

    title: str
    orders: Sequence[Mapping[str, Any]]
    supplies: Sequence[Mapping[str, Any]]
    asked: str
    give: Sequence[float]
    relation: str
    """Before any answer, with its reason and the orders it is about."""
    findings: set[str]
    """Those about the therapy."""
    due: int
    """The day from today on which the queue has it due."""
    days: tuple[int, int]
    """The first day and the number of days of the supply."""
    kind: str
    """Of the supply, by FHIR."""
    calendar: dict[int, int | None]
    """mg of days from today as its calendar says."""
    messages: set[tuple[str, int]]
    label: str = ""
    answers: Sequence[Mapping[str, Any]] = field(default_factory=list)

    @property
    def document(self) -> dict[str, Any]:
        return {
            "id": self.title,
            "today": on(0),
            "orders": self.orders,
            "supplies": self.supplies,
            "decisions": [],
            "ask": {"order": self.asked, "give": list(self.give), "answer": list(self.answers)},
        }


def calls(uncovered: int, refill_due: int | None) -> set[tuple[str, int]]:
    """The calls about the end of tablets that are still to come."""
    rows = [("refill_again", uncovered - 2), ("run_out", uncovered), ("missed_collection", uncovered + 2)]
    return {*rows, *([] if refill_due is None else [("refill_due", refill_due)])}


THIRTY, FORTY_FIVE = ([10, 10, 10], None), ([15, 15, 15], None)
TWO = {"also": [([25, 25], None)], "tablets": 28}
CASES = [
    Case(
        "a repeat of two strengths, three days before they end",
        [order("A", ([10, 10], None), **TWO)],
        [supply("A", -11, 28, 28)],
        "A",
        [28, 28],
        "continues own-order A",
        set(),
        -4,
        (3, 14),
        "RF",
        {3: 70, 16: 70, 17: None},
        calls(17, 10),
        "Take ONE tablet (25 mg) twice a day: morning, evening.",
    ),
    Case(
        "the owed rest of a part",
        [order("A", THIRTY, tablets=42)],
        [supply("A", -2, 12)],
        "A",
        [30],
        "part own-order A",
        set(),
        -2,
        (2, 10),
        "RFP",
        {2: 30, 11: 30, 12: None},
        calls(12, 5),
    ),
    Case(
        "a repeat with eight days left of twenty-eight",
        [order("A", THIRTY)],
        [supply("A", -20, 84)],
        "A",
        [84],
        "continues own-order A",
        {"early-refill"},
        1,
        (8, 28),
        "RF",
        {8: 30, 35: 30, 36: None},
        calls(36, 29),
    ),
    Case(
        "a repeat with seven days left of twenty-eight",
        [order("A", THIRTY)],
        [supply("A", -21, 84)],
        "A",
        [84],
        "continues own-order A",
        set(),
        0,
        (7, 28),
        "RF",
        {7: 30, 34: 30, 35: None},
        calls(35, 28),
    ),
    Case(
        "a repeat with three days left of seven",
        [order("A", THIRTY, tablets=21)],
        [supply("A", -4, 21)],
        "A",
        [21],
        "continues own-order A",
        set(),
        0,
        (3, 7),
        "RF",
        {3: 30, 9: 30, 10: None},
        calls(10, None),
    ),
    Case(
        "a repeat with four days left of seven",
        [order("A", THIRTY, tablets=21)],
        [supply("A", -3, 21)],
        "A",
        [21],
        "continues own-order A",
        {"early-refill"},
        1,
        (4, 7),
        "RF",
        {4: 30, 10: 30, 11: None},
        calls(11, None),
    ),
    Case(
        "a higher dose that names the old one, for a later day",
        [
            order("A", THIRTY),
            order("B", ([10, 15, 15], None), tablets=112, prescriber="dr-b", starts=5, replaces="A", written=-1),
        ],
        [supply("A", -10, 84)],
        "B",
        [112],
        "changes said A",
        {"starts-later", "leftover-supply"},
        0,
        (5, 28),
        "FF",
        {5: 40, 32: 40, 33: None},
        {("dose_change", 4), ("change_day", 5), *calls(33, 26)},
    ),
    Case(
        "a taper to nothing in the place of a higher dose",
        [
            order("A", THIRTY),
            order("B", ([10, 5, 10], 7), ([5, 5, 5], 7), ([5, 5], 7), tablets=35, then_stop=True, written=-1),
        ],
        [supply("A", -5, 84)],
        "B",
        [35],
        "changes same-prescriber A",
        {"dose-change", "leftover-supply"},
        0,
        (0, 21),
        "FF",
        {0: 25, 6: 25, 7: 15, 13: 15, 14: 10, 20: 10, 21: None},
        {
            *(("dose_change", day) for day in (6, 13)),
            *(("change_day", day) for day in (7, 14)),
            *(("step_check", day) for day in (2, 9, 16)),
            ("last_day", 20),
            ("after_end", 24),
        },
        answers=[answer("replaces", "B", "A")],
    ),
    Case(
        "an instalment two days before its day",
        [order("A", THIRTY, interval_days=7)],
        [supply("A", -5, 21)],
        "A",
        [21],
        "part own-order A",
        {"instalment-early"},
        2,
        (2, 7),
        "RFP",
        {2: 30, 8: 30, 9: None},
        calls(9, None),
    ),
    Case(
        "a lower dose where the old order is still active",
        [order("A", THIRTY), order("B", ([10, 5, 10], None), tablets=70, written=-1)],
        [supply("A", -10, 84)],
        "B",
        [70],
        "unknown lower A",
        {"dose-change"},
        0,
        (0, 28),
        "FF",
        {0: 25, 27: 25, 28: None},
        {("step_check", 2), *calls(28, 21)},
        answers=[answer("replaces", "B", "A")],
    ),
    Case(
        "two strengths in the place of one",
        [order("A", THIRTY), order("B", ([10], None), also=[([25], None)], tablets=28, written=-1)],
        [supply("A", -10, 84)],
        "B",
        [28, 28],
        "changes same-prescriber A",
        {"dose-change", "leftover-supply"},
        0,
        (0, 28),
        "FF",
        {0: 35, 27: 35, 28: None},
        calls(28, 21),
        "Take ONE tablet (25 mg) once a day.",
        answers=[answer("replaces", "B", "A")],
    ),
    Case(
        "the same dose of another prescriber beside what runs, kept as one",
        [order("A", THIRTY), order("B", THIRTY, prescriber="dr-b", written=-1)],
        [supply("A", -22, 84)],
        "B",
        [84],
        "continues same-dose A",
        set(),
        -1,
        (6, 28),
        "FF",
        {6: 30, 33: 30, 34: None},
        calls(34, 27),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_case_says_the_same_everywhere(shop: Pharmacy, case: Case) -> None:
    world = World(case.document, shop)
    here = {key: name for name, key in world.names.items()}
    due_on = OrderSummary.objects.get(prescription=world.asked[0]).due_on
    assert due_on == world.today + timedelta(case.due)
    result = world.review()
    relation = result["therapy"]
    sentence = " ".join([relation["relation"], relation["how"], *(here[name] for name in relation["to"])])
    assert sentence == case.relation
    assert {f["code"] for f in result["findings"] if f["code"] in ABOUT_THERAPY} == case.findings

    made = world.hand_over()
    first = date.fromisoformat(made["starts_on"])
    assert ((first - world.today).days, made["days_supply"]) == case.days
    label = world.printed(made, "label")
    assert case.label in label
    calendar = read_calendar(world.printed(made, "calendar"))
    assert {days: calendar.get(world.today + timedelta(days)) for days in case.calendar} == case.calendar

    patient = Patient.objects.select_related("pharmacy").get(pk=world.patient.pk)
    therapy = therapy_of(patient, world.today)
    for days, mg in case.calendar.items():
        assert (therapy.day(world.today + timedelta(days)).mg or None) == mg, days
    scheduled = Reminder.objects.filter(patient=patient, state=ReminderState.SCHEDULED, plan__ended_at=None)
    # That of the run-out goes out on the evening before, and names the day.
    due_days = {
        row: date.fromisoformat(row.params["date"]) if row.kind == "run_out" else row.local_date for row in scheduled
    }
    assert {(row.kind, (due_day - world.today).days) for row, due_day in due_days.items()} == case.messages
    resource = world.caller.get(f"fhir/MedicationDispense/{made['id']}").json()
    assert resource["type"]["coding"][0]["code"] == case.kind
    assert resource["daysSupply"]["value"] == case.days[1]
