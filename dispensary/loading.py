"""The record of a patient, read once for everything that asks it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model, Prefetch

from dispensary.models import (
    Decision,
    Dispense,
    DispenseStatus,
    Namesake,
    Override,
    Patient,
    Pharmacy,
    Phase,
    Preparation,
    Prescriber,
    Prescription,
    PriorSupply,
    Product,
    ReminderPlan,
    SecondSignature,
)
from dispensary.statements import build_rows, load_statements, remember_related, run

SQL = load_statements(Path(__file__).with_suffix(".sql"))

OF_A_PATIENT: tuple[str | Prefetch[str], ...] = (
    Prefetch("prescriptions", Prescription.objects.select_related("prescriber")),
    "prescriptions__phases",
    "prescriptions__overrides",
    "dispenses",
    "prior_supplies",
    "decisions",
)
"""What the record of a patient is made of, to prefetch for many patients at once."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is recorded of one patient."""

    patient: Patient
    """With the pharmacy, and the orders with what belongs to them, supplies and decisions as if they were prefetched."""
    bags: Sequence[Preparation]
    """Bags of the patient that are in the pharmacy."""
    plan: ReminderPlan | None
    """The newest plan of messages, in force or ended."""
    work: frozenset[str]
    """The kinds of open work about the patient."""
    products: Mapping[str, Product]
    """The products of the packs that were asked for, by GTIN."""

    @property
    def orders(self) -> dict[UUID, Prescription]:
        """The orders by key."""
        return {row.pk: row for row in self.patient.prescriptions.all()}


def find_order(order_id: UUID, pharmacy_ids: Sequence[UUID]) -> Prescription | None:
    """Return an order of these pharmacies with nothing but its pharmacy's and its patient's id; the rest is read when it is asked for."""
    rows = run(SQL["find_order"], {"order": order_id, "pharmacies": list(pharmacy_ids)})
    names = ["id", "pharmacy_id", "patient_id"]
    return Prescription.from_db(DEFAULT_DB_ALIAS, names, rows[0]) if rows else None


def read_record(patient_id: UUID, patient: Patient | None = None, gtins: Collection[str] = ()) -> Record:
    """Read everything that is recorded of a patient, in one statement. Raises `Patient.DoesNotExist`.

    `patient` is the row that is to have it, where the caller has one; `gtins`, in 14 digits, are those of packs to be handed over.
    """
    ((*arrays, work, checks, products),) = run(SQL["read_record"], {"patient": patient_id, "gtins": list(gtins)})
    models: tuple[type[Model], ...] = (
        Patient, Pharmacy, Prescription, Prescriber, Phase, Override, SecondSignature, Dispense, PriorSupply, Decision, Namesake,
        Preparation, ReminderPlan,
    )  # fmt: skip
    rows: dict[type[Model], list[Any]] = {
        model: build_rows(model, array) for model, array in zip(models, arrays, strict=True)
    }
    if not rows[Patient]:
        raise Patient.DoesNotExist
    if patient is None:
        (patient,) = rows[Patient]
        (patient.pharmacy,) = rows[Pharmacy]
    _join(patient, rows)
    patient.checks = frozenset(checks)
    plan = next(iter(rows[ReminderPlan]), None)
    known = {product.gtin: product for product in build_rows(Product, products)}
    return Record(patient, rows[Preparation], plan, frozenset(work), known)


def _join(patient: Patient, rows: Mapping[type[Model], list[Any]]) -> None:
    """Let the rows of a record refer to each other."""
    orders: dict[UUID, Prescription] = {row.pk: row for row in rows[Prescription]}
    prescribers = {row.pk: row for row in rows[Prescriber]}
    dispenses, seconds = (
        {row.pk: row for row in rows[Dispense]},
        {row.override_id: row for row in rows[SecondSignature]},
    )
    phases, answers = _group(rows[Phase], "prescription_id"), _group(rows[Override], "prescription_id")
    handed_over, used = _group(rows[Dispense], "prescription_id"), _group(rows[Override], "dispense_id")
    bags = _group(rows[Preparation], "prescription_id")
    for order in orders.values():
        order.patient, order.pharmacy, order.prescriber = patient, patient.pharmacy, prescribers[order.prescriber_id]
        for phase in phases[order.pk]:
            phase.prescription = order
        parts = {"phases": phases, "overrides": answers, "dispenses": handed_over, "preparations": bags}
        for name, related in parts.items():
            remember_related(order, name, related[order.pk])
    for answer in rows[Override]:
        answer.prescription, answer.dispense = orders[answer.prescription_id], dispenses.get(answer.dispense_id)
        answer._state.fields_cache["second"] = seconds.get(answer.pk)
    for dispense in dispenses.values():
        dispense.patient, dispense.pharmacy = patient, patient.pharmacy
        dispense.prescription = orders[dispense.prescription_id]
        remember_related(dispense, "overrides", used[dispense.pk])
    for row in (*rows[PriorSupply], *rows[Decision]):
        row.patient = patient
    for bag in rows[Preparation]:
        bag.prescription = orders[bag.prescription_id]
    related_names = {
        "prescriptions": Prescription, "dispenses": Dispense, "prior_supplies": PriorSupply, "decisions": Decision,
    }  # fmt: skip
    for name, model in related_names.items():
        remember_related(patient, name, rows[model])
    patient.namesake_rows = rows[Namesake]


def _group(rows: Iterable[Any], key: str) -> defaultdict[UUID, list[Any]]:
    groups = defaultdict[UUID, list[Any]](list)
    for row in rows:
        groups[getattr(row, key)].append(row)
    return groups


def add_dispenses(patient: Patient, dispenses: Sequence[Dispense]) -> None:
    """Add hand-overs that were written just now to a record that was read before."""
    remember_related(patient, "dispenses", [*dispenses, *patient.dispenses.all()])
    for row in dispenses:
        remember_related(row.prescription, "dispenses", handed_over_on(row.prescription))


def add_decisions(patient: Patient, decisions: Sequence[Decision]) -> None:
    """Add decisions that were written just now to a record that was read before."""
    rows = sorted([*patient.decisions.all(), *decisions], key=lambda row: (row.on, row.decided_at, row.pk))
    remember_related(patient, "decisions", rows)


def add_answers(order: Prescription, answers: Sequence[Override]) -> None:
    """Add answers that were written just now to a record that was read before."""
    for answer in answers:
        answer._state.fields_cache["second"] = None
    remember_related(order, "overrides", [*answers, *order.overrides.all()])


def handed_over_on(order: Prescription) -> list[Dispense]:
    """Return the hand-overs on an order out of the record of its patient, cancelled ones included."""
    return [row for row in order.patient.dispenses.all() if row.prescription_id == order.pk]


def remaining_on(order: Prescription) -> Decimal | None:
    """Return the tablets that may still be handed over, as the record of its patient has it; None without a quantity."""
    completed = [row.quantity for row in handed_over_on(order) if row.status == DispenseStatus.COMPLETED]
    return order.remaining(sum(completed, Decimal(0)))
