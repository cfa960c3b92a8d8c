"""Generated histories of a patient: orders, hand-overs, changes, parts, returns, two strengths, as needed; by the real actions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from dispensary.actions import dispenses, therapy
from dispensary.actions.decisions import Decided
from dispensary.actors import Actor
from dispensary.assessment import assess
from dispensary.errors import DispensaryError
from dispensary.models import (
    DecisionKind,
    Dispense,
    DispenseStatus,
    Patient,
    Pharmacy,
    Prescription,
    PrescriptionStatus,
    SignatureMethod,
)
from tests.dispensary import make

DOSES = ([5, 5, 5], [10, 10, 10], [10, 5, 10], [10, 10, 20], [15, 15, 15], [5, 5])
"""mg of a day; each can be measured with 10 mg tablets."""
STEPS = (
    "change",
    "change",
    "repeat",
    "repeat",
    "part",
    "return",
    "cancel",
    "two strengths",
    "as needed",
    "taper",
    "moved",
)
LONGEST_STEP = 16
"""Days from one step to the next."""


class History:
    """One patient's history, made from a seed."""

    def __init__(self, seed: int, shop: Pharmacy, by: Actor, now: datetime) -> None:
        self.random, self.shop, self.by = Random(seed), shop, by
        self.keys = itertools.count(1)
        self.steps: list[str] = []
        """What happened, for whoever reads a failure."""
        count = self.random.randint(1, 5)
        days = [self.random.randint(0, LONGEST_STEP) for _ in range(count)]
        self.now = now - timedelta(days=sum(days) + self.random.randint(0, 3), minutes=count)
        self.patient: Patient = make.patient(shop, now=self.now - timedelta(days=1))
        self.do("change")
        for gap in days:
            self.now += timedelta(days=gap, minutes=1)
            self.do(self.random.choice(STEPS))

    def do(self, step: str) -> None:
        """Do one step where it is possible."""
        try:
            is_done = {
                "change": self.change,
                "repeat": self.repeat,
                "part": self.part,
                "return": lambda: self.take_back(dispenses.return_),
                "cancel": lambda: self.take_back(dispenses.cancel),
                "two strengths": self.two_strengths,
                "as needed": self.as_needed,
                "taper": self.taper,
                "moved": self.move,
            }[step]()
        except DispensaryError as error:
            is_done = False
            step = f"{step}: {error.detail}"
        self.steps.append(f"{self.now:%d %b}: {step}{'' if is_done else ' (nothing)'}")

    # --- orders -----------------------------------------------------------------------------------------------------

    def order(self, doses: Sequence[int], days: int = 28, **changes: Any) -> Prescription:
        phases = [{"doses": list(doses), "unit": "mg", "days": days}]
        total = sum(phase["days"] * sum(phase["doses"]) for phase in changes.get("phases", phases))
        fields = {
            "phases": phases,
            "directions": None,
            "quantity": -(-total // 10),
            "repeats": self.random.choice([0, 1, 2]),
            "then_stop": None,
            "written_on": self.now.date().isoformat(),
            "ordered_by": make.prescriber(self.shop, self.now, identifier=f"C{self.random.choice([1, 1, 1, 2])}"),
        }
        return make.prescription(self.patient, now=self.now, **(fields | changes))

    def change(self) -> bool:
        starts = {}
        if self.random.random() < 0.2:
            starts = {"starts_on": (self.now.date() + timedelta(days=self.random.randint(1, 9))).isoformat()}
        return self.give([self.order(self.random.choice(DOSES), **starts)])

    def taper(self) -> bool:
        phases = [{"doses": [10, 10, 10], "unit": "mg", "days": 5}, {"doses": [5, 5, 5], "unit": "mg", "days": 5}]
        return self.give([self.order([], phases=phases, then_stop=True, repeats=0)])

    def two_strengths(self) -> bool:
        group = f"urn:history|{next(self.keys)}"
        prescriber = make.prescriber(self.shop, self.now, identifier="C1")
        both = [
            self.order([dose], group=group, strength_mg=strength, quantity=28, ordered_by=prescriber, repeats=0)
            for strength, dose in ((25, 25), (10, 10))
        ]
        return self.give(both)

    def as_needed(self) -> bool:
        return self.give([self.order([10, 10], as_needed=True, repeats=0, quantity=28)])

    # --- what becomes of them -----------------------------------------------------------------------------------------

    def repeat(self, share: Decimal = Decimal(1)) -> bool:
        active = Prescription.objects.filter(patient=self.patient, status=PrescriptionStatus.ACTIVE, group="")
        order = active.order_by("received_at").last()
        left = None if order is None else order.remaining()
        if order is None or not left or order.quantity is None:
            return False
        return self.give([order], quantity=min(left, (order.quantity * share).to_integral_value()))

    def part(self) -> bool:
        return self.repeat(Decimal("0.5"))

    def take_back(self, action: Any) -> bool:
        handed_over = Dispense.objects.filter(patient=self.patient, status=DispenseStatus.COMPLETED)
        last = handed_over.order_by("-handed_over_at").first()
        if last is None:
            return False
        together = handed_over.filter(handed_over_at=last.handed_over_at)
        for row in together:
            action(dispense=row, reason="Brought back", by=self.by, now=self.now)
        return True

    def move(self) -> bool:
        last = Dispense.objects.filter(patient=self.patient).completed().order_by("-handed_over_at").first()
        if last is None:
            return False
        decided = Decided(
            DecisionKind.MOVED,
            str(last.prescription_id),
            days=self.random.choice([1, 2]),
            mitigation="5",
            words="Said so.",
        )
        therapy.record_decision(patient=self.patient, decided=decided, by=self.by, now=self.now)
        return True

    def give(self, orders: Sequence[Prescription], quantity: Decimal | None = None) -> bool:
        """Hand over, with an answer to whatever is asked: replaces or beside where nobody knows."""
        first, *others = [Prescription.objects.get(pk=order.pk) for order in orders]
        amount = quantity or first.quantity
        assert amount is not None
        assessment = assess(first, on=self.shop.local_day(self.now), quantity=quantity)
        relation = assessment.therapy.relate(str(assessment.ask.order))
        decided: list[Decided] = []
        if relation is not None and relation.relation == "unknown":
            kind = self.random.choice([DecisionKind.REPLACES, DecisionKind.REPLACES, DecisionKind.BESIDE])
            decided = [Decided(kind, course, words="Asked.", mitigation="5") for course in relation.to]
        fields: dict[str, Any] = {
            "prescription": first,
            "quantity": amount,
            "pack": make.pack(make.TWENTY_FIVE_MG if first.strength_mg == 25 else make.TEN_MG),
            "also": [dispenses.Item(row, row.quantity or Decimal(0), make.pack(make.TEN_MG)) for row in others],
            "decisions": decided,
            "by": self.by,
            "now": self.now,
        }
        made = dispenses.dispense(key=f"{first.pk}-{next(self.keys)}", **fields)
        if not isinstance(made, Dispense):
            answers = [
                dispenses.Answer(
                    q.fingerprint, "5", "Agreed.", asked="Dr A", asked_at=self.now, signature=SignatureMethod.PASSWORD
                )
                for q in made.unanswered
                if q.severity == "override"
            ]
            ticks = [q.fingerprint for q in made.unanswered if q.severity == "acknowledge"]
            made = dispenses.dispense(
                key=f"{first.pk}-{next(self.keys)}", overrides=answers, acknowledged=ticks, **fields
            )
        return isinstance(made, Dispense)
