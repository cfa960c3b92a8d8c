"""Dispenses to print, as a test needs them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from dispensary.documents import Course, Handover, PharmacyLines, Receipt, Stretch

RIVERSIDE = PharmacyLines("Riverside Pharmacy", "12 Mill Lane, Oxford OX4 1AB", "01865 496 000")
WARNINGS = (
    "May make you sleepy: do not drive or use machines. No alcohol.",
    "Do not stop suddenly: only as your prescriber tells you.",
)
SUNDAY = date(2026, 11, 22)


def stretch(*doses_mg: str, first_on: date = SUNDAY, days: int | None = None, strength: str = "10") -> Stretch:
    doses = tuple(Decimal(d) for d in doses_mg)
    last = None if days is None else first_on + timedelta(days=days - 1)
    return Stretch(doses, tuple(d / Decimal(strength) for d in doses), first_on, last)


def taper() -> Course:
    """60 mg a day to nothing in six weeks."""
    first, stretches = SUNDAY, []
    for mg in ("30", "25", "20", "15", "10", "5"):
        stretches.append(stretch(mg, mg, first_on=first, days=7))
        first += timedelta(days=7)
    return Course(tuple(stretches), then_stop=True)


STEADY = Handover(
    medicine="Baclofen",
    strength_mg=Decimal(10),
    quantity=Decimal(126),
    course=Course((stretch("15", "15", "15"),), covered_until=SUNDAY + timedelta(days=27)),
    patient_name="Margaret O’Connor-Whitfield",
    dispensed_on=SUNDAY,
    number="RX-2026-00417",
    pharmacy=RIVERSIDE,
    warnings=WARNINGS,
    receipt=Receipt(1203, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    born_on=date(1950, 2, 3),
)


def steady(**changes: Any) -> Handover:
    return replace(STEADY, **changes)
