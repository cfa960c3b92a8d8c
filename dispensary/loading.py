"""The record of a patient, read once for everything that asks it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model, Prefetch

from dispensary.models import (
    Decision,
    Dispense,
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
from dispensary.statements import build_rows, list_rows, load_statements, remember_related, run

SQL = load_statements(Path(__file__).with_suffix(".sql"))

OF_A_PATIENT: tuple[str | Prefetch[str], ...] = (
    Prefetch("prescriptions", Prescription.objects.select_related("prescriber")),
    "prescriptions__phases",
    "prescriptions__overrides",
    "prescriptions__dispenses",
    "prior_supplies",
    "decisions",
    "joined_records__decisions",
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
        return {row.pk: row for row in list_rows(self.patient, "prescriptions")}


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
    row, *joined = rows[Patient]
    if patient is None:
        patient = row
        (patient.pharmacy,) = rows[Pharmacy]
    _join(patient, joined, rows)
    patient.checks = frozenset(checks)
    plan = next(iter(rows[ReminderPlan]), None)
    products_by_gtin = {product.gtin: product for product in build_rows(Product, products)}
    return Record(patient, rows[Preparation], plan, frozenset(work), products_by_gtin)


def _join(patient: Patient, joined: Sequence[Patient], rows: Mapping[type[Model], list[Any]]) -> None:
    """Let the rows of a record refer to each other."""
    for record in joined:
        record.joined_to, record.pharmacy = patient, patient.pharmacy
    records = {row.pk: row for row in (patient, *joined)}
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
        for name, rows_of_orders in parts.items():
            remember_related(order, name, rows_of_orders[order.pk])
    for answer in rows[Override]:
        answer.prescription, answer.dispense = orders[answer.prescription_id], dispenses.get(answer.dispense_id)
        answer._state.fields_cache["second"] = seconds.get(answer.pk)
    for dispense in dispenses.values():
        dispense.patient, dispense.pharmacy = records[dispense.patient_id], patient.pharmacy
        dispense.prescription = orders[dispense.prescription_id]
        remember_related(dispense, "overrides", used[dispense.pk])
    for row in (*rows[PriorSupply], *rows[Decision]):
        row.patient = records[row.patient_id]
    for bag in rows[Preparation]:
        bag.prescription = orders[bag.prescription_id]
    decisions = _group(rows[Decision], "patient_id")
    for record in records.values():
        remember_related(record, "decisions", decisions[record.pk])
    remember_related(patient, "prescriptions", rows[Prescription])
    remember_related(patient, "prior_supplies", rows[PriorSupply])
    remember_related(patient, "joined_records", joined)
    patient.namesake_rows = rows[Namesake]


def _group(rows: Iterable[Any], key: str) -> defaultdict[UUID, list[Any]]:
    groups = defaultdict[UUID, list[Any]](list)
    for row in rows:
        groups[getattr(row, key)].append(row)
    return groups


def add_dispenses(dispenses: Sequence[Dispense]) -> None:
    """Add hand-overs that were written just now to a record that was read before."""
    for row in dispenses:
        remember_related(row.prescription, "dispenses", [row, *list_rows(row.prescription, "dispenses")])


def add_decisions(patient: Patient, decisions: Sequence[Decision]) -> None:
    """Add decisions that were written just now to a record that was read before."""
    rows = sorted([*list_rows(patient, "decisions"), *decisions], key=lambda row: (row.on, row.decided_at, row.pk))
    remember_related(patient, "decisions", rows)


def add_answers(order: Prescription, answers: Sequence[Override]) -> None:
    """Add answers that were written just now to a record that was read before."""
    for answer in answers:
        answer._state.fields_cache["second"] = None
    remember_related(order, "overrides", [*answers, *list_rows(order, "overrides")])
