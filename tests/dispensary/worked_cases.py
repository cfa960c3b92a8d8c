"""The worked cases of the therapy as rows of the database, written past the actions: their past lies before the test."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from dispensary.models import (
    Decision,
    Dispense,
    Patient,
    Phase,
    Prescriber,
    Prescription,
    PriorSupply,
    Review,
)
from tests.baclofen_rules.therapy.reading import amounts
from tests.dispensary import make


@dataclass(frozen=True, slots=True)
class Keys:
    """The patient of a case, and the keys under which its orders and recorded supplies are stored."""

    patient: Patient
    orders: dict[str, UUID] = field(default_factory=dict)
    """An order of several products has that of its first."""
    products: dict[str, list[UUID]] = field(default_factory=dict)
    recorded: dict[str, int] = field(default_factory=dict)

    def course(self, name: str) -> str:
        """Return the name of a course that a case names."""
        base, at, day = name.partition("@")
        key = self.orders.get(base) or self.recorded.get(base) or base
        return f"{key}{at}{day}"


def write_case(case: Mapping[str, Any], patient: Patient) -> Keys:
    """Store the orders, supplies and decisions of a case for a patient."""
    keys = Keys(patient)
    patient.died_on = _day(case["patient"]["died_on"])
    make.save_past_actions(patient, "died_on")
    for row in sorted(case["orders"], key=lambda row: row["replaces"] is not None):
        _write_order(row, case, keys)
    for row in case["supplies"]:
        if row["order"] is None:
            _write_recorded(row, keys)
        else:
            _write_supply(row, keys)
    for row in case["decisions"]:
        _write_decision(row, keys)
    return keys


def _write_order(row: Mapping[str, Any], case: Mapping[str, Any], keys: Keys) -> None:
    patient = keys.patient
    name = row["prescriber"] or "nobody"
    prescriber, _ = Prescriber.objects.get_or_create(
        pharmacy=patient.pharmacy, identifier=name, defaults={"name": name, "phone": "020"}
    )
    supplied = [supply["on"] for supply in case["supplies"] if supply["order"] == row["id"]]
    received_on = min([*supplied, row["written_on"] or case["today"], case["today"]])
    is_group = len(row["products"]) > 1
    for product in row["products"]:
        order = Prescription.objects.create(
            pharmacy=patient.pharmacy,
            patient=patient,
            prescriber=prescriber,
            status=row["status"],
            ended_at=None if row["status"] == "active" else _moment(case["today"], 1),
            written_on=_day(row["written_on"]),
            starts_on=_day(row["starts_on"]),
            replaces_id=keys.orders.get(row["replaces"] or ""),
            group=f"|{row['id']}" if is_group else "",
            as_needed=row["as_needed"],
            then_stop=row["then_stop"],
            repeats=row["repeats"],
            interval_days=row["interval_days"],
            strength_mg=Decimal(product["strength_mg"]),
            quantity=None if product["quantity"] is None else Decimal(product["quantity"]),
            route="oral",
            form="tablet",
            source="case",
            document={},
            received_at=_moment(received_on, 8),
        )
        for number, phase in enumerate(product["phases"], 1):
            Phase.objects.create(
                prescription=order, number=number, doses=list(amounts(phase["doses"])), days=phase["days"],
                times=phase.get("times"),
            )  # fmt: skip
        keys.orders.setdefault(row["id"], order.pk)
        keys.products.setdefault(row["id"], []).append(order.pk)


def _write_supply(row: Mapping[str, Any], keys: Keys) -> None:
    at = _moment(row["on"], 9)
    is_back = row["status"] == "returned" and row.get("returned_tablets") is None
    for key, tablets in zip(keys.products[row["order"]], amounts(row["tablets"]), strict=True):
        order = Prescription.objects.get(pk=key)
        status = "completed" if row["status"] == "given" else row["status"]
        if row["status"] == "returned" and not is_back:
            raise ValueError("a part of a supply came back")
        review = Review.objects.create(
            pharmacy=order.pharmacy, prescription=order, reason="dispense", case_text="{}", result_text="{}",
            outcome="pass", profile_name="lioresal", profile_digest="sha256:" + "0" * 64, rules_version="1",
            reviewed_at=at, reviewed_by="user:1",
        )  # fmt: skip
        Dispense.objects.create(
            pharmacy=order.pharmacy, patient=order.patient, prescription=order, review=review,
            number=order.dispenses.count() + 1, status=status, quantity=tablets, strength_mg=order.strength_mg,
            starts_on=at.date(), days_supply=1, run_out_on=at.date(), prepared_at=at, handed_over_at=at,
            dispensed_by="user:1", dispenser_name="Pat Pharmacist", key=str(uuid.uuid4()), audit_entry=uuid.uuid4(),
            ended_at=None if status == "completed" else _moment(row.get("returned_on") or row["on"], 10),
        )  # fmt: skip


def _write_recorded(row: Mapping[str, Any], keys: Keys) -> None:
    (product,) = row["regimen"]["products"]
    (phase,) = product["phases"]
    keys.recorded[row["id"]] = PriorSupply.objects.create(
        patient=keys.patient, dispensed_on=_day(row["on"]), doses=list(amounts(phase["doses"])),
        strength_mg=Decimal(product["strength_mg"]), days_supply=row["days"], dose_since=_day(row.get("dose_since")),
        recorded_at=_moment(row["on"], 9),
    ).pk  # fmt: skip


def _write_decision(row: Mapping[str, Any], keys: Keys) -> None:
    subject = row["subject"]
    Decision.objects.create(
        patient=keys.patient, kind=row["kind"], order_id=keys.orders.get(subject or ""),
        prior_supply_id=keys.recorded.get(subject or ""), course=keys.course(row["object"]), on=_day(row["on"]),
        starts_on=_day(row.get("from")), mg=row.get("mg"), days=row.get("days"),
        tablets=None if row.get("tablets") is None else list(amounts(row["tablets"])), decided_by="user:1",
        decider_name="Pat Pharmacist", decided_at=_moment(row["on"], 9),
    )  # fmt: skip


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _moment(day: str, hour: int) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(hour), UTC)
